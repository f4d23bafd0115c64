#include "vault/store/packed_texts.h"

#include "vault/base/check.h"

namespace cardvault::store {

void append_text(std::vector<std::uint8_t>& blob, std::string_view text) {
  CARDVAULT_CHECK(text.size() <= UINT16_MAX);
  blob.push_back(static_cast<std::uint8_t>(text.size() & 0xFF));
  blob.push_back(static_cast<std::uint8_t>(text.size() >> 8));
  blob.insert(blob.end(), text.begin(), text.end());
}

std::optional<std::vector<std::string>> read_texts(std::span<const std::uint8_t> blob) {
  std::vector<std::string> texts;
  while (!blob.empty()) {
    if (blob.size() < 2) return std::nullopt;
    const std::size_t size = blob[0] | static_cast<std::size_t>(blob[1]) << 8;
    if (blob.size() - 2 < size) return std::nullopt;
    const auto text = blob.subspan(2, size);
    texts.emplace_back(text.begin(), text.end());
    blob = blob.subspan(2 + size);
  }
  return texts;
}

std::vector<std::uint8_t> pack(const core::Metadata& metadata) {
  std::vector<std::uint8_t> blob;
  for (const auto& [name, value] : metadata) {
    append_text(blob, name);
    append_text(blob, value);
  }
  return blob;
}

std::optional<core::Metadata> unpack_metadata(std::span<const std::uint8_t> blob) {
  auto texts = read_texts(blob);
  if (!texts || texts->size() % 2 != 0) return std::nullopt;
  core::Metadata metadata;
  for (std::size_t i = 0; i < texts->size(); i += 2) {
    metadata.emplace_back(std::move((*texts)[i]), std::move((*texts)[i + 1]));
  }
  return metadata;
}

}  // namespace cardvault::store
