#include "vault/custody/share.h"

#include <algorithm>

#include "vault/base/check.h"

namespace cardvault::custody {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kCheck = 4;
constexpr std::size_t kHead = 14;
static_assert(kHead + kSecretBytes + kCheck == kShareBytes);

void append(base::SecretBuffer& out, std::span<const std::uint8_t> bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

}  // namespace

std::string_view secret_name(SecretName name) noexcept {
  switch (name) {
    case SecretName::kSoPin:
      return "so-pin";
    case SecretName::kUserPin:
      return "user-pin";
    case SecretName::kBackupKey:
      return "backup-key";
  }
  return "";
}

std::optional<SecretName> parse_secret_name(std::string_view text) noexcept {
  for (const SecretName name : kAllSecrets) {
    if (secret_name(name) == text) return name;
  }
  return std::nullopt;
}

std::string describe(const ShareLabel& label) {
  return "share " + std::to_string(label.index) + " of " + std::to_string(label.parts) + " of " +
         std::string(secret_name(label.secret)) + " (any " + std::to_string(label.threshold) +
         " rebuild it), split " + std::to_string(label.generation) + ", vault " + hex(label.vault);
}

base::SecretBuffer encode_share(const Share& share) {
  const ShareLabel& label = share.label;
  CARDVAULT_CHECK(share.value.size() == kSecretBytes);
  base::SecretBuffer out;
  out.reserve(kShareBytes);
  out.push_back(kVersion);
  append(out, label.vault);
  append(out, std::array{static_cast<std::uint8_t>(label.secret), label.generation, label.index,
                         label.threshold, label.parts});
  append(out, share.value);
  const Digest check = sha256(std::span<const std::uint8_t>(out));
  append(out, std::span(check).first(kCheck));
  return out;
}

std::optional<Share> decode_share(std::span<const std::uint8_t> bytes) {
  if (bytes.size() != kShareBytes || bytes[0] != kVersion) return std::nullopt;
  const auto body = bytes.first(bytes.size() - kCheck);
  const Digest check = sha256(body);
  if (!std::ranges::equal(bytes.last(kCheck), std::span(check).first(kCheck))) return std::nullopt;
  Share share;
  ShareLabel& label = share.label;
  std::ranges::copy(body.subspan(1, label.vault.size()), label.vault.begin());
  const auto numbers = body.subspan(1 + label.vault.size());
  label.secret = static_cast<SecretName>(numbers[0]);
  label.generation = numbers[1];
  label.index = numbers[2];
  label.threshold = numbers[3];
  label.parts = numbers[4];
  const bool sane = !secret_name(label.secret).empty() && label.generation != 0 &&
                    label.index != 0 && label.index <= label.parts && label.parts <= kMaxParts &&
                    label.threshold >= kMinThreshold && label.threshold <= label.parts;
  if (!sane) return std::nullopt;
  share.value.assign(body.begin() + kHead, body.end());
  return share;
}

Digest share_digest(const Share& share) {
  constexpr std::string_view kPrefix = "cardvault share digest v1\n";
  base::SecretBuffer hashed(kPrefix.begin(), kPrefix.end());
  append(hashed, encode_share(share));
  return sha256(std::span<const std::uint8_t>(hashed));
}

std::vector<Share> split_secret(const base::SecretBuffer& secret, ShareLabel label) {
  std::vector<Share> out;
  for (Part& part : split(secret, label.threshold, label.parts)) {
    label.index = part.index;
    out.emplace_back(label, std::move(part.bytes));
  }
  return out;
}

}  // namespace cardvault::custody
