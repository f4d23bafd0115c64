#include "vault/core/reading_sessions.h"

namespace cardvault::core {

// None of the three can hold a newline.
std::string ReadingSessions::key_of(const Principal& reader) {
  return reader.id() + '\n' + reader.gate + '\n' + reader.source;
}

std::optional<Receipt> ReadingSessions::find(const Principal& reader, std::int64_t now_ms) const {
  const std::scoped_lock lock(mutex_);
  const auto at = sessions_.find(key_of(reader));
  if (at == sessions_.end() || now_ms - at->second.began_ms >= kLengthMs) return std::nullopt;
  return at->second.receipt;
}

void ReadingSessions::begin(const Principal& reader, std::int64_t now_ms, const Receipt& receipt) {
  const std::scoped_lock lock(mutex_);
  if (sessions_.size() >= kMost) {
    std::erase_if(sessions_,
                  [&](const auto& entry) { return now_ms - entry.second.began_ms >= kLengthMs; });
  }
  const std::string key = key_of(reader);
  if (sessions_.size() >= kMost && !sessions_.contains(key)) return;
  sessions_.insert_or_assign(key, Session{now_ms, receipt});
}

}  // namespace cardvault::core
