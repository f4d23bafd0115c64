// What a taken gate, or a tool that isn't ours, may send over a socket: a stream of frames, cut at
// places that the first byte chooses. What a decoder takes is written again as it was.
#include "protocol/wire/codec.h"

#include <algorithm>

#include "tests/fuzz/target.h"

using namespace cardvault;

namespace {

constexpr std::size_t kFrameHead = 13;

template <class... Parts>
void expect_same(const wire::Frame& frame, const Parts&... parts) {
  base::SecretBuffer again;
  if constexpr (requires { bool(wire::encode(again, frame.id, parts...)); }) {
    if (!wire::encode(again, frame.id, parts...)) return;
  } else {
    wire::encode(again, frame.id, parts...);
  }
  CARDVAULT_CHECK(std::ranges::equal(std::span(again).subspan(kFrameHead), frame.payload));
}

void decode(const wire::Frame& frame) {
  switch (frame.type) {
    case wire::FrameType::kHello:
      if (const auto hello = wire::decode_hello(frame.payload)) expect_same(frame, *hello);
      return;
    case wire::FrameType::kRequest:
      if (const auto one = wire::decode_request(frame.payload)) {
        expect_same(frame, one->caller, one->request);
      }
      return;
    case wire::FrameType::kAnswer:
      if (const auto answer = wire::decode_answer(frame.payload)) expect_same(frame, *answer);
      return;
    case wire::FrameType::kAdminRequest:
      if (const auto one = wire::decode_admin_request(frame.payload)) expect_same(frame, *one);
      return;
    case wire::FrameType::kAdminAnswer:
      if (const auto one = wire::decode_admin_answer(frame.payload)) expect_same(frame, *one);
      return;
  }
  CARDVAULT_CHECK(false && "a frame of an unknown type");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::size_t step = data[0] + std::size_t{1};
  std::span<const std::uint8_t> rest(data + 1, size - 1);
  wire::FrameReader reader;
  while (!rest.empty()) {
    const std::size_t n = std::min(step, rest.size());
    std::ranges::copy(rest.first(n), reader.space(n).begin());
    reader.filled(n);
    rest = rest.subspan(n);
    for (;;) {
      const auto frame = reader.next();
      if (!frame) return 0;  // the connection ends here
      if (!*frame) break;
      CARDVAULT_CHECK((*frame)->payload.size() <= wire::kMaxFrame);
      decode(**frame);
    }
  }
  return 0;
}
