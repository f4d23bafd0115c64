#include "provisioning/split_numbers.h"

#include <algorithm>
#include <filesystem>
#include <optional>

#include "provisioning/exit_code.h"
#include "vault/custody/lines.h"

namespace cardvault::provisioning {
namespace {

namespace fs = std::filesystem;
using custody::SecretName;

// nullopt of a file that is none, or has no whole beginning: nothing was split then.
std::optional<custody::Transcript> whole_lines_of(const std::string& path) {
  try {
    const std::string text = custody::read_text_file(path);
    return custody::parse_transcript(path, text.substr(0, text.rfind('\n') + 1));
  } catch (const base::StartupError&) {
    return std::nullopt;
  }
}

}  // namespace

SplitNumbers::SplitNumbers(std::string draft, const custody::Transcript& newest)
    : draft_(std::move(draft)), known_(newest) {
  for (const SecretName secret : custody::kAllSecrets) {
    highest_[secret] = known_.newest_generation(secret);
  }
  count(draft_, newest.head.vault);
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(fs::absolute(draft_).parent_path(), ignored)) {
    const std::string name = entry.path().filename();
    if (name.starts_with("transcript.") && !name.ends_with(".drills")) {
      count(entry.path(), newest.head.vault);
    }
  }
}

void SplitNumbers::count(const std::string& path, const std::string& vault) {
  const auto found = whole_lines_of(path);
  if (!found || found->head.vault != vault) return;
  const custody::ShareRegister shares(*found);
  for (auto& [secret, number] : highest_) {
    number = std::max(number, shares.newest_generation(secret));
  }
}

custody::TranscriptWriter SplitNumbers::begin(const custody::TranscriptHead& head,
                                              const custody::Fields& fields) const {
  std::optional<custody::TranscriptWriter> before;  // no other process may be at work on it
  if (whole_lines_of(draft_)) before.emplace(custody::TranscriptWriter::resume(draft_));
  const std::string fresh = draft_ + ".new";
  fs::remove(fresh);
  {
    auto writer = custody::TranscriptWriter::create(fresh, head);
    writer.add("begin", fields);
    for (const auto& [secret, number] : highest_) {
      for (unsigned n = known_.newest_generation(secret) + 1; n <= number; ++n) {
        writer.add("split-void", {{"secret", std::string(custody::secret_name(secret))},
                                  {"generation", std::to_string(n)},
                                  {"reason", "broken off before it was put to use"}});
      }
    }
  }
  fs::rename(fresh, draft_);
  return custody::TranscriptWriter::resume(draft_);
}

std::uint8_t SplitNumbers::next(SecretName secret) const {
  const unsigned last = highest_.at(secret);
  if (last == 255) throw ToolError(ExitCode::kLocal, "no more splits can be counted");
  return static_cast<std::uint8_t>(last + 1);
}

}  // namespace cardvault::provisioning
