#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <optional>

#include "hsm/softhsm_conf.h"
#include "provisioning/key_token_folder.h"
#include "provisioning/local_checks.h"
#include "provisioning/new_keys.h"
#include "provisioning/renewed_token.h"

namespace cardvault::provisioning {
namespace {

constexpr unsigned kOthersRead = 0004;
constexpr unsigned kOthersWrite = 0002;
constexpr unsigned kOthersAny = 0007;
constexpr unsigned kGroupOrOthersWrite = 0022;

std::string mode_text(const struct stat& status) {
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "mode %04o, uid %u", status.st_mode & 07777U,
                static_cast<unsigned>(status.st_uid));
  return text.data();
}

std::optional<struct stat> look(const std::string& path, const char* what, Findings& findings) {
  struct stat status{};
  if (::stat(path.c_str(), &status) == 0) return status;
  findings.push_back({Severity::kError,
                      std::string(what) + " " + path + ": " + std::strerror(errno),
                      errno == EACCES ? "run doctor as root or as an operator who may read it"
                                      : "restore it from a backup, or correct vault.toml"});
  return std::nullopt;
}

// One rule: bits of the mode that must not be set.
void forbid(const std::string& path, const char* what, unsigned bits, const char* why,
            Findings& findings) {
  const auto status = look(path, what, findings);
  if (!status) return;
  const std::string found = std::string(what) + " " + path + " (" + mode_text(*status) + ")";
  if ((status->st_mode & bits) == 0) {
    findings.push_back({Severity::kOk, found});
    return;
  }
  std::array<char, 16> less{};
  std::snprintf(less.data(), less.size(), "%04o", status->st_mode & 07777U & ~bits);
  findings.push_back(
      {Severity::kError, found + ": " + why, std::string("chmod ") + less.data() + " " + path});
}

// One that needn't be there.
void forbid_writers(const std::string& folder, const char* what, Findings& findings) {
  std::error_code unseen;
  if (!std::filesystem::exists(folder, unseen)) return;
  forbid(folder, what, kGroupOrOthersWrite, "other accounts can put files into it", findings);
}

// Trap 1: SoftHSM rewrites its files at a login; a kill at that moment destroys the keys.
void check_token_dir(const std::string& dir, uid_t daemon_uid, Findings& findings) {
  forbid(dir, "token folder", kOthersAny, "other accounts can reach the token's files", findings);
  std::error_code error;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(dir, error)) {
    struct stat status{};
    if (::stat(entry.path().c_str(), &status) != 0 || !S_ISREG(status.st_mode)) continue;
    const bool by_owner = status.st_uid == daemon_uid && (status.st_mode & 0200U) != 0;
    if (!by_owner && (status.st_mode & kGroupOrOthersWrite) == 0) continue;
    findings.push_back({Severity::kError,
                        "cardvaultd can write the token file " + entry.path().string() + " (" +
                            mode_text(status) + "): a kill during a login would destroy the keys",
                        "stop the vault; chmod -R a-w " + dir});
    return;
  }
  if (error) {
    findings.push_back({Severity::kNote, "token folder " + dir + " cannot be read from here",
                        "run doctor as root to check the modes in it"});
  } else {
    findings.push_back({Severity::kOk, "the token's files are read-only for cardvaultd"});
  }
}

// A vault of one account, as on a developer's machine, has nobody else to own it.
void check_token_folder(const std::string& dir, uid_t daemon_uid, uid_t config_uid,
                        Findings& findings) {
  struct stat status{};
  if (::stat(dir.c_str(), &status) != 0) return;  // said already
  const bool by_owner =
      status.st_uid == daemon_uid && daemon_uid != config_uid && (status.st_mode & 0200U) != 0;
  if (!by_owner && (status.st_mode & kGroupOrOthersWrite) == 0) return;
  findings.push_back({Severity::kError,
                      "cardvaultd, or its group, can write the token folder " + dir + " (" +
                          mode_text(status) + "): it could replace the token's files",
                      "chown root " + dir + "; chmod go-w " + dir});
}

