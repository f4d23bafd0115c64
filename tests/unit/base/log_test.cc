#include "vault/base/log.h"

#include <gtest/gtest.h>

namespace cardvault::base {
namespace {

TEST(Log, WritesOneLineWithItsPriority) {
  testing::internal::CaptureStderr();
  log(Level::kNotice, "gate connected", {{"gate", "web"}, {"link", "3"}});
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "<5>gate connected gate=web link=3\n");
}

TEST(Log, KeepsAValueFromBeginningALineOfItsOwn) {
  testing::internal::CaptureStderr();
  log(Level::kError, "bad name", {{"name", "a\n<0>b\x7f"}});
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "<3>bad name name=a?<0>b?\n");
}

TEST(Log, SpellsAnErrorOut) {
  testing::internal::CaptureStderr();
  log(Level::kWarning, "call failed", Error{Code::kHsmUnavailable, "C_Sign", 48});
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "<4>call failed code=hsm_unavailable operation=C_Sign number=48\n");
}

}  // namespace
}  // namespace cardvault::base
