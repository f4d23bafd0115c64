#include "vault/seal/base64url.h"

#include <openssl/evp.h>

namespace cardvault::seal {
namespace {

template <class Container>
void append(Container& out, std::span<const std::uint8_t> bytes) {
  const std::size_t begin = out.size();
  out.resize(begin + (bytes.size() + 2) / 3 * 4 + 1);  // EVP_EncodeBlock ends with a NUL
  auto* text = reinterpret_cast<unsigned char*>(out.data()) + begin;
  const int size = EVP_EncodeBlock(text, bytes.data(), static_cast<int>(bytes.size()));
  std::size_t end = begin + static_cast<std::size_t>(size);
  while (end > begin && out[end - 1] == '=') --end;
  out.resize(end);
  for (std::size_t i = begin; i < end; ++i) {
    if (out[i] == '+') out[i] = '-';
    if (out[i] == '/') out[i] = '_';
  }
}

}  // namespace

std::string base64url(std::span<const std::uint8_t> bytes) {
  std::string out;
  append(out, bytes);
  return out;
}

void append_base64url(base::SecretBuffer& out, std::span<const std::uint8_t> bytes) {
  append(out, bytes);
}

}  // namespace cardvault::seal
