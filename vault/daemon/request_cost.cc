#include "vault/daemon/request_cost.h"

#include <algorithm>
#include <variant>

namespace cardvault::daemon {
namespace {

constexpr std::uint32_t kTokenize = 3;  // two keyed hashes, one encryption
constexpr std::uint32_t kReveal = 1;    // one decryption
constexpr std::uint32_t kSeal = 2;      // a random id, a signature
constexpr std::uint32_t kOtpSeal = 7;   // three keyed hashes, three random numbers, a signature
constexpr std::uint32_t kOtpVerify = 5;
constexpr std::uint32_t kSecret = 4;

struct HsmCalls {
  std::uint32_t operator()(const core::Tokenize& r) const {
    return kTokenize * static_cast<std::uint32_t>(r.items.size());
  }
  std::uint32_t operator()(const core::Detokenize& r) const {
    const auto sealed = std::ranges::count_if(
        r.items, [](const core::DetokenizeItem& item) { return !item.recipient.empty(); });
    return kReveal * static_cast<std::uint32_t>(r.items.size()) +
           kSeal * static_cast<std::uint32_t>(sealed);
  }
  std::uint32_t operator()(const core::OtpSeal&) const { return kOtpSeal; }
  std::uint32_t operator()(const core::OtpVerify&) const { return kOtpVerify; }
  std::uint32_t operator()(const core::SecretEnroll&) const { return kSecret; }
  std::uint32_t operator()(const core::SecretVerify&) const { return kSecret; }
  std::uint32_t operator()(const core::SecretChange&) const { return kSecret; }
  template <class Other>
  std::uint32_t operator()(const Other&) const {
    return 1;
  }
};

std::uint32_t items(const core::Request& request) {
  if (const auto* t = std::get_if<core::Tokenize>(&request)) {
    return static_cast<std::uint32_t>(t->items.size());
  }
  if (const auto* d = std::get_if<core::Detokenize>(&request)) {
    return static_cast<std::uint32_t>(d->items.size());
  }
  return 1;
}

}  // namespace

std::uint32_t hsm_calls(const core::Request& request) {
  return std::max(std::visit(HsmCalls{}, request), 1U);
}

std::uint32_t rate_items(const core::Request& request) {
  return std::max(items(request), (hsm_calls(request) + kTokenize - 1) / kTokenize);
}

}  // namespace cardvault::daemon
