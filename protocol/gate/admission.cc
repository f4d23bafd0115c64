#include "protocol/gate/admission.h"

#include <unistd.h>

#include <utility>

#include "vault/base/check.h"

namespace cardvault::gate {

bool SourceCount::enter(const std::string& source, std::uint32_t limit) {
  const std::scoped_lock lock(mutex_);
  std::uint32_t& count = counts_[source];
  if (limit != 0 && count >= limit) return false;
  ++count;
  return true;
}

void SourceCount::leave(const std::string& source) {
  const std::scoped_lock lock(mutex_);
  const auto found = counts_.find(source);
  CARDVAULT_CHECK(found != counts_.end());
  if (--found->second == 0) counts_.erase(found);
}

Admission::Admission(Shared& shared, int fd, Listener listener, std::string source) noexcept
    : shared_(&shared), fd_(fd), listener_(listener), source_(std::move(source)) {}

Admission::Admission(Admission&& other) noexcept
    : shared_(other.shared_),
      fd_(std::exchange(other.fd_, -1)),
      listener_(other.listener_),
      source_(std::move(other.source_)),
      entered_(std::exchange(other.entered_, false)) {}

Admission::~Admission() {
  if (fd_ >= 0) ::close(fd_);
  if (!entered_) return;
  shared_->connections.fetch_sub(1);
  if (listener_ == Listener::kTls) shared_->sources.leave(source_);
}

std::optional<StrangerReason> Admission::enter(const Limits& limits) {
  if (listener_ == Listener::kTls) {
    if (shared_->connections >= limits.max_connections) return StrangerReason::kConnectionLimit;
    if (!shared_->sources.enter(source_, limits.max_connections_per_source)) {
      return StrangerReason::kSourceLimit;
    }
  }
  shared_->connections.fetch_add(1);
  entered_ = true;
  return std::nullopt;
}

}  // namespace cardvault::gate
