// What all connections of a gate have in common.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "protocol/gate/config.h"
#include "protocol/gate/metrics.h"
#include "protocol/gate/strangers.h"
#include "protocol/gate/tls.h"
#include "protocol/gate/vault_link.h"
#include "vault/base/snapshot.h"

namespace cardvault::gate {

// What SIGHUP replaces as a whole.
struct Settings {
  Config config;
  std::shared_ptr<const Tls> tls;
  std::uint64_t generation = 0;  // grows with each: a live connection sees that it must look again
};

// Connections per source address. Thread-safe.
class SourceCount {
 public:
  // False when the source has `limit` connections already.
  [[nodiscard]] bool enter(const std::string& source, std::uint32_t limit);
  void leave(const std::string& source);

 private:
  std::mutex mutex_;
  std::unordered_map<std::string, std::uint32_t> counts_;
};

// Outlives every connection. Thread-safe.
struct Shared {
  Shared(const std::shared_ptr<const Settings>& first, asio::io_context& io, int vault_listener)
      : settings(first),
        generation(first->generation),
        link(io, vault_listener, {first->config.name, first->config.vault_uid}, metrics) {}

  void count_stranger(const std::string& source, StrangerReason reason) {
    metrics.refused(reason);
    strangers.count(source, reason);
  }

  base::Snapshot<Settings> settings;
  std::atomic<std::uint64_t> generation;  // of `settings`, cheap to ask for
  Metrics metrics;
  Strangers strangers;
  SourceCount sources;
  std::atomic<std::size_t> connections = 0;
  std::atomic<std::size_t> buffered = 0;  // bytes, see Limits::max_buffered_bytes
  VaultLink link;
};

}  // namespace cardvault::gate
