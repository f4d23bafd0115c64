// Bodies of requests: strict JSON, read straight into a core::Request.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "protocol/gate/routes.h"
#include "vault/core/request.h"

namespace cardvault::gate {

// Decodes the body of an operation that takes one. Bad *form* refuses the whole request:
// kInvalidJson (syntax, UTF-8, NUL, nesting over 4, anything behind the object), kUnknownField,
// kDuplicateField, kMissingField, kInvalidField (a wrong type, a code that is not 6 to 10 digits, a
// secret that is not 1 to 256 bytes, a context without a recipient), kBatchSize. A bad *value* goes
// to the vault, which refuses it in its item: texts are cut at 1,024 bytes, longer than any field
// may be, a ttl that is not 1..315360000 becomes the largest number, an amount that is not 1..10^15
// becomes 0. A name of sensitive
// authentication data anywhere is kSensitiveAuthenticationData before all else. Of a batch the
// Failure says which item is to blame; not where that is the batch itself: its size, or JSON that
// is broken between items. Memory that held text of the body is wiped. Thread-safe.
[[nodiscard]] std::expected<core::Request, core::Failure> decode_body(Operation operation,
                                                                      std::string_view body);

}  // namespace cardvault::gate
