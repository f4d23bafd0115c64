// Verbs about canaries, and the public keys of what the vault signs.
#include "vault/core/canary.h"
#include "vault/core/record.h"
#include "vault/daemon/admin.h"
#include "vault/daemon/admin_answers.h"

namespace cardvault::daemon {

using base::Code;

namespace {

constexpr std::uint64_t kMostCanaries = 100;

wire::AdminAnswer not_made(const base::Error& error) {
  switch (error.code) {
    case Code::kInvalidArgument:
      return refusal(error.code, "--bin wants 4 to 11 leading digits of a number of 12 to 19");
    case Code::kBinUnknown:
      return refusal(error.code,
                     "no row of the BIN table has this BIN: a canary looks like a card");
    case Code::kCountryRefused:
    case Code::kCurrencyRefused:
      return refusal(error.code,
                     "[policy] refuses cards of this BIN: choose one that the vault stores");
    default:
      return failed(error);
  }
}

}  // namespace

wire::AdminAnswer AdminService::canary_plant(const Call& call) {
  const std::uint64_t count = call.number("count", 1);
  const std::string format = call.argument("format");
  if (count == 0 || count > kMostCanaries || (format != "opaque" && format != "numeric")) {
    return refusal(Code::kInvalidArgument, "plant 1 to 100 canaries, opaque or numeric");
  }
  if (!vault_.clock().trusted()) {
    return refusal(Code::kClockSuspect, "the clock is in doubt: `cardvault clock confirm`");
  }
  std::vector<core::CardRow> rows;
  for (std::uint64_t i = 0; i < count; ++i) {
    auto row = core::make_canary(
        vault_.services(), call.argument("bin"),
        format == "numeric" ? core::TokenFormat::kNumeric : core::TokenFormat::kOpaque);
    if (!row) return not_made(row.error());
    rows.push_back(std::move(*row));
  }
  const core::Event pattern = event(call);
  bool collided = false;
  std::vector<core::TokenId> image;
  const auto decide = [&](core::Transaction& tx, core::EventSink& events) -> base::Result<void> {
    // Before the first write: a number that is taken can't be undone after one.
    for (const core::CardRow& row : rows) {
      if (row.number == 0) continue;
      const auto taken = tx.numeric(row.number);
      if (!taken) return std::unexpected(taken.error());
      collided = collided || taken->has_value();
    }
    if (collided) {
      core::Event refused = pattern;
      refused.outcome = base::code_name(Code::kConflict);
      events.add(refused);
      return {};
    }
    for (const core::CardRow& row : rows) {
      if (auto ok = tx.insert_card(row); !ok) return ok;
      if (auto ok = tx.put_canary(row.id); !ok) return ok;
      core::Event planted = pattern;
      planted.resource = core::Token::from_store(row.id, row.number).text();
      planted.fingerprint = core::fingerprint_text(row.fp, row.fp_version);
      planted.key_version = row.key_version;
      events.add(planted);
    }
    auto all = tx.canaries();
    if (!all) return std::unexpected(all.error());
    image = std::move(*all);
    return {};
  };
  const auto after = [&] {
    if (collided) return;
    vault_.services().canaries.store(
        std::make_shared<const std::set<core::TokenId>>(image.begin(), image.end()));
  };
  if (auto ok = commit(call, decide, after); !ok) return failed(ok.error());
  if (collided) return refusal(Code::kConflict, "a number was taken by chance: plant again");
  wire::AdminAnswer answer;
  answer.columns = {"token", "card"};
  for (const core::CardRow& row : rows) {
    const core::CardView view = core::card_view(row, pattern.time_ms);
    answer.rows.push_back({view.token, view.masked});
  }
  return answer;
}

wire::AdminAnswer AdminService::canary_list(const Call& call) {
  if (auto ok = record(event(call)); !ok) return failed(ok.error());
  auto reader = vault_.store().make_reader();
  if (!reader) return failed(reader.error());
  wire::AdminAnswer answer;
  answer.columns = {"token", "card", "planted"};
  const auto canaries = vault_.services().canaries.load();
  for (const core::TokenId& id : *canaries) {
    const auto row = (*reader)->card(id);
    if (!row) return failed(row.error());
    if (!*row) continue;  // deleted since
    const core::CardView view = core::card_view(**row, vault_.clock().now_ms());
    answer.rows.push_back({view.token, view.masked, base::format_time(view.created_ms)});
  }
  return answer;
}

wire::AdminAnswer AdminService::jwks(const Call& call) {
  if (auto ok = record(event(call)); !ok) return failed(ok.error());
  auto set = vault_.services().sealer.jwks();
  if (!set) return failed(set.error());
  wire::AdminAnswer answer;
  answer.columns = {"jwks"};
  answer.rows = {{std::move(*set)}};
  return answer;
}

}  // namespace cardvault::daemon
