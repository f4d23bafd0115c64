#include "provisioning/backup_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "provisioning/auditor/published_log.h"
#include "provisioning/backup_key.h"
#include "provisioning/backup_stream.h"
#include "provisioning/custody/envelope.h"
#include "provisioning/exit_code.h"
#include "vault/audit/checkpoint.h"
#include "vault/core/text_form.h"
#include "vault/seal/sha256_stream.h"

namespace cardvault::provisioning {
namespace {

constexpr std::size_t kPiece = 1 << 18;

}  // namespace

audit::VerifierKey read_verifier_key(const std::string& key) {
  std::error_code ignored;
  const bool from_file = std::filesystem::exists(key, ignored);
  std::string text = from_file ? auditor::read_file(key) : key;
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  auto parsed = audit::VerifierKey::parse(text);
  if (!parsed) {
    throw ToolError(from_file ? ExitCode::kLocal : ExitCode::kUsage,
                    key + ": no verification key as in audit.vkey");
  }
  return std::move(*parsed);
}

BackupFile::BackupFile(const std::string& path)
    : path_(path), fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
  if (fd_ < 0) throw ToolError(ExitCode::kLocal, path + ": " + std::strerror(errno));
  try {
    read_header();
  } catch (...) {
    ::close(fd_);
    throw;
  }
}

BackupFile::~BackupFile() { ::close(fd_); }

void BackupFile::refuse(const std::string& why) const {
  throw ToolError(ExitCode::kRefused, path_ + ": " + why);
}

