#include "tests/bench/report.h"

#include <cstdio>

namespace cardvault::bench {
namespace {

constexpr const char* kClosed = "closed loop: from sending, so coordinated omission is possible";
constexpr const char* kOpen = "open loop: from the due time";

void print_problems(const std::map<std::string, std::uint64_t>& problems, bool json) {
  const char* separator = "";
  for (const auto& [code, count] : problems) {
    std::printf(json ? "%s\"%s\":%llu" : "%s%s %llu", separator, code.c_str(),
                static_cast<unsigned long long>(count));
    separator = json ? "," : ", ";
  }
}

double per_item(double cpu_us, const Tally& tally) {
  return tally.items == 0 ? 0 : cpu_us / static_cast<double>(tally.items);
}

}  // namespace

void print(const Options& options, const Report& report) {
  const Tally& tally = report.tally;
  const auto us = [&](double share) { return tally.latency.quantile_us(share); };
  const double rate = static_cast<double>(tally.items) / report.seconds;
  const char* meaning = options.rate > 0 ? kOpen : kClosed;
  if (!options.json) {
    std::printf("%s, %zu connections, batch %zu: %.0f/s in %.1f s\n", mode_name(options.mode),
                options.connections, options.batch, rate, report.seconds);
    std::printf("latency of a request: p50 %.0f us, p99 %.0f us, p99.9 %.0f us, max %.0f us (%s)\n",
                us(0.5), us(0.99), us(0.999), tally.latency.max_us(), meaning);
    std::printf("CPU per item: watched processes %.1f us, this generator %.1f us\n",
                per_item(report.watched_cpu_us, tally), per_item(report.generator_cpu_us, tally));
    if (tally.backlog != 0) {
      std::printf("never sent in time: %llu\n", static_cast<unsigned long long>(tally.backlog));
    }
    if (!tally.problems.empty()) {
      std::printf("problems: ");
      print_problems(tally.problems, false);
      std::printf("\n");
    }
    return;
  }
  std::printf(
      "{\"mode\":\"%s\",\"connections\":%zu,\"batch\":%zu,\"loop\":\"%s\",\"rate\":%.1f,"
      "\"seconds\":%.3f,\"requests\":%llu,\"items\":%llu,\"ops_per_s\":%.1f,\"p50_us\":%.1f,"
      "\"p99_us\":%.1f,\"p999_us\":%.1f,\"max_us\":%.1f,\"percentiles\":\"%s\","
      "\"daemon_cpu_us_per_op\":%.2f,\"generator_cpu_us_per_op\":%.2f,\"backlog\":%llu,"
      "\"problems\":{",
      mode_name(options.mode), options.connections, options.batch,
      options.rate > 0 ? "open" : "closed", options.rate, report.seconds,
      static_cast<unsigned long long>(tally.requests), static_cast<unsigned long long>(tally.items),
      rate, us(0.5), us(0.99), us(0.999), tally.latency.max_us(), meaning,
      per_item(report.watched_cpu_us, tally), per_item(report.generator_cpu_us, tally),
      static_cast<unsigned long long>(tally.backlog));
  print_problems(tally.problems, true);
  std::printf("}}\n");
}

void print(const Options& options, const IdleReport& report) {
  const double per_second = static_cast<double>(report.open) / report.open_seconds;
  if (options.json) {
    std::printf(
        "{\"mode\":\"idle\",\"connections\":%zu,\"open\":%zu,\"closed\":%zu,"
        "\"opened_per_s\":%.1f,\"rss_per_connection\":[",
        report.asked, report.open, report.closed, per_second);
  } else {
    std::printf("idle: %zu of %zu connections opened at %.0f/s, %zu ended by the gate\n",
                report.open, report.asked, per_second, report.closed);
    std::printf("memory per connection of the watched processes (bytes): ");
  }
  for (std::size_t i = 0; i < report.rss_before.size(); ++i) {
    const auto grown = static_cast<double>(report.rss_after[i] - report.rss_before[i]);
    std::printf("%s%.0f", i == 0 ? "" : ",",
                report.open == 0 ? 0 : grown / static_cast<double>(report.open));
  }
  std::printf(options.json ? "],\"problems\":{" : "\nproblems: ");
  print_problems(report.problems, options.json);
  std::printf(options.json ? "}}\n" : "\n");
}

}  // namespace cardvault::bench
