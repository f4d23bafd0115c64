// Memory of a program that links cardvault_wiping_heap is overwritten when freed (wiping_heap.cc
// replaces operator delete).
#pragma once

namespace cardvault::base {

// The same for OpenSSL's own allocations. Before any other call of OpenSSL; false when too late.
[[nodiscard]] bool wipe_openssl_memory() noexcept;

}  // namespace cardvault::base
