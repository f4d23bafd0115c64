#include "provisioning/restore_stage.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include "provisioning/backup_custody.h"
#include "provisioning/backup_key.h"
#include "provisioning/config_file.h"
#include "provisioning/exit_code.h"
#include "provisioning/init_stage.h"
#include "provisioning/key_backup.h"
#include "provisioning/key_folder_files.h"
#include "provisioning/key_restore_proof.h"
#include "provisioning/private_file.h"
#include "provisioning/progress.h"
#include "provisioning/restore_config.h"
#include "provisioning/restore_token.h"
#include "vault/audit/checkpoint.h"
#include "vault/base/clock.h"
#include "vault/custody/lines.h"
#include "vault/custody/medium.h"
#include "vault/daemon/bounds.h"
#include "vault/daemon/config.h"

namespace cardvault::provisioning {
namespace {

namespace fs = std::filesystem;
using core::KeyPurpose;
using core::KeyState;

// Those whose restored versions only decrypt, and those that are never restored.
bool is_made_anew(KeyPurpose purpose) {
  return core::is_signature(purpose) || purpose == KeyPurpose::kPanEnc ||
         purpose == KeyPurpose::kIdEnc || purpose == KeyPurpose::kSecretEnc;
}

std::vector<core::KeyRef> next_versions(const std::vector<core::KeyRow>& rows) {
  std::vector<core::KeyRef> out;
  for (const KeyPurpose purpose : core::kAllKeyPurposes) {
    if (!is_made_anew(purpose)) continue;
    std::uint32_t newest = 0;
    for (const core::KeyRow& row : rows) {
      if (row.key.purpose == purpose) newest = std::max(newest, row.key.version);
    }
    out.push_back({purpose, newest + 1});
  }
  return out;
}

// The register from now on: what was restored, what is lost with the old token, what was made.
std::vector<core::KeyRow> new_register(std::vector<core::KeyRow> rows,
                                       const std::vector<core::KeyRef>& fresh,
                                       const std::vector<hsm::KeyReport>& reports,
                                       std::int64_t now_ms) {
  for (core::KeyRow& row : rows) {
    if (core::is_signature(row.key.purpose)) {
      row.state = KeyState::kDestroyed;
    } else if (row.state == KeyState::kActive && is_made_anew(row.key.purpose)) {
      row.state = KeyState::kDecryptOnly;
    }
  }
  for (const core::KeyRef key : fresh) {
    const auto report = std::ranges::find(reports, core::key_label(key), &hsm::KeyReport::label);
    rows.push_back({key, KeyState::kActive, report == reports.end() ? "" : report->kcv, now_ms, 0});
  }
  return rows;
}

// "bank.kz/vault/since-20261122-0123abcd": no two restores have one name, whatever they are of.
std::string new_origin(std::string old, std::int64_t now_ms) {
  if (const auto since = old.rfind("/since-"); since != std::string::npos) old.resize(since);
  std::array<std::uint8_t, 4> random{};
  custody::fill_random(random);
  std::string day = base::format_time(now_ms).substr(0, 10);
  std::erase(day, '-');
  return old + "/since-" + day + "-" + custody::hex(random);
}

// The key that the checkpoint is by, as text.
std::string signer_of(const std::string& checkpoint, const std::vector<std::string>& keys) {
  for (const std::string& key : keys) {
    const audit::VerifierKey one = read_verifier_key(key);
    if (audit::open_checkpoint(checkpoint, one).trust == audit::Trust::kGood) return one.text();
  }
  throw ToolError(ExitCode::kRefused,
                  "no key given has signed the checkpoint that the log is to continue: name that "
                  "version's audit.vkey with --key too");
}

}  // namespace

RestoreStage::RestoreStage(const Context& context, custody::Terminal& terminal,
                           const BackupFile& backup, const BackupPeople& people, NewVault vault,
                           std::string stage)
    : context_(context),
      terminal_(terminal),
      backup_(backup),
      people_(people),
      vault_(std::move(vault)),
      stage_(std::move(stage)) {}

// The new token gets the lost one's PINs: every share that a custodian holds stays what it is.
RestoreStage::Secrets RestoreStage::gather() {
  Desk desk(terminal_, people_.plan);
  const custody::ShareRegister shares(people_.transcript);
  terminal_.say("The backup of " + backup_.header().made +
                " is restored. First the custodians open it.");
  Secrets out;
  out.backup_key = rebuild_backup_key(desk, people_, backup_.header());
  terminal_.say("Now the PINs, which the new token gets, so that all shares stay good.");
  const auto so_pin = desk.rebuild(shares, custody::SecretName::kSoPin);
  const auto user_pin = desk.rebuild(shares, custody::SecretName::kUserPin);
  out.so_pin = base::SecretText(base::as_text(so_pin));
  out.user_pin = base::SecretText(base::as_text(user_pin));
  return out;
}

void RestoreStage::unpack(const base::SecretBuffer& backup_key) {
  for (const char* folder : {"config", "custody", "data"}) create_folder(file(folder), 0700, {});
  for (const BackupPart& part : backup_.header().clear) {
    if (part.name.starts_with("custody/")) {
      create_file(file(part.name), backup_.clear(part.name), 0644, {});
    }
  }
  std::ofstream out;
  std::string path;
  const auto demand = [&] {
    if (out) return;
    throw ToolError(ExitCode::kLocal, path + ": " + custody::explain_write(errno));
  };
  Progress progress(context_.err, context_.err_is_terminal, "opening");
  const BackupFile::Taker taker{[&](const BackupPart& part) {
                                  const bool data = part.name.find('/') == std::string::npos;
                                  path = file(data ? "data/" + part.name : part.name);
                                  create_file(path, "", 0600, {});
                                  out = std::ofstream(path, std::ios::binary);
                                  demand();
                                },
                                [&](std::span<const std::uint8_t> piece) {
                                  out.write(reinterpret_cast<const char*>(piece.data()),
                                            static_cast<std::streamsize>(piece.size()));
                                  demand();
                                },
                                [&] {
                                  out.close();
                                  demand();
                                }};
  backup_.open(backup_opener(backup_key, backup_.header().vault).get(), taker,
               [&](std::uint64_t done, std::uint64_t all) { progress.show(done, all); });
}

std::vector<hsm::WrappedKey> RestoreStage::keys_to_bring(
    const std::vector<core::KeyRow>& rows) const {
  const std::string path = file("custody/wrapped-keys");
  const auto wrapped = custody::parse_wrapped_keys(path, custody::read_text_file(path));
  std::vector<hsm::WrappedKey> out;
  for (const core::KeyRow& row : rows) {
    if (row.state == KeyState::kDestroyed || core::is_signature(row.key.purpose)) continue;
    std::string second = core::key_label(row.key);
    second.insert(second.find('/'), "-mac");
    bool found = false;
    for (const hsm::WrappedKey& key : wrapped.keys) {
      if (key.label == second) out.push_back(key);
      if (key.label != core::key_label(row.key)) continue;
      found = key.kcv.empty() || row.kcv.empty() || key.kcv == row.kcv;
      out.push_back(key);
    }
    if (!found) {
      throw ToolError(ExitCode::kRefused, "the backup lacks the key " + core::key_label(row.key) +
                                              ", or has another one of that name");
    }
  }
  return out;
}

void RestoreStage::write_configuration(const std::string& uri,
                                       const core::SigningPublicKey& audit_key,
                                       const std::string& origin) {
  const std::string place = people_.plan.custodians_unseal
                                ? uri
                                : uri + "?pin-source=file:" + uri_encode(vault_.layout.pin());
  const std::string old_file = file("config/vault.toml");
  create_file(file("vault.toml"),
              restored_vault_toml(custody::read_text_file(old_file), vault_, place, origin), 0644,
              {});
  const daemon::Config old = daemon::read_config(old_file);
  const std::string old_dir =
      people_.plan.config_dir.empty()
          ? (fs::path(old.data_dir) / "..").lexically_normal().parent_path().string()
          : people_.plan.config_dir;
  for (const NewGate& gate : vault_.gates) {
    const std::string name = "gate-" + gate.name + ".toml";
    const std::string text =
        fs::exists(file("config/" + name))
            ? restored_gate_toml(custody::read_text_file(file("config/" + name)), vault_, old_dir)
            : gate_toml(vault_, gate);
    create_file(file(name), text, 0644, {});
  }
  create_file(file("softhsm2.conf"), hsm::softhsm_conf_text(vault_.layout.token()), 0644, {});
  create_file(file("audit.vkey"), audit::VerifierKey(origin, audit_key).text() + "\n", 0644, {});
  // What the daemon would refuse is found here, not on the day it starts.
  static_cast<void>(daemon::read_config(file("vault.toml")));
}

void RestoreStage::keep_papers(const RestoredVault& record) {
  const std::string stem = "custody/restore-" + backup_.seal().backup.substr(0, 16);
  const Quorum& quorum = record.quorum;
  create_file(file(stem + ".action"), quorum.action, 0644, {});
  for (std::size_t i = 0; i < quorum.approvals.size(); ++i) {
    create_file(file(stem + "." + std::to_string(i + 1) + ".approval"), quorum.approvals[i], 0644,
                {});
  }
  create_file(file(stem + ".vkey"), record.old_key + "\n", 0644, {});
  create_file(file(stem + ".checkpoint"), record.last.note, 0644, {});
  for (const auto& entry : fs::directory_iterator(file("custody"))) {
    if (entry.path().filename() != "wrapped-keys") set_access(entry.path(), 0644, {});
  }
  set_access(file("custody"), 0755, {});
}

void RestoreStage::run(const LastKnown& last, const Quorum& quorum,
                       const std::vector<std::string>& keys, std::int64_t now_ms) {
  const Secrets secrets = gather();
  wipe_folder(stage_);
  create_folder(stage_, 0700, {});
  unpack(secrets.backup_key);
  const auto rows = read_key_register(file("data"));
  const auto wrapped = keys_to_bring(rows);
  const auto fresh = next_versions(rows);
  terminal_.say("The token \"" + vault_.label + "\" is made, and " +
                std::to_string(wrapped.size()) + " keys are brought back on it.");
  const auto restored = restore_token(vault_, stage_, secrets.so_pin, secrets.user_pin, wrapped,
                                      fresh, secrets.backup_key);
  prove_restore(restored.wrapped, secrets.backup_key);
  add_wrapped_keys(file("custody/wrapped-keys"), restored.wrapped);
  RestoredVault record;
  record.operator_name = context_.operator_name.empty() ? login_name() : context_.operator_name;
  record.backup_ms = custody::parse_time(backup_.header().made).value_or(0);
  record.now_ms = std::max(now_ms, record.backup_ms);
  record.lock_s = daemon::read_config(file("config/vault.toml")).settings.attempts.lock_s;
  record.keys = new_register(rows, fresh, restored.fresh, record.now_ms);
  record.fresh = restored.fresh;
  record.backup = backup_.seal().backup;
  record.old_log = backup_.seal().log;
  record.old_key = signer_of(last.note, keys);
  record.last = last;
  record.quorum = quorum;
  write_configuration(restored.uri, restored.audit_key, new_origin(record.old_log, record.now_ms));
  record.bounds = daemon::bounds_of(daemon::read_config(file("vault.toml")));
  rewrite_records(file("data"), record);
  if (!people_.plan.custodians_unseal) {
    create_file(file("pin"), secrets.user_pin.expose(), 0400, {});
  }
  keep_papers(record);
  set_owners(vault_, stage_);
  fs::remove_all(file("config"));
  ::sync();
  create_file(file("ready"), record.backup, 0600, {});
  sync_directory(stage_);
}

}  // namespace cardvault::provisioning
