// open_custodian_key(), and the smartcard behind it.
#include "hsm/signing_card.h"
#include "provisioning/custody/key_file.h"

namespace cardvault::custody {
namespace {

class CardKey final : public CustodianKey {
 public:
  explicit CardKey(std::unique_ptr<hsm::SigningCard> card) : card_(std::move(card)) {}
  [[nodiscard]] const core::SigningPublicKey& public_key() const override {
    return card_->public_key();
  }
  [[nodiscard]] base::Result<Signature> sign(std::string_view message) override {
    return card_->sign(base::as_bytes(message));
  }
  [[nodiscard]] base::Result<base::SecretBuffer> open(std::string_view /*sealed*/) override {
    return base::fail(base::Code::kNotAllowed, "a card signs only");
  }

 private:
  std::unique_ptr<hsm::SigningCard> card_;
};

}  // namespace

bool is_card(std::string_view place) noexcept { return place.starts_with("pkcs11:"); }

base::Result<std::unique_ptr<CustodianKey>> open_custodian_key(const std::string& place,
                                                               const base::SecretText& passphrase) {
  if (!is_card(place)) return open_key_file(place, passphrase);
  auto card = hsm::SigningCard::open(place, passphrase);
  if (!card) return std::unexpected(card.error());
  return std::make_unique<CardKey>(std::move(*card));
}

}  // namespace cardvault::custody
