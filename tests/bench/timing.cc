// cardvault-timing: does the time of an otp.verify tell whether a subject has a code? Asks a vault
// in this process (the daemon's own: store, committer, HSM) about subjects of two kinds in random
// order and compares the two mean times by Welch's t (dudect: Reparaz, Balasch, Verbauwhede, 2017).
#include <CLI/CLI.hpp>
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <future>
#include <random>

#include "tests/bench/worker.h"
#include "vault/daemon/config.h"
#include "vault/daemon/vault.h"

namespace cardvault::bench {
namespace {

constexpr std::size_t kSubjects = 2000;  // of each kind; each is asked about in turn
constexpr double kKept = 0.99;  // of the samples: the disk's rare stalls would hide everything
constexpr std::string_view kPurpose = "verify_login";

enum class Kind : std::uint8_t { kWrongCode, kAbsent, kUsed, kNoCode };

struct Options {
  std::string config;
  std::string module;
  std::size_t samples = 100'000;
  std::string against = "absent";
};

struct Moments {
  double mean = 0, variance = 0;
  std::size_t count = 0;
};

class Asker {
 public:
  explicit Asker(daemon::Vault& vault) : vault_(vault) {
    core::Client client;
    client.id = "timing";
    client.spki_sha256 = std::string(62, '0') + "01";
    client.permissions = {UINT32_MAX};
    const auto added = vault_.commit(
        [&](core::Transaction& tx, core::EventSink&) { return tx.put_client(client); });
    if (!added) throw base::StartupError("the vault takes no client");
    vault_.services().clients.put(client);
  }

  core::Answer ask(core::Request request) {
    wire::GateRequest in;
    in.caller.spki_sha256[31] = 1;
    in.caller.source = "127.0.0.1";
    in.request = std::move(request);
    std::promise<core::Answer> answer;
    vault_.engine().submit({"timing", {"*"}, {UINT32_MAX}}, std::move(in),
                           [&](core::Response r) { answer.set_value(std::move(r).take()); });
    return answer.get_future().get();
  }

  base::SecretText seal(const std::string& subject) {
    core::OtpSeal request;
    request.subject = base::SecretText(subject);
    request.purpose = kPurpose;
    request.clear = true;
    auto answer = ask(std::move(request));
    auto* sealed = std::get_if<core::OtpSealedAnswer>(&answer);
    if (sealed == nullptr) throw base::StartupError("the vault seals no code");
    return std::move(sealed->code);
  }

  core::Answer verify(const std::string& subject, std::string_view code) {
    core::OtpVerify request;
    request.subject = base::SecretText(subject);
    request.purpose = kPurpose;
    request.code = base::SecretText(code);
    return ask(std::move(request));
  }

  // Nanoseconds until a wrong code is refused.
  double time_wrong(const std::string& subject) {
    const std::int64_t start = now_ns();
    const auto answer = verify(subject, "0000000000");  // codes here have six digits
    const auto spent = static_cast<double>(now_ns() - start);
    const auto* failure = std::get_if<core::Failure>(&answer);
    if (failure == nullptr || failure->code != base::Code::kVerificationFailed) {
      throw base::StartupError("a wrong code was not answered as one");
    }
    return spent;
  }

 private:
  daemon::Vault& vault_;
};

std::vector<std::string> prepare(Asker& asker, Kind kind, std::uint64_t base) {
  std::vector<std::string> subjects;
  for (std::size_t i = 0; i < kSubjects; ++i) {
    const std::string& subject = subjects.emplace_back("+7" + std::to_string(base + i));
    if (kind != Kind::kAbsent) {
      const base::SecretText code = asker.seal(subject);
      if (kind == Kind::kUsed) static_cast<void>(asker.verify(subject, code.expose()));
      if (kind == Kind::kNoCode) {
        core::OtpCancel cancel;
        cancel.subject = base::SecretText(subject);
        cancel.purpose = kPurpose;
        static_cast<void>(asker.ask(std::move(cancel)));
      }
    }
    static_cast<void>(asker.time_wrong(subject));  // its counters have rows from here on
  }
  return subjects;
}

Moments moments(const std::vector<double>& samples, double below) {
  Moments m;
  for (const double x : samples) {
    if (x >= below) continue;
    const double step = x - m.mean;
    m.mean += step / static_cast<double>(++m.count);
    m.variance += step * (x - m.mean);
  }
  m.variance /= static_cast<double>(m.count - 1);
  return m;
}

void run(const Options& options) {
  daemon::Config config = daemon::read_config(options.config);
  if (!options.module.empty()) config.hsm.module = options.module;
  config.settings.otp.resend_s = 0;
  config.settings.otp.sends = 0;
  config.settings.attempts = {1'000'000, 900, 0, 0};
  config.settings.rate_per_s = 0;
  daemon::Vault vault(std::move(config));
  vault.start();
  Asker asker(vault);
  std::mt19937_64 random(std::random_device{}());
  const std::uint64_t base = 7'000'000'000 + random() % 900'000'000;
  const Kind other = options.against == "absent" ? Kind::kAbsent
                     : options.against == "used" ? Kind::kUsed
                                                 : Kind::kNoCode;
  const std::array subjects = {prepare(asker, Kind::kWrongCode, base),
                               prepare(asker, other, base + kSubjects)};
  std::array<std::vector<double>, 2> times;
  std::array<std::size_t, 2> next{};
  std::vector<double> all;
  for (std::size_t i = 0; i < options.samples; ++i) {
    const std::size_t kind = random() & 1;
    const double spent = asker.time_wrong(subjects[kind][next[kind]++ % kSubjects]);
    times[kind].push_back(spent);
    all.push_back(spent);
  }
  const auto edge =
      all.begin() + static_cast<std::ptrdiff_t>(kKept * static_cast<double>(all.size()));
  std::nth_element(all.begin(), edge, all.end());
  const Moments a = moments(times[0], *edge);
  const Moments b = moments(times[1], *edge);
  const double t = (a.mean - b.mean) / std::sqrt(a.variance / static_cast<double>(a.count) +
                                                 b.variance / static_cast<double>(b.count));
  std::printf(
      "{\"against\":\"%s\",\"samples\":%zu,\"t\":%.2f,\"wrong_code_us\":%.2f,\"other_us\":%.2f,"
      "\"deviation_us\":%.2f}\n",
      options.against.c_str(), options.samples, t, a.mean / 1000, b.mean / 1000,
      std::sqrt(a.variance) / 1000);
  vault.stop();
}

}  // namespace
}  // namespace cardvault::bench

int main(int argc, char** argv) {
  using namespace cardvault;
  CLI::App app("Compares the times of otp.verify for two kinds of subjects; prints JSON with t.",
               "cardvault-timing");
  bench::Options options;
  app.add_option("--config", options.config, "vault.toml of a stopped vault")->required();
  app.add_option("--module", options.module, "another module, for a leaky control");
  app.add_option("--samples", options.samples)
      ->check(CLI::Range(100, 100'000'000))
      ->capture_default_str();
  app.add_option("--against", options.against, "a wrong code of a subject who has one, against:")
      ->check(CLI::IsMember({"absent", "used", "no-code"}))
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  try {
    bench::run(options);
  } catch (const base::StartupError& error) {
    std::fprintf(stderr, "cardvault-timing: %s\n", error.what());
    return 1;
  }
  return 0;
}
