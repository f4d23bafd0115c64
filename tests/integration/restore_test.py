#!/usr/bin/python3
"""The vault that a restore makes of a backup on another machine, with a token of its own: what the quorum
approves, what kills leave, what it knows and what it doesn't claim to know."""

import json
import os
import random
import shutil
import signal
import subprocess
import unittest

import pexpect

import ceremony_table
import vault_fixture
from custody_vault import CustodyVault, reveal, store, wait_published

SEED = int(os.environ.get("CARDVAULT_SEED", random.SystemRandom().randrange(1 << 32)))
LONG = os.environ.get("CARDVAULT_LONG") == "1"
SETTINGS = ("otp.resend_s=0", "otp.sends=0", "limits.rate_per_s=0", "policy.pan_budget_day=0",
            "policy.pan_budget_month=0") + tuple(vault_fixture.OPERATORS)
CARDS = 60
SUBJECT = "+77051112233"

vault = None
programs = vault_fixture.PROGRAMS


def setUpModule():
    global vault
    print(f"seed {SEED}", flush=True)
    vault = CustodyVault(SETTINGS)
    unittest.addModuleCleanup(vault.close)


class Restore(unittest.TestCase):
    def folder(self):
        folder = vault.new_machine()
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        return folder

    def asked(self, path, folder, *more):
        return vault.custodians.tool(*vault.restore_arguments(path, folder, *more))

    def test_1_takes_the_quorum_and_nothing_is_there_without(self):
        path, folder = vault.backup("quorum.cvb"), self.folder()
        before = set(os.listdir(folder))
        done = self.asked(path, folder)
        self.assertEqual(done.returncode, 5, done.stderr)
        action = os.path.join(folder, "restore.action")
        approvals = vault.custodians.approve(action)
        for few, why in ((approvals[:2], "2 of 3"), ([approvals[0]] * 3, "twice")):
            done = self.asked(path, folder, "--approvals", *few)
            self.assertEqual(done.returncode, 1)
            self.assertIn(why, done.stderr)
        other = vault.backup("quorum-2.cvb")
        done = self.asked(other, folder, "--approvals", *approvals)
        self.assertEqual(done.returncode, 1)
        self.assertIn("not about this backup", done.stderr)
        self.assertEqual(set(os.listdir(folder)) - before, {"restore.action"} | {
            os.path.basename(one) for one in approvals})

    def test_2_a_backup_older_than_what_is_known_says_how_much_is_lost(self):
        path, folder = vault.backup("old.cvb"), self.folder()
        store(vault, 3, first=5000)
        wait_published(vault)
        known = os.path.join(vault.top, "known.checkpoint")
        shutil.copy(vault.path("audit", "checkpoint"), known)
        done = self.asked(path, folder, "--known-checkpoint", known)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, r"older than the checkpoint that is known: [1-9][0-9]* events")
        with open(os.path.join(folder, "restore.action"), encoding="utf-8") as file:
            self.assertIn("argument: lost=", file.read())
        forged = os.path.join(vault.top, "forged.checkpoint")
        with open(known, encoding="utf-8") as file, open(forged, "w", encoding="utf-8") as out:
            origin, _, rest = file.read().split("\n", 2)
            out.write(f"{origin}\n99999999\n{rest}")
        done = self.asked(path, folder, "--known-checkpoint", forged)
        self.assertEqual(done.returncode, 1)
        self.assertIn("signed by a key given", done.stderr)
        new = os.path.join(folder, "new")
        self.assertEqual(self.asked(path, new, "--known-checkpoint", forged).returncode, 1)
        self.assertFalse(os.path.exists(new))

    def test_3_killed_anywhere_it_begins_anew_or_is_complete(self):
        path, folder = vault.backup("kills.cvb"), self.folder()
        self.assertEqual(self.asked(path, folder).returncode, 5)
        approvals = vault.custodians.approve(os.path.join(folder, "restore.action"))
        arguments = vault.restore_arguments(path, folder, "--approvals", *approvals)
        shares = vault.custodians.shares("backup-key", "so-pin", "user-pin")
        chance = random.Random(SEED + 3)
        for round_ in range(40 if LONG else 4):
            sitting = ceremony_table.Sitting(vault.custodians, *arguments)
            sitting.entering = list(shares)
            last = {"left": 9 * 5}  # prompts: a path and four lines for each share
            sitting.leave_at = None
            self.kill_after_last_prompt(sitting, last["left"], chance.uniform(0, 2.0))
            self.assertTrue(not os.path.exists(os.path.join(folder, "vault.toml")) or
                            os.path.exists(os.path.join(folder, "data", "vault.db")))
            if os.path.exists(os.path.join(folder, "vault.toml")):
                break
        ready = os.path.exists(os.path.join(folder, "restore.part", "ready"))
        if ready or not os.path.exists(os.path.join(folder, "vault.toml")):
            code, text = vault.custodians.sit(*arguments, entering=[] if ready else shares)
            self.assertEqual(code, 0, text[-2000:])
        self.assertFalse(os.path.exists(os.path.join(folder, "restore.part")))
        for name in ("vault.toml", "data", "token", "custody", "audit", "audit.vkey"):
            self.assertTrue(os.path.exists(os.path.join(folder, name)), name)

    @unittest.skipIf(os.geteuid() != 0, "mounts a small file system")
    def test_3b_a_full_disk_is_said_and_the_same_command_goes_on(self):
        path, folder = vault.backup("full.cvb"), self.folder()
        small = os.path.join(folder, "disk")
        os.mkdir(small)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48k,mode=711", "tmpfs", small], check=True)
        self.addCleanup(subprocess.run, ["umount", small], check=True)
        arguments = lambda *more: vault.restore_arguments(path, small, *more)  # noqa: E731
        self.assertEqual(self.asked(path, small).returncode, 5)
        approvals = vault.custodians.approve(os.path.join(small, "restore.action"))
        for size in ("60k", "250k"):  # the databases don't fit, or not what they are opened with
            subprocess.run(["mount", "-o", f"remount,size={size}", small], check=True)
            code, text = vault.custodians.sit(
                *arguments("--approvals", *approvals),
                entering=vault.custodians.shares("backup-key", "so-pin", "user-pin"))
            self.assertEqual(code, 4, text[-2000:])
            self.assertIn("full", text.splitlines()[-1])
            self.assertLessEqual(set(os.listdir(small)), {"restore.part", "restore.action"} | {
                os.path.basename(one) for one in approvals})
            self.assertFalse(os.path.exists(os.path.join(small, "restore.part", "ready")))
        subprocess.run(["mount", "-o", "remount,size=64m", small], check=True)
        code, text = vault.custodians.sit(
            *arguments("--approvals", *approvals),
            entering=vault.custodians.shares("backup-key", "so-pin", "user-pin"))
        self.assertEqual(code, 0, text[-2000:])
        self.assertTrue(os.path.exists(os.path.join(small, "vault.toml")))

    def kill_after_last_prompt(self, sitting, prompts, delay):
        """Feeds every share, then kills the tool some time into its work."""
        while sitting.prompts < prompts:
            which = sitting.child.expect([pattern for pattern, _ in sitting.RULES])
            what = sitting.RULES[which][1]
            if what == "end":
                sitting.child.close()
                return
            sitting.prompts += 1
            sitting.answer(what, sitting.child.before + sitting.child.after)
        try:
            sitting.child.expect(pexpect.EOF, timeout=delay)
        except pexpect.TIMEOUT:
            sitting.child.kill(signal.SIGKILL)
        sitting.child.close()

    def test_4_every_card_reveals_and_nothing_after_the_backup_is_claimed(self):
        wait_published(vault)
        self.early_log = os.path.join(vault.top, "early-log")
        shutil.copytree(vault.path("audit"), self.early_log)
        cards = store(vault, CARDS, first=1000)
        open_code = vault.code(SUBJECT, "verify_login")
        locked = "+77051119999"
        vault.code(locked, "verify_login")
        for _ in range(3):
            self.assertNotEqual(vault.verify(locked, "verify_login", "000000").status, 200)
        path = vault.backup("whole.cvb")
        later = store(vault, 2, first=3000)
        wait_published(vault)
        old_log = os.path.join(vault.top, "lost-log")
        shutil.copytree(vault.path("audit"), old_log)
        known = os.path.join(old_log, "checkpoint")
        vault_fixture.clear_of_the_hour(300)  # a restore spends the hour's and the day's reveals as it is made
        vault.down()  # the machine is lost
        try:
            other = vault.restore(path, self.folder(), "--known-checkpoint", known)
            self.examine(other, cards, later, open_code, locked, old_log)
        finally:
            vault.up()

    def examine(self, other, cards, later, open_code, locked, old_log):
        other.up()
        self.addCleanup(other.close)
        self.token = token = next(iter(cards))
        spent = reveal(other, token)
        self.assertEqual((spent.status, spent.code), (429, "reveal_budget_exhausted"))
        self.release(other, "processor")
        for token, pan in cards.items():
            answer = reveal(other, token)
            self.assertEqual((answer.status, answer.json().get("pan")), (200, pan), answer)
        for token in later:
            self.assertEqual(reveal(other, token).status, 404)
        self.assertNotEqual(other.verify(SUBJECT, "verify_login", open_code).status, 200)
        self.assertEqual(other.verify(locked, "verify_login", "000000").status, 423)
        self.keys_of(other)
        self.logs_of(other, old_log)
        self.next_life(other, cards)

    def release(self, other, client):
        """What a restore has spent takes the quorum, after the two operators that a release takes."""
        second = vault_fixture.SECOND_UID if os.geteuid() == 0 else None
        command = ("client", "release", client)
        if second is not None:
            self.assertEqual(other.tool(*command, check=False).returncode, 5)
        word = other.custodians.with_quorum(other.path("vault.toml"), *command, uid=second)
        self.assertEqual(reveal(other, self.token).status, 429)
        other.kill_and_wait()  # nor does the log's record of the refusal release anybody
        self.assertEqual(reveal(other, self.token).status, 429)
        other.tool(*command, *word, uid=second)

    def keys_of(self, other):
        rows = {row["key"]: row["state"]
                for row in json.loads(other.tool("--format", "json", "key", "list").stdout)}
        for purpose in ("pan-enc", "id-enc", "secret-enc"):
            self.assertEqual((rows[f"{purpose}/1"], rows[f"{purpose}/2"]), ("decrypt only", "active"))
        for purpose in ("seal-sign", "audit-sign", "client-ca"):
            self.assertEqual((rows[f"{purpose}/1"], rows[f"{purpose}/2"]), ("destroyed", "active"))
        for purpose in ("pan-index", "id-index", "otp-mac"):
            self.assertEqual(rows[f"{purpose}/1"], "active")
        pan = vault_fixture.made_up_pan(1000)
        again = other.request("web", "POST", "/v1/tokenize", {"pan": pan, "customer": f"+7701{200:07d}"})
        self.assertTrue(again.json()["duplicate"], again)

    def logs_of(self, other, old_log):
        first = json.loads(other.tool("--format", "json", "audit", "tail", "--from", "0", "-n", "1").stdout)
        self.assertEqual(first["op"], "log.continues")
        wait_published(other)
        program = os.path.join(programs, "cardvault-audit")
        run = lambda *more, log=old_log: subprocess.run(
            [program, "verify", other.path("audit"), "--key", other.vkey(), "--before", log,
             "--before-key", vault.vkey(), *more], capture_output=True, text=True, timeout=120)
        done = run("--custodians", other.path("custody", "custodians"))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("the quorum approved", done.stdout)
        self.damaged_old_logs(run, old_log)

    def damaged_old_logs(self, run, old_log):
        copy = os.path.join(vault.top, "damaged-log")
        bundles = sorted(os.path.join(folder, name) for folder, _, names in os.walk(
            os.path.join(old_log, "tile", "entries")) for name in names)
        shutil.copytree(old_log, copy)
        self.addCleanup(shutil.rmtree, copy, ignore_errors=True)
        for bundle in bundles:  # partial ones that were outgrown too
            target = bundle.replace(old_log, copy)
            os.chmod(target, 0o644)
            with open(target, "r+b") as file:
                file.seek(50)
                byte = file.read(1)
                file.seek(50)
                file.write(bytes([byte[0] ^ 1]))
        done = run(log=copy)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("NOT VERIFIED", done.stdout)
        self.assertIn("flipped", done.stdout)
        done = run(log=self.early_log)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        self.assertIn("rolled back", done.stdout)

    def next_life(self, other, cards):
        """Rows move to the new version, and the old one is destroyed; the next version is backed up."""
        other.tool("key", "rewrap", "pan-enc")
        other.tool("key", "retire", "pan-enc/1")
        other.approved("key", "destroy", "pan-enc/1", "--after", "0")
        for token, pan in list(cards.items())[:5]:
            self.assertEqual(reveal(other, token).json()["pan"], pan)
        rotate = ("key", "rotate", "pan-enc")
        code, text = other.custodians.sit("--config", other.path("vault.toml"), *rotate,
                                          *other.custodians.with_quorum(other.path("vault.toml"), *rotate),
                                          entering=other.custodians.shares("backup-key"))
        self.assertEqual(code, 0, text[-2000:])
        with open(other.path("custody", "wrapped-keys"), encoding="ascii") as file:
            self.assertIn("label=pan-enc/3 ", file.read())
        path = os.path.join(vault.top, "again.cvb")
        other.tool("backup", "create", path)
        done = vault.custodians.tool("backup", "verify", path, "--key", other.vkey())
        self.assertEqual(done.returncode, 0, done.stderr)


class Rotation(unittest.TestCase):
    def test_without_the_custodians_a_key_with_a_backup_is_not_rotated(self):
        rotate = ("key", "rotate", "pan-enc")
        word = vault.custodians.with_quorum(vault.path("vault.toml"), *rotate)
        done = subprocess.run(vault.tool_command(*rotate, *word), capture_output=True,
                              text=True, timeout=60, stdin=subprocess.DEVNULL, start_new_session=True)
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertIn("terminal", done.stderr)
        states = vault.tool("key", "list").stdout
        self.assertNotIn("pan-enc/2", states)


if __name__ == "__main__":
    unittest.main()
