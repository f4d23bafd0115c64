#include "vault/daemon/backup_seal.h"

#include <charconv>

namespace cardvault::daemon {
namespace {

constexpr std::string_view kHead = "cardvault backup seal v1\n";

// The rest of a line that begins with `name`, which is cut off `text`.
std::optional<std::string> take(std::string_view& text, std::string_view name) {
  const auto end = text.find('\n');
  if (end == std::string_view::npos || !text.starts_with(name)) return std::nullopt;
  const std::string_view line = text.substr(name.size(), end - name.size());
  if (!line.starts_with(": ")) return std::nullopt;
  text.remove_prefix(end + 1);
  return std::string(line.substr(2));
}

std::uint64_t number(std::string_view text) {
  std::uint64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

}  // namespace

std::string encode(const BackupSeal& seal) {
  std::string out(kHead);
  out += "log: " + seal.log + "\ntime: " + seal.time + "\nevents: " + std::to_string(seal.events) +
         "\ncheckpoint: " + std::to_string(seal.checkpoint_size) + " " + seal.checkpoint_root +
         "\n";
  for (const char* file : {"vault.db", "reveal.db"}) {
    const auto digest = seal.files.find(file);
    out += std::string(file) + ": " + (digest == seal.files.end() ? "" : digest->second) + "\n";
  }
  return out + "backup: " + seal.backup + "\n";
}

std::optional<BackupSeal> parse_backup_seal(std::string_view text) {
  const std::string_view whole = text;
  if (!text.starts_with(kHead)) return std::nullopt;
  text.remove_prefix(kHead.size());
  BackupSeal seal;
  const auto log = take(text, "log");
  const auto time = take(text, "time");
  const auto events = take(text, "events");
  const auto checkpoint = take(text, "checkpoint");
  const auto vault = take(text, "vault.db");
  const auto reveal = take(text, "reveal.db");
  const auto backup = take(text, "backup");
  if (!log || !time || !events || !checkpoint || !vault || !reveal || !backup) return std::nullopt;
  seal.log = *log;
  seal.time = *time;
  seal.events = number(*events);
  const auto blank = checkpoint->find(' ');
  if (blank == std::string::npos) return std::nullopt;
  seal.checkpoint_size = number(*checkpoint);
  seal.checkpoint_root = checkpoint->substr(blank + 1);
  seal.files = {{"vault.db", *vault}, {"reveal.db", *reveal}};
  seal.backup = *backup;
  if (encode(seal) != whole) return std::nullopt;
  return seal;
}

}  // namespace cardvault::daemon
