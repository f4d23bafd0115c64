#include "vault/base/clock.h"

#include <gtest/gtest.h>

namespace cardvault::base {
namespace {

TEST(FormatTime, WritesRfc3339InUtcWithMilliseconds) {
  EXPECT_EQ(format_time(0), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(format_time(1'795'329'000'123), "2026-11-22T06:30:00.123Z");
  EXPECT_EQ(format_time(951'782'399'999), "2000-02-28T23:59:59.999Z");
  EXPECT_EQ(format_time(951'782'400'000), "2000-02-29T00:00:00.000Z");
}

}  // namespace
}  // namespace cardvault::base