void check_custody(const std::string& folder, Findings& findings) {
  std::error_code unseen;
  if (!std::filesystem::exists(folder, unseen)) return;  // no ceremony was held
  forbid_writers(folder, "custodians' papers", findings);
  if (std::filesystem::exists(folder + "/custodians", unseen) || unseen) return;
  findings.push_back({Severity::kError,
                      folder + "/custodians, the custodians' register, is missing",
                      "put it back from a copy of the papers: backups and auditors need it"});
}

void check_pin(const HsmEntry& one, bool custodians_unseal, Findings& findings) {
  const std::string pin = pin_file_of(one.token);
  if (!pin.empty()) {
    forbid(pin, "PIN file", kOthersRead | kOthersWrite | 0020U, "others may read or change it",
           findings);
  } else if (!custodians_unseal) {
    findings.push_back({Severity::kError, "hsm.token names no pin-source",
                        "add ?pin-source=file:/path to the URI, with the PIN in that file"});
  }
}

void check_softhsm(const HsmEntry& one, uid_t daemon_uid, uid_t config_uid, Findings& findings) {
  const std::string tokens = hsm::folder_of_softhsm_conf(one.softhsm_conf);
  if (tokens.empty()) {
    findings.push_back({Severity::kError, one.softhsm_conf + " names no directories.tokendir",
                        "correct the file, or hsm.softhsm_conf in vault.toml"});
    return;
  }
  check_token_dir(tokens, daemon_uid, findings);
  check_token_folder(tokens, daemon_uid, config_uid, findings);
  std::error_code unseen;
  if (std::filesystem::exists(tokens + ".change", unseen)) {
    findings.push_back({Severity::kWarning,
                        tokens + ".change: a change of the token was broken off, or is under way",
                        "run the command again (`cardvault key` or `share renew`): it is "
                        "finished or taken back"});
  }
}

// NSS's databases roll back what a killed command wrote, but not for the daemon, which may only
// read.
void check_in_place(const std::string& folder, Findings& findings) {
  std::error_code unseen;
  for (const char* name : {"/key4.db-journal", "/cert9.db-journal"}) {
    if (folder.empty() || !std::filesystem::exists(folder + name, unseen)) continue;
    findings.push_back({Severity::kError,
                        folder + name +
                            ": a change of the token was broken off, or is under way; "
                            "a vault that starts can't open the token until it is "
                            "taken back",
                        "run the command again (`cardvault key` or `share renew`)"});
  }
}

}  // namespace

void check_files(const std::string& config_path, const ConfigFile& config, Findings& findings) {
  forbid(config_path, "configuration", kGroupOrOthersWrite, "others may change it", findings);
  forbid(config.data_dir, "data folder", kOthersAny | 0070U, "others may reach the databases",
         findings);
  forbid_writers(config.audit_dir, "published log", findings);
  forbid_writers(std::filesystem::path(config.admin_socket).parent_path(), "admin socket's folder",
                 findings);
  check_custody(config.custody_dir, findings);
  if (pins_half_renewed(config.custody_dir)) {
    findings.push_back(
        {Severity::kError,
         "a renewal of the token's PINs was broken off, or is under way: it may have "
         "one of its new ones and not the other",
         "run `cardvault share renew` again; keep old and new shares until then"});
  }
  struct stat data{};
  struct stat settings{};
  const bool known =
      ::stat(config.data_dir.c_str(), &data) == 0 && ::stat(config_path.c_str(), &settings) == 0;
  for (const HsmEntry& one : config.hsms) {
    check_pin(one, config.custodians_unseal, findings);
    check_in_place(folder_of_init_args(one.init_args), findings);
    if (known && !one.softhsm_conf.empty()) {
      check_softhsm(one, data.st_uid, settings.st_uid, findings);
    }
  }
}

}  // namespace cardvault::provisioning
