// A PKCS#11 module between us and a real one that misbehaves when told to. Controlled through the
// pointer that its cardvault_shim() returns; the module behind it is $CARDVAULT_SHIM_TARGET, and
// $CARDVAULT_SHIM_DELAY_US delays every call of a cipher, MAC or random generator,
// $CARDVAULT_SHIM_LEAK_US the MAC of a one-time code that exists, but not of one that doesn't,
// $CARDVAULT_SHIM_FAULTS a file with the queue of faults, for the shim in another process.
// $CARDVAULT_SHIM_HIDE is the number of a mechanism that the module doesn't have then. With
// $CARDVAULT_SHIM_HARDWARE the token says that it is a hardware one; with $CARDVAULT_SHIM_LOOSE a
// key that is unwrapped can be wrapped again, whatever its template says.
#pragma once

#include <atomic>

#include "tests/hsm/fault_queue.h"

namespace cardvault::hsm::testing {

enum class ShimIv { kCaller, kInParams, kAppended };

struct Shim {
  std::atomic<unsigned long> logins{0};  // C_Login calls so far
  std::atomic<unsigned long> finds{0};   // C_FindObjectsInit calls so far
  std::atomic<unsigned long> opens{0};   // C_OpenSession calls so far
  // While not 0, every operation on a key answers this.
  std::atomic<unsigned long> fail_with{0};
  // The next operation on a key answers this, once.
  std::atomic<unsigned long> fail_once_with{0};
  std::atomic<unsigned long> fail_login_with{0};  // the next `fail_logins` logins answer this
  std::atomic<int> fail_logins{0};
  std::atomic<bool> login_twice{false};  // the second, real answer is what the caller sees
  std::atomic<unsigned long> hidden_mechanism{~0UL};
  std::atomic<bool> refuse_copies{false};
  std::atomic<bool> constant_iv{false};  // C_GenerateRandom repeats itself
  std::atomic<ShimIv> gcm_iv{ShimIv::kCaller};
  std::atomic<unsigned> delay_us{0};
  std::atomic<unsigned> leak_us{0};
  FaultQueue faults;  // comes before all of the above

  void reset();
};

// The module's file, and its control in this process. Loads it.
[[nodiscard]] const char* shim_path();
[[nodiscard]] Shim& shim();

}  // namespace cardvault::hsm::testing
