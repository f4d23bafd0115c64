// The masked side of cards: list, look at, delete, freeze.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "vault/core/operation.h"

namespace cardvault::core {

// Finds a card by its public token. kInvalidToken, kTokenNotFound (absent, TTL over, or a numeric
// token given by the id behind it), kStoreFailed. Works on a Reader and on a Transaction.
[[nodiscard]] base::Result<CardRow> find_card(Reader& reader, std::string_view token,
                                              std::int64_t now_ms);

// The token that a refused request gave, as the log may name it: empty where it is no token, or
// reads as one that holds a card number.
[[nodiscard]] std::string named_token(std::string_view token);

// find_card() for a client, whose misses of numeric tokens are counted: kRateLimited, with the
// seconds to wait as Error::number, once it has guessed too often in this minute.
[[nodiscard]] base::Result<CardRow> find_card_for(Services& services, std::string_view client,
                                                  Reader& reader, std::string_view token);

// cards.search: a customer's cards, masked, at most kSearchPage at a time, by creation.
inline constexpr std::size_t kSearchPage = 100;

class SearchOperation final : public Operation {
 public:
  SearchOperation(Services& services, Authorized<CardsSearch> request)
      : Operation(services), request_in_(std::move(request)) {}
  void prepare(Reader& reader) override;
  [[nodiscard]] bool has_effect() const override { return false; }
  [[nodiscard]] base::Result<void> apply(Transaction& tx, EventSink& events) override;

 private:
  [[nodiscard]] base::Result<void> find(Reader& reader);
  [[nodiscard]] Answer take_answer() override;
  Authorized<CardsSearch> request_in_;
  SearchAnswer answer_;
  std::optional<Failure> failure_;
  std::string customer_;
};

// token.get
class TokenGetOperation final : public Operation {
 public:
  TokenGetOperation(Services& services, Authorized<TokenGet> request)
      : Operation(services), request_in_(std::move(request)) {}
  void prepare(Reader& reader) override;
  [[nodiscard]] bool has_effect() const override { return false; }
  [[nodiscard]] base::Result<void> apply(Transaction& tx, EventSink& events) override;

 private:
  [[nodiscard]] Answer take_answer() override;
  Authorized<TokenGet> request_in_;
  std::optional<base::Result<CardRow>> row_;
};

// Deletes a card whose TTL has ended, with its event "token.expire": nobody's act, so the system's.
// Errors of delete_card().
[[nodiscard]] base::Result<void> expire_card(Transaction& tx, const CardRow& row,
                                             std::int64_t now_ms, EventSink& events);

// One change of one card, by a client or an operator: event and effect, without a request around
// it.
enum class CardChange : std::uint8_t { kDelete, kFreeze, kUnfreeze };
[[nodiscard]] std::string_view card_change_name(CardChange change) noexcept;  // "token.delete"
// Fills event's resource, customer, fingerprint and outcome. kTokenNotFound, kInvalidToken,
// kStoreFailed.
[[nodiscard]] base::Result<void> change_card(Transaction& tx, std::string_view token,
                                             CardChange change, std::int64_t now_ms, Event& event);

// token.delete, token.freeze, token.unfreeze: decided in apply(), no HSM needed.
class CardChangeOperation final : public Operation {
 public:
  CardChangeOperation(Services& services, const Principal& principal, std::string token,
                      CardChange change)
      : Operation(services), principal_(principal), token_(std::move(token)), change_(change) {}
  // The two requests that the policy authorizes.
  static std::unique_ptr<CardChangeOperation> make(Services& services,
                                                   const Authorized<TokenDelete>& request);
  static std::unique_ptr<CardChangeOperation> make(Services& services,
                                                   const Authorized<TokenFreeze>& request);
  void prepare(Reader& /*reader*/) override {}
  [[nodiscard]] bool has_effect() const override { return true; }
  [[nodiscard]] base::Result<void> apply(Transaction& tx, EventSink& events) override;

 private:
  [[nodiscard]] Answer take_answer() override;
  Principal principal_;
  std::string token_;
  CardChange change_;
  std::optional<Failure> failure_;
};

}  // namespace cardvault::core
