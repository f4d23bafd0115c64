#include "vault/daemon/config_codes.h"

#include "vault/core/identity.h"
#include "vault/core/request.h"
#include "vault/daemon/config_section.h"

namespace cardvault::daemon {
namespace {

// The bank's rule for the life of a code, and its upper bound (DESIGN section 1).
constexpr std::uint32_t kMaxLifeS = 900;
constexpr std::uint32_t kDayS = 86'400;
constexpr std::uint32_t kMaxArgon2Kib = 1'048'576;

}  // namespace

void read_codes(const toml::table& root, const std::string& path, core::Settings& settings) {
  core::OtpSettings& otp = settings.otp;
  Section section(sub_table(root, "otp", path), "otp", path);
  otp.resend_s = section.number("resend_s", otp.resend_s, kDayS);
  otp.sends = section.number("sends", otp.sends, 1'000'000);
  otp.send_window_s = section.number("send_window_s", otp.send_window_s, kDayS, 1);
  otp.spend_s = section.number("spend_s", otp.spend_s, kMaxLifeS, 1);
  const toml::node* purposes = section.find("purpose");
  section.refuse_unknown();
  if (purposes == nullptr) return;
  if (!purposes->is_table()) section.refuse("purpose", purposes, "must be sections");
  otp.purposes.clear();
  for (const auto& [name, node] : *purposes->as_table()) {
    const std::string text(name.str());
    if (!core::valid_client_id(text) || !node.is_table()) {
      section.refuse("purpose", &node, "write [otp.purpose.NAME], NAME of a-z, 0-9, '_' and '-'");
    }
    for (const auto kind : {core::SecretKind::kPassword, core::SecretKind::kQuickCode}) {
      if (text != core::secret_kind_name(kind)) continue;
      section.refuse("purpose", &node,
                     "a receipt for a " + text + " names this: take another name");
    }
    Section one(node.as_table(), "otp.purpose." + text, path);
    core::OtpPurpose& purpose = otp.purposes[text];
    purpose.max_ttl_s = one.number("max_ttl_s", kMaxLifeS, kMaxLifeS, 1);
    purpose.ttl_s = one.number("ttl_s", purpose.max_ttl_s, purpose.max_ttl_s, 1);
    purpose.digits = static_cast<std::uint8_t>(one.number("digits", 6, 10, 6));
    purpose.context = one.flag("context", false);
    one.refuse_unknown();
  }
}

void read_attempts(const toml::table& root, const std::string& path, core::Settings& settings) {
  core::AttemptSettings& attempts = settings.attempts;
  Section section(sub_table(root, "attempts", path), "attempts", path);
  attempts.tries = section.number("tries", attempts.tries, 100, 1);
  attempts.lock_s = section.number("lock_s", attempts.lock_s, kDayS, 1);
  attempts.subject_cap = section.number("subject_cap", attempts.subject_cap, 1'000'000);
  attempts.failures_per_hour =
      section.number("failures_per_hour", attempts.failures_per_hour, 1'000'000'000);
  section.refuse_unknown();
}

std::uint32_t read_secrets(const toml::table& root, const std::string& path,
                           core::Settings& settings) {
  core::SecretSettings& secrets = settings.secrets;
  Section section(sub_table(root, "secrets", path), "secrets", path);
  secrets.password_min = section.number("password_min", secrets.password_min, 64, 8);
  secrets.quick_code_digits = section.number("quick_code_digits", secrets.quick_code_digits, 8, 4);
  secrets.enroll_code = section.text("enroll_code", secrets.enroll_code);
  secrets.change_code = section.text("change_code", secrets.change_code);
  for (const auto& [key, purpose] :
       {std::pair("enroll_code", &secrets.enroll_code), {"change_code", &secrets.change_code}}) {
    if (!purpose->empty() && !settings.otp.purposes.contains(*purpose)) {
      section.refuse(key, section.find(key), "names no [otp.purpose]");
    }
  }
  if (secrets.change_code.empty()) {
    section.refuse("change_code", section.find("change_code"),
                   "must name an [otp.purpose]: a change is confirmed by a new code");
  }
  secrets.argon2_passes = section.number("argon2_passes", secrets.argon2_passes, 100, 1);
  secrets.argon2_lanes = section.number("argon2_lanes", secrets.argon2_lanes, 16, 1);
  // RFC 9106 section 3.1: at least 8 KiB for each lane.
  secrets.argon2_memory_kib = section.number("argon2_memory_kib", secrets.argon2_memory_kib,
                                             kMaxArgon2Kib, 8 * secrets.argon2_lanes);
  const std::uint32_t workers = section.number("workers", 1, 16, 1);
  section.refuse_unknown();
  return workers;
}

}  // namespace cardvault::daemon
