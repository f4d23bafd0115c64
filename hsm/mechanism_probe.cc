#include "hsm/mechanism_probe.h"

namespace cardvault::hsm {

bool has_gcm(const Module& module, CK_SLOT_ID slot) {
  return module.has(slot, CKM_AES_GCM, CKF_ENCRYPT | CKF_DECRYPT);
}

bool has_ed25519(const Module& module, CK_SLOT_ID slot) {
  return module.has(slot, CKM_EDDSA, CKF_SIGN) &&
         module.has(slot, CKM_EC_EDWARDS_KEY_PAIR_GEN, CKF_GENERATE_KEY_PAIR);
}

std::vector<MechanismFinding> probe_mechanisms(const Module& module, CK_SLOT_ID slot,
                                               const CK_TOKEN_INFO& info, bool cbc_hmac) {
  const bool gcm = has_gcm(module, slot);
  const bool cbc = module.has(slot, CKM_AES_CBC_PAD, CKF_ENCRYPT | CKF_DECRYPT);
  const bool random = (info.flags & CKF_RNG) != 0;
  const bool needs_cbc = cbc_hmac || !gcm;
  return {
      {"C_GenerateRandom", "IVs, tokens and codes", true, random},
      {"CKM_SHA256_HMAC", "fingerprints of cards and customers, one-time codes", true,
       module.has(slot, CKM_SHA256_HMAC, CKF_SIGN)},
      {"CKM_AES_GCM", "encrypts card records (suite 1)", !cbc_hmac && !cbc, gcm},
      {"CKM_AES_CBC_PAD", "encrypts card records where AES-GCM is missing (suite 2)", needs_cbc,
       cbc},
      {"CKM_ECDSA", "signs sealed data, receipts and audit checkpoints", true,
       module.has(slot, CKM_ECDSA, CKF_SIGN)},
      {"CKM_AES_KEY_GEN", "makes AES keys", true, module.has(slot, CKM_AES_KEY_GEN, CKF_GENERATE)},
      {"CKM_GENERIC_SECRET_KEY_GEN", "makes HMAC keys", true,
       module.has(slot, CKM_GENERIC_SECRET_KEY_GEN, CKF_GENERATE)},
      {"CKM_EC_KEY_PAIR_GEN", "makes signing keys", true,
       module.has(slot, CKM_EC_KEY_PAIR_GEN, CKF_GENERATE_KEY_PAIR)},
      {"CKM_EDDSA", "signs audit checkpoints with Ed25519 instead of ECDSA", false,
       has_ed25519(module, slot)},
      {"CKM_AES_CMAC", "key check values of AES keys", false,
       module.has(slot, CKM_AES_CMAC, CKF_SIGN)},
      {"CKM_AES_KEY_WRAP", "backup of keys (RFC 3394)", false,
       module.has(slot, CKM_AES_KEY_WRAP, CKF_WRAP | CKF_UNWRAP)},
  };
}

std::string describe_missing(const std::vector<MechanismFinding>& findings) {
  std::string out;
  for (const MechanismFinding& finding : findings) {
    if (!finding.required || finding.present) continue;
    out += out.empty() ? "the module lacks " : "; ";
    out += std::string(finding.name) + " (" + finding.use + ")";
  }
  return out;
}

}  // namespace cardvault::hsm
