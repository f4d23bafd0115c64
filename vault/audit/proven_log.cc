#include "vault/audit/proven_log.h"

#include <string>

namespace cardvault::audit {
namespace {

[[noreturn]] void refuse(const std::string& file) {
  throw NotProven(file + " is not what the checkpoint signs: `audit verify` says what was changed");
}

[[noreturn]] void refuse(const Finding& finding) {
  if (finding.fault != Fault::kMissing) refuse(finding.file);
  throw NotProven(finding.file +
                  " is missing: where files of closed months were moved away, name their folder "
                  "with --also");
}

std::vector<Hash> known(const JudgedTile& tile, const std::string& file) {
  std::vector<Hash> hashes;
  for (const auto& hash : tile.hashes) {
    if (!hash || !tile.trusted) refuse(file);
    hashes.push_back(*hash);
  }
  return hashes;
}

}  // namespace

ProvenLog::ProvenLog(ReadFile read, Checkpoint checkpoint)
    : checkpoint_(std::move(checkpoint)), view_(std::move(read), checkpoint_.size), judge_(view_) {
  std::vector<Finding> findings;
  edge_ = judge_.edge(checkpoint_.root, findings);
  if (!findings.empty()) refuse(findings[0]);
}

std::vector<Hash> ProvenLog::checked(unsigned level, std::uint64_t index) {
  const std::string file = tile_path(level, index, view_.width(level, index));
  if (view_.width(level, index) != kTileWidth) return known(edge_[level], file);
  const Hash root = node(level + 1, index);
  std::vector<Finding> findings;
  const JudgedTile judged = judge_.full(level, index, root, true, findings);
  if (!findings.empty()) refuse(findings[0]);
  return known(judged, file);
}

const std::vector<Hash>& ProvenLog::tile(unsigned level, std::uint64_t index) {
  Kept& kept = kept_[level];
  if (kept.index != index) {
    auto hashes = checked(level, index);
    kept = {index, std::move(hashes)};
  }
  return kept.hashes;
}

Hash ProvenLog::node(unsigned level, std::uint64_t index) {
  return tile(level, index / kTileWidth)[index % kTileWidth];
}

void ProvenLog::read_bundle(std::uint64_t index, const Each& each) {
  const std::vector<Hash>& hashes = tile(0, index);
  const FoundFile file = view_.bundle(index);
  if (!file.bytes) refuse({Fault::kMissing, index * kTileWidth, file.path, 0, ""});
  std::vector<std::string_view> found;
  BundleReader entries(*file.bytes);
  for (const Hash& hash : hashes) {
    const auto entry = entries.next();
    if (!entry || leaf_hash(*entry) != hash) refuse(file.path);
    found.push_back(*entry);
  }
  for (std::size_t i = 0; i < found.size(); ++i) each(index * kTileWidth + i, found[i]);
}

}  // namespace cardvault::audit
