#include "vault/audit/key_chain.h"

#include <algorithm>

#include "vault/audit/event_codec.h"

namespace cardvault::audit {
namespace {

// How the event's line spells the statement's beginning; looked for before anything is parsed.
constexpr std::string_view kMarker = "\"statement\":\"cardvault key statement v1\\u000a";
constexpr std::string_view kStatement = "\nstatement: ", kAfter = " signs after ",
                           kKey = "\nvkey: ";

std::string_view line_after(std::string_view text, std::string_view name) {
  const auto at = text.find(name);
  if (at == std::string_view::npos) return {};
  text.remove_prefix(at + name.size());
  return text.substr(0, text.find('\n'));
}

std::optional<VerifierKey> key_in(std::string_view statement, const VerifierKey& by) {
  const auto note = parse_note(statement);
  if (!note || signed_by(*note, by) != Signed::kByKey) return std::nullopt;
  if (line_after(note->text, kStatement).find(kAfter) == std::string_view::npos) {
    return std::nullopt;
  }
  auto key = VerifierKey::parse(line_after(note->text, kKey));
  if (!key || key->name() != by.name()) return std::nullopt;
  return key;
}

}  // namespace

std::optional<VerifierKey> endorsed_key(std::string_view line, const VerifierKey& by) {
  if (line.find(kMarker) == std::string_view::npos) return std::nullopt;
  const auto event = parse_event(line, nullptr);
  if (!event) return std::nullopt;
  for (const auto& [name, value] : event->details) {
    if (name != "statement") continue;
    if (auto key = key_in(value, by)) return key;
  }
  return std::nullopt;
}

Successors find_successors(const LogView& view, const VerifierKey& first) {
  Successors found;
  for (std::uint64_t index = 0; index * kTileWidth < view.size(); ++index) {
    const FoundFile file = view.bundle(index);
    if (!file.bytes) {
      found.missing = file.path;
      found.missing_record = index * kTileWidth;
      break;
    }
    if (file.bytes->find(kMarker) == std::string::npos) continue;
    BundleReader entries(*file.bytes);
    std::uint64_t record = index * kTileWidth;
    for (auto entry = entries.next(); entry && record < view.size();
         entry = entries.next(), ++record) {
      auto key = endorsed_key(*entry, found.keys.empty() ? first : found.keys.back().key);
      if (key) found.keys.push_back({std::move(*key), record});
    }
  }
  return found;
}

}  // namespace cardvault::audit
