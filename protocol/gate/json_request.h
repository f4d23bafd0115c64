// Bodies of requests: strict JSON, read straight into a core::Request.
#pragma once

#include <string>
#include <string_view>

#include "protocol/gate/routes.h"
#include "vault/core/request.h"

namespace cardvault::gate {

// Decodes the body of kTokenize, kDetokenize or kCardsSearch. Bad *form* refuses the whole request:
// kInvalidJson (syntax, UTF-8, NUL, nesting over 4, anything behind the object), kUnknownField,
// kDuplicateField, kMissingField, kInvalidField (a wrong type), kBatchSize. A bad *value* goes to
// the vault, which refuses it in its item: texts are cut at 1,024 bytes, longer than any field may
// be, and a ttl that is not 1..315360000 becomes the largest number. A name of sensitive
// authentication data anywhere is kSensitiveAuthenticationData before all else. Memory that held
// text of the body is wiped. Thread-safe.
[[nodiscard]] base::Result<core::Request> decode_body(Operation operation, std::string_view body);

}  // namespace cardvault::gate
