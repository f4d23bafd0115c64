#include "hsm/module_survey.h"

#include <array>
#include <optional>

#include "hsm/error.h"
#include "hsm/mechanism_probe.h"
#include "hsm/module.h"
#include "hsm/wrapping_key.h"

namespace cardvault::hsm {

base::Result<ModuleSurvey> survey_module(const TokenConfig& config) {
  Module module(config);
  if (auto ready = module.initialize(); !ready) return std::unexpected(ready.error());
  std::array<CK_SLOT_ID, 256> slots{};
  CK_ULONG count = slots.size();
  const CK_RV rv = module.fn()->C_GetSlotList(CK_TRUE, slots.data(), &count);
  if (rv != CKR_OK) return refuse(ckr_code(rv), "C_GetSlotList", rv);
  std::optional<CK_SLOT_ID> chosen;
  CK_TOKEN_INFO chosen_info{};
  bool waiting = false;
  std::vector<std::string> labels;
  for (CK_ULONG i = 0; i < count; ++i) {
    CK_TOKEN_INFO info{};
    if (module.fn()->C_GetTokenInfo(slots[i], &info) != CKR_OK) continue;
    if ((info.flags & (CKF_TOKEN_INITIALIZED | CKF_USER_PIN_INITIALIZED)) != 0) {
      labels.emplace_back(reinterpret_cast<const char*>(info.label),
                          p11_kit_space_strlen(info.label, sizeof info.label));
    }
    const bool free = (info.flags & CKF_TOKEN_INITIALIZED) == 0;
    if (chosen && (waiting || !free)) continue;
    chosen = slots[i];
    chosen_info = info;
    waiting = free;
  }
  if (!chosen) return refuse(base::Code::kNotFound, "a slot with a token", CKR_OK);
  return ModuleSurvey{probe_mechanisms(module, *chosen, chosen_info, config.cbc_hmac),
                      can_wrap(module, *chosen), std::move(labels)};
}

}  // namespace cardvault::hsm
