#include "provisioning/backup_writer.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "provisioning/exit_code.h"
#include "provisioning/key_folder_files.h"
#include "vault/base/fd.h"
#include "vault/base/secret.h"
#include "vault/core/text_form.h"
#include "vault/custody/medium.h"

namespace cardvault::provisioning {
namespace {

namespace fs = std::filesystem;

// Not every file system can refuse by itself to replace a file (FAT can't): then it is looked for.
int rename_new(const std::string& from, const std::string& to) {
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return errno;
  if (fs::exists(fs::symlink_status(to))) return EEXIST;
  return ::rename(from.c_str(), to.c_str()) == 0 ? 0 : errno;
}

}  // namespace

BackupWriter::BackupWriter(const std::string& path)
    : path_(fs::absolute(path).lexically_normal()), part_(path_ + ".part") {
  if (fs::exists(fs::symlink_status(path_))) give_up(EEXIST);
  fd_ = ::open(part_.c_str(), O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd_ < 0) give_up(errno);
  if (::flock(fd_, LOCK_EX | LOCK_NB) != 0) {
    ::close(fd_);
    throw ToolError(ExitCode::kLocal, part_ + ": another backup is being written there");
  }
  if (::ftruncate(fd_, 0) != 0 || ::fchmod(fd_, 0600) != 0) {
    const int error = errno;
    ::close(fd_);
    give_up(error);
  }
}

BackupWriter::~BackupWriter() {
  if (!finished_) ::unlink(part_.c_str());
  ::close(fd_);
}

void BackupWriter::give_up(int error) const {
  throw ToolError(ExitCode::kLocal, path_ + ": " + custody::explain_write(error));
}

void BackupWriter::put(std::span<const std::uint8_t> bytes) {
  if (const int error = base::write_all(fd_, base::as_text(bytes)); error != 0) give_up(error);
}

void BackupWriter::write(std::span<const std::uint8_t> bytes) {
  digest_.add(bytes);
  put(bytes);
}

std::string BackupWriter::spend() {
  digest_text_ = core::to_hex(digest_.finish());
  return digest_text_;
}

void BackupWriter::finish(std::string_view rest) {
  put(base::as_bytes(rest));
  if (::fsync(fd_) != 0) give_up(errno);
  if (const int error = rename_new(part_, path_); error != 0) give_up(error);
  finished_ = true;
  sync_directory(fs::path(path_).parent_path());
}

}  // namespace cardvault::provisioning
