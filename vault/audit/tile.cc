#include "vault/audit/tile.h"

#include <algorithm>
#include <charconv>
#include <cstring>

#include "vault/base/check.h"

namespace cardvault::audit {
namespace {

constexpr std::size_t kLengthBytes = 2;

std::string index_path(std::uint64_t index) {
  std::string path;
  for (bool last = true;; last = false) {
    std::string group = std::to_string(index % 1000);
    group.insert(0, 3 - group.size(), '0');
    path.insert(0, last ? group : "x" + group + "/");
    index /= 1000;
    if (index == 0) return path;
  }
}

std::string place(std::string folder, std::uint64_t index, std::uint64_t width) {
  CARDVAULT_CHECK(width >= 1 && width <= kTileWidth);
  folder += index_path(index);
  return width == kTileWidth ? folder : folder + ".p/" + std::to_string(width);
}

std::optional<std::uint64_t> digits(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::string tile_path(unsigned level, std::uint64_t index, std::uint64_t width) {
  return place("tile/" + std::to_string(level) + "/", index, width);
}

std::string bundle_path(std::uint64_t index, std::uint64_t width) {
  return place("tile/entries/", index, width);
}

std::optional<TilePlace> parse_tile_path(std::string_view path) {
  constexpr std::string_view kRoot = "tile/";
  constexpr std::size_t kLongest = 64;
  if (!path.starts_with(kRoot) || path.size() > kLongest) return std::nullopt;
  std::string_view rest = path.substr(kRoot.size());
  const std::string_view level = rest.substr(0, rest.find('/'));
  rest.remove_prefix(std::min(rest.size(), level.size() + 1));
  TilePlace place;
  if (const auto dot = rest.find(".p/"); dot != std::string_view::npos) {
    place.width = digits(rest.substr(dot + 3)).value_or(0);
    if (place.width == 0 || place.width >= kTileWidth) return std::nullopt;
    rest = rest.substr(0, dot);
  }
  std::string number;
  std::ranges::copy_if(rest, std::back_inserter(number),
                       [](char c) { return c != 'x' && c != '/'; });
  const auto index = digits(number);
  if (!index) return std::nullopt;
  place.index = *index;
  place.bundle = level == "entries";
  if (!place.bundle) {
    const auto height = digits(level);
    if (!height || *height >= kMaxTileLevels) return std::nullopt;
    place.level = static_cast<unsigned>(*height);
  }
  // The one spelling that there is tells whether this is it.
  const std::string spelled = place.bundle ? bundle_path(place.index, place.width)
                                           : tile_path(place.level, place.index, place.width);
  if (path != spelled) return std::nullopt;
  return place;
}

bool is_log_path(std::string_view path) {
  return path == kCheckpointPath || parse_tile_path(path).has_value();
}

std::string tile_bytes(const std::vector<Hash>& hashes) {
  std::string bytes;
  bytes.reserve(hashes.size() * sizeof(Hash));
  for (const Hash& hash : hashes) bytes.append(hash.begin(), hash.end());
  return bytes;
}

std::optional<std::vector<Hash>> read_tile(std::string_view bytes) {
  if (bytes.size() % sizeof(Hash) != 0) return std::nullopt;
  std::vector<Hash> hashes(bytes.size() / sizeof(Hash));
  if (!hashes.empty()) std::memcpy(hashes.data(), bytes.data(), bytes.size());
  return hashes;
}

void append_entry(std::string& bundle, std::string_view entry) {
  CARDVAULT_CHECK(entry.size() <= kMaxEntryBytes);
  bundle += static_cast<char>(entry.size() >> 8);
  bundle += static_cast<char>(entry.size() & 0xFF);
  bundle += entry;
}

std::optional<std::string_view> BundleReader::next() {
  const std::string_view rest = bundle_.substr(offset_);
  if (rest.size() < kLengthBytes) return std::nullopt;
  const std::size_t length = static_cast<std::size_t>(static_cast<unsigned char>(rest[0])) << 8 |
                             static_cast<unsigned char>(rest[1]);
  if (rest.size() - kLengthBytes < length) return std::nullopt;
  offset_ += kLengthBytes + length;
  return rest.substr(kLengthBytes, length);
}

}  // namespace cardvault::audit
