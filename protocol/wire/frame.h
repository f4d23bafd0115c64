// Frames between gate, vault and tool (docs/gate-protocol.md).
//
//   u32 length of all that follows (little-endian) · u8 type · u64 id · payload
//
// Many requests are in flight on one connection; an answer carries its request's id. Frames are at
// most 1 MiB; a longer one, or an unknown type, ends the connection.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "vault/base/result.h"
#include "vault/base/secret.h"

namespace cardvault::wire {

inline constexpr std::size_t kMaxFrame = std::size_t{1} << 20;
inline constexpr std::uint32_t kProtocolVersion = 4;

enum class FrameType : std::uint8_t {
  kHello = 1,         // both sides, first: u32 version, text name
  kRequest = 2,       // gate → vault
  kAnswer = 3,        // vault → gate
  kAdminRequest = 4,  // tool → vault, on the admin socket only
  kAdminAnswer = 5,
};

struct Frame {
  FrameType type;
  std::uint64_t id;
  std::span<const std::uint8_t> payload;  // valid until the reader is fed again
};

// Cuts a byte stream into frames. Not thread-safe. What it has passed on is wiped.
class FrameReader {
 public:
  // Room for at least `want` bytes to read into; then say how many came.
  [[nodiscard]] std::span<std::uint8_t> space(std::size_t want = 65536);
  void filled(std::size_t bytes);
  // The next whole frame, nothing when more bytes are needed, kInvalidArgument on a bad one.
  [[nodiscard]] base::Result<std::optional<Frame>> next();

 private:
  base::SecretBuffer buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

// Appends one frame; aborts when it would exceed kMaxFrame (callers bound their payloads).
void append_frame(base::SecretBuffer& out, FrameType type, std::uint64_t id,
                  std::span<const std::uint8_t> payload);

}  // namespace cardvault::wire
