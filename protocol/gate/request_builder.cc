#include "protocol/gate/request_builder.h"

#include <algorithm>
#include <limits>

#include "protocol/wire/codec.h"
#include "vault/base/ascii.h"

namespace cardvault::gate {
namespace {

using base::Code;

constexpr std::int64_t kMaxTtl = 315'360'000;               // ten years
constexpr std::int64_t kMaxAmount = 1'000'000'000'000'000;  // minor units
constexpr std::size_t kMaxSecret = 256;                     // bytes

core::Request empty_request(Operation operation) {
  switch (operation) {
    case Operation::kTokenize:
      return core::Tokenize{};
    case Operation::kDetokenize:
      return core::Detokenize{};
    case Operation::kOtpSeal:
      return core::OtpSeal{};
    case Operation::kOtpVerify:
      return core::OtpVerify{};
    case Operation::kOtpCancel:
      return core::OtpCancel{};
    case Operation::kSecretEnroll:
      return core::SecretEnroll{};
    case Operation::kSecretVerify:
      return core::SecretVerify{};
    case Operation::kSecretChange:
      return core::SecretChange{};
    case Operation::kSecretRemove:
      return core::SecretRemove{};
    default:
      return core::CardsSearch{};
  }
}

// The newest item, or the request itself.
template <class T>
auto& newest(T& request) {
  if constexpr (requires { request.items; }) {
    return request.items.back();
  } else {
    return request;
  }
}

bool is_code(std::string_view text) noexcept {
  return text.size() >= 6 && text.size() <= 10 && std::ranges::all_of(text, base::is_digit);
}

// Core takes an empty text for none.
template <class Text>
bool set_filled(Text& to, std::string_view value) {
  to = Text(value);
  return !value.empty();
}

template <class T>
bool set_kind(T& to, std::string_view value) {
  for (const auto kind : {core::SecretKind::kPassword, core::SecretKind::kQuickCode}) {
    if (value != core::secret_kind_name(kind)) continue;
    to.kind = kind;
    return true;
  }
  return false;
}

// An item has the members of its operation's fields, and is given no others.
template <class T>
bool set_text(T& to, Field field, std::string_view value) {
  if constexpr (requires { to.pan; }) {
    if (field == Field::kPan) {
      to.pan = base::SecretText(value);
      return true;
    }
    if (field == Field::kExpiry) return set_filled(to.expiry, value);
    if (field == Field::kFormat) {
      to.format = value == "numeric" ? core::TokenFormat::kNumeric : core::TokenFormat::kOpaque;
      return value == "opaque" || value == "numeric";
    }
  }
  if constexpr (requires { to.customer; }) {
    if (field == Field::kCustomer) return set_filled(to.customer, value);
  }
  if constexpr (requires { to.after; }) {
    if (field == Field::kAfter) return to.after = value, true;
  }
  if constexpr (requires { to.token; }) {
    if (field == Field::kToken) return to.token = value, true;
  }
  if constexpr (requires { to.purpose; }) {
    if (field == Field::kPurpose) return to.purpose = value, true;
  }
  if constexpr (requires { to.recipient; }) {
    if (field == Field::kRecipient) return set_filled(to.recipient, value);
  }
  if constexpr (requires { to.subject; }) {
    if (field == Field::kSubject) return set_filled(to.subject, value);
  }
  if constexpr (requires { to.kind; }) {
    if (field == Field::kKind) return set_kind(to, value);
  }
  if constexpr (requires {
                  to.code;
                  to.subject;
                }) {  // a Refused has another kind of code
    if (field == Field::kCode) {
      to.code = base::SecretText(value);
      return is_code(value);
    }
  }
  if constexpr (requires { to.secret; }) {
    if (field == Field::kSecret) return set_filled(to.secret, value) && value.size() <= kMaxSecret;
  }
  return false;
}

// Of a seal: one of the two, "clear":false being none.
std::optional<Code> contradiction(const core::OtpSeal& seal) {
  if (seal.clear && !seal.recipient.empty()) return Code::kInvalidField;
  if (!seal.clear && seal.recipient.empty()) return Code::kMissingField;
  return std::nullopt;
}

std::optional<Code> contradiction(const core::DetokenizeItem& item) {
  const bool wrong = item.recipient.empty() ? item.context.has_value() : item.mask;
  return wrong ? std::optional(Code::kInvalidField) : std::nullopt;
}

}  // namespace

RequestBuilder::RequestBuilder(Operation operation) : request_(empty_request(operation)) {}

std::size_t RequestBuilder::items() const {
  return std::visit(
      [](const auto& request) -> std::size_t {
        if constexpr (requires { request.items; }) {
          return request.items.size();
        } else {
          return 1;
        }
      },
      request_);
}

void RequestBuilder::add_item() {
  if (auto* tokenize = std::get_if<core::Tokenize>(&request_)) tokenize->items.emplace_back();
  if (auto* detokenize = std::get_if<core::Detokenize>(&request_)) detokenize->items.emplace_back();
}

void RequestBuilder::drop_items() {
  if (auto* tokenize = std::get_if<core::Tokenize>(&request_)) tokenize->items.clear();
  if (auto* detokenize = std::get_if<core::Detokenize>(&request_)) detokenize->items.clear();
}

std::optional<Code> RequestBuilder::end_item() {
  if (const auto* seal = std::get_if<core::OtpSeal>(&request_)) return contradiction(*seal);
  const auto* detokenize = std::get_if<core::Detokenize>(&request_);
  if (detokenize == nullptr) return std::nullopt;
  const core::DetokenizeItem& item = detokenize->items.back();
  if (!item.recipient.empty() && ++sealed_ > wire::kMaxSealedBatch) return Code::kBatchSize;
  return contradiction(item);
}

void RequestBuilder::begin_context() {
  std::visit(
      [this](auto& request) {
        if constexpr (requires { newest(request).context; }) {
          context_ = &newest(request).context.emplace();
        }
      },
      request_);
}

bool RequestBuilder::text(Field field, std::string_view value) {
  if (field == Field::kCurrency) return context_->currency = value, true;
  if (field == Field::kPayee) return context_->payee = value, true;
  if (items() == 0) return false;  // a text for the list of items
  return std::visit([&](auto& request) { return set_text(newest(request), field, value); },
                    request_);
}

bool RequestBuilder::number(Field field, std::optional<std::int64_t> value) {
  if (field == Field::kAmount) {
    const bool good = value && *value >= 1 && *value <= kMaxAmount;
    context_->amount = good ? static_cast<std::uint64_t>(*value) : 0;
    return value.has_value();
  }
  if (field == Field::kDigits) {
    if (!value || *value < 6 || *value > 10) return false;
    std::get<core::OtpSeal>(request_).digits = static_cast<std::uint8_t>(*value);
    return true;
  }
  if (field != Field::kTtl) return false;
  const bool good = value && *value >= 1 && *value <= kMaxTtl;
  const std::uint32_t ttl_s =
      good ? static_cast<std::uint32_t>(*value) : std::numeric_limits<std::uint32_t>::max();
  std::visit(
      [&](auto& request) {
        if constexpr (requires { newest(request).ttl_s; }) newest(request).ttl_s = ttl_s;
      },
      request_);
  return true;
}

void RequestBuilder::flag(Field field, bool value) {
  if (field == Field::kMask) std::get<core::Detokenize>(request_).items.back().mask = value;
  if (field == Field::kClear) std::get<core::OtpSeal>(request_).clear = value;
}

bool RequestBuilder::metadata_key(std::string_view key) {
  core::Metadata& metadata = std::get<core::Tokenize>(request_).items.back().metadata;
  const bool there = std::ranges::any_of(metadata, [&](const auto& e) { return e.first == key; });
  // One more than is allowed is enough for the vault to refuse the item.
  if (metadata.size() <= core::kMaxMetadataEntries) metadata.emplace_back(key, "");
  return !there;
}

void RequestBuilder::metadata_value(std::string_view value) {
  std::get<core::Tokenize>(request_).items.back().metadata.back().second = value;
}

core::Request RequestBuilder::take(bool batch) {
  if (auto* tokenize = std::get_if<core::Tokenize>(&request_)) tokenize->batch = batch;
  if (auto* detokenize = std::get_if<core::Detokenize>(&request_)) detokenize->batch = batch;
  return std::move(request_);
}

}  // namespace cardvault::gate
