#include "protocol/gate/transfer.h"

namespace cardvault::gate {
namespace {

using base::Code;

constexpr std::uint32_t kLinger_s = 2;
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

// Reads at least one byte more; false at the connection's end, after its time, or when the gate
// stops and nothing was asked yet.
Awaitable<bool> fill(Connection* c, std::size_t most) {
  for (;;) {
    if (c->timed_out || (c->idle && c->worker.stopping)) co_return false;
    std::size_t got = 0;
    const Io io = c->channel.read(c->room(most), got);
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
  if (c->received().empty()) {
    c->idle = true;
    c->expire_in(c->limits().idle_timeout_s);
    if (!c->worker.stopping && !c->channel.buffered()) co_await c->channel.wait(Io::kWantRead);
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
    const bool more = co_await fill(c, most);
    if (!more) {
      if (c->timed_out && !c->received().empty()) {
        co_return base::fail(Code::kRequestTimeout, "head");
      }
      co_return 0;
    }
    if (searched == 0) {
      c->idle = false;
      c->expire_in(c->limits().header_timeout_s);
    }
  }
}

Awaitable<bool> send(Connection* c, std::span<const std::uint8_t> bytes) {
  c->expire_in(c->limits().body_timeout_s);
  while (!bytes.empty()) {
    std::size_t written = 0;
    const Io io = c->channel.write(bytes, written);
    if (io == Io::kClosed) co_return false;
    if (io == Io::kDone) {
      bytes = bytes.subspan(written);
      continue;
    }
    co_await c->channel.wait(io);
    if (c->timed_out) co_return false;
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
    const bool more = co_await fill(c, total);
    if (!more && c->timed_out) co_return base::fail(Code::kRequestTimeout, "body");
    if (!more) co_return false;
  }
  c->deadline = 0;
  co_return true;
}

Awaitable<void> linger(Connection* c) {
  c->expire_in(kLinger_s);
  while (!c->timed_out) {
    const Io io = c->channel.drain();
    if (io == Io::kClosed) co_return;
    if (io == Io::kWantRead) co_await c->channel.wait(io);
  }
}

}  // namespace cardvault::gate
