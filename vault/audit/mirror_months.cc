#include "vault/audit/mirror_months.h"

#include <ranges>
#include <utility>

#include "vault/audit/checkpoint_fault.h"
#include "vault/audit/proof.h"
#include "vault/audit/segments.h"

namespace cardvault::audit {
namespace {

constexpr std::size_t kMostMonths = 12UZ * 200;  // no log is older

class Months {
 public:
  Months(const ReadFile& remote, LogFiles& local, const std::vector<VerifierKey>& keys,
         const Checkpoint& log)
      : remote_(remote), local_(local), keys_(keys), log_(log), tiles_(local_reader(), log.size) {}

  base::Result<std::optional<WrongMonth>> run();

 private:
  using Step = base::Result<void>;  // with a wrong month found the rest is left undone
  [[nodiscard]] ReadFile local_reader() const {
    return [this](const std::string& path) { return local_.read(path); };
  }
  void wrong(Fault fault, std::string what);
  [[nodiscard]] Step fetch(std::string path);
  [[nodiscard]] std::optional<Manifest> understand();
  [[nodiscard]] Step find_missing(Manifest newest);
  [[nodiscard]] Step take(const Manifest& month);
  [[nodiscard]] Step store(const Manifest& month, const std::string& note);

  const ReadFile& remote_;
  LogFiles& local_;
  const std::vector<VerifierKey>& keys_;
  const Checkpoint& log_;
  TileReader tiles_;
  LogFile served_;
  std::vector<Manifest> missing_;  // the newest first
  std::optional<WrongMonth> wrong_;
};

void Months::wrong(Fault fault, std::string what) {
  wrong_ = WrongMonth{{fault, kNoRecord, served_.path, 0, std::move(what)}, served_};
}

Months::Step Months::fetch(std::string path) {
  auto bytes = remote_(path);
  if (!bytes) return std::unexpected(bytes.error());
  served_ = {std::move(path), bytes->value_or("")};
  if (!*bytes) wrong(Fault::kMissing, "a later month's manifest names it, and it is not served");
  return {};
}

// What was fetched, as the manifest of a month of this log.
std::optional<Manifest> Months::understand() {
  auto manifest = parse_manifest(served_.bytes);
  const bool good = manifest && manifest_text(*manifest) == served_.bytes &&
                    manifest->log == log_.origin &&
                    (manifest->previous.empty()
                         ? manifest->first == 0
                         : manifest->previous < manifest->month &&
                               is_segment_path(segment_folder(manifest->previous) + "/manifest"));
  if (good) return manifest;
  wrong(Fault::kMalformed, "the file is no manifest of a closed month of this log");
  return std::nullopt;
}

Months::Step Months::find_missing(Manifest newest) {
  missing_ = {std::move(newest)};
  for (;;) {
    const Manifest& next = missing_.back();
    auto have = local_.read(segment_folder(next.month) + "/" + std::string(kCheckpointPath));
    if (!have) return std::unexpected(have.error());
    if (*have) {
      missing_.pop_back();
      return {};
    }
    if (next.previous.empty()) return {};
    const auto done = fetch(segment_folder(next.previous) + "/manifest");
    if (!done || wrong_) return done;
    auto before = understand();
    if (!before) return {};
    if (before->month != next.previous || before->size != next.first ||
        missing_.size() == kMostMonths) {
      wrong(Fault::kMalformed, "it is not the manifest of the month before the next one");
      return {};
    }
    missing_.push_back(std::move(*before));
  }
}

Months::Step Months::take(const Manifest& month) {
  const auto done = fetch(segment_folder(month.month) + "/" + std::string(kCheckpointPath));
  if (!done || wrong_) return done;
  const auto opened = open_checkpoint(served_.bytes, keys_);
  if (opened.trust == Trust::kOtherKey) return {};
  if (auto fault = checkpoint_fault(opened, keys_.front())) {
    wrong(fault->fault, std::move(fault->what));
    return {};
  }
  if (opened.checkpoint.size != month.size) {
    wrong(Fault::kMalformed, "the month's manifest and its checkpoint are of different sizes");
    return {};
  }
  const auto proof = consistency_proof(month.size, log_.size, tiles_.nodes());
  if (!proof) return std::unexpected(proof.error());
  if (!verify_consistency(month.size, opened.checkpoint.root, log_.size, log_.root, *proof)) {
    wrong(Fault::kRolledBack,
          "the log was forked: the month's checkpoint is signed, and is not of this log's past");
    return {};
  }
  return store(month, served_.bytes);
}

Months::Step Months::store(const Manifest& month, const std::string& note) {
  const std::string folder = segment_folder(month.month) + "/";
  for (const std::string& path : edge_files(month.size)) {
    // What was partial then is fuller now.
    const TilePlace place = *parse_tile_path(path);
    std::string bytes;
    if (place.bundle) {
      const auto bundle = tiles_.bundle(place.index);
      if (!bundle) return std::unexpected(bundle.error());
      BundleReader entries(*bundle);
      for (std::uint64_t i = 0; i < place.width; ++i) static_cast<void>(entries.next());
      bytes = bundle->substr(0, entries.offset());
    } else {
      auto hashes = tiles_.tile(place.level, place.index);
      if (!hashes) return std::unexpected(hashes.error());
      hashes->resize(place.width);
      bytes = tile_bytes(*hashes);
    }
    if (auto put = local_.put(folder + path, bytes); !put) return put;
  }
  if (auto put = local_.put(folder + "manifest", manifest_text(month)); !put) return put;
  if (auto synced = local_.sync(); !synced) return synced;
  return local_.replace(folder + std::string(kCheckpointPath), note);
}

base::Result<std::optional<WrongMonth>> Months::run() {
  const std::string path(kLatestManifest);
  auto latest = remote_(path);
  if (!latest) return std::unexpected(latest.error());
  const auto own = local_.read(path);
  if (!own) return std::unexpected(own.error());
  if (!*latest || *latest == *own) return std::nullopt;
  served_ = {path, **latest};
  auto newest = understand();
  if (!newest) return wrong_;
  const auto had = parse_manifest(own->value_or(""));
  if (newest->size > log_.size || (had && had->month >= newest->month)) return std::nullopt;
  if (auto found = find_missing(std::move(*newest)); !found) return std::unexpected(found.error());
  // The oldest first: what a cut leaves out is found missing by the newest.
  for (const Manifest& month : missing_ | std::views::reverse) {
    if (wrong_) return wrong_;
    if (auto taken = take(month); !taken) return std::unexpected(taken.error());
  }
  if (wrong_) return wrong_;
  if (auto put = local_.replace(path, **latest); !put) return std::unexpected(put.error());
  return std::nullopt;
}

}  // namespace

base::Result<std::optional<WrongMonth>> copy_months(const ReadFile& remote, LogFiles& local,
                                                    const std::vector<VerifierKey>& keys,
                                                    const Checkpoint& log) {
  return Months(remote, local, keys, log).run();
}

}  // namespace cardvault::audit
