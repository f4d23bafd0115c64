// Verbs about sealing, on a vault that is open.
#include "vault/daemon/admin.h"
#include "vault/daemon/admin_answers.h"

namespace cardvault::daemon {

using base::Code;

wire::AdminAnswer AdminService::seal(const Call& call) {
  if (!vault_.config().unseal.custodians) {
    return refusal(Code::kInvalidArgument,
                   "nobody but its PIN's file could open it again: [unseal] by is \"pin-source\". "
                   "To end all work now: systemctl stop cardvault.target");
  }
  if (auto ok = record(event(call)); !ok) return failed(ok.error());
  hooks_.seal();
  return success(
      "the vault seals itself: its sessions, key copies and PIN are going; `cardvault "
      "unseal` opens it");
}

wire::AdminAnswer AdminService::unseal_status(const Call& call) {
  if (auto ok = record(event(call)); !ok) return failed(ok.error());
  wire::AdminAnswer answer = success("the vault is not sealed");
  answer.columns = {"field", "value"};
  answer.rows = {{"state", "open"}};
  return answer;
}

}  // namespace cardvault::daemon
