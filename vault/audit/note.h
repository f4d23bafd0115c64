// Signed notes: a text, an empty line, signatures (c2sp.org/signed-note).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vault/audit/verifier_key.h"

namespace cardvault::audit {

struct NoteSignature {
  std::string name;  // of the key
  std::uint32_t key_id = 0;
  std::vector<std::uint8_t> bytes;
};

struct Note {
  std::string text;  // with its last newline
  std::vector<NoteSignature> signatures;
};

inline constexpr std::size_t kMaxNoteSignatures = 100;

// nullopt: not a signed note.
[[nodiscard]] std::optional<Note> parse_note(std::string_view bytes);
// `note.text` ends with a newline.
[[nodiscard]] std::string format_note(const Note& note);

enum class Signed : std::uint8_t {
  kByKey,     // and all signatures that claim to be by the key are
  kForged,    // a signature claims to be, and is not
  kByOthers,  // no signature claims to be
};
[[nodiscard]] Signed signed_by(const Note& note, const VerifierKey& key);

}  // namespace cardvault::audit
