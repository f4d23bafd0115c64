#include "vault/custody/action.h"

#include <algorithm>
#include <array>

#include "vault/base/clock.h"
#include "vault/base/result.h"
#include "vault/custody/lines.h"

namespace cardvault::custody {
namespace {

constexpr std::string_view kActionHead = "cardvault action v1";
constexpr std::string_view kApprovalHead = "cardvault approval v1";
constexpr std::size_t kVaultDigits = 16;
constexpr std::size_t kNonceBytes = 16;

bool is_name(std::string_view text) {
  const auto plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '-' || c == '_';
  };
  return !text.empty() && text.size() <= 64 && std::ranges::all_of(text, plain);
}

bool is_hex(std::string_view text, std::size_t digits) {
  return text.size() == digits && from_hex(text);
}

// "" when all is well.
std::string fault_of(const Action& action) {
  if (!is_hex(action.vault, kVaultDigits)) return "a vault's id has 16 hex digits";
  if (!is_name(action.verb)) return "a verb has letters a-z, digits, dots and hyphens";
  if (!is_hex(action.nonce, 2 * kNonceBytes)) return "a nonce has 32 hex digits";
  for (std::size_t i = 0; i < action.arguments.size(); ++i) {
    const auto& [name, value] = action.arguments[i];
    if (!is_name(name)) return "an argument's name has letters a-z, digits, dots and hyphens";
    if (!is_one_line(value)) return "the argument " + name + " holds control characters";
    if (i != 0 && action.arguments[i - 1].first >= name) {
      return "the argument " + name + " stands twice or out of order";
    }
  }
  return "";
}

}  // namespace

Action make_action(std::string vault, std::string verb,
                   std::vector<std::pair<std::string, std::string>> arguments,
                   std::int64_t expires_ms) {
  std::array<std::uint8_t, kNonceBytes> nonce{};
  fill_random(nonce);
  std::ranges::sort(arguments);
  Action out{std::move(vault), std::move(verb), std::move(arguments), expires_ms, hex(nonce)};
  if (const std::string fault = fault_of(out); !fault.empty()) throw base::StartupError(fault);
  return out;
}

std::string encode(const Action& action) {
  std::string out =
      std::string(kActionHead) + "\n" + line("vault", action.vault) + line("verb", action.verb);
  for (const auto& [name, value] : action.arguments) out += line("argument", name + "=" + value);
  return out + line("expires", base::format_time(action.expires_ms)) + line("nonce", action.nonce);
}

Action parse_action(const std::string& what, std::string_view text) {
  LineReader reader(what, text, kActionHead);
  Action out;
  out.vault = reader.take("vault");
  out.verb = reader.take("verb");
  while (reader.next_is("argument")) {
    const std::string_view argument = reader.take("argument");
    const auto equals = argument.find('=');
    if (equals == std::string_view::npos) reader.refuse("an argument is name=value");
    out.arguments.emplace_back(argument.substr(0, equals), argument.substr(equals + 1));
  }
  const auto expires = parse_time(reader.take("expires"));
  if (!expires) reader.refuse("a time looks like 2026-11-23T10:00:00.000Z");
  out.expires_ms = *expires;
  out.nonce = reader.take("nonce");
  reader.end();
  if (const std::string fault = fault_of(out); !fault.empty()) {
    throw base::StartupError(what + ": " + fault);
  }
  return out;
}

Digest action_digest(const Action& action) { return sha256(encode(action)); }

std::string approval_message(const Digest& action) {
  return std::string(kApprovalHead) + "\n" + line("action", hex(action));
}

std::string encode(const Approval& approval) {
  return approval_message(approval.action) + line("key", approval.key) +
         line("signature", hex(approval.signature));
}

Approval parse_approval(const std::string& what, std::string_view text) {
  LineReader reader(what, text, kApprovalHead);
  Approval out;
  const auto digest = digest_from_hex(reader.take("action"));
  if (!digest) reader.refuse("a digest has 64 hex digits");
  out.action = *digest;
  out.key = reader.take("key");
  auto signature = from_hex(reader.take("signature"));
  if (!signature) reader.refuse("a signature is in hex digits");
  out.signature = std::move(*signature);
  reader.end();
  return out;
}

}  // namespace cardvault::custody
