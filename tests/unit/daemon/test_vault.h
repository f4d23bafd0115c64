// The engine on a real store in a temporary directory, with the crypto port in memory.
#pragma once

#include <atomic>
#include <filesystem>
#include <future>
#include <memory>
#include <string>
#include <vector>

#include "tests/fakes/fake_crypto.h"
#include "tests/fakes/fake_sealer.h"
#include "vault/daemon/announcement.h"
#include "vault/daemon/engine.h"
#include "vault/seal/argon2id.h"
#include "vault/store/sqlite_store.h"

namespace cardvault::daemon {

class ManualClock final : public base::Clock {
 public:
  [[nodiscard]] std::int64_t now_ms() const override { return now; }
  [[nodiscard]] bool trusted() const override { return trust; }
  std::atomic<std::int64_t> now = 1'795'000'000'000;  // 2026-11-18
  std::atomic<bool> trust = true;
};

// Clients: "web" (tokenize, cards, sealed reveals, codes, secrets), "anon" (tokenize without
// customer), "processor" (detokenize for payment), "support" (codes in the clear), each with the
// pin byte given. Recipients: "sms-gateway" and "sms-late" (codes; the latter's certificate has
// ended), "acquirer" (reveals). BIN rows: 41111111 and 55555555 KZ/KZT, 400005 US/USD, 400000 KZ
// without Luhn.
class TestVault {
 public:
  static constexpr std::uint8_t kWeb = 1, kAnonymous = 2, kProcessor = 3, kSupport = 4,
                                kStranger = 9;

  TestVault();
  ~TestVault();
  // Stops, and opens the store again: what is only in memory elsewhere stays.
  void restart();
  core::Answer call(std::uint8_t pin, core::Request request);
  core::Answer call_through(const core::Ceiling& ceiling, std::uint8_t pin, core::Request request);
  core::TokenizeOutcome tokenize(std::string_view pan, std::string_view customer,
                                 std::string expiry = "");
  std::string token(std::string_view pan, std::string_view customer);
  core::DetokenizeOutcome reveal(const std::string& token, std::string purpose = "payment");
  void set(core::Settings settings);
  // Writes to the store without asking anybody.
  void write(const std::function<base::Result<void>(core::Transaction&)>& change);
  void freeze_customer();  // the first one
  // All lines of the log so far.
  std::vector<std::string> log();
  std::size_t count_in_log(std::string_view text);

  std::filesystem::path dir;
  ManualClock clock;
  fakes::FakeCrypto crypto;
  fakes::FakeSealer sealer;
  seal::Argon2id passwords;
  core::ClientDirectory clients;
  core::RevealBudget reveals;
  core::InvocationMeter invocations;
  core::ActiveKeys keys;
  core::IdempotencyGuard idempotency;
  core::MissGuard misses;
  core::CustomerCache customers;
  core::RecipientDirectory recipients;
  core::Services services;
  Metrics metrics;
  FloodCounter floods;
  Outboxes outboxes;
  std::unique_ptr<store::SqliteStore> store;
  std::unique_ptr<Engine> engine;

 private:
  void start();
};

[[nodiscard]] core::TokenizeItem item(std::string_view pan, std::string_view customer,
                                      std::string expiry = "");
[[nodiscard]] core::Tokenize one(core::TokenizeItem item);
// The failure's code name, or "ok".
template <class Outcome>
std::string outcome_name(const Outcome& outcome) {
  const auto* failure = std::get_if<core::Failure>(&outcome);
  return failure == nullptr ? "ok" : std::string(base::code_name(failure->code));
}
// The card of an outcome that has to be ok.
[[nodiscard]] const core::CardView& view(const core::TokenizeOutcome& outcome);
// A valid number of the demo range 4111 1111: different for each n.
[[nodiscard]] std::string test_pan(unsigned n);

}  // namespace cardvault::daemon
