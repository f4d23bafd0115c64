#include "vault/core/secret_record.h"

#include "vault/core/bound_encryption.h"

namespace cardvault::core {
namespace {

constexpr std::uint8_t kFormatVersion = 1;

void append_be(std::vector<std::uint8_t>& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) {
    out.push_back(static_cast<std::uint8_t>(value >> shift));
  }
}

base::Result<void> seal_output(Services& services, const base::SecretBuffer& output,
                               const InternalId& customer, SecretRow& row) {
  const KeyRef key = services.keys.get(KeyPurpose::kSecretEnc);
  row.key_version = key.version;
  auto sealed = encrypt_bound(services, key, output, [&](Suite suite) {
    row.sealed.suite = suite;
    return secret_aad(row, customer);
  });
  if (!sealed) return std::unexpected(sealed.error());
  row.sealed = std::move(*sealed);
  return {};
}

}  // namespace

std::vector<std::uint8_t> secret_aad(const SecretRow& row, const InternalId& customer) {
  std::vector<std::uint8_t> aad{kFormatVersion, static_cast<std::uint8_t>(row.sealed.suite)};
  aad.insert(aad.end(), customer.begin(), customer.end());
  aad.push_back(static_cast<std::uint8_t>(row.kind));
  append_be(aad, row.key_version);
  aad.insert(aad.end(), row.salt.begin(), row.salt.end());
  append_be(aad, row.memory_kib);
  append_be(aad, row.passes);
  append_be(aad, row.lanes);
  return aad;
}

Argon2Cost cost_of(const SecretSettings& settings) noexcept {
  return {settings.argon2_memory_kib, settings.argon2_passes, settings.argon2_lanes};
}
Argon2Cost cost_of(const SecretRow& row) noexcept {
  return {row.memory_kib, row.passes, row.lanes};
}

base::Result<SecretRow> make_secret(Services& services, const SecretSettings& settings,
                                    SecretKind kind, const InternalId& customer,
                                    std::string_view secret) {
  SecretRow row;
  row.kind = kind;
  const Argon2Cost cost = cost_of(settings);
  row.memory_kib = cost.memory_kib;
  row.passes = cost.passes;
  row.lanes = cost.lanes;
  if (auto ok = services.crypto.random(row.salt); !ok) return std::unexpected(ok.error());
  const auto output = services.passwords.derive(base::as_bytes(secret), row.salt, cost);
  if (!output) return std::unexpected(output.error());
  if (auto ok = seal_output(services, *output, customer, row); !ok) {
    return std::unexpected(ok.error());
  }
  return row;
}

base::Result<SecretRow> reseal_secret(Services& services, const SecretRow& row,
                                      const InternalId& customer) {
  const auto output = open_secret(services, row, customer);
  if (!output) return std::unexpected(output.error());
  SecretRow now = row;
  if (auto ok = seal_output(services, *output, customer, now); !ok) {
    return std::unexpected(ok.error());
  }
  return now;
}

base::Result<base::SecretBuffer> open_secret(Services& services, const SecretRow& row,
                                             const InternalId& customer) {
  return services.crypto.decrypt({KeyPurpose::kSecretEnc, row.key_version}, row.sealed,
                                 secret_aad(row, customer));
}

bool same_output(const base::SecretBuffer& a, const base::SecretBuffer& b) noexcept {
  if (a.size() != b.size()) return false;
  volatile std::uint8_t difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) difference = difference | (a[i] ^ b[i]);
  return difference == 0;
}

}  // namespace cardvault::core
