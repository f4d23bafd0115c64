#include "protocol/gate/spawn.h"

#include <boost/asio/co_spawn.hpp>
#include <cstdlib>
#include <exception>
#include <typeinfo>

#include "vault/base/log.h"

namespace cardvault::gate {
namespace {

// By its type: its text could hold data of a request.
void log_exception(const char* message, const std::exception_ptr& thrown) {
  try {
    std::rethrow_exception(thrown);
  } catch (const std::exception& error) {
    base::log(base::Level::kError, message, {{"exception", typeid(error).name()}});
  } catch (...) {
    base::log(base::Level::kError, message);
  }
}

}  // namespace

void spawn_vital(asio::io_context& io, Awaitable<void> coroutine) {
  asio::co_spawn(io, std::move(coroutine), [](const std::exception_ptr& thrown) {
    if (!thrown) return;
    log_exception("the gate can't go on: an exception", thrown);
    std::abort();
  });
}

void spawn_client(asio::io_context& io, Awaitable<void> coroutine) {
  asio::co_spawn(io, std::move(coroutine), [](const std::exception_ptr& thrown) {
    if (thrown) log_exception("a client's connection ended by an exception", thrown);
  });
}

}  // namespace cardvault::gate
