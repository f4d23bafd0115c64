#include "protocol/gate/json_request.h"

#include <boost/json/basic_parser_impl.hpp>
#include <limits>
#include <optional>

#include "protocol/gate/json_fields.h"
#include "protocol/gate/request_builder.h"
#include "vault/core/sensitive_names.h"

namespace cardvault::gate {
namespace {

namespace json = boost::json;
using base::Code;
using json::error_code;
using Text = json::string_view;

constexpr std::size_t kMaxDepth = 4;
constexpr std::size_t kItemsDepth = 2;
constexpr std::size_t kMaxText = 1024;

// Builds the request from the parser's events. It goes on after the first problem, so that
// sensitive data anywhere behind it is still seen.
class Handler {
 public:
  static constexpr std::size_t max_object_size = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t max_array_size = max_object_size;
  static constexpr std::size_t max_key_size = max_object_size;
  static constexpr std::size_t max_string_size = max_object_size;

  explicit Handler(Operation operation) : schema_(schema_of(operation)), builder_(operation) {}

  [[nodiscard]] std::optional<core::Failure> problem() const {
    return sensitive_ ? sensitive_ : problem_;
  }
  // Of a body that ends or breaks off here.
  [[nodiscard]] core::Failure broken_off() const {
    return blame(Code::kInvalidJson, depth_ > kItemsDepth);
  }
  [[nodiscard]] core::Request take() { return builder_.take(is_batch()); }

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }

  bool on_object_begin(error_code& ec) {
    begin_value();
    Place next = Place::kSkipped;
    if (depth_ == 0) {
      next = Place::kRoot;
    } else if (place() == Place::kItems) {
      next = begin_item() ? Place::kItem : Place::kSkipped;
    } else if (holds_fields() && field_ == Field::kMetadata) {
      next = Place::kMetadata;
    } else if (holds_fields() && field_ == Field::kContext) {
      next = Place::kContext;
      context_seen_ = 0;
      builder_.begin_context();
    } else {
      note(Code::kInvalidField);
    }
    return push(next, ec);
  }
  bool on_object_end(std::size_t, error_code&) {
    const Place ended = places_[depth_--];
    if (ended == Place::kItem) end_item(seen_);
    if (ended == Place::kContext) require(kContextSchema, context_seen_);
    if (ended == Place::kRoot) finish();
    return true;
  }
  bool on_array_begin(error_code& ec) {
    begin_value();
    const bool items = depth_ == 1 && place() == Place::kRoot && field_ == Field::kItems;
    if (!items) note(Code::kInvalidField);
    return push(items ? Place::kItems : Place::kSkipped, ec);
  }
  bool on_array_end(std::size_t, error_code&) {
    --depth_;
    return true;
  }

  bool on_key_part(Text part, std::size_t, error_code&) { return keep(part); }
  bool on_key(Text last, std::size_t, error_code&) {
    const std::string_view key = whole(last);
    if (core::is_sensitive_name(key) && !sensitive_) {
      sensitive_ = blame(Code::kSensitiveAuthenticationData, true);
    }
    if (key.find('\0') != key.npos) note(Code::kInvalidJson);
    if (place() == Place::kMetadata) {
      if (!builder_.metadata_key(key.substr(0, kMaxText))) note(Code::kDuplicateField);
    } else if (holds_fields()) {
      field_key(field_of(key));
    }
    forget();
    return true;
  }
  bool on_string_part(Text part, std::size_t, error_code&) { return keep(part); }
  bool on_string(Text last, std::size_t, error_code&) {
    begin_value();
    const std::string_view text = whole(last);
    if (text.find('\0') != text.npos) note(Code::kInvalidJson);
    string_value(text.substr(0, kMaxText));
    forget();
    return true;
  }

  bool on_number_part(Text, error_code&) { return true; }
  bool on_int64(std::int64_t value, Text, error_code&) { return number_value(value); }
  bool on_uint64(std::uint64_t, Text, error_code&) { return number_value(0); }
  bool on_double(double, Text, error_code&) { return number_value(std::nullopt); }
  bool on_bool(bool value, error_code&) {
    begin_value();
    if (holds_fields() && (field_ == Field::kMask || field_ == Field::kClear)) {
      builder_.flag(field_, value);
    } else {
      wrong_type();
    }
    return true;
  }
  bool on_null(error_code&) {
    begin_value();
    wrong_type();
    return true;
  }
  bool on_comment_part(Text, error_code&) { return true; }
  bool on_comment(Text, error_code&) { return true; }

 private:
  enum class Place : std::uint8_t { kOutside, kRoot, kItems, kItem, kMetadata, kContext, kSkipped };

