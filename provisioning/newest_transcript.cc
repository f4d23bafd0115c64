#include "provisioning/newest_transcript.h"

#include <filesystem>

#include "provisioning/exit_code.h"
#include "vault/custody/lines.h"

namespace cardvault::provisioning {

namespace fs = std::filesystem;

void refuse_outdated(const std::string& path, const custody::Transcript& transcript,
                     const std::string& folder) {
  for (const std::string& other : custody::transcripts_in(folder)) {
    const std::string text = custody::read_text_file(other);
    if (custody::parse_transcript(other, text).head.vault != transcript.head.vault) continue;
    if (text == custody::read_text_file(path)) return;
    throw ToolError(ExitCode::kRefused, path + " is outdated: " + other +
                                            " is the newest transcript of this vault, and says "
                                            "which shares are good. Use that one");
  }
}

custody::Transcript read_newest(const std::string& path) {
  auto out = custody::parse_transcript(path, custody::read_text_file(path));
  refuse_outdated(path, out, fs::canonical(path).parent_path());
  return out;
}

void demand_newer_name(const std::string& path) {
  const fs::path folder = fs::absolute(path).parent_path();
  const auto others = custody::transcripts_in(folder);
  if (others.empty()) return;
  const std::string stem = (folder / "transcript.").string();
  const auto number = [](const std::string& text) { return custody::parse_number(text, 99999); };
  const auto newest = number(others.front().substr(stem.size())).value_or(0);
  const std::string name = fs::absolute(path).string();
  const auto own = name.starts_with(stem) ? number(name.substr(stem.size())) : std::nullopt;
  if (own.value_or(0) > newest) return;
  throw ToolError(ExitCode::kUsage, path +
                                        " would not be the newest transcript of its folder: name " +
                                        "it " + stem + std::to_string(newest + 1));
}

}  // namespace cardvault::provisioning
