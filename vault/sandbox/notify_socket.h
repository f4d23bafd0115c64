// Tells systemd, or what started us in its place, how this process fares (sd_notify(3)). Without
// $NOTIFY_SOCKET nothing is told, and that is fine.
#pragma once

#include <string_view>

#include "vault/base/result.h"

namespace cardvault::sandbox {

// Before confinement, which lets a gate make no socket; once, before any thread. A $NOTIFY_SOCKET
// that can't be reached is logged.
void open_notify_socket();

// "READY=1", "STOPPING=1", "STATUS=...", lines of those. Never waits: what the manager has no room
// for is dropped. Thread-safe.
void notify(std::string_view state) noexcept;

// The sign of life for WatchdogSec=, from a loop that stands still when the process does.
// Thread-safe.
void still_alive() noexcept;

// What must not get lost, with a copy of a descriptor (-1: none); waits for room. kVaultUnavailable
// with errno: there is no manager, or it is gone. Thread-safe.
[[nodiscard]] base::Result<void> notify_surely(std::string_view state, int fd);

}  // namespace cardvault::sandbox
