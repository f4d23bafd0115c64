// Reads a published log from its signed root down: all that it gives is what the checkpoint signs.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>
#include <vector>

#include "vault/audit/checkpoint.h"
#include "vault/audit/log_view.h"
#include "vault/audit/tile_judge.h"

namespace cardvault::audit {

// What lies in the files is not what the checkpoint signs; says where.
class NotProven : public base::StartupError {
 public:
  using base::StartupError::StartupError;
};

// Keeps the last tile of each level, so it is for one thread: others make one of their own. Each
// call throws NotProven, and StartupError where a file can't be read.
class ProvenLog {
 public:
  // `checkpoint` is trusted; whether a key signed it was asked before (open_checkpoint). `read` as
  // for LogView.
  ProvenLog(ReadFile read, Checkpoint checkpoint);
  ProvenLog(const ProvenLog&) = delete;             // its judge holds its view's address
  ProvenLog& operator=(const ProvenLog&) = delete;  // its judge holds its view's address

  [[nodiscard]] const Checkpoint& checkpoint() const noexcept { return checkpoint_; }
  [[nodiscard]] std::uint64_t bundles() const { return view_.tiles_at(0); }
  // The root of the complete subtree number `index` of 256^level records.
  [[nodiscard]] Hash node(unsigned level, std::uint64_t index);
  // The records of a bundle, in order, all of them checked before the first is given. The text is
  // gone after the call.
  using Each = std::function<void(std::uint64_t record, std::string_view entry)>;
  void read_bundle(std::uint64_t index, const Each& each);

 private:
  struct Kept {
    std::uint64_t index = UINT64_MAX;
    std::vector<Hash> hashes;
  };
  [[nodiscard]] const std::vector<Hash>& tile(unsigned level, std::uint64_t index);
  [[nodiscard]] std::vector<Hash> checked(unsigned level, std::uint64_t index);

  const Checkpoint checkpoint_;
  const LogView view_;
  const TileJudge judge_;
  TileJudge::Edge edge_;
  std::array<Kept, kMaxTileLevels> kept_;
};

}  // namespace cardvault::audit
