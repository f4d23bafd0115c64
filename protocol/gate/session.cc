// The way of a request through the gate: bytes → head → body → core::Request → vault → answer.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <ctime>

#include "protocol/gate/connection.h"
#include "protocol/gate/plan.h"
#include "protocol/gate/reply.h"
#include "protocol/gate/transfer.h"

namespace cardvault::gate {
namespace {

// Decoding and encoding leave pieces of a card number, code or password on the stack.
bool brings_secret(Operation operation) {
  switch (operation) {
    case Operation::kTokenize:
    case Operation::kOtpVerify:
    case Operation::kSecretEnroll:
    case Operation::kSecretVerify:
    case Operation::kSecretChange:
      return true;
    default:
      return false;
  }
}

bool answers_with_secret(Operation operation) {
  return operation == Operation::kDetokenize || operation == Operation::kOtpSeal;
}

// Refusals of known peers go to the vault too, to be counted against them and written to the log:
// the answer is the vault's. The health socket has no peer to speak of.
Awaitable<core::Answer> ask(Connection* c, Question* q) {
  if (c->listener == Listener::kHealth) {
    if (q->refused) co_return core::Failure{std::get<core::Refused>(q->request).code, 0};
    if (q->operation == Operation::kMetrics) co_return core::MetricsAnswer{};  // the gate's own
  }
  core::Answer answer = co_await c->worker.shared.link.call(c->peer.caller, std::move(q->request),
                                                            c->limits().answer_timeout_s);
  const auto* failure = std::get_if<core::Failure>(&answer);
  if (failure != nullptr && q->operation == Operation::kReady) {
    co_return core::ReadyAnswer{false, std::string(base::code_name(failure->code)), {}};
  }
  co_return answer;
}

Reply reply_of(const Connection& c, const Question& q, const core::Answer& answer) {
  if (const auto* metrics = std::get_if<core::MetricsAnswer>(&answer)) {
    const Shared& shared = c.worker.shared;
    return make_metrics_reply(
        metrics->text,
        shared.metrics.text(c.settings->config.name, shared.connections, shared.link.up()), q.form);
  }
  return make_reply(answer, q.form);
}

// A body that may be longer than the first piece that the vault gave of it.
struct Begun {
  core::AuditRead file;  // of which it is
  std::uint64_t size = 0;
  std::uint64_t sent = 0;
};

bool fits(const Connection& c, std::size_t bytes, Buffered& held) {
  return held.hold(bytes, c.limits().max_buffered_bytes);
}

// What follows the first piece. False when it can't be had, or held until a slow client has read
// it: the client sees that its answer ends too early, and asks again.
Awaitable<bool> send_rest(Connection* c, Begun begun, Buffered* held) {
  while (begun.sent < begun.size) {
    begun.file.offset = begun.sent;
    const core::Answer answer = co_await c->worker.shared.link.call(c->peer.caller, begun.file,
                                                                    c->limits().answer_timeout_s);
    const auto* piece = std::get_if<core::AuditPiece>(&answer);
    if (piece == nullptr || piece->size != begun.size || piece->bytes.empty() ||
        piece->bytes.size() > begun.size - begun.sent || !fits(*c, piece->bytes.size(), *held)) {
      co_return false;
    }
    const bool went = co_await send(c, base::as_bytes(piece->bytes));
    if (!went) co_return false;
    begun.sent += piece->bytes.size();
  }
  co_return true;
}

Awaitable<bool> answer(Connection* c, Question q) {
  Reply reply;
  Begun begun;
  if (const auto* read = std::get_if<core::AuditRead>(&q.request)) begun.file = *read;
  if (q.operation == Operation::kHealth && !q.refused) {
    reply = make_health_reply(q.form);
  } else {
    const core::Answer answered = co_await ask(c, &q);
    reply = reply_of(*c, q, answered);
    if (const auto* piece = std::get_if<core::AuditPiece>(&answered)) {
      begun.size = piece->size;
      begun.sent = piece->bytes.size();
    }
  }
  Buffered held(c->worker.shared.buffered);  // its client may not read it
  if (!fits(*c, reply.bytes().size(), held)) {
    reply = make_reply(core::Failure{base::Code::kOverloaded, 1}, q.form);
    begun.size = 0;
  }
  c->worker.shared.metrics.answered(q.operation, reply.status());
  bool sent = co_await send(c, reply.bytes());
  if (sent) sent = co_await send_rest(c, std::move(begun), &held);
  if (answers_with_secret(q.operation)) base::wipe_stack();
  if (!sent) co_return false;
  if (q.form.keep_alive) co_return true;
  c->channel.finish_writing();
  if (q.fatal) co_await linger(c);
  co_return false;
}

// One request and its answer; false when the connection is over.
Awaitable<bool> exchange(Connection* c) {
  Plan plan;
  const auto head = co_await receive_head(c);
  if (head && *head == 0) co_return false;
  if (head) {
    plan = judge(*c, *head);
  } else {
    plan = refused_plan(head.error().code);
  }
  if (!plan.fatal && plan.body_bytes != 0) {
    const auto whole = co_await receive_body(c, &plan);
    if (whole && !*whole) co_return false;
    if (whole) {
      plan = judge(*c, plan.head_bytes);  // the bytes may have moved
    } else {
      plan = refused_plan(whole.error().code);
    }
  }
  c->timed_out = false;  // a refusal still has to be answered
  c->deadline = 0;
  const std::size_t used = plan.fatal ? c->received().size() : plan.head_bytes + plan.body_bytes;
  Question question = question_of(*c, plan);
  c->consume(used);
  if (brings_secret(question.operation)) base::wipe_stack();
  const bool go_on = co_await answer(c, std::move(question));
  co_return go_on;
}

// Then the client gets an alert that says why (RFC 8446 section 6.2).
bool of_certificate(StrangerReason reason) {
  return reason == StrangerReason::kTlsNoCertificate || reason == StrangerReason::kTlsUntrusted ||
         reason == StrangerReason::kTlsExpired || reason == StrangerReason::kTlsRevoked;
}

// Who is there; nothing when the handshake fails, which is counted against the address.
Awaitable<bool> shake_hands(Connection* c) {
  Shared& shared = c->worker.shared;
  const std::int64_t began_s = std::time(nullptr);
  c->expire_in(c->limits().handshake_timeout_s);
  for (;;) {
    const Io io = c->channel.handshake();
    if (io == Io::kDone) break;
    if (io == Io::kClosed) {
      const StrangerReason reason = handshake_failure(c->channel.ssl());
      shared.count_stranger(c->peer.caller.source, reason);
      if (of_certificate(reason)) {  // its client may be sending a request already
        c->channel.finish_writing();
        co_await linger(c);
      }
      co_return false;
    }
    co_await c->channel.wait(io);
    if (c->timed_out) {
      shared.count_stranger(c->peer.caller.source, StrangerReason::kHandshakeTimeout);
      co_return false;
    }
  }
  c->deadline = 0;
  auto peer = peer_of(c->channel.ssl());
  if (!peer) {
    shared.count_stranger(c->peer.caller.source, StrangerReason::kTlsUntrusted);
    co_return false;
  }
  peer->caller.source = c->peer.caller.source;
  c->peer = std::move(*peer);
  c->verified_until_s = c->settings->tls->holds_until(began_s);
  shared.metrics.handshake();
  const int one = 1;  // a client with Nagle's algorithm would stall 40 ms on its first request
  ::setsockopt(c->channel.descriptor(), IPPROTO_TCP, TCP_QUICKACK, &one, sizeof(one));
  co_return true;
}

}  // namespace

Awaitable<void> serve(std::unique_ptr<Connection> connection) {
  Connection* const c = connection.get();
  if (c->listener == Listener::kTls) {
    const bool known = co_await shake_hands(c);
    if (!known) co_return;
  }
  for (bool going = true; going && !c->worker.stopping;) going = co_await exchange(c);
}

}  // namespace cardvault::gate
