// The log lines of the group being written.
#pragma once

#include <cstdint>
#include <string>

#include "vault/audit/leaves.h"
#include "vault/core/store.h"

namespace cardvault::store {

// Encodes events as they are added, numbered from `first_seq` on. Committer thread.
class GroupLog : public core::EventSink {
 public:
  explicit GroupLog(std::uint64_t first_seq) : first_seq_(first_seq) {}
  void add(const core::Event& event) override {
    audit::append_leaf(leaves_, next_seq(), event);
    ++count_;
  }
  [[nodiscard]] std::uint64_t first_seq() const noexcept { return first_seq_; }
  [[nodiscard]] std::uint64_t next_seq() const noexcept override { return first_seq_ + count_; }
  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  [[nodiscard]] const std::string& leaves() const noexcept { return leaves_; }

 private:
  std::uint64_t first_seq_;
  std::uint64_t count_ = 0;
  std::string leaves_;
};

}  // namespace cardvault::store
