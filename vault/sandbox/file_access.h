// Which files, ports and processes this process may still reach (Landlock, landlock(7)).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace cardvault::sandbox {

// Folders count with everything below them; a file counts for itself.
struct FileAccess {
  std::vector<std::string> read;             // read and list
  std::vector<std::string> load;             // read, and map as code: libraries
  std::vector<std::string> write;            // read, make, change, remove
  std::vector<std::uint16_t> connect_ports;  // TCP, where the kernel can tell (ABI 4)
};

// Holds for this process and every thread to come, for root too, and can't be taken back. What the
// kernel's version of Landlock knows of is denied but for `access`: files (1), moving between
// folders (2), truncating (3), TCP (4), devices' ioctl (5), abstract Unix sockets and signals to
// others (6). A path that doesn't exist is left out. Returns the version, 0 where the kernel has
// none. Throws base::StartupError when it fails, also when a system call filter forbids it. Before
// any thread.
int restrict_files(const FileAccess& access);

}  // namespace cardvault::sandbox
