// Verbs about tokens and the BIN table.
#include <istream>
#include <streambuf>

#include "vault/core/cards.h"
#include "vault/core/record.h"
#include "vault/core/text_form.h"
#include "vault/daemon/admin.h"
#include "vault/daemon/admin_answers.h"
#include "vault/daemon/stored_state.h"

namespace cardvault::daemon {

using base::Code;

namespace {

constexpr std::size_t kMaxBinFile = std::size_t{256} << 20;

// Bytes in memory as a stream, without a copy.
class ByteStream : public std::streambuf {
 public:
  explicit ByteStream(base::SecretBuffer& bytes) {
    char* begin = reinterpret_cast<char*>(bytes.data());
    setg(begin, begin, begin + bytes.size());
  }
};

std::string customer_status(core::Reader& reader, const core::CardRow& card) {
  if (card.customer == 0) return "none";
  const auto customer = reader.customer_by_row(card.customer);
  if (!customer) return std::string(base::code_name(customer.error().code));
  return *customer && (*customer)->frozen ? "frozen" : "active";
}

}  // namespace

wire::AdminAnswer AdminService::token_inspect(const Call& call) {
  auto reader = vault_.store().make_reader();
  if (!reader) return failed(reader.error());
  const std::int64_t now = vault_.clock().now_ms();
  const std::string token = call.argument("token");
  const auto row = core::find_card(**reader, token, now);
  core::Event done = event(call);
  if (row) {
    done.resource = core::Token::from_store(row->id, row->number).text();
  } else {
    done.outcome = base::code_name(row.error().code);
  }
  if (auto ok = record(done); !ok) return failed(ok.error());
  if (!row) return failed(row.error());
  const core::CardView view = core::card_view(*row, now);
  wire::AdminAnswer answer;
  answer.columns = {"field", "value"};
  answer.rows = {
      {"token", view.token},
      {"card", view.masked},
      {"brand", view.brand},
      {"country", view.country},
      {"currency", view.currency},
      {"expiry", view.expiry},
      {"status", view.status == core::CardStatus::kFrozen    ? "frozen"
                 : view.status == core::CardStatus::kExpired ? "expired"
                                                             : "active"},
      {"created", base::format_time(view.created_ms)},
      {"expires", view.expires_ms == 0 ? "never" : base::format_time(view.expires_ms)},
      {"customer", row->customer == 0 ? "none" : core::to_hex(row->customer_id)},
      {"customer status", customer_status(**reader, *row)},
      {"fingerprint", core::fingerprint_text(row->fp, row->fp_version)},
      {"key", "pan-enc/" + std::to_string(row->key_version)},
      {"suite", row->sealed.suite == core::Suite::kAes256Gcm ? "AES-256-GCM"
                                                             : "AES-256-CBC + HMAC-SHA-256"}};
  return answer;
}

wire::AdminAnswer AdminService::token_change(const Call& call) {
  const core::CardChange change = call.request.verb == "token.delete" ? core::CardChange::kDelete
                                  : call.request.verb == "token.freeze"
                                      ? core::CardChange::kFreeze
                                      : core::CardChange::kUnfreeze;
  core::Event done = event(call);
  auto reader = vault_.store().make_reader();
  if (!reader) return failed(reader.error());
  const auto row = core::find_card(**reader, call.argument("token"), done.time_ms);
  // Nor is a word for it noted, as with a client's release.
  const bool in_vain = row && change == core::CardChange::kUnfreeze && !row->frozen;
  if (!row || in_vain) {
    if (row) done.resource = core::Token::from_store(row->id, row->number).text();
    done.outcome = base::code_name(row ? Code::kNotAllowed : row.error().code);
    if (auto ok = record(done); !ok) return failed(ok.error());
    return row ? refusal(Code::kNotAllowed, "the card is not frozen: there is nothing to unfreeze")
               : failed(row.error());
  }
  base::Result<void> outcome;
  const auto committed =
      commit(call, [&](core::Transaction& tx, core::EventSink& events) -> base::Result<void> {
        outcome = core::change_card(tx, call.argument("token"), change, done.time_ms, done);
        if (!outcome) {
          if (core::is_vault_failure(outcome.error().code)) return outcome;
          done.outcome = base::code_name(outcome.error().code);
        }
        events.add(done);
        return {};
      });
  if (!committed) return failed(committed.error());
  if (!outcome) return failed(outcome.error());
  switch (change) {
    case core::CardChange::kDelete:
      return success("the card is deleted");
    case core::CardChange::kFreeze:
      return success("the card is frozen: it is not shown any more");
    case core::CardChange::kUnfreeze:
      return success("the card is unfrozen");
  }
  return success("");
}

wire::AdminAnswer AdminService::bin_import(const Call& call) {
  const std::scoped_lock lock(bin_mutex_);
  base::SecretBuffer& upload = bin_uploads_[call.operator_name];
  const std::string part = call.argument("part");
  if (part == "begin") {
    upload.clear();
    return success("");
  }
  if (part == "data") {
    if (upload.size() + call.request.blob.size() > kMaxBinFile) {
      bin_uploads_.erase(call.operator_name);
      return refusal(Code::kPayloadTooLarge, "a BIN file may have at most 256 MiB");
    }
    upload.insert(upload.end(), call.request.blob.begin(), call.request.blob.end());
    return success("");
  }
  if (part != "commit") return refusal(Code::kInvalidArgument, "part is begin, data or commit");

  ByteStream bytes(upload);
  std::istream in(&bytes);
  auto table = core::BinTable::read_csv(in);
  bin_uploads_.erase(call.operator_name);
  if (!table) {
    wire::AdminAnswer answer =
        refusal(Code::kInvalidArgument, "nothing was imported: mend these lines and import again");
    answer.columns = {"line", "what"};
    for (const core::BinProblem& problem : table.error()) {
      answer.rows.push_back({std::to_string(problem.line), problem.what});
    }
    core::Event refused = event(call);
    refused.outcome = base::code_name(Code::kInvalidArgument);
    if (auto ok = record(refused); !ok) return failed(ok.error());
    return answer;
  }
  const auto rows = std::to_string(table->size());
  core::Event done = event(call);
  done.details.emplace_back("rows", rows);
  const auto value = table->serialize();
  if (auto ok = vault_.commit([&](core::Transaction& tx, core::EventSink& events) {
        events.add(done);
        return tx.put_value(kBinTableValue, value);
      });
      !ok) {
    return failed(ok.error());
  }
  vault_.services().bins.store(std::make_shared<const core::BinTable>(std::move(*table)));
  return success(rows + " rows hold now");
}

wire::AdminAnswer AdminService::bin_lookup(const Call& call) {
  const base::SecretText digits(call.argument("digits"));
  if (auto ok = record(event(call)); !ok) return failed(ok.error());
  const auto bins = vault_.services().bins.load();
  const auto row = bins->find(digits.expose());
  if (!row) return refusal(Code::kNotFound, "no row of the BIN table matches");
  wire::AdminAnswer answer;
  answer.columns = {"field", "value"};
  answer.rows = {{"range", std::string(row->range_start) +
                               (row->range_end.empty() || row->range_end == row->range_start
                                    ? ""
                                    : "-" + std::string(row->range_end))},
                 {"scheme", std::string(row->scheme)},
                 {"brand", std::string(row->brand)},
                 {"type", std::string(row->type)},
                 {"prepaid", row->prepaid ? "yes" : "no"},
                 {"country", std::string(row->country)},
                 {"currency", std::string(row->currency)},
                 {"bank", std::string(row->bank)},
                 {"length", row->length == 0 ? "any" : std::to_string(row->length)},
                 {"luhn", row->luhn ? "yes" : "no"}};
  return answer;
}

}  // namespace cardvault::daemon
