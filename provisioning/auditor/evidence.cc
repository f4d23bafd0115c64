#include "provisioning/auditor/evidence.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "provisioning/auditor/custodians_word.h"
#include "provisioning/auditor/published_log.h"
#include "vault/audit/checkpoint.h"
#include "vault/audit/key_chain.h"
#include "vault/audit/sha256.h"
#include "vault/core/text_form.h"

namespace cardvault::auditor {
namespace {

constexpr std::string_view kTitle = "cardvault evidence v1\n";
constexpr std::string_view kVault = "vault: ";
constexpr std::string_view kFile = "file: ";

std::string_view line_of(std::string_view& text) {
  const auto end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

// Whose evidence it says that it is: a PEM key doesn't.
std::string named_vault(std::string_view manifest) {
  if (!manifest.starts_with(kTitle)) return "";
  manifest.remove_prefix(kTitle.size());
  const std::string_view line = line_of(manifest);
  return line.starts_with(kVault) ? std::string(line.substr(kVault.size())) : "";
}

// The manifest's own lines of files; nullopt: it is no manifest of this vault.
std::optional<std::string> listed(std::string_view text, const std::string& vault) {
  if (!text.starts_with(kTitle)) return std::nullopt;
  text.remove_prefix(kTitle.size());
  if (line_of(text) != std::string(kVault) + vault) return std::nullopt;
  std::string lines;
  while (text.starts_with(kFile)) lines.append(line_of(text)).append("\n");
  const std::string_view time = line_of(text);
  if (!time.starts_with("time: ") || !text.empty()) return std::nullopt;
  return lines;
}

// Where two lists part: what the first line that differs is about.
std::string difference(std::string_view listed_files, std::string_view there) {
  while (!listed_files.empty() || !there.empty()) {
    const std::string_view wanted = line_of(listed_files), found = line_of(there);
    if (wanted == found) continue;
    const auto name = [](std::string_view line) {
      return printable(line.substr(line.rfind(' ') + 1));
    };
    if (found.empty()) return name(wanted) + " is missing";
    if (wanted.empty()) return name(found) + " was added";
    if (name(wanted) == name(found)) return name(found) + " is not the file that was signed";
    return name(found) + " stands where " + name(wanted) + " was";
  }
  return "";
}

int refuse(const Terminal& terminal, const std::string& why) {
  terminal.out << "NOT VERIFIED: " << why << '\n';
  return kNotVerified;
}

}  // namespace

std::string evidence_list(const std::vector<TarFile>& files) {
  std::string list;
  for (const TarFile& file : files) {
    list.append(kFile)
        .append(core::to_hex(audit::sha256(file.bytes)))
        .append(" ")
        .append(std::to_string(file.bytes.size()))
        .append(" ")
        .append(file.name)
        .append("\n");
  }
  return list;
}

int verify_evidence(const EvidenceOptions& options, const Terminal& terminal) {
  auto files = read_tar(read_file(options.archive));
  const bool archive = files && !files->empty() && files->front().name == kManifestName;
  std::vector<audit::VerifierKey> keys = {
      parse_key(options.key, archive ? named_vault(files->front().bytes) : "")};
  const std::string vault = keys.front().name();
  if (!archive) {
    return refuse(terminal, "this is no evidence archive, or it is cut or changed");
  }
  const std::string manifest = std::move(files->front().bytes);
  files->erase(files->begin());
  audit::KeyChain chain(keys.front(), trust_custodians(options.custodians));
  for (const TarFile& file : *files) {
    if (!file.name.starts_with(kEndorsedName)) continue;
    std::uint64_t record = 0;
    const char* const end = file.name.data() + file.name.size();
    std::from_chars(file.name.data() + std::string_view(kEndorsedName).size(), end, record);
    chain.look_at(file.bytes, record);
  }
  for (const audit::EndorsedKey& next : chain.successors()) keys.push_back(next.key);
  const auto note = audit::parse_note(manifest);
  if (!note || std::ranges::none_of(keys, [&](const audit::VerifierKey& key) {
        return audit::signed_by(*note, key) == audit::Signed::kByKey;
      })) {
    return refuse(terminal,
                  chain.refused().empty()
                      ? "the manifest is not signed by this key, nor by one that it endorsed in it"
                      : chain.refused());
  }
  const auto list = listed(note->text, vault);
  if (!list) return refuse(terminal, "what the key signed is no manifest of this vault's evidence");
  if (const std::string found = difference(*list, evidence_list(*files)); !found.empty()) {
    return refuse(terminal, found);
  }
  std::string checkpoints;
  for (const TarFile& file : *files) {
    if (!file.name.starts_with("checkpoints/")) continue;
    const auto opened = audit::open_checkpoint(file.bytes, keys);
    // Kept ones may be by a key before this one: the report says what they were checked with.
    if (opened.trust == audit::Trust::kOtherKey && file.name != "checkpoints/current") continue;
    if (opened.trust != audit::Trust::kGood) {
      return refuse(terminal, printable(file.name) + " is no checkpoint signed by this key");
    }
    checkpoints +=
        printable(file.name) + ": " + std::to_string(opened.checkpoint.size) + " records\n";
  }
  std::string_view text = note->text;
  text.remove_prefix(text.rfind("time: "));
  terminal.out << "verified: " << files->size() << " files of " << vault << ", signed at "
               << text.substr(6) << checkpoints;
  for (const TarFile& file : *files) terminal.out << "  " << printable(file.name) << '\n';
  return kVerified;
}

}  // namespace cardvault::auditor
