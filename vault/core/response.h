// What leaves the vault. No answer exists without a durable audit event: with() needs its receipt.
#pragma once

#include <utility>

#include "vault/core/event.h"
#include "vault/core/request.h"

namespace cardvault::core {

class Response {
 public:
  [[nodiscard]] static Response with(const Receipt& /*proof*/, Answer answer) {
    return Response(std::move(answer));
  }
  // For failures that cannot be recorded (the log can't be written, the vault is down or
  // overloaded) or are recorded in aggregate (rate limits). Aborts on any other code: they need a
  // receipt.
  [[nodiscard]] static Response unaudited(Failure failure);

  [[nodiscard]] const Answer& answer() const noexcept { return answer_; }
  [[nodiscard]] Answer take() && { return std::move(answer_); }

 private:
  explicit Response(Answer answer) : answer_(std::move(answer)) {}
  Answer answer_;
};

}  // namespace cardvault::core
