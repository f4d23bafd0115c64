#include "vault/daemon/config_keys.h"

#include "vault/daemon/config_section.h"

namespace cardvault::daemon {
namespace {

constexpr std::uint32_t kMaxDays = 36'500;
constexpr std::uint32_t kMaxRate = 1'000'000;

}  // namespace

KeyConfig read_keys(const toml::table& root, const std::string& path) {
  KeyConfig keys;
  Section section(sub_table(root, "keys", path), "keys", path);
  keys.rewrap_rows_per_s = section.number("rewrap_rows_per_s", keys.rewrap_rows_per_s, kMaxRate);
  keys.destroy_after_days = section.number("destroy_after_days", keys.destroy_after_days, kMaxDays);
  const toml::node* periods = section.find("cryptoperiod_days");
  section.refuse_unknown();
  if (periods == nullptr) return keys;
  if (!periods->is_table()) {
    section.refuse("cryptoperiod_days", periods, "must be a section: [keys.cryptoperiod_days]");
  }
  Section days(periods->as_table(), "keys.cryptoperiod_days", path);
  for (const core::KeyPurpose purpose : core::kAllKeyPurposes) {
    std::uint32_t& one = keys.cryptoperiod_days[static_cast<std::size_t>(purpose)];
    one = days.number(core::key_purpose_name(purpose), one, kMaxDays);
  }
  days.refuse_unknown();
  return keys;
}

}  // namespace cardvault::daemon
