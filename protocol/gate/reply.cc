#include "protocol/gate/reply.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "protocol/gate/json_answer.h"
#include "protocol/gate/problem.h"
#include "vault/base/check.h"

namespace cardvault::gate {
namespace {

constexpr std::size_t kHeadRoom = 512;  // the longest head, with room to spare
constexpr std::string_view kJson = "application/json";
constexpr std::string_view kProblemJson = "application/problem+json";
constexpr std::string_view kJwkSet = "application/jwk-set+json";  // RFC 7517 section 8.5.2
constexpr std::string_view kText = "text/plain; charset=utf-8";
constexpr std::string_view kBytes = "application/octet-stream";
constexpr std::string_view kNever = "no-store";
constexpr std::string_view kForEver = "private, max-age=31536000, immutable";  // RFC 8246
constexpr std::string_view kPrometheus = "text/plain; version=0.0.4; charset=utf-8";

// Text of bounded length, on the stack.
class Head {
 public:
  Head& operator<<(std::string_view text) {
    CARDVAULT_CHECK(size_ + text.size() <= bytes_.size());
    std::ranges::copy(text, bytes_.begin() + static_cast<std::ptrdiff_t>(size_));
    size_ += text.size();
    return *this;
  }
  Head& operator<<(std::size_t number) {
    std::array<char, 20> digits;
    const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
    return *this << std::string_view(digits.data(), static_cast<std::size_t>(end - digits.data()));
  }
  [[nodiscard]] std::string_view text() const { return {bytes_.data(), size_}; }

 private:
  std::array<char, kHeadRoom> bytes_;
  std::size_t size_ = 0;
};

// A client that is told to wait without being told how long would come back at once.
std::uint32_t retry_after(const core::Failure& failure, unsigned status) noexcept {
  if (failure.retry_after_s == 0 && (status == 503 || status == 429)) return 1;
  return failure.retry_after_s;
}

}  // namespace

// The body is written behind room for the head, which then goes right before it.
class ReplyWriter {
 public:
  explicit ReplyWriter(const ReplyForm& form) : form_(form) {
    reply_.buffer_.reserve(kHeadRoom + 1024);
    reply_.buffer_.resize(kHeadRoom);
  }
  [[nodiscard]] JsonWriter json() noexcept { return JsonWriter(reply_.buffer_); }
  void append(std::string_view text) {
    const auto bytes = base::as_bytes(text);
    reply_.buffer_.insert(reply_.buffer_.end(), bytes.begin(), bytes.end());
  }

  Reply finish(unsigned status, std::string_view type, std::uint32_t retry_after_s = 0) {
    return finish_part(status, type, kNever, reply_.buffer_.size() - kHeadRoom, retry_after_s);
  }

  // What is written so far is the beginning of a body of `length` bytes.
  Reply finish_part(unsigned status, std::string_view type, std::string_view keep,
                    std::size_t length, std::uint32_t retry_after_s) {
    base::SecretBuffer& buffer = reply_.buffer_;
    Head head;
    head << "HTTP/1.1 " << std::size_t{status} << " " << reason_phrase(status) << "\r\n";
    if (status != 204) {
      head << "Content-Type: " << type << "\r\nContent-Length: " << length << "\r\n";
    }
    head << "Cache-Control: " << keep << "\r\n";
    if (retry_after_s != 0) head << "Retry-After: " << std::size_t{retry_after_s} << "\r\n";
    if (status == 405) head << "Allow: " << form_.allow << "\r\n";
    if (!form_.keep_alive) head << "Connection: close\r\n";
    head << "\r\n";
    const std::string_view text = head.text();
    reply_.begin_ = kHeadRoom - text.size();
    std::ranges::copy(base::as_bytes(text),
                      buffer.begin() + static_cast<std::ptrdiff_t>(reply_.begin_));
    if (form_.head_only) {
      base::wipe(buffer.data() + kHeadRoom, buffer.size() - kHeadRoom);
      buffer.resize(kHeadRoom);
    }
    reply_.status_ = status;
    return std::move(reply_);
  }

