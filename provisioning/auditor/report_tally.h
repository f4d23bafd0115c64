// What a report counts: events go in, in the log's order; what comes out has a bounded size.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "vault/core/event.h"

namespace cardvault::auditor {

// What happened so often, and when first and last.
struct Count {
  std::uint64_t times = 0;
  std::int64_t first_ms = 0, last_ms = 0;
  void add(std::int64_t time_ms, std::uint64_t times_more = 1);
};

// Names come from the log: so many of them are kept, and all further ones counted as one.
class NamedCounts {
 public:
  static constexpr std::size_t kMost = 100;
  void add(const std::string& name, std::int64_t time_ms, std::uint64_t times = 1);
  [[nodiscard]] const std::map<std::string, Count>& all() const noexcept { return counts_; }
  [[nodiscard]] std::uint64_t total() const noexcept { return total_; }
  [[nodiscard]] std::uint64_t left_out() const noexcept { return left_out_; }

 private:
  std::map<std::string, Count> counts_;
  std::uint64_t total_ = 0, left_out_ = 0;
};

// The largest number within one window of UTC.
struct Peak {
  std::int64_t window = -1;
  std::uint64_t now = 0, most = 0;
  void add(std::int64_t in_window);
};

struct ClientReveals {
  std::uint64_t clear = 0, sealed = 0, over_budget = 0;
  Peak hour, day;  // of both, as budgets count them
};

struct KeyLife {
  std::string kind, kcv, state;  // "active", "decrypt only", "retired", "destroyed"
  std::int64_t made_ms = 0, ended_ms = 0;
};

struct HsmLife {
  std::string manufacturer, model, firmware, device;  // "hardware", "software"; as of the last time
  std::int64_t first_ms = 0, last_ms = 0;             // when it began to serve
};

struct ClientLife {
  std::string permissions, purposes, state;  // "active", "frozen", "revoked"
  std::int64_t since_ms = 0;
};

// One act, as a row.
struct Act {
  std::int64_t time_ms = 0;
  std::uint64_t record = 0;
  std::string actor, operation, outcome, resource;
};
struct Acts {
  static constexpr std::size_t kMost = 300;
  std::vector<Act> rows;  // the first ones
  std::uint64_t left_out = 0;
};

// kRepeated: a card that was stored before, for the same customer, and so is no new one.
enum class Kind : std::uint8_t { kStored, kRepeated, kRevealed, kCodes, kOther, kRefused };
inline constexpr std::size_t kKinds = 6;

// Not thread-safe.
class ReportTally {
 public:
  static constexpr std::size_t kMostBuckets = 96;
  static constexpr std::size_t kMostLives = 300;  // keys, clients, HSMs

  // Events in [from, to) are counted; what is known of keys, clients and HSMs comes from those
  // before too. REQUIRES from < to.
  ReportTally(std::int64_t from_ms, std::int64_t to_ms);

  void add(std::uint64_t record, const core::Event& event);
  // Whether an event before the period has to be looked at. Cheap.
  [[nodiscard]] static bool about_lives(std::string_view line);

  [[nodiscard]] std::int64_t from_ms() const noexcept { return from_ms_; }
  [[nodiscard]] std::int64_t to_ms() const noexcept { return to_ms_; }
  [[nodiscard]] std::int64_t bucket_ms() const noexcept { return bucket_ms_; }
  [[nodiscard]] std::uint64_t total(Kind kind) const noexcept;

  std::uint64_t events = 0, malformed = 0;
  std::vector<std::array<std::uint64_t, kKinds>> buckets;  // by time, each of bucket_ms
  NamedCounts done, refused;                               // by operation
  NamedCounts reasons;                                     // of refusals
  NamedCounts lockouts;                                    // "otp.verify lock=scope"
  NamedCounts alarms;
  NamedCounts operators, readers;  // "operator:alice status"
  std::map<std::string, ClientReveals> reveals;
  std::uint64_t reveals_left_out = 0;
  std::map<std::string, KeyLife> keys;
  std::map<std::string, ClientLife> clients;
  std::map<std::string, HsmLife> hsms;  // by serial number
  Acts key_acts, custodian_acts, client_acts;

 private:
  void live(const core::Event& event);
  void count(std::uint64_t record, const core::Event& event);
  void count_reveal(const core::Event& event);

  std::int64_t from_ms_, to_ms_, bucket_ms_;
};

}  // namespace cardvault::auditor
