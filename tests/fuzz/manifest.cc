// Manifests of closed months, as a collector gets them: what is understood has one spelling, and
// names files of a log alone.
#include "tests/fuzz/target.h"
#include "vault/audit/segments.h"
#include "vault/audit/tile.h"

using namespace cardvault;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto manifest = audit::parse_manifest(fuzz::text_of(data, size));
  if (!manifest) return 0;
  const std::string text = audit::manifest_text(*manifest);
  const auto again = audit::parse_manifest(text);
  CARDVAULT_CHECK(again && audit::manifest_text(*again) == text);
  CARDVAULT_CHECK(audit::is_segment_path(audit::segment_folder(manifest->month) + "/manifest"));
  for (const std::string& path : audit::edge_files(manifest->size)) {
    CARDVAULT_CHECK(audit::parse_tile_path(path));
  }
  return 0;
}
