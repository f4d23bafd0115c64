// cardvault-load: a lean load generator for the gates (docs: --help).
#include <sys/resource.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <random>
#include <thread>

#include "protocol/client/client.h"
#include "tests/bench/connect_load.h"
#include "tests/bench/options.h"
#include "tests/bench/process_watch.h"
#include "tests/bench/report.h"
#include "tests/bench/worker.h"

namespace cardvault::bench {
namespace {

constexpr std::size_t kSetupBatch = 500;
constexpr std::uint64_t kSubjects = 5'000'000'000;  // phone numbers of half the space
constexpr std::int64_t kSecondNs = 1'000'000'000;

[[noreturn]] void stop(const char* what, const base::Error& error) {
  throw base::StartupError(std::string(what) + ": " + error.operation + " (" +
                           std::string(base::code_name(error.code)) + ", " +
                           std::to_string(error.number) + ")");
}

template <class T>
T need(base::Result<T> result, const char* what) {
  if (!result) stop(what, result.error());
  return std::move(*result);
}

double own_cpu_us() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto us = [](const timeval& t) {
    return static_cast<double>(t.tv_sec * 1'000'000 + t.tv_usec);
  };
  return us(usage.ru_utime) + us(usage.ru_stime);
}

void sleep_until(std::int64_t until_ns) {
  std::this_thread::sleep_for(std::chrono::nanoseconds(until_ns - now_ns()));
}

// Tokens to reveal: cards stored now, in batches.
std::vector<TokenText> store_cards(const client::TlsContext& tls, const client::Endpoint& endpoint,
                                   std::size_t count, std::uint64_t seed) {
  std::vector<TokenText> tokens;
  tokens.reserve(count + kSetupBatch);
  CardStream cards(seed);
  client::Client client(tls, endpoint, std::chrono::seconds(30));
  const std::size_t batch = std::min(count, kSetupBatch);
  auto request = RequestTemplate::tokenize(endpoint, batch);
  while (tokens.size() < count) {
    const auto response = need(client.send(request.with_cards(cards)), "store cards to reveal");
    const std::size_t before = tokens.size();
    collect_tokens(response.body, tokens);
    if (tokens.size() != before + batch) {
      throw base::StartupError("the vault refused cards to reveal: HTTP " +
                               std::to_string(response.status) + ", " +
                               std::string(find_problems(response.body).first));
    }
  }
  return tokens;
}

// Subjects who have an open code, sealed now.
void seal_codes(const client::TlsContext& tls, const client::Endpoint& endpoint,
                Subjects subjects) {
  client::Client client(tls, endpoint, std::chrono::seconds(30));
  auto request = RequestTemplate::otp_seal(endpoint);
  for (std::uint64_t i = 0; i < subjects.count; ++i) {
    const auto response = need(client.send(request.with_subject(subjects)), "seal codes");
    if (response.status == 200) continue;
    throw base::StartupError("the vault refused a code: HTTP " + std::to_string(response.status) +
                             ", " + std::string(find_problems(response.body).first));
  }
}

Schedule schedule_of(const Options& options) {
  const auto ns = [](double seconds) { return static_cast<std::int64_t>(seconds * 1e9); };
  Schedule schedule;
  schedule.start_ns = now_ns() + kSecondNs / 100;
  schedule.measure_ns = schedule.start_ns + ns(options.warmup);
  schedule.end_ns = schedule.measure_ns + ns(options.seconds);
  if (options.rate > 0) {
    schedule.interval_ns = ns(static_cast<double>(options.threads) / options.rate);
  }
  return schedule;
}

// Runs `tasks` on a thread each and measures the processes while the schedule says so.
template <class Task>
Report run_tasks(const Options& options, std::size_t count, Task task) {
  const Schedule schedule = schedule_of(options);
  std::vector<Tally> tallies(count);
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      Schedule mine = schedule;
      // The workers' arrivals interleave into one even stream.
      mine.start_ns +=
          schedule.interval_ns * static_cast<std::int64_t>(i) / static_cast<std::int64_t>(count);
      sleep_until(mine.start_ns);
      tallies[i] = task(i, mine);
    });
  }
  Report report;
  sleep_until(schedule.measure_ns);
  const double cpu_before = measure(options.watch).cpu_us;
  const double own_before = own_cpu_us();
  sleep_until(schedule.end_ns);
  report.watched_cpu_us = measure(options.watch).cpu_us - cpu_before;
  report.generator_cpu_us = own_cpu_us() - own_before;
  threads.clear();
  for (const Tally& tally : tallies) report.tally.add(tally);
  report.seconds = options.seconds;
  return report;
}

