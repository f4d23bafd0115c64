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
};

}  // namespace

std::string_view operation_name(const Request& request) noexcept {
  return std::visit(OperationName{}, request);
}

}  // namespace cardvault::core
