#include "provisioning/auditor/find.h"

#include <optional>
#include <set>

#include "provisioning/auditor/custodians_word.h"
#include "provisioning/auditor/progress_line.h"
#include "provisioning/auditor/published_log.h"
#include "provisioning/auditor/search.h"
#include "provisioning/auditor/utc_time.h"
#include "vault/core/token.h"

namespace cardvault::auditor {
namespace {

EventFormat format_of(const FindOptions& options, const Terminal& terminal) {
  if (options.format == "csv") return EventFormat::kCsv;
  if (options.format.empty() ? terminal.json : options.format == "json") return EventFormat::kJson;
  return EventFormat::kTable;
}

EventQuery query_of(const FindOptions& options) {
  EventQuery query = options.query;
  query.check();
  // The vault takes a token in either case, and its events have one spelling.
  for (const std::string& token : options.query.tokens) {
    if (const auto known = core::Token::parse(token)) query.tokens.push_back(known->text());
  }
  if (!options.since.empty()) query.since_ms = parse_utc(options.since);
  if (!options.until.empty()) query.until_ms = parse_utc(options.until);
  if (query.until_ms <= query.since_ms) {
    throw base::StartupError("--until has to be after --since");
  }
  return query;
}

// Events that carry no fingerprint name the card by its token.
std::vector<std::string> tokens_of(LogSearch& search,
                                   const std::vector<std::string>& fingerprints) {
  EventQuery by_card;
  by_card.fingerprints = fingerprints;
  std::set<std::string> tokens;
  search.run(by_card, [&](std::uint64_t, std::string_view, const core::Event& event) {
    if (!event.resource.empty()) tokens.insert(event.resource);
    return true;
  });
  return {tokens.begin(), tokens.end()};
}

}  // namespace

int find(const FindOptions& options, const Terminal& terminal) {
  EventQuery query = query_of(options);
  const PublishedLog log(options.folder, options.also);
  const audit::Checkpoint checkpoint =
      log.checkpoint(log.key(options.key), trust_custodians(options.custodians));
  std::optional<IndexFolder> index;
  if (!options.no_index) {
    index.emplace(options.index.empty() ? options.folder + "/index" : options.index);
  }
  std::uint64_t found = 0;
  std::optional<ProgressLine> progress(std::in_place, terminal, "find", "parts");
  LogSearch search(log.files(), checkpoint,
                   {.index = index ? &*index : nullptr,
                    .threads = options.threads,
                    .progress = [&](std::uint64_t done, std::uint64_t all) {
                      if (progress) progress->show(done, all);
                    }});
  if (!query.fingerprints.empty()) query.card_tokens = tokens_of(search, query.fingerprints);
  EventPrinter printer(terminal.out, format_of(options, terminal));
  search.run(query, [&](std::uint64_t record, std::string_view line, const core::Event& event) {
    progress.reset();  // events are printed from here on
    printer.print(record, line, event);
    return ++found != options.limit && terminal.out.good();
  });
  progress.reset();
  printer.finish();
  if (!terminal.out.good()) throw base::StartupError("the events can't be written");
  if (search.index_unwritten() || (index && !index->problem().empty())) {
    terminal.err << "cardvault-audit: the index can't be kept, so that the next search takes as "
                    "long: "
                 << (index->problem().empty() ? "name a folder that you may write to with --index"
                                              : index->problem())
                 << '\n';
  }
  if (search.malformed() != 0) {
    terminal.err << "cardvault-audit: " << search.malformed()
                 << " records are no events: `audit verify` says which\n";
  }
  terminal.err << found << (found == 1 ? " event" : " events")
               << (options.limit != 0 && found == options.limit ? " (there may be more: --limit)"
                                                                : "")
               << " of " << checkpoint.size << " records of " << printable(checkpoint.origin)
               << '\n';
  return kVerified;
}

}  // namespace cardvault::auditor
