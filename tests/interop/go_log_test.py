#!/usr/bin/python3
"""A real vault's published log, read and proven by Go's golang.org/x/mod/sumdb/note and tlog, and the
same log tampered with, which they must refuse. Run by `./dev interop`."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "integration"))

import audit_page  # noqa: E402  (its folder is known only now)
import vault_fixture  # noqa: E402

AUDIT = os.path.join(vault_fixture.PROGRAMS, "cardvault-audit")
EVENTS = 700  # more than two bundles, and a partial one


@unittest.skipUnless(shutil.which("go"), "Go is not installed: its log packages can't be asked")
class GoReadsTheLog(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory(prefix="cardvault-interop-")
        cls.addClassCleanup(cls.folder.cleanup)
        cls.checker = os.path.join(cls.folder.name, "checker")
        subprocess.run(["go", "build", "-o", cls.checker, "."],
                       cwd=os.path.join(ROOT, "tests", "interop", "go"), timeout=600, check=True)
        vault = vault_fixture.Vault()
        cls.addClassCleanup(vault.close)
        with open(vault.path("audit.vkey"), encoding="ascii") as file:
            cls.vkey = file.read().strip()
        items = [{"pan": vault_fixture.made_up_pan(n), "customer": f"interop-{n // 5}"} for n in range(EVENTS)]
        answer = vault.request("web", "POST", "/v1/tokenize", {"items": items})
        if answer.status != 200:
            raise AssertionError(answer)
        log = audit_page.Log(vault.path("audit"))
        end = time.monotonic() + 30
        while log.checkpoint(cls.vkey)[0] < EVENTS:
            if time.monotonic() > end:
                raise AssertionError("the events are not published")
            time.sleep(0.1)
        vault.down()
        cls.log = os.path.join(cls.folder.name, "log")
        shutil.copytree(vault.path("audit"), cls.log)
        cls.size = log.checkpoint(cls.vkey)[0]

    def check(self, log, *proofs, key=None):
        return subprocess.run([self.checker, log, key or self.vkey, *proofs],
                              capture_output=True, text=True, timeout=120)

    def prove(self, index):
        path = os.path.join(self.folder.name, f"{index}.tlog-proof")
        with open(path, "wb") as file:
            subprocess.run([AUDIT, "prove", self.log, str(index)], stdout=file, timeout=60, check=True)
        return path

    def tampered(self, file, change):
        """A copy of the log with one file changed."""
        copy = os.path.join(self.folder.name, "tampered")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.log, copy)
        path = os.path.join(copy, file)
        with open(path, "rb") as original:
            data = bytearray(original.read())
        with open(path, "wb") as changed:
            changed.write(change(data))
        return copy

    def assert_refused(self, done, reason):
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn(reason, done.stdout)

    def test_log_and_proofs_verify(self):
        proofs = [self.prove(n) for n in (0, 1, 255, 256, self.size // 2, self.size - 1)]
        done = self.check(self.log, *proofs)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn(f"{self.size} records", done.stdout)

    def test_a_flipped_bit_of_a_record_is_found(self):
        def flip(data):
            data[1000] ^= 1
            return data

        self.assert_refused(self.check(self.tampered("tile/entries/001", flip)), "record")

    def test_a_flipped_bit_of_a_tile_is_found(self):
        def flip(data):
            data[100] ^= 1
            return data

        self.assert_refused(self.check(self.tampered("tile/0/000", flip)), "NOT VERIFIED")

    def test_a_rolled_back_size_is_found(self):
        def shorten(data):
            return data.replace(f"\n{self.size}\n".encode(), f"\n{self.size - 1}\n".encode())

        self.assert_refused(self.check(self.tampered("checkpoint", shorten)), "checkpoint")

    def test_another_entrys_proof_is_refused(self):
        path = self.prove(7)
        with open(path, "rb") as file:
            proof = file.read()
        with open(path, "wb") as file:
            file.write(proof.replace(b"\nindex 7\n", b"\nindex 8\n"))
        self.assert_refused(self.check(self.log, path), "tlog-proof")


if __name__ == "__main__":
    unittest.main()