std::size_t share_of(std::size_t total, std::size_t parts, std::size_t index) {
  return total / parts + (index < total % parts ? 1 : 0);
}

Report run_requests(const Options& options, const Script& script) {
  std::vector<std::unique_ptr<Worker>> workers;
  std::size_t opened = 0;
  for (std::size_t i = 0; i < options.threads; ++i) {
    const std::uint64_t seed = std::random_device{}();
    auto& worker = workers.emplace_back(std::make_unique<Worker>(script, seed << 8 | i));
    const std::size_t share = share_of(options.connections, options.threads, i);
    if (auto ok = worker->open(share, opened); !ok) stop("connect", ok.error());
    opened += share;
  }
  return run_tasks(options, options.threads, [&](std::size_t i, const Schedule& schedule) {
    return workers[i]->run(schedule);
  });
}

void run_idle(const Options& options, const client::TlsContext& tls,
              const client::Endpoint& endpoint) {
  IdleReport report;
  report.asked = options.connections;
  report.rss_before = measure(options.watch).rss;
  const std::int64_t start = now_ns();
  const auto connections = open_idle(tls, endpoint, options.connections);
  report.open_seconds = static_cast<double>(now_ns() - start) / 1e9;
  report.open = connections.open.size();
  report.problems = connections.problems;
  sleep_until(now_ns() + static_cast<std::int64_t>(options.seconds * 1e9));
  report.rss_after = measure(options.watch).rss;
  report.closed = count_closed(connections);
  print(options, report);
}

void allow_many_descriptors() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

void run(const Options& options) {
  const auto store = need(client::Endpoint::resolve(options.store.url), "--url");
  const auto store_tls =
      need(client::TlsContext::load(options.store.credentials), "--ca, --cert, --key");
  if (options.mode == Mode::kIdle) return run_idle(options, store_tls, store);
  if (options.mode == Mode::kHandshake) {
    return print(options,
                 run_tasks(options, options.threads, [&](std::size_t i, const Schedule& s) {
                   return make_connections(store_tls, store,
                                           share_of(options.connections, options.threads, i), s);
                 }));
  }
  Script script{.mode = options.mode,
                .batch = options.batch,
                .purpose = options.purpose,
                .store = &store,
                .store_tls = &store_tls};
  if (options.mode == Mode::kTokenize) return print(options, run_requests(options, script));
  if (options.mode == Mode::kOtpSeal || options.mode == Mode::kOtpVerify) {
    script.subjects = {.first = std::mt19937_64(std::random_device{}())() % kSubjects,
                       .count = kSubjects};
    if (options.mode == Mode::kOtpVerify) {
      script.subjects.count = options.cards;
      seal_codes(store_tls, store, script.subjects);
    }
    return print(options, run_requests(options, script));
  }
  const auto reveal = need(client::Endpoint::resolve(options.reveal.url), "--reveal-url");
  const auto reveal_tls = need(client::TlsContext::load(options.reveal.credentials),
                               "--ca, --reveal-cert, --reveal-key");
  const auto tokens = store_cards(store_tls, store, options.cards, std::random_device{}());
  script.reveal = &reveal;
  script.reveal_tls = &reveal_tls;
  script.tokens = tokens;
  print(options, run_requests(options, script));
}

}  // namespace
}  // namespace cardvault::bench

int main(int argc, char** argv) {
  const auto options = cardvault::bench::read_options(argc, argv);
  std::signal(SIGPIPE, SIG_IGN);
  cardvault::bench::allow_many_descriptors();
  try {
    cardvault::bench::run(options);
  } catch (const cardvault::base::StartupError& error) {
    std::fprintf(stderr, "cardvault-load: %s\n", error.what());
    return 1;
  }
  return 0;
}
