#include "vault/custody/custodian_set.h"

#include <algorithm>

#include "vault/custody/digest.h"
#include "vault/custody/lines.h"
#include "vault/custody/shamir.h"

namespace cardvault::custody {
namespace {

constexpr std::string_view kHead = "cardvault custodians v1";
constexpr std::string_view kAudit = "audit-sign";

void check_custodian(const LineReader& reader, const CustodianSet& set) {
  const Custodian& added = set.custodians.back();
  if (set.custodians.size() > kMaxParts) reader.refuse("too many custodians");
  for (const Custodian& other : set.custodians) {
    if (&other == &added) continue;
    if (other.name == added.name) reader.refuse("the custodian " + added.name + " stands twice");
    if (other.key.point == added.key.point) {
      reader.refuse(other.name + " and " + added.name + " have one key");
    }
  }
}

}  // namespace

std::string set_body(const CustodianSet& set) {
  std::string out = std::string(kHead) + "\n" + line("vault", set.vault) +
                    line("needed", std::to_string(set.needed));
  for (const Custodian& one : set.custodians) {
    out += line("custodian", one.name + " " + public_key_text(one.key));
  }
  return out + line("audit-key", public_key_text(set.audit_key));
}

std::string encode(const CustodianSet& set) {
  std::string out = set_body(set);
  for (const Signed& one : set.signatures) out += signed_line(one);
  return out;
}

CustodianSet parse_custodian_set(const std::string& what, std::string_view text) {
  LineReader reader(what, text, kHead);
  CustodianSet out;
  out.vault = reader.take("vault");
  if (out.vault.size() != 16 || !from_hex(out.vault)) reader.refuse("no vault id");
  const auto needed = parse_number(reader.take("needed"), kMaxParts);
  if (!needed) reader.refuse("expected a small number");
  out.needed = *needed;
  while (reader.next_is("custodian")) {
    const std::string_view value = reader.take("custodian");
    const auto blank = value.find(' ');
    const auto key =
        blank == std::string_view::npos ? std::nullopt : parse_public_key(value.substr(blank + 1));
    if (!key || key->ed25519) reader.refuse("expected a name and its p256: key");
    out.custodians.push_back({std::string(value.substr(0, blank)), *key});
    check_custodian(reader, out);
  }
  if (out.needed < kMinThreshold || out.needed > out.custodians.size()) {
    reader.refuse("\"needed\" is less than 2, or more than there are custodians");
  }
  const auto audit = parse_public_key(reader.take("audit-key"));
  if (!audit) reader.refuse("no public key");
  out.audit_key = *audit;
  while (reader.next_is("signed")) {
    auto one = parse_signed(reader.take("signed"));
    if (!one) reader.refuse("expected a name and a signature");
    out.signatures.push_back(std::move(*one));
  }
  reader.end();
  return out;
}

std::string signed_message(std::string_view kind, std::string_view body) {
  return "cardvault signed " + std::string(kind) + " v1\n" + hex(sha256(body)) + "\n";
}

std::vector<std::string> check_signatures(const CustodianSet& set,
                                          const core::SigningPublicKey& audit_key) {
  std::vector<std::string> out;
  if (set.audit_key.point != audit_key.point) {
    out.emplace_back("it names another audit-sign key than the vault's own");
  }
  const std::string message = signed_message("custodians", set_body(set));
  const auto check = [&](std::string_view name, const core::SigningPublicKey& key) {
    const auto found = std::ranges::find(set.signatures, name, &Signed::by);
    if (found == set.signatures.end()) {
      out.push_back(std::string(name) + " did not sign it");
    } else if (!verify(key, message, found->signature)) {
      out.push_back("the signature of " + std::string(name) + " is not under this text");
    }
  };
  check(kAudit, audit_key);
  for (const Custodian& one : set.custodians) check(one.name, one.key);
  return out;
}

std::string signed_line(const Signed& one) {
  return line("signed", one.by + " " + hex(one.signature));
}

std::optional<Signed> parse_signed(std::string_view value) {
  const auto blank = value.find(' ');
  if (blank == std::string_view::npos || blank == 0) return std::nullopt;
  auto signature = from_hex(value.substr(blank + 1));
  if (!signature) return std::nullopt;
  return Signed{std::string(value.substr(0, blank)), std::move(*signature)};
}

}  // namespace cardvault::custody
