#include "hsm/key_ring.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "hsm/attributes.h"
#include "hsm/public_key.h"

namespace cardvault::hsm {
namespace {

using Handles = std::map<core::KeyRef, CK_OBJECT_HANDLE>;

template <class T>
bool holds(const std::optional<std::string>& attribute, T value) {
  return attribute &&
         *attribute == std::string_view(reinterpret_cast<const char*>(&value), sizeof value);
}

std::unexpected<base::Error> twice() {
  return refuse(base::Code::kConflict, "two keys have the same label", CKR_OK);
}

// Modules say in many ways that they don't copy; only what says that the token is in trouble is
// none of them. CKR_GENERAL_ERROR and CKR_FUNCTION_FAILED may mean either: what follows will tell.
bool says_no(const base::Error& error) {
  const CK_RV rv = rv_of(error);
  return error.code != base::Code::kHsmUnavailable || rv == CKR_GENERAL_ERROR ||
         rv == CKR_FUNCTION_FAILED;
}

base::Result<CK_OBJECT_HANDLE> copy_of(CK_FUNCTION_LIST* fn, CK_SESSION_HANDLE session,
                                       CK_OBJECT_HANDLE key) {
  Template nothing_more;
  const auto copy = copy_to_session(fn, session, key, nothing_more);
  if (!copy && !says_no(copy.error())) return std::unexpected(copy.error());
  if (!copy) return key;
  const auto sensitive = read_attribute(fn, session, *copy, CKA_SENSITIVE);
  if (!sensitive) return std::unexpected(sensitive.error());
  const auto extractable = read_attribute(fn, session, *copy, CKA_EXTRACTABLE);
  if (!extractable) return std::unexpected(extractable.error());
  const bool safe = holds<CK_BBOOL>(*sensitive, CK_TRUE) && holds<CK_BBOOL>(*extractable, CK_FALSE);
  return safe ? *copy : key;
}

}  // namespace

std::optional<core::KeyRef> parse_key_label(std::string_view label, std::string_view suffix) {
  for (const core::KeyPurpose purpose : core::kAllKeyPurposes) {
    std::string_view rest = label;
    const std::string_view name = core::key_purpose_name(purpose);
    if (!rest.starts_with(name)) continue;
    rest.remove_prefix(name.size());
    if (!rest.starts_with(suffix)) continue;
    rest.remove_prefix(suffix.size());
    if (!rest.starts_with("/") || rest.starts_with("/0")) continue;
    rest.remove_prefix(1);
    core::KeyRef ref{purpose, 0};
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), ref.version);
    if (error == std::errc() && end == rest.data() + rest.size() && ref.version != 0) return ref;
  }
  return std::nullopt;
}

std::string second_key_label(const core::KeyRef& key) {
  std::string label = core::key_label(key);
  return label.insert(label.find('/'), "-mac");
}

base::Result<void> KeyRing::add_secret_keys(CK_FUNCTION_LIST* fn, CK_SESSION_HANDLE session) {
  Template wanted;
  wanted.number(CKA_CLASS, CKO_SECRET_KEY).flag(CKA_TOKEN, true);
  auto objects = find_objects(fn, session, wanted);
  if (!objects) return std::unexpected(objects.error());
  Handles main_keys;
  Handles mac_keys;
  for (const CK_OBJECT_HANDLE object : *objects) {
    const auto read = read_attribute(fn, session, object, CKA_LABEL);
    if (!read) return std::unexpected(read.error());
    const std::string label = read->value_or("");
    if (const auto ref = parse_key_label(label, ""); ref && !is_signature(ref->purpose)) {
      if (!main_keys.emplace(*ref, object).second) return twice();
    } else if (const auto mac = parse_key_label(label, "-mac");
               mac && is_encryption(mac->purpose)) {
      if (!mac_keys.emplace(*mac, object).second) return twice();
    }
  }
  for (const auto& [ref, object] : main_keys) {
    RingKey key;
    key.ref = ref;
    key.on_token = key.working = object;
    if (const auto mac = mac_keys.find(ref); mac != mac_keys.end()) {
      key.mac_on_token = key.mac_working = mac->second;
    }
    keys_[static_cast<std::size_t>(ref.purpose)].push_back(std::move(key));
  }
  return {};
}

