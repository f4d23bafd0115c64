#include "vault/core/subject.h"

#include "vault/core/attempt_guard.h"
#include "vault/core/card_check.h"
#include "vault/core/record.h"

namespace cardvault::core {

using base::Code;

base::Result<void> check_subject(std::string_view subject) {
  auto ok = check_customer(subject);
  if (!ok && ok.error().code == Code::kInvalidCustomer) {
    return base::fail(Code::kInvalidSubject, "subject.check");
  }
  return ok;
}

namespace {

// From here on the row goes by the active fingerprint, under whichever it stands.
void name_by(CustomerRow& customer, const IndexFingerprints& name) {
  customer.name_fp = name.active;
  customer.name_fp_version = name.version;
  customer.earlier_name_fps.clear();
  for (const auto& earlier : name.earlier) customer.earlier_name_fps.push_back(earlier.fp);
}

std::optional<CustomerCache::Known> find_cached(Services& services, const IndexFingerprints& name) {
  auto known = services.customers.find(name.active);
  for (const auto& earlier : name.earlier) {
    if (!known) known = services.customers.find(earlier.fp);
  }
  return known;
}

}  // namespace

base::Result<CustomerRow> find_customer(Reader& reader, const IndexFingerprints& name) {
  auto row = customer_by_name(reader, name);
  if (!row) return std::unexpected(row.error());
  CustomerRow customer = *row ? std::move(**row) : CustomerRow{};
  name_by(customer, name);
  return customer;
}

base::Result<CustomerRow> find_or_make_customer(Services& services, Reader& reader,
                                                std::string_view identifier,
                                                const IndexFingerprints& name, LookUp look) {
  if (look == LookUp::kCacheFirst) {
    if (const auto cached = find_cached(services, name)) {
      CustomerRow customer;
      name_by(customer, name);
      customer.row = cached->row;
      customer.id = cached->id;
      return customer;
    }
  }
  auto customer = find_customer(reader, name);
  if (!customer || customer->row != 0) return customer;
  if (auto ok = services.crypto.random(customer->id); !ok) return std::unexpected(ok.error());
  if (auto ok = seal_name(services, identifier, *customer); !ok) return std::unexpected(ok.error());
  return customer;
}

base::Result<CustomerRow> current_customer(Transaction& tx, const CustomerRow& prepared) {
  auto row = tx.customer(prepared.name_fp);
  for (const Fingerprint& earlier : prepared.earlier_name_fps) {
    if (!row || *row) break;
    row = tx.customer(earlier);
  }
  if (!row) return std::unexpected(row.error());
  if (*row ? (*row)->id != prepared.id : prepared.row != 0) {
    return base::fail(Code::kConflict, "subject.current");
  }
  if (!*row) return prepared;
  (*row)->name_fp = prepared.name_fp;
  (*row)->earlier_name_fps = prepared.earlier_name_fps;
  return std::move(**row);
}

base::Result<std::int64_t> insert_customer(Transaction& tx, const CustomerRow& customer) {
  auto row = tx.insert_customer(customer);
  if (!row) return row;
  const GuardKey slot = GuardKey::slot(customer.name_fp);
  auto guards = tx.guards(slot.subject);
  if (!guards && guards.error().code == Code::kRecordDamaged) return row;  // nothing to be moved
  if (!guards) return std::unexpected(guards.error());
  if (guards->empty()) return row;
  if (auto ok = tx.delete_guards(slot.subject); !ok) return std::unexpected(ok.error());
  for (GuardRow& guard : *guards) {
    if (guard.fp == slot.fp) {
      guard.subject = *row;
      guard.fp = {};
    }
    if (auto ok = tx.put_guard(guard); !ok) return std::unexpected(ok.error());
  }
  return row;
}

}  // namespace cardvault::core
