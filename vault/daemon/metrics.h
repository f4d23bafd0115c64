// What the vault counts, in Prometheus' text format.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "vault/base/result.h"

namespace cardvault::daemon {

// Thread-safe.
class Metrics {
 public:
  Metrics();
  ~Metrics();
  // One request answered: by operation and outcome ("ok" or a code name), with its time in the
  // vault.
  void request(std::string_view operation, std::string_view outcome, std::chrono::nanoseconds took);
  void alarm(std::string_view what);
  // A name of its own, e.g. "cardvault_ready".
  void gauge(const char* name, const char* help, double value);
  void key_gauge(std::string_view key, double invocations_used);
  // How long each active key's cryptoperiod still lasts; those not named any more are dropped, as
  // of the next.
  void key_period_gauges(const std::vector<std::pair<std::string, double>>& seconds_left);
  // How many requests wait for a worker, by gate.
  void queue_gauges(const std::vector<std::pair<std::string, double>>& waiting);
  // Of each of several tokens, by its place in the configuration.
  void token_gauges(const std::vector<std::pair<std::string, double>>& serving);
  // How long each recipient's certificate still lasts; those not named any more are dropped.
  void recipient_gauges(const std::vector<std::pair<std::string, double>>& seconds_left);
  // The same of enrolled clients' certificates.
  void client_gauges(const std::vector<std::pair<std::string, double>>& seconds_left);
  // Seconds since each share was last proven good, or delivered, by "SECRET CUSTODIAN".
  void share_gauges(const std::vector<std::pair<std::string, double>>& seconds_since);
  [[nodiscard]] std::string text() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace cardvault::daemon
