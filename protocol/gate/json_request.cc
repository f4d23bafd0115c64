#include "protocol/gate/json_request.h"

#include <boost/json/basic_parser_impl.hpp>
#include <limits>
#include <optional>

#include "protocol/gate/json_fields.h"
#include "vault/core/sensitive_names.h"

namespace cardvault::gate {
namespace {

namespace json = boost::json;
using base::Code;
using json::error_code;
using Text = json::string_view;

constexpr std::size_t kMaxDepth = 4;
constexpr std::size_t kMaxText = 1024;
constexpr std::int64_t kMaxTtl = 315'360'000;  // ten years

// Builds the request from the parser's events. It goes on after the first problem, so that
// sensitive data anywhere behind it is still seen.
class Handler {
 public:
  static constexpr std::size_t max_object_size = std::numeric_limits<std::size_t>::max();
  static constexpr std::size_t max_array_size = max_object_size;
  static constexpr std::size_t max_key_size = max_object_size;
  static constexpr std::size_t max_string_size = max_object_size;

  explicit Handler(Operation operation) : operation_(operation), schema_(schema_of(operation)) {}

  [[nodiscard]] std::optional<Code> problem() const {
    if (sensitive_) return Code::kSensitiveAuthenticationData;
    return problem_;
  }
  [[nodiscard]] core::Request take() {
    if (operation_ == Operation::kTokenize) return std::move(tokenize_);
    if (operation_ == Operation::kDetokenize) return std::move(detokenize_);
    return std::move(search_);
  }

  bool on_document_begin(error_code&) { return true; }
  bool on_document_end(error_code&) { return true; }

  bool on_object_begin(error_code& ec) {
    Place next = Place::kSkipped;
    if (depth_ == 0) {
      next = Place::kRoot;
    } else if (place() == Place::kItems) {
      next = begin_item() ? Place::kItem : Place::kSkipped;
    } else if (holds_fields() && field_ == Field::kMetadata) {
      next = Place::kMetadata;
    } else {
      note(Code::kInvalidField);
    }
    return push(next, ec);
  }
  bool on_object_end(std::size_t, error_code&) {
    const Place ended = places_[depth_--];
    if (ended == Place::kItem) require(seen_);
    if (ended == Place::kRoot) finish();
    return true;
  }
  bool on_array_begin(error_code& ec) {
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
    if (core::is_sensitive_name(key)) sensitive_ = true;
    if (key.find('\0') != key.npos) note(Code::kInvalidJson);
    if (place() == Place::kMetadata) {
      metadata_key(key);
    } else if (holds_fields()) {
      field_key(field_of(key));
    }
    forget();
    return true;
  }
  bool on_string_part(Text part, std::size_t, error_code&) { return keep(part); }
  bool on_string(Text last, std::size_t, error_code&) {
    const std::string_view text = whole(last);
    if (text.find('\0') != text.npos) note(Code::kInvalidJson);
    string_value(text.substr(0, kMaxText));
    forget();
    return true;
  }

  bool on_number_part(Text, error_code&) { return true; }
  bool on_int64(std::int64_t value, Text, error_code&) { return number_value(value); }
  bool on_uint64(std::uint64_t, Text, error_code&) { return number_value(0); }
  bool on_double(double, Text, error_code&) { return number_value(0); }
  bool on_bool(bool value, error_code&) {
    if (holds_fields() && field_ == Field::kMask) {
      detokenize_.items.back().mask = value;
    } else {
      wrong_type();
    }
    return true;
  }
  bool on_null(error_code&) {
    wrong_type();
    return true;
  }
  bool on_comment_part(Text, error_code&) { return true; }
  bool on_comment(Text, error_code&) { return true; }

 private:
  enum class Place : std::uint8_t { kOutside, kRoot, kItems, kItem, kMetadata, kSkipped };

  [[nodiscard]] Place place() const { return places_[depth_]; }
  [[nodiscard]] bool holds_fields() const {
    return place() == Place::kRoot || place() == Place::kItem;
  }
  void note(Code code) {
    if (!problem_) problem_ = code;
  }
  void wrong_type() { note(depth_ == 0 ? Code::kInvalidJson : Code::kInvalidField); }

