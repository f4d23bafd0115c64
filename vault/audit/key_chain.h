// The keys of a log over the years: each is endorsed, in the log itself, by the one before, or by
// the custodians' quorum where that one was lost.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vault/audit/checkpoint.h"
#include "vault/audit/log_view.h"

namespace cardvault::audit {

struct EndorsedKey {
  VerifierKey key;
  std::uint64_t record = 0;  // of the event that endorses it
  // Where it was the quorum: the last checkpoint (a note) that was known of the lost key's log,
  // which this one has to continue. Else empty.
  std::string last_known = {};
};

// The key that an event endorses in a statement signed by `by` (docs/keys.md); nullopt: none.
[[nodiscard]] std::optional<VerifierKey> endorsed_key(std::string_view event,
                                                      const VerifierKey& by);

// What the event "key.replace" says: a key in the place of a lost one.
struct Replacement {
  VerifierKey lost, key;
  std::string last_known;  // a checkpoint's note
  std::string action;      // what custodians approved
  std::vector<std::string> approvals;
  std::int64_t time_ms = 0;
};
// Why a replacement is not believed; "": it is. Whose custodians to trust is the reader's to say.
using QuorumJudge = std::function<std::string(const Replacement&, const Checkpoint& last)>;

// Of each event that endorses a key of the log, by whichever key, or puts one in a lost one's
// place, in the log's order; its signature is not looked at. Returns where the search had to end:
// the file that is missing, and its first record. Throws StartupError as LogView.
struct MissingFile {
  std::string path;
  std::uint64_t record = 0;
};
std::optional<MissingFile> for_each_handover(
    const LogView& view,
    const std::function<void(std::string_view event, std::uint64_t record)>& each);

// Takes events in the log's order.
class KeyChain {
 public:
  // Without a judge no replacement is believed.
  KeyChain(const VerifierKey& first, QuorumJudge judge)
      : known_({first}), judge_(std::move(judge)) {}
  void look_at(std::string_view event, std::uint64_t record);

  [[nodiscard]] const std::vector<EndorsedKey>& successors() const noexcept { return found_; }
  // Which replacement was not believed and why, in words; "" when none was refused. The chain ends
  // there.
  [[nodiscard]] const std::string& refused() const noexcept { return refused_; }
  [[nodiscard]] std::uint64_t refused_record() const noexcept { return refused_record_; }

 private:
  void judge(const Replacement& said, std::uint64_t record);

  std::vector<VerifierKey> known_;
  QuorumJudge judge_;
  std::vector<EndorsedKey> found_;
  std::string refused_;
  std::uint64_t refused_record_ = 0;
};
struct Successors {
  std::vector<EndorsedKey> keys;       // in their order
  std::optional<std::string> missing;  // the file at which the search had to end
  std::uint64_t missing_record = 0;    // its first record
  std::string refused;                 // KeyChain::refused()
  std::uint64_t refused_record = 0;
};
// The keys that came after `first`. A key endorses one, the first that it names: what an old key
// signs later counts for nothing. Reads all records, so whoever needs no other key than `first`
// doesn't call it. What it reads is checked by the endorsements' signatures alone: the caller
// proves that the log continues each last_known. Throws StartupError as LogView.
[[nodiscard]] Successors find_successors(const LogView& view, const VerifierKey& first,
                                         const QuorumJudge& judge);

}  // namespace cardvault::audit
