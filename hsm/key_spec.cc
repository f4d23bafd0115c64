#include "hsm/key_spec.h"

#include <array>

#include "hsm/error.h"
#include "hsm/kcv.h"

namespace cardvault::hsm {
namespace {

using base::Code;

constexpr CK_ULONG kKeyBytes = 32;
// DER of the curves' object identifiers (RFC 5480 2.1.1.1, RFC 8410 3). SoftHSM 2.6 takes the
// printable name "edwards25519" as well, but leaks memory over it.
constexpr std::string_view kP256{"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07", 10};
constexpr std::string_view kEd25519Oid{"\x06\x03\x2b\x65\x70", 5};

struct Use {
  CK_ATTRIBUTE_TYPE type;
  const char* name;
};
constexpr std::array<Use, 7> kUses = {{{CKA_ENCRYPT, "encrypt"},
                                       {CKA_DECRYPT, "decrypt"},
                                       {CKA_SIGN, "sign"},
                                       {CKA_VERIFY, "verify"},
                                       {CKA_WRAP, "wrap"},
                                       {CKA_UNWRAP, "unwrap"},
                                       {CKA_DERIVE, "derive"}}};

bool is_used_for(KeyKind kind, CK_ATTRIBUTE_TYPE use) {
  if (kind == KeyKind::kAes) return use == CKA_ENCRYPT || use == CKA_DECRYPT;
  return use == CKA_SIGN;
}

void fill_secret(Template& out, const KeySpec& spec, bool on_token, bool extractable) {
  out.number(CKA_CLASS, CKO_SECRET_KEY)
      .number(CKA_KEY_TYPE, spec.kind == KeyKind::kAes ? CKK_AES : CKK_GENERIC_SECRET)
      .flag(CKA_TOKEN, on_token)
      .flag(CKA_PRIVATE, true)
      .flag(CKA_SENSITIVE, true)
      .flag(CKA_EXTRACTABLE, extractable)
      .flag(CKA_MODIFIABLE, spec.modifiable)
      .bytes(CKA_LABEL, spec.label)
      .bytes(CKA_ID, spec.label);
  for (const Use& use : kUses) out.flag(use.type, is_used_for(spec.kind, use.type));
}

base::Result<CK_OBJECT_HANDLE> generate_secret(const Channel& channel, const KeySpec& spec,
                                               bool on_token) {
  Template wanted;
  fill_secret(wanted, spec, on_token, spec.extractable);
  wanted.number(CKA_VALUE_LEN, kKeyBytes);
  CK_MECHANISM mechanism{spec.kind == KeyKind::kAes ? CKM_AES_KEY_GEN : CKM_GENERIC_SECRET_KEY_GEN,
                         nullptr, 0};
  CK_OBJECT_HANDLE key = 0;
  const CK_RV rv =
      channel.fn->C_GenerateKey(channel.session, &mechanism, wanted.data(), wanted.size(), &key);
  if (rv != CKR_OK) return refuse(ckr_code(rv), "C_GenerateKey", rv);
  return key;
}

base::Result<CK_OBJECT_HANDLE> generate_pair(const Channel& channel, const KeySpec& spec) {
  const bool edwards = spec.kind == KeyKind::kEd25519;
  Template open_half;
  open_half.bytes(CKA_EC_PARAMS, std::string(edwards ? kEd25519Oid : kP256))
      .flag(CKA_TOKEN, true)
      .flag(CKA_PRIVATE, false)
      .flag(CKA_MODIFIABLE, false)
      .flag(CKA_VERIFY, true)
      .bytes(CKA_LABEL, spec.label)
      .bytes(CKA_ID, spec.label);
  Template secret_half;
  secret_half.flag(CKA_TOKEN, true)
      .flag(CKA_PRIVATE, true)
      .flag(CKA_SENSITIVE, true)
      .flag(CKA_EXTRACTABLE, spec.extractable)
      .flag(CKA_MODIFIABLE, spec.modifiable)
      .flag(CKA_SIGN, true)
      .flag(CKA_DECRYPT, false)
      .flag(CKA_UNWRAP, false)
      .flag(CKA_DERIVE, false)
      .bytes(CKA_LABEL, spec.label)
      .bytes(CKA_ID, spec.label);
  CK_MECHANISM mechanism{edwards ? CKM_EC_EDWARDS_KEY_PAIR_GEN : CKM_EC_KEY_PAIR_GEN, nullptr, 0};
  CK_OBJECT_HANDLE public_key = 0;
  CK_OBJECT_HANDLE private_key = 0;
  const CK_RV rv = channel.fn->C_GenerateKeyPair(channel.session, &mechanism, open_half.data(),
                                                 open_half.size(), secret_half.data(),
                                                 secret_half.size(), &public_key, &private_key);
  if (rv != CKR_OK) return refuse(ckr_code(rv), "C_GenerateKeyPair", rv);
  return private_key;
}

std::optional<KeyKind> kind_of(const Channel& channel, CK_OBJECT_HANDLE key) {
  switch (read_number(channel.fn, channel.session, key, CKA_KEY_TYPE).value_or(~0UL)) {
    case CKK_AES:
      return KeyKind::kAes;
    case CKK_GENERIC_SECRET:
    case CKK_SHA256_HMAC:
      return KeyKind::kHmac;
    case CKK_EC:
      return KeyKind::kP256;
    case CKK_EC_EDWARDS:
      return KeyKind::kEd25519;
    default:
      return std::nullopt;
  }
}

void find_faults(const Channel& channel, CK_OBJECT_HANDLE key, KeyKind kind, KeyReport& out) {
  const auto fault = [&](bool wrong, const char* text) {
    if (wrong) out.faults.emplace_back(text);
  };
  fault(!out.on_token, "is not on the token");
  fault(!out.private_object, "can be seen without a login");
  fault(!out.sensitive, "can be read in the clear");
  // One that was restored from a backup has not been in this token all its life.
  fault(out.always_sensitive == false && out.made_on_token.value_or(true),
        "could once be read in the clear");
  fault(out.modifiable && is_pair(kind), "can be modified");
  for (const Use& use : kUses) {
    const bool has = read_flag(channel.fn, channel.session, key, use.type).value_or(false);
    if (has) out.uses.emplace_back(use.name);
    // A public half of ours verifies, a private one only signs.
    if (has && !is_used_for(kind, use.type)) {
      out.faults.push_back(std::string("may also ") + use.name);
    }
    if (!has && is_used_for(kind, use.type)) {
      out.faults.push_back(std::string("may not ") + use.name);
    }
  }
  if (!is_pair(kind)) {
    // SoftHSM says 0 of an unwrapped key; what was wrapped had the right length (kWrappedBytes).
    const auto length = read_number(channel.fn, channel.session, key, CKA_VALUE_LEN);
    const bool unknown = length == 0UL && out.made_on_token == false;
    fault(!unknown && length.value_or(kKeyBytes) != kKeyBytes, "is not 256 bits long");
  }
  fault(out.extractable && is_pair(kind), "can be taken off the token");
}

}  // namespace

const char* kind_name(KeyKind kind) noexcept {
  switch (kind) {
    case KeyKind::kAes:
      return "AES-256";
    case KeyKind::kHmac:
      return "HMAC-SHA-256";
    case KeyKind::kP256:
      return "EC P-256";
    case KeyKind::kEd25519:
      return "Ed25519";
  }
  return "";
}

base::Result<CK_OBJECT_HANDLE> generate(const Channel& channel, const KeySpec& spec) {
  return is_pair(spec.kind) ? generate_pair(channel, spec) : generate_secret(channel, spec, true);
}

// PKCS#11 takes no CKA_VALUE_LEN here: the length is the wrapped key's.
void fill_restored(Template& out, const KeySpec& spec) { fill_secret(out, spec, true, false); }

base::Result<unsigned> destroy(const Channel& channel, const std::string& label) {
  Template wanted;
  wanted.flag(CKA_TOKEN, true).bytes(CKA_LABEL, label);
  auto objects = find_objects(channel.fn, channel.session, wanted);
  if (!objects) return std::unexpected(objects.error());
  for (const CK_OBJECT_HANDLE object : *objects) {
    const CK_RV rv = channel.fn->C_DestroyObject(channel.session, object);
    if (rv != CKR_OK) return refuse(ckr_code(rv), "C_DestroyObject", rv);
  }
  return static_cast<unsigned>(objects->size());
}

KeyReport inspect(const Channel& channel, CK_OBJECT_HANDLE key) {
  const auto flag = [&](CK_ATTRIBUTE_TYPE type) {
    return read_flag(channel.fn, channel.session, key, type);
  };
  KeyReport out;
  out.label = read_bytes(channel.fn, channel.session, key, CKA_LABEL).value_or("");
  out.on_token = flag(CKA_TOKEN).value_or(false);
  out.private_object = flag(CKA_PRIVATE).value_or(false);
  out.sensitive = flag(CKA_SENSITIVE).value_or(false);
  out.extractable = flag(CKA_EXTRACTABLE).value_or(true);
  out.modifiable = flag(CKA_MODIFIABLE).value_or(true);
  out.always_sensitive = flag(CKA_ALWAYS_SENSITIVE);
  out.never_extractable = flag(CKA_NEVER_EXTRACTABLE);
  out.made_on_token = flag(CKA_LOCAL);
  const auto kind = kind_of(channel, key);
  if (!kind) {
    out.kind = "unknown";
    out.faults.emplace_back("is of a kind the vault does not use");
    return out;
  }
  out.kind = kind_name(*kind);
  find_faults(channel, key, *kind, out);
  const Kcv kcv = compute_kcv(channel, key, *kind, out.label);
  out.kcv = kcv.hex;
  out.kcv_kind = kcv.kind;
  return out;
}

bool copies_unmodifiable(const Channel& channel) {
  KeySpec spec;
  spec.label = "cardvault probe";
  auto key = generate_secret(channel, spec, false);
  if (!key) return false;
  Template nothing_more;
  const auto copy = copy_to_session(channel.fn, channel.session, *key, nothing_more);
  if (copy) static_cast<void>(channel.fn->C_DestroyObject(channel.session, *copy));
  static_cast<void>(channel.fn->C_DestroyObject(channel.session, *key));
  return copy.has_value();
}

}  // namespace cardvault::hsm
