#include "vault/audit/segments.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "vault/audit/tile.h"
#include "vault/base/clock.h"

namespace cardvault::audit {
namespace {

constexpr std::size_t kMonthChars = 7;  // YYYY-MM
constexpr std::string_view kTitle = "cardvault log segment v1";
constexpr std::size_t kTimeWithin = 64;  // the time follows the number

bool valid_month(std::string_view text) {
  if (text.size() != kMonthChars || text[4] != '-') return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i != 4 && (text[i] < '0' || text[i] > '9')) return false;
  }
  return true;
}

std::string_view take_line(std::string_view& text, std::string_view name) {
  const auto end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  if (end == std::string_view::npos || !line.starts_with(name)) return {};
  text.remove_prefix(end + 1);
  return line.substr(name.size());
}

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::string path_in(const FileRange& range, std::uint64_t index) {
  return range.folder == "tile/entries"
             ? bundle_path(index, kTileWidth)
             : tile_path(static_cast<unsigned>(range.folder.back() - '0'), index, kTileWidth);
}

}  // namespace

std::string month_of(std::string_view event_line) {
  constexpr std::string_view kName = "\"time\":\"";
  const auto at = event_line.substr(0, kTimeWithin).find(kName);
  if (at == std::string_view::npos) return {};
  const std::string_view month = event_line.substr(at + kName.size(), kMonthChars);
  return valid_month(month) ? std::string(month) : std::string();
}

std::string month_of(std::int64_t unix_ms) {
  return base::format_time(unix_ms).substr(0, kMonthChars);
}

std::vector<FileRange> completed_between(std::uint64_t since, std::uint64_t size) {
  std::vector<FileRange> ranges;
  const auto add = [&](std::string folder, unsigned level) {
    const std::uint64_t before = hashes_at(level, since) / kTileWidth;
    const std::uint64_t now = hashes_at(level, size) / kTileWidth;
    if (now > before) ranges.push_back({std::move(folder), before, now - 1});
  };
  add("tile/entries", 0);
  for (unsigned level = 0; level < kMaxTileLevels; ++level) {
    add("tile/" + std::to_string(level), level);
  }
  return ranges;
}

std::string manifest_text(const Manifest& manifest) {
  std::string text = std::string(kTitle) + "\nlog: " + manifest.log + "\nmonth: " + manifest.month +
                     "\nprevious: " + manifest.previous +
                     "\nfirst event: " + std::to_string(manifest.first) +
                     "\nsize of the log: " + std::to_string(manifest.size) + "\n";
  for (const FileRange& range : completed_between(manifest.first, manifest.size)) {
    text += path_in(range, range.first) + " to " + path_in(range, range.last) + "\n";
  }
  return text;
}

std::optional<Manifest> parse_manifest(std::string_view text) {
  Manifest manifest;
  if (!text.starts_with(kTitle)) return std::nullopt;
  take_line(text, kTitle);
  manifest.log = take_line(text, "log: ");
  manifest.month = take_line(text, "month: ");
  manifest.previous = take_line(text, "previous: ");
  const auto first = number(take_line(text, "first event: "));
  const auto size = number(take_line(text, "size of the log: "));
  if (!valid_month(manifest.month) || !first || !size || *first > *size) return std::nullopt;
  manifest.first = *first;
  manifest.size = *size;
  return manifest;
}

std::string segment_folder(std::string_view month) { return "segment/" + std::string(month); }

bool is_segment_path(std::string_view path) {
  constexpr std::string_view kFolder = "segment/";
  if (path == kLatestManifest) return true;
  if (!path.starts_with(kFolder)) return false;
  const std::string_view month = path.substr(kFolder.size(), kMonthChars);
  const std::string_view rest = path.substr(kFolder.size() + month.size());
  return valid_month(month) && rest.starts_with('/') &&
         (rest == "/manifest" || is_log_path(rest.substr(1)));
}

