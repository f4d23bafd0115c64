#include "vault/core/request.h"

namespace cardvault::core {
namespace {

struct OperationName {
  std::string_view operator()(const Tokenize&) const { return "tokenize"; }
  std::string_view operator()(const Detokenize&) const { return "detokenize"; }
  std::string_view operator()(const CardsSearch&) const { return "cards.search"; }
  std::string_view operator()(const TokenGet&) const { return "token.get"; }
  std::string_view operator()(const TokenDelete&) const { return "token.delete"; }
  std::string_view operator()(const TokenFreeze& request) const {
    return request.frozen ? "token.freeze" : "token.unfreeze";
  }
  std::string_view operator()(const Whoami&) const { return "whoami"; }
  std::string_view operator()(const MetricsRead&) const { return "metrics"; }
  std::string_view operator()(const ReadyCheck&) const { return "ready"; }
  // Not the name that the gate claims: these names label metrics, and must stay few.
  std::string_view operator()(const Refused&) const { return "refused"; }
  std::string_view operator()(const Flood&) const { return "flood"; }
  std::string_view operator()(const OtpSeal&) const { return "otp.seal"; }
  std::string_view operator()(const OtpVerify&) const { return "otp.verify"; }
  std::string_view operator()(const OtpCancel&) const { return "otp.cancel"; }
  std::string_view operator()(const SecretEnroll&) const { return "secret.enroll"; }
  std::string_view operator()(const SecretVerify&) const { return "secret.verify"; }
  std::string_view operator()(const SecretChange&) const { return "secret.change"; }
  std::string_view operator()(const SecretRemove&) const { return "secret.remove"; }
  std::string_view operator()(const JwksRead&) const { return "jwks"; }
  std::string_view operator()(const AuditRead&) const { return "audit.read"; }
};

}  // namespace

std::string_view operation_name(const Request& request) noexcept {
  return std::visit(OperationName{}, request);
}

std::string_view secret_kind_name(SecretKind kind) noexcept {
  return kind == SecretKind::kPassword ? "password" : "quick_code";
}

}  // namespace cardvault::core
