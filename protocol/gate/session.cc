// The way of a request through the gate: bytes → head → body → core::Request → vault → answer.
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <ctime>

#include "protocol/gate/ascii.h"
#include "protocol/gate/connection.h"
#include "protocol/gate/http_head.h"
#include "protocol/gate/json_request.h"
#include "protocol/gate/reply.h"

namespace cardvault::gate {
namespace {

using base::Code;

constexpr std::uint32_t kLinger_s = 2;
constexpr std::size_t kMaxIdempotencyKey = 128;
constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

// What the head asks for, or why that is refused. Views point into the received bytes.
struct Plan {
  RequestHead head;
  Route route;
  std::size_t head_bytes = 0;
  std::size_t body_bytes = 0;
  std::optional<Code> refusal;
  bool fatal = false;  // the end of this request can't be found, or is not worth reading

  void refuse(Code code, bool ends = false) {
    if (!refusal) refusal = code;
    fatal = fatal || ends;
  }
};

bool is_json(std::string_view content_type) noexcept {
  const std::size_t semicolon = content_type.find(';');
  if (!same_text(trimmed(content_type.substr(0, semicolon)), "application/json")) return false;
  if (semicolon == content_type.npos) return true;
  return same_text(trimmed(content_type.substr(semicolon + 1)), "charset=utf-8");
}

bool usable_key(const RequestHead& head) noexcept {
  const std::string_view key = head.idempotency_key;
  if (head.repeated_idempotency_key) return false;
  if (key.data() == nullptr) return true;  // none was sent
  return !key.empty() && key.size() <= kMaxIdempotencyKey &&
         std::ranges::all_of(key, [](char c) { return c > 0x20 && c < 0x7f; });
}

Plan judge(const Connection& c, std::size_t head_bytes) {
  Plan plan;
  plan.head_bytes = head_bytes;
  const auto head = parse_head(c.received().substr(0, head_bytes));
  if (!head) {
    plan.refuse(head.error().code, true);
    return plan;
  }
  plan.head = *head;
  const std::uint64_t length = head->content_length.value_or(0);
  if (length > c.limits().max_body_bytes) {
    plan.refuse(Code::kPayloadTooLarge, true);
  } else {
    plan.body_bytes = static_cast<std::size_t>(length);
  }
  const auto routed = find_route(c.listener, head->method, head->target, plan.route);
  if (!routed) {
    plan.refuse(routed.error().code);
  } else if (!plan.route.takes_body) {
    if (length > 0) plan.refuse(Code::kBadHttp, true);
  } else if (!head->content_length) {
    plan.refuse(Code::kLengthRequired, true);
  } else if (!is_json(head->content_type)) {
    plan.refuse(Code::kUnsupportedMediaType);
  }
  if (plan.route.operation == Operation::kTokenize && !usable_key(*head)) {
    plan.refuse(Code::kInvalidIdempotencyKey);
  }
  if (plan.refusal && head->expects_continue) plan.fatal = true;  // it will not send the body
  return plan;
}

base::Result<core::Request> read_request(const Connection& c, const Plan& plan) {
  const auto token = std::string(plan.route.token);
  switch (plan.route.operation) {
    case Operation::kTokenize:
    case Operation::kDetokenize:
    case Operation::kCardsSearch: {
      auto request =
          decode_body(plan.route.operation, c.received().substr(plan.head_bytes, plan.body_bytes));
      if (request && plan.route.operation == Operation::kTokenize) {
        std::get<core::Tokenize>(*request).idempotency_key = plan.head.idempotency_key;
      }
      return request;
    }
    case Operation::kTokenGet:
      return core::TokenGet{token};
    case Operation::kTokenDelete:
      return core::TokenDelete{token};
    case Operation::kTokenFreeze:
      return core::TokenFreeze{token, true};
    case Operation::kTokenUnfreeze:
      return core::TokenFreeze{token, false};
    case Operation::kWhoami:
      return core::Whoami{};
    case Operation::kMetrics:
      return core::MetricsRead{};
    case Operation::kHealth:
    case Operation::kReady:
    case Operation::kUnknown:
      return core::ReadyCheck{};
  }
  return base::fail(Code::kInternal, "read request");
}

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

// The length of a whole head; 0 when the connection just ends.
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

// True when the whole body is there; false when the connection just ends.
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

// Whether the certificate shown at the handshake is still good: its end by the clock at every
// request, its issuer and revocation list whenever the gate's own files have changed.
base::Result<void> check_certificate(Connection& c) {
  const Shared& shared = c.worker.shared;
  if (c.settings->generation != shared.generation.load(std::memory_order_acquire)) {
    c.settings = shared.settings.load();
    if (c.listener == Listener::kTls) {
      if (auto good = c.settings->tls->verify_again(c.channel.ssl()); !good) return good;
    }
  }
  if (c.listener == Listener::kTls && std::time(nullptr) > c.peer.not_after_s) {
    return base::fail(Code::kCertificateExpired, "certificate");
  }
  return {};
}

// What the vault is asked, and what stays of the plan once its bytes are gone.
struct Question {
  core::Request request;
  Operation operation = Operation::kUnknown;
  ReplyForm form;
  bool fatal = false;
  bool refused = false;
};

Question question_of(Connection& c, Plan plan) {
  Question q;
  q.operation = plan.route.operation;
  q.form.head_only = plan.head.method == "HEAD";
  q.form.allow = plan.route.allow;
  if (!plan.refusal) {
    if (const auto good = check_certificate(c); !good) plan.refuse(good.error().code, true);
  }
  if (!plan.refusal) {
    auto request = read_request(c, plan);
    if (request) {
      q.request = std::move(*request);
    } else {
      plan.refuse(request.error().code);
    }
  }
  if (plan.refusal) {
    q.request = core::Refused{*plan.refusal, std::string(operation_label(q.operation))};
  }
  q.refused = plan.refusal.has_value();
  q.fatal = plan.fatal;
  q.form.keep_alive = plan.head.keep_alive && !plan.fatal && !c.worker.stopping;
  return q;
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

// Reads and drops what the client still sends, so that a reset doesn't take the answer from it.
Awaitable<void> linger(Connection* c) {
  c->expire_in(kLinger_s);
  while (!c->timed_out) {
    const Io io = c->channel.drain();
    if (io == Io::kClosed) co_return;
    if (io == Io::kWantRead) co_await c->channel.wait(io);
  }
}

Awaitable<bool> answer(Connection* c, Question q) {
  Reply reply;
  if (q.operation == Operation::kHealth && !q.refused) {
    reply = make_health_reply(q.form);
  } else {
    const core::Answer answered = co_await ask(c, &q);
    reply = reply_of(*c, q, answered);
  }
  c->worker.shared.metrics.answered(q.operation, reply.status());
  const bool sent = co_await send(c, reply.bytes());
  if (q.operation == Operation::kDetokenize) base::wipe_stack();
  if (!sent) co_return false;
  if (q.form.keep_alive) co_return true;
  c->channel.finish_writing();
  if (q.fatal) co_await linger(c);
  co_return false;
}

Plan refused_plan(Code code) {
  Plan plan;
  plan.refuse(code, true);
  return plan;
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
  if (std::holds_alternative<core::Tokenize>(question.request)) base::wipe_stack();
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
