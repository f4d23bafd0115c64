#include "vault/daemon/backup_verbs.h"

#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>
#include <thread>

#include "vault/audit/checkpoint.h"
#include "vault/audit/disk_log_files.h"
#include "vault/audit/tile.h"
#include "vault/core/text_form.h"
#include "vault/daemon/admin_answers.h"
#include "vault/daemon/backup_seal.h"
#include "vault/daemon/key_states.h"
#include "vault/daemon/vault_note.h"
#include "vault/seal/sha256_stream.h"

namespace cardvault::daemon {

using base::Code;

namespace {

namespace fs = std::filesystem;

constexpr auto kProgressPause = std::chrono::milliseconds(200);
constexpr auto kPublishPatience = std::chrono::seconds(10);  // it takes one as a rule
constexpr auto kPublishLook = std::chrono::milliseconds(50);
constexpr std::size_t kReadBytes = 1 << 16;

std::string snapshot_folder(const Config& config) { return config.data_dir + "/backup.part"; }
std::string record_of(const std::string& folder) { return folder + "/snapshot"; }

base::Result<std::string> file_digest(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  seal::Sha256Stream digest;
  std::vector<char> piece(kReadBytes);
  while (file) {
    file.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    digest.add(base::as_bytes({piece.data(), static_cast<std::size_t>(file.gcount())}));
  }
  if (!file.eof()) return base::fail(Code::kStoreFailed, "read snapshot");
  return core::to_hex(digest.finish());
}

std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream out;
  out << file.rdbuf();
  return out.str();
}

// Empty before the first one.
std::string read_checkpoint(const std::string& dir) {
  try {
    audit::DiskLogFiles files(dir);
    const auto note = files.read(std::string(audit::kCheckpointPath));
    return note && *note ? **note : "";
  } catch (const base::StartupError&) {
    return "";
  }
}

std::uint64_t size_of(const std::string& checkpoint) {
  const auto parsed = audit::parse_checkpoint_text(checkpoint);
  return parsed ? parsed->size : 0;
}

// The seal as a note of its own form: other programs read it line by line.
base::Result<std::string> sign_text(Vault& vault, const std::string& text) {
  const core::KeyRef signer = vault.services().keys.get(core::KeyPurpose::kAuditSign);
  const auto key = log_key(vault, signer);
  if (!key) return std::unexpected(key.error());
  const auto signature = vault.token().sign(signer, base::as_bytes(text));
  if (!signature) return std::unexpected(signature.error());
  return audit::format_note({text, {{key->name(), key->id(), key->note_form(*signature)}}});
}

class BackupVerbs {
 public:
  BackupVerbs(Vault& vault, const wire::AdminRequest& request, const std::string& operator_name,
              const EmitPart& emit)
      : vault_(vault), request_(request), operator_name_(operator_name), emit_(emit) {}

  wire::AdminAnswer snapshot();
  wire::AdminAnswer seal();
  wire::AdminAnswer leave();

 private:
  [[nodiscard]] std::string argument(std::string_view name) const {
    for (const auto& [key, value] : request_.arguments) {
      if (key == name) return value;
    }
    return "";
  }
  [[nodiscard]] core::Event event() const {
    core::Event event = vault_.system_event(request_.verb);
    event.actor = "operator:" + operator_name_;
    event.gate = "admin";
    return event;
  }
  [[nodiscard]] base::Result<void> record(core::Event event) {
    return vault_.commit([&](core::Transaction&, core::EventSink& events) -> base::Result<void> {
      events.add(event);
      return {};
    });
  }
  [[nodiscard]] base::Result<void> copy_databases(const std::string& target);

