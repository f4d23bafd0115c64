// Answers as HTTP responses: head and body in one wiped buffer, to be written at once.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "vault/base/secret.h"
#include "vault/core/request.h"

namespace cardvault::gate {

// How to say it, beside what.
struct ReplyForm {
  bool keep_alive = true;
  bool head_only = false;  // answers HEAD: a length, but no body
  bool immutable = false;  // what is at this path never changes
  std::string_view allow;  // for method_not_allowed
};

class Reply {
 public:
  [[nodiscard]] std::span<const std::uint8_t> bytes() const noexcept {
    return std::span(buffer_).subspan(begin_);
  }
  [[nodiscard]] unsigned status() const noexcept { return status_; }
  [[nodiscard]] base::Code code() const noexcept { return code_; }  // of a failure

 private:
  friend class ReplyWriter;
  base::SecretBuffer buffer_;
  std::size_t begin_ = 0;
  unsigned status_ = 200;
  base::Code code_ = base::Code::kInternal;
};

// A TokenizeAnswer or DetokenizeAnswer that is no batch holds one item: a Failure there becomes the
// problem response. Never throws on any Answer that the wire decodes. Thread-safe.
[[nodiscard]] Reply make_reply(const core::Answer& answer, const ReplyForm& form);

// Metrics of the vault and the gate together; Prometheus text format 0.0.4.
[[nodiscard]] Reply make_metrics_reply(std::string_view vault, std::string_view gate,
                                       const ReplyForm& form);

// {"status":"ok"}: this process serves.
[[nodiscard]] Reply make_health_reply(const ReplyForm& form);

}  // namespace cardvault::gate
