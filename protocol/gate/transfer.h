// Bytes in and out of a connection, each with its time limit. Free coroutines; the connection
// outlives them.
#pragma once

#include <span>

#include "protocol/gate/connection.h"
#include "protocol/gate/plan.h"

namespace cardvault::gate {

// The length of a whole head; 0 when the connection just ends. kHeadersTooLarge, kRequestTimeout,
// kOverloaded.
[[nodiscard]] Awaitable<base::Result<std::size_t>> receive_head(Connection* c);

// True when the whole body is there (a client that waits for 100 Continue is told so); false when
// the connection just ends. kRequestTimeout, kOverloaded.
[[nodiscard]] Awaitable<base::Result<bool>> receive_body(Connection* c, const Plan* plan);

// False when the client has gone or doesn't read.
[[nodiscard]] Awaitable<bool> send(Connection* c, std::span<const std::uint8_t> bytes);

// Reads and drops what the client still sends, for a moment, so that a reset doesn't take the
// answer, or the alert, from it (RFC 9112 section 9.6).
[[nodiscard]] Awaitable<void> linger(Connection* c);

}  // namespace cardvault::gate
