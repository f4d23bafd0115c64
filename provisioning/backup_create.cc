#include <algorithm>
#include <filesystem>
#include <fstream>
#include <optional>

#include "provisioning/backup.h"
#include "provisioning/backup_custody.h"
#include "provisioning/backup_file.h"
#include "provisioning/backup_stream.h"
#include "provisioning/backup_writer.h"
#include "provisioning/custody/envelope.h"
#include "provisioning/key_vault_line.h"
#include "provisioning/progress.h"
#include "vault/audit/note.h"
#include "vault/daemon/config.h"
#include "vault/daemon/key_states.h"
#include "vault/seal/sha256_stream.h"

namespace cardvault::provisioning {
namespace {

namespace fs = std::filesystem;

// What `backup.snapshot` answered.
struct Snapshot {
  std::string folder, record, checkpoint;
  std::vector<BackupPart> files;
  std::vector<std::pair<std::string, std::string>> keys;  // label and check value
};

// A part and where its bytes are: in memory, or in a file of the snapshot.
struct Source {
  BackupPart part;
  std::string text;
  std::string path;  // "": the text
};

Source from_text(std::string name, std::string text) {
  return {{std::move(name), text.size(), custody::sha256(text)}, std::move(text), ""};
}
Source from_file(std::string name, const std::string& path) {
  return from_text(std::move(name), custody::read_text_file(path));
}

// A file of any size: administrators put more beside the papers than the vault does.
Source from_paper(std::string name, const std::string& path) {
  constexpr std::uintmax_t kInMemory = 1U << 20U;
  const auto size = fs::file_size(path);
  if (size != 0 && size <= kInMemory) return from_file(std::move(name), path);
  seal::Sha256Stream digest;
  std::ifstream file(path, std::ios::binary);
  std::vector<char> piece(kChunkBytes);
  while (file) {
    file.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    digest.add(base::as_bytes({piece.data(), static_cast<std::size_t>(file.gcount())}));
  }
  return {{std::move(name), size, digest.finish()}, "", path};
}

bool is_symmetric(const std::string& label) {
  const auto key = daemon::parse_key(label);
  return key && !core::is_signature(key->purpose);
}

// Each key that a row can stand under must be in the backup, or its rows would be lost with it.
void check_wrapped(const custody::WrappedKeys& wrapped, const std::string& label,
                   const std::string& kcv) {
  const auto key = std::ranges::find(wrapped.keys, label, &hsm::WrappedKey::label);
  const bool there = key != wrapped.keys.end();
  if (there && (key->kcv == kcv || key->kcv.empty() || kcv.empty())) return;
  throw ToolError(ExitCode::kRefused,
                  "custody/wrapped-keys has " + std::string(there ? "another " : "no ") + label +
                      ", so a backup could not bring its rows back: rotate that key with the "
                      "custodians present (cardvault key rotate), rewrap, and retire this version");
}

Snapshot take_snapshot(const Context& context) {
  const wire::AdminAnswer answer = ask_apart(context, "backup.snapshot", {});
  if (!answer.ok) throw ToolError(ExitCode::kRefused, answer.message);
  Snapshot out;
  for (const auto& row : answer.rows) {
    if (row.size() != 4)
      throw ToolError(ExitCode::kUnreachable, "the vault's answer does not read");
    if (row[0] == "folder") out.folder = row[1];
    if (row[0] == "record") out.record = row[1];
    if (row[0] == "checkpoint") out.checkpoint = row[1];
    if (row[0] == "file") {
      const auto digest = custody::digest_from_hex(row[3]);
      if (!digest) throw ToolError(ExitCode::kUnreachable, "the vault's answer does not read");
      out.files.push_back({row[1], std::stoull(row[2]), *digest});
    }
    if (row[0] == "key" && row[3] != "destroyed" && is_symmetric(row[1])) {
      out.keys.emplace_back(row[1], row[2]);
    }
  }
  return out;
}

// The configuration, and all of the custodians' papers but the newest transcript and the register.
std::vector<Source> sealed_parts(const Context& context, const Custody& custody,
                                 const Snapshot& snapshot) {
  std::vector<Source> out;
  for (const BackupPart& file : snapshot.files) {
    out.push_back({file, "", snapshot.folder + "/" + file.name});
  }
  const fs::path config = fs::absolute(context.config);
  out.push_back(from_file("config/vault.toml", config));
  for (const auto& entry : fs::directory_iterator(config.parent_path())) {
    const std::string name = entry.path().filename();
    const bool gate = name.starts_with("gate-") && name.ends_with(".toml");
    if (!gate || !entry.is_regular_file() || !valid_part_name(name)) continue;
    out.push_back(from_paper("config/" + name, entry.path()));
  }
  for (const auto& entry : fs::directory_iterator(custody.folder)) {
    const std::string name = entry.path().filename();
    const bool clear = entry.path() == custody.newest || name == "custodians";
    if (clear || !entry.is_regular_file() || !valid_part_name(name)) continue;
    out.push_back(from_paper("custody/" + name, entry.path()));
  }
  return out;
}

class Sealing {
 public:
  Sealing(BackupWriter& writer, const base::SecretBuffer& key, const BackupHeader& header)
      : writer_(writer),
        cipher_(key, custody::sha256(encode(header))),
        chunks_(chunks_of(header.plain_size())) {
    buffer_.reserve(kChunkBytes);
  }

