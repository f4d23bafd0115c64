#include "tests/unit/store/fault_vfs.h"

#include <sqlite3.h>

#include <cstring>

namespace cardvault::store {
namespace {

// SQLite allocates szOsFile bytes: ours in front, the wrapped file behind.
struct File {
  sqlite3_file base;
  sqlite3_file* inner() { return reinterpret_cast<sqlite3_file*>(this + 1); }
};

sqlite3_vfs* inner_vfs() {
  static sqlite3_vfs* const found = sqlite3_vfs_find(nullptr);
  return found;
}
sqlite3_file* inner(sqlite3_file* file) { return reinterpret_cast<File*>(file)->inner(); }

int fault(const std::atomic<int>& always) {
  Faults& state = faults();
  const int call = state.calls++;
  const int until = state.calls_until_fault;
  if (until >= 0 && call >= until) return SQLITE_IOERR_WRITE;
  return always;
}

int close(sqlite3_file* f) { return inner(f)->pMethods->xClose(inner(f)); }
int read(sqlite3_file* f, void* data, int n, sqlite3_int64 at) {
  return inner(f)->pMethods->xRead(inner(f), data, n, at);
}
int write(sqlite3_file* f, const void* data, int n, sqlite3_int64 at) {
  if (const int code = fault(faults().write_error); code != SQLITE_OK) {
    // A torn write: half of it arrives.
    (void)inner(f)->pMethods->xWrite(inner(f), data, n / 2, at);
    return code;
  }
  return inner(f)->pMethods->xWrite(inner(f), data, n, at);
}
int truncate(sqlite3_file* f, sqlite3_int64 size) {
  return inner(f)->pMethods->xTruncate(inner(f), size);
}
int sync(sqlite3_file* f, int flags) {
  if (const int code = fault(faults().sync_error); code != SQLITE_OK) return code;
  return inner(f)->pMethods->xSync(inner(f), flags);
}
int file_size(sqlite3_file* f, sqlite3_int64* size) {
  return inner(f)->pMethods->xFileSize(inner(f), size);
}
int lock(sqlite3_file* f, int level) { return inner(f)->pMethods->xLock(inner(f), level); }
int unlock(sqlite3_file* f, int level) { return inner(f)->pMethods->xUnlock(inner(f), level); }
int reserved(sqlite3_file* f, int* out) {
  return inner(f)->pMethods->xCheckReservedLock(inner(f), out);
}
int control(sqlite3_file* f, int op, void* arg) {
  return inner(f)->pMethods->xFileControl(inner(f), op, arg);
}
int sector_size(sqlite3_file* f) { return inner(f)->pMethods->xSectorSize(inner(f)); }
int traits(sqlite3_file* f) { return inner(f)->pMethods->xDeviceCharacteristics(inner(f)); }
int shm_map(sqlite3_file* f, int page, int size, int extend, void volatile** out) {
  return inner(f)->pMethods->xShmMap(inner(f), page, size, extend, out);
}
int shm_lock(sqlite3_file* f, int offset, int n, int flags) {
  return inner(f)->pMethods->xShmLock(inner(f), offset, n, flags);
}
void shm_barrier(sqlite3_file* f) { inner(f)->pMethods->xShmBarrier(inner(f)); }
int shm_unmap(sqlite3_file* f, int remove) {
  return inner(f)->pMethods->xShmUnmap(inner(f), remove);
}

const sqlite3_io_methods kMethods = {2,           close,       read,    write,   truncate,
                                     sync,        file_size,   lock,    unlock,  reserved,
                                     control,     sector_size, traits,  shm_map, shm_lock,
                                     shm_barrier, shm_unmap,   nullptr, nullptr};

int open(sqlite3_vfs*, const char* name, sqlite3_file* f, int flags, int* out_flags) {
  f->pMethods = nullptr;
  const int code = inner_vfs()->xOpen(inner_vfs(), name, inner(f), flags, out_flags);
  if (code == SQLITE_OK) f->pMethods = &kMethods;
  return code;
}

}  // namespace

Faults& faults() {
  static Faults state;
  return state;
}

const char* faulty_vfs() {
  static sqlite3_vfs vfs = [] {
    sqlite3_vfs made = *inner_vfs();
    made.pNext = nullptr;
    made.zName = "faulty";
    made.szOsFile = static_cast<int>(sizeof(File)) + inner_vfs()->szOsFile;
    made.xOpen = open;
    return made;
  }();
  static const int registered = sqlite3_vfs_register(&vfs, 0);
  return registered == SQLITE_OK ? vfs.zName : nullptr;
}

}  // namespace cardvault::store
