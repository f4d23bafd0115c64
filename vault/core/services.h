// What operations work with: ports and shared state, wired once by the daemon (or a test).
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <set>
#include <string>

#include "vault/base/clock.h"
#include "vault/base/snapshot.h"
#include "vault/core/bin_table.h"
#include "vault/core/crypto.h"
#include "vault/core/customer_cache.h"
#include "vault/core/idempotency_guard.h"
#include "vault/core/invocations.h"
#include "vault/core/key_versions.h"
#include "vault/core/miss_guard.h"
#include "vault/core/password_hash.h"
#include "vault/core/policy.h"
#include "vault/core/reading_sessions.h"
#include "vault/core/recipient.h"
#include "vault/core/request.h"
#include "vault/core/reveal_budget.h"
#include "vault/core/sealer.h"
#include "vault/core/secret_decoy.h"
#include "vault/core/settings.h"

namespace cardvault::core {

// Bytes of requests and answers, as the wire has them; injected, for core doesn't know the wire.
struct ValueCodec {
  std::function<base::SecretBuffer(const Tokenize&)> tokenize_bytes;
  std::function<base::SecretBuffer(const OtpSeal&)> otp_seal_bytes;
  std::function<std::vector<std::uint8_t>(const Answer&)> answer_bytes;
  std::function<base::Result<Answer>(std::span<const std::uint8_t>)> read_answer;
};

// Thread-safe as a whole; settings and BIN table are replaced as shared immutable snapshots.
struct Services {
  Crypto& crypto;
  const base::Clock& clock;
  ClientDirectory& clients;
  RevealBudget& reveals;
  InvocationMeter& invocations;
  ActiveKeys& keys;
  IdempotencyGuard& idempotency;
  MissGuard& misses;
  CustomerCache& customers;
  Sealer& sealer;
  PasswordHash& passwords;
  RecipientDirectory& recipients;
  ValueCodec codec;
  std::function<std::string()> metrics_text;
  // Told of alarms whose events are durable, by name. On the committer thread.
  std::function<void(std::string_view)> alarm_raised = [](std::string_view) {};

  base::Snapshot<Settings> settings{std::make_shared<const Settings>()};
  // Reads the published log, at most kMaxAuditPiece of a file. kPathNotFound: no log has such a
  // file; kNotFound: this one hasn't; kInvalidArgument: it ends before the offset; kStoreFailed.
  // Any thread; may wait for the disk.
  std::function<base::Result<AuditPiece>(const AuditRead&)> read_log = [](const AuditRead&) {
    return base::Result<AuditPiece>(base::fail(base::Code::kNotFound, "read log"));
  };
  ReadingSessions readings = {};
  // Planted tokens: revealing one freezes the caller.
  base::Snapshot<std::set<TokenId>> canaries{std::make_shared<const std::set<TokenId>>()};
  SecretDecoy decoy = {};
  base::Snapshot<BinTable> bins{std::make_shared<const BinTable>()};
};

}  // namespace cardvault::core
