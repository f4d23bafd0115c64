#include "vault/custody/shamir.h"

extern "C" {  // the header doesn't say so itself
#include <libgfshare.h>
}

#include <memory>

#include "vault/base/check.h"
#include "vault/custody/digest.h"

namespace cardvault::custody {
namespace {

// gfshare_ctx_free overwrites the coefficients with random bytes.
struct FreeContext {
  void operator()(gfshare_ctx* context) const { gfshare_ctx_free(context); }
};
using Context = std::unique_ptr<gfshare_ctx, FreeContext>;

void random_for_library(unsigned char* out, unsigned size) { fill_random({out, size}); }

}  // namespace

std::vector<Part> split(const base::SecretBuffer& secret, unsigned threshold, unsigned parts) {
  CARDVAULT_CHECK(threshold >= kMinThreshold && threshold <= parts && parts <= kMaxParts);
  CARDVAULT_CHECK(!secret.empty());
  gfshare_fill_rand = random_for_library;
  std::vector<unsigned char> numbers;
  for (unsigned i = 1; i <= parts; ++i) numbers.push_back(static_cast<unsigned char>(i));
  const Context context(gfshare_ctx_init_enc(numbers.data(), parts,
                                             static_cast<unsigned char>(threshold),
                                             static_cast<unsigned>(secret.size())));
  CARDVAULT_CHECK(context != nullptr);
  base::SecretBuffer given = secret;  // the library takes a pointer to non-const
  gfshare_ctx_enc_setsecret(context.get(), given.data());
  std::vector<Part> out;
  for (unsigned i = 0; i < parts; ++i) {
    Part& part = out.emplace_back(Part{numbers[i], base::SecretBuffer(secret.size())});
    gfshare_ctx_enc_getshare(context.get(), static_cast<unsigned char>(i), part.bytes.data());
  }
  return out;
}

base::SecretBuffer combine(std::span<const Part> parts) {
  CARDVAULT_CHECK(!parts.empty() && parts.size() <= kMaxParts);
  gfshare_fill_rand = random_for_library;
  std::vector<unsigned char> numbers;
  for (const Part& part : parts) {
    CARDVAULT_CHECK(part.index != 0 && part.bytes.size() == parts[0].bytes.size());
    for (const unsigned char other : numbers) CARDVAULT_CHECK(other != part.index);
    numbers.push_back(part.index);
  }
  const auto size = static_cast<unsigned>(parts[0].bytes.size());
  const Context context(
      gfshare_ctx_init_dec(numbers.data(), static_cast<unsigned>(parts.size()), size));
  CARDVAULT_CHECK(context != nullptr);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    base::SecretBuffer given = parts[i].bytes;
    gfshare_ctx_dec_giveshare(context.get(), static_cast<unsigned char>(i), given.data());
  }
  base::SecretBuffer out(size);
  gfshare_ctx_dec_extract(context.get(), out.data());
  return out;
}

}  // namespace cardvault::custody
