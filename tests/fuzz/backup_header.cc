// The header of a backup: what is read as one is written as it was, and names no path of its own.
#include "provisioning/backup_file.h"
#include "tests/fuzz/target.h"

using namespace cardvault;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = fuzz::text_of(data, size);
  try {
    const auto header = provisioning::parse_backup_header("it", text);
    CARDVAULT_CHECK(encode(header) == text);
    for (const auto* parts : {&header.clear, &header.members}) {
      for (const auto& part : *parts) {
        const std::string below = "/" + part.name;
        for (const char* way_out : {"//", "/.", "/-"}) {
          CARDVAULT_CHECK(below.find(way_out) == std::string::npos);
        }
      }
    }
  } catch (const base::StartupError& error) {
    CARDVAULT_CHECK(error.what()[0] != '\0');
  }
  return 0;
}
