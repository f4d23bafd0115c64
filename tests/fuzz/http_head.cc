// Heads of requests: what passes is a single, plain head, in which nothing is left to interpret.
#include "protocol/gate/http_head.h"

#include <algorithm>

#include "protocol/gate/routes.h"
#include "tests/fuzz/target.h"

using namespace cardvault;

namespace {

bool within(std::string_view block, std::string_view part) {
  return part.empty() ||
         (part.data() >= block.data() && part.data() + part.size() <= block.data() + block.size());
}

bool printable(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return c == '\t' || (c >= 0x20 && c <= 0x7e); });
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = fuzz::text_of(data, size);
  const std::size_t length = gate::head_length(bytes, 0);
  CARDVAULT_CHECK(length <= size);
  for (std::size_t from = 0; from < std::min<std::size_t>(length, 64); ++from) {
    CARDVAULT_CHECK(gate::head_length(bytes, from) == length || from + 4 > length);
  }
  // Blocks that are no single head must be refused too, not only kept away by the reader.
  const std::string_view block = length == 0 ? bytes : bytes.substr(0, length);
  const auto head = gate::parse_head(block);
  if (!head) return 0;
  CARDVAULT_CHECK(length == block.size());  // exactly one empty line, at the end
  for (const auto part : {head->method, head->target, head->content_type, head->idempotency_key}) {
    CARDVAULT_CHECK(within(block, part) && printable(part));
  }
  CARDVAULT_CHECK(head->target.starts_with('/') && !head->target.starts_with("//"));
  CARDVAULT_CHECK(head->target.find(' ') == std::string_view::npos);
  gate::Route route;
  if (gate::find_route(gate::Listener::kTls, head->method, head->target, route)) {
    CARDVAULT_CHECK(route.operation != gate::Operation::kUnknown && within(block, route.token));
  }
  return 0;
}
