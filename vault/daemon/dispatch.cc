#include "vault/daemon/dispatch.h"

#include <utility>

#include "vault/core/audit_read.h"
#include "vault/core/cards.h"
#include "vault/core/detokenize.h"
#include "vault/core/inquiry.h"
#include "vault/core/otp_cancel.h"
#include "vault/core/otp_seal.h"
#include "vault/core/otp_verify.h"
#include "vault/core/secret_put.h"
#include "vault/core/secret_remove.h"
#include "vault/core/secret_verify.h"
#include "vault/core/tokenize.h"

namespace cardvault::daemon {

using core::Authorized;
using Made = MakeOperation::Made;

Made MakeOperation::operator()(Authorized<core::Tokenize> request) const {
  return std::make_unique<core::TokenizeOperation>(services_, std::move(request));
}
Made MakeOperation::operator()(Authorized<core::Detokenize> request) const {
  return std::make_unique<core::DetokenizeOperation>(services_, std::move(request));
}
Made MakeOperation::operator()(Authorized<core::CardsSearch> request) const {
  return std::make_unique<core::SearchOperation>(services_, std::move(request));
}
Made MakeOperation::operator()(Authorized<core::TokenGet> request) const {
  return std::make_unique<core::TokenGetOperation>(services_, std::move(request));
}
Made MakeOperation::operator()(Authorized<core::TokenDelete> request) const {
  return core::CardChangeOperation::make(services_, request);
}
Made MakeOperation::operator()(Authorized<core::TokenFreeze> request) const {
  return core::CardChangeOperation::make(services_, request);
}
Made MakeOperation::operator()(Authorized<core::OtpSeal> request) const {
  return std::make_unique<core::OtpSealOperation>(services_, std::move(request));
}
Made MakeOperation::operator()(Authorized<core::OtpVerify> request) const {
  return std::make_unique<core::OtpVerifyOperation>(services_, std::move(request));
}
Made MakeOperation::operator()(Authorized<core::OtpCancel> request) const {
  return std::make_unique<core::OtpCancelOperation>(services_, std::move(request));
}
Made MakeOperation::operator()(Authorized<core::SecretEnroll> request) const {
  return std::make_unique<core::SecretPutOperation<core::SecretEnroll>>(services_,
                                                                        std::move(request));
}
Made MakeOperation::operator()(Authorized<core::SecretVerify> request) const {
  return std::make_unique<core::SecretVerifyOperation>(services_, std::move(request));
}
Made MakeOperation::operator()(Authorized<core::SecretChange> request) const {
  return std::make_unique<core::SecretPutOperation<core::SecretChange>>(services_,
                                                                        std::move(request));
}
Made MakeOperation::operator()(Authorized<core::SecretRemove> request) const {
  return std::make_unique<core::SecretRemoveOperation>(services_, std::move(request));
}
Made MakeOperation::operator()(Authorized<core::Whoami> request) const {
  return std::make_unique<core::WhoamiOperation>(services_, std::move(request));
}
Made MakeOperation::operator()(Authorized<core::JwksRead> request) const {
  return std::make_unique<core::JwksOperation>(services_, std::move(request));
}
Made MakeOperation::operator()(Authorized<core::MetricsRead> request) const {
  return std::make_unique<core::MetricsOperation>(services_, std::move(request));
}
Made MakeOperation::operator()(Authorized<core::AuditRead> request) const {
  return std::make_unique<core::AuditReadOperation>(services_, std::move(request));
}

}  // namespace cardvault::daemon
