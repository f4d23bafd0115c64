// What the audit log says about one happening, and the proof that it is durable.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "vault/base/result.h"

namespace cardvault::core {

// One event: the PCI DSS 10.2.2 fields. Encoded by vault/audit; never holds a PAN, a code, free
// text of a request, or an unkeyed hash of one. Empty fields are left out of the encoding.
struct Event {
  std::int64_t time_ms = 0;    // when, vault time
  std::string actor;           // who: "client:web", "operator:uid=1000", "gate:web", "system"
  std::string operation;       // what: "tokenize", "client.add", "start", …
  std::string outcome = "ok";  // "ok" or a code name
  std::string source;          // where from: peer address
  std::string gate;            // through which gate; "admin" for the tool
  std::string resource;        // which: token, client id, key label
  std::uint64_t request = 0;   // groups the items of one request
  std::string purpose;         // of a reveal
  std::string fingerprint;  // "1:" and 32 hex digits: index-key version and keyed PAN fingerprint
  std::string customer;     // internal customer id, 32 hex digits
  std::uint32_t key_version = 0;
  std::vector<std::pair<std::string, std::string>> details;  // literals, numbers and ids
};

// Proof that an operation's events are durable. Only the store makes one (class ReceiptIssuer is
// defined by vault/store alone; the layering test holds that), and a Response needs one.
class Receipt {
 public:
  [[nodiscard]] std::uint64_t seq() const noexcept { return seq_; }  // of the first event

 private:
  friend class ReceiptIssuer;
  explicit Receipt(std::uint64_t seq) : seq_(seq) {}
  std::uint64_t seq_;
};

}  // namespace cardvault::core
