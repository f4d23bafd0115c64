#!/usr/bin/python3
"""audit-sign is gone from the token: the vault says so and refuses requests; the custodians' quorum puts another
key in its place, in the log itself; and whoever checks the log follows it across with the first key and the
custodians' register, and no further than to there without. Custodians are played with means of the test's own."""

import base64
import contextlib
import datetime
import json
import os
import random
import re
import shutil
import subprocess
import tempfile
import threading
import time
import unittest

import vault_fixture
from custodians import Custodian, action_text
from log_maker import LogMaker, event_line
from token_copy import token_copy

DONE, REFUSED, WAITS = 0, 1, 5
AUDIT = os.path.join(vault_fixture.PROGRAMS, "cardvault-audit")
NAMES = ("anna", "bolat", "carol")


def auditor(*arguments):
    return subprocess.run([AUDIT, *arguments], capture_output=True, text=True, timeout=120)


class LostLogKey(unittest.TestCase):
    """Tests run by name: one vault's story."""

    @classmethod
    def setUpClass(cls):
        cls.vault = vault_fixture.shared()
        cls.audit = cls.vault.path("audit")
        cls.people = [Custodian(name) for name in NAMES]
        cls.top = tempfile.mkdtemp(prefix="cardvault-lost-")
        cls.register = os.path.join(cls.top, "custodians")
        cls.folder = cls.taken = None
        cls.cards = 0

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.top, ignore_errors=True)

    def tool(self, code, *arguments):
        done = self.vault.tool(*arguments, check=False)
        self.assertEqual(done.returncode, code, (arguments, done.stdout, done.stderr))
        return done

    def tokenize(self):
        LostLogKey.cards += 1
        return self.vault.request("web", "POST", "/v1/tokenize", {
            "pan": vault_fixture.made_up_pan(self.cards), "customer": f"+7706{self.cards:07d}"})

    def wait(self, condition, what):
        end = time.monotonic() + 60
        while not condition():
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.1)

    def checkpoint(self):
        with open(os.path.join(self.audit, "checkpoint"), encoding="utf-8") as file:
            return file.read()

    def wait_published(self):
        events = self.vault.events(1)[-1]["seq"]
        self.wait(lambda: int(self.checkpoint().split("\n")[1]) > events, "not published")

    def lose(self, label):
        """Removes the key's files from the live token: {path: bytes}, to be put back."""
        live = self.vault.path("token")
        with token_copy(self.vault) as (folder, tool):
            for kind in ("privkey", "pubkey"):
                tool("--delete-object", "--type", kind, "--label", label)
            left = {name for _, _, names in os.walk(folder) for name in names}
        taken = {}
        for where, _, names in os.walk(live):
            for name in names:
                if name.endswith(".object") and name not in left:
                    path = os.path.join(where, name)
                    with open(path, "rb") as file:
                        taken[path] = (file.read(), os.stat(path))
                    os.remove(path)
        self.assertTrue(taken, "nothing was taken")
        return taken

    def public_key(self, label):
        with token_copy(self.vault) as (_, tool):
            return tool("--read-object", "--type", "pubkey", "--label", label)

    def plant(self, label):
        """A key of somebody who has the PIN, as the daemon reads the others."""
        live = self.vault.path("token")
        like, = (os.stat(os.path.join(where, "token.object"))
                 for where, _, names in os.walk(live) if "token.object" in names)
        with token_copy(self.vault) as (folder, tool):
            tool("--keypairgen", "--key-type", "EC:prime256v1", "--label", label)
            for where, _, names in os.walk(folder):
                for name in names:
                    path = os.path.join(live, os.path.relpath(os.path.join(where, name), folder))
                    if not os.path.exists(path):
                        shutil.copy(os.path.join(where, name), path)
                        os.chown(path, like.st_uid, like.st_gid)
                        os.chmod(path, like.st_mode & 0o7777)

    def restart_lost(self):
        self.vault.kill_daemon()
        self.wait(lambda: self.ready().status != 200 and self.ready().json().get("state") == "log_key_lost",
                  "readyz says log_key_lost")

    def ready(self):
        try:
            return self.vault.health("web", "/readyz")
        except OSError:
            return vault_fixture.Answer(0, None, b"{}")

    @contextlib.contextmanager
    def states_seen(self):
        """What readyz calls the vault meanwhile, asked without a pause."""
        seen, over = {self.ready().json().get("state")}, threading.Event()

        def look():
            while not over.is_set():
                seen.add(self.ready().json().get("state"))

        watch = threading.Thread(target=look)
        watch.start()
        try:
            yield seen
        finally:
            over.set()
            watch.join()
            seen.add(self.ready().json().get("state"))

    def ask(self, *command):
        before = set(os.listdir("."))
        self.tool(WAITS, *command)
        folder, = set(os.listdir(".")) - before
        self.addClassCleanup(shutil.rmtree, folder, ignore_errors=True)
        name, = os.listdir(folder)
        with open(os.path.join(folder, name), encoding="ascii") as file:
            return folder, file.read()

    def signed(self, action, approvals):
        folder = tempfile.mkdtemp(dir=self.top)
        for number, text in enumerate([action, *approvals]):
            kind = "action" if number == 0 else "approval"
            with open(os.path.join(folder, f"{number}.{kind}"), "w", encoding="ascii") as file:
                file.write(text)
        return folder

    def states(self):
        return {row["key"]: row["state"] for row in json.loads(
            self.tool(DONE, "--format", "json", "key", "list").stdout) if row["key"].startswith("audit")}

    def test_1_without_custodians_it_says_what_is_left_and_a_copy_of_the_token_mends_it(self):
        self.assertEqual(self.tokenize().status, 200)
        self.wait_published()
        self.assertIn("is on the token", self.tool(REFUSED, "key", "replace", "audit-sign").stderr)
        taken = self.lose("audit-sign/1")
        self.restart_lost()
        self.assertIn("has no custodians", self.tool(REFUSED, "key", "replace", "audit-sign").stderr)
        for path, (content, status) in taken.items():
            with open(path, "wb") as file:
                file.write(content)
            os.chown(path, status.st_uid, status.st_gid)
            os.chmod(path, status.st_mode & 0o7777)
        self.vault.kill_and_wait()
        self.assertEqual(self.tokenize().status, 200)

    def test_2_the_vault_refuses_requests_and_says_why(self):
        draft = ["custodian", "draft", "--needed", "2", "--out", self.register]
        for one in self.people:
            draft += ["--custodian", f"{one.name}={one.key}"]
        self.tool(DONE, *draft)
        for one in self.people:
            one.sign_register(self.register)
        registered = self.tool(DONE, "custodian", "register", self.register).stdout
        with open(self.register, "w", encoding="ascii") as file:
            file.write(registered)
        self.assertEqual(self.tokenize().status, 200)
        self.wait_published()
        with open(os.path.join(self.top, "kept"), "w", encoding="utf-8") as file:
            file.write(self.checkpoint())
        self.lose("audit-sign/1")
        # Under a vault that runs: the next signature finds out, and the token is not the vault's any more.
        self.tokenize()
        self.wait(lambda: self.ready().json().get("state") == "hsm_unavailable", "the loss is noticed")
        self.wait(lambda: "restart the vault" in self.vault.tool("doctor", check=False).stdout,
                  "doctor says what to do")
        self.restart_lost()
        self.assertIn("cardvault key replace audit-sign", str(self.ready().json()["notes"]))
        answer = self.tokenize()
        self.assertEqual((answer.status, answer.code), (503, "sealed"))
        self.assertIn("cardvault key replace audit-sign", self.vault.tool("doctor", check=False).stdout)
        self.assertIn("cardvault key replace", self.tool(REFUSED, "key", "rotate", "audit-sign").stderr)
        self.assertIn("log_key_lost", {e["outcome"] for e in self.vault.events(50) if e["op"] == "alarm"})

    def test_3_only_the_quorum_of_exactly_this_act_replaces_it(self):
        command = ("key", "replace", "audit-sign")
        # One that lies there already is nobody's: it is made anew, and never what custodians are asked about.
        self.plant("audit-sign/2")
        self.restart_lost()
        planted = self.public_key("audit-sign/2")
        chance = random.Random(20261129)
        for _ in range(6):  # the tool killed at any moment: the key is made once, or not yet
            killed = subprocess.Popen(self.vault.tool_command(*command), cwd=self.top,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(chance.uniform(0.02, 0.6))
            killed.kill()
            killed.wait()
        LostLogKey.folder, action = self.ask(*command)
        self.assertNotEqual(self.public_key("audit-sign/2"), planted)
        adopted = [e for e in self.vault.events(50) if e["op"] == "key.adopt"][-1]
        self.assertEqual(adopted["resource"], "audit-sign/2")
        self.assertIn(f"argument: vkey={adopted['details']['vkey']}\n", action)
        # What was made is what custodians are asked about, after a kill too.
        self.restart_lost()
        _, again = self.ask(*command)
        said = lambda text: re.findall(r"^argument: (.*)$", text, re.MULTILINE)  # noqa: E731
        self.assertEqual(said(action), said(again))
        arguments = dict(one.split("=", 1) for one in said(action))
        self.assertEqual((arguments["key"], arguments["lost"]), ("audit-sign/2", "audit-sign/1"))
        with open(self.vault.path("audit.vkey"), encoding="ascii") as file:
            self.assertEqual(arguments["lost_vkey"], file.read().strip())
        self.assertEqual(arguments["checkpoint"].split()[0], self.checkpoint().split("\n")[1])
        vault = re.search(r"^vault: (\w+)$", action, re.MULTILINE).group(1)
        other = arguments | {"checkpoint": "7 " + "00" * 32}
        anna, bolat, _ = self.people
        both = lambda text: [anna.approve(text), bolat.approve(text)]  # noqa: E731
        cases = {
            "too few": (action, [anna.approve(action)], "missing are bolat, carol"),
            "one of them twice": (action, [anna.approve(action)] * 2, "approved it twice"),
            "a stranger": (action, [anna.approve(action), Custodian("bolat").approve(action)],
                           "no registered custodian's key"),
        }
        for name, text, expected in (
                ("another vault", action_text("00" * 8, "key.replace", arguments), "is for the vault"),
                ("another checkpoint", action_text(vault, "key.replace", other), "these approvals are for"),
                ("expired", action_text(vault, "key.replace", arguments, hours=-0.01), "expired at"),
                ("another act", action_text(vault, "key.rotate", {"purpose": "audit-sign"}), "")):
            cases[name] = (text, both(text), expected)
        for name, (text, approvals, expected) in cases.items():
            with self.subTest(name):
                done = self.tool(REFUSED, *command, "--approvals", self.signed(text, approvals))
                self.assertIn(expected, done.stderr)
        self.assertEqual(self.states(), {"audit-sign/1": "active"})
        self.assertEqual(self.ready().json()["state"], "log_key_lost")

        folder = self.signed(action, both(action))
        with self.states_seen() as seen:
            self.tool(DONE, *command, "--approvals", folder)
            self.vault.wait_ready()
        self.assertEqual(seen, {"log_key_lost", "ready"})  # and nothing in between
        self.assertEqual(self.states(), {"audit-sign/1": "destroyed", "audit-sign/2": "active"})
        self.assertEqual(self.tokenize().status, 200)
        self.wait_published()
        self.assertIn("is on the token", self.tool(REFUSED, *command, "--approvals", folder).stderr)
        self.vault.kill_and_wait()
        self.assertEqual(self.tokenize().status, 200)
        self.wait_published()

    def everything(self, key, *more):
        """Exit codes and words of all that follows a log's keys."""
        at = self.vault.path
        copy = tempfile.mkdtemp(dir=self.top)
        out = os.path.join(self.top, "report.html")
        return {
            "verify": auditor("verify", self.audit, "--key", key, *more),
            "find": auditor("find", self.audit, "--key", key, "--operation", "key.replace", "--outcome", "ok",
                            "--no-index", "--format", "json", *more),
            "report": auditor("report", self.audit, "--key", key, "-o", out, *more),
            "evidence": auditor("evidence", "verify", self.pack, "--key", key, *more),
            "mirror": auditor("mirror", self.vault.url("auditor"), copy, "--key", key, "--cert",
                              at("auditor.pem"), "--cert-key", at("auditor.key"), "--ca", at("ca.pem"), *more),
        }

    def test_4_auditors_follow_it_with_the_first_key_and_the_custodians_they_trust(self):
        first = self.vault.path("audit.vkey")
        LostLogKey.pack = os.path.join(self.top, "evidence.tar")
        self.tool(DONE, "audit", "evidence", "--lang", "en", "--key", first, "--custodians", self.register,
                  "-o", self.pack)
        trusted = ("--custodians", self.register)
        for name, done in self.everything(first, *trusted).items():
            with self.subTest(name):
                self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
                if name == "find":
                    self.assertEqual(json.loads(done.stdout)["details"]["lost"], "audit-sign/1")
        said = auditor("verify", self.audit, "--key", first, *trusted, "--against",
                       os.path.join(self.top, "kept")).stdout
        self.assertRegex(said, r"endorsed in record \d+ by the custodians' quorum, not by the key before")
        self.assertIn("continues " + os.path.join(self.top, "kept"), said)

        strangers = os.path.join(self.top, "strangers")
        with open(self.register, encoding="ascii") as file:
            text = re.sub(r"^signed: .*\n", "", file.read(), flags=re.MULTILINE)
        others = [Custodian(name) for name in NAMES]
        for real, false in zip(self.people, others):
            text = text.replace(real.key, false.key)
        with open(strangers, "w", encoding="ascii") as file:
            file.write(text)
        for one in others:
            one.sign_register(strangers)
        for trust, expected in (((), "no custodians are trusted here"),
                                (("--custodians", strangers), "do not hold")):
            for name, done in self.everything(first, *trust).items():
                with self.subTest(name, trust=trust):
                    self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
                    if name != "report":
                        self.assertIn(expected, done.stdout + done.stderr)
        # Whoever trusts the new key itself needs no custodians, nor does the vault.
        newest = json.loads(auditor("find", self.audit, "--key", first, "--operation", "key.replace",
                                    "--outcome", "ok", "--no-index", "--format", "json", *trusted).stdout)
        self.assertEqual(auditor("verify", self.audit, "--key", newest["details"]["vkey"]).returncode, 0)
        self.tool(DONE, "audit", "report", "-o", os.path.join(self.top, "own.html"))

    def test_5_the_keys_after_it_hand_on_as_ever(self):
        folder, action = self.ask("key", "rotate", "audit-sign")
        approvals = self.signed(action, [one.approve(action) for one in self.people])
        self.tool(DONE, "key", "rotate", "audit-sign", "--approvals", approvals)
        self.assertEqual(self.tokenize().status, 200)
        self.wait_published()
        done = auditor("verify", self.audit, "--key", self.vault.path("audit.vkey"), "--custodians",
                       self.register)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(done.stdout.count("endorsed in record"), 2, done.stdout)

    def test_6_a_restored_vaults_log_is_followed_to_this_one_with_the_first_key(self):
        with open(os.path.join(self.audit, "checkpoint"), encoding="utf-8") as file:
            note = file.read()
        _, size, root = note.split("\n")[:3]
        with open(self.register, encoding="ascii") as file:
            vault = re.search(r"^vault: (\w+)$", file.read(), re.MULTILINE).group(1)
        action = action_text(vault, "backup.restore", {"checkpoint": f"{size} {base64.b64decode(root).hex()}"})
        details = {"checkpoint": note, "action": action}
        details |= {f"approval{i}": one.approve(action) for i, one in enumerate(self.people)}
        restored = LogMaker(os.path.join(self.top, "restored"), "restored.example/log")
        restored.append([event_line(0, time=f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%dT%H:%M:%S.000Z}",
                                    op="log.continues", resource=note.split("\n")[0], details=details)])
        command = ("verify", restored.folder, "--key", restored.vkey, "--before", self.audit, "--before-key",
                   self.vault.path("audit.vkey"))
        done = auditor(*command, "--custodians", self.register)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("the quorum approved", done.stdout)
        self.assertEqual(done.stdout.count("endorsed in record"), 2, done.stdout)
        done = auditor(*command)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("no custodians are trusted here", done.stdout)


if __name__ == "__main__":
    unittest.main()
