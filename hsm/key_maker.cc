#include "hsm/key_maker.h"

#include <algorithm>

#include "hsm/error.h"
#include "hsm/key_maker_impl.h"
#include "hsm/key_ring.h"
#include "hsm/mechanism_probe.h"
#include "hsm/public_key.h"

namespace cardvault::hsm {

using base::Code;

namespace {

template <class T>
T demand(base::Result<T> result) {
  if (!result) {
    throw base::StartupError(std::string(result.error().operation) + " failed (" +
                             ckr_name(rv_of(result.error())) +
                             "): " + ckr_explanation(rv_of(result.error())));
  }
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

}  // namespace

KeyMaker::Impl::Impl(const TokenConfig& config, const base::SecretText& pin)
    : config_(config), module_(config) {
  demand(module_.initialize());
  slot_ = demand(module_.find_token(parse_token_uri(config.token_uri)));
  static_cast<void>(module_.fn()->C_GetTokenInfo(slot_, &info_));
  session_.emplace(demand(Session::open(module_, slot_, true)));
  channel_.fn = module_.fn();
  channel_.session = session_->handle();
  const auto text = pin.expose();
  const CK_RV rv = channel_.fn->C_Login(
      channel_.session, CKU_USER,
      reinterpret_cast<CK_UTF8CHAR_PTR>(const_cast<char*>(text.data())),  // NOLINT: not written
      text.size());
  if (rv != CKR_OK) demand<void>(refuse(ckr_code(rv), "C_Login", rv));
}

base::Result<void> KeyMaker::Impl::check_free(const std::string& label) const {
  Template wanted;
  wanted.flag(CKA_TOKEN, true).bytes(CKA_LABEL, label);
  auto existing = find_objects(channel_.fn, channel_.session, wanted);
  if (!existing) return std::unexpected(existing.error());
  if (!existing->empty()) return base::fail(Code::kAlreadyExists, "key label");
  return {};
}

base::Result<KeyReport> KeyMaker::Impl::make_one(const KeySpec& spec) const {
  if (auto free = check_free(spec.label); !free) return std::unexpected(free.error());
  auto key = generate(channel_, spec);
  if (!key) return std::unexpected(key.error());
  KeyReport report = inspect(channel_, *key);
  const bool as_asked = report.faults.empty() && report.label == spec.label &&
                        report.extractable == spec.extractable &&
                        report.modifiable == spec.modifiable;
  if (!as_asked) {
    static_cast<void>(hsm::destroy(channel_, spec.label));
    return base::fail(Code::kInternal, "the key read back is not the key asked for");
  }
  return report;
}

bool KeyMaker::Impl::modifiable(const KeyOptions& options) const {
  return options.allow_copies && !copies_unmodifiable(channel_);
}

std::vector<KeySpec> KeyMaker::Impl::specs(core::KeyRef key, const KeyOptions& options) const {
  KeySpec spec;
  spec.label = core::key_label(key);
  if (is_signature(key.purpose)) {
    spec.kind = key.purpose == core::KeyPurpose::kAuditSign && has_ed25519(module_, slot_)
                    ? KeyKind::kEd25519
                    : KeyKind::kP256;
    return {spec};
  }
  spec.extractable = options.extractable;
  spec.kind = is_encryption(key.purpose) ? KeyKind::kAes : KeyKind::kHmac;
  spec.modifiable = modifiable(options);
  if (spec.kind == KeyKind::kHmac) return {spec};
  if (!config_.cbc_hmac && has_gcm(module_, slot_)) return {spec};
  KeySpec second = spec;
  second.kind = KeyKind::kHmac;
  second.label = second_key_label(key);
  return {spec, second};
}

base::Result<std::vector<KeyReport>> KeyMaker::Impl::list(CK_OBJECT_CLASS wanted_class) const {
  Template wanted;
  wanted.number(CKA_CLASS, wanted_class).flag(CKA_TOKEN, true);
  auto objects = find_objects(channel_.fn, channel_.session, wanted);
  if (!objects) return std::unexpected(objects.error());
  std::vector<KeyReport> out;
  for (const CK_OBJECT_HANDLE object : *objects) {
    const auto label = read_bytes(channel_.fn, channel_.session, object, CKA_LABEL).value_or("");
    if (!parse_key_label(label, "") && !parse_key_label(label, "-mac")) continue;
    out.push_back(inspect(channel_, object));
  }
  return out;
}

KeyMaker::KeyMaker(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
KeyMaker::~KeyMaker() = default;

std::unique_ptr<KeyMaker> KeyMaker::open(const TokenConfig& config) {
  return open(config, read_pin(parse_token_uri(config.token_uri)));
}

std::unique_ptr<KeyMaker> KeyMaker::open(const TokenConfig& config, const base::SecretText& pin) {
  return std::unique_ptr<KeyMaker>(new KeyMaker(std::make_unique<Impl>(config, pin)));
}

base::Result<std::vector<KeyReport>> KeyMaker::make(core::KeyRef key, const KeyOptions& options) {
  std::vector<KeyReport> out;
  for (const KeySpec& spec : impl_->specs(key, options)) {
    auto made = impl_->make_one(spec);
    if (!made) return std::unexpected(made.error());
    out.push_back(std::move(*made));
  }
  return out;
}

base::Result<std::vector<KeyReport>> KeyMaker::list() {
  auto out = impl_->list(CKO_SECRET_KEY);
  if (!out) return out;
  auto pairs = impl_->list(CKO_PRIVATE_KEY);
  if (!pairs) return pairs;
  std::ranges::move(*pairs, std::back_inserter(*out));
  std::ranges::sort(*out, {}, &KeyReport::label);
  return out;
}

std::vector<MechanismFinding> KeyMaker::mechanisms() const {
  return probe_mechanisms(impl_->module_, impl_->slot_, impl_->info_, impl_->config_.cbc_hmac);
}

base::Result<core::SigningPublicKey> KeyMaker::public_key(core::KeyRef key) {
  const Channel& channel = impl_->channel_;
  auto point = find_public_point(channel.fn, channel.session, core::key_label(key));
  if (!point) return std::unexpected(point.error());
  return core::SigningPublicKey{point->size() == 32, std::move(*point)};
}

}  // namespace cardvault::hsm
