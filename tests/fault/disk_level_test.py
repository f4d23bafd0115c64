#!/usr/bin/python3
"""Disks that fill up: a warning, then no reveals, then no writes, each with a health code and an alarm of its
own, and back again without a restart; strangers cannot fill them. On small disks of the test's own."""

import contextlib
import os
import shutil
import subprocess
import sys
import time
import unittest

import traffic
from traffic import vault_fixture

sys.path.insert(0, os.path.join(vault_fixture.ROOT, "tests", "integration"))
import certificates  # noqa: E402

MIB = 1 << 20
SIZE = 200  # MiB: the levels begin at 40, 20 and 10
PATIENCE_S = 60


@unittest.skipUnless(os.geteuid() == 0, "a small disk of its own takes root")
class DiskLevels(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vault = vault_fixture.shared()
        certificates.issue(cls.vault.dir, "unregistered")

    def setUp(self):
        self.vault.up_again()
        self.vault.wait_ready()
        self.first_event = self.vault.events(1)[-1]["seq"] + 1
        DiskLevels.number = getattr(DiskLevels, "number", 0)

    @contextlib.contextmanager
    def small(self, name):
        folder, aside = self.vault.path(name), self.vault.path(name + ".aside")
        owner = os.stat(folder)
        self.vault.down()
        os.rename(folder, aside)
        os.mkdir(folder)
        options = f"size={SIZE}m,uid={owner.st_uid},gid={owner.st_gid},mode={owner.st_mode & 0o7777:o}"
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", folder],
                                 capture_output=True, text=True)
        if mounted.returncode != 0:
            os.rmdir(folder)
            os.rename(aside, folder)
            self.skipTest("no file system can be mounted here: " + mounted.stderr.strip())
        subprocess.run(["cp", "-a", aside + "/.", folder], check=True)
        try:
            self.vault.up()
            yield folder
        finally:
            self.vault.down()
            shutil.rmtree(aside)
            with contextlib.suppress(FileNotFoundError):
                os.unlink(os.path.join(folder, "filler"))
            subprocess.run(["cp", "-a", folder, aside], check=True)
            subprocess.run(["umount", folder], check=True)
            os.rmdir(folder)
            os.rename(aside, folder)

    def leave(self, folder, mib):
        """So much space is free from now on."""
        path = os.path.join(folder, "filler")
        with open(path, "ab") as file:
            status = os.statvfs(folder)
            size = file.tell() + status.f_bavail * status.f_frsize - int(mib * MIB)
            os.ftruncate(file.fileno(), min(size, file.tell()))
            os.posix_fallocate(file.fileno(), 0, size)

    def wait_state(self, state, status, meanwhile=lambda: None):
        end = time.monotonic() + PATIENCE_S
        while True:
            ready = self.vault.health("web", "/readyz")
            if (ready.json()["state"], ready.status) == (state, status):
                return ready.json()
            self.assertLess(time.monotonic(), end, ready)
            meanwhile()
            time.sleep(0.1)

    def fill_until(self, folder, mib, state, status):
        """The vault gives space back meanwhile, as when a WAL is emptied."""
        return self.wait_state(state, status, meanwhile=lambda: self.leave(folder, mib))

    def tokenize(self):
        DiskLevels.number += 1
        return self.vault.request("web", "POST", "/v1/tokenize", {
            "pan": vault_fixture.made_up_pan(9_000_000 + self.number),
            "customer": f"+7708{self.number:07d}"})

    def reveal(self, token, **more):
        return self.vault.request("processor", "POST", "/v1/detokenize",
                                  {"token": token, "purpose": "payment"} | more)

    def events(self):
        return [e for e in self.vault.events(2000) if e["seq"] >= self.first_event]

    def wait_event(self, **fields):
        end = time.monotonic() + PATIENCE_S
        while not any(fields.items() <= e.items() for e in self.events()):
            self.assertLess(time.monotonic(), end, f"no event {fields}")
            time.sleep(0.3)

    def climb(self, name):
        """Through all levels of one disk, and back."""
        vault = self.vault
        with self.small(name) as folder:
            pid = vault.daemon_pid
            self.wait_state("ready", 200)
            token = self.tokenize().json()["token"]

            said = self.fill_until(folder, 35, "disk_low", 200)
            self.assertIn(folder, str(said["notes"]))
            self.assertEqual((self.tokenize().status, self.reveal(token).status), (200, 200))
            self.wait_event(op="alarm", outcome="disk_low")
            self.assertIn("MiB left", vault.tool("doctor", check=False).stdout)

            self.fill_until(folder, 17, "disk_low_no_reveals", 200)
            refused = self.reveal(token)
            self.assertEqual((refused.status, refused.code), (503, "storage_full"))
            self.assertIn("Retry-After", refused.headers)
            self.assertEqual((self.tokenize().status, self.reveal(token, mask=True).status), (200, 200))
            self.wait_event(op="alarm", outcome="disk_low_no_reveals")

            self.fill_until(folder, 8, "disk_low_no_writes", 503)
            refused = self.tokenize()
            self.assertEqual((refused.status, refused.code), (503, "storage_full"))
            self.assertEqual(self.reveal(token).status, 503)
            self.assertEqual(self.reveal(token, mask=True).status, 200, "what is stored can be looked at")
            self.wait_event(op="alarm", outcome="disk_low_no_writes")
            self.assertEqual(vault.tool("client", "list", check=False).returncode, 0)
            self.wait_event(op="refused", actor="client:web", outcome="storage_full")

            # Just above the limit is not yet out of it, so that it doesn't come and go.
            self.leave(folder, 10.5)
            time.sleep(2.5)
            self.wait_state("disk_low_no_writes", 503)

            os.unlink(os.path.join(folder, "filler"))
            self.wait_state("ready", 200)
            self.assertEqual((self.tokenize().status, self.reveal(token).status), (200, 200))
            self.wait_event(op="disk.freed")
            self.assertEqual(vault.daemon_pid, pid, "it was restarted")

    def test_the_disk_of_the_log(self):
        self.climb("audit")

    def test_the_disk_of_the_databases(self):
        self.climb("data")

    def test_strangers_are_summed_up_when_space_is_low(self):
        with self.small("audit") as folder:
            for _ in range(3):
                self.assertEqual(self.vault.request("unregistered", "GET", "/v1/whoami", gate="web").status, 403)
            self.wait_event(actor="unknown", op="whoami", outcome="client_unknown")
            self.fill_until(folder, 30, "disk_low", 200)
            self.first_event = self.vault.events(1)[-1]["seq"] + 1
            for _ in range(50):
                answer = self.vault.request("unregistered", "GET", "/v1/whoami", gate="web")
                self.assertEqual((answer.status, answer.code), (503, "storage_full"))
            self.wait_event(op="refused", actor="unknown", outcome="client_unknown", source="*")
            events = self.events()
            self.assertFalse([e for e in events if e["op"] == "whoami"])
            summed = [e for e in events if e["op"] == "refused" and e["actor"] == "unknown"]
            self.assertLessEqual(len(summed), 3)
            end = time.monotonic() + PATIENCE_S
            while sum(int(e["details"]["count"]) for e in self.events() if e["op"] == "refused"
                      and e["actor"] == "unknown") < 50:
                self.assertLess(time.monotonic(), end, "not all were counted")
                time.sleep(0.5)


if __name__ == "__main__":
    unittest.main()
