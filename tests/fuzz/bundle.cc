// Tiles and entry bundles: what is read of them, put together, is what they were.
#include "tests/fuzz/target.h"
#include "vault/audit/tile.h"

using namespace cardvault;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = fuzz::text_of(data, size);
  if (const auto hashes = audit::read_tile(bytes)) {
    CARDVAULT_CHECK(audit::tile_bytes(*hashes) == bytes);
  }
  std::string again;
  audit::BundleReader reader(bytes);
  for (auto entry = reader.next(); entry; entry = reader.next()) {
    audit::append_entry(again, *entry);
    CARDVAULT_CHECK(reader.offset() == again.size());
  }
  CARDVAULT_CHECK(bytes.starts_with(again));
  CARDVAULT_CHECK(reader.at_end() == (again.size() == size));
  return 0;
}
