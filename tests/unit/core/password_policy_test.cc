#include "vault/core/password_policy.h"

#include <gtest/gtest.h>

#include <string>

namespace cardvault::core {
namespace {

std::string verdict(SecretKind kind, std::string_view secret,
                    std::string_view subject = "+77010000001") {
  const auto checked = check_new_secret(kind, secret, subject, SecretSettings{});
  return checked ? "ok" : std::string(base::code_name(checked.error().code));
}

TEST(PasswordPolicy, JudgesPasswords) {
  const struct {
    const char* name;
    std::string secret;
    const char* want;
  } cases[] = {
      {"a sentence", "Tulips by the lake", "ok"},
      {"eight characters", "kT4.zzq!", "ok"},
      {"seven", "kT4.zzq", "secret_too_weak"},
      {"eight characters of two bytes", "тюльпаны", "ok"},
      {"seven of two bytes", "тюльпан", "secret_too_weak"},
      {"256 bytes", std::string(255, 'x') + "y", "ok"},
      {"257 bytes", std::string(256, 'x') + "y", "invalid_field"},
      {"empty", "", "invalid_field"},
      {"a control character", "tulips\nlake", "invalid_field"},
      {"not UTF-8", "tulips\xc3lake", "invalid_field"},
      {"commonest", "password1", "secret_too_weak"},
      {"commonest in capitals", "PassWord1", "secret_too_weak"},
      {"commonest in Cyrillic", "йцукен123", "secret_too_weak"},
      {"more than a common one", "password1 tulips", "ok"},
      {"one repeated", "aaaaaaaaaaaa", "secret_too_weak"},
      {"up", "abcdefghij", "secret_too_weak"},
      {"down", "987654321", "secret_too_weak"},
      {"digits around zero", "6789012345", "secret_too_weak"},
      {"the subject", "+77010000001", "secret_too_weak"},
      {"a card number", "4111111111111111", "pan_in_field"},
      {"a card number inside", "my 4111 1111 1111 1111", "pan_in_field"},
  };
  for (const auto& c : cases) EXPECT_EQ(verdict(SecretKind::kPassword, c.secret), c.want) << c.name;
}

TEST(PasswordPolicy, JudgesQuickCodes) {
  const struct {
    const char* secret;
    const char* want;
  } cases[] = {{"2580", "ok"},
               {"1212", "ok"},
               {"0000", "secret_too_weak"},
               {"1234", "secret_too_weak"},
               {"4321", "secret_too_weak"},
               {"8901", "secret_too_weak"},
               {"1098", "secret_too_weak"},
               {"258", "invalid_field"},
               {"25801", "invalid_field"},
               {"25a0", "invalid_field"},
               {"٢٥٨٠", "invalid_field"},
               {"", "invalid_field"}};
  for (const auto& c : cases) EXPECT_EQ(verdict(SecretKind::kQuickCode, c.secret), c.want);
}

TEST(PasswordPolicy, FollowsTheSettings) {
  SecretSettings settings;
  settings.password_min = 12;
  settings.quick_code_digits = 6;
  EXPECT_FALSE(check_new_secret(SecretKind::kPassword, "kT4.zzq!", "s", settings));
  EXPECT_TRUE(check_new_secret(SecretKind::kQuickCode, "258046", "s", settings));
  EXPECT_FALSE(check_new_secret(SecretKind::kQuickCode, "2580", "s", settings));
}

TEST(PasswordPolicy, AVerifiedOneOnlyHasAForm) {
  EXPECT_TRUE(check_secret_form("x"));
  EXPECT_TRUE(check_secret_form(std::string(256, 'x')));
  EXPECT_FALSE(check_secret_form(std::string(257, 'x')));
  EXPECT_FALSE(check_secret_form(""));
  EXPECT_FALSE(check_secret_form("a\tb"));
}

}  // namespace
}  // namespace cardvault::core
