#include "vault/audit/finding.h"

namespace cardvault::audit {

std::string_view fault_name(Fault fault) noexcept {
  switch (fault) {
    case Fault::kFlipped:
      return "flipped";
    case Fault::kMissing:
      return "missing";
    case Fault::kInserted:
      return "inserted";
    case Fault::kReordered:
      return "reordered";
    case Fault::kDuplicated:
      return "duplicated";
    case Fault::kTruncated:
      return "truncated";
    case Fault::kRewritten:
      return "rewritten";
    case Fault::kRolledBack:
      return "rolled back";
    case Fault::kForgedSignature:
      return "forged signature";
    case Fault::kForeignLog:
      return "foreign log";
    case Fault::kMalformed:
      return "malformed";
  }
  return "";
}

}  // namespace cardvault::audit
