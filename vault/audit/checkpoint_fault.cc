#include "vault/audit/checkpoint_fault.h"

#include "vault/audit/tile.h"

namespace cardvault::audit {

std::optional<Finding> checkpoint_fault(const OpenedCheckpoint& opened, const VerifierKey& key) {
  Finding finding{Fault::kForgedSignature, kNoRecord, std::string(kCheckpointPath), 0, ""};
  switch (opened.trust) {
    case Trust::kGood:
      return std::nullopt;
    case Trust::kMalformed:
      finding.what = "the file is no signed checkpoint";
      break;
    case Trust::kForged:
      finding.what = "the checkpoint's signature is not of its text by this key";
      break;
    case Trust::kOtherKey:
      finding.fault = Fault::kForeignLog;
      finding.what =
          "the checkpoint is signed by another key of this name, which the log's own keys "
          "did not endorse in it: it is of another vault, or this key is not its own";
      break;
    case Trust::kOtherLog:
      finding.fault = Fault::kForeignLog;
      finding.what = "the checkpoint is not of the log " + key.name();
      break;
  }
  return finding;
}

}  // namespace cardvault::audit
