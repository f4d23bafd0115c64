#include "protocol/gate/connection.h"

#include <algorithm>
#include <cstring>

#include "vault/base/check.h"

namespace cardvault::gate {
namespace {

constexpr std::size_t kReadBytes = 4096;

}  // namespace

bool SourceCount::enter(const std::string& source, std::uint32_t limit) {
  const std::scoped_lock lock(mutex_);
  std::uint32_t& count = counts_[source];
  if (limit != 0 && count >= limit) return false;
  ++count;
  return true;
}

void SourceCount::leave(const std::string& source) {
  const std::scoped_lock lock(mutex_);
  const auto found = counts_.find(source);
  CARDVAULT_CHECK(found != counts_.end());
  if (--found->second == 0) counts_.erase(found);
}

void Worker::tick() {
  ++now;
  ticked = true;
  for (Connection* connection : connections) {
    if (connection->deadline == 0 || connection->deadline > now) continue;
    connection->timed_out = true;
    connection->channel.cancel();
  }
}

void Worker::stop() {
  stopping = true;
  timer.cancel();
  for (Connection* connection : connections) {
    if (connection->idle) connection->channel.cancel();
  }
}

void Worker::abandon() {
  for (Connection* connection : connections) {
    connection->timed_out = true;
    connection->channel.cancel();
  }
}

Connection::Connection(Worker& its_worker, int fd, SslPtr ssl, Listener its_listener,
                       std::string source)
    : worker(its_worker),
      channel(its_worker.io, fd, std::move(ssl)),
      listener(its_listener),
      settings(its_worker.shared.settings.load()) {
  peer.caller.source = std::move(source);
  place_ = worker.connections.insert(worker.connections.end(), this);
}

Connection::~Connection() {
  worker.connections.erase(place_);
  worker.shared.connections.fetch_sub(1);
  if (listener == Listener::kTls) worker.shared.sources.leave(peer.caller.source);
}

std::span<std::uint8_t> Connection::room(std::size_t most) {
  if (filled_ == input_.size()) {
    const std::size_t grown = std::min(most, std::max(kReadBytes, 2 * filled_));
    input_.resize(std::max(filled_ + 1, grown));
  }
  return std::span(input_).subspan(filled_);
}

void Connection::consume(std::size_t bytes) {
  CARDVAULT_CHECK(bytes <= filled_);
  const std::size_t rest = filled_ - bytes;
  if (rest != 0) std::memmove(input_.data(), input_.data() + bytes, rest);
  base::wipe(input_.data() + rest, filled_ - rest);
  filled_ = rest;
  release_if_empty();
}

void Connection::release_if_empty() {
  if (filled_ == 0) base::SecretBuffer().swap(input_);
}

}  // namespace cardvault::gate
