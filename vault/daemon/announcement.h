// Events of the vault itself, and small effects that belong to no client's request.
#pragma once

#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "vault/core/store.h"

namespace cardvault::daemon {

// Events without an effect. `then` gets the outcome on the committer thread; may be empty.
class Announcement final : public core::Commit {
 public:
  using Then = std::move_only_function<void(const base::Result<core::Receipt>&)>;
  explicit Announcement(std::vector<core::Event> events, Then then = {})
      : events_(std::move(events)), then_(std::move(then)) {}
  [[nodiscard]] bool has_effect() const override { return false; }
  [[nodiscard]] base::Result<void> apply(core::Transaction& /*tx*/,
                                         core::EventSink& events) override {
    for (const core::Event& event : events_) events.add(event);
    return {};
  }
  void done(base::Result<core::Receipt> receipt, std::unique_ptr<Commit> /*self*/) override {
    if (then_) then_(receipt);
  }

 private:
  std::vector<core::Event> events_;
  Then then_;
};

// An effect given as a function, decided in the committer's transaction.
class Effect final : public core::Commit {
 public:
  using Apply = std::move_only_function<base::Result<void>(core::Transaction&, core::EventSink&)>;
  using Then = Announcement::Then;
  explicit Effect(Apply apply, Then then = {}) : apply_(std::move(apply)), then_(std::move(then)) {}
  [[nodiscard]] bool has_effect() const override { return true; }
  [[nodiscard]] base::Result<void> apply(core::Transaction& tx, core::EventSink& events) override {
    return apply_(tx, events);
  }
  void done(base::Result<core::Receipt> receipt, std::unique_ptr<Commit> /*self*/) override {
    if (then_) then_(receipt);
  }

 private:
  Apply apply_;
  Then then_;
};

}  // namespace cardvault::daemon
