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

base::Result<CustomerRow> find_or_make_customer(Services& services, Reader& reader,
                                                std::string_view identifier, const Fingerprint& fp,
                                                LookUp look) {
  CustomerRow customer;
  customer.name_fp = fp;
  if (look == LookUp::kCacheFirst) {
    if (const auto cached = services.customers.find(fp)) {
      customer.row = cached->row;
      customer.id = cached->id;
      return customer;
    }
  }
  auto row = reader.customer(fp);
  if (!row) return std::unexpected(row.error());
  if (*row) return std::move(**row);
  customer.name_fp_version = services.keys.get(KeyPurpose::kIdIndex).version;
  if (auto ok = services.crypto.random(customer.id); !ok) return std::unexpected(ok.error());
  if (auto ok = seal_name(services, identifier, customer); !ok) return std::unexpected(ok.error());
  return customer;
}

base::Result<CustomerRow> current_customer(Transaction& tx, const CustomerRow& prepared) {
  auto row = tx.customer(prepared.name_fp);
  if (!row) return std::unexpected(row.error());
  if (*row ? (*row)->id != prepared.id : prepared.row != 0) {
    return base::fail(Code::kConflict, "subject.current");
  }
  return *row ? std::move(**row) : prepared;
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
