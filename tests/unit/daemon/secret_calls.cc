#include "tests/unit/daemon/secret_calls.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <latch>
#include <thread>

namespace cardvault::daemon {
namespace {

template <class Request>
Request request_of(std::string_view secret, core::SecretKind kind, std::string_view subject) {
  Request request;
  request.subject = base::SecretText(subject);
  request.kind = kind;
  if constexpr (requires { request.secret; }) request.secret = base::SecretText(secret);
  return request;
}

}  // namespace

SecretVault::SecretVault() {
  change_settings([](core::Settings& settings) {
    settings.secrets.argon2_memory_kib = 64;
    settings.secrets.argon2_passes = 1;
    settings.otp.resend_s = 0;
    settings.otp.sends = 0;
  });
}

void SecretVault::change_settings(const std::function<void(core::Settings&)>& change) {
  core::Settings settings = *services.settings.load();
  change(settings);
  set(std::move(settings));
}

std::string SecretVault::enroll(std::string_view secret, core::SecretKind kind,
                                std::string_view subject) {
  return outcome_text(call(kWeb, request_of<core::SecretEnroll>(secret, kind, subject)));
}
std::string SecretVault::change(std::string_view secret, core::SecretKind kind,
                                std::string_view subject) {
  return outcome_text(call(kWeb, request_of<core::SecretChange>(secret, kind, subject)));
}
std::string SecretVault::remove(core::SecretKind kind, std::string_view subject) {
  return outcome_text(call(kWeb, request_of<core::SecretRemove>("", kind, subject)));
}
core::Answer SecretVault::ask(std::string_view secret, core::SecretKind kind,
                              std::string_view subject) {
  return call(kWeb, request_of<core::SecretVerify>(secret, kind, subject));
}
std::string SecretVault::check(std::string_view secret, core::SecretKind kind,
                               std::string_view subject) {
  return outcome_text(ask(secret, kind, subject));
}

std::vector<std::string> SecretVault::check_in_parallel(std::size_t count,
                                                        std::string_view secret) {
  std::vector<std::string> outcomes(count);
  std::latch ready(static_cast<std::ptrdiff_t>(count));
  std::vector<std::jthread> threads;
  for (std::string& outcome : outcomes) {
    threads.emplace_back([&] {
      ready.arrive_and_wait();
      outcome = check(secret);
    });
  }
  threads.clear();
  return outcomes;
}

void SecretVault::confirm(std::string_view purpose, std::string_view subject) {
  EXPECT_EQ(verify(*this, subject, sealed_code(*this, subject, purpose), purpose), "verified");
}

std::optional<core::CustomerRow> SecretVault::customer(std::string_view subject) {
  auto reader = std::move(*store->make_reader());
  EXPECT_TRUE(reader->begin());
  const auto mac = *crypto.mac(keys.get(core::KeyPurpose::kIdIndex), base::as_bytes(subject));
  core::Fingerprint fp;
  std::copy_n(mac.begin(), fp.size(), fp.begin());
  auto found = *reader->customer(fp);
  reader->end();
  return found;
}

std::optional<core::SecretRow> SecretVault::row(core::SecretKind kind, std::string_view subject) {
  const auto owner = customer(subject);
  if (!owner) return std::nullopt;
  auto reader = std::move(*store->make_reader());
  EXPECT_TRUE(reader->begin());
  auto found = *reader->secret(owner->row, kind);
  reader->end();
  return found;
}

}  // namespace cardvault::daemon
