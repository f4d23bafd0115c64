// A report as one page of HTML that needs nothing else.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "provisioning/auditor/report_tally.h"
#include "provisioning/auditor/report_text.h"
#include "vault/audit/verify.h"

namespace cardvault::auditor {

// What a running vault says of itself beside its log.
struct StatedKey {
  std::string label, state, kcv;
  std::int64_t created_ms = 0, period_ends_ms = 0;  // 0: no end
};
struct StatedClient {
  std::string id, state, permissions, purposes;
  std::int64_t created_ms = 0;
  std::uint64_t per_hour = 0, per_day = 0;  // reveals; 0: no limit
};
struct VaultState {
  std::int64_t time_ms = 0;
  std::vector<StatedKey> keys;
  std::vector<StatedClient> clients;
};

struct ReportFacts {
  std::int64_t from_ms = 0, to_ms = 0, made_ms = 0;
  audit::VerifyReport verified;
  std::string checkpoint_note, key;    // as they stand in their files
  std::vector<std::string> continues;  // kept checkpoints' names
  std::optional<VaultState> vault;
};

// No script, no outside resource, a content policy that allows neither; the style is named in it by
// its hash. `tally` is not looked at when the log is not verified.
[[nodiscard]] std::string report_page(Language language, const ReportFacts& facts,
                                      const ReportTally& tally);

}  // namespace cardvault::auditor
