#include "vault/core/identity.h"

#include <algorithm>

#include "vault/core/pan.h"

namespace cardvault::core {
namespace {

struct PermissionName {
  Permission permission;
  std::string_view name;
};

constexpr std::array kPermissionNames = {
    PermissionName{Permission::kTokenize, "tokenize"},
    PermissionName{Permission::kTokenizeAnonymous, "tokenize.anonymous"},
    PermissionName{Permission::kCardsRead, "cards.read"},
    PermissionName{Permission::kCardsManage, "cards.manage"},
    PermissionName{Permission::kDetokenize, "detokenize"},
    PermissionName{Permission::kDetokenizeSealed, "detokenize.sealed"},
    PermissionName{Permission::kOtpSeal, "otp.seal"},
    PermissionName{Permission::kOtpVerify, "otp.verify"},
    PermissionName{Permission::kOtpClear, "otp.clear"},
    PermissionName{Permission::kAuditRead, "audit.read"},
    PermissionName{Permission::kMetricsRead, "metrics.read"},
    PermissionName{Permission::kSecretsManage, "secrets.manage"},
    PermissionName{Permission::kSecretsVerify, "secrets.verify"},
};

constexpr std::size_t kMaxClientId = 63;

bool lower_or_digit(char c) noexcept { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

}  // namespace

base::Result<Permissions> Permissions::parse(const std::vector<std::string>& names) {
  Permissions out;
  for (const std::string& name : names) {
    const auto* found = std::ranges::find(kPermissionNames, name, &PermissionName::name);
    if (found == kPermissionNames.end()) {
      return base::fail(base::Code::kInvalidArgument, "Permissions::parse");
    }
    out.bits |= static_cast<std::uint32_t>(found->permission);
  }
  return out;
}

std::vector<std::string> Permissions::names() const {
  std::vector<std::string> out;
  for (const PermissionName& entry : kPermissionNames) {
    if (has(entry.permission)) out.emplace_back(entry.name);
  }
  return out;
}

bool valid_client_id(std::string_view id) noexcept {
  return !id.empty() && id.size() <= kMaxClientId && lower_or_digit(id.front()) &&
         std::ranges::all_of(
             id, [](char c) { return lower_or_digit(c) || c == '.' || c == '_' || c == '-'; }) &&
         !contains_pan(id);  // names go into the log in the clear
}

}  // namespace cardvault::core
