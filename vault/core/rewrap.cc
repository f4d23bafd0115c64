#include "vault/core/rewrap.h"

#include <utility>

#include "vault/core/index_fingerprints.h"
#include "vault/core/record.h"
#include "vault/core/secret_record.h"

namespace cardvault::core {

using base::Code;

namespace {

std::string name_of(const TokenId& id) { return Token::from_store(id, 0).text(); }
std::string name_of(std::int64_t row) { return "customer " + std::to_string(row); }
std::string name_of(const SecretKey& key) {
  return "secret of customer " + std::to_string(key.subject);
}
std::string name_of(const CardRow& row) { return name_of(row.id); }
std::string name_of(const CustomerRow& row) { return name_of(row.row); }
std::string name_of(const SecretRow& row) { return name_of(SecretKey{row.subject, row.kind}); }

base::Result<bool> move(Transaction& tx, const CardRow& was, const CardRow& now) {
  return tx.move_card(was, now);
}
base::Result<bool> move(Transaction& tx, const CustomerRow& was, const CustomerRow& now) {
  return tx.move_customer(was, now);
}
base::Result<bool> move(Transaction& tx, const SecretRow& was, const SecretRow& now) {
  return tx.move_secret(was, now);
}

}  // namespace

bool is_rewrapped(KeyPurpose purpose) noexcept {
  switch (purpose) {
    case KeyPurpose::kPanEnc:
    case KeyPurpose::kPanIndex:
    case KeyPurpose::kIdIndex:
    case KeyPurpose::kIdEnc:
    case KeyPurpose::kSecretEnc:
      return true;
    case KeyPurpose::kOtpMac:
    case KeyPurpose::kSealSign:
    case KeyPurpose::kAuditSign:
    case KeyPurpose::kClientCa:
      return false;
  }
  return false;
}

base::Result<void> RewrapSlice::add(Services& services, Reader& reader, KeyPurpose purpose,
                                    const TokenId& id) {
  auto row = reader.card(id);
  if (!row) return std::unexpected(row.error());
  if (!*row) return {};  // deleted meanwhile
  CardRow now = **row;
  auto opened = open_card(services, now);
  if (!opened) return std::unexpected(opened.error());
  if (purpose == KeyPurpose::kPanEnc) {
    if (auto ok = seal_card(services, opened->pan, now); !ok) return ok;
  } else {
    const auto fps = pan_fingerprints(services, opened->pan);
    if (!fps) return std::unexpected(fps.error());
    now.fp = fps->active;
    now.fp_version = fps->version;
  }
  moves_.emplace_back(Move<CardRow>{std::move(**row), std::move(now)});
  return {};
}

base::Result<void> RewrapSlice::add(Services& services, Reader& reader, KeyPurpose purpose,
                                    std::int64_t customer) {
  auto row = reader.customer_by_row(customer);
  if (!row) return std::unexpected(row.error());
  if (!*row) return {};
  CustomerRow now = **row;
  const auto name = open_name(services, now);
  if (!name) return std::unexpected(name.error());
  const std::string_view identifier = base::as_text(*name);
  if (purpose == KeyPurpose::kIdEnc) {
    if (auto ok = seal_name(services, identifier, now); !ok) return ok;
  } else {
    const auto fps = name_fingerprints(services, identifier);
    if (!fps) return std::unexpected(fps.error());
    now.name_fp = fps->active;
    now.name_fp_version = fps->version;
  }
  moves_.emplace_back(Move<CustomerRow>{std::move(**row), std::move(now)});
  return {};
}

base::Result<void> RewrapSlice::add(Services& services, Reader& reader, KeyPurpose /*purpose*/,
                                    const SecretKey& key) {
  auto row = reader.secret(key.subject, key.kind);
  if (!row) return std::unexpected(row.error());
  auto customer = reader.customer_by_row(key.subject);
  if (!customer) return std::unexpected(customer.error());
  if (!*row || !*customer) return {};
  auto now = reseal_secret(services, **row, (*customer)->id);
  if (!now) return std::unexpected(now.error());
  moves_.emplace_back(Move<SecretRow>{std::move(**row), std::move(*now)});
  return {};
}

template <class Key>
base::Result<void> RewrapSlice::add_all(Services& services, Reader& reader, KeyPurpose purpose,
                                        const std::vector<Key>& keys) {
  found_ = keys.size();
  for (const Key& key : keys) {
    auto added = add(services, reader, purpose, key);
    if (!added && added.error().code != Code::kRecordDamaged) return added;
    if (!added) damaged_.push_back(name_of(key));
  }
  return {};
}

base::Result<RewrapSlice> RewrapSlice::prepare(Services& services, Reader& reader, KeyRef from,
                                               RewrapPosition& position, std::uint32_t limit) {
  RewrapSlice slice;
  slice.keys_ = services.keys.generation();
  RewrapPosition next = position;
  const auto fill = [&](auto keys, auto& last) -> base::Result<void> {
    if (!keys) return std::unexpected(keys.error());
    if (!keys->empty()) last = keys->back();
    return slice.add_all(services, reader, from.purpose, *keys);
  };
  base::Result<void> filled;
  switch (from.purpose) {
    case KeyPurpose::kPanEnc:
    case KeyPurpose::kPanIndex:
      filled = fill(reader.cards_under(from, position.card, limit), next.card);
      break;
    case KeyPurpose::kIdEnc:
    case KeyPurpose::kIdIndex:
      filled = fill(reader.customers_under(from, position.customer, limit), next.customer);
      break;
    case KeyPurpose::kSecretEnc:
      filled = fill(reader.secrets_under(from, position.secret, limit), next.secret);
      break;
    case KeyPurpose::kOtpMac:
    case KeyPurpose::kSealSign:
    case KeyPurpose::kAuditSign:
    case KeyPurpose::kClientCa:
      break;
  }
  if (!filled) return std::unexpected(filled.error());
  position = next;
  return slice;
}

base::Result<std::uint32_t> RewrapSlice::apply(const Services& services, Transaction& tx) {
  if (services.keys.generation() != keys_) return 0;
  std::uint32_t count = 0;
  for (const AnyMove& any : moves_) {
    const auto done = std::visit(
        [&](const auto& one) -> base::Result<void> {
          const auto moved = move(tx, one.was, one.now);
          if (moved) {
            count += *moved ? 1U : 0U;
            return {};
          }
          const Code code = moved.error().code;
          // Said to the operator; an error would fail the whole group.
          if (code != Code::kAlreadyExists && code != Code::kRecordDamaged) {
            return std::unexpected(moved.error());
          }
          damaged_.push_back(name_of(one.was));
          return {};
        },
        any);
    if (!done) return std::unexpected(done.error());
  }
  return count;
}

}  // namespace cardvault::core
