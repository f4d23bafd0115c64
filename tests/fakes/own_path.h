// Names of files that no other run of the tests on this machine uses.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

namespace cardvault::fakes {

// A path in the folder for temporary files that ends in `name`. Whoever makes the file removes it.
[[nodiscard]] inline std::string own_path(const std::string& name) {
  return ::testing::TempDir() + "cardvault-" + std::to_string(::getpid()) + "-" + name;
}

}  // namespace cardvault::fakes
