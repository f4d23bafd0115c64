// cardvault-raw: what the module itself can do, through the vault's own path to it (p11-kit,
// session copies), for exactly the calls of a tokenize and of a detokenize; and what one durable
// write costs.
#include <fcntl.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <array>
#include <chrono>
#include <cstdio>
#include <functional>
#include <thread>

#include "hsm/token_crypto.h"
#include "tests/bench/histogram.h"

namespace cardvault::bench {
namespace {

using core::KeyPurpose;
using core::KeyRef;
using Clock = std::chrono::steady_clock;

constexpr std::size_t kPlainBytes = 18;  // expiry and 16 digits
constexpr std::size_t kAadBytes = 46;    // as vault/core binds a record
constexpr std::size_t kNameBytes = 11;   // a customer's phone number

struct Options {
  hsm::TokenConfig token;
  std::string sync_dir;
  double seconds = 2;
  unsigned threads = 1;
};

template <class T>
T need(base::Result<T> result) {
  if (result) return std::move(*result);
  throw base::StartupError(std::string("the module failed: ") + result.error().operation + ", " +
                           std::string(base::code_name(result.error().code)) + ", CK_RV " +
                           std::to_string(result.error().number));
}
void need_ok(base::Result<void> result) {
  need<int>(result ? base::Result<int>(0) : std::unexpected(result.error()));
}

// Operations per second of `threads` threads that each do nothing else.
double rate(const Options& options, const std::function<void()>& operation) {
  for (int i = 0; i < 100; ++i) operation();
  std::vector<std::jthread> threads;
  std::vector<double> rates(options.threads);
  for (double& mine : rates) {
    threads.emplace_back([&] {
      const auto start = Clock::now();
      std::chrono::duration<double> spent{};
      std::uint64_t done = 0;
      for (; spent.count() < options.seconds; ++done) {
        operation();
        if (done % 64 == 0) spent = Clock::now() - start;
      }
      mine = static_cast<double>(done) / spent.count();
    });
  }
  threads.clear();
  double sum = 0;
  for (const double each : rates) sum += each;
  return sum;
}

KeyRef newest(const hsm::TokenCrypto& token, KeyPurpose purpose) {
  const auto version = token.newest(purpose);
  if (!version) {
    throw base::StartupError("the token has no key " +
                             std::string(core::key_purpose_name(purpose)) +
                             ": measure on the token of a vault made with ./dev up");
  }
  return {purpose, *version};
}

// One append of 200 bytes and fdatasync, the least that a durable answer of one caller needs.
Histogram measure_sync(const std::string& folder, double seconds) {
  std::string path = folder + "/sync-probe-XXXXXX";
  const int fd = ::mkstemp(path.data());
  if (fd < 0) throw base::StartupError("cannot write in " + folder);
  ::unlink(path.c_str());
  Histogram histogram;
  const std::array<char, 200> line{};
  const auto start = Clock::now();
  for (auto now = start; now - start < std::chrono::duration<double>(seconds);) {
    const bool durable =
        ::write(fd, line.data(), line.size()) == std::ssize(line) && ::fdatasync(fd) == 0;
    if (!durable) throw base::StartupError("cannot write and sync in " + folder);
    const auto after = Clock::now();
    histogram.record(std::chrono::nanoseconds(after - now).count());
    now = after;
  }
  ::close(fd);
  return histogram;
}

void run(const Options& options) {
  const auto token = hsm::TokenCrypto::open(options.token);
  const KeyRef pan_enc = newest(*token, KeyPurpose::kPanEnc);
  const KeyRef pan_index = newest(*token, KeyPurpose::kPanIndex);
  const KeyRef id_index = newest(*token, KeyPurpose::kIdIndex);
  const std::array<std::uint8_t, kPlainBytes> plain{};
  const std::array<std::uint8_t, kAadBytes> aad{};
  const std::array<std::uint8_t, 16> pan{};
  const std::array<std::uint8_t, kNameBytes> name{};
  const core::Sealed sealed = need(token->encrypt(pan_enc, plain, aad));

  const double tokenize = rate(options, [&] {
    std::array<std::uint8_t, 20> random{};
    static_cast<void>(need(token->mac(pan_index, pan)));
    static_cast<void>(need(token->mac(id_index, name)));
    need_ok(token->random(random));  // and encrypt() draws its 12 bytes of IV
    static_cast<void>(need(token->encrypt(pan_enc, plain, aad)));
  });
  const double detokenize =
      rate(options, [&] { static_cast<void>(need(token->decrypt(pan_enc, sealed, aad))); });
  const Histogram sync = measure_sync(options.sync_dir, std::min(options.seconds, 1.0));
  const auto described = token->description();
  std::printf(
      "{\"token\":\"%s\",\"model\":\"%s\",\"threads\":%u,"
      "\"tokenize_per_s\":%.1f,\"detokenize_per_s\":%.1f,\"sync_p50_us\":%.1f,"
      "\"sync_p99_us\":%.1f}\n",
      described.label.c_str(), described.model.c_str(), options.threads, tokenize, detokenize,
      sync.quantile_us(0.5), sync.quantile_us(0.99));
}

}  // namespace
}  // namespace cardvault::bench

int main(int argc, char** argv) {
  using namespace cardvault;
  CLI::App app("Measures a PKCS#11 module by the calls of the vault's operations; prints JSON.",
               "cardvault-raw");
  bench::Options options;
  app.add_option("--module", options.token.module, "path of the module")->required();
  app.add_option("--token", options.token.token_uri, "RFC 7512, with its pin-source")->required();
  app.add_option("--init-args", options.token.init_args);
  app.add_option("--softhsm-conf", options.token.softhsm_conf);
  app.add_option("--sync-dir", options.sync_dir, "folder on the vault's disk")->required();
  app.add_option("--threads", options.threads)->check(CLI::Range(1, 64))->capture_default_str();
  app.add_option("--seconds", options.seconds, "for each of the two")->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  options.token.sessions = options.threads;
  options.token.probe_interval_ms = 0;
  try {
    bench::run(options);
  } catch (const base::StartupError& error) {
    std::fprintf(stderr, "cardvault-raw: %s\n", error.what());
    return 1;
  }
  return 0;
}
