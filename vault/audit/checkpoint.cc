#include "vault/audit/checkpoint.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "vault/audit/base64.h"

namespace cardvault::audit {

std::string checkpoint_text(const Checkpoint& checkpoint) {
  return checkpoint.origin + "\n" + std::to_string(checkpoint.size) + "\n" +
         to_base64(checkpoint.root) + "\n";
}

std::optional<Checkpoint> parse_checkpoint_text(std::string_view text) {
  std::array<std::string_view, 3> lines;
  for (std::string_view& line : lines) {
    const auto end = text.find('\n');
    if (end == std::string_view::npos || end == 0) return std::nullopt;
    line = text.substr(0, end);
    text.remove_prefix(end + 1);
  }
  Checkpoint checkpoint{.origin = std::string(lines[0])};
  const std::string_view size = lines[1];
  const auto [end, error] =
      std::from_chars(size.data(), size.data() + size.size(), checkpoint.size);
  if (error != std::errc() || end != size.data() + size.size() ||
      (size.size() > 1 && size[0] == '0')) {
    return std::nullopt;
  }
  const auto root = from_base64(lines[2]);
  if (!root || root->size() != checkpoint.root.size()) return std::nullopt;
  std::ranges::copy(*root, checkpoint.root.begin());
  return checkpoint;
}

base::Result<std::string> sign_checkpoint(const Checkpoint& checkpoint, const VerifierKey& key,
                                          const Sign& sign) {
  Note note{.text = checkpoint_text(checkpoint), .signatures = {}};
  const auto signature = sign(note.text);
  if (!signature) return std::unexpected(signature.error());
  note.signatures.push_back({key.name(), key.id(), key.note_form(*signature)});
  return format_note(note);
}

OpenedCheckpoint open_checkpoint(std::string_view bytes, const VerifierKey& key) {
  const auto note = parse_note(bytes);
  if (!note) return {};
  auto checkpoint = parse_checkpoint_text(note->text);
  if (!checkpoint) return {};
  OpenedCheckpoint opened{.checkpoint = std::move(*checkpoint)};
  switch (signed_by(*note, key)) {
    case Signed::kByKey:
      opened.trust = opened.checkpoint.origin == key.name() ? Trust::kGood : Trust::kOtherLog;
      break;
    case Signed::kForged:
      opened.trust = Trust::kForged;
      break;
    case Signed::kByOthers:
      opened.trust = opened.checkpoint.origin == key.name() ? Trust::kOtherKey : Trust::kOtherLog;
      break;
  }
  return opened;
}

OpenedCheckpoint open_checkpoint(std::string_view note, std::span<const VerifierKey> keys) {
  OpenedCheckpoint opened = open_checkpoint(note, keys.front());
  for (std::size_t i = 1; i < keys.size() && opened.trust == Trust::kOtherKey; ++i) {
    opened = open_checkpoint(note, keys[i]);
  }
  return opened;
}

std::string default_origin(std::string_view token_label) {
  std::string origin = "cardvault.local/";
  for (const char c : token_label) origin += valid_key_name(std::string_view(&c, 1)) ? c : '-';
  return origin;
}

}  // namespace cardvault::audit
