#include "tests/unit/wire/samples.h"

namespace cardvault::wire {

core::Caller caller() {
  core::Caller c;
  for (std::size_t i = 0; i < c.spki_sha256.size(); ++i) {
    c.spki_sha256[i] = static_cast<std::uint8_t>(i * 7);
  }
  c.sans = {"dns:web.bank.example", "uri:spiffe://bank/web"};
  c.source = "192.0.2.7";
  c.serial = "0a1b2c";
  return c;
}

core::TokenizeItem tokenize_item(std::string_view pan) {
  core::TokenizeItem item;
  item.pan = base::SecretText(pan);
  item.expiry = "2027-12";
  item.customer = base::SecretText("+77010000001");
  item.format = core::TokenFormat::kNumeric;
  item.ttl_s = 86400;
  item.metadata = {{"color", "blue"}, {"nick", "travel"}};
  return item;
}

core::PaymentContext payment() { return {1'000'000'000'000'000U, "KZT", "Kazakh\xc2\xa0Telecom"}; }

core::DetokenizeItem item(std::string token, std::string purpose, bool mask, std::string recipient,
                          std::optional<core::PaymentContext> context) {
  return {std::move(token), std::move(purpose), mask, std::move(recipient), std::move(context)};
}

core::OtpSeal otp_seal() {
  core::OtpSeal r;
  r.subject = base::SecretText("+77010000001");
  r.purpose = "confirm_transaction";
  r.context = payment();
  r.recipient = "sms-gateway";
  r.ttl_s = 300;
  r.digits = 8;
  r.idempotency_key = "k-2";
  return r;
}

std::vector<core::Request> requests() {
  std::vector<core::Request> all;
  core::Tokenize tokenize;
  tokenize.items.push_back(tokenize_item("4111111111111111"));
  tokenize.idempotency_key = "k-1";
  all.emplace_back(std::move(tokenize));
  core::Tokenize batch;
  batch.batch = true;
  batch.items.push_back(tokenize_item("5555555555554444"));
  batch.items.emplace_back();
  all.emplace_back(std::move(batch));
  all.emplace_back(core::Detokenize{{item("tok_1", "payment", true)}, false});
  all.emplace_back(
      core::Detokenize{{item("tok_1", "payment", true), item("tok_2", "", false)}, true});
  core::CardsSearch search;
  search.customer = base::SecretText("+77010000001");
  search.after = "cursor";
  all.emplace_back(std::move(search));
  all.emplace_back(core::TokenGet{"tok_3"});
  all.emplace_back(core::TokenDelete{"tok_4"});
  all.emplace_back(core::TokenFreeze{"tok_5", false});
  all.emplace_back(core::Whoami{});
  all.emplace_back(core::MetricsRead{});
  all.emplace_back(core::ReadyCheck{});
  all.emplace_back(core::Refused{base::Code::kInvalidJson, "tokenize"});
  all.emplace_back(core::Refused{base::Code::kInvalidField, "tokenize", 999});
  all.emplace_back(core::Flood{"192.0.2.9", "tls_handshake", 12345678901234U});
  all.emplace_back(core::Detokenize{
      {item("tok_1", "payment", false, "acquirer", payment()),
       item("tok_2", "payment", false, "acquirer"), item("tok_3", "payment", false)},
      true});
  all.emplace_back(otp_seal());
  core::OtpSeal clear;
  clear.subject = base::SecretText("+77010000001");
  clear.purpose = "verify_login";
  clear.clear = true;
  all.emplace_back(std::move(clear));
  core::OtpVerify verify;
  verify.subject = base::SecretText("+77010000001");
  verify.purpose = "confirm_transaction";
  verify.context = payment();
  verify.code = base::SecretText("123456");
  all.emplace_back(std::move(verify));
  core::OtpCancel cancel;
  cancel.subject = base::SecretText("+77010000001");
  cancel.purpose = "verify_login";
  all.emplace_back(std::move(cancel));
  all.emplace_back(with_secret<core::SecretEnroll>());
  all.emplace_back(with_secret<core::SecretVerify>());
  all.emplace_back(with_secret<core::SecretChange>());
  core::SecretRemove remove;
  remove.subject = base::SecretText("+77010000001");
  remove.kind = core::SecretKind::kQuickCode;
  all.emplace_back(std::move(remove));
  all.emplace_back(core::JwksRead{});
  all.emplace_back(core::AuditRead{"tile/0/x001/234.p/17", 262'144});
  return all;
}

core::CardView card() {
  core::CardView c;
  c.token = "tok_1";
  c.masked = "411111******1111";
  c.last4 = "1111";
  c.brand = "visa";
  c.country = "KZ";
  c.currency = "KZT";
  c.expiry = "2027-12";
  c.created_ms = 1795000000123;
  c.expires_ms = 1795000086123;
  c.status = core::CardStatus::kExpired;
  c.duplicate = true;
  c.metadata = {{"a", "b"}};
  return c;
}

namespace {
core::Revealed revealed() {
  core::Revealed r;
  r.pan = base::SecretText("4111111111111111");
  r.expiry = "2027-12";
  return r;
}

}  // namespace

std::vector<core::Answer> answers() {
  std::vector<core::Answer> all;
  all.emplace_back(core::Failure{base::kLastCode, 60});
  all.emplace_back(core::Failure{base::Code::kVerificationFailed, 0, 2});
  core::TokenizeAnswer tokenized;
  tokenized.batch = true;
  tokenized.items.emplace_back(card());
  tokenized.items.emplace_back(core::Failure{base::Code::kInvalidPan, 0});
  all.emplace_back(std::move(tokenized));
  core::TokenizeAnswer single;
  single.items.emplace_back(card());
  all.emplace_back(std::move(single));
  core::DetokenizeAnswer detokenized;
  detokenized.batch = true;
  detokenized.items.emplace_back(revealed());
  detokenized.items.emplace_back(core::Masked{"411111******1111", ""});
  detokenized.items.emplace_back(core::Failure{base::Code::kTokenNotFound, 0});
  detokenized.items.emplace_back(core::SealedCard{"a.b.c.d.e"});
  all.emplace_back(std::move(detokenized));
  all.emplace_back(core::SearchAnswer{{card(), core::CardView{}}, "next"});
  all.emplace_back(card());
  all.emplace_back(core::Done{});
  all.emplace_back(
      core::WhoamiAnswer{"web", {"tokenize"}, {"payment", "*"}, {{"rate_per_s", 100, 99, 5}}});
  all.emplace_back(core::MetricsAnswer{std::string(100'000, 'm')});
  all.emplace_back(core::ReadyAnswer{true, "ready", {"software token"}});
  all.emplace_back(core::OtpSealedAnswer{"0123", "a.b.c.d.e", {}, 1795000900123, 60});
  core::OtpSealedAnswer clear;
  clear.id = "0123";
  clear.code = base::SecretText("123456");
  all.emplace_back(std::move(clear));
  all.emplace_back(core::VerifiedAnswer{"a.b.c"});
  all.emplace_back(core::JwksAnswer{R"({"keys":[]})"});
  all.emplace_back(core::AuditPiece{8192, std::string(8192, '\xff')});
  return all;
}

}  // namespace cardvault::wire