  [[nodiscard]] Place place() const { return places_[depth_]; }
  [[nodiscard]] bool holds_fields() const {
    return place() == Place::kRoot || place() == Place::kItem || place() == Place::kContext;
  }
  void begin_value() {
    if (place() == Place::kItems) ++elements_;
  }
  // Of the element of "items" that was begun last, while that list is open. One too many is none.
  [[nodiscard]] core::Failure blame(Code code, bool item) const {
    core::Failure failure{code};
    const bool inside = depth_ >= kItemsDepth && places_[kItemsDepth] == Place::kItems;
    if (item && inside && elements_ <= core::kMaxBatch) {
      failure.item = static_cast<std::int32_t>(elements_) - 1;
    }
    return failure;
  }
  void note(Code code) {
    if (!problem_) problem_ = blame(code, code != Code::kBatchSize);
  }
  void wrong_type() { note(depth_ == 0 ? Code::kInvalidJson : Code::kInvalidField); }

  bool push(Place next, error_code& ec) {
    if (depth_ == kMaxDepth || (depth_ == 0 && next != Place::kRoot)) {
      problem_ = blame(Code::kInvalidJson, true);
      ec = json::error::too_deep;
      return false;
    }
    places_[++depth_] = next;
    return true;
  }

  // Strings with escapes come in parts.
  bool keep(Text part) {
    parts_.insert(parts_.end(), part.begin(), part.end());
    return true;
  }
  std::string_view whole(Text last) {
    if (parts_.empty()) return {last.data(), last.size()};
    keep(last);
    return base::as_text(parts_);
  }
  void forget() {
    base::wipe(parts_.data(), parts_.size());
    parts_.clear();
  }

  bool begin_item() {
    seen_ = 0;
    if (builder_.items() == core::kMaxBatch) {
      note(Code::kBatchSize);
      return false;
    }
    builder_.add_item();
    return true;
  }
  void end_item(std::uint32_t seen) {
    require(schema_, seen);
    if (builder_.items() == 0) return;
    if (const auto problem = builder_.end_item()) note(*problem);
  }

  std::uint32_t& seen_here() {
    if (place() == Place::kContext) return context_seen_;
    return place() == Place::kRoot ? root_seen_ : seen_;
  }
  void field_key(Field field) {
    const Schema& schema = place() == Place::kContext ? kContextSchema : schema_;
    const bool known = field == Field::kItems ? schema.batches && place() == Place::kRoot
                                              : (schema.allowed & bits(field)) != 0;
    field_ = known ? field : Field::kUnknown;
    if (!known) return note(Code::kUnknownField);
    std::uint32_t& seen = seen_here();
    if ((seen & bits(field)) != 0) note(Code::kDuplicateField);
    seen |= bits(field);
    if (place() != Place::kRoot) return;
    if (field == Field::kItems) {
      builder_.drop_items();
      elements_ = 0;
    } else if (builder_.items() == 0) {
      builder_.add_item();  // the request itself is the one item
    }
  }

  void string_value(std::string_view text) {
    if (place() == Place::kMetadata) return builder_.metadata_value(text);
    if (!holds_fields() || !builder_.text(field_, text)) wrong_type();
  }
  bool number_value(std::optional<std::int64_t> value) {
    begin_value();
    if (!holds_fields() || !builder_.number(field_, value)) wrong_type();
    return true;
  }

  void require(const Schema& schema, std::uint32_t seen) {
    if ((schema.required & ~seen) != 0) note(Code::kMissingField);
  }
  [[nodiscard]] bool is_batch() const { return (root_seen_ & bits(Field::kItems)) != 0; }
  void finish() {
    if (!is_batch()) return end_item(root_seen_);
    if (root_seen_ != bits(Field::kItems)) note(Code::kInvalidField);  // items and an item's fields
    if (builder_.items() == 0) note(Code::kBatchSize);
  }

  const Schema schema_;
  RequestBuilder builder_;
  Place places_[kMaxDepth + 1] = {};
  std::size_t depth_ = 0;
  Field field_ = Field::kUnknown;  // of the value that comes next
  std::uint32_t root_seen_ = 0, seen_ = 0, context_seen_ = 0;
  base::SecretBuffer parts_;
  std::size_t elements_ = 0;  // begun so far, of "items"
  std::optional<core::Failure> problem_, sensitive_;
};

}  // namespace

std::expected<core::Request, core::Failure> decode_body(Operation operation,
                                                        std::string_view body) {
  json::parse_options options;
  options.max_depth = kMaxDepth + 1;
  json::basic_parser<Handler> parser(options, operation);
  error_code error;
  const std::size_t used = parser.write_some(false, body.data(), body.size(), error);
  const bool whole = !error && used == body.size() && parser.done();
  Handler& read = parser.handler();
  if (const auto problem = read.problem()) return std::unexpected(*problem);
  if (!whole) return std::unexpected(read.broken_off());
  return read.take();
}

}  // namespace cardvault::gate
