// A frame written in place: its head first, its length when the payload is known. Private to
// protocol/wire.
#pragma once

#include <cstdint>

#include "protocol/wire/bytes.h"
#include "protocol/wire/frame.h"

namespace cardvault::wire {

class OpenFrame {
 public:
  OpenFrame(base::SecretBuffer& out, FrameType type, std::uint64_t id)
      : out_(out), start_(out.size()) {
    append_frame(out, type, id, {});
  }
  [[nodiscard]] Writer<base::SecretBuffer> payload() noexcept { return Writer(out_); }

  // Writes the length. False when the frame is too long: it is then wiped and taken back.
  [[nodiscard]] bool close() noexcept {
    const std::size_t size = out_.size() - start_;
    if (size > kMaxFrame) {
      base::wipe(out_.data() + start_, size);
      out_.resize(start_);
      return false;
    }
    const auto length = static_cast<std::uint32_t>(size - sizeof(std::uint32_t));
    for (std::size_t i = 0; i < sizeof(length); ++i) {
      out_[start_ + i] = static_cast<std::uint8_t>(length >> (8 * i));
    }
    return true;
  }

 private:
  base::SecretBuffer& out_;
  std::size_t start_;
};

}  // namespace cardvault::wire
