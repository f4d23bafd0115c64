#include "protocol/wire/codec.h"

#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "tests/unit/wire/samples.h"

namespace cardvault::wire {
namespace {

constexpr std::size_t kHead = 13;

// The decoded form of what was encoded.
template <class T>
T through_wire(T request) {
  base::SecretBuffer out;
  EXPECT_TRUE(encode(out, 1, caller(), core::Request(std::move(request))));
  auto decoded = decode_request(std::span(out).subspan(kHead));
  EXPECT_TRUE(decoded.has_value());
  return std::get<T>(std::move(decoded->request));
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

TEST(AnswerCodec, KeepsWhichItemIsToBlame) {
  for (const std::int32_t item : {-1, 0, 999}) {
    const auto decoded = decode_answer(
        answer_bytes(core::Failure{.code = base::Code::kPurposeDenied, .item = item}));
    ASSERT_TRUE(decoded.has_value());
    EXPECT_EQ(std::get<core::Failure>(*decoded).item, item);
  }
  for (const std::int32_t item : {-2, 1000}) {
    EXPECT_FALSE(decode_answer(
        answer_bytes(core::Failure{.code = base::Code::kPurposeDenied, .item = item})));
  }
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

// What a few bytes of a frame can make the vault hold is bounded.
TEST(RequestCodec, BoundsMetadataTextsAndNames) {
  const auto decodes = [](core::Caller who, core::TokenizeItem item) {
    core::Tokenize request;
    request.items.push_back(std::move(item));
    return decode_request(request_payload(who, core::Request(std::move(request)))).has_value();
  };
  core::TokenizeItem full = tokenize_item("4111111111111111");
  full.expiry = std::string(1024, '1');
  full.metadata.resize(core::kMaxMetadataEntries +
                       1);  // one more than the vault stores: it says so
  core::Caller named = caller();
  named.sans.assign(32, std::string(260, 'a'));
  EXPECT_TRUE(decodes(named, std::move(full)));

  core::TokenizeItem pairs = tokenize_item("4111111111111111");
  pairs.metadata.resize(core::kMaxMetadataEntries + 2);
  EXPECT_FALSE(decodes(caller(), std::move(pairs)));
  core::TokenizeItem text = tokenize_item("4111111111111111");
  text.metadata[0].second = std::string(1025, 'a');
  EXPECT_FALSE(decodes(caller(), std::move(text)));
  named.sans.emplace_back("dns:a");
  EXPECT_FALSE(decodes(named, tokenize_item("4111111111111111")));
  named.sans = {std::string(261, 'a')};
  EXPECT_FALSE(decodes(named, tokenize_item("4111111111111111")));
  // What stood in a URL is not cut by the gate.
  EXPECT_TRUE(decode_request(request_payload(caller(), core::TokenGet{std::string(8000, 'a')})));
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
