// The log lines of the group being written.
#pragma once

#include <cstdint>
#include <string>

#include "vault/audit/leaves.h"
#include "vault/core/store.h"

namespace cardvault::store {

// Encodes events as they are added, numbered from `first_seq` on. The log's time never steps back:
// an event that was made before the one it follows gets that one's time, `last_ms`. Committer
// thread.
class GroupLog : public core::EventSink {
 public:
  GroupLog(std::uint64_t first_seq, std::int64_t& last_ms)
      : first_seq_(first_seq), last_ms_(last_ms) {}
  void add(const core::Event& event) override {
    if (event.time_ms >= last_ms_) {
      last_ms_ = event.time_ms;
      audit::append_leaf(leaves_, next_seq(), event);
    } else {
      core::Event later = event;
      later.time_ms = last_ms_;
      audit::append_leaf(leaves_, next_seq(), later);
    }
    ++count_;
  }
  [[nodiscard]] std::uint64_t first_seq() const noexcept { return first_seq_; }
  [[nodiscard]] std::uint64_t next_seq() const noexcept override { return first_seq_ + count_; }
  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  [[nodiscard]] const std::string& leaves() const noexcept { return leaves_; }

 private:
  std::uint64_t first_seq_;
  std::int64_t& last_ms_;
  std::uint64_t count_ = 0;
  std::string leaves_;
};

}  // namespace cardvault::store
