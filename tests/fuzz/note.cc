// Signed notes: what is read as one is written as it was.
#include "vault/audit/note.h"

#include "tests/fuzz/target.h"

using namespace cardvault;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto note = audit::parse_note(fuzz::text_of(data, size));
  if (!note) return 0;
  CARDVAULT_CHECK(note->text.ends_with('\n'));
  CARDVAULT_CHECK(note->signatures.size() <= audit::kMaxNoteSignatures);
  const auto again = audit::parse_note(audit::format_note(*note));
  CARDVAULT_CHECK(again && again->text == note->text &&
                  again->signatures.size() == note->signatures.size());
  return 0;
}
