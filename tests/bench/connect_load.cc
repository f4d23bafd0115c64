#include "tests/bench/connect_load.h"

#include <poll.h>

#include <algorithm>

namespace cardvault::bench {
namespace {

using client::Connection;
using client::Wait;

constexpr std::size_t kOpeningAtOnce = 32;

struct Slot {
  std::optional<Connection> connection;
  std::int64_t started_ns = 0;
  bool established = false;
  Wait wait = Wait::kWritable;
};

short events_of(Wait wait) noexcept { return wait == Wait::kWritable ? POLLOUT : POLLIN; }

// Waits up to 100 ms; true for the slots that can go on.
std::vector<bool> wait_for(const std::vector<Slot>& slots) {
  std::vector<pollfd> polled(slots.size());
  for (std::size_t i = 0; i < slots.size(); ++i) {
    const auto& slot = slots[i];
    polled[i] = {slot.connection ? slot.connection->fd() : -1, events_of(slot.wait), 0};
  }
  ::poll(polled.data(), polled.size(), 100);
  std::vector<bool> ready(slots.size());
  for (std::size_t i = 0; i < slots.size(); ++i) ready[i] = polled[i].revents != 0;
  return ready;
}

// Goes on with a slot's connection; kNothing when it is done.
base::Result<Wait> advance(Slot& slot, bool until_closed) {
  if (!slot.established) {
    auto state = slot.connection->establish();
    if (!state || *state != Wait::kNothing) return state;
    slot.established = true;
    if (!until_closed) return state;
  }
  return slot.connection->close();
}

}  // namespace

Tally make_connections(const client::TlsContext& tls, const client::Endpoint& endpoint,
                       std::size_t concurrent, const Schedule& schedule) {
  Tally tally;
  std::vector<Slot> slots(concurrent);
  const auto failed = [&](Slot& slot, const base::Error& error) {
    ++tally.problems[error.operation];
    slot.connection.reset();
  };
  for (std::int64_t now = now_ns(); now < schedule.end_ns; now = now_ns()) {
    for (Slot& slot : slots) {
      if (slot.connection) continue;
      auto opened = Connection::open(tls, endpoint);
      if (!opened) {
        ++tally.problems[opened.error().operation];
        continue;
      }
      slot.connection.emplace(std::move(*opened));
      slot.started_ns = now_ns();
      slot.established = false;
      slot.wait = Wait::kWritable;
    }
    const auto ready = wait_for(slots);
    for (std::size_t i = 0; i < slots.size(); ++i) {
      if (!ready[i]) continue;
      Slot& slot = slots[i];
      const auto state = advance(slot, true);
      if (!state) {
        failed(slot, state.error());
        continue;
      }
      slot.wait = *state;
      if (*state != Wait::kNothing) continue;
      const std::int64_t done = now_ns();
      slot.connection.reset();
      if (done < schedule.measure_ns || done >= schedule.end_ns) continue;
      tally.latency.record(done - slot.started_ns);
      ++tally.requests;
      ++tally.items;
    }
  }
  return tally;
}

IdleConnections open_idle(const client::TlsContext& tls, const client::Endpoint& endpoint,
                          std::size_t count) {
  IdleConnections made;
  made.open.reserve(count);
  std::vector<Slot> slots(std::min(count, kOpeningAtOnce));
  std::size_t started = 0;
  std::size_t finished = 0;
  while (finished < count) {
    for (Slot& slot : slots) {
      if (slot.connection || started == count) continue;
      ++started;
      slot = {};
      auto opened = Connection::open(tls, endpoint);
      if (opened) {
        slot.connection.emplace(std::move(*opened));
      } else {
        ++made.problems[opened.error().operation];
        ++finished;
      }
    }
    const auto ready = wait_for(slots);
    for (std::size_t i = 0; i < slots.size(); ++i) {
      if (!ready[i]) continue;
      const auto state = advance(slots[i], false);
      if (state && *state != Wait::kNothing) {
        slots[i].wait = *state;
        continue;
      }
      ++finished;
      if (state) {
        made.open.push_back(std::move(*slots[i].connection));
      } else {
        ++made.problems[state.error().operation];
      }
      slots[i].connection.reset();
    }
  }
  return made;
}

std::size_t count_closed(const IdleConnections& connections) {
  return static_cast<std::size_t>(std::ranges::count_if(connections.open, [](const auto& each) {
    pollfd ready{each.fd(), POLLIN, 0};
    return ::poll(&ready, 1, 0) != 0;  // nothing was asked: whatever can be read is an end
  }));
}

}  // namespace cardvault::bench
