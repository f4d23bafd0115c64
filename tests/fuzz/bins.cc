// BIN tables: files that people import, and the form that the store keeps.
#include <sstream>

#include "tests/fuzz/target.h"
#include "vault/core/bin_table.h"

using namespace cardvault;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (const auto stored = core::BinTable::deserialize(std::span(data, size))) {
    CARDVAULT_CHECK(core::BinTable::deserialize(stored->serialize())->size() == stored->size());
  }
  std::istringstream in{std::string(fuzz::text_of(data, size))};
  const auto table = core::BinTable::read_csv(in);
  if (!table) {
    CARDVAULT_CHECK(!table.error().empty() && table.error().size() <= 100);
    return 0;
  }
  CARDVAULT_CHECK(table->size() > 0);
  const auto kept = core::BinTable::deserialize(table->serialize());
  CARDVAULT_CHECK(kept && kept->size() == table->size());
  for (const char* digits :
       {"4111111111111111", "5555555555554444", "378282246310005", "4400430"}) {
    const auto one = table->find(digits);
    const auto same = kept->find(digits);
    CARDVAULT_CHECK(one.has_value() == same.has_value());
    CARDVAULT_CHECK(!one || (one->bank == same->bank && one->range_start == same->range_start));
  }
  return 0;
}
