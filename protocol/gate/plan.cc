#include "protocol/gate/plan.h"

#include <algorithm>
#include <ctime>

#include "protocol/gate/json_request.h"
#include "vault/base/ascii.h"

namespace cardvault::gate {
namespace {

using base::Code;

constexpr std::size_t kMaxIdempotencyKey = 128;

// A body in an encoding (gzip) is not JSON until somebody decodes it, and nobody here does.
bool is_json(const RequestHead& head) noexcept {
  const std::string_view content_type = head.content_type, encoding = head.content_encoding;
  if (!encoding.empty() && !base::same_text(encoding, "identity")) return false;
  const std::size_t semicolon = content_type.find(';');
  if (!base::same_text(base::trimmed(content_type.substr(0, semicolon)), "application/json"))
    return false;
  if (semicolon == content_type.npos) return true;
  const std::string_view parameter = base::trimmed(content_type.substr(semicolon + 1));
  return base::same_text(parameter, "charset=utf-8") ||
         base::same_text(parameter, "charset=\"utf-8\"");  // the same, RFC 9110 5.6.6
}

bool takes_key(Operation operation) noexcept {
  return operation == Operation::kTokenize || operation == Operation::kOtpSeal;
}

bool usable_key(const RequestHead& head) noexcept {
  const std::string_view key = head.idempotency_key;
  if (head.repeated_idempotency_key) return false;
  if (key.data() == nullptr) return true;  // none was sent
  return !key.empty() && key.size() <= kMaxIdempotencyKey &&
         std::ranges::all_of(key, [](char c) { return c > 0x20 && c < 0x7f; });
}

std::expected<core::Request, core::Failure> read_request(const Connection& c, const Plan& plan) {
  const auto token = std::string(plan.route.token);
  switch (plan.route.operation) {
    case Operation::kTokenize:
    case Operation::kDetokenize:
    case Operation::kCardsSearch:
    case Operation::kOtpSeal:
    case Operation::kOtpVerify:
    case Operation::kOtpCancel:
    case Operation::kSecretEnroll:
    case Operation::kSecretVerify:
    case Operation::kSecretChange:
    case Operation::kSecretRemove: {
      auto request =
          decode_body(plan.route.operation, c.received().substr(plan.head_bytes, plan.body_bytes));
      if (!request) return request;
      if (auto* tokenize = std::get_if<core::Tokenize>(&*request)) {
        tokenize->idempotency_key = plan.head.idempotency_key;
      } else if (auto* seal = std::get_if<core::OtpSeal>(&*request)) {
        seal->idempotency_key = plan.head.idempotency_key;
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
    case Operation::kJwks:
      return core::JwksRead{};
    case Operation::kMetrics:
      return core::MetricsRead{};
    case Operation::kAuditRead:
      return core::AuditRead{std::string(plan.route.file)};
    case Operation::kHealth:
    case Operation::kReady:
    case Operation::kUnknown:
      return core::ReadyCheck{};
  }
  return std::unexpected(core::Failure{});
}

base::Result<void> check_certificate(Connection& c) {
  const Shared& shared = c.worker.shared;
  const bool reloaded = c.settings->generation != shared.generation.load(std::memory_order_acquire);
  if (reloaded) c.settings = shared.settings.load();
  if (c.listener != Listener::kTls) return {};
  const std::int64_t now_s = std::time(nullptr);
  if (reloaded || now_s >= c.verified_until_s) {
    const Tls& tls = *c.settings->tls;
    if (auto good = tls.verify_again(c.channel.ssl()); !good) return good;
    c.verified_until_s = tls.holds_until(now_s);
  }
  if (now_s > c.peer.not_after_s) return base::fail(Code::kCertificateExpired, "certificate");
  return {};
}

}  // namespace

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
  } else if (!is_json(*head)) {
    plan.refuse(Code::kUnsupportedMediaType);
  }
  if (takes_key(plan.route.operation) && !usable_key(*head)) {
    plan.refuse(Code::kInvalidIdempotencyKey);
  }
  if (plan.refusal && head->expects_continue) plan.fatal = true;  // it will not send the body
  return plan;
}

Plan refused_plan(Code code) {
  Plan plan;
  plan.refuse(code, true);
  return plan;
}

Question question_of(Connection& c, Plan plan) {
  Question q;
  q.operation = plan.route.operation;
  q.form.head_only = plan.head.method == "HEAD";
  q.form.allow = plan.route.allow;
  q.form.immutable = plan.route.operation == Operation::kAuditRead &&
                     plan.route.file != "checkpoint" && plan.route.file != "segment/latest";
  if (const auto good = check_certificate(c); !good) {  // before all that it may have got wrong
    plan.refusal = core::Failure{good.error().code};
    plan.fatal = true;
  }
  if (!plan.refusal) {
    auto request = read_request(c, plan);
    if (request) {
      q.request = std::move(*request);
    } else {
      plan.refuse(request.error());
    }
  }
  if (plan.refusal) {
    q.request = core::Refused{plan.refusal->code, std::string(operation_label(q.operation)),
                              plan.refusal->item};
  }
  q.refused = plan.refusal.has_value();
  q.fatal = plan.fatal;
  q.form.keep_alive = plan.head.keep_alive && !plan.fatal && !c.worker.stopping;
  return q;
}

}  // namespace cardvault::gate
