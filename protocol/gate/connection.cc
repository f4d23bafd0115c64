#include "protocol/gate/connection.h"

#include <algorithm>

#include "vault/base/check.h"

namespace cardvault::gate {
namespace {
constexpr std::size_t kReadBytes = Buffered::kFree;
}  // namespace

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

Connection::Connection(Worker& its_worker, std::shared_ptr<const Settings> its_settings, SslPtr ssl,
                       Admission&& client)
    : worker(its_worker),
      channel(its_worker.io, client.descriptor(), std::move(ssl)),
      listener(client.listener()),
      settings(std::move(its_settings)),
      admission_(std::move(client)),
      buffered_(its_worker.shared.buffered) {
  admission_.disown();  // the channel closes it
  peer.caller.source = admission_.source();
  place_ = worker.connections.insert(worker.connections.end(), this);
}

Connection::~Connection() { worker.connections.erase(place_); }

std::span<std::uint8_t> Connection::room(std::size_t most) {
  if (filled_ == input_.size()) {
    const std::size_t grown =
        std::max(filled_ + 1, std::min(most, std::max(kReadBytes, 2 * filled_)));
    if (!buffered_.hold(grown, limits().max_buffered_bytes)) return {};
    input_.resize(grown);
  }
  return std::span(input_).subspan(filled_);
}

void Connection::consume(std::size_t bytes) {
  CARDVAULT_CHECK(bytes <= filled_);
  const auto rest = received().substr(bytes);
  keep(base::SecretBuffer(rest.begin(), rest.end()));
}

void Connection::release_if_empty() {
  if (filled_ == 0) keep({});
}

void Connection::keep(base::SecretBuffer rest) {
  CARDVAULT_CHECK(buffered_.hold(rest.size(), 0));  // less never fails
  filled_ = rest.size();
  input_ = std::move(rest);
}

}  // namespace cardvault::gate
