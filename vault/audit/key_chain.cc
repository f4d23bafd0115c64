#include "vault/audit/key_chain.h"

#include <algorithm>

#include "vault/audit/event_codec.h"

namespace cardvault::audit {
namespace {

// How the event's line spells the statement's beginning; looked for before anything is parsed.
constexpr std::string_view kMarker = "\"statement\":\"cardvault key statement v1\\u000a";
constexpr std::string_view kReplaced = "\"op\":\"key.replace\"";
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

std::optional<Replacement> replacement_in(std::string_view line) {
  if (line.find(kReplaced) == std::string_view::npos) return std::nullopt;
  const auto event = parse_event(line, nullptr);
  if (!event || event->operation != "key.replace" || event->outcome != "ok") return std::nullopt;
  std::string lost, key, note, action;
  std::vector<std::string> approvals;
  for (const auto& [name, value] : event->details) {
    if (name == "lost_vkey") lost = value;
    if (name == "vkey") key = value;
    if (name == "checkpoint") note = value;
    if (name == "quorum_action") action = value;
    if (name.starts_with("quorum_approval")) approvals.push_back(value);
  }
  auto lost_key = VerifierKey::parse(lost), new_key = VerifierKey::parse(key);
  if (!lost_key || !new_key) return std::nullopt;
  return Replacement{std::move(*lost_key), std::move(*new_key),  std::move(note),
                     std::move(action),    std::move(approvals), event->time_ms};
}

// Is it worth a key's look?
bool hands_over(std::string_view line) {
  return (line.find(kMarker) != std::string_view::npos &&
          line.find(kAfter) != std::string_view::npos) ||
         replacement_in(line).has_value();
}

bool is_among(const std::vector<VerifierKey>& keys, const VerifierKey& key) {
  return std::ranges::any_of(keys,
                             [&](const VerifierKey& one) { return one.text() == key.text(); });
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

void KeyChain::look_at(std::string_view line, std::uint64_t record) {
  if (!refused_.empty()) return;
  if (auto key = endorsed_key(line, known_.back())) {
    known_.push_back(*key);
    found_.push_back({.key = std::move(*key), .record = record});
    return;
  }
  const auto said = replacement_in(line);
  // One that is of this log's keys, and not said before.
  if (!said || !is_among(known_, said->lost) || is_among(known_, said->key)) return;
  judge(*said, record);
}

void KeyChain::judge(const Replacement& said, std::uint64_t record) {
  const OpenedCheckpoint last = open_checkpoint(said.last_known, known_);
  std::string why;
  if (said.key.name() != known_.front().name()) {
    why = "the key is of another log";
  } else if (last.trust != Trust::kGood || last.checkpoint.size > record) {
    why = "the checkpoint it names is none that a key of this log signed before";
  } else if (!judge_) {
    why = "no custodians are trusted here";
  } else {
    why = judge_(said, last.checkpoint);
  }
  if (!why.empty()) {
    refused_ = "record " + std::to_string(record) +
               " puts another key in the place of a lost one, by the word of custodians and not of "
               "the key before: " +
               why;
    refused_record_ = record;
    return;
  }
  known_.push_back(said.key);
  found_.push_back({said.key, record, said.last_known});
}

std::optional<MissingFile> for_each_handover(
    const LogView& view,
    const std::function<void(std::string_view event, std::uint64_t record)>& each) {
  for (std::uint64_t index = 0; index * kTileWidth < view.size(); ++index) {
    const FoundFile file = view.bundle(index);
    if (!file.bytes) return MissingFile{file.path, index * kTileWidth};
    if (file.bytes->find(kMarker) == std::string::npos &&
        file.bytes->find(kReplaced) == std::string::npos) {
      continue;
    }
    BundleReader entries(*file.bytes);
    std::uint64_t record = index * kTileWidth;
    for (auto entry = entries.next(); entry && record < view.size();
         entry = entries.next(), ++record) {
      if (hands_over(*entry)) each(*entry, record);
    }
  }
  return std::nullopt;
}

Successors find_successors(const LogView& view, const VerifierKey& first,
                           const QuorumJudge& judge) {
  Successors found;
  KeyChain chain(first, judge);
  const auto missing = for_each_handover(
      view, [&](std::string_view event, std::uint64_t record) { chain.look_at(event, record); });
  if (missing) {
    found.missing = missing->path;
    found.missing_record = missing->record;
  }
  found.keys = chain.successors();
  found.refused = chain.refused();
  found.refused_record = chain.refused_record();
  return found;
}

}  // namespace cardvault::audit
