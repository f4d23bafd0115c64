// Memory that never goes to swap, where a card number would outlive the process.
#pragma once

namespace cardvault::sandbox {

// Locks all memory of this process, what it maps later included, each page when it is first used
// (mlockall(2), MCL_ONFAULT). Takes a process that may lock without limit: RLIMIT_MEMLOCK infinite
// (LimitMEMLOCK= of a unit), or CAP_IPC_LOCK; else it logs what to do and locks nothing, for a
// later mapping over the limit would fail. Whoever maps large files unlocks them. Sanitizer builds
// lock nothing (kConfined). Before any thread.
void lock_memory();

}  // namespace cardvault::sandbox
