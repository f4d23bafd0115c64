// Recipients: who may be sent sealed data (an SMS gateway, an acquirer), and with which
// certificate.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "vault/base/snapshot.h"

namespace cardvault::core {

// What may be sealed to a recipient.
enum class RecipientUse : std::uint8_t {
  kOtp = 1U << 0,     // "otp": one-time codes
  kReveal = 1U << 1,  // "reveal": cards
};

// One certificate of a recipient, checked when it was registered; the parts the vault needs later
// are kept beside it, so that nothing is parsed on the way of a request.
struct RecipientCertificate {
  std::vector<std::uint8_t> der;
  std::int64_t not_before_ms = 0, not_after_ms = 0;
};

struct Recipient {
  std::string name;       // as a client id
  std::uint8_t uses = 0;  // RecipientUse bits
  RecipientCertificate certificate;
  // Replacing with overlap: the next certificate is sealed to from next_from_ms on; the recipient
  // holds both keys meanwhile, and a sealed message's `kid` tells which. Empty: none.
  RecipientCertificate next;
  std::int64_t next_from_ms = 0;
  std::int64_t created_ms = 0;

  [[nodiscard]] bool may(RecipientUse use) const noexcept {
    return (uses & static_cast<std::uint8_t>(use)) != 0;
  }
  // The one to seal to now.
  [[nodiscard]] const RecipientCertificate& current(std::int64_t now_ms) const noexcept {
    return !next.der.empty() && now_ms >= next_from_ms ? next : certificate;
  }
};

// The registered recipients, in memory: an image of the store's table. Thread-safe.
class RecipientDirectory {
 public:
  void load(std::vector<Recipient> recipients) {
    image_.store(std::make_shared<const std::vector<Recipient>>(std::move(recipients)));
  }
  // By name; null when there is none.
  [[nodiscard]] std::shared_ptr<const Recipient> find(std::string_view name) const {
    const auto image = image_.load();
    for (const Recipient& recipient : *image) {
      if (recipient.name == name) return {image, &recipient};
    }
    return nullptr;
  }
  [[nodiscard]] std::shared_ptr<const std::vector<Recipient>> all() const { return image_.load(); }

 private:
  base::Snapshot<std::vector<Recipient>> image_{std::make_shared<const std::vector<Recipient>>()};
};

}  // namespace cardvault::core