base::Result<void> KeyRing::add_private_keys(CK_FUNCTION_LIST* fn, CK_SESSION_HANDLE session) {
  Template wanted;
  wanted.number(CKA_CLASS, CKO_PRIVATE_KEY).flag(CKA_TOKEN, true);
  auto objects = find_objects(fn, session, wanted);
  if (!objects) return std::unexpected(objects.error());
  Handles found;
  for (const CK_OBJECT_HANDLE object : *objects) {
    const auto read = read_attribute(fn, session, object, CKA_LABEL);
    if (!read) return std::unexpected(read.error());
    const std::string label = read->value_or("");
    const auto ref = parse_key_label(label, "");
    if (!ref || !is_signature(ref->purpose)) continue;
    if (!found.emplace(*ref, object).second) return twice();
  }
  for (const auto& [ref, object] : found) {
    RingKey key;
    key.ref = ref;
    key.on_token = key.working = object;
    const auto type = read_attribute(fn, session, object, CKA_KEY_TYPE);
    if (!type) return std::unexpected(type.error());
    key.sign = holds<CK_KEY_TYPE>(*type, CKK_EC_EDWARDS) ? SignKind::kEd25519 : SignKind::kEs256;
    auto point = find_public_point(fn, session, core::key_label(ref));
    if (point) {
      key.public_key = std::move(*point);
    } else if (point.error().number != 0) {  // 0: found, but it is none or there are several
      return std::unexpected(point.error());
    }
    keys_[static_cast<std::size_t>(ref.purpose)].push_back(std::move(key));
  }
  return {};
}

base::Result<void> KeyRing::copy_all(CK_FUNCTION_LIST* fn, CK_SESSION_HANDLE session) {
  for (auto& versions : keys_) {
    for (RingKey& key : versions) {
      const auto working = copy_of(fn, session, key.on_token);
      if (!working) return std::unexpected(working.error());
      key.working = *working;
      if (key.mac_on_token != 0) {
        const auto mac = copy_of(fn, session, key.mac_on_token);
        if (!mac) return std::unexpected(mac.error());
        key.mac_working = *mac;
      }
      // Signing keys are not modifiable, which keeps SoftHSM from copying them: expected.
      if (key.working == key.on_token && !is_signature(key.ref.purpose)) ++refused_copies_;
    }
  }
  return {};
}

void KeyRing::leave_out(const std::set<core::KeyRef>& keys) {
  for (auto& versions : keys_) {
    std::erase_if(versions, [&](const RingKey& key) { return keys.contains(key.ref); });
  }
}

base::Result<KeyRing> KeyRing::find(CK_FUNCTION_LIST* fn, CK_SESSION_HANDLE session, bool copies,
                                    const std::set<core::KeyRef>& left_out) {
  KeyRing ring;
  if (auto added = ring.add_secret_keys(fn, session); !added) {
    return std::unexpected(added.error());
  }
  if (auto added = ring.add_private_keys(fn, session); !added) {
    return std::unexpected(added.error());
  }
  ring.leave_out(left_out);
  if (!copies) return ring;
  if (auto copied = ring.copy_all(fn, session); !copied) return std::unexpected(copied.error());
  return ring;
}

const RingKey* KeyRing::get(core::KeyRef ref) const noexcept {
  const auto& versions = keys_[static_cast<std::size_t>(ref.purpose)];
  const auto found = std::ranges::find(versions, ref, &RingKey::ref);
  return found == versions.end() ? nullptr : &*found;
}

const RingKey* KeyRing::newest(core::KeyPurpose purpose) const noexcept {
  const auto& versions = keys_[static_cast<std::size_t>(purpose)];
  return versions.empty() ? nullptr : &versions.back();
}

}  // namespace cardvault::hsm
