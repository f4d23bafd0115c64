#!/usr/bin/python3
"""A whole ceremony on a terminal, five custodians, any three, on SoftHSM; and a rehearsal of one."""

import os
import re
import shutil
import signal
import stat
import subprocess
import unittest

from cryptography.hazmat.primitives import cmac, keywrap
from cryptography.hazmat.primitives.ciphers import algorithms

from ceremonies import Ceremonies
from ceremony_table import SOFTHSM, Gone, Sitting, combine

KEYS = {f"{name}/1" for name in ("pan-enc", "pan-index", "id-index", "id-enc", "otp-mac", "secret-enc",
                                 "seal-sign", "audit-sign", "client-ca")}


class AWholeCeremony(Ceremonies):
    def test_makes_a_vault_that_its_shares_can_rebuild(self):
        table = self.table()
        self.assertEqual(table.tool("ceremony", "plan", "check", table.plan).returncode, 0)
        shown = table.tool("ceremony", "plan", "show", table.plan).stdout
        sitting = self.hold(table)
        words = re.search(r"reading it aloud:\n  (.*)\n", shown).group(1)
        self.assertEqual(sitting.text.count(words), 5)  # each custodian saw them
        self.assert_whole(table)
        self.nothing_secret_is_left(table, sitting)
        self.pins_come_back(table, sitting)
        self.keys_come_back(table, sitting)
        self.custodians_are_registered(table)

    def nothing_secret_is_left(self, table, sitting):
        pin = self.read(os.path.join(table.dir, "pin"))
        so_pin = combine(self.shares_of(table, sitting.papers, "so-pin")[:3]).decode()
        for folder, _, names in os.walk(table.dir):
            for name in names:
                with open(os.path.join(folder, name), "rb") as file:
                    text = file.read()
                self.assertNotIn(so_pin.encode(), text, name)
                if name != "pin":
                    self.assertNotIn(pin.encode(), text, name)
        self.assertFalse(os.path.exists(os.path.join(table.dir, "so-pin")))
        self.assertEqual(stat.S_IMODE(os.stat(os.path.join(table.dir, "pin")).st_mode), 0o400)
        echoed = re.sub(r"\x1b\[\?1049h.*?\x1b\[\?1049l", "", sitting.text, flags=re.DOTALL)
        for typed in sitting.typed:
            self.assertNotIn(typed, echoed)
            if re.match("[1-4] ", typed):
                self.assertNotIn(typed.split()[1], echoed)

    def pins_come_back(self, table, sitting):
        shares = self.shares_of(table, sitting.papers, "user-pin")
        self.assertEqual([share["index"] for share in shares], [1, 2, 3, 4, 5])
        self.assertEqual(combine([shares[4], shares[0], shares[2]]).decode(),
                         self.read(os.path.join(table.dir, "pin")))
        self.assertNotEqual(combine(shares[:2]), combine(shares[:3]))
        so_pin = combine(self.shares_of(table, sitting.papers, "so-pin")[1:4]).decode()
        copy = os.path.join(self.top, "copy")
        shutil.copytree(os.path.join(table.dir, "token"), copy)
        subprocess.run(["chmod", "-R", "u+w", copy], check=True)
        conf = os.path.join(self.top, "copy.conf")
        with open(conf, "w", encoding="ascii") as file:
            file.write(f"directories.tokendir = {copy}\n")
        for pin, expected in ((so_pin, 0), ("A" * 32, 1)):
            done = subprocess.run(["pkcs11-tool", "--module", SOFTHSM, "--token-label", "cardvault", "--login",
                                   "--login-type", "so", "--so-pin", pin, "--init-pin", "--new-pin", "12345678"],
                                  env=dict(os.environ, SOFTHSM2_CONF=conf), capture_output=True, check=False)
            self.assertEqual(done.returncode, expected, done.stderr)

    def keys_come_back(self, table, sitting):
        backup_key = combine(self.shares_of(table, sitting.papers, "backup-key")[2:])
        found = set()
        for line in self.read(os.path.join(table.dir, "custody", "wrapped-keys")).splitlines():
            if not line.startswith("key: "):
                continue
            fields = dict(one.split("=", 1) for one in line[5:].split(" "))
            key = keywrap.aes_key_unwrap(backup_key, bytes.fromhex(fields["bytes"]))
            found.add(fields["label"])
            if fields["kind"] == "AES-256":
                mac = cmac.CMAC(algorithms.AES(key))
                mac.update(bytes(16))
                self.assertEqual(mac.finalize()[:5].hex(), fields["kcv"], line)
        self.assertEqual(found, KEYS - {"seal-sign/1", "audit-sign/1", "client-ca/1"})

    def custodians_are_registered(self, table):
        action = os.path.join(self.top, "destroy.action")
        register = os.path.join(table.dir, "custody", "custodians")
        done = table.tool("action", "new", "key.destroy", "--argument", "label=pan-enc/1", "--custodians",
                          register, "--out", action)
        self.assertEqual(done.returncode, 0, done.stderr)
        digest = re.search(r"^  ([0-9a-f]{64})$", done.stdout, re.MULTILINE).group(1)
        approvals = []
        for name in ("anna", "dana", "erik"):  # a file, a card, a file
            self.assertEqual(table.tool("action", "check", action, "--custodians", register,
                                        *approvals).returncode, 1)
            out = os.path.join(self.top, name + ".approval")
            done = table.tool("approve", "--action", action, "--key", table.key(name), "--out", out, "--digest",
                              digest, secret=table.passphrase(name))
            self.assertEqual(done.returncode, 0, done.stderr)
            approvals.append(out)
        done = table.tool("action", "check", action, "--custodians", register, *approvals)
        self.assertEqual((done.returncode, done.stdout),
                         (0, "approved by anna\napproved by dana\napproved by erik\n"), done.stderr)
        twice = table.tool("action", "check", action, "--custodians", register, approvals[0], approvals[0],
                           approvals[1])
        self.assertEqual(twice.returncode, 1)
        self.assertIn("anna approved it twice", twice.stderr)
        wrong = table.tool("approve", "--action", action, "--key", table.key("anna"), "--digest", "0" * 64,
                           secret=table.passphrase("anna"))
        self.assertEqual(wrong.returncode, 1)
        sitting = Sitting(table, "approve", "--action", action, "--key", table.key("erik"))
        sitting.answers = {r"Passphrase of": [table.passphrase("erik")]}
        sitting.RULES = [(r"Passphrase of [^\r\n]*: ", "passphrase"), *Sitting.RULES]
        self.assertEqual(sitting.run(), 0, sitting.text)

    def test_without_a_pin_file_the_shares_are_asked_for_after_a_break(self):
        table = self.table(unseal="custodians", backup=False, read_back=False, cards=(), media=())
        sitting = self.run_plan(table)
        sitting.answers = {"anna, did all this happen": [lambda: sitting.child.kill(signal.SIGKILL) or ""]}
        with self.assertRaises(Gone):
            sitting.run()
        # Up to the token's signature the PIN was in memory only; it has signed, so nothing is asked.
        self.hold(table)
        self.assert_whole(table)
        self.assertFalse(os.path.exists(os.path.join(table.dir, "pin")))
        self.assertNotIn("pin-source", self.read(os.path.join(table.dir, "vault.toml")))