  Reply problem(core::Failure failure) {
    const unsigned status = problem_of(failure.code).status;
    failure.retry_after_s = retry_after(failure, status);
    JsonWriter out = json();
    write_problem(out, failure);
    reply_.code_ = failure.code;
    return finish(status, kProblemJson, failure.retry_after_s);
  }

  Reply operator()(const core::Failure& failure) { return problem(failure); }
  Reply operator()(const core::TokenizeAnswer& answer) {
    JsonWriter out = json();
    if (answer.batch) {
      write_items(out, answer);
    } else if (const auto* failure = std::get_if<core::Failure>(&answer.items.front())) {
      return problem(*failure);
    } else {
      write_tokenized(out, std::get<core::CardView>(answer.items.front()));
    }
    return finish(200, kJson);
  }
  Reply operator()(const core::DetokenizeAnswer& answer) {
    JsonWriter out = json();
    if (answer.batch) {
      write_items(out, answer);
    } else if (const auto* failure = std::get_if<core::Failure>(&answer.items.front())) {
      return problem(*failure);
    } else if (const auto* masked = std::get_if<core::Masked>(&answer.items.front())) {
      write_masked(out, *masked);
    } else if (const auto* sealed = std::get_if<core::SealedCard>(&answer.items.front())) {
      write_sealed(out, *sealed);
    } else {
      write_revealed(out, std::get<core::Revealed>(answer.items.front()));
    }
    return finish(200, kJson);
  }
  Reply operator()(const core::SearchAnswer& answer) {
    JsonWriter out = json();
    write_search(out, answer);
    return finish(200, kJson);
  }
  Reply operator()(const core::CardView& card) {
    JsonWriter out = json();
    write_card(out, card);
    return finish(200, kJson);
  }
  Reply operator()(const core::Done&) { return finish(204, ""); }
  Reply operator()(const core::WhoamiAnswer& answer) {
    JsonWriter out = json();
    write_whoami(out, answer);
    return finish(200, kJson);
  }
  Reply operator()(const core::MetricsAnswer& answer) {
    append(answer.text);
    return finish(200, kPrometheus);
  }
  Reply operator()(const core::ReadyAnswer& answer) {
    JsonWriter out = json();
    write_ready(out, answer);
    return finish(answer.ready ? 200 : 503, kJson, answer.ready ? 0 : 1);
  }
  Reply operator()(const core::OtpSealedAnswer& answer) {
    JsonWriter out = json();
    write_otp_sealed(out, answer);
    return finish(200, kJson);
  }
  Reply operator()(const core::VerifiedAnswer& answer) {
    JsonWriter out = json();
    write_verified(out, answer);
    return finish(200, kJson);
  }
  Reply operator()(const core::JwksAnswer& answer) {
    append(answer.json);
    return finish(200, kJwkSet);
  }
  Reply operator()(const core::AuditPiece& answer) {
    append(answer.bytes);
    return finish_part(200, form_.immutable ? kBytes : kText, form_.immutable ? kForEver : kNever,
                       static_cast<std::size_t>(answer.size), 0);
  }

 private:
  const ReplyForm& form_;
  Reply reply_;
};

Reply make_reply(const core::Answer& answer, const ReplyForm& form) {
  ReplyWriter writer(form);
  return std::visit(writer, answer);
}

Reply make_metrics_reply(std::string_view vault, std::string_view gate, const ReplyForm& form) {
  ReplyWriter writer(form);
  writer.append(vault);
  writer.append(gate);
  return writer.finish(200, kPrometheus);
}

Reply make_health_reply(const ReplyForm& form) {
  ReplyWriter writer(form);
  JsonWriter out = writer.json();
  out.open('{');
  out.field("status", "ok");
  out.close('}');
  return writer.finish(200, kJson);
}

}  // namespace cardvault::gate
