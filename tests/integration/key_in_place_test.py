#!/usr/bin/python3
"""Keys on a token that is changed in place (NSS softoken): made, moved to, and destroyed under load."""

import json
import os
import shutil
import signal
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fault"))
import traffic  # noqa: E402
from traffic import vault_fixture  # noqa: E402

MODULE = "/usr/lib/x86_64-linux-gnu/libsoftokn3.so"


def nss(folder):
    return ("--module", MODULE, "--init-args",
            f"configdir='sql:{folder}/nss' certPrefix='' keyPrefix='' secmod='secmod.db' flags='' "
            "dbTokenDescription='cardvault'")


@unittest.skipUnless(os.path.exists(MODULE), "libnss3 is not installed")
class KeyInPlace(unittest.TestCase):
    def test_the_whole_life(self):
        vault = vault_fixture.shared(traffic.UNLIMITED, options=nss)
        keys = lambda: {row["key"]: row["state"]  # noqa: E731
                        for row in json.loads(vault.tool("--format", "json", "key", "list").stdout)}
        ledger = traffic.Ledger(first_card=6_000_000)
        with traffic.Traffic(vault, ledger, allowed=()) as load:
            for purpose in ("pan-enc", "pan-index", "otp-mac", "seal-sign"):
                vault.tool("key", "rotate", purpose)
            vault.tool("key", "rewrap", "pan-enc")
            vault.tool("key", "retire", "pan-enc/1")
            vault.tool("key", "destroy", "pan-enc/1", "--after", "0")
        self.assertEqual(dict(load.refusals), {})
        self.assertEqual(keys()["pan-enc/1"], "destroyed")
        self.assertEqual(keys()["pan-enc/2"], "active")
        traffic.settle(vault, ledger)
        vault.kill_and_wait()
        self.assertEqual(keys()["pan-enc/1"], "destroyed")
        findings = vault.tool("--format", "json", "doctor", check=False).stdout
        self.assertNotIn("no record knows", findings)
        self.assertNotIn("check value", findings)

    @unittest.skipUnless(shutil.which("strace"), "takes strace")
    def test_what_a_kill_left_is_named_and_taken_back(self):
        vault = vault_fixture.shared(traffic.UNLIMITED, options=nss)
        folder = vault.path("nss")

        def modes():
            found = {name: os.stat(os.path.join(folder, name)) for name in os.listdir(folder)}
            return {name: (status.st_mode, status.st_uid, status.st_gid) for name, status in found.items()}
        before = modes()
        journal = os.path.join(folder, "key4.db-journal")
        # Its first sync of the journal is over: the database itself is being written.
        code = subprocess.run(
            ["strace", "-o", "/dev/null", "-e", "trace=pwrite64", "-P", os.path.join(folder, "key4.db"), "-e",
             "inject=pwrite64:signal=KILL:when=2", *vault.tool_command("key", "rotate", "otp-mac")],
            capture_output=True, timeout=120).returncode
        self.assertEqual(code, -signal.SIGKILL)
        self.assertTrue(os.path.exists(journal))
        self.assertIn(journal + ": a change of the token was broken off", vault.tool("doctor", check=False).stdout)
        vault.tool("key", "rotate", "otp-mac")
        self.assertEqual(modes(), before)
        vault.kill_and_wait()
        self.assertNotIn("broken off", vault.tool("doctor", check=False).stdout)


if __name__ == "__main__":
    unittest.main()
