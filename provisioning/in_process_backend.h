// A stopped vault, opened in this process: the same lock, the same operations (DESIGN section 5).
#pragma once

#include <memory>
#include <string>

#include "provisioning/backend.h"
#include "vault/daemon/admin.h"

namespace cardvault::provisioning {

// While it lives no daemon can start. Not thread-safe.
class InProcessBackend : public Backend {
 public:
  // Takes the vault's lock and logs in. As root it first becomes the account that owns the data, so
  // that the daemon can use every file afterwards, and can't write the token's. Throws StartupError
  // with what to do: not an operator, not permitted, no token.
  [[nodiscard]] static std::unique_ptr<InProcessBackend> open(const std::string& config_path);

  [[nodiscard]] wire::AdminAnswer run(wire::AdminRequest request, const Partial& partial) override;
  [[nodiscard]] bool running() const override { return false; }

 private:
  InProcessBackend(daemon::Config config, std::string operator_name);
  std::expected<std::string, std::string> reload(core::Event asked);

  const std::string operator_name_;
  daemon::Vault vault_;
  daemon::AdminService service_;
};

}  // namespace cardvault::provisioning
