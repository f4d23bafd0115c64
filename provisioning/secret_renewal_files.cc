#include "provisioning/secret_renewal_files.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "hsm/token_uri.h"
#include "provisioning/exit_code.h"
#include "provisioning/key_folder_files.h"
#include "provisioning/private_file.h"
#include "vault/custody/transcript.h"

namespace cardvault::provisioning {
namespace {

namespace fs = std::filesystem;
constexpr const char* kDraft = ".renewed";

void move_if_there(const std::string& from, const std::string& to) {
  if (!fs::exists(from)) return;  // it was moved before a break
  std::error_code error;
  fs::rename(from, to, error);
  if (error) {
    throw ToolError(ExitCode::kLocal, to + ": " + error.message() +
                                          ": the token is renewed, and this has to follow: put it "
                                          "right, then run the same command again");
  }
  sync_directory(fs::path(to).parent_path());
}

struct stat look_at(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) == 0) return status;
  throw ToolError(ExitCode::kLocal, path + ": " + std::strerror(errno));
}

// Before anybody is asked: at the end it would be too late.
void demand_replaceable(const std::string& pin) {
  if (!fs::exists(pin)) {  // as a unit's credential, while the unit is stopped
    throw ToolError(ExitCode::kLocal, pin +
                                          ": No such file or directory: a renewal replaces the "
                                          "PIN's own file: name that one in hsm.token meanwhile");
  }
  const std::string folder = fs::absolute(pin).parent_path();
  if (::access(folder.c_str(), W_OK) == 0) return;
  throw ToolError(ExitCode::kLocal, folder + ": " + std::strerror(errno) +
                                        ": a renewal puts a new file of the PIN there: let this "
                                        "account write to it, or run this as one that may");
}

}  // namespace

RenewalFiles::RenewalFiles(const daemon::Config& config)
    : folder(config.unseal.custody_dir),
      newest(custody::newest_transcript(folder)),
      draft(folder + "/transcript" + kDraft),
      pin_(hsm::parse_token_uri(config.hsm.token_uri).pin_source),
      wrapped_(folder + "/wrapped-keys") {
  if (newest.empty()) {
    throw ToolError(ExitCode::kLocal, folder + ": it has no transcript.N of a ceremony");
  }
  if (!pin_.empty()) demand_replaceable(pin_);
  const auto dot = newest.rfind('.');
  next = newest.substr(0, dot + 1) + std::to_string(std::stoul(newest.substr(dot + 1)) + 1);
}

void RenewalFiles::begin_pin(const base::SecretText& pin) const {
  if (pin_.empty()) return;
  fs::remove(pin_ + kDraft);
  const struct stat before = look_at(pin_);
  create_file(pin_ + kDraft, pin.expose(), before.st_mode & 07777U, {before.st_uid, before.st_gid});
}

std::string RenewalFiles::begun_pin() const {
  return !pin_.empty() && fs::exists(pin_ + kDraft) ? pin_ + kDraft : "";
}

void RenewalFiles::begin_wrapped(const std::string& text) const {
  fs::remove(wrapped_ + kDraft);
  create_file(wrapped_ + kDraft, text, 0600, {});
}

void RenewalFiles::put_in_place() const {
  if (!pin_.empty()) move_if_there(pin_ + kDraft, pin_);
  move_if_there(wrapped_ + kDraft, wrapped_);
  move_if_there(draft, next);
}

void RenewalFiles::forget() const {
  std::error_code ignored;
  if (!pin_.empty()) fs::remove(pin_ + kDraft, ignored);
  fs::remove(wrapped_ + kDraft, ignored);
}

}  // namespace cardvault::provisioning
