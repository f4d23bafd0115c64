// A request that is made field by field, as its body is read. Private to the JSON decoder.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "protocol/gate/json_fields.h"
#include "vault/core/request.h"

namespace cardvault::gate {

// Fields are only given that schema_of(operation) allows, to an item that is there. The setters
// return false for a value of a wrong form. A value that the vault refuses in its item is passed
// on: a ttl outside 1..315360000 becomes the largest number, an amount outside 1..10^15 becomes 0.
class RequestBuilder {
 public:
  explicit RequestBuilder(Operation operation);

  // How many there are; an operation that doesn't batch is its own one item.
  [[nodiscard]] std::size_t items() const;
  void add_item();
  void drop_items();
  // kInvalidField when the newest item's fields contradict one another, kMissingField when one of
  // two that stand for each other is lacking, kBatchSize when there are too many sealed ones.
  [[nodiscard]] std::optional<base::Code> end_item();

  [[nodiscard]] bool text(Field field, std::string_view value);
  // Nothing stands for a number that is no integer of 64 bits.
  [[nodiscard]] bool number(Field field, std::optional<std::int64_t> value);
  void flag(Field field, bool value);
  void begin_context();  // of the newest item

  // Of the newest item of a tokenize. False: the key is there already.
  [[nodiscard]] bool metadata_key(std::string_view key);
  void metadata_value(std::string_view value);

  [[nodiscard]] core::Request take(bool batch);

 private:
  core::Request request_;
  core::PaymentContext* context_ = nullptr;  // the one begun last
  std::size_t sealed_ = 0;                   // items with a recipient
};

}  // namespace cardvault::gate
