// What operators may do to a running vault, or to a stopped one in process. The verbs are
// the tool's commands (cardvault(1)), its options their arguments.
#pragma once

#include <expected>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "vault/core/index_fingerprints.h"
#include "vault/daemon/admin_handler.h"
#include "vault/daemon/config.h"
#include "vault/daemon/rewrapper.h"
#include "vault/daemon/vault.h"

namespace cardvault::daemon {

// An act on a key that is refused, and what to do instead.
struct KeyRefusal {
  base::Code code;
  std::string text;
};

// Thread-safe. Every act is an event before its answer: actor "operator:NAME", gate "admin".
class AdminService final : public AdminHandler {
 public:
  struct Hooks {
    // Reads the configuration file again; what to tell, also where the file is refused. `asked` is
    // recorded before, with what came of it.
    std::function<std::expected<std::string, std::string>(core::Event asked)> reload;
    std::function<void()> seal;  // ends this vault soon after; only its custodians open it
  };
  AdminService(Vault& vault, Hooks hooks);

  [[nodiscard]] wire::AdminAnswer run(wire::AdminRequest& request, const std::string& operator_name,
                                      const Emit& emit) override;
  // What goes on without an operator: rows that were being moved when the vault stopped. Ends
  // before the vault does.
  void resume_background() { rewrapper_.resume(); }
  void stop_background() { rewrapper_.stop(); }
  void refuse_stranger(std::uint32_t uid) override;

 private:
  struct Call {
    wire::AdminRequest& request;
    const std::string& operator_name;
    const Emit& emit;
    std::string& waits;   // why the act waits for a second operator, if it does
    std::string& action;  // what custodians have to sign before it, if they do
    bool& unapproved;     // their quorum did not allow it: it can be asked for again
    // An operator's word that was given by then was for something else than there is to do now.
    std::int64_t& word_after_ms;
    [[nodiscard]] std::string argument(std::string_view name) const;
    [[nodiscard]] bool has(std::string_view name) const;
    [[nodiscard]] std::uint64_t number(std::string_view name, std::uint64_t fallback) const;
  };
  using Handler = wire::AdminAnswer (AdminService::*)(const Call&);

  wire::AdminAnswer status(const Call& call);
  wire::AdminAnswer doctor(const Call& call);
  wire::AdminAnswer key_list(const Call& call);
  wire::AdminAnswer key_rotate(const Call& call);
  wire::AdminAnswer key_adopt(const Call& call);
  wire::AdminAnswer key_activate(const Call& call);
  wire::AdminAnswer key_lost(const Call& call);
  wire::AdminAnswer key_replace(const Call& call);
  wire::AdminAnswer key_statement(const Call& call);
  wire::AdminAnswer key_clone(const Call& call);
  wire::AdminAnswer key_cloned(const Call& call);
  wire::AdminAnswer key_rewrap(const Call& call);
  wire::AdminAnswer key_retire(const Call& call);
  wire::AdminAnswer key_destroy(const Call& call);
  wire::AdminAnswer key_keep(const Call& call);
  wire::AdminAnswer key_destroyed(const Call& call);
  wire::AdminAnswer client_add(const Call& call);
  wire::AdminAnswer client_rights(const Call& call);
  wire::AdminAnswer client_list(const Call& call);
  wire::AdminAnswer client_change(const Call& call);
  wire::AdminAnswer client_ca(const Call& call);
  wire::AdminAnswer client_enroll(const Call& call);
  wire::AdminAnswer client_certificates(const Call& call);
  wire::AdminAnswer certificate_revoke(const Call& call);
  wire::AdminAnswer customer_change(const Call& call);
  wire::AdminAnswer bin_import(const Call& call);
  wire::AdminAnswer bin_lookup(const Call& call);
  wire::AdminAnswer token_inspect(const Call& call);
  wire::AdminAnswer token_change(const Call& call);
  wire::AdminAnswer audit_tail(const Call& call);
  wire::AdminAnswer audit_names(const Call& call);
  wire::AdminAnswer audit_evidence(const Call& call);
  wire::AdminAnswer backup(const Call& call);
  wire::AdminAnswer clock_confirm(const Call& call);
  wire::AdminAnswer reload(const Call& call);
  wire::AdminAnswer recipient_add(const Call& call);
  wire::AdminAnswer recipient_replace(const Call& call);
  wire::AdminAnswer recipient_cancel(const Call& call);
  wire::AdminAnswer recipient_remove(const Call& call);
  wire::AdminAnswer recipient_list(const Call& call);
  wire::AdminAnswer otp_status(const Call& call);
  wire::AdminAnswer otp_unlock(const Call& call);
  wire::AdminAnswer canary_plant(const Call& call);
  wire::AdminAnswer canary_list(const Call& call);
  wire::AdminAnswer jwks(const Call& call);
  wire::AdminAnswer custodians_register(const Call& call);
  wire::AdminAnswer custodians_list(const Call& call);
  wire::AdminAnswer custodians_draft(const Call& call);
  wire::AdminAnswer gate_approve(const Call& call);
  wire::AdminAnswer seal(const Call& call);
  wire::AdminAnswer unseal_status(const Call& call);

