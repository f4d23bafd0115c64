// A client's connection: who it is, what it has sent, and how long it may take.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>

#include "protocol/gate/admission.h"
#include "protocol/gate/buffered.h"
#include "protocol/gate/channel.h"
#include "protocol/gate/routes.h"
#include "protocol/gate/worker.h"

namespace cardvault::gate {

// Belongs to its worker's thread.
class Connection {
 public:
  // Takes the client over, with the descriptor that `ssl` is of (null on the health socket). When
  // it throws, `client` has what it had or is given back.
  Connection(Worker& worker, std::shared_ptr<const Settings> settings, SslPtr ssl,
             Admission&& client);
  ~Connection();
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  Worker& worker;
  Channel channel;
  const Listener listener;
  std::shared_ptr<const Settings> settings;
  Peer peer;                          // peer.caller.source is set from the start
  std::int64_t verified_until_s = 0;  // since 1970: then its certificate is verified again

  // What waits for bytes must end at tick `deadline`; 0: nothing does.
  std::uint32_t deadline = 0;
  bool timed_out = false;
  bool idle = false;  // between requests: may end at any time

  [[nodiscard]] const Limits& limits() const { return settings->config.limits; }
  void expire_in(std::uint32_t seconds) { deadline = worker.now + seconds + 1; }

  // The bytes received and not yet consumed; wiped as they go.
  [[nodiscard]] std::string_view received() const {
    return base::as_text(std::span(input_).first(filled_));
  }
  // Room for at least one more byte. Grows as bytes come, not as they are announced, to at most
  // `most` bytes in all (or one more than there are). Empty when the connections together hold as
  // much as they may (Buffered).
  [[nodiscard]] std::span<std::uint8_t> room(std::size_t most);
  void filled(std::size_t bytes) { filled_ += bytes; }
  // Wipes the first bytes; with nothing left the buffer goes: an idle connection has none.
  void consume(std::size_t bytes);
  void release_if_empty();

 private:
  void keep(base::SecretBuffer rest);

  Admission admission_;
  base::SecretBuffer input_;
  Buffered buffered_;  // input_
  std::size_t filled_ = 0;
  std::list<Connection*>::iterator place_;
};

// Serves the connection from its handshake to its end.
Awaitable<void> serve(std::unique_ptr<Connection> connection);

}  // namespace cardvault::gate
