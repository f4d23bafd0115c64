// A safety net below the wiping of secrets by those who hold them: in this program all memory is
// overwritten when it is freed, whoever had it (a library's copy, a text that should not have held
// a card number). glibc's M_PERTURB would be the ready-made way, but its thread caches skip it.
#include <malloc.h>
#include <openssl/crypto.h>

#include <cstddef>
#include <cstdlib>
#include <new>

#include "vault/base/secret.h"
#include "vault/base/wiping_heap.h"

namespace {

void wipe_and_free(void* p) noexcept {
  if (p == nullptr) return;
  cardvault::base::wipe(p, ::malloc_usable_size(p));
  std::free(p);
}

void* openssl_malloc(std::size_t size, const char*, int) { return std::malloc(size); }
void openssl_free(void* p, const char*, int) { wipe_and_free(p); }
void* openssl_realloc(void* p, std::size_t size, const char*, int) {
  if (p == nullptr) return std::malloc(size);
  const std::size_t held = ::malloc_usable_size(p);
  if (size <= held && size != 0) return p;
  void* grown = size == 0 ? nullptr : std::malloc(size);
  if (grown != nullptr) std::memcpy(grown, p, held);
  if (grown != nullptr || size == 0) wipe_and_free(p);
  return grown;
}

}  // namespace

namespace cardvault::base {

bool wipe_openssl_memory() noexcept {
  return CRYPTO_set_mem_functions(openssl_malloc, openssl_realloc, openssl_free) == 1;
}

}  // namespace cardvault::base

void* operator new(std::size_t size) {
  if (void* p = std::malloc(size == 0 ? 1 : size)) return p;
  throw std::bad_alloc();
}
// The library's own would call the one above; a sanitizer's doesn't, and what it gives is then
// freed below as another's.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return std::malloc(size == 0 ? 1 : size);
}
void operator delete(void* p) noexcept { wipe_and_free(p); }
void operator delete(void* p, std::size_t) noexcept { wipe_and_free(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { wipe_and_free(p); }
