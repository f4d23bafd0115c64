#include "vault/core/secret_decoy.h"

#include <array>

#include "vault/core/secret_record.h"
#include "vault/core/services.h"
#include "vault/core/store.h"

namespace cardvault::core {

base::Result<std::shared_ptr<const SecretRow>> SecretDecoy::get(Services& services,
                                                                const SecretSettings& settings) {
  const std::scoped_lock lock(mutex_);
  const std::uint32_t version = services.keys.get(KeyPurpose::kSecretEnc).version;
  const bool same_cost = row_ && cost_of(*row_) == cost_of(settings);
  if (same_cost && row_->key_version == version) return row_;
  std::array<std::uint8_t, 32> nobodys{};
  if (auto ok = services.crypto.random(nobodys); !ok) return std::unexpected(ok.error());
  auto made =
      make_secret(services, settings, SecretKind::kPassword, InternalId{}, base::as_text(nobodys));
  base::wipe(nobodys.data(), nobodys.size());
  if (!made && same_cost) return row_;  // a new key's first invocations may not be reserved yet
  if (!made) return std::unexpected(made.error());
  row_ = std::make_shared<const SecretRow>(std::move(*made));
  return row_;
}

}  // namespace cardvault::core
