#include "vault/daemon/log_reader.h"

#include "vault/audit/checkpoint.h"
#include "vault/audit/tile_reader.h"

namespace cardvault::daemon {

using Lines = std::vector<store::LogLine>;

base::Result<std::unique_ptr<LogReader>> LogReader::open(const store::SqliteStore& store,
                                                         const std::string& published_dir,
                                                         const std::vector<std::string>& closed) {
  auto events = store.make_event_reader();
  if (!events) return std::unexpected(events.error());
  return std::unique_ptr<LogReader>(new LogReader(std::move(*events), published_dir, closed));
}

base::Result<Lines> LogReader::read(std::uint64_t from, std::size_t limit) {
  auto kept = events_->read(from, limit);
  if (!kept || (!kept->empty() && kept->front().seq == from)) return kept;
  // Rows are deleted when they are published: what was not in the one is in the other.
  auto published = read_published(from, limit);
  return published && published->empty() ? std::move(kept) : std::move(published);
}

base::Result<Lines> LogReader::read_published(std::uint64_t from, std::size_t limit) {
  const auto note = files_.read(std::string(audit::kCheckpointPath));
  if (!note) return std::unexpected(note.error());
  const auto checkpoint = audit::parse_checkpoint_text(note->value_or(""));
  Lines lines;
  if (!checkpoint || from >= checkpoint->size) return lines;
  const audit::TileReader tiles([this](const std::string& path) { return files_.read(path); },
                                checkpoint->size);
  std::uint64_t seq = from / audit::kTileWidth * audit::kTileWidth;
  while (lines.size() < limit && seq < checkpoint->size) {
    const auto bundle = tiles.bundle(seq / audit::kTileWidth);
    if (!bundle) return std::unexpected(bundle.error());
    audit::BundleReader entries(*bundle);
    for (auto entry = entries.next(); entry; entry = entries.next(), ++seq) {
      if (seq >= from && lines.size() < limit) lines.push_back({seq, std::string(*entry)});
    }
  }
  return lines;
}

}  // namespace cardvault::daemon
