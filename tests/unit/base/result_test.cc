#include "vault/base/result.h"

#include <gtest/gtest.h>

#include <set>

namespace cardvault::base {
namespace {

TEST(CodeName, IsUniqueAndPlainForEveryCode) {
  std::set<std::string_view> seen;
  for (unsigned i = 0; i <= static_cast<unsigned>(kLastCode); ++i) {
    const std::string_view name = code_name(static_cast<Code>(i));
    EXPECT_FALSE(name.empty());
    EXPECT_EQ(name.find_first_not_of("abcdefghijklmnopqrstuvwxyz_"), std::string_view::npos)
        << name;
    EXPECT_TRUE(seen.insert(name).second) << name;
  }
}

TEST(Fail, CarriesCodeOperationAndNumber) {
  const Result<int> result = fail(Code::kHsmUnavailable, "C_Sign", 0x30);
  ASSERT_FALSE(result.has_value());
  EXPECT_EQ(result.error().code, Code::kHsmUnavailable);
  EXPECT_STREQ(result.error().operation, "C_Sign");
  EXPECT_EQ(result.error().number, 0x30);
}

}  // namespace
}  // namespace cardvault::base
