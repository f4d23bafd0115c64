#include "vault/core/client_freeze.h"

namespace cardvault::core {

std::string release_act(std::string_view client_id) {
  return "client.release id=" + std::string(client_id);
}

base::Result<void> freeze_client(Transaction& tx, Client& client) {
  client.frozen = true;
  if (auto ok = tx.put_client(client); !ok) return ok;
  return tx.delete_approval(release_act(client.id));
}

}  // namespace cardvault::core
