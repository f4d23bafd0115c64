#include "protocol/wire/frame.h"

#include <cstring>

#include "protocol/wire/bytes.h"
#include "vault/base/check.h"

namespace cardvault::wire {
namespace {

constexpr std::size_t kLengthBytes = 4;
constexpr std::size_t kHeadBytes = kLengthBytes + 1 + 8;
constexpr std::size_t kLeastLength = kHeadBytes - kLengthBytes;

}  // namespace

std::span<std::uint8_t> FrameReader::space(std::size_t want) {
  if (begin_ != 0) {
    const std::size_t rest = end_ - begin_;
    if (rest != 0) std::memmove(buffer_.data(), buffer_.data() + begin_, rest);
    base::wipe(buffer_.data() + rest, end_ - rest);
    begin_ = 0;
    end_ = rest;
  }
  if (buffer_.size() - end_ < want) buffer_.resize(end_ + want);
  return std::span(buffer_).subspan(end_);
}

void FrameReader::filled(std::size_t bytes) {
  CARDVAULT_CHECK(bytes <= buffer_.size() - end_);
  end_ += bytes;
}

base::Result<std::optional<Frame>> FrameReader::next() {
  const auto rest = std::span<const std::uint8_t>(buffer_).subspan(begin_, end_ - begin_);
  if (rest.size() < kLengthBytes) return std::nullopt;
  Reader head(rest.first(std::min(rest.size(), kHeadBytes)));
  const auto length = head.number<std::uint32_t>();
  if (length < kLeastLength || length > kMaxFrame - kLengthBytes) {
    return base::fail(base::Code::kInvalidArgument, "frame length", static_cast<long>(length));
  }
  if (rest.size() < kHeadBytes) return std::nullopt;
  const std::uint8_t type = head.u8();
  if (type < static_cast<std::uint8_t>(FrameType::kHello) ||
      type > static_cast<std::uint8_t>(FrameType::kAdminAnswer)) {
    return base::fail(base::Code::kInvalidArgument, "frame type", type);
  }
  if (rest.size() < kLengthBytes + length) return std::nullopt;
  begin_ += kLengthBytes + length;
  return Frame{static_cast<FrameType>(type), head.number<std::uint64_t>(),
               rest.subspan(kHeadBytes, length - kLeastLength)};
}

void append_frame(base::SecretBuffer& out, FrameType type, std::uint64_t id,
                  std::span<const std::uint8_t> payload) {
  CARDVAULT_CHECK(payload.size() <= kMaxFrame - kHeadBytes);
  Writer writer(out);
  writer.number(static_cast<std::uint32_t>(kLeastLength + payload.size()));
  writer.u8(static_cast<std::uint8_t>(type));
  writer.number(id);
  writer.raw(payload);
}

}  // namespace cardvault::wire
