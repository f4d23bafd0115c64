// The way of a request through the gate: bytes → head → body → core::Request → vault → answer.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

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
Awaitable<core::Answer> ask(Connection* c, const Question* q) {
  if (c->listener == Listener::kHealth) {
    if (q->refused) co_return core::Failure{std::get<core::Refused>(q->request).code, 0};
    if (q->operation == Operation::kMetrics) co_return core::MetricsAnswer{};  // the gate's own
  }
  core::Answer answer =
      co_await c->worker.shared.link.call(c->peer.caller, q->request, c->limits().answer_timeout_s);
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

// What follows the first piece of a file of the log. False when it can't be had: the client sees
// that its answer ends too early, and asks again.
Awaitable<bool> send_rest(Connection* c, const Question* q, core::AuditPiece piece) {
  core::Request next = core::AuditRead{std::get<core::AuditRead>(q->request).path, 0};
  for (std::uint64_t sent = piece.bytes.size(); sent < piece.size; sent += piece.bytes.size()) {
    std::get<core::AuditRead>(next).offset = sent;
    core::Answer answer =
        co_await c->worker.shared.link.call(c->peer.caller, next, c->limits().answer_timeout_s);
    auto* more = std::get_if<core::AuditPiece>(&answer);
    if (more == nullptr || more->size != piece.size || more->bytes.empty() ||
        more->bytes.size() > piece.size - sent) {
      co_return false;
    }
    piece = std::move(*more);
    const bool went = co_await send(c, base::as_bytes(piece.bytes));
    if (!went) co_return false;
  }
  co_return true;
}

Awaitable<bool> answer(Connection* c, Question q) {
  Reply reply;
  core::AuditPiece begun;  // a body that may be longer than its first piece
  if (q.operation == Operation::kHealth && !q.refused) {
    reply = make_health_reply(q.form);
  } else {
    core::Answer answered = co_await ask(c, &q);
    reply = reply_of(*c, q, answered);
    if (auto* piece = std::get_if<core::AuditPiece>(&answered)) begun = std::move(*piece);
  }
  c->worker.shared.metrics.answered(q.operation, reply.status());
  bool sent = co_await send(c, reply.bytes());
  if (sent && begun.bytes.size() < begun.size) sent = co_await send_rest(c, &q, std::move(begun));
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

// Who is there; nothing when the handshake fails, which is counted against the address.
Awaitable<bool> shake_hands(Connection* c) {
  Shared& shared = c->worker.shared;
  c->expire_in(c->limits().handshake_timeout_s);
  for (;;) {
    const Io io = c->channel.handshake();
    if (io == Io::kDone) break;
    if (io == Io::kClosed) {
      shared.count_stranger(c->peer.caller.source, handshake_failure(c->channel.ssl()));
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
