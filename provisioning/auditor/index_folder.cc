#include "provisioning/auditor/index_folder.h"

#include <fcntl.h>
#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>

#include "provisioning/auditor/event_query.h"
#include "vault/audit/tile.h"
#include "vault/base/fd.h"

namespace cardvault::auditor {
namespace {

namespace fs = std::filesystem;

// Fewer bytes at the file's end, and where it can't be read.
std::string read_at(int fd, std::uint64_t offset, std::size_t size) {
  std::string bytes(size, '\0');
  std::size_t got = 0;
  while (got < size) {
    const ssize_t n = ::pread(fd, bytes.data() + got, size - got, static_cast<off_t>(offset + got));
    if (n <= 0) break;
    got += static_cast<std::size_t>(n);
  }
  bytes.resize(got);
  return bytes;
}

bool write_new(const std::string& path, std::string_view bytes) {
  const base::Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
  return file && base::write_all(file.get(), bytes) == 0;
}

std::string beside(const std::string& path) {
  static std::atomic<unsigned> number{0};
  return path + "." + std::to_string(::getpid()) + "." + std::to_string(number.fetch_add(1));
}

std::string state_folder() {
  if (const char* state = std::getenv("XDG_STATE_HOME"); state != nullptr && *state == '/') {
    return std::string(state) + "/cardvault-audit";
  }
  const char* home = std::getenv("HOME");
  return home == nullptr || *home != '/' ? "" : std::string(home) + "/.local/state/cardvault-audit";
}

// One that others could have read or written is no key.
std::optional<audit::IndexKey> read_key(const std::string& path) {
  const base::Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  struct stat status{};
  if (file.get() < 0 || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode) ||
      status.st_uid != ::geteuid() || (status.st_mode & 077) != 0) {
    return std::nullopt;
  }
  audit::IndexKey key;
  const std::string bytes = read_at(file.get(), 0, key.size() + 1);
  if (bytes.size() != key.size()) return std::nullopt;
  std::ranges::copy(bytes, key.begin());
  return key;
}

// Another process may make it at the same moment: whoever links it first has made it.
void make_key(const std::string& path) {
  audit::IndexKey key;
  if (RAND_bytes(key.data(), static_cast<int>(key.size())) != 1) return;
  std::error_code ignored;
  fs::create_directories(fs::path(path).parent_path(), ignored);
  const std::string draft = beside(path);
  if (write_new(draft, {reinterpret_cast<const char*>(key.data()), key.size()})) {
    fs::create_hard_link(draft, path, ignored);
  }
  ::unlink(draft.c_str());
}

}  // namespace

IndexFolder::IndexFolder(std::string folder) : folder_(std::move(folder)) {
  const std::string state = state_folder();
  if (state.empty()) {
    problem_ = "HOME names no folder for the index's key";
    return;
  }
  const std::string path = state + "/index.key";
  key_ = read_key(path);
  if (!key_) {
    make_key(path);
    key_ = read_key(path);
  }
  if (!key_) problem_ = path + " can't be made, or is not a file of 32 bytes that is yours alone";
}

std::string IndexFolder::path_of(std::uint64_t number) const {
  constexpr std::string_view kPrefix = "tile/0/";  // numbered as tiles are
  return folder_ + "/" + audit::tile_path(0, number, audit::kTileWidth).substr(kPrefix.size()) +
         ".index";
}

std::optional<audit::BundleSet> IndexFolder::look(
    std::uint64_t number, const audit::Hash& node,
    const std::vector<std::vector<std::string>>& terms) const {
  if (!key_) return std::nullopt;
  const base::Fd file(::open(path_of(number).c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (file.get() < 0) return std::nullopt;
  const auto read = [&file](std::uint64_t offset, std::size_t size) {
    return read_at(file.get(), offset, size);
  };
  const auto index = audit::IndexReader::open(read, node, *key_);
  if (!index) return std::nullopt;
  audit::BundleSet found;
  found.set();
  for (const auto& list : terms) {
    audit::BundleSet any;
    for (const std::string& term : list) {
      const auto some = index->bundles(term);
      if (!some) return std::nullopt;
      any |= *some;
    }
    found &= any;
  }
  const auto malformed = index->bundles(kMalformedTerm);
  if (!malformed) return std::nullopt;
  return found | *malformed;
}

bool IndexFolder::keep(std::uint64_t number, const audit::Hash& node,
                       audit::IndexBuilder& index) const {
  if (!key_) return false;
  const std::string path = path_of(number), draft = beside(path);
  std::error_code failed;
  fs::create_directories(fs::path(path).parent_path(), failed);
  if (!failed && write_new(draft, index.finish(node, *key_)) &&
      ::rename(draft.c_str(), path.c_str()) == 0) {
    return true;
  }
  ::unlink(draft.c_str());
  return false;
}

}  // namespace cardvault::auditor
