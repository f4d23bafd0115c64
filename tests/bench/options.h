// The load generator's command line.
#pragma once

#include <string>
#include <vector>

#include "protocol/client/tls_context.h"
#include "tests/bench/workload.h"

namespace cardvault::bench {

struct Target {
  std::string url;
  client::Credentials credentials;
};

struct Options {
  Mode mode = Mode::kTokenize;
  Target store;   // a gate and a client that may tokenize
  Target reveal;  // a gate and a client that may reveal
  std::string purpose = "payment";
  std::size_t connections = 16;
  std::size_t threads = 1;
  std::size_t batch = 1;
  double seconds = 5;
  double warmup = 0.5;
  double rate = 0;            // requests/s of the open loop; 0: closed loop
  std::size_t cards = 10000;  // tokenized beforehand where reveals need tokens
  std::vector<int> watch;     // processes whose CPU and memory are reported
  bool json = false;
};

// Exits with a message on a bad command line or --help.
[[nodiscard]] Options read_options(int argc, char** argv);
[[nodiscard]] const char* mode_name(Mode mode) noexcept;

}  // namespace cardvault::bench
