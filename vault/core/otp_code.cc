#include "vault/core/otp_code.h"

#include <algorithm>
#include <array>

namespace cardvault::core {
namespace {

constexpr std::uint8_t kTag = 0x01;
constexpr std::uint8_t kContextTag = 0x02;
constexpr std::uint8_t kFairBytes = 250;  // the largest multiple of ten that a byte holds

void append(base::SecretBuffer& out, std::span<const std::uint8_t> bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void append_short(base::SecretBuffer& out, std::string_view text) {
  out.push_back(static_cast<std::uint8_t>(text.size()));
  append(out, base::as_bytes(text));
}

}  // namespace

base::Result<base::SecretText> make_code(Crypto& crypto, std::uint8_t digits) {
  base::SecretBuffer code;
  code.reserve(kMaxCodeDigits);
  base::SecretBuffer random(16);
  while (code.size() < digits) {
    if (auto ok = crypto.random(random); !ok) return std::unexpected(ok.error());
    for (const std::uint8_t byte : random) {
      if (byte < kFairBytes && code.size() < digits) {
        code.push_back(static_cast<std::uint8_t>('0' + byte % 10));
      }
    }
  }
  return base::SecretText(base::as_text(code));
}

bool code_form(std::string_view code) noexcept {
  return code.size() >= kMinCodeDigits && code.size() <= kMaxCodeDigits &&
         std::ranges::all_of(code, [](char c) { return c >= '0' && c <= '9'; });
}

base::Result<Mac> code_mac(Services& services, std::uint32_t key_version,
                           const CodeBinding& binding, std::string_view code) {
  base::SecretBuffer data;
  data.reserve(256);
  data.push_back(kTag);
  append(data, binding.id);
  append(data, binding.subject);
  append_short(data, binding.purpose);
  append(data, binding.context);
  append_short(data, code);
  return services.crypto.mac({KeyPurpose::kOtpMac, key_version}, data);
}

base::Result<Mac> context_mac(Services& services, std::uint32_t key_version, const InternalId& id,
                              std::span<const std::uint8_t> context) {
  std::vector<std::uint8_t> data{kContextTag};
  data.insert(data.end(), id.begin(), id.end());
  data.insert(data.end(), context.begin(), context.end());
  return services.crypto.mac({KeyPurpose::kOtpMac, key_version}, data);
}

bool equal_macs(const Mac& a, const Mac& b) noexcept {
  // As CRYPTO_memcmp does it: every byte is read, nothing branches, and the compiler can't know.
  volatile std::uint8_t difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference = static_cast<std::uint8_t>(difference | (a[i] ^ b[i]));
  }
  return difference == 0;
}

}  // namespace cardvault::core
