// What a gate gives up at start, so that a taken gate can do little.
#pragma once

namespace cardvault::gate {

// Not dumpable, no core file, no new privileges, as many descriptors as the hard limit allows,
// SIGPIPE ignored. Before any thread. Throws base::StartupError.
void harden_process();

// A seccomp filter for all threads to come: making or connecting sockets, sending to an address,
// executing, tracing, reading another process's memory and opening files for writing kill the
// process. Before any thread, after every socket exists. Throws base::StartupError. Does nothing in
// sanitizer builds, whose runtime traces and writes.
void forbid_system_calls();

}  // namespace cardvault::gate
