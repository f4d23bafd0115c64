#include "provisioning/key_exchange.h"

#include <fcntl.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "provisioning/exit_code.h"
#include "provisioning/key_folder_files.h"
#include "provisioning/private_file.h"
#include "vault/base/check.h"

namespace cardvault::provisioning {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void give_up(const std::string& what) {
  throw ToolError(ExitCode::kLocal, what + ": " + std::strerror(errno));
}

std::string text_of(const TokenChangeNote& note) {
  return note.verb + "\n" + note.label + "\n" + note.kind + "\n" + note.kcv + "\n" + note.kcv_kind +
         "\n";
}

// Also of a folder of the same file system (a bind mount).
bool is_mount_point(const std::string& path) {
  struct statx status{};
  return ::statx(AT_FDCWD, path.c_str(), AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &status) == 0 &&
         (status.stx_attributes & STATX_ATTR_MOUNT_ROOT) != 0;
}

TokenChangeNote read_note(const std::string& path) {
  std::ifstream file(path);
  TokenChangeNote note;
  for (std::string* line : {&note.verb, &note.label, &note.kind, &note.kcv, &note.kcv_kind}) {
    std::getline(file, *line);
  }
  if (!file) throw ToolError(ExitCode::kLocal, path + ": cannot be read");
  return note;
}

}  // namespace

TokenExchange::TokenExchange(std::string folder)
    : folder_(std::move(folder)),
      parent_(fs::path(folder_).parent_path()),
      change_(folder_ + ".change") {
  lock_ = base::Fd(::open(parent_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!lock_ && errno != EACCES) give_up(parent_);
  if (lock_ && ::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    throw ToolError(ExitCode::kLocal,
                    "another command is changing the token in " + parent_ + ": wait for its end");
  }
  if (!lock_ || ::access(parent_.c_str(), W_OK) != 0) {
    throw ToolError(ExitCode::kLocal, parent_ + " can't be written (" + std::strerror(errno) +
                                          "): run this as root, or as the account that owns the "
                                          "token's folder");
  }
  if (is_mount_point(folder_)) {
    throw ToolError(ExitCode::kLocal, folder_ +
                                          " is a mount point, and can't be exchanged: mount " +
                                          "that file system one folder higher, and keep the "
                                          "token's folder in it");
  }
  settle();
}

unsigned long TokenExchange::generation_of(const std::string& folder) const {
  unsigned long generation = 0;
  std::ifstream(folder + "/generation") >> generation;
  return generation;
}

void TokenExchange::settle() {
  const auto what = fs::symlink_status(change_);
  if (!fs::exists(what)) return;
  if (!fs::is_directory(what)) {
    throw ToolError(ExitCode::kLocal, change_ + " is no folder: the token's changed copy is made " +
                                          "under that name, and no command left this there. Move " +
                                          "it elsewhere, then run this again");
  }
  const bool complete = fs::exists(change_ + "/note");
  // Generations only grow: the newer of the two is the one that was changed.
  const bool exchanged = complete && generation_of(folder_) > generation_of(copy());
  if (exchanged && !fs::exists(change_ + "/done")) {
    unfinished_ = read_note(change_ + "/note");
    return;
  }
  rolled_back_ = !exchanged;
  remove_change();
}

std::string TokenExchange::stage() {
  create_folder(change_, 0700, {});
  copy_folder(folder_, copy());
  fs::remove(copy() + "/generation");
  create_file(copy() + "/generation", std::to_string(generation_of(folder_) + 1) + "\n", 0600, {});
  return copy();
}

void TokenExchange::exchange(const TokenChangeNote& note) {
  give_access_of(folder_, copy());
  sync_folder(copy());
  create_file(change_ + "/note", text_of(note), 0600, {});
  sync_directory(change_);
  sync_directory(parent_);
  swap();
  unfinished_ = note;  // whatever comes, the token before is kept
  sync_swapped();
}

void TokenExchange::swap() const {
  if (::syscall(SYS_renameat2, AT_FDCWD, copy().c_str(), AT_FDCWD, folder_.c_str(),
                RENAME_EXCHANGE) != 0) {
    if (errno == EINVAL) {
      throw ToolError(ExitCode::kLocal, "the file system of " + folder_ +
                                            " can't exchange two folders at once (renameat2(2)): "
                                            "keep the token on ext4, XFS or btrfs");
    }
    give_up("exchanging " + folder_ + " with its changed copy");
  }
}

void TokenExchange::sync_swapped() const {
  sync_directory(parent_);
  sync_directory(change_);
}

void TokenExchange::discard() {
  CARDVAULT_CHECK(!unfinished_);
  if (fs::exists(change_)) remove_change();
}

void TokenExchange::take_back() {
  CARDVAULT_CHECK(unfinished_ && generation_of(copy()) < generation_of(folder_));
  swap();
  sync_swapped();
  unfinished_.reset();
  remove_change();
}

void TokenExchange::confirm() {
  create_file(change_ + "/done", "", 0600, {});
  sync_directory(change_);
  unfinished_.reset();
  remove_change();
}

// A copy that is half removed must never be taken for a token that could be taken back: without
// "done" the note goes first.
void TokenExchange::remove_change() {
  if (!fs::exists(change_ + "/done")) {
    fs::remove(change_ + "/note");
    sync_directory(change_);
  }
  wipe_folder(copy());
  fs::remove(change_ + "/note");
  fs::remove_all(change_);
  sync_directory(parent_);
}

}  // namespace cardvault::provisioning