  // Vault::commit() for acts: one that [admin] two_operators names takes place when a second
  // operator asks for it within 24 hours; the first one's call is recorded, ends here with
  // kApprovalNeeded, and leaves what to tell in call.waits.
  using Decide = std::move_only_function<base::Result<void>(core::Transaction&, core::EventSink&)>;
  using After = std::move_only_function<void()>;
  [[nodiscard]] base::Result<void> commit(const Call& call, Decide decide, After after = {});
  // Puts a client, unless `judge` refuses, who sees all of them as they are in the transaction and
  // may change `client` and `done`. Returns the refusal or failure; nothing: it is put.
  using Judged = base::Result<std::optional<KeyRefusal>>;
  using ClientList = std::vector<core::Client>;
  using ClientJudge = std::function<Judged(const ClientList&, core::Transaction&)>;
  [[nodiscard]] std::optional<wire::AdminAnswer> put_client(const Call& call, core::Event& done,
                                                            core::Client& client,
                                                            const ClientJudge& judge);
  using RecipientEdit = std::function<std::optional<base::Code>(std::optional<core::Recipient>&)>;
  wire::AdminAnswer edit_recipient(const Call& call, core::Event done, const RecipientEdit& edit,
                                   const std::function<std::string(base::Code)>& refused_text,
                                   std::string success_text);
  wire::AdminAnswer refuse_certificate(core::Event refused, const std::string& name,
                                       const std::string& why);
  // Of the identifier that the call names. kInvalidCustomer; errors of Crypto.
  [[nodiscard]] base::Result<core::IndexFingerprints> customer_fingerprints(const Call& call);
  // check_word() for this call: nothing when the act may go on. Every act that needs the
  // custodians' quorum asks here, last of all that could refuse it.
  [[nodiscard]] base::Result<std::optional<KeyRefusal>> demand_quorum(const Call& call,
                                                                      core::Transaction& tx,
                                                                      core::Event& done);
  // One change of the key register. `decide` sees the rows as they are, in the transaction, and may
  // refuse; `done` is the event in any case. What it wrote is in use as soon as it is durable.
  using KeyDecide = std::function<base::Result<std::optional<KeyRefusal>>(
      core::Transaction&, const std::vector<core::KeyRow>&, core::Event&)>;
  wire::AdminAnswer change_keys(core::Event done, const std::string& told, const KeyDecide& decide,
                                const std::function<void()>& before_use = {});
  [[nodiscard]] base::Result<core::KeyUse> key_use(core::KeyRef key);
  [[nodiscard]] base::Result<std::int64_t> destruction_due(core::Reader& reader, core::KeyRef key);
  [[nodiscard]] core::Event event(const Call& call) const;
  // Records a read-only act, waits until it is durable.
  [[nodiscard]] base::Result<void> record(core::Event event) {
    return vault_.record(std::move(event));
  }

  static const std::map<std::string, Handler, std::less<>>& handlers();

  Vault& vault_;
  const Hooks hooks_;
  std::mutex bin_mutex_;
  std::map<std::string, base::SecretBuffer> bin_uploads_;  // by operator
  std::mutex keys_mutex_;                                  // one act on keys at a time
  Rewrapper rewrapper_;
};

}  // namespace cardvault::daemon
