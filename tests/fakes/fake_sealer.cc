#include "tests/fakes/fake_sealer.h"

#include <utility>

namespace cardvault::fakes {

void FakeSealer::fail_next(base::Error error) {
  const std::scoped_lock lock(mutex_);
  failure_ = error;
}

std::uint64_t FakeSealer::calls() const {
  const std::scoped_lock lock(mutex_);
  return calls_;
}

base::Result<void> FakeSealer::begin() {
  const std::scoped_lock lock(mutex_);
  ++calls_;
  if (const auto failure = std::exchange(failure_, std::nullopt)) return std::unexpected(*failure);
  return {};
}

base::Result<std::string> FakeSealer::sign(std::string_view type,
                                           const base::SecretBuffer& claims) {
  if (auto ok = begin(); !ok) return std::unexpected(ok.error());
  return "jws " + std::string(type) + " " + std::string(base::as_text(claims));
}

base::Result<std::string> FakeSealer::seal(const core::Recipient& to, std::string_view type,
                                           const base::SecretBuffer& claims,
                                           std::int64_t /*now_ms*/) {
  auto signed_claims = sign(type, claims);
  if (!signed_claims) return signed_claims;
  return "jwe " + to.name + " " + *signed_claims;
}

base::Result<std::string> FakeSealer::jwks() {
  if (auto ok = begin(); !ok) return std::unexpected(ok.error());
  return R"({"keys":[]})";
}

std::string claim(std::string_view message, std::string_view name) {
  const std::string before = "\"" + std::string(name) + "\":";
  const auto at = message.find(before);
  if (at == std::string_view::npos) return "";
  std::string_view value = message.substr(at + before.size());
  if (!value.starts_with('"')) return std::string(value.substr(0, value.find_first_of(",}")));
  value.remove_prefix(1);
  return std::string(value.substr(0, value.find('"')));
}

}  // namespace cardvault::fakes
