#include "provisioning/key_folder_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <vector>

#include "provisioning/exit_code.h"
#include "provisioning/private_file.h"
#include "vault/base/fd.h"

namespace cardvault::provisioning {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void give_up(const std::string& path, const char* what) {
  throw ToolError(ExitCode::kLocal, path + ": " + what + ": " + std::strerror(errno));
}

base::Fd open_file(const std::string& path, int flags, mode_t mode = 0) {
  base::Fd file(::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW, mode));
  if (!file) give_up(path, "cannot be opened");
  return file;
}

void write(const base::Fd& file, std::string_view bytes, const std::string& path) {
  errno = base::write_all(file.get(), bytes);
  if (errno != 0) give_up(path, "cannot be written");
}

void copy_one(const std::string& from, const std::string& to) {
  const base::Fd in = open_file(from, O_RDONLY);
  const base::Fd out = open_file(to, O_WRONLY | O_CREAT | O_EXCL, 0600);
  std::array<char, 65536> block{};
  for (;;) {
    const ssize_t n = ::read(in.get(), block.data(), block.size());
    if (n < 0) give_up(from, "cannot be read");
    if (n == 0) return;
    write(out, {block.data(), static_cast<std::size_t>(n)}, to);
  }
}

void wipe_file(const std::string& path) {
  ::chmod(path.c_str(), 0600);
  const base::Fd file = open_file(path, O_WRONLY);
  struct stat status{};
  if (::fstat(file.get(), &status) != 0) give_up(path, "cannot be looked at");
  constexpr std::array<char, 65536> kZeros{};
  for (auto left = static_cast<std::size_t>(status.st_size); left != 0;) {
    const std::size_t part = std::min(left, kZeros.size());
    write(file, {kZeros.data(), part}, path);
    left -= part;
  }
  if (::fsync(file.get()) != 0) give_up(path, "cannot be synced");
  if (::unlink(path.c_str()) != 0) give_up(path, "cannot be removed");
}

struct Access {
  unsigned mode = 0;
  Owner owner;
};

Access access_of(const std::string& path) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) give_up(path, "cannot be looked at");
  return {status.st_mode & 07777U, {status.st_uid, status.st_gid}};
}

// What somebody put beside them may be closed to the daemon; this one it reads before it logs in.
constexpr auto kReadByAll = {"token.object", "sqlite3.db"};  // SoftHSM's backends: file, db

Access access_of_files(const std::string& folder) {
  std::optional<Access> first;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) {
    if (!entry.is_regular_file() || entry.is_symlink()) continue;
    const auto name = entry.path().filename();
    if (std::ranges::find(kReadByAll, name) != kReadByAll.end()) return access_of(entry.path());
    if (!first) first = access_of(entry.path());
  }
  return first.value_or(Access{0400, access_of(folder).owner});
}

}  // namespace

void copy_folder(const std::string& from, const std::string& to) {
  create_folder(to, 0700, {});
  for (const auto& entry : fs::directory_iterator(from)) {
    const std::string target = to + "/" + entry.path().filename().string();
    if (entry.is_symlink()) continue;
    if (entry.is_directory()) {
      copy_folder(entry.path(), target);
    } else if (entry.is_regular_file()) {
      copy_one(entry.path(), target);
    }
  }
}

void give_access_of(const std::string& like, const std::string& to) {
  const Access folder = access_of(like);
  const Access file = access_of_files(like);
  // Who isn't root keeps what is theirs; the group is the daemon's where it may read.
  const bool own = folder.owner.uid == static_cast<std::int64_t>(::geteuid()) && ::geteuid() != 0;
  const auto give = [own](const fs::path& path, const Access& access) {
    const Owner group{-1, (access.mode & S_IRWXG) != 0 ? access.owner.gid : -1};
    set_access(path, access.mode, own ? group : access.owner);
  };
  for (const auto& entry : fs::recursive_directory_iterator(to)) {
    give(entry.path(), entry.is_directory() ? folder : file);
  }
  give(to, folder);
}

void sync_directory(const std::string& path) {
  const base::Fd directory = open_file(path, O_RDONLY | O_DIRECTORY);
  if (::fsync(directory.get()) != 0) give_up(path, "cannot be synced");
}

void sync_folder(const std::string& path) {
  for (const auto& entry : fs::recursive_directory_iterator(path)) {
    const base::Fd file = open_file(entry.path(), O_RDONLY);
    if (::fsync(file.get()) != 0) give_up(entry.path(), "cannot be synced");
  }
  sync_directory(path);
}

void wipe_folder(const std::string& path) {
  if (!fs::exists(path)) return;
  std::vector<std::string> files;
  for (const auto& entry : fs::recursive_directory_iterator(path)) {
    if (entry.is_directory()) {
      ::chmod(entry.path().c_str(), 0700);  // the live token's folders may be read-only
    } else if (entry.is_regular_file() && !entry.is_symlink()) {
      files.push_back(entry.path());
    }
  }
  ::chmod(path.c_str(), 0700);
  for (const std::string& file : files) wipe_file(file);
  std::error_code error;
  fs::remove_all(path, error);
  errno = error.value();
  if (error) give_up(path, "cannot be removed");
}

}  // namespace cardvault::provisioning
