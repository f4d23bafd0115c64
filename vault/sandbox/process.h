// What a process that holds secrets gives up before it touches one.
#pragma once

namespace cardvault::sandbox {

// Not dumpable, so that nobody of the same user traces it or reads its memory (prctl(2)
// PR_SET_DUMPABLE), no core file, no new privileges, as many descriptors as the hard limit allows,
// files for itself alone (umask), SIGPIPE ignored. Before any thread. Throws base::StartupError
// where the kernel refuses. Sanitizer builds stay dumpable: their leak check traces.
void harden_process();

// Whether this is a build with a sanitizer, whose runtime maps, traces and writes as it needs:
// there confinement does nothing.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kConfined = false;
#else
inline constexpr bool kConfined = true;
#endif

}  // namespace cardvault::sandbox
