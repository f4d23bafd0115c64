// What happened in a ceremony, line by line: at once the record, and what a broken-off ceremony
// goes on from. No secret is ever in it.
//
//   cardvault transcript v1
//   kind: ceremony
//   vault: 0123456789abcdef
//   previous: none                     else, of a reshare or renewal: digest of the one before
//   plan: version = 1                  the plan, line by line
//   entry: 2026-11-22T09:55:30.123Z share-made secret=so-pin generation=1 index=1 …
//   signed: audit-sign <hex>           over everything before the first "signed"
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "vault/custody/custodian_set.h"
#include "vault/custody/digest.h"
#include "vault/custody/lines.h"

namespace cardvault::custody {

struct TranscriptHead {
  std::string kind;      // "ceremony", "rehearsal", "reshare", "renewal"
  std::string vault;     // 16 hex digits
  std::string previous;  // 64 hex digits; "none"
  std::string plan;      // its text
};

struct Entry {
  std::int64_t time_ms = 0;
  std::string verb;
  Fields fields;
  [[nodiscard]] std::string get(std::string_view key) const { return field(fields, key); }
};

struct Transcript {
  TranscriptHead head;
  std::vector<Entry> entries;
  std::vector<Signed> signatures;
  Digest body{};  // of everything before the first signature

  // The last entry of this verb with this field; nullptr when there is none.
  [[nodiscard]] const Entry* last(std::string_view verb, std::string_view key = "",
                                  std::string_view value = "") const;
};

// Throws StartupError with `what` and the line for anything that is no transcript. Signatures are
// not checked (transcript_check.h).
[[nodiscard]] Transcript parse_transcript(const std::string& what, std::string_view text);

// The paths of the folder's "transcript.N", the highest N first.
[[nodiscard]] std::vector<std::string> transcripts_in(const std::string& folder);
// The first of them; "" when there is none.
[[nodiscard]] std::string newest_transcript(const std::string& folder);

// Appends to a transcript's file, each line synced before add() returns. One process at a time
// (flock). Throws StartupError when the file can't be made, opened or written.
class TranscriptWriter {
 public:
  // A new file, which must not be there.
  [[nodiscard]] static TranscriptWriter create(const std::string& path, const TranscriptHead& head);
  // One that a broken-off ceremony left; a last line without its end is cut off.
  [[nodiscard]] static TranscriptWriter resume(const std::string& path);
  TranscriptWriter(TranscriptWriter&& other) noexcept;
  TranscriptWriter& operator=(TranscriptWriter&&) = delete;       // one file, one writer
  TranscriptWriter(const TranscriptWriter&) = delete;             // one file, one writer
  TranscriptWriter& operator=(const TranscriptWriter&) = delete;  // one file, one writer
  ~TranscriptWriter();

  void add(std::string_view verb, const Fields& fields);
  void add(const Signed& signature);
  // As it is now.
  [[nodiscard]] const Transcript& so_far() const noexcept { return transcript_; }

 private:
  TranscriptWriter(std::string path, int fd) : path_(std::move(path)), fd_(fd) {}
  void append(const std::string& line);
  void reread();

  std::string path_;
  int fd_;
  Transcript transcript_;
};

}  // namespace cardvault::custody
