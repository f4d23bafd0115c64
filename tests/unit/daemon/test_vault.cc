#include "tests/unit/daemon/test_vault.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <sstream>

#include "vault/core/pan.h"

namespace cardvault::daemon {
namespace {

class TestReader final : public SnapshotReader {
 public:
  explicit TestReader(std::unique_ptr<store::SqliteReader> reader) : reader_(std::move(reader)) {}
  core::Reader& begin() override {
    EXPECT_TRUE(reader_->begin());
    return *reader_;
  }
  void end() override { reader_->end(); }

 private:
  std::unique_ptr<store::SqliteReader> reader_;
};

core::BinTable bins() {
  std::istringstream csv(
      "iin_start,iin_end,number_length,number_luhn,scheme,brand,type,prepaid,country,bank_name,"
      "currency\n"
      "41111111,,16,y,visa,Visa,debit,n,KZ,Test Bank,KZT\n"
      "55555555,,16,y,mastercard,Mastercard,credit,n,KZ,Test Bank,KZT\n"
      "40000566,,16,y,visa,Visa,debit,n,US,Elsewhere,USD\n"
      "40000000,,16,n,visa,Visa,debit,n,KZ,No Luhn Bank,USD\n");
  auto table = core::BinTable::read_csv(csv);
  EXPECT_TRUE(table);
  return std::move(*table);
}

core::Client client(const char* id, std::uint8_t pin, core::Permissions permissions) {
  core::Client c;
  c.id = id;
  c.spki_sha256 = std::string(62, '0') + "0" + static_cast<char>('0' + pin);
  c.permissions = permissions;
  c.purposes = {"payment", "card_to_card"};
  return c;
}

constexpr std::int64_t kYearMs = 365 * 86'400'000LL;

core::Recipient recipient(const char* name, core::RecipientUse use, std::int64_t until_ms) {
  core::Recipient r;
  r.name = name;
  r.uses = static_cast<std::uint8_t>(use);
  r.certificate = {{1}, 0, until_ms};
  return r;
}

std::uint32_t bit(core::Permission p) { return static_cast<std::uint32_t>(p); }

}  // namespace

TestVault::TestVault()
    : services{.crypto = crypto,
               .clock = clock,
               .clients = clients,
               .reveals = reveals,
               .invocations = invocations,
               .keys = keys,
               .idempotency = idempotency,
               .misses = misses,
               .customers = customers,
               .sealer = sealer,
               .passwords = passwords,
               .recipients = recipients,
               .codec = {[](const core::Tokenize& r) {
                           base::SecretBuffer out;
                           for (const auto& i : r.items) {
                             const auto pan = base::as_bytes(i.pan.expose());
                             out.insert(out.end(), pan.begin(), pan.end());
                           }
                           return out;
                         },
                         [](const core::OtpSeal& r) {
                           const auto subject = base::as_bytes(r.subject.expose());
                           base::SecretBuffer out(subject.begin(), subject.end());
                           const auto purpose = base::as_bytes(r.purpose);
                           out.insert(out.end(), purpose.begin(), purpose.end());
                           return out;
                         },
                         [](const core::Answer& a) { return wire::answer_bytes(a); },
                         [](std::span<const std::uint8_t> b) { return wire::decode_answer(b); }},
               .metrics_text = [] { return std::string("metrics"); }} {
  std::string name = (std::filesystem::temp_directory_path() / "cardvault-test-XXXXXX").string();
  dir = ::mkdtemp(name.data());
  store =
      store::SqliteStore::open(dir, {.create = true, .on_answered = [this] { outboxes.flush(); }});
  using enum core::Permission;
  const std::vector<core::Client> registered = {
      client("web", kWeb,
             {bit(kTokenize) | bit(kCardsRead) | bit(kCardsManage) | bit(kDetokenizeSealed) |
              bit(kOtpSeal) | bit(kOtpVerify) | bit(kSecretsManage) | bit(kSecretsVerify)}),
      client("anon", kAnonymous, {bit(kTokenize) | bit(kTokenizeAnonymous)}),
      client("processor", kProcessor, {bit(kDetokenize) | bit(kCardsRead)}),
      client("support", kSupport, {bit(kOtpSeal) | bit(kOtpClear)})};
  clients.load(registered);
  recipients.load({recipient("acquirer", core::RecipientUse::kReveal, clock.now + kYearMs),
                   recipient("sms-gateway", core::RecipientUse::kOtp, clock.now + kYearMs),
                   recipient("sms-late", core::RecipientUse::kOtp, clock.now.load())});
  write([&](core::Transaction& tx) -> base::Result<void> {
    for (const core::Client& one : registered) {
      if (auto ok = tx.put_client(one); !ok) return ok;
    }
    for (const auto purpose : core::kAllKeyPurposes) {
      if (auto ok = tx.put_key({{purpose, 1}, core::KeyState::kActive, "00", 1, 0}); !ok) return ok;
    }
    return {};
  });
  for (const auto purpose : core::kAllKeyPurposes) {
    keys.set({purpose, 1});
    invocations.load({purpose, 1}, 0);
  }
  services.bins.store(std::make_shared<const core::BinTable>(bins()));
  core::Settings settings;
  settings.rate_per_s = 0;
  set(settings);
  start();
}

void TestVault::start() {
  engine = std::make_unique<Engine>(services, store->committer(), metrics, floods, outboxes, 4096);
  engine->start(2, 1,
                [this] { return std::make_unique<TestReader>(std::move(*store->make_reader())); });
}

void TestVault::restart() {
  engine->stop();
  engine.reset();
  store.reset();
  store = store::SqliteStore::open(dir, {.on_answered = [this] { outboxes.flush(); }});
  start();
}

TestVault::~TestVault() {
  engine->stop();
  store.reset();
  std::filesystem::remove_all(dir);
}

void TestVault::write(const std::function<base::Result<void>(core::Transaction&)>& change) {
  std::promise<bool> durable;
  store->committer().submit(std::make_unique<Effect>(
      [&](core::Transaction& tx, core::EventSink&) { return change(tx); },
      [&](const base::Result<core::Receipt>& receipt) { durable.set_value(receipt.has_value()); }));
  EXPECT_TRUE(durable.get_future().get());
}

void TestVault::freeze_customer() {
  write([](core::Transaction& tx) {
    auto customer = tx.customer_by_row(1);
    (*customer)->frozen = true;
    return tx.update_customer(**customer);
  });
}

void TestVault::set(core::Settings settings) {
  services.settings.store(std::make_shared<const core::Settings>(std::move(settings)));
}

core::Answer TestVault::call(std::uint8_t pin, core::Request request) {
  return call_through({"test", {"*"}, {UINT32_MAX}}, pin, std::move(request));
}

core::Answer TestVault::call_through(const core::Ceiling& ceiling, std::uint8_t pin,
                                     core::Request request) {
  wire::GateRequest in;
  in.caller.spki_sha256[31] = pin;
  in.caller.source = "192.0.2.7";
  in.request = std::move(request);
  std::promise<core::Answer> answer;
  engine->submit(ceiling, std::move(in),
                 [&](core::Response response) { answer.set_value(std::move(response).take()); });
  return answer.get_future().get();
}

core::TokenizeOutcome TestVault::tokenize(std::string_view pan, std::string_view customer,
                                          std::string expiry) {
  core::Answer answer = call(kWeb, one(item(pan, customer, std::move(expiry))));
  if (auto* failure = std::get_if<core::Failure>(&answer)) return *failure;
  return std::move(std::get<core::TokenizeAnswer>(answer).items.at(0));
}

std::string TestVault::token(std::string_view pan, std::string_view customer) {
  const auto outcome = tokenize(pan, customer);
  EXPECT_EQ(outcome_name(outcome), "ok");
  return std::get<core::CardView>(outcome).token;
}

core::DetokenizeOutcome TestVault::reveal(const std::string& token, std::string purpose) {
  core::Detokenize request;
  request.items.push_back({token, std::move(purpose), false, "", {}});
  core::Answer answer = call(kProcessor, std::move(request));
  if (auto* failure = std::get_if<core::Failure>(&answer)) return *failure;
  return std::move(std::get<core::DetokenizeAnswer>(answer).items.at(0));
}

std::vector<std::string> TestVault::log() {
  auto reader = store->make_event_reader();
  auto lines = (*reader)->read(0, 100'000);
  std::vector<std::string> out;
  for (const auto& line : *lines) out.push_back(line.json);
  return out;
}

std::size_t TestVault::count_in_log(std::string_view text) {
  std::size_t n = 0;
  for (const std::string& line : log()) n += line.find(text) != std::string::npos ? 1 : 0;
  return n;
}

core::TokenizeItem item(std::string_view pan, std::string_view customer, std::string expiry) {
  core::TokenizeItem i;
  i.pan = base::SecretText(pan);
  i.customer = base::SecretText(customer);
  i.expiry = std::move(expiry);
  return i;
}

core::Tokenize one(core::TokenizeItem i) {
  core::Tokenize request;
  request.items.push_back(std::move(i));
  return request;
}

const core::CardView& view(const core::TokenizeOutcome& outcome) {
  EXPECT_EQ(outcome_name(outcome), "ok");
  return std::get<core::CardView>(outcome);
}

std::string test_pan(unsigned n) {
  std::string digits = "41111111" + std::to_string(1'000'000 + n % 1'000'000);
  for (char check = '0'; check <= '9'; ++check) {
    if (core::luhn_valid(digits + check)) return digits + check;
  }
  return "";
}

}  // namespace cardvault::daemon
