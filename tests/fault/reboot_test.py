#!/usr/bin/python3
"""The clock steps back, or the machine is booted anew, while the vault is down."""

import contextlib
import os
import sqlite3
import struct
import subprocess
import time
import unittest

import traffic
from outages import FIRST_UID, PROGRAMS, OutageCase, events, log_says, wait_for
from traffic import vault_fixture


def start_unready(vault):
    """`./dev up` waits until the vault is ready; this doesn't."""
    uid = FIRST_UID if os.geteuid() == 0 else os.geteuid()
    subprocess.run(["/usr/bin/python3", os.path.join(vault_fixture.ROOT, "systemd", "supervise.py"),
                    vault.dir, "--programs", PROGRAMS, "--port", str(vault.port),
                    "--daemon-uid", str(uid)], check=True, timeout=30)
    wait_for(lambda: log_says(vault, "cardvaultd is ready") > 1)


class Clock(OutageCase):
    def test_a_clock_that_stepped_back_stops_writes_until_confirmed(self):
        vault = self.vault = vault_fixture.Vault(settings=traffic.UNLIMITED)
        self.addCleanup(vault.close)
        self.ledger = traffic.Ledger()
        token = self.tokenize().json()["token"]
        vault.down()
        mark_ms = int(time.time() * 1000) + 2 * 3600 * 1000
        with contextlib.closing(sqlite3.connect(vault.path("data", "vault.db"))) as database:
            changed = database.execute("UPDATE named_values SET value = ? WHERE name = "
                                       "'clock_high_water'", (struct.pack("<q", mark_ms),)).rowcount
            database.commit()
        self.assertEqual(changed, 1)
        start_unready(vault)
        for gate in vault_fixture.GATES:  # the daemon connects to one after the other
            wait_for(lambda gate=gate: vault.health(gate, "/readyz").json()["state"]
                     == "clock_suspect")
        self.assert_refused(self.tokenize(), "clock_suspect")
        self.assert_refused(vault.request("web", "POST", f"/v1/tokens/{token}/freeze"),
                            "clock_suspect")
        self.assertEqual(self.reveal(token).status, 200)
        wait_for(lambda: len(events(vault, "alarm", "clock_suspect")) == 1)
        vault.tool("clock", "confirm")
        answer = self.tokenize()
        self.assertEqual(answer.status, 200, answer)
        stored = time.strftime("%Y-%m-%dT%H:%M", time.gmtime(mark_ms / 1000 - 60))
        self.assertGreaterEqual(answer.json()["created_at"], stored, "time went back")
        self.assertEqual(vault.health("web", "/readyz").status, 200)
        times = [event["time"] for event in traffic.settle(vault, self.ledger)]
        self.assertEqual(times, sorted(times), "time went back")


class Reboot(unittest.TestCase):
    """The kernel's boot id is what tells a reboot from a restart; here the vault's note of it changes."""

    def lock(self, vault, subject, purpose):
        """How many seconds of it are left, and when it ends."""
        answer = vault.verify(subject, purpose, "000000")
        self.assertEqual(answer.status, 423, answer)
        left = int(answer.headers["Retry-After"])
        return left, time.monotonic() + left

    def test_a_reboot_voids_open_codes_and_begins_locks_anew(self):
        vault = vault_fixture.Vault(settings=[*traffic.UNLIMITED, "otp.resend_s=0"])
        self.addCleanup(vault.close)
        locked, waiting, login = "+77050000001", "+77050000002", "verify_login"
        for _ in range(3):
            self.assertEqual(vault.verify(locked, login, "000000").status, 403)
        code = vault.code(waiting, login)
        time.sleep(1.1)  # so that some of the lock is over, in whole seconds
        vault.down()
        vault.up()  # a restart changes nothing
        left, until = self.lock(vault, locked, login)
        self.assertLess(left, 900)
        while left > 897:  # both ends are known to a second
            time.sleep(0.1)
            left, until = self.lock(vault, locked, login)
        vault.down()
        with contextlib.closing(sqlite3.connect(vault.path("data", "vault.db"))) as database:
            changed = database.execute("UPDATE named_values SET value = ? WHERE name = 'boot_id'",
                                       (b"another boot",)).rowcount
            database.commit()
        self.assertEqual(changed, 1)
        vault.up()
        # However long the start took: a lock that went on would end when it would have.
        self.assertGreater(self.lock(vault, locked, login)[1], until + 1)
        self.assertEqual(vault.verify(waiting, login, code).status, 403, "the code outlived a reboot")
        self.assertEqual(len(events(vault, "reboot", "ok")), 1)


if __name__ == "__main__":
    unittest.main()