  void add(std::span<const std::uint8_t> bytes) {
    while (!bytes.empty()) {
      if (buffer_.size() == kChunkBytes) flush(false);
      const auto size = std::min(bytes.size(), kChunkBytes - buffer_.size());
      buffer_.insert(buffer_.end(), bytes.begin(), bytes.begin() + static_cast<long>(size));
      bytes = bytes.subspan(size);
    }
  }
  void end() { flush(true); }
  [[nodiscard]] std::uint64_t done() const { return done_; }
  [[nodiscard]] std::uint64_t chunks() const { return chunks_; }

 private:
  void flush(bool last) {
    writer_.write(cipher_.seal(buffer_, last));
    buffer_.clear();
    ++done_;
  }
  BackupWriter& writer_;
  ChunkCipher cipher_;
  std::uint64_t chunks_, done_ = 0;
  std::vector<std::uint8_t> buffer_;
};

void seal_file(const Source& source, Sealing& sealing, Progress& progress) {
  if (source.path.empty()) return sealing.add(base::as_bytes(source.text));
  std::ifstream file(source.path, std::ios::binary);
  std::vector<char> piece(kChunkBytes);
  std::uint64_t size = 0;
  while (file) {
    file.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    const auto got = static_cast<std::size_t>(file.gcount());
    size += got;
    if (size > source.part.size) break;
    sealing.add(base::as_bytes({piece.data(), got}));
    progress.show(sealing.done(), sealing.chunks());
  }
  if (size != source.part.size) {
    throw ToolError(ExitCode::kLocal, source.path +
                                          ": it can't be read to its end as the vault wrote it; "
                                          "run this as root or as the vault's own account");
  }
}

// All but the signature.
void write_backup(const Context& context, const Custody& custody, const Snapshot& snapshot,
                  BackupWriter& writer) {
  const auto recipient = custody::parse_public_key(custody.recipient);
  if (!recipient) throw ToolError(ExitCode::kRefused, "the ceremony's recipient key does not read");
  base::SecretBuffer key(32);
  custody::fill_random(key);
  auto file_key = custody::seal_envelope(*recipient, key);
  if (!file_key) throw ToolError(ExitCode::kLocal, "the file's key can't be sealed");
  BackupHeader header;
  header.vault = custody.vault;
  header.made = daemon::parse_backup_seal(snapshot.record).value_or(daemon::BackupSeal{}).time;
  header.recipient = custody.recipient;
  header.split = custody.wrapped.split;
  header.file_key = std::move(*file_key);
  const std::vector<Source> clear = {
      from_file("custody/" + fs::path(custody.newest).filename().string(), custody.newest),
      from_file("custody/custodians", custody.folder + "/custodians"),
      from_text("checkpoint", snapshot.checkpoint)};
  const std::vector<Source> sealed = sealed_parts(context, custody, snapshot);
  for (const Source& one : clear) header.clear.push_back(one.part);
  for (const Source& one : sealed) header.members.push_back(one.part);
  writer.write(base::as_bytes(encode(header)));
  for (const Source& one : clear) writer.write(base::as_bytes(one.text));
  Sealing sealing(writer, key, header);
  Progress progress(context.err, context.err_is_terminal, "backup");
  for (const Source& one : sealed) seal_file(one, sealing, progress);
  sealing.end();
}

ExitCode report(const Context& context, const std::string& file, const std::string& text) {
  const auto note = audit::parse_note(text);
  const auto seal = note ? daemon::parse_backup_seal(note->text) : std::nullopt;
  if (!seal) throw ToolError(ExitCode::kUnreachable, "the vault's answer does not read");
  wire::AdminAnswer answer;
  answer.columns = {"field", "value"};
  answer.rows = {{"file", file},
                 {"time", seal->time},
                 {"log", seal->log},
                 {"published events", std::to_string(seal->checkpoint_size)},
                 {"sha256", seal->backup}};
  render(context.out, context.format, answer);
  context.err << "cardvault: try it now and then: cardvault backup verify " << file
              << " --key audit.vkey --open\n";
  return ExitCode::kDone;
}

}  // namespace

ExitCode create_backup(const Context& context, const std::string& file) {
  const auto custody = read_custody(daemon::read_config(context.config).unseal.custody_dir);
  if (!custody) {
    throw ToolError(ExitCode::kRefused,
                    "this vault's custodians have no backup key, so nobody could open its backup: "
                    "only a vault that a ceremony made with a backup-key has one (docs/backup.md). "
                    "`cardvault backup copy` copies the databases alone");
  }
  BackupWriter writer(file);
  const Snapshot snapshot = take_snapshot(context);
  std::string note;
  try {
    for (const auto& [label, kcv] : snapshot.keys) check_wrapped(custody->wrapped, label, kcv);
    write_backup(context, *custody, snapshot, writer);
    const wire::AdminAnswer sealed = ask_apart(
        context, "backup.seal", {{"record", snapshot.record}, {"sha256", writer.digest()}});
    if (!sealed.ok) throw ToolError(ExitCode::kRefused, sealed.message);
    note = sealed.rows.at(0).at(0);
    writer.finish(note);
  } catch (...) {
    try {
      static_cast<void>(ask_apart(context, "backup.leave", {{"record", snapshot.record}}));
    } catch (const base::StartupError&) {
      // It goes when the vault starts, or with the next backup.
    }
    throw;
  }
  return report(context, file, note);
}

}  // namespace cardvault::provisioning
