// From received bytes to what the vault is asked. No I/O.
#pragma once

#include <optional>

#include "protocol/gate/connection.h"
#include "protocol/gate/http_head.h"
#include "protocol/gate/reply.h"
#include "protocol/gate/routes.h"
#include "vault/core/request.h"

namespace cardvault::gate {

// What the head asks for, or why that is refused. Views point into the received bytes.
struct Plan {
  RequestHead head;
  Route route;
  std::size_t head_bytes = 0;
  std::size_t body_bytes = 0;
  std::optional<core::Failure> refusal;
  bool fatal = false;  // the end of this request can't be found, or is not worth reading

  void refuse(base::Code code, bool ends = false) { refuse(core::Failure{code}, ends); }
  void refuse(const core::Failure& failure, bool ends = false) {
    if (!refusal) refusal = failure;
    fatal = fatal || ends;
  }
};

// Judges the head at the beginning of what was received; the body need not be there yet.
[[nodiscard]] Plan judge(const Connection& c, std::size_t head_bytes);

// For a request whose end was never found.
[[nodiscard]] Plan refused_plan(base::Code code);

// What the vault is asked, and what stays of the plan once its bytes are gone.
struct Question {
  core::Request request;
  Operation operation = Operation::kUnknown;
  ReplyForm form;
  bool fatal = false;
  bool refused = false;
};

// Reads the body and looks at the client's certificate once more: whether it has ended by the
// clock, and, when the gate's own files have changed or a revocation list has ended, whether issuer
// and list still vouch for it. What is refused becomes a core::Refused.
[[nodiscard]] Question question_of(Connection& c, Plan plan);

}  // namespace cardvault::gate