std::vector<std::string> edge_files(std::uint64_t size) {
  std::vector<std::string> paths;
  for (unsigned level = 0; level < kMaxTileLevels; ++level) {
    const std::uint64_t all = hashes_at(level, size);
    if (all % kTileWidth == 0) continue;
    paths.push_back(tile_path(level, all / kTileWidth, all % kTileWidth));
    if (level == 0) paths.push_back(bundle_path(all / kTileWidth, all % kTileWidth));
  }
  return paths;
}

void for_each_file(const Manifest& manifest,
                   const std::function<void(const std::string& path)>& name) {
  for (const FileRange& range : completed_between(manifest.first, manifest.size)) {
    for (std::uint64_t i = range.first; i <= range.last; ++i) name(path_in(range, i));
  }
  const std::string own = segment_folder(manifest.month) + "/";
  for (const std::string& path : edge_files(manifest.size)) name(own + path);
  name(own + "manifest");
  name(own + std::string(kCheckpointPath));
}

base::Result<std::string> MonthlyLog::month() {
  if (month_.empty() && writer_.size() > 0) {
    const auto last = writer_.reader().entry(writer_.size() - 1);
    if (!last) return std::unexpected(last.error());
    month_ = month_of(*last);
  }
  return month_;
}

base::Result<void> MonthlyLog::publish(std::span<const std::string> entries) {
  if (entries.empty()) return {};
  const auto now = month();
  if (!now) return std::unexpected(now.error());
  const std::string next = month_of(entries.front());
  if (next > *now && !now->empty()) {
    if (auto closed = close(*now); !closed) return closed;
  }
  // Times never step back: the same month at both ends is the same all along.
  std::size_t count = entries.size();
  if (month_of(entries.back()) != next) {
    const auto end = std::ranges::find_if(
        entries, [&](const std::string& entry) { return month_of(entry) != next; });
    count = static_cast<std::size_t>(end - entries.begin());
  }
  auto done = writer_.publish(entries.first(count));
  if (done) month_ = std::max(*now, next);
  return done;
}

base::Result<std::optional<Manifest>> MonthlyLog::latest() {
  const auto text = files_.read(std::string(kLatestManifest));
  if (!text) return std::unexpected(text.error());
  if (!*text) return std::nullopt;
  auto manifest = parse_manifest(**text);
  if (!manifest) return base::fail(base::Code::kRecordDamaged, "read segment/latest");
  return manifest;
}

base::Result<std::uint64_t> MonthlyLog::closed_size() {
  const auto manifest = latest();
  if (!manifest) return std::unexpected(manifest.error());
  return *manifest ? (*manifest)->size : 0;
}

base::Result<void> MonthlyLog::close(const std::string& month) {
  const auto before = latest();
  if (!before) return std::unexpected(before.error());
  Manifest manifest;
  manifest.month = month;
  if (*before) {
    if ((*before)->month >= month) return {};  // closed before, and then broken off
    manifest.previous = (*before)->month;
    manifest.first = (*before)->size;
  }
  if (auto durable = writer_.make_durable(); !durable) return durable;
  if (auto kept = keep_(); !kept) return kept;
  const auto now = parse_checkpoint_text(writer_.checkpoint());
  if (!now) return base::fail(base::Code::kRecordDamaged, "close month");
  manifest.log = now->origin;
  manifest.size = now->size;
  const std::string folder = segment_folder(month) + "/";
  for (const std::string& path : edge_files(manifest.size)) {
    const auto bytes = files_.read(path);
    if (!bytes) return std::unexpected(bytes.error());
    if (!*bytes) return base::fail(base::Code::kNotFound, "close month");
    if (auto put = files_.put(folder + path, **bytes); !put) return put;
  }
  const std::string text = manifest_text(manifest);
  if (auto put = files_.put(folder + "manifest", text); !put) return put;
  if (auto synced = files_.sync(); !synced) return synced;
  if (auto put = files_.replace(folder + "checkpoint", writer_.checkpoint()); !put) return put;
  return files_.replace(std::string(kLatestManifest), text);
}

}  // namespace cardvault::audit
