// What is done to a token's folder as a whole: copied, synced, overwritten.
#pragma once

#include <string>

namespace cardvault::provisioning {

// All throw ToolError(kLocal) with the path. Links are not followed and not copied: a token has
// none.

// Copies folders and regular files; the copies are this account's, 0700 and 0600. `to` must not
// exist.
void copy_folder(const std::string& from, const std::string& to);
// Gives every folder below `to` owner and mode of the folder `like`, and every file those of
// `like`'s token.object (or database), which every reader of the token reads.
void give_access_of(const std::string& like, const std::string& to);
// Every file, then every folder.
void sync_folder(const std::string& path);
void sync_directory(const std::string& path);
// Overwrites every file with zeros, syncs and removes it; then the folders. What the storage keeps
// of overwritten blocks (flash, copy-on-write) is beyond it. Nothing to do when there is no such
// folder.
void wipe_folder(const std::string& path);

}  // namespace cardvault::provisioning
