// What operators may do to a running vault, or to a stopped one in process. The verbs are
// the tool's commands (cardvault(1)), its options their arguments.
#pragma once

#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "protocol/wire/codec.h"
#include "vault/daemon/config.h"
#include "vault/daemon/vault.h"

namespace cardvault::daemon {

// Thread-safe. Every act is an event before its answer: actor "operator:NAME", gate "admin".
class AdminService {
 public:
  // Sends a part of a long answer; false when nobody listens any more.
  using Emit = std::function<bool(wire::AdminAnswer)>;
  // reload() reads the configuration file again and returns what to tell the operator.
  AdminService(Vault& vault, std::function<std::string()> reload);

  [[nodiscard]] wire::AdminAnswer run(wire::AdminRequest& request, const std::string& operator_name,
                                      const Emit& emit);
  // Somebody connected who is no operator: recorded.
  void refuse_stranger(std::uint32_t uid);

 private:
  struct Call {
    wire::AdminRequest& request;
    const std::string& operator_name;
    const Emit& emit;
    [[nodiscard]] std::string argument(std::string_view name) const;
    [[nodiscard]] std::uint64_t number(std::string_view name, std::uint64_t fallback) const;
  };
  using Handler = wire::AdminAnswer (AdminService::*)(const Call&);

  wire::AdminAnswer status(const Call& call);
  wire::AdminAnswer doctor(const Call& call);
  wire::AdminAnswer key_list(const Call& call);
  wire::AdminAnswer client_add(const Call& call);
  wire::AdminAnswer client_list(const Call& call);
  wire::AdminAnswer client_change(const Call& call);
  wire::AdminAnswer customer_change(const Call& call);
  wire::AdminAnswer bin_import(const Call& call);
  wire::AdminAnswer bin_lookup(const Call& call);
  wire::AdminAnswer token_inspect(const Call& call);
  wire::AdminAnswer token_change(const Call& call);
  wire::AdminAnswer audit_tail(const Call& call);
  wire::AdminAnswer backup(const Call& call);
  wire::AdminAnswer clock_confirm(const Call& call);
  wire::AdminAnswer reload(const Call& call);

  [[nodiscard]] core::Event event(const Call& call) const;
  // Records a read-only act, waits until it is durable.
  [[nodiscard]] base::Result<void> record(core::Event event);

  static const std::map<std::string, Handler, std::less<>>& handlers();

  Vault& vault_;
  const std::function<std::string()> reload_;
  std::mutex bin_mutex_;
  std::map<std::string, base::SecretBuffer> bin_uploads_;  // by operator
};

}  // namespace cardvault::daemon
