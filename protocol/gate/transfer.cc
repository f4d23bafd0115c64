#include "protocol/gate/transfer.h"

namespace cardvault::gate {
namespace {

using base::Code;

constexpr std::uint32_t kLinger_s = 2;
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

// Reads at least one byte more; false at the connection's end, or when the gate stops and nothing
// was asked yet. kRequestTimeout, kOverloaded.
Awaitable<base::Result<bool>> fill(Connection* c, std::size_t most) {
  for (;;) {
    if (c->channel.turn_over()) co_await c->channel.yield();
    if (c->timed_out && !c->received().empty()) co_return base::fail(Code::kRequestTimeout, "read");
    if (c->timed_out || (c->idle && c->worker.stopping)) co_return false;
    const auto room = c->room(most);
    if (room.empty()) co_return base::fail(Code::kOverloaded, "read");
    std::size_t got = 0;
    const Io io = c->channel.read(room, got);
    if (io == Io::kDone) {
      c->filled(got);
      co_return true;
    }
    if (io == Io::kClosed) co_return false;
    c->release_if_empty();
    co_await c->channel.wait(io);
  }
}

}  // namespace

Awaitable<base::Result<std::size_t>> receive_head(Connection* c) {
  const std::size_t most = c->limits().max_header_bytes;
  std::size_t searched = 0;
  const bool begun = !c->received().empty();
  c->idle = !begun;
  c->expire_in(begun ? c->limits().header_timeout_s : c->limits().idle_timeout_s);
  if (begun || c->channel.buffered()) {
    co_await c->channel.yield();  // whoever pipelines has one answer at a turn
  } else if (!c->worker.stopping) {
    co_await c->channel.wait(Io::kWantRead);
  }
  for (;;) {
    const std::string_view bytes = c->received();
    if (const std::size_t head = head_length(bytes, searched); head != 0) {
      c->deadline = 0;
      if (head <= most) co_return head;
      co_return base::fail(Code::kHeadersTooLarge, "head");
    }
    if (bytes.size() >= most) co_return base::fail(Code::kHeadersTooLarge, "head");
    searched = bytes.size();
    const auto more = co_await fill(c, most);
    if (!more) co_return std::unexpected(more.error());
    if (!*more) co_return 0;
    if (c->idle) {  // these are its first bytes
      c->idle = false;
      c->expire_in(c->limits().header_timeout_s);
    }
  }
}

Awaitable<bool> send(Connection* c, std::span<const std::uint8_t> bytes) {
  c->expire_in(c->limits().body_timeout_s);
  while (!bytes.empty()) {
    if (c->channel.turn_over()) co_await c->channel.yield();
    if (c->timed_out) co_return false;
    std::size_t written = 0;
    const Io io = c->channel.write(bytes, written);
    if (io == Io::kClosed) co_return false;
    if (io == Io::kDone) {
      bytes = bytes.subspan(written);
      continue;
    }
    co_await c->channel.wait(io);
  }
  c->deadline = 0;
  co_return true;
}

Awaitable<base::Result<bool>> receive_body(Connection* c, const Plan* plan) {
  const std::size_t total = plan->head_bytes + plan->body_bytes;
  if (plan->head.expects_continue && c->received().size() < total) {
    const bool sent = co_await send(c, base::as_bytes(kContinue));
    if (!sent) co_return false;
  }
  c->expire_in(c->limits().body_timeout_s);
  while (c->received().size() < total) {
    const auto more = co_await fill(c, total);
    if (!more || !*more) co_return more;
  }
  c->deadline = 0;
  co_return true;
}

Awaitable<void> linger(Connection* c) {
  c->expire_in(kLinger_s);
  while (!c->timed_out) {
    if (c->channel.turn_over()) co_await c->channel.yield();
    const Io io = c->channel.drain();
    if (io == Io::kClosed) co_return;
    if (io == Io::kWantRead) co_await c->channel.wait(io);
  }
}

}  // namespace cardvault::gate
