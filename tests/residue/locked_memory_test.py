#!/usr/bin/python3
"""No page of the vault's processes that may hold a secret goes to swap: daemon and gate, run by root as by
hand, have all their memory locked, stacks and heaps that come later included, and leave the databases' maps
to the kernel (vault/sandbox/locked_memory.h)."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))

import vault_fixture  # noqa: E402

# sh's own pid is that of what it becomes: sd_listen_fds(3).
LISTENING = 'LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=tls:vault exec "$@" 3<&"$TLS" 4<&"$VAULT"'


def maps_of(pid):
    """Of each mapping: its name, permissions and flags (proc_pid_smaps(5))."""
    maps = []
    with open(f"/proc/{pid}/smaps", encoding="utf-8") as smaps:
        for line in smaps:
            if head := re.match(r"[0-9a-f]+-[0-9a-f]+ (\S{4}) \S+ \S+ \S+ *(.*)", line):
                maps.append([head[2], head[1], ()])
            elif line.startswith("VmFlags:"):
                maps[-1][2] = line.split()[1:]
    return maps


@unittest.skipIf(os.geteuid() != 0, "root may lock without limit; others by LimitMEMLOCK= of their unit")
class LockedMemory(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vault = vault_fixture.Vault()
        cls.addClassCleanup(cls.vault.close)
        cls.vault.down()

    @contextlib.contextmanager
    def running(self, *command, **options):
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE, text=True, **options) as process:
            try:
                yield process
            finally:
                process.kill()

    def wait_for(self, process, what):
        end = time.monotonic() + 60
        while not what(maps_of(process.pid)):
            self.assertIsNone(process.poll(), process.stderr.read() if process.poll() is not None else "")
            self.assertLess(time.monotonic(), end, maps_of(process.pid))
            time.sleep(0.05)
        return maps_of(process.pid)

    @staticmethod
    def is_locked(maps):
        own = [flags for name, permissions, flags in maps
               if permissions == "rw-p" and not name.startswith(("/", "[vvar"))]
        return len(own) > 3 and all("lo" in flags for flags in own)

    def test_the_daemon_locks_all_but_the_databases(self):
        with self.running(os.path.join(vault_fixture.PROGRAMS, "cardvaultd"), "--config",
                          self.vault.path("vault.toml")) as daemon:
            def databases(maps):
                return [flags for name, _, flags in maps if name.startswith(self.vault.path("data") + "/")]

            # A map of a database is unlocked in the moment after it is made.
            maps = self.wait_for(daemon, lambda maps: len(databases(maps)) > 2 and
                                 sum(name.endswith("/vault.db") for name, *_ in maps) > 1 and
                                 not any("lo" in flags for flags in databases(maps)))
            self.assertTrue(self.is_locked(maps), maps)

    def test_a_gate_locks_all(self):
        with contextlib.ExitStack() as stack:
            tls = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
            vault = stack.enter_context(socket.socket(socket.AF_UNIX))
            vault.bind(self.vault.path("by-hand.sock"))
            vault.listen()
            numbers = {"TLS": str(tls.fileno()), "VAULT": str(vault.fileno())}
            gate = stack.enter_context(self.running(
                "bash", "-c", LISTENING, "bash", os.path.join(vault_fixture.PROGRAMS, "cardvault-gate"),
                "--config", self.vault.path("gate-web.toml"), env={**os.environ, **numbers},
                pass_fds=(tls.fileno(), vault.fileno())))
            self.wait_for(gate, lambda maps: any(name.endswith("/cardvault-gate") for name, *_ in maps) and
                          self.is_locked(maps))


if __name__ == "__main__":
    unittest.main()
