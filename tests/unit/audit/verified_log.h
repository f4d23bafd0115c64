// A log of several levels that a test spoils.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "tests/unit/audit/memory_log.h"
#include "vault/audit/verify.h"

namespace cardvault::audit {

// 70,000 records: 273 full bundles and one of 112, tiles of three levels.
inline constexpr std::uint64_t kSize = 70'000;

class Verify : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    key_ = new TestKey;
    good_ = new std::map<std::string, std::string>(TestLog(kSize, *key_).files);
  }
  static void TearDownTestSuite() {
    delete good_;
    delete key_;
  }
  Verify() { log.files = *good_; }

  // What the first finding is, as "flipped 17 tile/entries/000"; "verified".
  std::string first() {
    const auto report = log.verify();
    if (report.findings.empty()) return "verified";
    const Finding& finding = report.findings[0];
    EXPECT_FALSE(finding.what.empty());
    return std::string(fault_name(finding.fault)) + " " +
           (finding.record == kNoRecord ? "?" : std::to_string(finding.record)) + " " +
           finding.file;
  }
  void edit(std::uint64_t bundle, const std::function<void(std::vector<std::string>&)>& change,
            std::uint64_t width = kTileWidth) {
    auto entries = log.entries(bundle, width);
    change(entries);
    log.put_entries(bundle_path(bundle, width), entries);
  }
  // From here on every bundle is written again: what was taken out or put in moves all the rest.
  void shift(std::uint64_t from, const std::function<void(std::vector<std::string>&)>& change) {
    std::vector<std::string> all;
    for (std::uint64_t bundle = from; bundle <= 273; ++bundle) {
      const auto entries = log.entries(bundle, bundle == 273 ? 112 : 256);
      all.insert(all.end(), entries.begin(), entries.end());
    }
    change(all);
    for (std::uint64_t bundle = from; bundle <= 273; ++bundle) {
      const auto begin = all.begin() + static_cast<std::ptrdiff_t>((bundle - from) * 256);
      const auto end = bundle == 273 ? all.end() : begin + 256;
      log.put_entries(bundle_path(bundle, bundle == 273 ? 112 : 256), {begin, end});
    }
  }

  static inline TestKey* key_ = nullptr;
  static inline std::map<std::string, std::string>* good_ = nullptr;
  TestLog log{1, *key_};
};

}  // namespace cardvault::audit
