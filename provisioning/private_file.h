// Files that only one account may read: made exclusively, never through a link, complete or absent.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace cardvault::provisioning {

// Who owns a file; -1 keeps what is.
struct Owner {
  std::int64_t uid = -1;
  std::int64_t gid = -1;
};

// Creates a file that must not exist (O_EXCL, O_NOFOLLOW) with this content and mode, and syncs it.
// Throws ToolError(kLocal) with path and reason.
void create_file(const std::string& path, std::string_view content, unsigned mode,
                 const Owner& owner);

// Creates a folder that must not exist.
void create_folder(const std::string& path, unsigned mode, const Owner& owner);

// Creates those on the way to `path` that are missing, open to every account (0755) whatever this
// one's mask is: the vault's processes, accounts of their own, pass through. True: it made `path`.
bool create_folders(const std::string& path);

// Gives a file or folder another owner and mode; links are not followed.
void set_access(const std::string& path, unsigned mode, const Owner& owner);

// Access for a whole tree: folders and files each.
void set_tree_access(const std::string& path, unsigned folder_mode, unsigned file_mode,
                     const Owner& owner);

// The uid of "61001" or of a login name, with that account's group. Throws ToolError(kUsage).
[[nodiscard]] Owner account(const std::string& user);

}  // namespace cardvault::provisioning
