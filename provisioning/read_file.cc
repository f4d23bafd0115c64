#include "provisioning/read_file.h"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "provisioning/exit_code.h"

namespace cardvault::provisioning {
namespace {
constexpr std::size_t kMostBytes = 60'000;
}

std::string read_small_file(const std::string& path, const char* what) {
  const auto refuse = [&](const std::string& why) {
    throw ToolError(ExitCode::kLocal, path + ": no " + what + " can be read from it: " + why);
  };
  if (std::filesystem::is_directory(path)) refuse("it is a folder");
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) refuse(std::strerror(errno));
  std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  if (bytes.empty()) refuse("it is empty");
  if (bytes.size() > kMostBytes) {
    throw ToolError(ExitCode::kLocal, path + " is no " + what + ": longer than 60,000 bytes");
  }
  return bytes;
}

}  // namespace cardvault::provisioning
