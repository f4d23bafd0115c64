#!/usr/bin/python3
"""`audit mirror`: a verified copy that goes on after every kill and outage, and alarms when what is
served is not the log that was copied before. From a stand-in that misbehaves as told; audit_served_test.py has
the real vault's."""

import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import static_gate
import vault_fixture

AUDIT = os.path.join(vault_fixture.PROGRAMS, "cardvault-audit")
BENCH = os.path.join(vault_fixture.PROGRAMS, "tests", "bench", "cardvault-audit-bench")
UNIT = os.path.join(vault_fixture.ROOT, "systemd", "examples", "cardvault-mirror.service")
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

    def command(self, *options, who="collector", cert_key=None, key=None, ca="ca"):
        at = lambda name: os.path.join(self.folder, name)  # noqa: E731
        return [AUDIT, "mirror", self.gate.url, self.copy, "--key", key or at("audit.vkey"), "--cert",
                at(f"{who}.pem"), "--cert-key", at(f"{cert_key or who}.key"), "--ca", at(f"{ca}.pem"), *options]

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
                    61: (429, {"Retry-After": "1"}, b"{}"), 80: (502, {}, b"<html>"), 90: (504, {}, b""),
                    100: (408, {}, b"{}")}.get(number)

        self.gate.misbehave = now_and_then
        done = self.mirror()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assert_same()

    def test_the_unit_hides_outages_alone(self):
        """systemd takes them for success: the next run goes on. What somebody has to mend leaves the unit failed."""
        with open(UNIT, encoding="utf-8") as file:
            hidden = {int(line.split("=")[1]) for line in file if line.startswith("SuccessExitStatus=")}
        unavailable = {"code": "vault_unavailable"}, {"Retry-After": "0"}
        for name, status, (body, headers), passes in (
                ("no vault behind the gate", 503, unavailable, True),
                ("too often", 429, ({"code": "rate_limited"}, {"Retry-After": "0"}), True),
                ("closed months that are not mounted", 503, ({"code": "store_failed"}, {}), False),
                ("no permission", 403, ({"code": "permission_denied"}, {}), False),
                ("a client that is frozen", 403, ({"code": "client_frozen"}, {}), False),
                ("another place", 302, ({}, {"Location": self.gate.url}), False),
                ("not what a gate answers", 500, ({}, {}), False)):
            with self.subTest(name):
                answer = status, headers, json.dumps(body).encode()
                self.gate.misbehave = lambda path, number, answer=answer: answer
                done = self.mirror()
                self.assertEqual(done.returncode, 3 if passes else 2, done.stdout + done.stderr)
                self.assertEqual(done.returncode in hidden, passes)
                self.assertEqual("name the auditors' gate itself" in done.stderr, status == 302, done.stderr)
        self.assertNotIn(self.mirror(who="expired").returncode, hidden)

    def test_no_name_server_is_an_outage(self):
        command = self.command()
        command[2] = "https://vault.bank.example:9445"
        asks = ("import os, socket, sys\ntry: socket.getaddrinfo('vault.bank.example', 9445)\n"
                "except socket.gaierror as e: e.errno == socket.EAI_AGAIN and os.execv(sys.argv[1], sys.argv[1:])\n"
                "sys.exit(77)")
        done = subprocess.run(["unshare", "-rn", sys.executable, "-c", asks, *command], capture_output=True, text=True,
                              timeout=60)
        if done.returncode in (1, 77):
            self.skipTest("no network namespaces here, or names that are known without a network: " + done.stderr)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertIn("no name server answers", done.stderr)

    def test_who_may_not_read_is_told_so(self):
        self.gate.misbehave = lambda path, number: (403, {}, b"{}")
        done = self.mirror()
        self.assertEqual(done.returncode, 2)
        self.assertIn("audit.read", done.stderr)

    def test_a_certificate_that_is_refused_is_said_in_words_and_ends_it(self):
        for who, words in (("expired", "expired.pem: it has expired. Have the collector's certificate renewed"),
                           ("stranger", "stranger.pem: it is of no client that the vault knows")):
            for options in (), ("--follow", "--interval", "1"):
                with self.subTest(who=who, options=options):
                    done = self.mirror(*options, who=who)
                    self.assertEqual(done.returncode, 2, done.stdout + done.stderr)
                    self.assertIn(words, done.stderr)
                    self.assertIn("docs/clients.md", done.stderr)
        for code, words in (("certificate_expired", "it has expired"), ("client_revoked", "it is revoked"),
                            ("client_unknown", "of no client"), ("client_frozen", "has frozen the client")):
            body = json.dumps({"code": code}).encode()
            self.gate.misbehave = lambda path, number, body=body: (403, {}, body)
            done = self.mirror()
            self.assertEqual(done.returncode, 2, done.stdout)
            self.assertIn(words, done.stderr)

    def test_following_tells_again_what_lasts(self):
        self.gate.misbehave = lambda path, number: (403, {}, b"{}")
        with subprocess.Popen(self.command("--follow", "--interval", "1"), stderr=subprocess.PIPE,
                              text=True) as follower:
            self.addCleanup(follower.kill)
            began = time.monotonic()
            for _ in range(2):
                self.assertIn("audit.read", follower.stderr.readline())
            self.assertGreater(time.monotonic() - began, 9)
            self.assertGreater(self.gate.requests, 2)
            follower.kill()

    def test_a_gate_of_another_ca_is_not_listened_to(self):
        done = self.mirror(ca="other-ca")
        self.assertEqual((done.returncode, self.gate.requests), (2, 0), done.stderr)
        self.assertIn("not vouched for", done.stderr)

    def test_what_does_not_fit_is_named(self):
        at = lambda name: os.path.join(self.folder, name)  # noqa: E731
        with open(at("text.key"), "w", encoding="ascii") as file:
            file.write("no key\n")
        for said, names in (
                (f"{at('gate.key')} is not the key of the certificate {at('collector.pem')}", {"cert_key": "gate"}),
                (f"can't read {at('none.key')}: No such file or directory", {"cert_key": "none"}),
                (f"{at('text.key')} holds no private key in PEM", {"cert_key": "text"}),
                (f"can't read {at('none.pem')}: No such file or directory", {"ca": "none"})):
            with self.subTest(said):
                done = self.mirror(**names)
                self.assertEqual(done.returncode, 2, done.stdout)
                self.assertIn(said, done.stderr)
        done = self.mirror("--custodians", at("none"))
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertIn(at("none"), done.stderr)

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

    def test_what_was_changed_deep_in_the_copy_is_left_to_verify_and_said_to_be(self):
        self.assert_copied()
        with open(os.path.join(self.copy, "tile", "entries", "003"), "r+b") as file:
            file.seek(100)
            byte = file.read(1)
            file.seek(100)
            file.write(bytes([byte[0] ^ 1]))
        done = self.mirror()
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertNotIn("verified copy", done.stdout)
        self.assertIn(f"is not read again: `cardvault-audit verify {self.copy}`", done.stdout)
        found = subprocess.run([AUDIT, "verify", self.copy, "--key", os.path.join(self.folder, "audit.vkey")],
                               capture_output=True, text=True, timeout=60)
        self.assertEqual(found.returncode, 1, found.stdout)
        self.assertIn("tile/entries/003", found.stdout)

    def test_the_group_may_read_a_copy_whatever_the_umask(self):
        done = subprocess.run(self.command(), capture_output=True, text=True, timeout=120, umask=0o077)
        self.assertEqual(done.returncode, 0, done.stderr)
        for at, _, names in os.walk(self.copy):
            modes = {oct(os.stat(os.path.join(at, name)).st_mode & 0o777) for name in names} - {"0o640"}
            self.assertEqual((oct(os.stat(at).st_mode & 0o777), modes), ("0o750", set()), at)

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
            self.assertIn("copied and verified", follower.stdout.readline())
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


if __name__ == "__main__":
    unittest.main()
