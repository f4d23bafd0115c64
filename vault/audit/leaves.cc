#include "vault/audit/leaves.h"

#include <algorithm>

#include "vault/audit/event_codec.h"
#include "vault/audit/event_fields.h"
#include "vault/audit/tile.h"
#include "vault/base/check.h"

namespace cardvault::audit {
namespace {

constexpr std::size_t kLengthBytes = 4;
constexpr std::size_t kCutText = 128;  // times 6 for escapes
constexpr std::size_t kCutDetails = 16;

// What a taken gate says of its callers could be of any length, and must not stop the log.
core::Event cut(const core::Event& event) {
  core::Event shorter = event;
  const auto cut_text = [](std::string& text) { text.resize(std::min(text.size(), kCutText)); };
  for (const auto& [opening, member] : kFieldsBeforeRequest) cut_text(shorter.*member);
  for (const auto& [opening, member] : kFieldsAfterRequest) cut_text(shorter.*member);
  shorter.details.resize(std::min(shorter.details.size(), kCutDetails));
  for (auto& [name, value] : shorter.details) cut_text(name), cut_text(value);
  shorter.details.emplace_back("cut", "true");
  return shorter;
}

}  // namespace

void append_leaf(std::string& blob, std::uint64_t seq, const core::Event& event) {
  const std::size_t start = blob.size();
  blob.append(kLengthBytes, '\0');
  append_event(blob, seq, event);
  if (blob.size() - start - kLengthBytes > kMaxEntryBytes) {
    blob.resize(start + kLengthBytes);
    append_event(blob, seq, cut(event));
  }
  const std::size_t length = blob.size() - start - kLengthBytes;
  CARDVAULT_CHECK(length <= kMaxEntryBytes);
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
