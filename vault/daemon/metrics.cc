#include "vault/daemon/metrics.h"

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <map>
#include <mutex>
#include <utility>

namespace cardvault::daemon {

struct Metrics::Impl {
  prometheus::Registry registry;
  prometheus::Family<prometheus::Counter>& requests =
      prometheus::BuildCounter()
          .Name("cardvault_requests_total")
          .Help("Requests answered, by operation and outcome")
          .Register(registry);
  prometheus::Family<prometheus::Histogram>& seconds =
      prometheus::BuildHistogram()
          .Name("cardvault_request_seconds")
          .Help("Time in the vault from frame to durable answer")
          .Register(registry);
  prometheus::Family<prometheus::Counter>& alarms = prometheus::BuildCounter()
                                                        .Name("cardvault_alarms_total")
                                                        .Help("Alarm events, by kind")
                                                        .Register(registry);
  prometheus::Family<prometheus::Gauge>& invocations =
      prometheus::BuildGauge()
          .Name("cardvault_key_invocations_used")
          .Help("GCM invocations used or reserved of 2^32, by key")
          .Register(registry);
  prometheus::Family<prometheus::Gauge>& periods =
      prometheus::BuildGauge()
          .Name("cardvault_key_cryptoperiod_seconds")
          .Help("Seconds until an active key's cryptoperiod ends; below 0: it has")
          .Register(registry);
  prometheus::Family<prometheus::Gauge>& clients =
      prometheus::BuildGauge()
          .Name("cardvault_client_certificate_seconds")
          .Help("How long an enrolled client's longest certificate still lasts")
          .Register(registry);
  prometheus::Family<prometheus::Gauge>& recipients =
      prometheus::BuildGauge()
          .Name("cardvault_recipient_certificate_seconds")
          .Help("Seconds until a recipient's certificate ends; below 0: it has")
          .Register(registry);
  prometheus::Family<prometheus::Gauge>& shares =
      prometheus::BuildGauge()
          .Name("cardvault_share_proven_seconds")
          .Help("Seconds since a custodian's share was last proven good, or delivered")
          .Register(registry);
  prometheus::Family<prometheus::Gauge>& queues =
      prometheus::BuildGauge()
          .Name("cardvault_queue_waiting")
          .Help("Requests that wait for a worker, by gate")
          .Register(registry);
  prometheus::Family<prometheus::Gauge>& tokens =
      prometheus::BuildGauge()
          .Name("cardvault_hsm_token_ready")
          .Help("1 while this one of several tokens serves, by its place in [hsm]")
          .Register(registry);
  std::mutex mutex;
  // Looked up by name once; the families' own look-up builds a map of labels each time.
  std::map<std::pair<std::string, std::string>, prometheus::Counter*, std::less<>> counters;
  std::map<std::string, prometheus::Histogram*, std::less<>> histograms;
  std::map<std::string, prometheus::Gauge*, std::less<>> gauges;
  std::map<std::string, prometheus::Gauge*, std::less<>> recipient_gauges, period_gauges,
      client_gauges, share_gauges, token_gauges, queue_gauges;
};

namespace {

// A family's gauges become these and no others.
void replace(prometheus::Family<prometheus::Gauge>& family, const char* label,
             std::map<std::string, prometheus::Gauge*, std::less<>>& gauges,
             const std::vector<std::pair<std::string, double>>& values) {
  auto stale = std::exchange(gauges, {});
  for (const auto& [name, value] : values) {
    prometheus::Gauge& gauge = family.Add({{label, name}});
    gauge.Set(value);
    gauges.emplace(name, &gauge);
    stale.erase(name);
  }
  for (const auto& [name, gauge] : stale) family.Remove(gauge);
}

}  // namespace

Metrics::Metrics() : impl_(std::make_unique<Impl>()) {}
Metrics::~Metrics() = default;

void Metrics::request(std::string_view operation, std::string_view outcome,
                      std::chrono::nanoseconds took) {
  const std::scoped_lock lock(impl_->mutex);
  prometheus::Counter*& counter = impl_->counters[{std::string(operation), std::string(outcome)}];
  if (counter == nullptr) {
    counter = &impl_->requests.Add(
        {{"operation", std::string(operation)}, {"outcome", std::string(outcome)}});
  }
  auto histogram = impl_->histograms.find(operation);
  if (histogram == impl_->histograms.end()) {
    histogram = impl_->histograms
                    .emplace(operation, &impl_->seconds.Add({{"operation", std::string(operation)}},
                                                            prometheus::Histogram::BucketBoundaries{
                                                                0.0005, 0.001, 0.002, 0.005, 0.01,
                                                                0.02, 0.05, 0.1, 0.5, 1, 5}))
                    .first;
  }
  counter->Increment();
  histogram->second->Observe(std::chrono::duration<double>(took).count());
}

void Metrics::alarm(std::string_view what) {
  impl_->alarms.Add({{"kind", std::string(what)}}).Increment();
}

void Metrics::gauge(const char* name, const char* help, double value) {
  const std::scoped_lock lock(impl_->mutex);
  prometheus::Gauge*& gauge = impl_->gauges[name];
  if (gauge == nullptr) {
    gauge = &prometheus::BuildGauge().Name(name).Help(help).Register(impl_->registry).Add({});
  }
  gauge->Set(value);
}

void Metrics::key_gauge(std::string_view key, double invocations_used) {
  impl_->invocations.Add({{"key", std::string(key)}}).Set(invocations_used);
}

void Metrics::key_period_gauges(const std::vector<std::pair<std::string, double>>& seconds_left) {
  const std::scoped_lock lock(impl_->mutex);
  replace(impl_->periods, "key", impl_->period_gauges, seconds_left);
}

void Metrics::recipient_gauges(const std::vector<std::pair<std::string, double>>& seconds_left) {
  const std::scoped_lock lock(impl_->mutex);
  replace(impl_->recipients, "recipient", impl_->recipient_gauges, seconds_left);
}

void Metrics::client_gauges(const std::vector<std::pair<std::string, double>>& seconds_left) {
  const std::scoped_lock lock(impl_->mutex);
  replace(impl_->clients, "client", impl_->client_gauges, seconds_left);
}

void Metrics::queue_gauges(const std::vector<std::pair<std::string, double>>& waiting) {
  const std::scoped_lock lock(impl_->mutex);
  replace(impl_->queues, "gate", impl_->queue_gauges, waiting);
}

void Metrics::token_gauges(const std::vector<std::pair<std::string, double>>& serving) {
  const std::scoped_lock lock(impl_->mutex);
  replace(impl_->tokens, "token", impl_->token_gauges, serving);
}

void Metrics::share_gauges(const std::vector<std::pair<std::string, double>>& seconds_since) {
  const std::scoped_lock lock(impl_->mutex);
  replace(impl_->shares, "share", impl_->share_gauges, seconds_since);
}

std::string Metrics::text() const {
  return prometheus::TextSerializer().Serialize(impl_->registry.Collect());
}

}  // namespace cardvault::daemon
