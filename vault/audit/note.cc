#include "vault/audit/note.h"

#include <algorithm>

#include "vault/audit/base64.h"
#include "vault/base/check.h"

namespace cardvault::audit {
namespace {

constexpr std::string_view kDash = "\xE2\x80\x94 ";  // U+2014 and a space
constexpr std::size_t kKeyIdBytes = 4;

std::optional<NoteSignature> parse_signature(std::string_view line) {
  if (!line.starts_with(kDash)) return std::nullopt;
  line.remove_prefix(kDash.size());
  const auto space = line.find(' ');
  if (space == std::string_view::npos || !valid_key_name(line.substr(0, space))) {
    return std::nullopt;
  }
  const auto bytes = from_base64(line.substr(space + 1));
  if (!bytes || bytes->size() <= kKeyIdBytes) return std::nullopt;
  NoteSignature signature{.name = std::string(line.substr(0, space)), .bytes = {}};
  for (std::size_t i = 0; i < kKeyIdBytes; ++i) {
    signature.key_id = signature.key_id << 8 | (*bytes)[i];
  }
  signature.bytes.assign(bytes->begin() + kKeyIdBytes, bytes->end());
  return signature;
}

}  // namespace

std::optional<Note> parse_note(std::string_view bytes) {
  const bool control = std::ranges::any_of(
      bytes, [](char c) { return static_cast<unsigned char>(c) < 0x20 && c != '\n'; });
  const auto blank = bytes.rfind("\n\n");
  if (control || blank == std::string_view::npos || !bytes.ends_with('\n')) return std::nullopt;
  Note note{.text = std::string(bytes.substr(0, blank + 1)), .signatures = {}};
  std::string_view rest = bytes.substr(blank + 2);
  while (!rest.empty()) {
    const auto end = rest.find('\n');
    auto signature = parse_signature(rest.substr(0, end));
    if (!signature || note.signatures.size() == kMaxNoteSignatures) return std::nullopt;
    note.signatures.push_back(std::move(*signature));
    rest.remove_prefix(end + 1);
  }
  if (note.signatures.empty()) return std::nullopt;
  return note;
}

std::string format_note(const Note& note) {
  CARDVAULT_CHECK(note.text.ends_with('\n'));
  std::string bytes = note.text + "\n";
  for (const NoteSignature& signature : note.signatures) {
    std::vector<std::uint8_t> body;
    for (int shift = 24; shift >= 0; shift -= 8) {
      body.push_back(static_cast<std::uint8_t>(signature.key_id >> shift));
    }
    body.insert(body.end(), signature.bytes.begin(), signature.bytes.end());
    bytes.append(kDash).append(signature.name).append(" ").append(to_base64(body)).append("\n");
  }
  return bytes;
}

Signed signed_by(const Note& note, const VerifierKey& key) {
  Signed found = Signed::kByOthers;
  for (const NoteSignature& signature : note.signatures) {
    if (signature.name != key.name() || signature.key_id != key.id()) continue;
    if (!key.verify(note.text, signature.bytes)) return Signed::kForged;
    found = Signed::kByKey;
  }
  return found;
}

}  // namespace cardvault::audit
