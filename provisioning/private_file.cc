#include "provisioning/private_file.h"

#include <fcntl.h>
#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <filesystem>

#include "provisioning/exit_code.h"
#include "vault/base/fd.h"

namespace cardvault::provisioning {
namespace {

[[noreturn]] void local_failure(const std::string& path, const char* what) {
  throw ToolError(ExitCode::kLocal,
                  path + ": " + what + ": " + std::generic_category().message(errno));
}

void own(int fd, const std::string& path, const Owner& owner) {
  if (owner.uid == -1 && owner.gid == -1) return;
  if (::fchown(fd, static_cast<uid_t>(owner.uid), static_cast<gid_t>(owner.gid)) != 0) {
    local_failure(path, "cannot change its owner");
  }
}

}  // namespace

void create_file(const std::string& path, std::string_view content, unsigned mode,
                 const Owner& owner) {
  const base::Fd file(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (file.get() < 0) local_failure(path, "cannot be created");
  errno = base::write_all(file.get(), content);
  if (errno != 0) local_failure(path, "cannot be written");
  own(file.get(), path, owner);
  if (::fchmod(file.get(), mode) != 0 || ::fsync(file.get()) != 0) {
    local_failure(path, "cannot be finished");
  }
}

void create_folder(const std::string& path, unsigned mode, const Owner& owner) {
  if (::mkdir(path.c_str(), 0700) != 0) local_failure(path, "cannot be created");
  set_access(path, mode, owner);
}

bool create_folders(const std::string& path) {
  if (std::filesystem::is_directory(path)) return false;
  const std::filesystem::path whole(path);
  const std::string above = whole.parent_path();
  if (!above.empty() && create_folders(above) && !whole.has_filename()) return true;  // "above/"
  if (::mkdir(path.c_str(), 0755) != 0) {
    if (errno == EEXIST && std::filesystem::is_directory(path)) return false;  // another one's
    local_failure(path, "cannot be created");
  }
  set_access(path, 0755, {});
  return true;
}

void set_access(const std::string& path, unsigned mode, const Owner& owner) {
  const base::Fd file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC));
  if (file.get() < 0) local_failure(path, "cannot be opened");
  own(file.get(), path, owner);
  if (::fchmod(file.get(), mode) != 0) local_failure(path, "cannot change its mode");
}

void set_tree_access(const std::string& path, unsigned folder_mode, unsigned file_mode,
                     const Owner& owner) {
  for (const auto& entry : std::filesystem::recursive_directory_iterator(path)) {
    if (entry.is_symlink()) continue;
    set_access(entry.path(), entry.is_directory() ? folder_mode : file_mode, owner);
  }
  set_access(path, folder_mode, owner);
}

Owner account(const std::string& user) {
  std::int64_t uid = -1;
  const auto [end, error] = std::from_chars(user.data(), user.data() + user.size(), uid);
  if (error == std::errc() && end == user.data() + user.size() && uid >= 0) return {uid, uid};
  const passwd* entry = ::getpwnam(user.c_str());
  if (entry == nullptr) {
    throw ToolError(ExitCode::kUsage,
                    "no account \"" + user + "\": name one that exists, or a numeric uid");
  }
  return {entry->pw_uid, entry->pw_gid};
}

}  // namespace cardvault::provisioning
