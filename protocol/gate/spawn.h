// How coroutines are started: with asio::detached an exception out of one would just vanish.
#pragma once

#include "protocol/gate/asio_types.h"

namespace cardvault::gate {

// For what the gate can't do without. An exception is logged and ends the process, which its
// supervisor starts anew.
void spawn_vital(asio::io_context& io, Awaitable<void> coroutine);

// For one client's connection. An exception is logged and ends this connection alone.
void spawn_client(asio::io_context& io, Awaitable<void> coroutine);

}  // namespace cardvault::gate
