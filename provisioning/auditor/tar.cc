#include "provisioning/auditor/tar.h"

#include <algorithm>

#include "vault/base/check.h"

namespace cardvault::auditor {
namespace {

constexpr std::size_t kBlock = 512;
constexpr std::size_t kNameBytes = 100;
constexpr std::size_t kSizeAt = 124, kSizeDigits = 11;
constexpr std::size_t kTimeAt = 136;
constexpr std::size_t kSumAt = 148, kSumBytes = 8;

std::string octal(std::uint64_t value, std::size_t digits) {
  std::string text(digits, '0');
  for (std::size_t i = digits; i-- > 0; value >>= 3) text[i] = static_cast<char>('0' + (value & 7));
  return text;
}

// With the sum of its bytes, counted as if the sum itself were spaces.
std::string header(const std::string& name, std::uint64_t size, std::uint64_t unix_s) {
  std::string block(kBlock, '\0');
  const auto put = [&block](std::size_t at, std::string_view text) {
    std::ranges::copy(text, block.begin() + static_cast<std::ptrdiff_t>(at));
  };
  put(0, name);
  put(100, "0000644");
  put(108, "0000000");  // owner and group: nobody in particular
  put(116, "0000000");
  put(kSizeAt, octal(size, kSizeDigits));
  put(kTimeAt, octal(unix_s, 11));
  put(kSumAt, std::string(kSumBytes, ' '));
  put(156, "0");  // a plain file
  put(257, std::string_view("ustar\00000", 8));
  std::uint64_t sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  put(kSumAt, octal(sum, 6) + std::string("\0 ", 2));
  return block;
}

std::optional<std::uint64_t> parse_octal(std::string_view digits) {
  std::uint64_t value = 0;
  for (const char c : digits) {
    if (c < '0' || c > '7') return std::nullopt;
    value = value << 3 | static_cast<std::uint64_t>(c - '0');
  }
  return value;
}

std::size_t padding(std::uint64_t size) { return (kBlock - size % kBlock) % kBlock; }

bool all_zero(std::string_view bytes) {
  return std::ranges::all_of(bytes, [](char c) { return c == '\0'; });
}

}  // namespace

std::string make_tar(const std::vector<TarFile>& files, std::int64_t unix_s) {
  std::string archive;
  for (const TarFile& file : files) {
    CARDVAULT_CHECK(!file.name.empty() && file.name.size() <= kNameBytes);
    archive += header(file.name, file.bytes.size(), static_cast<std::uint64_t>(unix_s));
    archive += file.bytes;
    archive.append(padding(file.bytes.size()), '\0');
  }
  return archive.append(2 * kBlock, '\0');
}

std::optional<std::vector<TarFile>> read_tar(std::string_view archive) {
  std::vector<TarFile> files;
  for (;;) {
    if (archive.size() < kBlock) return std::nullopt;
    const std::string_view block = archive.substr(0, kBlock);
    if (all_zero(block)) break;
    archive.remove_prefix(kBlock);
    const auto size = parse_octal(block.substr(kSizeAt, kSizeDigits));
    const auto time = parse_octal(block.substr(kTimeAt, 11));
    const std::string name(block.substr(0, std::min(block.find('\0'), kNameBytes)));
    if (!size || !time || name.empty() || block != header(name, *size, *time)) return std::nullopt;
    if (archive.size() < *size || archive.size() - *size < padding(*size)) return std::nullopt;
    files.push_back({name, std::string(archive.substr(0, *size))});
    if (!all_zero(archive.substr(*size, padding(*size)))) return std::nullopt;
    archive.remove_prefix(*size + padding(*size));
  }
  if (archive.size() != 2 * kBlock || !all_zero(archive)) return std::nullopt;
  return files;
}

}  // namespace cardvault::auditor
