#!/usr/bin/python3
"""The published log of a real vault: it appears, goes on over restarts and kills, is read and proven
by an implementation of its own (audit_page.py), and seals the vault when it was tampered with."""

import json
import os
import shutil
import sqlite3
import subprocess
import time
import unittest

import audit_page
import publication
import vault_fixture

AUDIT = os.path.join(vault_fixture.PROGRAMS, "cardvault-audit")


def wait_for(truth, what, seconds=60):
    end = time.monotonic() + seconds
    while True:
        result = truth()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(0.05)


class AuditLog(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vault = vault_fixture.shared()
        cls.log = audit_page.Log(cls.vault.path("audit"))
        with open(cls.vault.path("audit.vkey"), encoding="ascii") as file:
            cls.vkey = file.read()

    def setUp(self):
        self.vault.up_again()
        self.vault.wait_ready()

    def tokenize(self, customer):
        body = {"pan": "4111111111111111", "customer": customer}
        answer = self.vault.request("web", "POST", "/v1/tokenize", body)
        self.assertEqual(answer.status, 200, answer)
        return answer.json()["token"]

    def published(self):
        """Every event, as the independent page reads and checks it."""
        size, root = self.log.checkpoint(self.vkey)
        return [json.loads(entry) for entry in self.log.entries(size, root)]

    def wait_published(self, text):
        return wait_for(lambda: [e for e in self.published() if text in json.dumps(e)],
                        f"{text} in the published log")

    def verify(self, *arguments, folder=None):
        return subprocess.run(
            [AUDIT, "--json", "verify", folder or self.vault.path("audit"),
             "--key", self.vault.path("audit.vkey"), *arguments],
            capture_output=True, text=True, timeout=60)

    def assert_verified(self, *arguments):
        done = self.verify(*arguments)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def keep_checkpoint(self):
        path = self.vault.path("kept-checkpoint")
        shutil.copy(self.vault.path("audit", "checkpoint"), path)
        return path

    def test_checkpoints_follow_events_at_rest_and_under_load(self):
        """How late they are `./dev bench` measures: a second. Here the bound is one that no busy machine
        reaches."""
        with publication.Watch(self.vault.path("audit")) as seen:
            for _ in range(3):
                self.wait_published(self.tokenize("+77010000109"))
            for batch in range(10):
                items = [{"pan": "4111111111111111", "customer": f"late-{batch}-{n}"} for n in range(250)]
                answer = self.vault.request("web", "POST", "/v1/tokenize", {"items": items})
                self.assertEqual(answer.status, 200, answer)
            newest = self.vault.events(1)[-1]["seq"]
            wait_for(lambda: seen.size() > newest, "all is published")
        lags = seen.lags()
        self.assertGreater(len(lags), 500)
        self.assertLess(lags[-1], 20)

    def test_events_are_published_and_verify(self):
        for _ in range(3):
            token = self.tokenize("+77010000101")
            self.wait_published(token)
        events = self.published()
        self.assertEqual([e["seq"] for e in events], list(range(len(events))))
        self.assertEqual([e["time"] for e in events], sorted(e["time"] for e in events))
        kinds = {e["op"] for e in events}
        self.assertLessEqual({"key.make", "start", "client.add", "bin.import", "tokenize"}, kinds)
        self.assert_verified()

    def test_a_proof_convinces_an_independent_reader(self):
        token = self.tokenize("+77010000102")
        event = self.wait_published(token)[-1]
        for program in ([AUDIT], self.vault.tool_command("audit")):
            done = subprocess.run(
                [*program, "prove", self.vault.path("audit"), str(event["seq"]),
                 "--key", self.vault.path("audit.vkey")],
                capture_output=True, text=True, timeout=60, check=True)
            index, entry = audit_page.check_proof(done.stdout, self.vkey)
            self.assertEqual(index, event["seq"])
            self.assertIn(token, entry.decode())
            with self.assertRaises(audit_page.Wrong):
                other = done.stdout.replace(f"index {index}\n", f"index {index - 1}\n")
                audit_page.check_proof(other, self.vkey)

    def test_the_tool_verifies_as_the_auditors_program_does(self):
        kept = self.keep_checkpoint()
        for program in ([AUDIT], self.vault.tool_command("audit")):
            done = subprocess.run(
                [*program, "verify", self.vault.path("audit"), "--key", self.vkey.strip(),
                 "--against", kept],
                capture_output=True, text=True, timeout=60)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("verified: cardvault.local/", done.stdout)
        wrong = subprocess.run(
            [AUDIT, "verify", self.vault.path("audit"), "--key", self.vault.path("ca.pem")],
            capture_output=True, text=True, timeout=60)
        self.assertEqual(wrong.returncode, 2)

    def test_it_goes_on_after_a_restart_and_after_kills(self):
        kept = self.keep_checkpoint()
        token = self.tokenize("+77010000103")
        self.vault.down()
        stopped = self.published()  # the vault has published its own end
        self.assertEqual(stopped[-1]["op"], "stop")
        self.assertTrue(any(token in json.dumps(e) for e in stopped))
        self.vault.up()
        for number in range(3):
            token = self.tokenize(f"+7701000011{number}")
            self.vault.kill_and_wait()
            self.wait_published(token)
        self.assert_verified("--against", kept)

    def rows_kept(self):
        rows = 0
        for name in ("vault.db", "reveal.db"):
            with sqlite3.connect(self.vault.path("data", name)) as db:
                rows += db.execute("SELECT coalesce(sum(count), 0) FROM events").fetchone()[0]
        return rows

    def test_published_events_leave_the_databases_and_are_read_all_the_same(self):
        token = self.tokenize("+77010000104")
        self.wait_published(token)
        size = len(self.published())
        # Down to what the reveal budgets are rebuilt from, which are saved every ten seconds.
        wait_for(lambda: self.rows_kept() < size / 2, "rows are deleted")
        events = self.vault.events(100_000)
        self.assertEqual([e["seq"] for e in events], list(range(len(events))))
        self.assertTrue(any(token in json.dumps(e) for e in events))
        self.vault.down()
        self.vault.up()
        self.assertEqual(self.vault.events(100_000)[:size], events[:size])

    def test_doctor_says_that_the_log_goes_on(self):
        done = self.vault.tool("doctor", check=False)
        self.assertIn("the published log continues what was published", done.stdout)

    def assert_sealed(self, expected):
        """readyz, requests and doctor all say so, and the daemon lives."""
        state = wait_for(
            lambda: (lambda a: a if b"log_inconsistent" in a.body else None)(
                self.vault.health("web", "/readyz")), "readyz says log_inconsistent")
        self.assertEqual(state.status, 503)
        body = {"pan": "4111111111111111", "customer": "+77010000105"}
        answer = self.vault.request("web", "POST", "/v1/tokenize", body)
        self.assertEqual((answer.status, answer.code), (503, "sealed"), answer)
        doctor = self.vault.tool("doctor", check=False)
        self.assertIn(expected, doctor.stdout)
        self.assertEqual(doctor.returncode, 1)

    def test_a_log_that_was_tampered_with_seals_the_vault_until_it_is_put_back(self):
        self.wait_published(self.tokenize("+77010000106"))
        self.vault.down()
        folder, aside = self.vault.path("audit"), self.vault.path("audit.good")
        shutil.copytree(folder, aside, copy_function=copy_with_owner)
        checkpoint = os.path.join(folder, "checkpoint")
        with open(checkpoint, "r+b") as file:
            note = file.read()
            at = note.index(b"\n") + 1  # the size's first digit
            file.seek(at)
            file.write(b"8" if note[at:at + 1] == b"9" else b"9")
        before = self.vault.wait_ready
        self.vault.wait_ready = lambda *_: None
        try:
            self.up_sealed()
            self.assert_sealed("has a signature that is not this vault's")
            # Put back, the vault goes on by itself.
            os.replace(os.path.join(aside, "checkpoint"), checkpoint)
        finally:
            self.vault.wait_ready = before
            shutil.rmtree(aside)
        self.vault.wait_ready()
        self.wait_published(self.tokenize("+77010000107"))
        alarms = [e for e in self.published() if e["op"] in ("alarm", "log.consistent")]
        self.assertIn("log_inconsistent", {e["outcome"] for e in alarms})
        self.assertIn("log.consistent", {e["op"] for e in alarms})
        self.assert_verified()

    def up_sealed(self):
        """As ./dev up, which waits in vain: the supervisor alone."""
        subprocess.run(
            ["/usr/bin/python3", os.path.join(vault_fixture.ROOT, "systemd", "supervise.py"),
             self.vault.dir, "--programs", vault_fixture.PROGRAMS, "--port", str(self.vault.port),
             "--daemon-uid", str(os.stat(self.vault.path("data")).st_uid)],
            check=True, timeout=60)

    def test_a_log_that_was_rolled_back_seals_the_vault(self):
        folder, old = self.vault.path("audit"), self.vault.path("audit.old")
        self.vault.down()
        shutil.copytree(folder, old, copy_function=copy_with_owner)
        self.vault.up()
        for n in range(40):  # while the databases have what the log lost, it is published again
            token = self.tokenize(f"+770100003{n:02}")
        self.wait_published(token)
        wait_for(lambda: self.rows_kept() < 20, "rows are deleted")
        self.vault.down()
        new = self.vault.path("audit.new")
        os.rename(folder, new)
        os.rename(old, folder)
        own(folder, new)
        try:
            self.up_sealed()
            self.assert_sealed("it was rolled back")
        finally:
            self.vault.down()
            shutil.rmtree(folder)
            os.rename(new, folder)
        self.vault.up()
        self.wait_published(token)
        self.assert_verified()

    def noted(self):
        """How many events the checkpoint has that vault.db knows of."""
        with sqlite3.connect(self.vault.path("data", "vault.db")) as db:
            row = db.execute("SELECT value FROM named_values WHERE name = 'published'").fetchone()
        return int.from_bytes(row[0][:8], "little") if row else 0

    def test_a_log_rolled_back_by_seconds_is_published_again_as_it_was_and_raises_an_alarm(self):
        folder, old, kept = (self.vault.path(name) for name in ("audit", "audit.then", "kept-newest"))
        size = 0
        for attempt in range(20):  # until vault.db notes nothing between the copy and the stop
            self.wait_published(self.tokenize(f"+770100004{attempt:02}"))
            shutil.copytree(folder, old, copy_function=copy_with_owner)
            token = self.tokenize(f"+770100005{attempt:02}")
            self.wait_published(token)
            self.vault.down()
            with open(os.path.join(old, "checkpoint"), encoding="utf-8") as file:
                size = int(file.read().split("\n")[1])
            if size >= self.noted():
                break
            shutil.rmtree(old)
            self.vault.up()
        self.assertGreaterEqual(size, self.noted())
        shutil.copy(os.path.join(folder, "checkpoint"), kept)
        own(old, folder)
        shutil.rmtree(folder)
        os.rename(old, folder)
        self.vault.up()
        self.wait_published(token)
        self.assert_verified("--against", kept)
        alarms = [e for e in self.vault.events(200) if e["outcome"] == "log_behind"]
        self.assertEqual([e["details"]["published"] for e in alarms], [str(size)])

    def test_an_anchor_of_another_past_seals_the_vault(self):
        self.wait_published(self.tokenize("+77010000109"))
        anchor = self.vault.path("anchor")
        self.copy_checkpoint(anchor)
        self.set_anchor(anchor)
        try:
            self.vault.kill_and_wait()
            with open(anchor, "r+b") as file:
                file.write(b"x")
            self.vault.kill_daemon()
            self.assert_sealed("the checkpoint " + anchor)
            self.copy_checkpoint(anchor)
            self.vault.wait_ready()
        finally:
            self.set_anchor("")
            self.vault.kill_daemon()

    def copy_checkpoint(self, path):
        shutil.copyfile(self.vault.path("audit", "checkpoint"), path)
        os.chmod(path, 0o644)  # the daemon's user reads it

    def set_anchor(self, path):
        subprocess.run(
            ["/usr/bin/python3", os.path.join(vault_fixture.ROOT, "systemd", "set_config.py"),
             self.vault.dir, f"audit.anchor={path}"], check=True, timeout=60)


SOFTOKEN = "/usr/lib/x86_64-linux-gnu/libsoftokn3.so"


@unittest.skipUnless(os.path.exists(SOFTOKEN), "libnss3 is not installed")
class WithoutEd25519(unittest.TestCase):
    """NSS signs by ECDSA alone: the checkpoints are of the other type."""

    def test_checkpoints_are_signed_by_ecdsa_and_verify(self):
        vault = vault_fixture.Vault(options=lambda folder: [
            "--module", SOFTOKEN, "--init-args",
            f"configdir='sql:{folder}/nss' certPrefix='' keyPrefix='' secmod='secmod.db' flags='' "
            "dbTokenDescription='cardvault'"])
        self.addCleanup(vault.close)
        with open(vault.path("audit.vkey"), encoding="ascii") as file:
            vkey = file.read()
        log = audit_page.Log(vault.path("audit"))
        size, root = log.checkpoint(vkey)
        self.assertEqual(len(log.entries(size, root)), size)
        for program in ([AUDIT], vault.tool_command("audit")):
            subprocess.run([*program, "verify", vault.path("audit"), "--key",
                            vault.path("audit.vkey")], check=True, timeout=60, capture_output=True)


def copy_with_owner(source, target):
    shutil.copy2(source, target)
    own(target, source)


def own(path, like):
    """As root the daemon has a user of its own, who must be able to write what is put back."""
    if os.geteuid() != 0:
        return
    status = os.stat(like)
    os.chown(path, status.st_uid, status.st_gid)
    for folder, folders, files in os.walk(path):
        for name in folders + files:
            os.chown(os.path.join(folder, name), status.st_uid, status.st_gid)


if __name__ == "__main__":
    unittest.main()
