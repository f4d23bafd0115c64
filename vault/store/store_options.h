// What a store can be told.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string_view>

namespace cardvault::store {

struct StoreOptions {
  bool create = false;             // make the files when there is no vault yet (`cardvault init`)
  std::uint64_t published = 0;     // events already in the published log (their number)
  std::size_t queue_limit = 8192;  // commits waiting; more are refused with kOverloaded
  std::size_t group_limit = 512;   // commits per group
  std::size_t group_bytes = 4 << 20;                // log lines per group, about
  std::chrono::milliseconds probe_interval{1000};   // after a failed commit
  std::uint32_t checkpoint_pages = 16000;           // of 4 KiB, in a WAL
  std::chrono::milliseconds checkpoint_idle{5000};  // quiet time after which a WAL is emptied
  std::int64_t mmap_bytes = std::int64_t{2} << 30;
  std::int64_t writer_cache_kib = 32768;
  std::int64_t reader_cache_kib = 8192;
  const char* vfs = nullptr;  // SQLite's file layer; null: the default one
  // Vault time for the store's own events; empty: the wall clock. Committer thread.
  std::function<std::int64_t()> now_ms = {};
  // After a failed commit, when the store works again and before it takes commits: what is kept in
  // memory may differ from the files and has to be read again. False: it could not be; nothing is
  // taken then, and it is called again after the interval. Committer thread.
  std::function<bool()> on_recovered = {};
  // Told the leaves (vault/audit/leaves.h) of each group that is durable now, before its done()
  // calls. Committer thread, so that it must not wait for anything.
  std::function<void(std::string_view leaves)> on_durable = {};
  // After the done() calls of a group, so that answers can leave together. Committer thread.
  std::function<void()> on_answered = {};
};

}  // namespace cardvault::store
