// Passwords and quick codes of a TestVault.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/unit/daemon/otp_calls.h"
#include "tests/unit/daemon/test_vault.h"

namespace cardvault::daemon {

inline constexpr std::string_view kOwner = "+77010000001";
inline constexpr std::string_view kPassword = "Tulips by the lake";
inline constexpr std::string_view kNewPassword = "Poppies on the hill";
inline constexpr auto kPass = core::SecretKind::kPassword;
inline constexpr auto kQuick = core::SecretKind::kQuickCode;

// A vault whose Argon2id is cheap: what is tested here doesn't depend on its cost.
class SecretVault : public TestVault {
 public:
  SecretVault();
  void change_settings(const std::function<void(core::Settings&)>& change);

  // "ok", or as outcome_text().
  std::string enroll(std::string_view secret = kPassword, core::SecretKind kind = kPass,
                     std::string_view subject = kOwner);
  std::string change(std::string_view secret = kNewPassword, core::SecretKind kind = kPass,
                     std::string_view subject = kOwner);
  std::string remove(core::SecretKind kind = kPass, std::string_view subject = kOwner);
  core::Answer ask(std::string_view secret, core::SecretKind kind = kPass,
                   std::string_view subject = kOwner);
  std::string check(std::string_view secret, core::SecretKind kind = kPass,
                    std::string_view subject = kOwner);
  // Each from a thread of its own, begun together.
  std::vector<std::string> check_in_parallel(std::size_t count, std::string_view secret);

  // A code that the subject has got and typed in.
  void confirm(std::string_view purpose, std::string_view subject = kOwner);
  std::optional<core::SecretRow> row(core::SecretKind kind = kPass,
                                     std::string_view subject = kOwner);
  std::optional<core::CustomerRow> customer(std::string_view subject = kOwner);
};

}  // namespace cardvault::daemon
