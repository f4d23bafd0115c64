// One I/O thread and the connections that it serves.
#pragma once

#include <atomic>
#include <cstdint>
#include <list>

#include "protocol/gate/asio_types.h"
#include "protocol/gate/shared.h"

namespace cardvault::gate {

class Connection;

// All members belong to the worker's thread, but for `io` and `ticked`.
struct Worker {
  Worker(asio::io_context& its_io, Shared& everything)
      : io(its_io), shared(everything), timer(its_io) {}

  // Once a second: ends what is past its deadline. One sweep instead of a timer per connection.
  void tick();
  // No new requests: idle connections end now, others after their answer.
  void stop();
  // Ends what is left.
  void abandon();

  asio::io_context& io;  // run by one thread
  Shared& shared;
  Timer timer;            // of the ticks
  std::uint32_t now = 1;  // seconds since start; deadlines are in these
  bool stopping = false;
  std::atomic<bool> ticked{false};  // since the watchdog was last told: any thread
  std::list<Connection*> connections;
};

}  // namespace cardvault::gate