  bool push(Place next, error_code& ec) {
    if (depth_ == kMaxDepth || (depth_ == 0 && next != Place::kRoot)) {
      problem_ = Code::kInvalidJson;
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

  std::size_t items() const { return tokenize_.items.size() + detokenize_.items.size(); }
  bool begin_item() {
    seen_ = 0;
    if (items() == core::kMaxBatch) {
      note(Code::kBatchSize);
      return false;
    }
    add_item();
    return true;
  }
  void add_item() {
    if (operation_ == Operation::kTokenize) tokenize_.items.emplace_back();
    if (operation_ == Operation::kDetokenize) detokenize_.items.emplace_back();
  }

  void field_key(Field field) {
    std::uint32_t& seen = place() == Place::kRoot ? root_seen_ : seen_;
    const bool known = field == Field::kItems ? schema_.batches && place() == Place::kRoot
                                              : (schema_.allowed & bit(field)) != 0;
    field_ = known ? field : Field::kUnknown;
    if (!known) return note(Code::kUnknownField);
    if ((seen & bit(field)) != 0) note(Code::kDuplicateField);
    seen |= bit(field);
    if (place() != Place::kRoot) return;
    if (field == Field::kItems) {
      tokenize_.items.clear();
      detokenize_.items.clear();
    } else if (schema_.batches && items() == 0) {
      add_item();  // the request itself is the one item
    }
  }

  core::Metadata& metadata() { return tokenize_.items.back().metadata; }
  void metadata_key(std::string_view key) {
    key = key.substr(0, kMaxText);
    for (const auto& entry : metadata()) {
      if (entry.first == key) note(Code::kDuplicateField);
    }
    // One more than is allowed is enough for the vault to refuse the item.
    if (metadata().size() <= core::kMaxMetadataEntries) metadata().emplace_back(key, "");
  }

  void string_value(std::string_view text) {
    if (place() == Place::kMetadata) {
      metadata().back().second = text;
      return;
    }
    if (!holds_fields()) return wrong_type();
    switch (field_) {
      case Field::kPan:
        tokenize_.items.back().pan = base::SecretText(text);
        return;
      case Field::kExpiry:
        if (text.empty()) note(Code::kInvalidField);  // core takes it for none
        tokenize_.items.back().expiry = text;
        return;
      case Field::kToken:
        detokenize_.items.back().token = text;
        return;
      case Field::kPurpose:
        detokenize_.items.back().purpose = text;
        return;
      case Field::kAfter:
        search_.after = text;
        return;
      case Field::kCustomer: {
        if (text.empty()) note(Code::kInvalidField);  // core takes it for none
        auto& customer =
            operation_ == Operation::kTokenize ? tokenize_.items.back().customer : search_.customer;
        customer = base::SecretText(text);
        return;
      }
      case Field::kFormat:
        if (text != "opaque" && text != "numeric") note(Code::kInvalidField);
        tokenize_.items.back().format =
            text == "numeric" ? core::TokenFormat::kNumeric : core::TokenFormat::kOpaque;
        return;
      default:
        wrong_type();
    }
  }
  bool number_value(std::int64_t value) {
    if (holds_fields() && field_ == Field::kTtl) {
      const bool good = value >= 1 && value <= kMaxTtl;
      tokenize_.items.back().ttl_s =
          good ? static_cast<std::uint32_t>(value) : std::numeric_limits<std::uint32_t>::max();
    } else {
      wrong_type();
    }
    return true;
  }

  void require(std::uint32_t seen) {
    if ((schema_.required & ~seen) != 0) note(Code::kMissingField);
  }
  void finish() {
    if ((root_seen_ & bit(Field::kItems)) == 0) return require(root_seen_);
    if (root_seen_ != bit(Field::kItems)) note(Code::kInvalidField);  // items and an item's fields
    if (items() == 0) note(Code::kBatchSize);
    tokenize_.batch = true;
    detokenize_.batch = true;
  }

  const Operation operation_;
  const Schema schema_;
  Place places_[kMaxDepth + 1] = {};
  std::size_t depth_ = 0;
  Field field_ = Field::kUnknown;  // of the value that comes next
  std::uint32_t root_seen_ = 0, seen_ = 0;
  base::SecretBuffer parts_;
  core::Tokenize tokenize_;
  core::Detokenize detokenize_;
  core::CardsSearch search_;
  std::optional<Code> problem_;
  bool sensitive_ = false;
};

}  // namespace

base::Result<core::Request> decode_body(Operation operation, std::string_view body) {
  json::parse_options options;
  options.max_depth = kMaxDepth + 1;
  json::basic_parser<Handler> parser(options, operation);
  error_code error;
  const std::size_t used = parser.write_some(false, body.data(), body.size(), error);
  const bool whole = !error && used == body.size() && parser.done();
  const std::optional<Code> problem = parser.handler().problem();
  if (problem) return base::fail(*problem, "decode body");
  if (!whole) return base::fail(Code::kInvalidJson, "decode body", error.value());
  return parser.handler().take();
}

}  // namespace cardvault::gate
