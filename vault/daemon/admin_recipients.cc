// Verbs about recipients: who may be sent sealed data, and with which certificate.
#include <algorithm>
#include <array>
#include <charconv>
#include <expected>
#include <functional>
#include <optional>
#include <sstream>

#include "vault/daemon/admin.h"
#include "vault/daemon/admin_answers.h"
#include "vault/seal/recipient_certificate.h"

namespace cardvault::daemon {

using base::Code;

namespace {

constexpr std::array<std::pair<std::string_view, core::RecipientUse>, 2> kUses = {
    {{"otp", core::RecipientUse::kOtp}, {"reveal", core::RecipientUse::kReveal}}};

// RecipientUse bits of "otp,reveal"; 0 when a name is unknown or there is none.
std::uint8_t parse_uses(const std::string& list) {
  std::uint8_t bits = 0;
  std::istringstream in(list);
  for (std::string name; std::getline(in, name, ',');) {
    const auto* const use =
        std::ranges::find(kUses, name, [](const auto& one) { return one.first; });
    if (use == kUses.end()) return 0;
    bits = static_cast<std::uint8_t>(bits | static_cast<std::uint8_t>(use->second));
  }
  return bits;
}

std::string uses_text(const core::Recipient& recipient) {
  std::string text;
  for (const auto& [name, use] : kUses) {
    if (recipient.may(use)) text += (text.empty() ? "" : ",") + std::string(name);
  }
  return text;
}

std::string key_text(const seal::CertificateFacts& facts) {
  std::string text(seal::recipient_key_name(facts.key));
  if (facts.key == seal::RecipientKey::kRsa) text += " " + std::to_string(facts.key_bits);
  return text;
}

std::string describe(const seal::CertificateFacts& facts) {
  return facts.subject + ", " + key_text(facts) + ", SPKI SHA-256 " + facts.spki_sha256 +
         ", valid until " + base::format_time(facts.not_after_ms);
}

void name_certificate(core::Event& event, const seal::CertificateFacts& facts) {
  event.details.emplace_back("spki_sha256", facts.spki_sha256);
  event.details.emplace_back("not_after", base::format_time(facts.not_after_ms));
}

// Whose key one of this recipient's certificates has, of the others; empty: nobody's.
std::string key_holder(const std::vector<core::Recipient>& all, const core::Recipient& recipient) {
  const auto keys_of = [](const core::Recipient& one) {
    std::vector<std::string> keys;
    for (const core::RecipientCertificate* each : {&one.certificate, &one.next}) {
      if (each->der.empty()) continue;
      if (const auto facts = seal::certificate_facts(each->der)) keys.push_back(facts->spki_sha256);
    }
    return keys;
  };
  const auto shares_one = [](const auto& some, const auto& others) {
    return std::ranges::find_first_of(some, others) != some.end();
  };
  const std::vector<std::string> mine = keys_of(recipient);
  for (const core::Recipient& other : all) {
    if (other.name != recipient.name && shares_one(keys_of(other), mine)) {
      return other.name;
    }
  }
  return "";
}

// From when on the new certificate is sealed to; 0: at once. Nothing when the text is no number, or
// names a time that is over.
std::optional<std::int64_t> begin_of(const std::string& from_ms, const std::string& after_s,
                                     std::int64_t now_ms) {
  const std::string& text = from_ms.empty() ? after_s : from_ms;
  if (text.empty()) return 0;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  constexpr std::int64_t kMost = 100LL * 365 * 86'400 * 1000;
  if (error != std::errc() || end != text.data() + text.size() || value < 0 || value > kMost) {
    return std::nullopt;
  }
  const std::int64_t begin = from_ms.empty() ? now_ms + value * 1000 : value;
  if (!from_ms.empty() && begin <= now_ms) return std::nullopt;
  return begin <= now_ms ? 0 : begin;
}

}  // namespace

// Changes the recipient that the call names, as it is stored when its turn comes: `edit` gets the
// row, if there is one, empties or replaces it, or says why not.
wire::AdminAnswer AdminService::edit_recipient(const Call& call, core::Event done,
                                               const RecipientEdit& edit,
                                               const std::function<std::string(Code)>& refused_text,
                                               std::string success_text) {
  std::optional<Code> refused;
  std::optional<core::Recipient> row;
  std::string holder;  // another one, of the same key
  std::vector<core::Recipient> image;
  const auto name = call.argument("name");
  done.resource = core::valid_client_id(name) ? name : "";
  const auto judge = [&](const std::vector<core::Recipient>& all) {
    const auto at = std::ranges::find(all, name, &core::Recipient::name);
    row = at != all.end() ? std::optional(*at) : std::nullopt;
    refused = edit(row);
    if (refused || !row) return;
    holder = key_holder(all, *row);
    if (!holder.empty()) refused = Code::kAlreadyExists;
  };
  const auto decide = [&](core::Transaction& tx, core::EventSink& events) -> base::Result<void> {
    auto all = tx.recipients();
    if (all) {
      judge(*all);
    } else if (all.error().code == Code::kRecordDamaged) {
      refused = Code::kRecordDamaged;  // said to the operator; an error here would latch the store
    } else {
      return std::unexpected(all.error());
    }
    if (refused) done.outcome = base::code_name(*refused);
    events.add(done);
    if (refused) return {};
    if (auto ok = row ? tx.put_recipient(*row) : tx.delete_recipient(name); !ok) return ok;
    auto changed = tx.recipients();
    if (!changed) return std::unexpected(changed.error());
    image = std::move(*changed);
    return {};
  };
  const auto after = [&] {
    if (!refused) vault_.services().recipients.load(std::move(image));
  };
  const auto refuse = [&] {
    if (!holder.empty()) {
      return refusal(*refused, "recipient '" + holder +
                                   "' has the key of this certificate already, and could open "
                                   "what is sealed to '" +
                                   name + "': take a certificate of a key of its own");
    }
    if (*refused == Code::kRecordDamaged) {
      return refusal(*refused, "a recipient's record is damaged: restore a backup");
    }
    const std::string text = refused_text(*refused);
    return refusal(*refused,
                   text.empty() ? "no such recipient: see `cardvault recipient list`" : text);
  };
  judge(*vault_.services().recipients.all());  // before a second operator is asked for
  if (refused) {
    done.outcome = base::code_name(*refused);
    if (auto ok = record(done); !ok) return failed(ok.error());
    return refuse();
  }
  if (auto ok = commit(call, decide, after); !ok) return failed(ok.error());
  return refused ? refuse() : success(std::move(success_text));
}

wire::AdminAnswer AdminService::recipient_add(const Call& call) {
  core::Recipient recipient;
  recipient.name = call.argument("name");
  recipient.uses = parse_uses(call.argument("may"));
  recipient.created_ms = vault_.clock().now_ms();
  if (!core::valid_client_id(recipient.name)) {
    return refusal(Code::kInvalidArgument,
                   "a recipient's name is 1 to 63 of a-z, 0-9, '.', '_' and '-', beginning with a "
                   "letter or digit");
  }
  if (recipient.uses == 0) {
    return refusal(Code::kInvalidArgument,
                   "say what may be sealed to it: otp (codes), reveal (cards), or otp,reveal");
  }
  const auto checked = seal::check_recipient_certificate(
      base::as_text(call.request.blob), {call.argument("ca"), call.argument("pin")},
      recipient.created_ms);
  core::Event done = event(call);
  if (!checked) return refuse_certificate(std::move(done), recipient.name, checked.error());
  recipient.certificate = checked->certificate;
  done.details = {{"may", uses_text(recipient)}};
  name_certificate(done, checked->facts);
  return edit_recipient(
      call, std::move(done),
      [&](std::optional<core::Recipient>& row) -> std::optional<Code> {
        if (row) return Code::kAlreadyExists;
        row = recipient;
        return std::nullopt;
      },
      [&](Code) {
        return "there is a recipient '" + recipient.name +
               "' already: `cardvault recipient replace` gives it another certificate";
      },
      "recipient '" + recipient.name + "' may be sent " + uses_text(recipient) + ": " +
          describe(checked->facts));
}

wire::AdminAnswer AdminService::refuse_certificate(core::Event refused, const std::string& name,
                                                   const std::string& why) {
  refused.resource = name;
  refused.outcome = base::code_name(Code::kInvalidArgument);
  if (auto ok = record(refused); !ok) return failed(ok.error());
  return refusal(Code::kInvalidArgument, why);
}

wire::AdminAnswer AdminService::recipient_replace(const Call& call) {
  if (call.argument("cancel") == "true") return recipient_cancel(call);
  const std::string name = call.argument("name");
  const std::int64_t now = vault_.clock().now_ms();
  const auto begin = begin_of(call.argument("from_ms"), call.argument("after_s"), now);
  if (!begin) {
    return refusal(Code::kInvalidArgument,
                   "the replacement's time is no time, or is over: without --from and --after the "
                   "certificate is replaced at once");
  }
  core::Event done = event(call);
  if (!core::valid_client_id(name)) {
    return refusal(Code::kNotFound, "no such recipient: see `cardvault recipient list`");
  }
  // Valid when it is first sealed to.
  const auto checked = seal::check_recipient_certificate(
      base::as_text(call.request.blob), {call.argument("ca"), call.argument("pin")},
      *begin == 0 ? now : *begin);
  if (!checked) return refuse_certificate(std::move(done), name, checked.error());
  name_certificate(done, checked->facts);
  const std::string when =
      *begin == 0 ? "from now on" : "from " + base::format_time(*begin) + " on";
  done.details.emplace_back("from", base::format_time(*begin == 0 ? now : *begin));
  std::string gap;
  auto answer = edit_recipient(
      call, std::move(done),
      [&](std::optional<core::Recipient>& row) -> std::optional<Code> {
        if (!row) return Code::kNotFound;
        if (!row->next.der.empty() && now >= row->next_from_ms) row->certificate = row->next;
        row->next = {};
        row->next_from_ms = 0;
        if (*begin == 0) {
          row->certificate = checked->certificate;
          return std::nullopt;
        }
        row->next = checked->certificate;
        row->next_from_ms = *begin;
        if (row->certificate.not_after_ms < *begin) {
          gap = "; but the certificate in use ends on " +
                base::format_time(row->certificate.not_after_ms) +
                ", and in between nothing can be sealed to it";
        }
        return std::nullopt;
      },
      [](Code) { return std::string(); },
      "recipient '" + name + "' is sealed to " + when + " by " + describe(checked->facts));
  if (!answer.ok || gap.empty()) return answer;
  return success(answer.message + gap);
}

wire::AdminAnswer AdminService::recipient_cancel(const Call& call) {
  const std::int64_t now = vault_.clock().now_ms();
  core::Event done = event(call);
  done.details = {{"cancel", "true"}};
  bool known = false;
  return edit_recipient(
      call, std::move(done),
      [&](std::optional<core::Recipient>& row) -> std::optional<Code> {
        known = row.has_value();
        if (!row || row->next.der.empty()) return Code::kNotFound;
        if (now >= row->next_from_ms) return Code::kNotAllowed;
        row->next = {};
        row->next_from_ms = 0;
        return std::nullopt;
      },
      [&](Code code) -> std::string {
        if (code == Code::kNotAllowed) {
          return "the replacement has taken effect: replace it again by the former certificate";
        }
        return known ? "no replacement is pending" : "";
      },
      "the pending replacement is dropped");
}

wire::AdminAnswer AdminService::recipient_remove(const Call& call) {
  return edit_recipient(
      call, event(call),
      [](std::optional<core::Recipient>& row) -> std::optional<Code> {
        if (!row) return Code::kNotFound;
        row.reset();
        return std::nullopt;
      },
      [](Code) { return std::string(); }, "nothing is sealed to this recipient any more");
}

wire::AdminAnswer AdminService::recipient_list(const Call& call) {
  if (auto ok = record(event(call)); !ok) return failed(ok.error());
  const std::int64_t now = vault_.clock().now_ms();
  wire::AdminAnswer answer;
  answer.columns = {"recipient",
                    "state",
                    "may",
                    "key",
                    "valid until",
                    "subject",
                    "spki sha-256",
                    "next from",
                    "next valid until",
                    "next spki sha-256"};
  const auto recipients = vault_.services().recipients.all();
  for (const core::Recipient& one : *recipients) {
    const core::RecipientCertificate& current = one.current(now);
    const auto facts = seal::certificate_facts(current.der);
    if (!facts) return failed(facts.error());
    std::vector<std::string> row = {one.name,
                                    now > current.not_after_ms    ? "expired"
                                    : now < current.not_before_ms ? "not yet valid"
                                                                  : "active",
                                    uses_text(one),
                                    key_text(*facts),
                                    base::format_time(current.not_after_ms),
                                    facts->subject,
                                    facts->spki_sha256};
    if (one.next.der.empty() || now >= one.next_from_ms) {
      row.insert(row.end(), 3, "");
    } else {
      const auto next = seal::certificate_facts(one.next.der);
      if (!next) return failed(next.error());
      row.insert(row.end(), {base::format_time(one.next_from_ms),
                             base::format_time(one.next.not_after_ms), next->spki_sha256});
    }
    answer.rows.push_back(std::move(row));
  }
  return answer;
}

}  // namespace cardvault::daemon
