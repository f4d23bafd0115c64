#include "vault/audit/event_codec.h"

#include <gtest/gtest.h>

#include <random>

#include "vault/audit/leaves.h"
#include "vault/base/clock.h"

namespace cardvault::audit {
namespace {

core::Event full_event() {
  core::Event event;
  event.time_ms = 1795329000123;
  event.actor = "client:web";
  event.operation = "detokenize";
  event.source = "192.0.2.7";
  event.gate = "web";
  event.resource = "tok_01ARZ3NDEKTSV4RRFFQ69G5FAV";
  event.request = 1234;
  event.purpose = "payment";
  event.fingerprint = "1:00112233445566778899aabbccddeeff";
  event.customer = "ffeeddccbbaa99887766554433221100";
  event.key_version = 3;
  event.details = {{"items", "2"}, {"mask", "true"}};
  return event;
}

std::string encode(std::uint64_t seq, const core::Event& event) {
  std::string out;
  append_event(out, seq, event);
  return out;
}

TEST(EventCodec, SpellsEveryFieldInOrder) {
  EXPECT_EQ(encode(7, full_event()),
            R"({"seq":7,"time":"2026-11-22T06:30:00.123Z","actor":"client:web","op":"detokenize",)"
            R"("outcome":"ok","source":"192.0.2.7","gate":"web",)"
            R"("resource":"tok_01ARZ3NDEKTSV4RRFFQ69G5FAV","request":"00000000000004d2",)"
            R"("purpose":"payment","pan_fp":"1:00112233445566778899aabbccddeeff",)"
            R"("customer":"ffeeddccbbaa99887766554433221100","key_version":3,)"
            R"("details":{"items":"2","mask":"true"}})");
}

TEST(EventCodec, LeavesEmptyFieldsOut) {
  core::Event event;
  event.operation = "start";
  EXPECT_EQ(encode(0, event),
            R"({"seq":0,"time":"1970-01-01T00:00:00.000Z","op":"start","outcome":"ok"})");
}

TEST(EventCodec, WritesTheSameTimeAsTheClockRoom) {
  for (const std::int64_t ms : {0LL, 951782400000LL, 1709164799999LL, 253402300799999LL}) {
    core::Event event;
    event.time_ms = ms;
    EXPECT_NE(encode(0, event).find(base::format_time(ms)), std::string::npos) << ms;
  }
}

TEST(EventCodec, EscapesWhatCouldBreakALineOrATerminal) {
  core::Event event;
  event.resource = std::string("a\"b\\c\nd\x1b\x7f\0e", 11);
  const std::string line = encode(1, event);
  EXPECT_NE(line.find(R"(a\"b\\c\u000ad\u001b\u007f\u0000e)"), std::string::npos) << line;
  EXPECT_EQ(parse_event(line, nullptr)->resource, event.resource);
}

TEST(EventCodec, EscapesUnicodeAndReplacesBrokenUtf8) {
  core::Event event;
  event.resource = "қ😀\xC0\xAF\xED\xA0\x80\xFF";
  const std::string line = encode(1, event);
  EXPECT_NE(line.find(R"(\u049b\ud83d\ude00\ufffd\ufffd\ufffd\ufffd\ufffd\ufffd")"),
            std::string::npos)
      << line;
  EXPECT_TRUE(parse_event(line, nullptr)->resource.starts_with("қ😀\xEF\xBF\xBD"));
}

TEST(EventParse, GivesBackWhatWasWritten) {
  std::uint64_t seq = 0;
  const auto event = parse_event(encode(18446744073709551615U, full_event()), &seq);
  ASSERT_TRUE(event);
  EXPECT_EQ(seq, 18446744073709551615U);
  EXPECT_EQ(encode(7, *event), encode(7, full_event()));
  EXPECT_EQ(event->details, full_event().details);
  EXPECT_EQ(event->time_ms, full_event().time_ms);
}

TEST(EventParse, RefusesOtherSpellings) {
  const char* const lines[] = {
      "",
      "{}",
      R"({"seq":01,"time":"2026-11-22T07:50:00.123Z"})",
      R"({"seq":-1,"time":"2026-11-22T07:50:00.123Z"})",
      R"({"seq":18446744073709551616,"time":"2026-11-22T07:50:00.123Z"})",
      R"({ "seq":1,"time":"2026-11-22T07:50:00.123Z"})",
      R"({"seq":1,"time":"2026-02-29T07:50:00.123Z"})",
      R"({"seq":1,"time":"2026-11-22T24:00:00.000Z"})",
      R"({"seq":1,"time":"2026-11-22T07:50:00.123Z","actor":""})",
      R"({"seq":1,"time":"2026-11-22T07:50:00.123Z","op":"a","actor":"b"})",
      R"({"seq":1,"time":"2026-11-22T07:50:00.123Z","op":"a","op":"a"})",
      R"({"seq":1,"time":"2026-11-22T07:50:00.123Z","op":"\u0041"})",
      R"({"seq":1,"time":"2026-11-22T07:50:00.123Z","op":"\n"})",
      R"({"seq":1,"time":"2026-11-22T07:50:00.123Z","op":"\ud83d"})",
      R"({"seq":1,"time":"2026-11-22T07:50:00.123Z","request":"0000000000000000"})",
      R"({"seq":1,"time":"2026-11-22T07:50:00.123Z","request":"00000000000004D2"})",
      R"({"seq":1,"time":"2026-11-22T07:50:00.123Z","key_version":0})",
      R"({"seq":1,"time":"2026-11-22T07:50:00.123Z","key_version":4294967296})",
      R"({"seq":1,"time":"2026-11-22T07:50:00.123Z","details":{}})",
      R"({"seq":1,"time":"2026-11-22T07:50:00.123Z"} )",
      R"({"seq":1,"time":"2026-11-22T07:50:00.123Z","extra":"x"})",
  };
  ASSERT_TRUE(parse_event(R"({"seq":1,"time":"2026-11-22T07:50:00.123Z"})", nullptr));
  for (const char* line : lines) {
    const auto event = parse_event(line, nullptr);
    ASSERT_FALSE(event) << line;
    EXPECT_EQ(event.error().code, base::Code::kRecordDamaged);
  }
}

// Whatever is accepted has one spelling: a changed line is refused, or is another event's own line.
TEST(EventParse, AcceptsOnlyCanonicalLines) {
  std::mt19937 random(20261122);
  core::Event event = full_event();
  event.resource += "\"қ😀\n";
  const std::string line = encode(7, event);
  int accepted = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string mutated = line;
    const std::size_t at = random() % mutated.size();
    switch (random() % 3) {
      case 0:
        mutated[at] = static_cast<char>(random());
        break;
      case 1:
        mutated.erase(at, 1 + random() % 3);
        break;
      default:
        mutated.insert(at, 1, mutated[random() % mutated.size()]);
    }
    std::uint64_t seq = 0;
    const auto parsed = parse_event(mutated, &seq);
    if (!parsed) continue;
    ++accepted;
    EXPECT_EQ(encode(seq, *parsed), mutated);
  }
  EXPECT_GT(accepted, 1000);
}

TEST(Leaves, SplitIntoTheLinesAppended) {
  std::string blob;
  append_leaf(blob, 1, full_event());
  append_leaf(blob, 2, full_event());
  LeafReader reader(blob);
  EXPECT_EQ(reader.next()->value(), encode(1, full_event()));
  EXPECT_EQ(reader.next()->value(), encode(2, full_event()));
  EXPECT_FALSE(reader.next()->has_value());
}

TEST(Leaves, RefuseALengthPastTheEnd) {
  std::string blob;
  append_leaf(blob, 1, full_event());
  for (const std::size_t size : {std::size_t{1}, std::size_t{3}, blob.size() - 1}) {
    LeafReader reader(std::string_view(blob).substr(0, size));
    EXPECT_EQ(reader.next().error().code, base::Code::kRecordDamaged) << size;
  }
}

// Whatever one of both accepts the other does, at every change of every character.
TEST(EventCheck, AcceptsExactlyWhatTheParserAccepts) {
  core::Event event = full_event();
  event.details.emplace_back("odd", "\"\\\x01\xD0\xB0\xF0\x9F\x98\x80");
  const std::string line = encode(7, event);
  const auto head = check_event(line);
  ASSERT_TRUE(head);
  EXPECT_EQ(head->seq, 7U);
  EXPECT_EQ(head->time_ms, event.time_ms);
  std::size_t refused = 0;
  for (std::size_t i = 0; i < line.size(); ++i) {
    for (const int change : {1, 2, 0x20, 0x80}) {
      std::string other = line;
      other[i] = static_cast<char>(other[i] ^ change);
      const auto parsed = parse_event(other, nullptr);
      const auto checked = check_event(other);
      ASSERT_EQ(parsed.has_value(), checked.has_value()) << other;
      if (parsed) {
        EXPECT_EQ(parsed->time_ms, checked->time_ms);
      } else {
        EXPECT_EQ(parsed.error().number, checked.error().number);
        ++refused;
      }
    }
    EXPECT_EQ(parse_event(line.substr(0, i), nullptr).has_value(), false);
    EXPECT_EQ(check_event(line.substr(0, i)).has_value(), false);
  }
  EXPECT_GT(refused, line.size());
}

TEST(EventCheck, FindsAWrongCharacterAnywhereInALongText) {
  core::Event event = full_event();
  event.details = {{"long", std::string(50, 'x')}};
  const std::string line = encode(7, event);
  const std::size_t at = line.find("xxxx");
  for (std::size_t i = at; i < at + 50; ++i) {
    for (const char wrong : {'\0', '\x1F', '\n', '"', '\\', '\x7F', '\x80', '\xFF'}) {
      std::string other = line;
      other[i] = wrong;
      EXPECT_FALSE(check_event(other)) << i << " " << static_cast<int>(wrong);
    }
  }
}

TEST(Leaves, AnEventTooLongForTheLogIsCut) {
  core::Event event = full_event();
  event.source = std::string(70'000, 'x');
  for (int i = 0; i < 100; ++i) event.details.emplace_back(std::string(3000, '\x01'), "v");
  std::string blob;
  append_leaf(blob, 9, event);
  append_leaf(blob, 10, full_event());
  LeafReader leaves(blob);
  const auto line = leaves.next().value();
  ASSERT_TRUE(line);
  EXPECT_LE(line->size(), 0xFFFFU);
  std::uint64_t seq = 0;
  const auto parsed = parse_event(*line, &seq);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(seq, 9U);
  EXPECT_EQ(parsed->actor, "client:web");
  EXPECT_EQ(parsed->source.size(), 128U);
  EXPECT_EQ(parsed->details.back().first, "cut");
  EXPECT_EQ(*leaves.next().value(), encode(10, full_event()));
}

}  // namespace
}  // namespace cardvault::audit
