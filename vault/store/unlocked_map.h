// A process that locks its memory must not lock the databases with it.
#pragma once

namespace cardvault::store {

// From now on SQLite's maps of files are not locked into memory: they hold nothing but ciphertext,
// their pages go back to their file and never to swap, and a database may be larger than memory.
// Before a database is opened; thread-safe.
void leave_maps_unlocked();

}  // namespace cardvault::store
