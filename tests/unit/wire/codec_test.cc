#include "protocol/wire/codec.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>

namespace cardvault::wire {
namespace {

constexpr std::size_t kHead = 13;

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

core::DetokenizeItem item(std::string token, std::string purpose, bool mask,
                          std::string recipient = "",
                          std::optional<core::PaymentContext> context = std::nullopt) {
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

template <class WithSecret>
WithSecret with_secret() {
  WithSecret r;
  r.subject = base::SecretText("+77010000001");
  r.kind = core::SecretKind::kQuickCode;
  r.secret = base::SecretText("4711");
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

// The decoded form of what was encoded.
template <class T>
T through_wire(T request) {
  base::SecretBuffer out;
  EXPECT_TRUE(encode(out, 1, caller(), core::Request(std::move(request))));
  auto decoded = decode_request(std::span(out).subspan(kHead));
  EXPECT_TRUE(decoded.has_value());
  return std::get<T>(std::move(decoded->request));
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

core::Revealed revealed() {
  core::Revealed r;
  r.pan = base::SecretText("4111111111111111");
  r.expiry = "2027-12";
  return r;
}

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

std::vector<std::uint8_t> payload_of(const base::SecretBuffer& frame) {
  return {frame.begin() + kHead, frame.end()};
}

std::vector<std::uint8_t> request_payload(const core::Caller& who, const core::Request& request) {
  base::SecretBuffer out;
  EXPECT_TRUE(encode(out, 1, who, request));
  return payload_of(out);
}

TEST(RequestCodec, GivesBackWhatWasEncoded) {
  for (const core::Request& request : requests()) {
    const auto bytes = request_payload(caller(), request);
    const auto decoded = decode_request(bytes);
    ASSERT_TRUE(decoded.has_value()) << request.index();
    EXPECT_EQ(decoded->request.index(), request.index());
    EXPECT_EQ(decoded->caller.sans, caller().sans);
    EXPECT_EQ(decoded->caller.spki_sha256, caller().spki_sha256);
    EXPECT_EQ(request_payload(decoded->caller, decoded->request), bytes) << request.index();
  }
}

TEST(RequestCodec, KeepsEveryFieldOfATokenize) {
  const auto decoded = decode_request(request_payload(caller(), requests()[0]));
  ASSERT_TRUE(decoded.has_value());
  const auto& r = std::get<core::Tokenize>(decoded->request);
  EXPECT_FALSE(r.batch);
  EXPECT_EQ(r.idempotency_key, "k-1");
  ASSERT_EQ(r.items.size(), 1U);
  const core::TokenizeItem& item = r.items[0];
  EXPECT_EQ(item.pan.expose(), "4111111111111111");
  EXPECT_EQ(item.expiry, "2027-12");
  EXPECT_EQ(item.customer.expose(), "+77010000001");
  EXPECT_EQ(item.format, core::TokenFormat::kNumeric);
  EXPECT_EQ(item.ttl_s, 86400U);
  EXPECT_EQ(item.metadata, (core::Metadata{{"color", "blue"}, {"nick", "travel"}}));
}

TEST(RequestCodec, KeepsEveryFieldOfACodeAndItsContext) {
  const auto seal = through_wire(otp_seal());
  EXPECT_EQ(seal.subject.expose(), "+77010000001");
  EXPECT_EQ(seal.purpose, "confirm_transaction");
  EXPECT_EQ(seal.context, payment());
  EXPECT_EQ(seal.recipient, "sms-gateway");
  EXPECT_FALSE(seal.clear);
  EXPECT_EQ(seal.ttl_s, 300U);
  EXPECT_EQ(seal.digits, 8U);
  EXPECT_EQ(seal.idempotency_key, "k-2");
  core::OtpVerify sent;
  sent.subject = base::SecretText("s");
  sent.purpose = "verify_login";
  sent.code = base::SecretText("0012345678");
  const auto verify = through_wire(std::move(sent));
  EXPECT_EQ(verify.subject.expose(), "s");
  EXPECT_EQ(verify.purpose, "verify_login");
  EXPECT_FALSE(verify.context.has_value());
  EXPECT_EQ(verify.code.expose(), "0012345678");
}

TEST(RequestCodec, KeepsEveryFieldOfASecret) {
  const auto change = through_wire(with_secret<core::SecretChange>());
  EXPECT_EQ(change.subject.expose(), "+77010000001");
  EXPECT_EQ(change.kind, core::SecretKind::kQuickCode);
  EXPECT_EQ(change.secret.expose(), "4711");
}

TEST(RequestCodec, KeepsWhomACardIsSealedTo) {
  const auto r = through_wire(
      core::Detokenize{{item("tok_1", "payment", false, "acquirer", payment())}, false});
  ASSERT_EQ(r.items.size(), 1U);
  EXPECT_EQ(r.items[0].recipient, "acquirer");
  EXPECT_EQ(r.items[0].context, payment());
}

TEST(AnswerCodec, KeepsAttemptsLeft) {
  for (const std::int32_t left : {-1, 0, 2}) {
    const auto decoded =
        decode_answer(answer_bytes(core::Failure{base::Code::kVerificationFailed, 7, left}));
    ASSERT_TRUE(decoded.has_value());
    EXPECT_EQ(std::get<core::Failure>(*decoded).attempts_left, left);
    EXPECT_EQ(std::get<core::Failure>(*decoded).retry_after_s, 7U);
  }
  EXPECT_FALSE(decode_answer(answer_bytes(core::Failure{base::Code::kLocked, 0, -2})));
}

TEST(AnswerCodec, KeepsEveryFieldOfASealedCode) {
  core::OtpSealedAnswer sent{"0123", "a.b.c.d.e", base::SecretText("123456"), 1795000900123, 60};
  const auto decoded = decode_answer(answer_bytes(std::move(sent)));
  ASSERT_TRUE(decoded.has_value());
  const auto& a = std::get<core::OtpSealedAnswer>(*decoded);
  EXPECT_EQ(a.id, "0123");
  EXPECT_EQ(a.sealed, "a.b.c.d.e");
  EXPECT_EQ(a.code.expose(), "123456");
  EXPECT_EQ(a.expires_ms, 1795000900123);
  EXPECT_EQ(a.resend_after_s, 60U);
}

TEST(AnswerCodec, TheLargestBatchOfSealedCardsFitsIntoAFrame) {
  core::DetokenizeAnswer answer;
  answer.batch = true;
  for (std::size_t i = 0; i < kMaxSealedBatch; ++i) {
    answer.items.emplace_back(core::SealedCard{std::string(4096, 'e')});
  }
  base::SecretBuffer out;
  encode(out, 1, core::Answer(std::move(answer)));
  const auto decoded = decode_answer(payload_of(out));
  ASSERT_TRUE(decoded.has_value());
  EXPECT_TRUE(std::holds_alternative<core::DetokenizeAnswer>(*decoded));
}

TEST(AnswerCodec, GivesBackWhatWasEncoded) {
  for (const core::Answer& answer : answers()) {
    const auto bytes = answer_bytes(answer);
    const auto decoded = decode_answer(bytes);
    ASSERT_TRUE(decoded.has_value()) << answer.index();
    EXPECT_EQ(decoded->index(), answer.index());
    EXPECT_EQ(answer_bytes(*decoded), bytes) << answer.index();
    base::SecretBuffer frame;
    encode(frame, 9, answer);
    EXPECT_EQ(payload_of(frame), bytes);
  }
}

TEST(AnswerCodec, KeepsEveryFieldOfACard) {
  const auto decoded = decode_answer(answer_bytes(core::Answer(card())));
  ASSERT_TRUE(decoded.has_value());
  const auto& c = std::get<core::CardView>(*decoded);
  EXPECT_EQ(c.token, "tok_1");
  EXPECT_EQ(c.masked, "411111******1111");
  EXPECT_EQ(c.created_ms, 1795000000123);
  EXPECT_EQ(c.expires_ms, 1795000086123);
  EXPECT_EQ(c.status, core::CardStatus::kExpired);
  EXPECT_TRUE(c.duplicate);
  EXPECT_EQ(c.metadata, (core::Metadata{{"a", "b"}}));
}

TEST(AnswerCodec, AnswerTooLongForAFrameBecomesAFailure) {
  base::SecretBuffer out;
  encode(out, 5, core::Answer(core::MetricsAnswer{std::string(kMaxFrame, 'x')}));
  const auto decoded = decode_answer(payload_of(out));
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(std::get<core::Failure>(*decoded).code, base::Code::kInternal);
}

TEST(RequestCodec, RequestTooLongForAFrameIsNotAppended) {
  core::Tokenize r;
  r.batch = true;
  for (int i = 0; i < 20; ++i) {
    r.items.emplace_back();
    r.items.back().pan = base::SecretText(std::string(60'000, '4'));
  }
  base::SecretBuffer out = {1, 2, 3};
  EXPECT_FALSE(encode(out, 1, caller(), core::Request(std::move(r))));
  EXPECT_EQ(out.size(), 3U);
}

TEST(AdminCodec, GivesBackWhatWasEncoded) {
  AdminRequest request;
  request.verb = "client.add";
  request.operator_name = "alice";
  request.arguments = {{"id", "web"}, {"permissions", "tokenize"}};
  request.blob = {0, 1, 2, 255};
  base::SecretBuffer out;
  ASSERT_TRUE(encode(out, 3, request));
  const auto decoded = decode_admin_request(payload_of(out));
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(decoded->verb, request.verb);
  EXPECT_EQ(decoded->operator_name, request.operator_name);
  EXPECT_EQ(decoded->arguments, request.arguments);
  EXPECT_EQ(decoded->blob, request.blob);

  AdminAnswer answer;
  answer.ok = false;
  answer.code = base::Code::kNotFound;
  answer.message = "no such client";
  answer.columns = {"a", "b"};
  answer.rows = {{"1", "2"}, {}};
  answer.more = true;
  base::SecretBuffer answer_out;
  ASSERT_TRUE(encode(answer_out, 3, answer));
  const auto back = decode_admin_answer(payload_of(answer_out));
  ASSERT_TRUE(back.has_value());
  EXPECT_FALSE(back->ok);
  EXPECT_EQ(back->code, answer.code);
  EXPECT_EQ(back->message, answer.message);
  EXPECT_EQ(back->columns, answer.columns);
  EXPECT_EQ(back->rows, answer.rows);
  EXPECT_TRUE(back->more);
}

TEST(HelloCodec, GivesBackWhatWasEncoded) {
  base::SecretBuffer out;
  encode(out, 0, Hello{7, "web"});
  const auto decoded = decode_hello(payload_of(out));
  ASSERT_TRUE(decoded.has_value());
  EXPECT_EQ(decoded->version, 7U);
  EXPECT_EQ(decoded->name, "web");
}

// Every payload of the tables above, with the decoder that it is for.
std::vector<
    std::pair<std::vector<std::uint8_t>, std::function<bool(std::span<const std::uint8_t>)>>>
payloads() {
  std::vector<
      std::pair<std::vector<std::uint8_t>, std::function<bool(std::span<const std::uint8_t>)>>>
      all;
  for (const core::Request& request : requests()) {
    all.emplace_back(request_payload(caller(), request),
                     [](auto bytes) { return decode_request(bytes).has_value(); });
  }
  for (const core::Answer& answer : answers()) {
    if (std::holds_alternative<core::MetricsAnswer>(answer)) continue;  // long; the same code
    all.emplace_back(answer_bytes(answer),
                     [](auto bytes) { return decode_answer(bytes).has_value(); });
  }
  base::SecretBuffer hello;
  encode(hello, 0, Hello{1, "web"});
  all.emplace_back(payload_of(hello), [](auto bytes) { return decode_hello(bytes).has_value(); });
  base::SecretBuffer admin;
  AdminRequest request;
  request.verb = "bin.import";
  request.arguments = {{"a", "b"}};
  request.blob = {1, 2, 3};
  encode(admin, 0, request);
  all.emplace_back(payload_of(admin),
                   [](auto bytes) { return decode_admin_request(bytes).has_value(); });
  base::SecretBuffer table;
  AdminAnswer answer;
  answer.columns = {"x"};
  answer.rows = {{"1"}, {"2"}};
  encode(table, 0, answer);
  all.emplace_back(payload_of(table),
                   [](auto bytes) { return decode_admin_answer(bytes).has_value(); });
  return all;
}

TEST(Codecs, RefuseTruncationAtEveryByteAndTrailingBytes) {
  for (auto& [bytes, decodes] : payloads()) {
    EXPECT_TRUE(decodes(bytes));
    for (std::size_t n = 0; n < bytes.size(); ++n) {
      EXPECT_FALSE(decodes(std::span(bytes).first(n))) << n << " of " << bytes.size();
    }
    bytes.push_back(0);
    EXPECT_FALSE(decodes(bytes));
  }
}

TEST(Codecs, SurviveFlippedBytesAndGarbage) {
  std::mt19937_64 random(20261122);
  int refused = 0;
  for (const auto& [bytes, decodes] : payloads()) {
    for (int round = 0; round < 2000; ++round) {
      auto bad = bytes;
      for (std::uint64_t flips = 1 + random() % 4; flips > 0; --flips) {
        bad[random() % bad.size()] = static_cast<std::uint8_t>(random());
      }
      refused += decodes(bad) ? 0 : 1;
    }
    std::vector<std::uint8_t> garbage(random() % 512);
    for (std::uint8_t& byte : garbage) byte = static_cast<std::uint8_t>(random());
    decodes(garbage);
  }
  EXPECT_GT(refused, 1000);
}

TEST(RequestCodec, RefusesWhatNoGateMaySend) {
  core::Tokenize empty;
  empty.batch = true;
  EXPECT_FALSE(decode_request(request_payload(caller(), core::Request(std::move(empty)))));
  core::Tokenize two;  // two items that are not a batch
  two.items.resize(2);
  EXPECT_FALSE(decode_request(request_payload(caller(), core::Request(std::move(two)))));
  core::Detokenize many;
  many.batch = true;
  many.items.resize(core::kMaxBatch + 1);
  EXPECT_FALSE(decode_request(request_payload(caller(), core::Request(std::move(many)))));
  core::Detokenize sealed;
  sealed.batch = true;
  sealed.items.resize(kMaxSealedBatch + 1, item("tok_1", "payment", false, "acquirer"));
  EXPECT_FALSE(decode_request(request_payload(caller(), core::Request(sealed))));
  sealed.items.pop_back();
  EXPECT_TRUE(decode_request(request_payload(caller(), core::Request(sealed))));
  EXPECT_FALSE(decode_request(request_payload(  // a context of nothing sealed
      caller(), core::Detokenize{{item("tok_1", "payment", false, "", payment())}, false})));
  EXPECT_FALSE(decode_request(request_payload(  // masked and sealed
      caller(), core::Detokenize{{item("tok_1", "payment", true, "acquirer")}, false})));
  core::OtpSeal both = otp_seal();
  both.clear = true;
  EXPECT_FALSE(decode_request(request_payload(caller(), core::Request(std::move(both)))));
  core::OtpSeal neither = otp_seal();
  neither.recipient.clear();
  EXPECT_FALSE(decode_request(request_payload(caller(), core::Request(std::move(neither)))));
}

}  // namespace
}  // namespace cardvault::wire
