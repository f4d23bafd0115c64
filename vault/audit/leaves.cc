#include "vault/audit/leaves.h"

#include "vault/audit/event_codec.h"
#include "vault/base/check.h"

namespace cardvault::audit {
namespace {
constexpr std::size_t kLengthBytes = 4;
}

void append_leaf(std::string& blob, std::uint64_t seq, const core::Event& event) {
  const std::size_t start = blob.size();
  blob.append(kLengthBytes, '\0');
  append_event(blob, seq, event);
  const std::size_t length = blob.size() - start - kLengthBytes;
  CARDVAULT_CHECK(length <= UINT32_MAX);
  for (std::size_t i = 0; i < kLengthBytes; ++i) {
    blob[start + i] = static_cast<char>(length >> (8 * i) & 0xFF);
  }
}

base::Result<std::optional<std::string_view>> LeafReader::next() {
  if (rest_.empty()) return std::nullopt;
  std::size_t length = 0;
  if (rest_.size() >= kLengthBytes) {
    for (std::size_t i = 0; i < kLengthBytes; ++i) {
      length |= static_cast<std::size_t>(static_cast<unsigned char>(rest_[i])) << (8 * i);
    }
  }
  if (rest_.size() < kLengthBytes || rest_.size() - kLengthBytes < length) {
    return base::fail(base::Code::kRecordDamaged, "split leaves", static_cast<long>(rest_.size()));
  }
  const std::string_view line = rest_.substr(kLengthBytes, length);
  rest_.remove_prefix(kLengthBytes + length);
  return line;
}

}  // namespace cardvault::audit
