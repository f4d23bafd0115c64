#include "vault/audit/syslog_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cardvault::audit {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

const SyslogSender kSender{"vault-1", 4711, 32473};

core::Event event() {
  core::Event e;
  e.time_ms = 1'795'000'000'123;
  e.actor = "client:web";
  e.operation = "tokenize";
  e.source = "192.0.2.7";
  e.gate = "web";
  e.resource = "tok_1";
  e.request = 0x4d2;
  e.fingerprint = "1:00ff";
  e.customer = "ab";
  e.key_version = 2;
  e.details = {{"duplicate", "true"}};
  return e;
}

TEST(SyslogLine, IsOneOfRfc5424WithAllFields) {
  EXPECT_EQ(
      syslog_line(7, event(), kSender),
      "<110>1 2026-11-18T11:06:40.123Z vault-1 cardvault 4711 tokenize [event@32473 seq=\"7\" "
      "actor=\"client:web\" op=\"tokenize\" outcome=\"ok\" source=\"192.0.2.7\" gate=\"web\" "
      "resource=\"tok_1\" request=\"00000000000004d2\" pan_fp=\"1:00ff\" customer=\"ab\" "
      "key_version=\"2\"][details@32473 duplicate=\"true\"] tokenize ok by client:web");
}

TEST(SyslogLine, TellsAlarmsAndRefusalsByTheirSeverity) {
  core::Event e = event();
  e.outcome = "permission_denied";
  EXPECT_THAT(syslog_line(0, e, kSender), StartsWith("<109>1 "));
  e.operation = "alarm";
  EXPECT_THAT(syslog_line(0, e, kSender), StartsWith("<106>1 "));
}

TEST(SyslogLine, EscapesWhatWouldEndAValueOrTheLine) {
  core::Event e = event();
  e.resource = "a\"b\\c]d\ne\x7f";
  e.details = {{"na me=\"]", "v]"}};
  const std::string line = syslog_line(0, e, kSender);
  EXPECT_THAT(line, HasSubstr("resource=\"a\\\"b\\\\c\\]d?e?\""));
  EXPECT_THAT(line, HasSubstr("[details@32473 na?me??\?=\"v\\]\"]"));
  EXPECT_EQ(line.find('\n'), std::string::npos);
}

TEST(SyslogLine, HasADashForWhatIsNotKnown) {
  core::Event e;
  e.operation = "";
  EXPECT_THAT(syslog_line(0, e, {"", 1, 1}),
              StartsWith("<110>1 1970-01-01T00:00:00.000Z - cardvault 1 - [event@1 seq=\"0\""));
}

TEST(SyslogLine, IsCutWhereItWouldBeTooLong) {
  core::Event e = event();
  for (std::string* text :
       {&e.actor, &e.source, &e.gate, &e.resource, &e.purpose, &e.fingerprint, &e.customer}) {
    for (int i = 0; i < 20'000; ++i) *text += i % 2 == 0 ? "\"" : "\xd3\x98";
  }
  e.operation = std::string(9000, 'o');
  const std::string line = syslog_line(1, e, kSender);
  EXPECT_LE(line.size(), kMaxSyslogLine);
  EXPECT_THAT(line, HasSubstr("cut=\"true\"]"));
  EXPECT_EQ(line.find("details@"), std::string::npos);
}

}  // namespace
}  // namespace cardvault::audit
