// Load by connections: how many are made in a second, and what idle ones cost.
#pragma once

#include "tests/bench/lane.h"
#include "tests/bench/worker.h"

namespace cardvault::bench {

// Makes connections, `concurrent` at a time, from `schedule.start_ns` to its end: TCP, full TLS 1.3
// handshake, close_notify, and the gate's end in return, which shows that it took the certificate.
// A request of the tally is one connection, its latency the whole of that.
[[nodiscard]] Tally make_connections(const client::TlsContext& tls,
                                     const client::Endpoint& endpoint, std::size_t concurrent,
                                     const Schedule& schedule);

struct IdleConnections {
  std::vector<client::Connection> open;
  std::map<std::string, std::uint64_t> problems;
};
// Opens `count` connections, some at a time.
[[nodiscard]] IdleConnections open_idle(const client::TlsContext& tls,
                                        const client::Endpoint& endpoint, std::size_t count);
// How many of them the gate has ended since.
[[nodiscard]] std::size_t count_closed(const IdleConnections& connections);

}  // namespace cardvault::bench
