// The gate as a whole: listeners, workers, signals.
#pragma once

#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "protocol/gate/connection.h"
#include "protocol/gate/sockets.h"

namespace cardvault::gate {

// SIGTERM and SIGINT: no listener any more, idle connections end, requests in flight are answered
// (10 s at most), run() returns. SIGHUP: certificate, key, CAs, revocation list and limits are read
// again; if that fails the old ones stay. A changed revocation list is noticed within a second.
class Server {
 public:
  // Throws base::StartupError. Makes no thread yet.
  Server(Config config, std::string config_file, const Sockets& sockets);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  // Serves until stopped by a signal; on return every connection is closed.
  void run();

 private:
  static Awaitable<void> accept_all(Server* self, Descriptor* listener, Listener kind);
  static Awaitable<void> tick_all(Server* self, Worker* worker);
  void tick(Worker& worker, unsigned stopping_s);
  void admit(Admission client);
  void open(Worker& worker, Admission client);
  void wait_for_signal();
  void reload();
  void watch_revocations();
  void use(Config config);
  void report_strangers();
  void stop();

  struct Signals;
  const std::string config_file_;
  std::vector<std::unique_ptr<asio::io_context>> ios_;  // one per thread; outlive what uses them
  std::unique_ptr<Shared> shared_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::vector<std::unique_ptr<Descriptor>> listeners_;
  std::unique_ptr<Signals> signals_;
  std::vector<std::thread> threads_;
  std::size_t next_worker_ = 0;
  std::string revocations_seen_;    // the state of the file that is in use
  std::string revocations_failed_;  // the last state of it that could not be read
};

}  // namespace cardvault::gate
