#include "tests/bench/lane.h"

#include <poll.h>

namespace cardvault::bench {

using base::Result;
using client::Connection;
using client::Wait;

Result<Connection> open_and_wait(const client::TlsContext& tls, const client::Endpoint& endpoint,
                                 int timeout_ms) {
  auto connection = Connection::open(tls, endpoint);
  while (connection) {
    const auto state = connection->establish();
    if (!state) return std::unexpected(state.error());
    if (*state == Wait::kNothing) break;
    pollfd ready{connection->fd(), static_cast<short>(*state == Wait::kReadable ? POLLIN : POLLOUT),
                 0};
    if (::poll(&ready, 1, timeout_ms) == 0) {
      return base::fail(base::Code::kRequestTimeout, "connect to the gate");
    }
  }
  return connection;
}

Result<Lane> Lane::open(const Script& script, std::size_t number) {
  Lane lane;
  if (script.mode != Mode::kDetokenize) {
    auto connection = open_and_wait(*script.store_tls, *script.store);
    if (!connection) return std::unexpected(connection.error());
    lane.store_.emplace(std::move(*connection));
    lane.store_request_ = script.mode == Mode::kOtpSeal ? RequestTemplate::otp_seal(*script.store)
                          : script.mode == Mode::kOtpVerify
                              ? RequestTemplate::otp_verify(*script.store)
                              : RequestTemplate::tokenize(*script.store, script.batch);
    lane.subjects_ = script.subjects;
    lane.subjects_.next = number * 7919 % script.subjects.count;
  }
  if (script.reveal != nullptr) {
    auto connection = open_and_wait(*script.reveal_tls, *script.reveal);
    if (!connection) return std::unexpected(connection.error());
    lane.reveal_.emplace(std::move(*connection));
    lane.reveal_request_ =
        RequestTemplate::detokenize(*script.reveal, script.batch, script.purpose);
    // Lanes start far apart, so that they don't reveal the same card at the same time.
    lane.next_token_ = number * 7919 % script.tokens.size();
  }
  return lane;
}

Result<Wait> Lane::ask(const Script& script, CardStream& cards) {
  if (script.mode == Mode::kOtpSeal || script.mode == Mode::kOtpVerify) {
    active_ = &*store_;
    return active_->send(store_request_->with_subject(subjects_));
  }
  const bool store = script.mode == Mode::kTokenize ||
                     (script.mode == Mode::kMixed && asked_ % 5 == 0);  // 80 % reveals
  ++asked_;
  active_ = store ? &*store_ : &*reveal_;
  return active_->send(store ? store_request_->with_cards(cards)
                             : reveal_request_->with_tokens(script.tokens, next_token_));
}

}  // namespace cardvault::bench
