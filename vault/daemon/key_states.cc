#include "vault/daemon/key_states.h"

#include <algorithm>
#include <charconv>

namespace cardvault::daemon {

using core::KeyPurpose;
using core::KeyRef;
using core::KeyRow;
using core::KeyState;

namespace {
constexpr std::int64_t kDayMs = 86'400'000;
}

std::string_view key_state_name(KeyState state) noexcept {
  switch (state) {
    case KeyState::kActive:
      return "active";
    case KeyState::kDecryptOnly:
      return "decrypt only";
    case KeyState::kRetired:
      return "retired";
    case KeyState::kDestroyed:
      return "destroyed";
  }
  return "";
}

std::optional<KeyPurpose> parse_purpose(std::string_view name) {
  for (const KeyPurpose purpose : core::kAllKeyPurposes) {
    if (core::key_purpose_name(purpose) == name) return purpose;
  }
  return std::nullopt;
}

std::optional<KeyRef> parse_key(std::string_view label) {
  const auto slash = label.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  const auto purpose = parse_purpose(label.substr(0, slash));
  if (!purpose) return std::nullopt;
  KeyRef key{*purpose, 0};
  const char* end = label.data() + label.size();
  const auto read = std::from_chars(label.data() + slash + 1, end, key.version);
  // One way to write it, as an approval's text does: no leading zero, nothing behind.
  if (read.ec != std::errc() || read.ptr != end || core::key_label(key) != label)
    return std::nullopt;
  return key.version == 0 ? std::nullopt : std::optional(key);
}

const KeyRow* find_key(std::span<const KeyRow> rows, KeyRef key) {
  const auto found = std::ranges::find(rows, key, &KeyRow::key);
  return found == rows.end() ? nullptr : &*found;
}

std::vector<std::uint32_t> versions_in(std::span<const KeyRow> rows, KeyPurpose purpose,
                                       KeyState state) {
  std::vector<std::uint32_t> versions;
  for (const KeyRow& row : rows) {
    if (row.key.purpose == purpose && row.state == state) versions.push_back(row.key.version);
  }
  std::ranges::sort(versions, std::greater<>());
  return versions;
}

std::set<KeyRef> destroyed_keys(std::span<const KeyRow> rows) {
  std::set<KeyRef> keys;
  for (const KeyRow& row : rows) {
    if (row.state == KeyState::kDestroyed) keys.insert(row.key);
  }
  return keys;
}

std::map<KeyRef, std::string> check_values(std::span<const KeyRow> rows) {
  std::map<KeyRef, std::string> values;
  for (const KeyRow& row : rows) {
    if (row.state != KeyState::kDestroyed) values.emplace(row.key, row.kcv);
  }
  return values;
}

void use_keys(std::span<const KeyRow> rows, core::ActiveKeys& keys) {
  for (const KeyRow& row : rows) {
    if (row.state != KeyState::kActive) continue;
    auto earlier = versions_in(rows, row.key.purpose, KeyState::kDecryptOnly);
    if (earlier.size() > core::KeyVersions::kMaxEarlier) {
      earlier.resize(core::KeyVersions::kMaxEarlier);
    }
    keys.set(row.key, earlier);
  }
}

std::optional<std::int64_t> period_end_ms(const KeyRow& row, const KeyConfig& config) {
  const std::uint32_t days = config.days(row.key.purpose);
  if (row.state != KeyState::kActive || days == 0) return std::nullopt;
  return row.created_ms + std::int64_t{days} * kDayMs;
}

std::string rotation_value(KeyPurpose purpose) {
  return "rotation " + std::string(core::key_purpose_name(purpose));
}
std::string destruction_value(KeyRef key) { return "destruction " + core::key_label(key); }
std::string statement_value(KeyRef key) { return "statement " + core::key_label(key); }

}  // namespace cardvault::daemon
