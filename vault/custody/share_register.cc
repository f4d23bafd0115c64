#include "vault/custody/share_register.h"

#include <algorithm>

#include "vault/base/result.h"

namespace cardvault::custody {
namespace {

[[noreturn]] void no_sense(const Entry& entry) {
  throw base::StartupError("the transcript's entry \"" + entry.verb + " " +
                           format_fields(entry.fields) + "\" makes no sense");
}

std::uint8_t number(const Entry& entry, const char* key) {
  const auto value = parse_number(entry.get(key), 255);
  if (!value || *value == 0) no_sense(entry);
  return static_cast<std::uint8_t>(*value);
}

SecretName secret_of(const Entry& entry) {
  const auto secret = parse_secret_name(entry.get("secret"));
  if (!secret) no_sense(entry);
  return *secret;
}

}  // namespace

std::string explain(ShareFault fault, const ShareLabel& label) {
  const std::string what = describe(label);
  switch (fault) {
    case ShareFault::kOtherVault:
      return "this is " + what + ": another vault's, it belongs to another ceremony";
    case ShareFault::kOtherSecret:
      return "this is " + what + ": not the secret asked for";
    case ShareFault::kReplaced:
      return "this is " + what + ": that split was made void by a later one; destroy it";
    case ShareFault::kUnknown:
      return "this is " + what + ": no ceremony of this transcript made it";
    case ShareFault::kChanged:
      return "this is " + what + ": but its value is not the one recorded when it was made";
    case ShareFault::kTwice:
      return "this is " + what + ": it has been entered already; another custodian is needed";
  }
  return "";
}

Fields share_fields(const ShareLabel& label, const std::string& custodian, const Digest& digest) {
  return {{"secret", std::string(secret_name(label.secret))},
          {"generation", std::to_string(label.generation)},
          {"index", std::to_string(label.index)},
          {"threshold", std::to_string(label.threshold)},
          {"parts", std::to_string(label.parts)},
          {"custodian", custodian},
          {"digest", hex(digest)}};
}

ShareRegister::ShareRegister(const Transcript& transcript) {
  const auto vault = from_hex(transcript.head.vault);
  if (!vault || vault->size() != vault_.size()) {
    throw base::StartupError("the transcript's vault id has not 16 hex digits");
  }
  std::ranges::copy(*vault, vault_.begin());
  for (const Entry& entry : transcript.entries) read(entry);
}

KnownShare* ShareRegister::find(const ShareLabel& label) {
  const auto same = [&](const KnownShare& one) {
    return one.label.secret == label.secret && one.label.generation == label.generation &&
           one.label.index == label.index;
  };
  const auto found = std::ranges::find_if(shares_, same);
  return found == shares_.end() ? nullptr : &*found;
}

void ShareRegister::read(const Entry& entry) {
  if (entry.verb == "split-void") {
    const SecretName secret = secret_of(entry);
    const std::uint8_t generation = number(entry, "generation");
    newest_[secret] = std::max<unsigned>(newest_[secret], generation);
    for (KnownShare& one : shares_) {
      if (one.label.secret == secret && one.label.generation == generation) one.valid = false;
    }
    return;
  }
  const bool carried = entry.verb == "share-carried";
  const bool made = entry.verb == "share-made";
  if (!carried && !made && entry.verb != "share-confirmed") return;
  KnownShare share;
  share.label.vault = vault_;
  share.label.secret = secret_of(entry);
  share.label.generation = number(entry, "generation");
  share.label.index = number(entry, "index");
  KnownShare* known = find(share.label);
  if (!carried && !made) {
    if (known == nullptr) no_sense(entry);
    known->confirmed = true;
    return;
  }
  share.label.threshold = number(entry, "threshold");
  share.label.parts = number(entry, "parts");
  const auto digest = digest_from_hex(entry.get("digest"));
  if (!digest || known != nullptr) no_sense(entry);
  share.digest = *digest;
  share.custodian = entry.get("custodian");
  share.confirmed = carried;
  unsigned& newest = newest_[share.label.secret];
  newest = std::max<unsigned>(newest, share.label.generation);
  shares_.push_back(std::move(share));
}

std::vector<KnownShare> ShareRegister::current(SecretName secret) const {
  std::vector<KnownShare> out;
  for (const KnownShare& one : shares_) {
    if (one.label.secret == secret && one.valid && one.confirmed) out.push_back(one);
  }
  std::ranges::sort(out, {}, [](const KnownShare& one) { return one.label.index; });
  return out;
}

unsigned ShareRegister::newest_generation(SecretName secret) const {
  const auto found = newest_.find(secret);
  return found == newest_.end() ? 0 : found->second;
}

std::expected<KnownShare, ShareFault> ShareRegister::check(const Share& share, SecretName secret,
                                                           std::span<const Share> entered) const {
  if (share.label.vault != vault_) return std::unexpected(ShareFault::kOtherVault);
  if (share.label.secret != secret) return std::unexpected(ShareFault::kOtherSecret);
  const auto known = std::ranges::find(shares_, share.label, &KnownShare::label);
  if (known == shares_.end()) return std::unexpected(ShareFault::kUnknown);
  if (known->digest != share_digest(share)) return std::unexpected(ShareFault::kChanged);
  if (!known->valid || !known->confirmed) return std::unexpected(ShareFault::kReplaced);
  for (const Share& other : entered) {
    if (other.label.index == share.label.index) return std::unexpected(ShareFault::kTwice);
  }
  return *known;
}

}  // namespace cardvault::custody
