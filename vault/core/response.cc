#include "vault/core/response.h"

#include "vault/base/check.h"

namespace cardvault::core {
namespace {

// What can be said without a durable event: the log can't be written, or would be flooded.
bool needs_no_receipt(base::Code code) noexcept {
  switch (code) {
    case base::Code::kRateLimited:       // recorded in aggregate
    case base::Code::kVaultUnavailable:  // the daemon is going, coming or gone
    case base::Code::kOverloaded:        // the committer's queue is full
    case base::Code::kSealed:            // the log is not open yet
    case base::Code::kStoreFailed:       // the log can't be written
    case base::Code::kStorageFull:
    case base::Code::kClockSuspect:  // no event without a time to put into it
      return true;
    default:
      return false;
  }
}

}  // namespace

Response Response::unaudited(Failure failure) {
  CARDVAULT_CHECK(needs_no_receipt(failure.code));
  return Response(failure);
}

}  // namespace cardvault::core
