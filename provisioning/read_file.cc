#include "provisioning/read_file.h"

#include <fstream>
#include <iterator>

#include "provisioning/exit_code.h"

namespace cardvault::provisioning {
namespace {
constexpr std::size_t kMostBytes = 60'000;
}

std::string read_small_file(const std::string& path, const char* what) {
  std::ifstream file(path, std::ios::binary);
  std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (!file || bytes.empty()) throw ToolError(ExitCode::kLocal, path + ": cannot be read");
  if (bytes.size() > kMostBytes) {
    throw ToolError(ExitCode::kLocal, path + " is no " + what + ": longer than 60,000 bytes");
  }
  return bytes;
}

}  // namespace cardvault::provisioning