class Rehearsal(Ceremonies):
    def test_leaves_its_transcript_and_nothing_else(self):
        table = self.table(read_back=False)
        sitting = self.hold(table, "--rehearse")
        self.assertIn("REHEARSAL", sitting.text)
        (name,) = os.listdir(table.dir)
        self.assertTrue(name.startswith("rehearsal-"))
        done = table.tool("ceremony", "verify", os.path.join(table.dir, name))
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertIn("REHEARSAL", done.stderr)
        for folder in table.media.values():
            self.assertEqual(os.listdir(folder), [])

    def broken_off(self, table):
        """Killed when bolat has his files: what is on his medium then."""
        sitting = self.run_plan(table, "--rehearse")
        sitting.answers = {"bolat, have you taken": [lambda: sitting.child.kill(signal.SIGKILL) or ""]}
        with self.assertRaises(Gone):
            sitting.run()
        files = os.listdir(table.media["bolat"])
        self.assertEqual(len(files), 3)
        for name in files:
            self.assertIn("note: REHEARSAL", self.read(os.path.join(table.media["bolat"], name)))
        return files

    def test_broken_off_it_goes_on_and_nothing_is_left_on_media(self):
        table = self.table(read_back=False, cards=())
        files = self.broken_off(table)
        vault = files[0].split(".")[-2]
        again = self.hold(table, "--rehearse")
        self.assertIn("it goes on from there", again.text)
        self.assertNotIn("anna signs the plan", again.text)
        self.assertEqual(os.listdir(table.dir), [f"rehearsal-{vault}.transcript"])
        for folder in table.media.values():
            self.assertEqual(os.listdir(folder), [])

    def test_one_of_another_plan_is_ended_with_its_own_files_alone(self):
        table = self.table(read_back=False, cards=())
        files = self.broken_off(table)
        bolat = table.media["bolat"]
        for number, text in ((0, "another's"), (1, None)):
            path = os.path.join(bolat, files[number])
            os.remove(path)
            if text:
                with open(path, "w", encoding="ascii") as file:
                    file.write(text)
        text = self.read(table.plan)
        with open(table.plan, "w", encoding="utf-8") as file:
            file.write(text.replace("A test of everything", "Another test"))
        sitting = self.hold(table, "--rehearse")
        self.assertIn("a rehearsal of another plan was broken off here", sitting.text)
        self.assertIn("anna signs the plan", sitting.text)
        self.assertEqual(os.listdir(bolat), [files[0]])  # no file of the rehearsal, whatever its name
        self.assertEqual(self.read(os.path.join(bolat, files[0])), "another's")

    def test_what_the_machine_lacks_is_said_before(self):
        table = self.table(read_back=False, cards=(), media=())
        text = self.read(table.plan)
        user = str(os.geteuid())
        with open(table.plan, "w", encoding="utf-8") as file:
            file.write(text.replace(SOFTHSM, "/nowhere/libhsm.so")
                       .replace(f'daemon_user = "{user}"', 'daemon_user = "nobody-at-all"\noperators = ["zoe-of-nowhere"]')
                       .replace(f'gates = ["web={user}"]', 'gates = ["web=no-such-gate"]'))
        checked = table.tool("ceremony", "plan", "check", table.plan)
        self.assertEqual(checked.returncode, 0)  # the ceremony may be held elsewhere
        sitting = self.run_plan(table, "--rehearse")
        sitting.leave_at = 1
        self.assertEqual(sitting.run(), 4, sitting.text)
        for said in ("no module /nowhere/libhsm.so", 'no account "nobody-at-all"', 'no account "zoe-of-nowhere"',
                     'no account "no-such-gate"'):
            self.assertIn(said, checked.stderr)
            self.assertIn(said, sitting.text)
        self.assertFalse(os.path.exists(table.dir))


if __name__ == "__main__":
    unittest.main()
