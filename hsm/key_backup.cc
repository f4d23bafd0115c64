// destroy(), destroy_one(), wrap() and unwrap() of key_maker.h.
#include <algorithm>

#include "hsm/key_maker_impl.h"
#include "hsm/key_ring.h"
#include "hsm/wrapping_key.h"

namespace cardvault::hsm {

using base::Code;

namespace {

// The symmetric key that a label of a backup stands for.
base::Result<KeySpec> spec_of(const WrappedKey& wrapped) {
  KeySpec spec;
  spec.label = wrapped.label;
  if (const auto key = parse_key_label(wrapped.label, ""); key && !is_signature(key->purpose)) {
    spec.kind = is_encryption(key->purpose) ? KeyKind::kAes : KeyKind::kHmac;
  } else if (const auto mac = parse_key_label(wrapped.label, "-mac");
             mac && is_encryption(mac->purpose)) {
    spec.kind = KeyKind::kHmac;
  } else {
    return base::fail(Code::kInvalidArgument, "label in a backup");
  }
  if (wrapped.kind != kind_name(spec.kind)) {
    return base::fail(Code::kInvalidArgument, "kind of key in a backup");
  }
  return spec;
}

base::Result<KeyReport> unwrap_one(const Channel& channel, const WrappingKey& backup,
                                   const WrappedKey& wrapped, const KeySpec& spec) {
  auto key = backup.unwrap(wrapped.bytes, spec);
  if (!key) return std::unexpected(key.error());
  KeyReport report = inspect(channel, *key);
  if (!report.faults.empty() || report.label != spec.label || report.extractable) {
    return base::fail(Code::kInternal, "the key read back is not the key asked for");
  }
  // A check value that one of the two modules can't compute says nothing.
  const bool known = !report.kcv.empty() && !wrapped.kcv.empty();
  if (known && (report.kcv != wrapped.kcv || report.kcv_kind != wrapped.kcv_kind)) {
    return base::fail(Code::kRecordDamaged, "key check value");
  }
  return report;
}

}  // namespace

base::Result<CK_OBJECT_HANDLE> KeyMaker::Impl::find(const std::string& label) const {
  Template wanted;
  wanted.flag(CKA_TOKEN, true).bytes(CKA_LABEL, label);
  auto objects = find_objects(channel_.fn, channel_.session, wanted);
  if (!objects) return std::unexpected(objects.error());
  std::erase_if(*objects, [&](CK_OBJECT_HANDLE object) {
    return read_number(channel_.fn, channel_.session, object, CKA_CLASS) == CKO_PUBLIC_KEY;
  });
  if (objects->empty()) return base::fail(Code::kKeyMissing, "find key");
  if (objects->size() > 1) return base::fail(Code::kConflict, "two keys have the same label");
  return objects->front();
}

base::Result<void> KeyMaker::destroy(core::KeyRef key) {
  const auto main = hsm::destroy(impl_->channel_, core::key_label(key));
  if (!main) return std::unexpected(main.error());
  if (is_encryption(key.purpose)) {
    if (auto second = hsm::destroy(impl_->channel_, second_key_label(key)); !second) {
      return std::unexpected(second.error());
    }
  }
  if (*main == 0) return base::fail(Code::kKeyMissing, "destroy key");
  return {};
}

base::Result<void> KeyMaker::destroy_one(const std::string& label) {
  const auto gone = hsm::destroy(impl_->channel_, label);
  if (!gone) return std::unexpected(gone.error());
  return {};
}

base::Result<std::vector<WrappedKey>> KeyMaker::wrap(std::span<const core::KeyRef> keys,
                                                     base::SecretBuffer backup_key) {
  if (!can_wrap(impl_->module_, impl_->slot_)) {
    return base::fail(Code::kMechanismMissing, "CKM_AES_KEY_WRAP");
  }
  auto backup =
      WrappingKey::import(impl_->channel_, std::move(backup_key), WrappingKey::Use::kWrap);
  if (!backup) return std::unexpected(backup.error());
  std::vector<WrappedKey> out;
  for (const core::KeyRef& key : keys) {
    if (is_signature(key.purpose)) return base::fail(Code::kNotAllowed, "wrap a signing key");
    std::vector<std::string> labels = {core::key_label(key)};
    if (is_encryption(key.purpose) && impl_->find(second_key_label(key))) {
      labels.push_back(second_key_label(key));
    }
    for (const std::string& label : labels) {
      const auto handle = impl_->find(label);
      if (!handle) return std::unexpected(handle.error());
      const KeyReport report = inspect(impl_->channel_, *handle);
      // NSS 3.87 wraps keys that are not extractable all the same.
      if (!report.extractable) return base::fail(Code::kNotAllowed, "key is not extractable");
      auto bytes = backup->wrap(*handle);
      if (!bytes) return std::unexpected(bytes.error());
      out.push_back({label, report.kind, report.kcv, report.kcv_kind, std::move(*bytes)});
    }
  }
  return out;
}

base::Result<std::vector<KeyReport>> KeyMaker::unwrap(std::span<const WrappedKey> keys,
                                                      base::SecretBuffer backup_key,
                                                      const KeyOptions& options) {
  if (!can_wrap(impl_->module_, impl_->slot_)) {
    return base::fail(Code::kMechanismMissing, "CKM_AES_KEY_WRAP");
  }
  auto backup =
      WrappingKey::import(impl_->channel_, std::move(backup_key), WrappingKey::Use::kUnwrap);
  if (!backup) return std::unexpected(backup.error());
  std::vector<KeySpec> specs;
  for (const WrappedKey& key : keys) {
    auto spec = spec_of(key);
    if (!spec) return std::unexpected(spec.error());
    if (auto free = impl_->check_free(spec->label); !free) return std::unexpected(free.error());
    spec->modifiable = impl_->modifiable(options);
    specs.push_back(std::move(*spec));
  }
  std::vector<KeyReport> out;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    auto report = unwrap_one(impl_->channel_, *backup, keys[i], specs[i]);
    if (report) {
      out.push_back(std::move(*report));
      continue;
    }
    for (std::size_t made = 0; made <= i; ++made) {
      static_cast<void>(hsm::destroy(impl_->channel_, specs[made].label));
    }
    return std::unexpected(report.error());
  }
  return out;
}

}  // namespace cardvault::hsm
