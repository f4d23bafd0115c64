#include "protocol/gate/spawn.h"

#include <gtest/gtest.h>

#include <stdexcept>

namespace cardvault::gate {
namespace {

Awaitable<void> fail() {
  throw std::runtime_error("4111111111111111");
  co_return;
}

TEST(SpawnDeathTest, AnExceptionOfWhatIsVitalEndsTheProcess) {
  const auto run = [] {
    asio::io_context io(1);
    spawn_vital(io, fail());
    io.run();
  };
  EXPECT_DEATH(run(), "exception=[^ ]*runtime_error\n$");
}

TEST(Spawn, AnExceptionOfAClientEndsThatAlone) {
  asio::io_context io(1);
  testing::internal::CaptureStderr();
  spawn_client(io, fail());
  io.run();
  const std::string log = testing::internal::GetCapturedStderr();
  EXPECT_NE(log.find("a client's connection ended by an exception"), log.npos);
  EXPECT_EQ(log.find("4111111111111111"), log.npos) << "its text could hold data of a request";
}

}  // namespace
}  // namespace cardvault::gate
