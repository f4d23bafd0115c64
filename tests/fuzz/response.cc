// What a server answers the tool that mirrors a log: cut at places that the first byte chooses, it
// is read as if it came in one piece.
#include "protocol/client/response_reader.h"

#include <algorithm>
#include <string>

#include "tests/fuzz/target.h"

using namespace cardvault;

namespace {

// All responses of the stream, and how it ended.
std::string read_all(std::span<const std::uint8_t> rest, std::size_t step) {
  std::string out;
  client::ResponseReader reader(4096);
  for (;;) {
    const auto response = reader.next();
    if (!response) return out + "error";
    if (*response) {
      out += std::to_string((*response)->status) + std::string((*response)->head) + "|" +
             std::string((*response)->body) + "|" + std::string((*response)->header("date"));
      continue;
    }
    if (rest.empty()) return out + (reader.empty() ? "end" : "more");
    const auto space = reader.space();
    const std::size_t n = std::min({step, rest.size(), space.size()});
    std::ranges::copy(rest.first(n), space.begin());
    reader.filled(n);
    rest = rest.subspan(n);
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::span<const std::uint8_t> stream(data + 1, size - 1);
  CARDVAULT_CHECK(read_all(stream, data[0] + std::size_t{1}) == read_all(stream, size));
  return 0;
}
