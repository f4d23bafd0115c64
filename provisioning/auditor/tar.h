// Archives as POSIX ustar (IEEE Std 1003.1 pax, "ustar Interchange Format"), of plain files alone:
// what `tar` makes and reads, and nothing of what it also can (links, devices, long names).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace cardvault::auditor {

struct TarFile {
  std::string name, bytes;
};

// Names of at most 100 characters. The time of each is `unix_s`; same files, same bytes.
[[nodiscard]] std::string make_tar(const std::vector<TarFile>& files, std::int64_t unix_s);

// nullopt: anything that make_tar() does not make, such as a checksum that is wrong, a file that is
// cut, or bytes after the end.
[[nodiscard]] std::optional<std::vector<TarFile>> read_tar(std::string_view archive);

}  // namespace cardvault::auditor
