// An operation that a test prepares and has applied itself, so that something may come in between.
#pragma once

#include <gtest/gtest.h>

#include <future>
#include <memory>
#include <optional>
#include <utility>

#include "tests/unit/daemon/test_vault.h"
#include "vault/daemon/dispatch.h"

namespace cardvault::daemon {

class ByHand {
 public:
  template <class T>
  ByHand(TestVault& vault, std::uint8_t pin, T request) : vault_(vault) {
    core::Caller caller;
    caller.spki_sha256[31] = pin;
    const core::Policy policy(vault.clients);
    auto principal = policy.identify(caller, {"test", {"*"}, {UINT32_MAX}}).value();
    operation_ = MakeOperation(vault.services)(
        policy.authorize(std::move(principal), std::move(request)).value());
    operation_->bind(
        1,
        [this](core::Response response) {
          answer_ = std::move(response).take();
          done_.set_value(true);
        },
        [this](std::unique_ptr<core::Operation> again) {
          operation_ = std::move(again);
          done_.set_value(false);
        });
  }
  void prepare() {
    const auto reader = *vault_.store->make_reader();
    EXPECT_TRUE(reader->begin());
    operation_->prepare(*reader);
    reader->end();
  }
  void submit() {
    done_ = {};
    vault_.store->committer().submit(std::move(operation_));
  }
  // False: a conflict, so that it has to be prepared again.
  bool wait() { return done_.get_future().get(); }
  bool apply() {
    submit();
    return wait();
  }
  [[nodiscard]] const core::Answer& answer() const { return *answer_; }

 private:
  TestVault& vault_;
  std::unique_ptr<core::Operation> operation_;
  std::promise<bool> done_;
  std::optional<core::Answer> answer_;
};

}  // namespace cardvault::daemon
