// The one translation unit that includes Boost.Beast.
#include "protocol/gate/http_head.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>

#include "vault/base/ascii.h"

namespace cardvault::gate {
namespace {

namespace beast = boost::beast;
namespace http = boost::beast::http;

std::string_view plain(beast::string_view text) noexcept { return {text.data(), text.size()}; }

// Takes the fields that the gate acts on as views of the block: nothing is allocated or copied.
class HeadParser final : public http::basic_parser<true> {
 public:
  explicit HeadParser(RequestHead& head) : head_(head) {
    body_limit(boost::none);
    header_limit(std::numeric_limits<std::uint32_t>::max());  // the reader has its own limit
  }

 private:
  void on_request_impl(http::verb, beast::string_view method, beast::string_view target, int,
                       beast::error_code&) override {
    head_.method = plain(method);
    head_.target = plain(target);
  }
  void on_field_impl(http::field name, beast::string_view text, beast::string_view value,
                     beast::error_code&) override {
    if (name == http::field::content_type) {
      head_.content_type = plain(value);
    } else if (name == http::field::content_encoding) {
      head_.content_encoding = plain(value);
    } else if (name == http::field::expect) {
      head_.expects_continue = true;
    } else if (name == http::field::unknown && base::same_text(plain(text), "idempotency-key")) {
      head_.repeated_idempotency_key = head_.idempotency_key.data() != nullptr;
      head_.idempotency_key = plain(value);
    }
  }
  void on_body_init_impl(const boost::optional<std::uint64_t>&, beast::error_code&) override {}
  void on_header_impl(beast::error_code&) override {}
  void on_response_impl(int, beast::string_view, int, beast::error_code&) override {}
  std::size_t on_body_impl(beast::string_view body, beast::error_code&) override {
    return body.size();
  }
  void on_chunk_header_impl(std::uint64_t, beast::string_view, beast::error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, beast::string_view body,
                                 beast::error_code&) override {
    return body.size();
  }
  void on_finish_impl(beast::error_code&) override {}

  RequestHead& head_;
};

}  // namespace

base::Result<RequestHead> parse_head(std::string_view block) {
  if (auto checked = check_raw_head(block); !checked) return std::unexpected(checked.error());
  RequestHead head;
  HeadParser parser(head);
  beast::error_code error;
  const std::size_t used = parser.put(boost::asio::buffer(block.data(), block.size()), error);
  if (error || used != block.size() || !parser.is_header_done() || parser.upgrade()) {
    return base::fail(base::Code::kBadHttp, "beast", error.value());
  }
  if (const auto length = parser.content_length()) head.content_length = *length;
  head.keep_alive = parser.keep_alive();
  return head;
}

}  // namespace cardvault::gate
