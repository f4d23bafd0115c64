// The admin socket: where the tool speaks to a running vault.
#pragma once

#include <atomic>
#include <list>
#include <mutex>
#include <thread>
#include <vector>

#include "vault/daemon/admin_handler.h"
#include "vault/daemon/config.h"
#include "vault/daemon/unix_socket.h"

namespace cardvault::daemon {

// One thread listens, one per connection serves; at most kMaxConnections at a time. Whoever
// connects is an operator by the uid that the kernel vouches for (unix(7), SO_PEERCRED), or is
// refused.
class AdminServer {
 public:
  static constexpr std::size_t kMaxConnections = 32;

  // Listens: who connects waits for start(). Throws StartupError when the socket can't be made.
  AdminServer(const std::string& socket, AdminHandler& handler, std::vector<Operator> operators);
  ~AdminServer();
  // Once. From here on the handler is called.
  void start();
  AdminServer(const AdminServer&) = delete;             // its threads hold its address
  AdminServer& operator=(const AdminServer&) = delete;  // its threads hold its address

 private:
  struct Session {
    Fd fd;
    std::thread thread;
    std::atomic<bool> over = false;
  };
  void run();
  void serve(Session& session);
  [[nodiscard]] base::Result<std::string> operator_of(const Fd& fd) const;

  const std::string path_;
  AdminHandler& handler_;
  const std::vector<Operator> operators_;
  Fd listener_;
  std::atomic<bool> stopping_ = false;
  std::list<Session> sessions_;  // the listening thread's
  std::thread thread_;
};

}  // namespace cardvault::daemon
