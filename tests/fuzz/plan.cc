// A ceremony's plan: it can be shown, or everything that is wrong with it is said.
#include "provisioning/custody/plan.h"

#include "tests/fuzz/target.h"
#include "vault/base/result.h"

using namespace cardvault;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const auto plan = custody::parse_plan("plan", std::string(fuzz::text_of(data, size)));
    CARDVAULT_CHECK(plan.text == fuzz::text_of(data, size));
    CARDVAULT_CHECK(!custody::plan_steps(plan).empty() && !custody::show_plan(plan).empty());
    for (const auto& [secret, needed] : plan.thresholds) {
      CARDVAULT_CHECK(needed >= 2 && plan.holders(secret).size() >= needed);
    }
  } catch (const base::StartupError& error) {
    CARDVAULT_CHECK(error.what()[0] != '\0');
  }
  return 0;
}
