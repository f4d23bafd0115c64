// Where indexes of a log are kept: files that can be made again at any time.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "vault/audit/event_index.h"

namespace cardvault::auditor {

// Indexes are made with a key of whoever searches, in ~/.local/state/cardvault-audit/index.key (or
// below $XDG_STATE_HOME), so that nobody else can make one that leaves something out. Thread-safe.
class IndexFolder {
 public:
  // Reads the key, or makes it. Where neither can be done, nothing is kept and nothing found.
  explicit IndexFolder(std::string folder);

  // The bundles that may hold what is asked for: of each list at least one term. nullopt: there is
  // no index of that node, or it is not one of ours.
  [[nodiscard]] std::optional<audit::BundleSet> look(
      std::uint64_t number, const audit::Hash& node,
      const std::vector<std::vector<std::string>>& terms) const;
  // Writes one beside its place and moves it there. false: it can't be written.
  bool keep(std::uint64_t number, const audit::Hash& node, audit::IndexBuilder& index) const;

  // Why indexes can't be kept; empty: nothing is known against it.
  [[nodiscard]] const std::string& problem() const noexcept { return problem_; }

 private:
  [[nodiscard]] std::string path_of(std::uint64_t number) const;

  const std::string folder_;
  std::optional<audit::IndexKey> key_;
  std::string problem_;
};

}  // namespace cardvault::auditor