  Vault& vault_;
  const wire::AdminRequest& request_;
  const std::string& operator_name_;
  const EmitPart& emit_;
};

base::Result<void> BackupVerbs::copy_databases(const std::string& target) {
  auto last = std::chrono::steady_clock::now();
  return vault_.store().backup(target, [&](std::int64_t at, std::int64_t total) {
    const auto now = std::chrono::steady_clock::now();
    if (now - last < kProgressPause) return;
    last = now;
    wire::AdminAnswer part;
    part.columns = {"done", "total"};
    part.rows = {{std::to_string(at), std::to_string(total)}};
    static_cast<void>(emit_(std::move(part)));
  });
}

wire::AdminAnswer BackupVerbs::snapshot() {
  // What is committed up to here is to be in the checkpoint that the backup names.
  const std::uint64_t wanted = vault_.store().next_seq();
  if (auto ok = record(event()); !ok) return failed(ok.error());
  const std::string log = vault_.config().audit.dir;
  std::string checkpoint = read_checkpoint(log);
  const auto until = std::chrono::steady_clock::now() + kPublishPatience;
  while (size_of(checkpoint) < wanted) {
    if (std::chrono::steady_clock::now() > until) {
      return refusal(Code::kVaultUnavailable,
                     "the audit log in " + log +
                         " lacks what was done last, and a backup names what is published: start "
                         "the vault if it is stopped, or see `cardvault doctor`");
    }
    std::this_thread::sleep_for(kPublishLook);
    checkpoint = read_checkpoint(log);
  }
  const auto parsed = audit::parse_checkpoint_text(checkpoint);
  if (!parsed) {
    return refusal(Code::kVaultUnavailable, "there is no published log in " + log +
                                                " yet: start the vault, then back it up");
  }
  const std::string folder = snapshot_folder(vault_.config());
  std::error_code ignored;
  fs::remove_all(folder, ignored);  // of a tool that was killed
  if (::mkdir(folder.c_str(), 0700) != 0) {
    return refusal(Code::kStoreFailed, folder + " can't be made: look at [vault] data_dir");
  }
  BackupSeal seal;
  seal.log = parsed->origin;
  seal.checkpoint_size = parsed->size;
  seal.checkpoint_root = core::to_hex(parsed->root);
  auto done = copy_databases(folder);
  wire::AdminAnswer answer;
  answer.columns = {"what", "value", "more", "state"};
  for (const char* name : {"vault.db", "reveal.db"}) {
    if (!done) break;
    const std::string path = folder + "/" + name;
    const auto digest = file_digest(path);
    if (!digest) done = std::unexpected(digest.error());
    seal.files[name] = digest.value_or("");
    answer.rows.push_back(
        {"file", name, std::to_string(fs::file_size(path, ignored)), seal.files[name]});
  }
  if (!done) {
    fs::remove_all(folder, ignored);
    return failed(done.error());
  }
  seal.events = vault_.store().next_seq();
  seal.time = base::format_time(vault_.clock().now_ms());
  std::ofstream record_file(record_of(folder), std::ios::binary);
  record_file << encode(seal) << std::flush;
  if (!record_file) {
    fs::remove_all(folder, ignored);
    return refusal(Code::kStorageFull, "the disk is full: free space, then back it up");
  }
  for (const auto rows = vault_.key_rows(); const core::KeyRow& row : *rows) {
    answer.rows.push_back(
        {"key", core::key_label(row.key), row.kcv, std::string(key_state_name(row.state))});
  }
  answer.rows.push_back({"folder", folder, "", ""});
  answer.rows.push_back({"record", encode(seal), "", ""});
  answer.rows.push_back({"checkpoint", checkpoint, "", ""});
  return answer;
}

wire::AdminAnswer BackupVerbs::seal() {
  const std::string folder = snapshot_folder(vault_.config());
  core::Event done = event();
  const std::string text = read_text(record_of(folder));
  auto seal = parse_backup_seal(text);
  const std::string digest = argument("sha256");
  const bool this_one = seal && text == argument("record");
  if (!this_one || digest.size() != 64) {
    done.outcome = base::code_name(Code::kNotFound);
    if (auto ok = record(std::move(done)); !ok) return failed(ok.error());
    return refusal(Code::kNotFound,
                   "the snapshot that this backup was made of is gone (another backup was begun "
                   "meanwhile, or this one was left): back it up again");
  }
  seal->backup = digest;
  done.details = {{"sha256", digest},
                  {"checkpoint", std::to_string(seal->checkpoint_size)},
                  {"events", std::to_string(seal->events)}};
  auto note = sign_text(vault_, encode(*seal));
  if (!note) return failed(note.error());
  if (auto ok = record(std::move(done)); !ok) return failed(ok.error());
  std::error_code ignored;
  fs::remove_all(folder, ignored);
  wire::AdminAnswer answer;
  answer.columns = {"note"};
  answer.rows = {{std::move(*note)}};
  return answer;
}

wire::AdminAnswer BackupVerbs::leave() {
  const std::string folder = snapshot_folder(vault_.config());
  if (auto ok = record(event()); !ok) return failed(ok.error());
  std::error_code ignored;
  if (read_text(record_of(folder)) == argument("record")) fs::remove_all(folder, ignored);
  return success("");
}

}  // namespace

wire::AdminAnswer run_backup_verb(Vault& vault, const wire::AdminRequest& request,
                                  const std::string& operator_name, const EmitPart& emit) {
  static std::mutex one_step;  // of all operators' backups: there is one folder for a snapshot
  const std::scoped_lock lock(one_step);
  BackupVerbs verbs(vault, request, operator_name, emit);
  if (request.verb == "backup.snapshot") return verbs.snapshot();
  if (request.verb == "backup.seal") return verbs.seal();
  if (request.verb == "backup.leave") return verbs.leave();
  return refusal(Code::kInvalidArgument, "this vault does not know '" + request.verb + "'");
}

void forget_snapshot(const Vault& vault) {
  std::error_code ignored;
  fs::remove_all(snapshot_folder(vault.config()), ignored);
}

}  // namespace cardvault::daemon
