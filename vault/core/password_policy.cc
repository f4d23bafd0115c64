#include "vault/core/password_policy.h"

#include <algorithm>
#include <array>

#include "vault/base/ascii.h"
#include "vault/core/pan.h"
#include "vault/core/utf8.h"

namespace cardvault::core {

using base::Code;
using base::fail;

namespace {

// The commonest of 8 characters and more in published lists of leaked passwords; repeated
// characters and sequences are refused anyway. Upper case doesn't make one less common.
constexpr auto kCommonest = std::to_array<std::string_view>(
    {"password",      "password1",  "password12",  "password123", "passw0rd",     "p@ssw0rd",
     "p@ssword",      "1q2w3e4r",   "1q2w3e4r5t",  "1qaz2wsx",    "1qazxsw2",     "q1w2e3r4",
     "q1w2e3r4t5",    "qwertyui",   "qwertyuiop",  "qwerty12",    "qwerty123",    "qwerty1234",
     "qwerty12345",   "qwe123qwe",  "qweasdzxc",   "qazwsxedc",   "asdfghjk",     "asdfghjkl",
     "asdfasdf",      "zxcvbnm1",   "zaq12wsx",    "abc12345",    "abcd1234",     "a1234567",
     "a12345678",     "aa123456",   "aa12345678",  "123456789a",  "12345678a",    "123456qwerty",
     "12341234",      "123123123",  "12344321",    "11223344",    "1122334455",   "112233445566",
     "147258369",     "159357159",  "741852963",   "789456123",   "963852741",    "987654321a",
     "13579135",      "10203040",   "01012000",    "01011980",    "01011990",     "19871987",
     "iloveyou",      "iloveyou1",  "sunshine",    "princess",    "football",     "baseball",
     "superman",      "trustno1",   "starwars",    "whatever",    "computer",     "internet",
     "michelle",      "jennifer",   "samantha",    "jonathan",    "charlie1",     "danielle",
     "mercedes",      "corvette",   "maverick",    "midnight",    "liverpool",    "barcelona",
     "welcome1",      "welcome123", "letmein1",    "changeme",    "default1",     "admin123",
     "administrator", "asdf1234",   "test1234",    "testtest",    "secret12",     "master12",
     "dragon12",      "pokemon1",   "samsung1",    "google123",   "facebook",     "lovelove",
     "marina123",     "natasha1",   "vladimir",    "aleksandr",   "zxcvbnm123",   "qwaszx12",
     "йцукенгш",      "йцукен123",  "йцукенгшщзх", "пароль123",   "парольпароль", "любовь123"});

bool same_ignoring_case(std::string_view a, std::string_view b) { return base::same_text(a, b); }

std::size_t code_points(std::string_view utf8) {
  return static_cast<std::size_t>(
      std::ranges::count_if(utf8, [](char c) { return (c & '\xc0') != '\x80'; }));
}

// Each character is the one before plus `step`; of digits 0 follows 9.
bool runs_by(std::string_view text, int step) {
  for (std::size_t i = 1; i < text.size(); ++i) {
    const char before = base::lower(text[i - 1]);
    const char c = base::lower(text[i]);
    const bool digits = base::is_digit(before) && base::is_digit(c);
    const int distance = digits ? (c - before - step) % 10 : c - before - step;
    if (distance != 0) return false;
  }
  return true;
}

bool is_run(std::string_view text) {
  return runs_by(text, 0) || runs_by(text, 1) || runs_by(text, -1);
}

bool is_commonest(std::string_view password) {
  return std::ranges::any_of(
      kCommonest, [&](std::string_view one) { return same_ignoring_case(one, password); });
}

}  // namespace

base::Result<void> check_secret_form(std::string_view secret) {
  if (secret.empty() || secret.size() > kMaxSecretBytes || !printable_utf8(secret)) {
    return fail(Code::kInvalidField, "secret.form");
  }
  return {};
}

base::Result<void> check_new_secret(SecretKind kind, std::string_view secret,
                                    std::string_view subject, const SecretSettings& settings) {
  if (auto ok = check_secret_form(secret); !ok) return ok;
  if (kind == SecretKind::kQuickCode) {
    if (secret.size() != settings.quick_code_digits ||
        !std::ranges::all_of(secret, base::is_digit)) {
      return fail(Code::kInvalidField, "secret.quick_code");
    }
    return is_run(secret) ? base::Result<void>(fail(Code::kSecretTooWeak, "secret.run"))
                          : base::Result<void>();
  }
  if (contains_pan(secret)) return fail(Code::kPanInField, "secret.pan");
  if (code_points(secret) < settings.password_min) {
    return fail(Code::kSecretTooWeak, "secret.short");
  }
  if (same_ignoring_case(secret, subject) || is_commonest(secret) || is_run(secret)) {
    return fail(Code::kSecretTooWeak, "secret.common");
  }
  return {};
}

}  // namespace cardvault::core
