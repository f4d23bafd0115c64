#!/usr/bin/python3
"""What a real vault's auditors' gate serves of its log, to whom, and the copy that `audit mirror` keeps of it."""

import json
import os
import subprocess
import tempfile
import time
import unittest

import vault_fixture

AUDIT = os.path.join(vault_fixture.PROGRAMS, "cardvault-audit")


class ServedLog(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vault = vault_fixture.shared()
        cls.held = tempfile.TemporaryDirectory(prefix="cardvault-mirror-")
        cls.addClassCleanup(cls.held.cleanup)
        cls.copy = os.path.join(cls.held.name, "log")

    def mirror(self, key=None):
        at = self.vault.path
        return subprocess.run(
            [AUDIT, "mirror", self.vault.url("auditor"), self.copy, "--key", key or at("audit.vkey"), "--cert",
             at("auditor.pem"), "--cert-key", at("auditor.key"), "--ca", at("ca.pem")],
            capture_output=True, text=True, timeout=120)

    def work(self, events):
        items = [{"pan": vault_fixture.made_up_pan(n), "customer": f"mirror-{n // 5}"} for n in range(events)]
        answer = self.vault.request("web", "POST", "/v1/tokenize", {"items": items})
        self.assertEqual(answer.status, 200, answer)
        self.assertFalse([item for item in answer.json()["items"] if "token" not in item])

    def wait_published(self):
        newest, end = self.vault.events(1)[-1]["seq"], time.monotonic() + 60
        while True:
            with open(self.vault.path("audit", "checkpoint"), encoding="utf-8") as file:
                if int(file.read().split("\n")[1]) > newest:
                    return
            self.assertLess(time.monotonic(), end, "not published")
            time.sleep(0.1)

    def reads(self):
        return [e for e in self.vault.events(5000) if e["op"] == "audit.read"]

    def test_a_copy_is_kept_through_work_and_kills(self):
        for round_ in range(3):
            self.work(400)
            if round_ == 1:
                self.vault.kill_and_wait()
            self.wait_published()
            done = self.mirror()
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        done = subprocess.run([AUDIT, "--json", "verify", self.copy, "--key", self.vault.path("audit.vkey")],
                              capture_output=True, text=True, timeout=60)
        self.assertTrue(json.loads(done.stdout)["verified"], done.stdout)
        self.assertGreater(json.loads(done.stdout)["records"], 1200)
        # One for each life of the daemon.
        read = self.reads()
        self.assertIn(len(read), (1, 2))
        self.assertEqual({(e["actor"], e["outcome"], e["gate"]) for e in read},
                         {("client:auditor", "ok", "auditor")})

    def test_a_new_key_takes_up_a_copy_that_the_key_before_vouched_for(self):
        self.assertEqual(self.mirror().returncode, 0)
        self.vault.tool("key", "rotate", "audit-sign")
        self.work(5)
        self.wait_published()
        said = subprocess.run([AUDIT, "verify", self.vault.path("audit"), "--key", self.vault.path("audit.vkey")],
                              capture_output=True, text=True, timeout=60).stdout
        newest, = [line.split()[1].rstrip(",") for line in said.splitlines() if "endorsed in record" in line]
        for _ in range(2):
            done = self.mirror(newest)
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_only_auditors_through_their_gate(self):
        for client, gate in (("web", "web"), ("processor", "processor"), ("web", "auditor"),
                             ("auditor", "web"), ("auditor", "processor")):
            with self.subTest(client=client, gate=gate):
                answer = self.vault.request(client, "GET", "/v1/audit/checkpoint", gate=gate)
                self.assertEqual((answer.status, answer.code), (403, "permission_denied"))

    def test_files_are_served_as_they_are(self):
        end = time.monotonic() + 60
        while not os.path.exists(self.vault.path("audit", "tile", "0", "000")):
            self.work(300)
            self.assertLess(time.monotonic(), end)
            time.sleep(1.5)
        for path in ("tile/0/000", "tile/entries/000"):
            answer = self.vault.request("auditor", "GET", f"/v1/audit/{path}")
            with open(self.vault.path("audit", path), "rb") as file:
                self.assertEqual(answer.body, file.read())
            self.assertIn("immutable", answer.headers["Cache-Control"])
        answer = self.vault.request("auditor", "GET", "/v1/audit/checkpoint")
        self.assertEqual(answer.headers["Cache-Control"], "no-store")

    def test_paths_lead_nowhere_else(self):
        for path in ("../vault.toml", "tile/../../vault.toml", "tile/0/../../../vault.toml", "checkpoint/",
                     "/checkpoint", "tile/0/000/", "tile/entries", ".", "..", "audit.vkey",
                     "tile//0/000", "checkpoint\x00", "x" * 5000):
            with self.subTest(path=path[:40]):
                request = f"GET /v1/audit/{path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
                answer = self.vault.raw("auditor", request)
                self.assertIn(answer.status, (400, 404))


if __name__ == "__main__":
    unittest.main()
