#include "protocol/gate/routes.h"

#include <array>

namespace cardvault::gate {
namespace {

using base::Code;
using base::fail;

struct Entry {
  Listener listener;
  std::string_view path;  // "*" stands for a token, "+" for a file of the log
  std::string_view method;
  Operation operation;
  bool takes_body;
  std::string_view allow;
};

constexpr std::string_view kTokens = "/v1/tokens/";
constexpr std::string_view kAudit = "/v1/audit/";

constexpr std::array kEntries = {
    Entry{Listener::kTls, "/v1/tokenize", "POST", Operation::kTokenize, true, "POST"},
    Entry{Listener::kTls, "/v1/detokenize", "POST", Operation::kDetokenize, true, "POST"},
    Entry{Listener::kTls, "/v1/cards/search", "POST", Operation::kCardsSearch, true, "POST"},
    Entry{Listener::kTls, "*", "GET", Operation::kTokenGet, false, "GET, DELETE"},
    Entry{Listener::kTls, "*", "DELETE", Operation::kTokenDelete, false, "GET, DELETE"},
    Entry{Listener::kTls, "*/freeze", "POST", Operation::kTokenFreeze, false, "POST"},
    Entry{Listener::kTls, "*/unfreeze", "POST", Operation::kTokenUnfreeze, false, "POST"},
    Entry{Listener::kTls, "/v1/otp/seal", "POST", Operation::kOtpSeal, true, "POST"},
    Entry{Listener::kTls, "/v1/otp/verify", "POST", Operation::kOtpVerify, true, "POST"},
    Entry{Listener::kTls, "/v1/otp/cancel", "POST", Operation::kOtpCancel, true, "POST"},
    Entry{Listener::kTls, "/v1/secrets/enroll", "POST", Operation::kSecretEnroll, true, "POST"},
    Entry{Listener::kTls, "/v1/secrets/verify", "POST", Operation::kSecretVerify, true, "POST"},
    Entry{Listener::kTls, "/v1/secrets/change", "POST", Operation::kSecretChange, true, "POST"},
    Entry{Listener::kTls, "/v1/secrets/remove", "POST", Operation::kSecretRemove, true, "POST"},
    Entry{Listener::kTls, "/v1/whoami", "GET", Operation::kWhoami, false, "GET"},
    Entry{Listener::kTls, "/v1/jwks", "GET", Operation::kJwks, false, "GET"},
    Entry{Listener::kTls, "+", "GET", Operation::kAuditRead, false, "GET"},
    Entry{Listener::kTls, "/metrics", "GET", Operation::kMetrics, false, "GET"},
    Entry{Listener::kTls, "/healthz", "GET", Operation::kHealth, false, "GET"},
    Entry{Listener::kHealth, "/metrics", "GET", Operation::kMetrics, false, "GET"},
    Entry{Listener::kHealth, "/healthz", "GET", Operation::kHealth, false, "GET"},
    Entry{Listener::kHealth, "/readyz", "GET", Operation::kReady, false, "GET"},
};

// A path with its token, if it has one, replaced by "*", or with a file of the log by "+".
struct Shape {
  std::string_view token;
  std::string_view rest;  // behind the token
  std::string_view file;
  bool matches(std::string_view target, std::string_view path) const noexcept {
    if (path == "+") return !file.empty();
    if (!path.starts_with('*')) return target == path;
    return !token.empty() && rest == path.substr(1);
  }
};

Shape shape_of(std::string_view target) noexcept {
  if (target.starts_with(kAudit)) return {"", "", target.substr(kAudit.size())};
  if (!target.starts_with(kTokens)) return {};
  const std::string_view tail = target.substr(kTokens.size());
  const std::size_t slash = tail.find('/');
  if (slash == std::string_view::npos) return {tail, "", ""};
  return {tail.substr(0, slash), tail.substr(slash), ""};
}

}  // namespace

std::string_view operation_label(Operation operation) noexcept {
  switch (operation) {
    case Operation::kUnknown:
      return "http";
    case Operation::kTokenize:
      return "tokenize";
    case Operation::kDetokenize:
      return "detokenize";
    case Operation::kCardsSearch:
      return "cards.search";
    case Operation::kTokenGet:
      return "token.get";
    case Operation::kTokenDelete:
      return "token.delete";
    case Operation::kTokenFreeze:
      return "token.freeze";
    case Operation::kTokenUnfreeze:
      return "token.unfreeze";
    case Operation::kOtpSeal:
      return "otp.seal";
    case Operation::kOtpVerify:
      return "otp.verify";
    case Operation::kOtpCancel:
      return "otp.cancel";
    case Operation::kSecretEnroll:
      return "secret.enroll";
    case Operation::kSecretVerify:
      return "secret.verify";
    case Operation::kSecretChange:
      return "secret.change";
    case Operation::kSecretRemove:
      return "secret.remove";
    case Operation::kWhoami:
      return "whoami";
    case Operation::kJwks:
      return "jwks";
    case Operation::kMetrics:
      return "metrics";
    case Operation::kHealth:
      return "health";
    case Operation::kReady:
      return "ready";
    case Operation::kAuditRead:
      return "audit.read";
  }
  return "http";
}

base::Result<void> find_route(Listener listener, std::string_view method, std::string_view target,
                              Route& route) noexcept {
  route = {};
  if (target.find_first_of("?%") != target.npos) return fail(Code::kPathNotFound, "route query");
  const Shape shape = shape_of(target);
  for (const Entry& entry : kEntries) {
    if (entry.listener != listener || !shape.matches(target, entry.path)) continue;
    route.allow = entry.allow;
    if (entry.method != method) continue;
    route.operation = entry.operation;
    route.token = shape.token;
    route.file = shape.file;
    route.takes_body = entry.takes_body;
    return {};
  }
  return fail(route.allow.empty() ? Code::kPathNotFound : Code::kMethodNotAllowed, "route");
}

}  // namespace cardvault::gate
