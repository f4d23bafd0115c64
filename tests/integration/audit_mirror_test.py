#!/usr/bin/python3
"""`audit mirror`: a verified copy that goes on after every kill and outage, and alarms when what is
served is not the log that was copied before. From a stand-in that misbehaves as told, and from a real
vault's auditors' gate."""

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import tempfile
import time
import unittest

import static_gate
import vault_fixture

AUDIT = os.path.join(vault_fixture.PROGRAMS, "cardvault-audit")
BENCH = os.path.join(vault_fixture.PROGRAMS, "tests", "bench", "cardvault-audit-bench")
LONG = os.environ.get("CARDVAULT_LONG") == "1"
RECORDS = 40_000
KILLS = 200 if LONG else 4
MEMORY = 160 << 20  # bytes of address space; logs of 14 and 56 MB
SEED = int(os.environ.get("CARDVAULT_SEED", random.SystemRandom().randrange(1 << 32)))


def make_log(folder, records):
    subprocess.run([BENCH, "make", folder, str(records)], timeout=300, check=True)


def tree(folder):
    """Every file of a log, but the mirror's own notes."""
    files = {}
    for at, folders, names in os.walk(folder):
        folders[:] = [f for f in folders if f not in ("alarm", "pending")]
        for name in names:
            path = os.path.join(at, name)
            with open(path, "rb") as file:
                files[os.path.relpath(path, folder)] = file.read()
    return files


