// Files on a custodian's medium, and others that must be new, whole and on the disk.
#pragma once

#include <string>
#include <string_view>

namespace cardvault::custody {

// Creates a file that must not exist (O_EXCL, no links, mode 0600), writes it, syncs it and its
// folder, and reads it back from the device. 0, or the errno: ENOSPC on a full medium, ENOENT or
// EIO on one that was removed, EEXIST, EBADMSG when what was read back is something else. After any
// but EEXIST no file is left, as far as the medium still lets itself be written.
[[nodiscard]] int write_new_file(const std::string& path, std::string_view content);

// Appends a line, durably, to a file that all may read; a file that ends within one, after a power
// loss, goes on in the next. Of several at once each waits for the one before (flock). 0, or the
// errno: then nothing was appended, as far as the file still lets itself be cut.
[[nodiscard]] int append_line(const std::string& path, std::string_view line);

// What happened and what to do, for a person.
[[nodiscard]] std::string explain_write(int error);

// Whether two paths are on one file system: then a "medium" is none.
[[nodiscard]] bool same_device(const std::string& one, const std::string& other);

}  // namespace cardvault::custody
