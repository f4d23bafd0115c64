// A layer over SQLite's default file layer that fails on order.
#pragma once

#include <atomic>

namespace cardvault::store {

// What "faulty" does; shared by all files opened through it. Thread-safe.
struct Faults {
  std::atomic<int> write_error{0};         // an SQLite code for every write while it is not 0
  std::atomic<int> sync_error{0};          // and for every sync
  std::atomic<int> calls_until_fault{-1};  // fail from this many writes and syncs on; -1: off
  std::atomic<int> calls{0};               // writes and syncs seen
  void heal() {
    write_error = sync_error = 0;
    calls_until_fault = -1;
  }
};
Faults& faults();

// Registers the layer, once; its name is what StoreOptions::vfs takes.
const char* faulty_vfs();

}  // namespace cardvault::store
