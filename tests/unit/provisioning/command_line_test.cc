#include "provisioning/command_line.h"
#include "tests/fakes/own_path.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <sstream>

namespace cardvault::provisioning {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

// Keeps what it was asked and gives the next prepared answer.
struct FakeBackend : Backend {
  explicit FakeBackend(std::vector<wire::AdminRequest>& asked,
                       std::vector<wire::AdminAnswer>& prepared)
      : requests(asked), answers(prepared) {}
  wire::AdminAnswer run(wire::AdminRequest request, const Partial& partial) override {
    requests.push_back(std::move(request));
    while (answers.size() > 1 && answers.front().more) {
      partial(answers.front());
      answers.erase(answers.begin());
    }
    if (answers.empty()) return {};
    auto answer = std::move(answers.front());
    answers.erase(answers.begin());
    return answer;
  }
  bool running() const override { return true; }
  std::vector<wire::AdminRequest>& requests;
  std::vector<wire::AdminAnswer>& answers;
};

wire::AdminAnswer table(std::vector<std::string> columns,
                        std::vector<std::vector<std::string>> rows, bool more = false) {
  wire::AdminAnswer answer;
  answer.columns = std::move(columns);
  answer.rows = std::move(rows);
  answer.more = more;
  return answer;
}

wire::AdminAnswer refusal(const char* message) {
  wire::AdminAnswer answer;
  answer.ok = false;
  answer.message = message;
  return answer;
}

struct CommandLine : testing::Test {
  int run(std::vector<const char*> arguments) {
    arguments.insert(arguments.begin(), "cardvault");
    Context context{.in = in, .out = out, .err = err};
    context.open = [this](const Context&) {
      return std::make_unique<FakeBackend>(requests, answers);
    };
    return provisioning::run(static_cast<int>(arguments.size()), arguments.data(), context);
  }
  std::istringstream in;
  std::ostringstream out, err;
  std::vector<wire::AdminRequest> requests;
  std::vector<wire::AdminAnswer> answers;
};

TEST_F(CommandLine, SendsVerbArgumentsAndOperator) {
  ASSERT_EQ(run({"--operator", "dina", "client", "freeze", "web"}), 0);
  ASSERT_EQ(requests.size(), 1U);
  EXPECT_EQ(requests[0].verb, "client.freeze");
  EXPECT_EQ(requests[0].operator_name, "dina");
  EXPECT_THAT(requests[0].arguments, ElementsAre(Pair("id", "web")));
}

TEST_F(CommandLine, TakesGlobalsAfterTheCommandToo) {
  answers.push_back(table({"id"}, {{"web"}}));
  ASSERT_EQ(run({"client", "list", "--format", "json"}), 0);
  EXPECT_EQ(out.str(), "[\n  {\"id\": \"web\"}\n]\n");
}

TEST_F(CommandLine, LeavesTheOperatorToTheVaultByDefault) {
  ASSERT_EQ(run({"status"}), 0);
  EXPECT_EQ(requests[0].operator_name, "");
}

TEST_F(CommandLine, EndsWithOneWhenRefused) {
  answers.push_back(refusal("no client x"));
  EXPECT_EQ(run({"client", "revoke", "x"}), 1);
  EXPECT_EQ(out.str(), "");
  EXPECT_THAT(err.str(), HasSubstr("no client x"));
}

TEST_F(CommandLine, EndsWithTwoOnAnUnknownCommandAndAsksNothing) {
  EXPECT_EQ(run({"client", "sack", "web"}), 2);
  EXPECT_EQ(run({}), 2);
  EXPECT_TRUE(requests.empty());
}

TEST_F(CommandLine, WritesDownOnlyWhatCustodiansAreAskedAbout) {
  EXPECT_EQ(run({"action", "new", "key.destory", "--vault", "0123456789abcdef", "--out", "x"}), 2);
  EXPECT_THAT(err.str(), HasSubstr("'key.destory'"));
  EXPECT_EQ(run({"action", "new", "--help"}), 0);
  for (const char* verb : {"backup.restore", "gate.approve", "key.destroy"}) {
    EXPECT_THAT(out.str(), HasSubstr(verb));
  }
}

TEST_F(CommandLine, HelpSaysWhatItIsAbout) {
  EXPECT_EQ(run({"--help"}), 0);
  EXPECT_THAT(out.str(), HasSubstr("knows you by)"));
  EXPECT_EQ(run({"key", "rotate", "--help"}), 0);
  EXPECT_THAT(out.str(), HasSubstr("client-ca"));
  out.str("");
  EXPECT_EQ(run({"audit", "evidence", "--help"}), 0);
  EXPECT_THAT(out.str(), HasSubstr("the archive, as evidence.tar"));
}

TEST_F(CommandLine, RefusesAWholeNumberInArguments) {
  EXPECT_EQ(run({"bin", "lookup", "4111111111111111"}), 2);
  EXPECT_TRUE(requests.empty());
  EXPECT_THAT(err.str(), HasSubstr("--stdin"));
  EXPECT_THAT(err.str(), testing::Not(HasSubstr("4111111111111111")));
}

TEST_F(CommandLine, RefusesACardNumberWhereverTheLogIsAskedAbout) {
  const char* const kPan = "4111111111111111";
  const std::vector<std::vector<const char*>> kCases = {
      {"audit", "find", "--token", kPan},
      {"audit", "find", "--token=4111111111111111"},
      {"audit", "find", "--client", "4111 1111-1111 1111"},
      {"audit", "find", kPan},
      {"audit", "prove", "/srv/vault-log", kPan},
      {"audit", "month", "/srv/vault-log", kPan},
      {"audit", kPan}};
  for (const auto& words : kCases) {
    err.str("");
    EXPECT_EQ(run(words), 2);
    EXPECT_THAT(err.str(), HasSubstr("--pan-stdin"));
    EXPECT_THAT(err.str() + out.str(), testing::Not(HasSubstr("1111")));
  }
  EXPECT_TRUE(requests.empty());
}

TEST_F(CommandLine, SendsOnlyLeadingDigitsOfANumberFromStdin) {
  in.str("4111 1111-1111 1111\n");
  ASSERT_EQ(run({"bin", "lookup", "--stdin"}), 0);
  EXPECT_THAT(requests[0].arguments, ElementsAre(Pair("digits", "41111111111")));
}

TEST_F(CommandLine, ReadsTheCustomerFromStdin) {
  in.str("+77010000001\n");
  ASSERT_EQ(run({"customer", "freeze"}), 0);
  EXPECT_EQ(requests[0].verb, "customer.freeze");
  EXPECT_THAT(requests[0].arguments, ElementsAre(Pair("customer", "+77010000001")));
}

TEST_F(CommandLine, RefusesAnEmptyCustomer) {
  in.str("\n");
  EXPECT_EQ(run({"customer", "unfreeze"}), 2);
  EXPECT_TRUE(requests.empty());
}

TEST_F(CommandLine, SendsABinFileInChunksThatFitAFrame) {
  const std::string path = fakes::own_path("bins.csv");
  std::ofstream(path) << std::string(1200 * 1024, 'x');
  ASSERT_EQ(run({"bin", "import", path.c_str()}), 0);
  std::remove(path.c_str());
  ASSERT_EQ(requests.size(), 5U);
  EXPECT_THAT(requests.front().arguments, ElementsAre(Pair("part", "begin")));
  EXPECT_THAT(requests.back().arguments, ElementsAre(Pair("part", "commit")));
  std::size_t bytes = 0;
  for (const auto& request : requests) bytes += request.blob.size();
  EXPECT_EQ(bytes, 1200U * 1024U);
  EXPECT_EQ(requests[1].blob.size(), 512U * 1024U);
}

TEST_F(CommandLine, ShowsTheBadRowsOfABinFile) {
  const std::string path = fakes::own_path("bad.csv");
  std::ofstream(path) << "iin_start\n";
  answers.resize(2);
  answers.push_back(table({"line", "what"}, {{"2", "iin_end is shorter than iin_start"}}));
  answers.back().ok = false;
  answers.back().message = "1 bad row, nothing imported";
  EXPECT_EQ(run({"bin", "import", path.c_str()}), 1);
  std::remove(path.c_str());
  EXPECT_THAT(out.str(), HasSubstr("2     iin_end is shorter"));
  EXPECT_THAT(err.str(), HasSubstr("nothing imported"));
}

TEST_F(CommandLine, PrintsEventsAsTheyCome) {
  answers.push_back(table({"seq", "event"}, {{"7", "{\"op\":\"a\"}"}}, true));
  answers.push_back(table({"seq", "event"}, {{"8", "{\"op\":\"b\"}"}}));
  ASSERT_EQ(run({"--format", "json", "audit", "tail", "--follow"}), 0);
  EXPECT_EQ(out.str(), "{\"op\":\"a\"}\n{\"op\":\"b\"}\n");
  EXPECT_THAT(requests[0].arguments, ElementsAre(Pair("limit", "10"), Pair("follow", "true")));
}

TEST_F(CommandLine, EndsWithFiveWhereASecondOperatorIsWaitedFor) {
  answers.push_back(refusal("this takes two operators"));
  answers.back().code = base::Code::kApprovalNeeded;
  EXPECT_EQ(run({"client", "release", "web"}), 5);
  EXPECT_THAT(err.str(), HasSubstr("this takes two operators"));
}

// Files with a certificate and a CA, which the tool sends as they are.
struct RecipientCommands : CommandLine {
  RecipientCommands() {
    std::ofstream(certificate) << "certificate";
    std::ofstream(ca) << "authority";
  }
  ~RecipientCommands() override {
    std::remove(certificate.c_str());
    std::remove(ca.c_str());
  }
  std::string certificate = fakes::own_path("recipient.pem");
  std::string ca = fakes::own_path("recipient-ca.pem");
};

TEST_F(RecipientCommands, AddSendsTheCertificateAndWhatVouchesForIt) {
  ASSERT_EQ(run({"recipient", "add", "acquirer", "--cert", certificate.c_str(), "--ca", ca.c_str(),
                 "--may", "otp,reveal"}),
            0);
  EXPECT_EQ(requests[0].verb, "recipient.add");
  EXPECT_THAT(
      requests[0].arguments,
      ElementsAre(Pair("may", "otp,reveal"), Pair("name", "acquirer"), Pair("ca", "authority")));
  EXPECT_EQ(base::as_text(requests[0].blob), "certificate");
}

TEST_F(RecipientCommands, AddWantsSomethingThatVouches) {
  EXPECT_EQ(run({"recipient", "add", "acquirer", "--cert", certificate.c_str(), "--may", "otp"}),
            2);
  EXPECT_THAT(err.str(), HasSubstr("--ca or --pin"));
  EXPECT_EQ(run({"recipient", "add", "acquirer", "--pin", "00", "--may", "otp"}), 2);
  EXPECT_TRUE(requests.empty());
}

TEST_F(RecipientCommands, ReplaceSendsWhenInSecondsOrMilliseconds) {
  const auto replace = [this](const char* option, const char* value) {
    return run({"recipient", "replace", "acquirer", "--cert", certificate.c_str(), "--pin", "00",
                option, value});
  };
  ASSERT_EQ(replace("--after", "36h"), 0);
  EXPECT_THAT(requests.back().arguments, testing::Contains(Pair("after_s", "129600")));
  ASSERT_EQ(replace("--from", "2026-12-01T06:00:00Z"), 0);
  EXPECT_THAT(requests.back().arguments, testing::Contains(Pair("from_ms", "1796104800000")));
  EXPECT_EQ(replace("--after", "tomorrow"), 2);
  EXPECT_EQ(replace("--after", "5"), 2);
  EXPECT_EQ(replace("--from", "2026-02-30"), 2);
  EXPECT_EQ(replace("--from", "2026-12-01T06:00:00+05:00"), 2);
  EXPECT_EQ(requests.size(), 2U);
}

TEST_F(RecipientCommands, CancelStandsAlone) {
  ASSERT_EQ(run({"recipient", "replace", "acquirer", "--cancel"}), 0);
  EXPECT_THAT(requests[0].arguments, ElementsAre(Pair("name", "acquirer"), Pair("cancel", "true")));
  EXPECT_EQ(run({"recipient", "replace", "acquirer", "--cancel", "--after", "1h"}), 2);
}

TEST_F(CommandLine, PrintsTheKeySetAsItIs) {
  answers.push_back(table({"jwks"}, {{"{\"keys\":[]}"}}));
  ASSERT_EQ(run({"jwks"}), 0);
  EXPECT_EQ(out.str(), "{\"keys\":[]}\n");
}

TEST_F(CommandLine, ReadsTheCustomerWhoseTriesAreLookedAtFromStdin) {
  in.str("+77010000001\n");
  ASSERT_EQ(run({"otp", "unlock"}), 0);
  EXPECT_EQ(requests[0].verb, "otp.unlock");
  EXPECT_THAT(requests[0].arguments, ElementsAre(Pair("customer", "+77010000001")));
}

TEST_F(CommandLine, HelpOfEveryCommandHasExamples) {
  for (const auto& words : std::vector<std::vector<const char*>>{{"client", "add"},
                                                                 {"client", "list"},
                                                                 {"customer", "freeze"},
                                                                 {"bin", "import"},
                                                                 {"bin", "lookup"},
                                                                 {"token", "inspect"},
                                                                 {"audit", "tail"},
                                                                 {"backup", "copy"},
                                                                 {"backup", "create"},
                                                                 {"backup", "verify"},
                                                                 {"backup", "restore"},
                                                                 {"doctor"},
                                                                 {"status"},
                                                                 {"clock", "confirm"},
                                                                 {"key", "list"},
                                                                 {"recipient", "add"},
                                                                 {"recipient", "list"},
                                                                 {"recipient", "remove"},
                                                                 {"recipient", "replace"},
                                                                 {"otp", "status"},
                                                                 {"otp", "unlock"},
                                                                 {"canary", "plant"},
                                                                 {"canary", "list"},
                                                                 {"jwks"},
                                                                 {"init"}}) {
    auto arguments = words;
    arguments.push_back("--help");
    out.str("");
    std::string usage = "Usage: cardvault";
    for (const char* word : words) usage += std::string(" ") + word;
    EXPECT_EQ(run(arguments), 0);
    EXPECT_THAT(out.str(), HasSubstr(usage + " "));
    EXPECT_THAT(out.str(), HasSubstr("Examples:\n  ")) << usage;
  }
}

}  // namespace
}  // namespace cardvault::provisioning
