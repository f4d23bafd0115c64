// What happened to the records of a bundle, told from their right hashes.
#include <algorithm>
#include <map>

#include "vault/audit/bundle_check.h"
#include "vault/audit/event_codec.h"

namespace cardvault::audit {
namespace {

constexpr std::size_t kLengthBytes = 2;
constexpr std::size_t kNowhere = SIZE_MAX;

struct Entry {
  std::size_t offset;
  std::string_view text;
  Hash hash;
};

// The bundle as it is, beside what it should be. Places are counted in the bundle.
class Diagnosis {
 public:
  Diagnosis(const LogView& view, std::uint64_t index, const FoundFile& file,
            std::span<const std::optional<Hash>> right, std::size_t at)
      : view_(view), index_(index), file_(file), right_(right), at_(at) {
    BundleReader entries(*file.bytes);
    std::size_t offset = 0;
    while (const auto entry = entries.next()) {
      have_.push_back({offset, *entry, leaf_hash(*entry)});
      offset = entries.offset();
      if (have_.size() == right.size() && file.fuller) break;
    }
    end_ = offset;
    whole_ = file.fuller || entries.at_end();
    for (std::size_t i = 0; i < right.size(); ++i) {
      if (right[i]) place_of_[*right[i]] = i;
    }
  }

  Finding find() {
    if (at_ >= have_.size()) return cut_off();
    if (permuted()) {
      return say(Fault::kReordered, "the records of this file are all there, in another order");
    }
    const std::size_t place = place_of(at_);
    if (place != kNowhere) return known_record(place);
    return unknown_record();
  }

 private:
  [[nodiscard]] std::uint64_t record(std::size_t place) const {
    return index_ * kTileWidth + place;
  }
  [[nodiscard]] std::size_t offset() const { return at_ < have_.size() ? have_[at_].offset : end_; }
  [[nodiscard]] Finding say(Fault fault, std::string what) const {
    return {fault, record(at_), file_.path, offset(), std::move(what)};
  }
  // Where the i-th entry of the file belongs, as far as this bundle knows.
  [[nodiscard]] std::size_t place_of(std::size_t i) const {
    if (i >= have_.size()) return kNowhere;
    const auto found = place_of_.find(have_[i].hash);
    return found == place_of_.end() ? kNowhere : found->second;
  }
  [[nodiscard]] bool full() const { return whole_ && have_.size() == right_.size(); }

  [[nodiscard]] bool permuted() const {
    if (!full()) return false;
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < have_.size(); ++i) places.push_back(place_of(i));
    std::ranges::sort(places);
    return places.back() != kNowhere && std::ranges::adjacent_find(places) == places.end();
  }

  // The record is whole, but its length is not what it was.
  [[nodiscard]] bool length_changed() const {
    const std::string_view rest = std::string_view(*file_.bytes).substr(offset());
    return right_[at_] && rest.size() >= kLengthBytes &&
           entry_length(rest.substr(kLengthBytes), *right_[at_]);
  }

  [[nodiscard]] Finding cut_off() const {
    if (length_changed()) return say(Fault::kFlipped, "the length of the record was changed");
    return say(Fault::kTruncated, "the file ends " + std::string(whole_ ? "before" : "within") +
                                      " this record; it must have " +
                                      std::to_string(right_.size()));
  }

  // A record of this bundle stands where another one should.
  [[nodiscard]] Finding known_record(std::size_t place) const {
    const std::size_t next = place_of(at_ + 1);
    const std::string copy = "a copy of record " + std::to_string(record(place)) + " stands here";
    if (next == at_) return say(Fault::kInserted, copy + ", and the right one after it");
    const bool in_its_place = next == at_ + 1 || (at_ + 1 == right_.size() && full());
    if (place < at_ || (in_its_place && next != place + 1)) {
      return say(Fault::kDuplicated, copy + " in place of the right one");
    }
    return say(Fault::kMissing, missing(place - at_));
  }
  [[nodiscard]] static std::string missing(std::size_t count) {
    return count == 1 ? "the record was taken out"
                      : std::to_string(count) + " records were taken out";
  }

  // A record that is none of this bundle's stands where one of them should.
  [[nodiscard]] Finding unknown_record() const {
    if (length_changed()) return say(Fault::kFlipped, "the length of the record was changed");
    if (place_of(at_ + 1) == at_) {
      return say(Fault::kInserted, "a record stands here that was never logged");
    }
    const bool alone = place_of(at_ + 1) == at_ + 1 || (at_ + 1 == right_.size() && full());
    if (auto other = from_elsewhere(alone)) return std::move(*other);
    if (alone) return say(Fault::kFlipped, "the record is not the one that was logged");
    for (std::size_t i = at_ + 1; i < have_.size(); ++i) {
      const std::size_t place = place_of(i);
      if (place == kNowhere || place < at_) continue;
      if (place == i) {
        return say(Fault::kFlipped,
                   std::to_string(i - at_) + " records are not the ones that were logged");
      }
      if (place > i) return say(Fault::kMissing, missing(place - i));
      return say(Fault::kInserted,
                 std::to_string(i - place) + " records stand here that were never logged");
    }
    return say(Fault::kFlipped, "from here to the end of the file nothing is as it was logged");
  }

  // Is it the record of another bundle that its number says it is?
  [[nodiscard]] std::optional<Finding> from_elsewhere(bool alone) const {
    const auto head = check_event(have_[at_].text);
    if (!head || head->seq / kTileWidth == index_) return std::nullopt;
    const auto there = view_.record_hash(head->seq);
    if (!there || *there != have_[at_].hash) return std::nullopt;
    const std::string which = "record " + std::to_string(head->seq);
    const bool all = at_ == 0 && head->seq % kTileWidth == 0 && !alone;
    if (!alone && !all) {
      return head->seq > record(at_) ? say(Fault::kMissing, missing(right_.size() - at_))
                                     : say(Fault::kInserted, which + " stands here once more");
    }
    const auto instead = view_.record(head->seq);
    if (alone && at_ + 1 == right_.size() && head->seq == record(at_) + 1 && instead &&
        leaf_hash(*instead) == view_.record_hash(head->seq + 1)) {
      return say(Fault::kMissing, missing(1));  // the last of this file: all after it moved up
    }
    const bool swapped = instead && right_[at_] && leaf_hash(*instead) == *right_[at_];
    const std::string what =
        all ? "the file holds the records from " + std::to_string(head->seq) + " on"
            : which + " stands here";
    return swapped ? say(Fault::kReordered, what + ", and the right ones stand there")
                   : say(Fault::kDuplicated, what + " in place of the right ones");
  }

  const LogView& view_;
  const std::uint64_t index_;
  const FoundFile& file_;
  const std::span<const std::optional<Hash>> right_;
  const std::size_t at_;
  std::vector<Entry> have_;
  std::size_t end_ = 0;
  bool whole_ = false;
  std::map<Hash, std::size_t> place_of_;
};

}  // namespace

Finding diagnose_bundle(const LogView& view, std::uint64_t index, const FoundFile& file,
                        std::span<const std::optional<Hash>> hashes, std::size_t at) {
  return Diagnosis(view, index, file, hashes, at).find();
}

}  // namespace cardvault::audit
