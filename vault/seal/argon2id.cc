#include "vault/seal/argon2id.h"

#include <argon2.h>
#include <sys/mman.h>

namespace cardvault::seal {

using base::Code;

namespace {

constexpr std::size_t kOutput = 32;

int allocate(std::uint8_t** memory, std::size_t size) {
  void* const block =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (block == MAP_FAILED) return ARGON2_MEMORY_ALLOCATION_ERROR;
  ::madvise(block, size, MADV_DONTDUMP);
  *memory = static_cast<std::uint8_t*>(block);
  return ARGON2_OK;
}

// libargon2 has overwritten it (FLAG_clear_internal_memory).
void release(std::uint8_t* memory, std::size_t size) { ::munmap(memory, size); }

}  // namespace

base::Result<base::SecretBuffer> Argon2id::derive(std::span<const std::uint8_t> secret,
                                                  const core::PasswordSalt& salt,
                                                  const core::Argon2Cost& cost) {
  base::SecretBuffer out(kOutput);
  base::SecretBuffer password(secret.begin(), secret.end());  // the library's to overwrite
  core::PasswordSalt salt_copy = salt;                        // its interface is not const
  argon2_context context{};
  context.out = out.data();
  context.outlen = static_cast<std::uint32_t>(out.size());
  context.pwd = password.data();
  context.pwdlen = static_cast<std::uint32_t>(password.size());
  context.salt = salt_copy.data();
  context.saltlen = static_cast<std::uint32_t>(salt_copy.size());
  context.m_cost = cost.memory_kib;
  context.t_cost = cost.passes;
  context.lanes = cost.lanes;
  context.threads = 1;  // the output depends on lanes alone
  context.version = ARGON2_VERSION_13;
  context.allocate_cbk = allocate;
  context.free_cbk = release;
  context.flags = ARGON2_FLAG_CLEAR_PASSWORD;
  const int outcome = argon2id_ctx(&context);
  if (outcome == ARGON2_MEMORY_ALLOCATION_ERROR) return base::fail(Code::kOverloaded, "argon2id");
  if (outcome != ARGON2_OK) return base::fail(Code::kInternal, "argon2id", outcome);
  return out;
}

}  // namespace cardvault::seal
