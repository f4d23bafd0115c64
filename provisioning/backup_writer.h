// A new file that is there as a whole or not at all, and its digest on the way.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "vault/seal/sha256_stream.h"

namespace cardvault::provisioning {

// Writes PATH.part, of which a killed process may leave some and the next one takes over; finish()
// gives it its name. Mode 0600. Every function throws ToolError(kLocal) with path and reason. One
// thread; one process per path.
class BackupWriter {
 public:
  // Refuses a PATH that is there.
  explicit BackupWriter(const std::string& path);
  // Removes what was not finished.
  ~BackupWriter();
  BackupWriter(const BackupWriter&) = delete;             // owns the file
  BackupWriter& operator=(const BackupWriter&) = delete;  // owns the file

  void write(std::span<const std::uint8_t> bytes);
  // SHA-256 of all that was written, in hex.
  [[nodiscard]] std::string digest() { return digest_text_.empty() ? spend() : digest_text_; }
  // Writes the rest, syncs, and names the file PATH; never over another one.
  void finish(std::string_view rest);

 private:
  [[noreturn]] void give_up(int error) const;
  [[nodiscard]] std::string spend();
  void put(std::span<const std::uint8_t> bytes);

  std::string path_, part_;
  int fd_ = -1;
  bool finished_ = false;
  seal::Sha256Stream digest_;
  std::string digest_text_;
};

}  // namespace cardvault::provisioning
