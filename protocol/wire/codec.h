// The payloads of frames: requests and answers as bytes, and back (docs/gate-protocol.md).
// Decoders take bytes of a peer that may be hostile: every length is checked, counts are bounded,
// trailing bytes refused; they return kInvalidArgument and never throw. Thread-safe, stateless.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "protocol/wire/frame.h"
#include "vault/core/identity.h"
#include "vault/core/request.h"

namespace cardvault::wire {

// What is sealed is long (up to 4 KiB a card): so many of a Detokenize's items fit into the frame
// of its answer.
inline constexpr std::size_t kMaxSealedBatch = 250;

struct Hello {
  std::uint32_t version = kProtocolVersion;
  std::string name;  // "cardvaultd", "web", …
};

struct GateRequest {
  core::Caller caller;  // empty for ReadyCheck and Flood
  core::Request request;
  std::size_t bytes = 0;  // of its payload
};

// An administrative act: a verb ("client.add"), its arguments, and bytes for bulk (a chunk of a BIN
// file). Operators act under individual ids: `operator_name` is checked against the peer's uid.
struct AdminRequest {
  std::string verb;
  std::string operator_name;
  std::vector<std::pair<std::string, std::string>> arguments;
  base::SecretBuffer blob;
};

// A table: what the tool prints as such or as JSON. `more`: further answers with this id follow
// (progress of something long: rows are then {"done","total"}).
struct AdminAnswer {
  bool ok = true;
  base::Code code = base::Code::kInternal;  // when not ok
  std::string message;                      // for people: what happened, or what to do next
  std::vector<std::string> columns;
  std::vector<std::vector<std::string>> rows;
  bool more = false;
};

// Each appends one whole frame to `out`. Those that return bool return false, with nothing
// appended, when the frame would exceed kMaxFrame; an Answer that would becomes Failure kInternal.
// A text is at most 65,535 bytes (AdminAnswer cells and MetricsAnswer apart): longer ones abort.
void encode(base::SecretBuffer& out, std::uint64_t id, const Hello& hello);
bool encode(base::SecretBuffer& out, std::uint64_t id, const core::Caller& caller,
            const core::Request& request);
void encode(base::SecretBuffer& out, std::uint64_t id, const core::Answer& answer);
bool encode(base::SecretBuffer& out, std::uint64_t id, const AdminRequest& request);
bool encode(base::SecretBuffer& out, std::uint64_t id, const AdminAnswer& answer);

[[nodiscard]] base::Result<Hello> decode_hello(std::span<const std::uint8_t> payload);
[[nodiscard]] base::Result<GateRequest> decode_request(std::span<const std::uint8_t> payload);
[[nodiscard]] base::Result<core::Answer> decode_answer(std::span<const std::uint8_t> payload);
[[nodiscard]] base::Result<AdminRequest> decode_admin_request(
    std::span<const std::uint8_t> payload);
[[nodiscard]] base::Result<AdminAnswer> decode_admin_answer(std::span<const std::uint8_t> payload);

// An Answer alone, without a frame: what Idempotency-Key keeps. Same bytes as in a kAnswer frame.
[[nodiscard]] std::vector<std::uint8_t> answer_bytes(const core::Answer& answer);

}  // namespace cardvault::wire
