// Checkpoints: by themselves, and as the notes that a verifier opens.
#include "vault/audit/checkpoint.h"

#include "tests/fuzz/target.h"

using namespace cardvault;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto kKey = audit::VerifierKey::parse(
      "cardvault.example/generated+ebb983db+ARA74afJWO+tXEhMOjbNi4v0RhfBewpeTSUFAuJBqiI1");
  CARDVAULT_CHECK(kKey);
  const std::string_view text = fuzz::text_of(data, size);
  static_cast<void>(audit::open_checkpoint(text, *kKey));
  const auto checkpoint = audit::parse_checkpoint_text(text);
  if (!checkpoint) return 0;
  const std::string written = audit::checkpoint_text(*checkpoint);
  CARDVAULT_CHECK(text.starts_with(written));  // one spelling; extensions may follow
  return 0;
}
