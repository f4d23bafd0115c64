// What a gate may still do once it serves, so that a taken gate can do little.
#pragma once

#include <string>
#include <vector>

namespace cardvault::gate {

// For this thread and all to come, not to be taken back: files are read below `folders` alone and
// written nowhere (Landlock), and the system calls left are those of a server on sockets that it
// inherited (seccomp): no socket, no connect, no address to send to, no process, no program, no
// new code, no tracing. Any other call kills the gate. Before any thread, after every socket
// exists. Throws base::StartupError. Does nothing in sanitizer builds.
void confine(const std::vector<std::string>& folders);

}  // namespace cardvault::gate