void BackupFile::read_at(std::uint64_t at, std::span<std::uint8_t> out) const {
  while (!out.empty()) {
    const ssize_t n = ::pread(fd_, out.data(), out.size(), static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw ToolError(ExitCode::kLocal, path_ + ": " + std::strerror(errno));
    if (n == 0) refuse("it ends early, at byte " + std::to_string(at) + ": it was cut");
    out = out.subspan(static_cast<std::size_t>(n));
    at += static_cast<std::uint64_t>(n);
  }
}

std::string BackupFile::text_at(std::uint64_t at, std::uint64_t size) const {
  std::string out(size, '\0');
  read_at(at, {reinterpret_cast<std::uint8_t*>(out.data()), out.size()});
  return out;
}

void BackupFile::read_header() {
  struct stat status{};
  if (::fstat(fd_, &status) != 0 || !S_ISREG(status.st_mode)) refuse("it is no file");
  size_ = static_cast<std::uint64_t>(status.st_size);
  std::string head = text_at(0, std::min<std::uint64_t>(size_, kMaxHeader));
  const auto last = head.find("\nsealed: ");
  const auto end = last == std::string::npos ? last : head.find('\n', last + 1);
  if (end == std::string::npos) refuse("it is no backup of a card vault, or was cut in its header");
  head_ = head.substr(0, end + 1);
  header_ = parse_backup_header(path_, head_);
  sealed_at_ = head_.size();
  for (const BackupPart& part : header_.clear) {
    if (part.size > kMaxClearPart) refuse(part.name + " is too large");
    clear_.push_back(text_at(sealed_at_, part.size));
    sealed_at_ += part.size;
  }
  note_at_ = sealed_at_ + sealed_size(header_.plain_size());
  if (note_at_ >= size_) {
    refuse("it ends early: it has " + std::to_string(size_) + " bytes, and " +
           std::to_string(note_at_) + " and a signature belong to it; it was cut");
  }
  if (size_ - note_at_ > kMaxNote) refuse("something was put behind its end");
  note_ = text_at(note_at_, size_ - note_at_);
  const auto note = audit::parse_note(note_);
  const auto seal = note ? daemon::parse_backup_seal(note->text) : std::nullopt;
  if (!seal) refuse("its signature can't be read: it was changed or cut");
  seal_ = *seal;
}

std::string BackupFile::clear(std::string_view name) const {
  for (std::size_t i = 0; i < header_.clear.size(); ++i) {
    if (header_.clear[i].name == name) return clear_[i];
  }
  return "";
}

void BackupFile::check(const std::vector<std::string>& keys, const Show& show) const {
  const auto note = audit::parse_note(note_);
  const auto by = [&](const std::string& key) {
    const audit::VerifierKey one = read_verifier_key(key);
    return one.name() == seal_.log && audit::signed_by(*note, one) == audit::Signed::kByKey;
  };
  if (!std::ranges::any_of(keys, by)) {
    refuse("no key given has signed it: it is another vault's (it says \"" +
           auditor::printable(seal_.log) + "\"), a later key's, or forged");
  }
  seal::Sha256Stream digest;
  std::vector<std::uint8_t> piece(kPiece);
  for (std::uint64_t at = 0; at < note_at_;) {
    const auto size = std::min<std::uint64_t>(piece.size(), note_at_ - at);
    const std::span<std::uint8_t> part(piece.data(), size);
    read_at(at, part);
    digest.add(part);
    at += size;
    if (show) show(at, note_at_);
  }
  if (core::to_hex(digest.finish()) != seal_.backup) {
    refuse("it is not the file that the vault signed: bytes of it were changed");
  }
  for (std::size_t i = 0; i < clear_.size(); ++i) {
    if (custody::sha256(clear_[i]) != header_.clear[i].digest) {
      refuse(header_.clear[i].name + " in it is not what its header says");
    }
  }
  for (const auto& [name, wanted] : seal_.files) {
    const auto part = std::ranges::find(header_.members, name, &BackupPart::name);
    if (part == header_.members.end() || custody::hex(part->digest) != wanted) {
      refuse("the " + name + " in it is not the one that the vault took and signed");
    }
  }
}

void BackupFile::open(EVP_PKEY* opener, const Taker& take, const Show& show) const {
  const auto file_key = custody::open_envelope(opener, header_.file_key);
  if (!file_key || file_key->size() != 32) {
    refuse(
        "the backup key does not open it: it is another vault's, or was made before the "
        "custodians had this one");
  }
  ChunkCipher cipher(*file_key, custody::sha256(head_));
  const std::uint64_t plain = header_.plain_size(), chunks = chunks_of(plain);
  std::size_t member = 0;
  std::uint64_t left = 0;
  seal::Sha256Stream digest;
  const auto step = [&] {  // to the next member that has bytes
    while (left == 0) {
      if (member != 0) {
        const BackupPart& done = header_.members[member - 1];
        if (digest.finish() != done.digest) {
          refuse(done.name + " in it is not what its header says");
        }
        take.end();
      }
      if (member == header_.members.size()) return;
      digest = seal::Sha256Stream();
      take.begin(header_.members[member]);
      left = header_.members[member++].size;
    }
  };
  step();
  std::vector<std::uint8_t> sealed(kChunkBytes + kChunkTag);
  for (std::uint64_t i = 0; i < chunks; ++i) {
    const bool last = i + 1 == chunks;
    const auto size = static_cast<std::size_t>(
        (last ? plain - i * kChunkBytes : std::uint64_t{kChunkBytes}) + kChunkTag);
    const std::span<std::uint8_t> chunk(sealed.data(), size);
    read_at(sealed_at_ + i * (kChunkBytes + kChunkTag), chunk);
    const auto opened = cipher.open(chunk, last);
    if (!opened) refuse("chunk " + std::to_string(i) + " was changed, moved or left out");
    for (std::span<const std::uint8_t> rest(*opened); !rest.empty();) {
      const auto part =
          rest.first(static_cast<std::size_t>(std::min<std::uint64_t>(left, rest.size())));
      digest.add(part);
      take.piece(part);
      left -= part.size();
      rest = rest.subspan(part.size());
      if (left == 0) step();
    }
    if (show) show(i + 1, chunks);
  }
}

}  // namespace cardvault::provisioning