class Misbehaving(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        held = tempfile.TemporaryDirectory(prefix="cardvault-mirror-")
        cls.addClassCleanup(held.cleanup)
        cls.folder = held.name
        make_log(cls.folder, RECORDS)
        static_gate.make_certificates(cls.folder)
        cls.gate = static_gate.StaticGate(cls.folder, os.path.join(cls.folder, "audit"))
        cls.addClassCleanup(cls.gate.close)

    def setUp(self):
        self.copy = os.path.join(self.folder, f"copy-{self.id().rsplit('.', 1)[1]}")
        self.gate.log = os.path.join(self.folder, "audit")
        self.gate.misbehave = lambda path, number: None
        self.gate.requests = 0

    def command(self, *options, who="collector", key=None, ca="ca"):
        at = lambda name: os.path.join(self.folder, name)  # noqa: E731
        return [AUDIT, "mirror", self.gate.url, self.copy, "--key", key or at("audit.vkey"), "--cert",
                at(f"{who}.pem"), "--cert-key", at(f"{who}.key"), "--ca", at(f"{ca}.pem"), *options]

    def mirror(self, *options, limit=None, **names):
        before = None if limit is None else lambda: resource.setrlimit(resource.RLIMIT_AS, vault_fixture.address_space(limit))
        return subprocess.run(self.command(*options, **names), capture_output=True, text=True,
                              timeout=120, preexec_fn=before)

    def assert_copied(self):
        done = self.mirror()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assert_same()

    def assert_same(self):
        """The whole log; of tiles that were partial on the way each has its own."""
        copied, served = tree(self.copy), tree(self.gate.log)
        self.assertEqual(copied["checkpoint"], served["checkpoint"])
        for path in served:
            if ".p/" not in path:
                self.assertTrue(copied.get(path) == served[path], path)
        self.assert_verifies()

    def assert_verifies(self):
        done = subprocess.run([AUDIT, "verify", self.copy, "--key", os.path.join(self.folder, "audit.vkey")],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def tampered(self, path, change):
        """Serves the log with one file changed."""
        data = change(bytearray(self.gate.file(path)[2]))
        self.gate.misbehave = lambda asked, number: (200, {}, bytes(data)) if asked == path else None

    def assert_alarm(self, *words):
        """The line, and the folder of the evidence."""
        before = tree(self.copy) if os.path.exists(self.copy) else {}
        done = self.mirror()
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertTrue(done.stdout.startswith("ALARM: "), done.stdout)
        for word in words:
            self.assertIn(word, done.stdout)
        after = tree(self.copy)
        self.assertEqual(after.get("checkpoint"), before.get("checkpoint"))
        kept = os.path.join(self.copy, "alarm", os.listdir(os.path.join(self.copy, "alarm"))[0])
        with open(os.path.join(kept, "checkpoint-served"), "rb") as file:
            self.assertEqual(file.read(), self.served_checkpoint())
        if "checkpoint" in before:
            with open(os.path.join(kept, "checkpoint-kept"), "rb") as file:
                self.assertEqual(file.read(), before["checkpoint"])
        self.gate.misbehave = lambda path, number: None
        return kept

    def served_checkpoint(self):
        what = self.gate.misbehave("checkpoint", 0)
        return (what or self.gate.file("checkpoint"))[2]

    def test_a_copy_is_the_log_and_is_brought_up_to_date(self):
        self.assert_copied()
        self.assert_verifies()
        asked = self.gate.requests
        done = self.mirror()
        self.assertIn("(0 new)", done.stdout)
        self.assertLess(self.gate.requests - asked, 8)

    def test_killed_anywhere_it_goes_on(self):
        chance = random.Random(SEED)
        for _ in range(KILLS):
            shutil.rmtree(self.copy, ignore_errors=True)
            at = chance.randrange(1, 170)
            running = []

            def kill(path, number, at=at, running=running):
                if number >= at and running and running[0].poll() is None:
                    running[0].kill()

            self.gate.requests, self.gate.misbehave = 0, kill
            with subprocess.Popen(self.command(), stdout=subprocess.DEVNULL) as process:
                running.append(process)
                process.wait(60)
            self.gate.misbehave = lambda path, number: None
            with self.subTest(seed=SEED, killed_at=at):
                if os.path.exists(os.path.join(self.copy, "checkpoint")):
                    self.assert_verifies()
                self.assert_copied()

    def test_outages_pass(self):
        def now_and_then(path, number):
            return {20: "hang up", 40: "cut", 60: (503, {"Retry-After": "1"}, b"{}"),
                    61: (429, {"Retry-After": "1"}, b"{}")}.get(number)

        self.gate.misbehave = now_and_then
        done = self.mirror()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assert_same()

    def test_who_may_not_read_is_told_so(self):
        self.gate.misbehave = lambda path, number: (403, {}, b"{}")
        done = self.mirror()
        self.assertEqual(done.returncode, 2)
        self.assertIn("audit.read", done.stderr)

    def test_a_gate_of_another_ca_is_not_listened_to(self):
        done = self.mirror(ca="other-ca")
        self.assertEqual((done.returncode, self.gate.requests), (2, 0), done.stderr)
        self.assertIn("not vouched for", done.stderr)

    def test_rolled_back(self):
        self.assert_copied()
        with open(os.path.join(self.folder, "older-checkpoint"), "rb") as file:
            older = file.read()
        self.gate.misbehave = lambda path, number: (200, {}, older) if path == "checkpoint" else None
        self.assert_alarm("rolled back", f"of this copy has {RECORDS}")
        self.assert_verifies()

    def test_another_vaults_log(self):
        self.assert_copied()
        with tempfile.TemporaryDirectory() as other:
            make_log(other, 300)
            self.gate.log = os.path.join(other, "audit")
            self.assert_alarm("foreign log")
        self.assert_verifies()

    def test_forged_checkpoint(self):
        self.tampered("checkpoint", lambda data: data.replace(b"\n%d\n" % RECORDS, b"\n%d\n" % (RECORDS + 1)))
        self.assert_alarm("forged signature")

    def test_wrong_files(self):
        def flip(data):
            data[len(data) // 2] ^= 1
            return data

        for path, change, word in (("tile/entries/077", flip, "record 19"),
                                   ("tile/entries/077", lambda data: data[:-1], "truncated"),
                                   ("tile/0/156.p/64", flip, "flipped"),
                                   ("tile/1/000.p/156", lambda data: b"", "truncated")):
            with self.subTest(path=path):
                shutil.rmtree(self.copy, ignore_errors=True)
                self.tampered(path, change)
                kept = self.assert_alarm(word)
                with open(os.path.join(kept, "file-served.path"), encoding="ascii") as file:
                    self.assertEqual(file.read().strip(), path)
                self.assert_copied()

    def test_own_files_changed(self):
        self.assert_copied()
        with open(os.path.join(self.copy, "tile", "0", "156.p", "64"), "r+b") as file:
            file.write(b"\0\0\0")
        done = self.mirror()
        self.assertEqual(done.returncode, 1)
        self.assertIn("this copy's own files", done.stdout)

    def test_two_mirrors_of_one_folder_do_not_meet(self):
        follower = subprocess.Popen(self.command("--follow", "--interval", "1"), stdout=subprocess.PIPE,
                                    text=True)
        self.addCleanup(follower.kill)
        self.assertIn(f"{RECORDS} records", follower.stdout.readline())
        done = self.mirror()
        self.assertEqual(done.returncode, 2)
        self.assertIn("another mirror", done.stderr)
        follower.send_signal(signal.SIGTERM)
        self.assertIn(follower.wait(30), (0, -signal.SIGTERM))
        follower.stdout.close()

    def test_following_ends_with_an_alarm(self):
        with subprocess.Popen(self.command("--follow", "--interval", "1"), stdout=subprocess.PIPE,
                              text=True) as follower:
            self.addCleanup(follower.kill)
            self.assertIn("verified copy", follower.stdout.readline())
            self.gate.misbehave = lambda path, number: "hang up" if number % 3 else None
            self.tampered("checkpoint", lambda data: data.replace(b"\n%d\n" % RECORDS, b"\n7\n"))
            self.assertIn("ALARM: forged signature", follower.stdout.readline())
            self.assertEqual(follower.wait(30), 1)

    def test_memory_does_not_grow_with_the_log(self):
        for records in (RECORDS, 4 * RECORDS):
            with self.subTest(records=records), tempfile.TemporaryDirectory() as other:
                if records != RECORDS:
                    make_log(other, records)
                    self.gate.log = os.path.join(other, "audit")
                    key = os.path.join(other, "audit.vkey")
                else:
                    key = None
                shutil.rmtree(self.copy, ignore_errors=True)
                done = self.mirror(limit=MEMORY, key=key)
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_a_full_disk_is_told_of_and_gone_on_from(self):
        script = f"""
            mkdir -p {self.copy} && mount -t tmpfs -o size=4m none {self.copy} || exit 77
            "$@"; first=$?
            mount -o remount,size=64m {self.copy}
            "$@"; exit $((first * 10 + $?))"""
        done = subprocess.run(["unshare", "-rm", "sh", "-c", script, "sh", *self.command()],
                              capture_output=True, text=True, timeout=120)
        if done.returncode in (1, 77):
            self.skipTest("no mount namespaces here: " + done.stderr)
        self.assertEqual(done.returncode, 20, done.stdout + done.stderr)
        self.assertIn("no space left", done.stderr)


class OfARealVault(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vault = vault_fixture.shared()
        cls.held = tempfile.TemporaryDirectory(prefix="cardvault-mirror-")
        cls.addClassCleanup(cls.held.cleanup)
        cls.copy = os.path.join(cls.held.name, "log")

    def mirror(self, who="auditor", gate="auditor"):
        at = self.vault.path
        return subprocess.run(
            [AUDIT, "mirror", self.vault.url(gate), self.copy, "--key", at("audit.vkey"), "--cert",
             at(f"{who}.pem"), "--cert-key", at(f"{who}.key"), "--ca", at("ca.pem")],
            capture_output=True, text=True, timeout=120)

    def work(self, events):
        items = [{"pan": vault_fixture.made_up_pan(n), "customer": f"mirror-{n // 5}"} for n in range(events)]
        answer = self.vault.request("web", "POST", "/v1/tokenize", {"items": items})
        self.assertEqual(answer.status, 200, answer)
        self.assertFalse([item for item in answer.json()["items"] if "token" not in item])

    def wait_published(self):
        newest, end = self.vault.events(1)[-1]["seq"], time.monotonic() + 30
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

    def test_only_auditors_through_their_gate(self):
        for client, gate in (("web", "web"), ("processor", "processor"), ("web", "auditor"),
                             ("auditor", "web"), ("auditor", "processor")):
            with self.subTest(client=client, gate=gate):
                answer = self.vault.request(client, "GET", "/v1/audit/checkpoint", gate=gate)
                self.assertEqual((answer.status, answer.code), (403, "permission_denied"))

    def test_files_are_served_as_they_are(self):
        end = time.monotonic() + 30
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
