// Paths that the auditors' gate is asked for: a log's own, or none.
#include <algorithm>

#include "tests/fuzz/target.h"
#include "vault/audit/segments.h"
#include "vault/audit/tile.h"

using namespace cardvault;

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view path = fuzz::text_of(data, size);
  if (!audit::is_log_path(path) && !audit::is_segment_path(path)) return 0;
  CARDVAULT_CHECK(path == audit::kCheckpointPath || path.starts_with("tile/") ||
                  path.starts_with("segment/"));
  CARDVAULT_CHECK(path.find("..") == path.npos && path.find("//") == path.npos);
  CARDVAULT_CHECK(!path.ends_with('/'));
  CARDVAULT_CHECK(std::ranges::all_of(path, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '/' || c == '.' || c == '-';
  }));
  return 0;
}
