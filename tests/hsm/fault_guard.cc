#include "tests/hsm/fault_guard.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <optional>
#include <tuple>

namespace cardvault::hsm::testing {
namespace {

const CK_FUNCTION_LIST* inner_list = nullptr;
FaultQueue* faults = nullptr;
std::mutex taking;
std::uint32_t row_in_use = 0;  // the row that these two count for
std::uint32_t skipped = 0;
std::uint32_t taken = 0;

// What is to go wrong with this call.
std::optional<Fault> take(std::uint32_t call) {
  ++faults->calls[call];
  if (faults->added == std::max(faults->done.load(), faults->cleared.load())) return {};
  const std::lock_guard lock(taking);
  const std::uint32_t row = std::max(faults->done.load(), faults->cleared.load());
  if (row == faults->added) return {};
  if (row != row_in_use) skipped = taken = 0;
  row_in_use = row;
  const Fault& fault = faults->rows[row % FaultQueue::kRows];
  if (fault.call != call && fault.call != kAnyCall) return {};
  if (skipped < fault.skip) {
    ++skipped;
    return {};
  }
  const Fault found = fault;
  ++faults->hits;
  if (found.times != FaultQueue::kForever && ++taken == found.times) faults->done = row + 1;
  return found;
}

// Calls that end what an Init began: whatever they answer, it is over (PKCS#11 5.8 to 5.13).
constexpr bool ends_operation(std::uint32_t call) {
  return call == call_index("C_Encrypt") || call == call_index("C_Decrypt") ||
         call == call_index("C_Sign");
}

void spoil(FaultKind kind, CK_BYTE_PTR out, CK_ULONG& size) {
  if (out == nullptr || size == 0) return;
  if (kind == FaultKind::kFlip) out[size - 1] ^= 1;
  if (kind == FaultKind::kZeros) std::memset(out, 0, size);
  if (kind == FaultKind::kShort) --size;
}

void suffer(const Fault& fault) {
  if (fault.kind == FaultKind::kDelay) ::usleep(static_cast<useconds_t>(fault.value));
  while (fault.kind == FaultKind::kHang) ::usleep(1000);  // pause(2) is not allowed to the daemon
  if (fault.kind == FaultKind::kAbort) std::abort();
  if (fault.kind == FaultKind::kSegv) ::raise(SIGSEGV);
}

template <std::uint32_t kCall, auto kMember>
struct Guard;

template <std::uint32_t kCall, class... Args, CK_RV (*CK_FUNCTION_LIST::*kMember)(Args...)>
struct Guard<kCall, kMember> {
  static CK_RV call(Args... args) {
    const auto fault = take(kCall);
    if (fault) suffer(*fault);
    if (fault && fault->kind == FaultKind::kAnswer) {
      if constexpr (ends_operation(kCall)) {
        static_cast<void>((inner_list->*kMember)(args...));
        auto& size = *std::get<4>(std::tie(args...));
        spoil(FaultKind::kZeros, std::get<3>(std::tie(args...)), size);
      }
      return fault->value;
    }
    const CK_RV rv = (inner_list->*kMember)(args...);
    if constexpr (ends_operation(kCall)) {
      if (fault && rv == CKR_OK) {
        spoil(fault->kind, std::get<3>(std::tie(args...)), *std::get<4>(std::tie(args...)));
      }
    }
    return rv;
  }
};

}  // namespace

FaultQueue* map_queue(const char* path) {
  const int fd = ::open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return nullptr;
  void* map = ::mmap(nullptr, sizeof(FaultQueue), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  return map == MAP_FAILED ? nullptr : static_cast<FaultQueue*>(map);
}

void guard(CK_FUNCTION_LIST& outer, const CK_FUNCTION_LIST& inner, FaultQueue& queue) {
  inner_list = &inner;
  faults = &queue;
#define GUARD(name) outer.name = &Guard<call_index(#name), &CK_FUNCTION_LIST::name>::call
  GUARD(C_Initialize);
  GUARD(C_Finalize);
  GUARD(C_GetSlotList);
  GUARD(C_GetSlotInfo);
  GUARD(C_GetTokenInfo);
  GUARD(C_GetMechanismInfo);
  GUARD(C_OpenSession);
  GUARD(C_CloseSession);
  GUARD(C_Login);
  GUARD(C_FindObjectsInit);
  GUARD(C_FindObjects);
  GUARD(C_FindObjectsFinal);
  GUARD(C_GetAttributeValue);
  GUARD(C_CopyObject);
  GUARD(C_DestroyObject);
  GUARD(C_EncryptInit);
  GUARD(C_Encrypt);
  GUARD(C_DecryptInit);
  GUARD(C_Decrypt);
  GUARD(C_SignInit);
  GUARD(C_Sign);
  GUARD(C_GenerateRandom);
  GUARD(C_GenerateKey);
#undef GUARD
}

}  // namespace cardvault::hsm::testing
