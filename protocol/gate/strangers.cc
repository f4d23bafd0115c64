#include "protocol/gate/strangers.h"

namespace cardvault::gate {

const char* stranger_reason_name(StrangerReason reason) noexcept {
  switch (reason) {
    case StrangerReason::kTlsHandshake:
      return "tls_handshake";
    case StrangerReason::kTlsVersion:
      return "tls_version";
    case StrangerReason::kTlsNoCertificate:
      return "tls_no_certificate";
    case StrangerReason::kTlsUntrusted:
      return "tls_untrusted";
    case StrangerReason::kTlsExpired:
      return "tls_expired";
    case StrangerReason::kTlsRevoked:
      return "tls_revoked";
    case StrangerReason::kHandshakeTimeout:
      return "timeout_handshake";
    case StrangerReason::kConnectionLimit:
      return "connection_limit";
    case StrangerReason::kSourceLimit:
      return "source_limit";
  }
  return "tls_handshake";
}

void Strangers::count(std::string_view source, StrangerReason reason) {
  const std::scoped_lock lock(mutex_);
  std::pair key(std::string(source), reason);
  if (counts_.size() >= kMaxEntries && !counts_.contains(key)) key.first.assign(1, '*');
  ++counts_[std::move(key)];
}

std::vector<core::Flood> Strangers::take() {
  const std::scoped_lock lock(mutex_);
  std::vector<core::Flood> floods;
  floods.reserve(counts_.size());
  for (const auto& [key, count] : counts_) {
    floods.push_back({key.first, stranger_reason_name(key.second), count});
  }
  counts_.clear();
  return floods;
}

}  // namespace cardvault::gate
