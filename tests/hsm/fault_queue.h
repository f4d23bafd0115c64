// What the shim does wrong, in which order: a queue in memory that a test may share with another
// process (tests/fault/hsm_queue.py writes the same bytes, so the layout is fixed).
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace cardvault::hsm::testing {

// Every call that the daemon makes, then what a ceremony makes besides; and "*" for any of them.
inline constexpr auto kCalls =
    std::to_array<std::string_view>({"C_Initialize",        "C_Finalize",     "C_GetSlotList",
                                     "C_GetSlotInfo",       "C_GetTokenInfo", "C_GetMechanismInfo",
                                     "C_OpenSession",       "C_CloseSession", "C_Login",
                                     "C_FindObjectsInit",   "C_FindObjects",  "C_FindObjectsFinal",
                                     "C_GetAttributeValue", "C_CopyObject",   "C_DestroyObject",
                                     "C_EncryptInit",       "C_Encrypt",      "C_DecryptInit",
                                     "C_Decrypt",           "C_SignInit",     "C_Sign",
                                     "C_GenerateRandom",    "C_GenerateKey"});
inline constexpr auto kDaemonCalls = std::span(kCalls).first<kCalls.size() - 1>();
inline constexpr std::uint32_t kAnyCall = kCalls.size();

enum class FaultKind : std::uint32_t {
  kAnswer,  // `value` is the CK_RV
  kDelay,   // `value` in microseconds, then the real answer
  kHang,    // never comes back
  kAbort,
  kSegv,
  kFlip,   // one bit of what comes out is wrong
  kShort,  // one byte less comes out
  kZeros,  // only zeros come out
};

// Taken in order: only the first row that isn't used up counts.
struct Fault {
  std::uint32_t call = 0;  // index in kCalls, or kAnyCall
  FaultKind kind = FaultKind::kAnswer;
  std::uint64_t value = 0;
  std::uint32_t skip = 0;   // so many calls of it go well first
  std::uint32_t times = 1;  // then so many don't
};

// One process adds, another takes. All zero is an empty queue.
struct FaultQueue {
  static constexpr std::uint32_t kRows = 64;
  static constexpr std::uint32_t kForever = 0xffffffff;

  std::atomic<std::uint32_t> added{0};    // rows ever
  std::atomic<std::uint32_t> cleared{0};  // rows below this number are void
  std::atomic<std::uint32_t> done{0};     // rows below this number are used up
  std::atomic<std::uint32_t> hits{0};     // calls that went wrong
  std::array<std::atomic<std::uint64_t>, kCalls.size()> calls{};
  std::array<Fault, kRows> rows{};

  void add(const Fault& fault) {
    rows[added % kRows] = fault;
    ++added;
  }
  void clear() { cleared = added.load(); }
};
static_assert(sizeof(Fault) == 24 && offsetof(FaultQueue, rows) == 16 + 8 * kCalls.size());

// The index of a call by its name; kAnyCall for "*".
constexpr std::uint32_t call_index(std::string_view name) {
  for (std::uint32_t i = 0; i < kCalls.size(); ++i) {
    if (kCalls[i] == name) return i;
  }
  return kAnyCall;
}

}  // namespace cardvault::hsm::testing
