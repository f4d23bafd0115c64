// Bodies of requests: whatever is taken is JSON for Boost's own reader too, and goes to the vault
// and back unchanged. The first byte chooses the operation.
#include <boost/json/parse.hpp>

#include "protocol/gate/json_request.h"
#include "protocol/wire/codec.h"
#include "tests/fuzz/target.h"

using namespace cardvault;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  constexpr gate::Operation kWithBody[] = {
      gate::Operation::kTokenize,     gate::Operation::kDetokenize,
      gate::Operation::kCardsSearch,  gate::Operation::kOtpSeal,
      gate::Operation::kOtpVerify,    gate::Operation::kOtpCancel,
      gate::Operation::kSecretEnroll, gate::Operation::kSecretVerify,
      gate::Operation::kSecretRemove};
  const std::string_view body = fuzz::text_of(data + 1, size - 1);
  const auto request = gate::decode_body(kWithBody[data[0] % std::size(kWithBody)], body);
  if (!request) return 0;
  boost::json::error_code error;
  const auto value = boost::json::parse(boost::json::string_view(body.data(), body.size()), error);
  CARDVAULT_CHECK(!error && value.is_object());

  base::SecretBuffer sent, again;
  if (!wire::encode(sent, 1, core::Caller{}, *request)) return 0;  // a batch over 1 MiB
  constexpr std::size_t kFrameHead = 13;
  const auto decoded = wire::decode_request(std::span(sent).subspan(kFrameHead));
  CARDVAULT_CHECK(decoded.has_value());
  CARDVAULT_CHECK(wire::encode(again, 1, decoded->caller, decoded->request) && again == sent);
  return 0;
}
