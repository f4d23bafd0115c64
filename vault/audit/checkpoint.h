// A log's checkpoint: its name, size and root, signed (c2sp.org/tlog-checkpoint).
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "vault/audit/merkle.h"
#include "vault/audit/note.h"
#include "vault/base/result.h"

namespace cardvault::audit {

struct Checkpoint {
  std::string origin;
  std::uint64_t size = 0;
  Hash root{};
};

// The text that is signed: three lines.
[[nodiscard]] std::string checkpoint_text(const Checkpoint& checkpoint);
// nullopt: not such a text. Further lines (extensions) are ignored.
[[nodiscard]] std::optional<Checkpoint> parse_checkpoint_text(std::string_view text);

// core::Crypto::sign() with the log's key.
using Sign = std::function<base::Result<std::vector<std::uint8_t>>(std::string_view text)>;
// The note. Errors of `sign`.
[[nodiscard]] base::Result<std::string> sign_checkpoint(const Checkpoint& checkpoint,
                                                        const VerifierKey& key, const Sign& sign);

enum class Trust : std::uint8_t {
  kGood,
  kMalformed,  // no signed checkpoint at all
  kForged,     // the signature is not the key's, though it says so
  kOtherKey,   // signed by a key of this name, but another one
  kOtherLog,   // of another origin
};
struct OpenedCheckpoint {
  Trust trust = Trust::kMalformed;
  Checkpoint checkpoint;  // what it says; believe it when trust is kGood
};
[[nodiscard]] OpenedCheckpoint open_checkpoint(std::string_view note, const VerifierKey& key);
// By any of a log's keys; at least one.
[[nodiscard]] OpenedCheckpoint open_checkpoint(std::string_view note,
                                               std::span<const VerifierKey> keys);

// "cardvault.local/LABEL", with '-' for what an origin can't hold: the name of a vault's log until
// it is given another one.
[[nodiscard]] std::string default_origin(std::string_view token_label);

}  // namespace cardvault::audit
