// The files and typed lines of custodians. What is read as one is written as it was.
#include <vector>

#include "provisioning/custody/share_file.h"
#include "provisioning/custody/share_text.h"
#include "tests/fuzz/target.h"
#include "vault/custody/action.h"
#include "vault/custody/custodian_set.h"
#include "vault/custody/transcript.h"

using namespace cardvault;

namespace {

// Runs `read`, for which refusing with a message is as good as reading.
template <class Read>
void refusing(Read read) {
  try {
    read();
  } catch (const base::StartupError& error) {
    CARDVAULT_CHECK(error.what()[0] != '\0');
  }
}

void type_share(std::string_view text) {
  custody::ShareReader reader;
  for (std::size_t at = 0; at < text.size() && !reader.complete();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    (void)reader.add(text.substr(at, end - at));
    at = end + 1;
  }
  if (!reader.complete()) return;
  const custody::Share share = reader.take();
  const auto bytes = custody::encode_share(share);
  CARDVAULT_CHECK(bytes.size() == custody::kShareBytes && custody::decode_share(bytes));
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  refusing([&] { CARDVAULT_CHECK(encode(custody::parse_action("it", text)) == text); });
  refusing([&] { CARDVAULT_CHECK(encode(custody::parse_approval("it", text)) == text); });
  refusing([&] { CARDVAULT_CHECK(encode(custody::parse_custodian_set("it", text)) == text); });
  refusing([&] { (void)custody::parse_transcript("it", text); });
  refusing([&] { (void)custody::parse_share_file("it", text); });
  if (const auto share = custody::decode_share(std::span(data, size))) {
    const auto again = custody::encode_share(*share);
    CARDVAULT_CHECK(std::equal(again.begin(), again.end(), data, data + size));
  }
  type_share(text);
  return 0;
}
