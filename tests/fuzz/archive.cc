// Evidence archives: what is read is what would be written of it.
#include "provisioning/auditor/tar.h"
#include "tests/fuzz/target.h"

using namespace cardvault;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto files = auditor::read_tar(fuzz::text_of(data, size));
  if (!files) return 0;
  const auto again = auditor::read_tar(auditor::make_tar(*files, 1'795'000'000));
  CARDVAULT_CHECK(again && again->size() == files->size());
  for (std::size_t i = 0; i < files->size(); ++i) {
    CARDVAULT_CHECK((*again)[i].name == (*files)[i].name);
    CARDVAULT_CHECK((*again)[i].bytes == (*files)[i].bytes);
  }
  return 0;
}
