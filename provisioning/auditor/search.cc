#include "provisioning/auditor/search.h"

#include <algorithm>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>

#include "vault/audit/event_codec.h"

namespace cardvault::auditor {
namespace {

using audit::kIndexBundles;

// Runs work(i) for each i below `count` on some threads; throws what the first of them threw.
void in_parallel(unsigned threads, std::uint64_t count,
                 const std::function<void(std::atomic<std::uint64_t>& next)>& work) {
  std::atomic<std::uint64_t> next{0};
  std::mutex mutex;
  std::exception_ptr failure;
  const auto guarded = [&] {
    try {
      work(next);
    } catch (...) {
      const std::scoped_lock lock(mutex);
      if (!failure) failure = std::current_exception();
      next = count;  // the others end
    }
  };
  std::vector<std::jthread> crew;
  try {
    for (unsigned i = 1; i < threads; ++i) crew.emplace_back(guarded);
  } catch (const std::system_error&) {  // those that the machine gave do it alone
  }
  guarded();
  crew.clear();
  if (failure) std::rethrow_exception(failure);
}

}  // namespace

LogSearch::LogSearch(audit::ReadFile read, audit::Checkpoint checkpoint, Options options)
    : read_(std::move(read)), options_(std::move(options)), log_(read_, std::move(checkpoint)) {}

// The first bundle that ends at or after the time.
std::uint64_t LogSearch::first_bundle_from(std::int64_t time_ms) {
  std::uint64_t low = 0, high = log_.bundles();
  while (low < high) {
    const std::uint64_t middle = (low + high) / 2;
    std::int64_t last_ms = INT64_MAX;
    log_.read_bundle(middle, [&](std::uint64_t, std::string_view entry) {
      const auto head = audit::check_event(entry);
      last_ms = head ? head->time_ms : INT64_MAX;
    });
    if (last_ms < time_ms) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low;
}

audit::BundleSet LogSearch::read_bundles(audit::ProvenLog& log, const EventQuery& query,
                                         std::uint64_t first, std::uint64_t end,
                                         audit::IndexBuilder* index) {
  audit::BundleSet found;
  for (std::uint64_t bundle = first; bundle < end; ++bundle) {
    const auto place = static_cast<std::uint8_t>(bundle % kIndexBundles);
    log.read_bundle(bundle, [&](std::uint64_t, std::string_view entry) {
      const auto event = audit::parse_event(entry, nullptr);
      if (!event || query.matches(*event)) found.set(place);
      if (index == nullptr) return;
      if (event) {
        each_term(*event, [&](std::string_view term) { index->add(term, place); });
      } else {
        index->add(kMalformedTerm, place);
      }
    });
  }
  return found;
}

audit::BundleSet LogSearch::bundles_of(audit::ProvenLog& log, const EventQuery& query,
                                       std::uint64_t first, std::uint64_t end,
                                       std::atomic<bool>& unwritten) const {
  const std::uint64_t number = first / kIndexBundles, begin = number * kIndexBundles;
  const bool whole = (number + 1) * audit::kIndexRecords <= log.checkpoint().size;
  const auto terms = query.terms();
  if (options_.index == nullptr || !whole || terms.empty()) {
    return read_bundles(log, query, first, end, nullptr);
  }
  const audit::Hash node = log.node(audit::kIndexLevel, number);
  auto found = options_.index->look(number, node, terms);
  if (!found) {
    audit::IndexBuilder index;
    found = read_bundles(log, query, begin, begin + kIndexBundles, &index);
    if (!options_.index->keep(number, node, index)) unwritten = true;
  }
  for (std::uint64_t bundle = begin; bundle < begin + kIndexBundles; ++bundle) {
    if (bundle < first || bundle >= end) found->reset(bundle - begin);
  }
  return *found;
}

std::vector<LogSearch::Part> LogSearch::candidates(const EventQuery& query, std::uint64_t first,
                                                   std::uint64_t end) {
  const std::uint64_t first_part = first / kIndexBundles;
  std::vector<Part> parts((end + kIndexBundles - 1) / kIndexBundles - first_part);
  std::atomic<bool> unwritten{false};
  std::mutex mutex;
  std::uint64_t done = 0;
  const unsigned cores = std::max(1U, std::thread::hardware_concurrency());
  in_parallel(options_.threads == 0 ? cores : options_.threads, parts.size(),
              [&](std::atomic<std::uint64_t>& next) {
                audit::ProvenLog log(read_, log_.checkpoint());
                for (std::uint64_t i = next++; i < parts.size(); i = next++) {
                  const std::uint64_t begin = (first_part + i) * kIndexBundles;
                  parts[i] = {first_part + i,
                              bundles_of(log, query, std::max(first, begin),
                                         std::min(end, begin + kIndexBundles), unwritten)};
                  const std::scoped_lock lock(mutex);
                  if (options_.progress) options_.progress(++done, parts.size());
                }
              });
  unwritten_ = unwritten_ || unwritten;
  return parts;
}

void LogSearch::run(const EventQuery& query, const Each& each) {
  const std::uint64_t first = query.since_ms == 0 ? 0 : first_bundle_from(query.since_ms);
  const std::uint64_t end = query.until_ms == INT64_MAX
                                ? log_.bundles()
                                : std::min(log_.bundles(), first_bundle_from(query.until_ms) + 1);
  if (first >= end) return;
  // Where only the time is asked for, all that lies between is what is looked for.
  const bool by_time = query.terms().empty();
  const auto parts = by_time ? std::vector<Part>() : candidates(query, first, end);
  bool enough = false;
  const auto give = [&](std::uint64_t record, std::string_view entry) {
    if (enough) return;
    const auto event = audit::parse_event(entry, nullptr);
    if (!event) {
      ++malformed_;
    } else if (query.matches(*event)) {
      enough = !each(record, entry, *event);
    }
  };
  if (by_time) {
    for (std::uint64_t i = first; i < end && !enough; ++i) log_.read_bundle(i, give);
  }
  for (const Part& part : parts) {
    for (std::uint64_t i = 0; i < kIndexBundles && !enough; ++i) {
      if (part.bundles[i]) log_.read_bundle(part.number * kIndexBundles + i, give);
    }
  }
}

}  // namespace cardvault::auditor
