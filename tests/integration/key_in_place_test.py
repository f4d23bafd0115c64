#!/usr/bin/python3
"""Keys on a token that is changed in place (NSS softoken): made, moved to, and destroyed under load."""

import json
import os
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


if __name__ == "__main__":
    unittest.main()
