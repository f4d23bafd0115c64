// From a decoded request to its response: policy, limits, workers, committer.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "protocol/wire/codec.h"
#include "vault/core/inquiry.h"
#include "vault/core/operation.h"
#include "vault/core/policy.h"
#include "vault/core/rate_limit.h"
#include "vault/core/services.h"
#include "vault/daemon/disk_level.h"
#include "vault/daemon/flood.h"
#include "vault/daemon/metrics.h"
#include "vault/daemon/outbox.h"
#include "vault/daemon/work_queue.h"

namespace cardvault::daemon {

// A reader with snapshots: refresh() makes it see all that is committed now.
class SnapshotReader {
 public:
  virtual ~SnapshotReader() = default;
  virtual core::Reader& begin() = 0;
  virtual void end() = 0;
};

// Thread-safe. Replies come on a worker or the committer thread, or at once on the caller's; they
// must not block.
class Engine {
 public:
  using Reply = std::move_only_function<void(core::Response)>;
  using MakeReader = std::function<std::unique_ptr<SnapshotReader>()>;

  Engine(core::Services& services, core::Committer& committer, Metrics& metrics,
         FloodCounter& floods, Outboxes& outboxes, std::size_t queue_bound);  // of each gate
  ~Engine();
  Engine(const Engine&) = delete;             // threads hold its address
  Engine& operator=(const Engine&) = delete;  // threads hold its address

  // `slow_workers` run the operations that are slow() by themselves, so that they can't starve the
  // others.
  void start(unsigned workers, unsigned slow_workers, const MakeReader& make_reader);
  // Takes nothing more in; finishes what is queued, but for what would be begun two seconds later.
  // Idempotent.
  void stop();

  // While it is on, every request is refused with kSealed.
  void seal(bool on) noexcept { sealed_ = on; }
  // What is refused for want of space, with kStorageFull.
  void limit(DiskLevel level) noexcept { disk_ = level; }

  // Makes the next block of encryptions durable where one is needed: after each batch of requests,
  // and for who encrypts without a request. Any thread; doesn't wait.
  void reserve_invocations();

  // A request of `gate`'s client. ReadyCheck and Flood are not for the engine.
  void submit(const core::Ceiling& gate, wire::GateRequest request, Reply reply);

  // How many requests wait for a worker, of each gate that has had any.
  [[nodiscard]] std::map<std::string, std::size_t> waiting() const;

 private:
  void run(WorkQueue& queue, std::size_t take, const MakeReader& make_reader);
  void admit(core::Principal principal, const core::Ceiling& gate, wire::GateRequest in,
             Reply reply);
  [[nodiscard]] std::string actor_of(const base::Result<core::Principal>& principal,
                                     const core::Caller& caller) const;
  void refuse(std::string actor, const core::Ceiling& gate, const core::Caller& caller,
              std::string_view operation, core::Failure failure, Reply reply);
  void enqueue(std::unique_ptr<core::Operation> operation, std::string_view name,
               const Charge& charge, Reply reply);
  core::Services& services_;
  core::Committer& committer_;
  Metrics& metrics_;
  FloodCounter& floods_;
  Outboxes& outboxes_;
  core::Policy policy_;
  core::RateLimiter rates_;
  WorkQueue queue_;
  WorkQueue slow_queue_;
  std::atomic<std::uint64_t> next_request_;
  std::atomic<bool> sealed_ = false;
  std::atomic<DiskLevel> disk_ = DiskLevel::kEnough;
  std::vector<std::thread> workers_;
};

}  // namespace cardvault::daemon
