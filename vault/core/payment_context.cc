#include "vault/core/payment_context.h"

#include <algorithm>

#include "vault/base/secret.h"
#include "vault/core/byte_form.h"
#include "vault/core/pan.h"
#include "vault/core/utf8.h"

namespace cardvault::core {

base::Result<void> check_context(const PaymentContext& context) {
  const bool currency =
      context.currency.size() == 3 &&
      std::ranges::all_of(context.currency, [](char c) { return c >= 'A' && c <= 'Z'; });
  if (context.amount == 0 || context.amount > kMaxAmount || !currency || context.payee.empty() ||
      context.payee.size() > kMaxPayeeBytes || !printable_utf8(context.payee)) {
    return base::fail(base::Code::kInvalidContext, "payment_context.check");
  }
  if (contains_pan(context.payee)) {
    return base::fail(base::Code::kPanInField, "payment_context.check");
  }
  return {};
}

std::vector<std::uint8_t> canonical_context(const std::optional<PaymentContext>& context) {
  ByteWriter out;
  out.number(static_cast<std::uint8_t>(context ? 1 : 0));
  if (context) {
    out.number(context->amount);
    out.raw(base::as_bytes(context->currency));
    out.number(static_cast<std::uint16_t>(context->payee.size()));
    out.raw(base::as_bytes(context->payee));
  }
  return std::move(out).take();
}

}  // namespace cardvault::core
