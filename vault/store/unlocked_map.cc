#include "vault/store/unlocked_map.h"

#include <sqlite3.h>
#include <sys/mman.h>

#include "vault/base/check.h"

namespace cardvault::store {
namespace {

// A map that grows (mremap) stays as it is, unlocked.
void* map_unlocked(void* at, std::size_t size, int protection, int flags, int fd, off_t offset) {
  void* mapped = ::mmap(at, size, protection, flags, fd, offset);
  if (mapped != MAP_FAILED) ::munlock(mapped, size);
  return mapped;
}

}  // namespace

void leave_maps_unlocked() {
  static const int done = [] {
    sqlite3_vfs* vfs = sqlite3_vfs_find("unix");
    return vfs->xSetSystemCall(vfs, "mmap", reinterpret_cast<sqlite3_syscall_ptr>(&map_unlocked));
  }();
  CARDVAULT_CHECK(done == SQLITE_OK);
}

}  // namespace cardvault::store
