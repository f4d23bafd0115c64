#!/usr/bin/python3
"""A whole ceremony on a terminal: five custodians, any three, on SoftHSM; and everything that goes wrong at one."""

import os
import re
import shutil
import signal
import stat
import subprocess
import tempfile
import termios
import unittest

from cryptography.hazmat.primitives import cmac, keywrap
from cryptography.hazmat.primitives.ciphers import algorithms

import ceremony_table
from ceremony_table import Gone, SOFTHSM, Sitting, Table, combine, value_of

KEYS = {f"{name}/1" for name in ("pan-enc", "pan-index", "id-index", "id-enc", "otp-mac", "secret-enc",
                                 "seal-sign", "audit-sign", "client-ca")}


class Ceremonies(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.mkdtemp(prefix="cardvault-ceremony-")
        self.addCleanup(shutil.rmtree, self.top, ignore_errors=True)

    def table(self, **options):
        return Table(self.top, **options)

    def table_with_a_shim(self):
        """A table whose token is of another vendor; and the folder in which that keeps its tokens."""
        table = self.table(read_back=False, cards=(), media=())
        shim = os.path.join(ceremony_table.PROGRAMS, "tests", "hsm", "cardvault_shim.so")
        tokens = os.path.join(self.top, "shim-tokens")
        os.mkdir(tokens)
        conf = os.path.join(self.top, "shim.conf")
        with open(conf, "w", encoding="ascii") as file:
            file.write(f"directories.tokendir = {tokens}\n")
        text = self.read(table.plan)
        with open(table.plan, "w", encoding="utf-8") as file:
            file.write(text.replace(SOFTHSM, shim))
        table.env |= {"SOFTHSM2_CONF": conf, "CARDVAULT_SHIM_TARGET": SOFTHSM}
        return table, tokens

    def run_plan(self, table, *more):
        return Sitting(table, "ceremony", "run", table.plan, "--dir", table.dir, *more)

    def hold(self, table, *more):
        sitting = self.run_plan(table, *more)
        self.assertEqual(sitting.run(), 0, sitting.text[-3000:])
        return sitting

    def transcript(self, table):
        return os.path.join(table.dir, "custody", "transcript.1")

    def read(self, path):
        with open(path, encoding="utf-8") as file:
            return file.read()

    def assert_whole(self, table):
        """The vault is there, its transcript holds, nothing is left over."""
        done = table.tool("ceremony", "verify", self.transcript(table))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertNotIn("BAD", done.stdout)
        self.assertEqual(set(os.listdir(table.dir)) - {"run", "pin"},
                         {"audit", "audit.vkey", "custody", "data", "gate-web.toml", "softhsm2.conf", "token",
                          "vault.toml"})

    def shares_of(self, table, papers, secret):
        """Decoded shares of a secret, from papers and media."""
        out = [value_of(lines) for (_, which), lines in papers.items() if which == secret]
        for name, folder in table.media.items():
            for file in os.listdir(folder):
                if file.startswith(secret):
                    out.append(table.open_file(os.path.join(folder, file), name))
        newest = max(share["split"] for share in out)
        return sorted((s for s in out if s["split"] == newest), key=lambda share: share["index"])


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


class Broken(Ceremonies):
    def test_killed_anywhere_it_goes_on(self):
        table = self.table(cards=())
        papers = {}
        # A different place each time; what was not put to use by then is made anew.
        for prompt in (2, 9, 14, 30, 3, 20, 1, 4):
            sitting = self.run_plan(table)
            sitting.leave_at = prompt
            try:
                code = sitting.run()
            except Gone:
                papers.update(sitting.papers)
                self.assertFalse(os.path.exists(os.path.join(table.dir, "vault.toml")))
                continue
            self.assertEqual(code, 0, sitting.text[-2000:])
            papers.update(sitting.papers)
            break
        else:
            papers.update(self.hold(table).papers)
        self.assert_whole(table)
        text = self.read(self.transcript(table))
        self.assertIn(" resumed ", text)
        self.assertIn(" split-void ", text)
        self.assertEqual(combine(self.shares_of(table, papers, "user-pin")[:3]).decode(),
                         self.read(os.path.join(table.dir, "pin")))

    def test_killed_while_keys_are_made_it_goes_on(self):
        table = self.table(read_back=False, cards=(), media=())
        for moment in ("is initialised", "the keys are made", "id-enc/1", "audit-sign/1", "keys are wrapped",
                       "the token is tried"):
            sitting = self.run_plan(table)
            sitting.RULES = [(re.escape(moment), "moment"), *Sitting.RULES]
            sitting._moment = lambda _, child=sitting.child: child.kill(signal.SIGKILL)
            try:
                sitting.run()
                break  # past all of them
            except Gone:
                pass
        if not os.path.exists(os.path.join(table.dir, "vault.toml")):
            self.hold(table)
        self.assert_whole(table)

    def test_killed_with_a_token_that_keeps_its_keys_itself_it_goes_on(self):
        table, _ = self.table_with_a_shim()
        for moment in ("the keys are made", "id-enc/1"):
            sitting = self.run_plan(table)
            sitting.RULES = [(re.escape(moment), "moment"), *Sitting.RULES]
            sitting._moment = lambda _, child=sitting.child: child.kill(signal.SIGKILL)
            with self.assertRaises(Gone):
                sitting.run()
        self.hold(table)
        done = table.tool("ceremony", "verify", self.transcript(table))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("the HSM answers", table.tool("--config", os.path.join(table.dir, "vault.toml"), "doctor").stdout)

    def test_the_terminal_is_as_it_was_after_a_signal(self):
        table = self.table(read_back=False, cards=(), media=())
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            sitting = self.run_plan(table)
            sitting.child.expect("passphrase of your key")
            self.assertTrue(sitting.child.waitnoecho(timeout=10))
            sitting.child.kill(number)
            sitting.child.expect(pexpect_eof())
            self.assertTrue(termios.tcgetattr(sitting.child.child_fd)[3] & termios.ECHO, number)
            sitting.child.close()
            self.assertEqual(sitting.child.signalstatus, number)

    def test_a_terminal_that_hangs_up_leaves_word_how_to_go_on(self):
        table = self.table(read_back=False, cards=(), media=())
        err = os.path.join(self.top, "err")
        sitting = Sitting(table, "ceremony", "run", table.plan, "--dir", table.dir, stderr=err)
        sitting.leave_at = 3
        sitting.leave = lambda child: child.ptyproc.fileobj.close()
        with self.assertRaises(OSError):  # the driver's own end of the line is gone
            sitting.run()
        os.waitpid(sitting.child.pid, 0)
        self.assertIn("Run the same command again", self.read(err))
        self.hold(table)
        self.assert_whole(table)

    def test_no_terminal_no_ceremony(self):
        table = self.table(cards=(), media=())
        done = table.tool("ceremony", "run", table.plan, "--dir", table.dir)
        self.assertEqual(done.returncode, 4)
        self.assertIn("this process has none: run it in one", done.stderr)


class BadInput(Ceremonies):
    def test_a_wrong_passphrase_and_a_wrong_key_are_named(self):
        table = self.table(read_back=False, cards=(), media=())
        sitting = self.run_plan(table)
        sitting.answers = {"anna: passphrase": ["not it at all", table.passphrase("bolat"),
                                                table.passphrase("anna")],
                           "bolat: passphrase": [table.passphrase("bolat")]}
        self.assertEqual(sitting.run(), 0, sitting.text[-2000:])
        self.assertEqual(sitting.text.count("This passphrase is wrong."), 2)

    def test_five_wrong_passphrases_end_it_and_it_goes_on(self):
        table = self.table(read_back=False, cards=(), media=())
        sitting = self.run_plan(table)
        sitting.answers = {"bolat: passphrase": ["wrong"] * 5}
        self.assertEqual(sitting.run(), 1)
        self.assertIn("bolat was not authenticated in 5 tries", sitting.text)
        again = self.hold(table)
        self.assertNotIn("anna signs the plan", again.text)
        self.assertIn("bolat signs the plan", again.text)

    def test_another_ones_key_is_not_taken(self):
        table = self.table(read_back=False, cards=(), media=())
        text = self.read(table.plan)
        with open(table.plan, "w", encoding="utf-8") as file:  # anna's place names bolat's key
            file.write(text.replace(f'key_place = "{table.key("anna")}"', f'key_place = "{table.key("bolat")}"'))
        sitting = self.run_plan(table)
        sitting.answers = {r"anna: passphrase of your key .*bolat": [table.passphrase("bolat")],
                           "anna: path of your key": [table.key("anna")]}
        self.assertEqual(sitting.run(), 0, sitting.text[-2000:])
        self.assertIn("but anna's in the plan is p256:", sitting.text)

    def test_less_than_yes_is_no(self):
        table = self.table(read_back=False, cards=(), media=())
        for answer in ("yes", "Y", "", "Yes!"):
            sitting = self.run_plan(table)
            sitting.answers = {"do you sign it": [answer]}
            self.assertEqual(sitting.run(), 1, sitting.text)
            self.assertIn("not confirmed with exactly", sitting.text)
        self.assertFalse(os.path.exists(os.path.join(table.dir, "token")))

    def test_a_plan_changed_after_signing_is_refused(self):
        table = self.table(read_back=False, cards=(), media=())
        sitting = self.run_plan(table)
        sitting.leave_at = 4
        with self.assertRaises(Gone):
            sitting.run()
        text = self.read(table.plan)
        with open(table.plan, "w", encoding="utf-8") as file:
            file.write(text.replace("so-pin = 3", "so-pin = 2"))
        sitting = self.run_plan(table)
        self.assertEqual(sitting.run(), 1)
        self.assertIn("the plan is not the one that this ceremony began with", sitting.text)
        with open(table.plan, "w", encoding="utf-8") as file:
            file.write(text)
        self.hold(table)
        self.assert_whole(table)

    def test_mistyped_shares_are_named_line_by_line(self):
        table = self.table(cards=(), media=())
        sitting = self.run_plan(table)
        def mistyped():
            line = sitting.papers["anna", "so-pin"][1]  # the first share that anybody types
            return line[:8] + ("A" if line[8] != "A" else "B") + line[9:]
        sitting.answers = {"Line 2 of 4": [mistyped]}
        self.assertEqual(sitting.run(), 0, sitting.text[-2000:])
        self.assertEqual(sitting.text.count("Line 2 again: its check does not hold"), 1)

    def test_an_existing_vault_or_token_is_never_touched(self):
        table = self.table(read_back=False, cards=(), media=())
        self.hold(table)
        before = {name: os.stat(os.path.join(table.dir, name)).st_mtime_ns for name in os.listdir(table.dir)}
        sitting = self.run_plan(table)
        self.assertEqual(sitting.run(), 4)
        self.assertIn("a vault is there already", sitting.text)
        self.assertEqual(before, {name: os.stat(os.path.join(table.dir, name)).st_mtime_ns
                                  for name in os.listdir(table.dir)})

    def test_a_module_that_cannot_do_it_is_named_before_anything_is_made(self):
        table = self.table(read_back=False, cards=(), media=())
        text = self.read(table.plan)
        with open(table.plan, "w", encoding="utf-8") as file:
            file.write(text.replace(SOFTHSM, "/usr/lib/x86_64-linux-gnu/libz.so.1"))
        sitting = self.run_plan(table)
        self.assertEqual(sitting.run(), 4)
        self.assertIn("cannot load hsm.module", sitting.text)
        self.assertNotIn("signs the plan", sitting.text)

    def test_a_token_that_is_there_already_is_refused_before_anybody_signs(self):
        table, tokens = self.table_with_a_shim()
        subprocess.run(["softhsm2-util", "--init-token", "--free", "--label", "cardvault", "--so-pin", "12345678",
                        "--pin", "12345678"], env=table.env, check=True, capture_output=True)
        before = {name: os.stat(os.path.join(tokens, name)).st_mtime_ns for name in os.listdir(tokens)}
        sitting = self.run_plan(table)
        self.assertEqual(sitting.run(), 4, sitting.text)
        self.assertIn('a token labelled "cardvault" is there already, and is never overwritten', sitting.text)
        self.assertNotIn("signs the plan", sitting.text)
        self.assertEqual(before, {name: os.stat(os.path.join(tokens, name)).st_mtime_ns for name in os.listdir(tokens)})

    def test_a_new_passphrase_is_asked_for_until_it_can_be_one(self):
        table = self.table(cards=(), media=())
        path = os.path.join(self.top, "zoe.key")
        asking = Sitting(table, "custodian", "key", "create", path)
        typed = ["short", "long enough it is", "but not the same", "long enough it is", "long enough it is"]
        asking.RULES = [(r"(New passphrase for|The same once more)[^\r\n]*: ", "new"), *Sitting.RULES]
        asking._new = lambda _: asking._secret(typed.pop(0))
        self.assertEqual(asking.run(), 0, asking.text)
        self.assertEqual((asking.text.count("A passphrase has 12 to 256 characters."),
                          asking.text.count("The two are not the same.")), (1, 1))
        self.assertEqual(typed, [])
        self.assertTrue(os.path.exists(path))

    def test_a_module_that_lacks_one_mechanism_is_refused_with_its_name(self):
        table, tokens = self.table_with_a_shim()
        for mechanism, name in (("0x1080", "CKM_AES_KEY_GEN"), ("0x251", "CKM_SHA256_HMAC"),
                                ("0x2109", "take backup-key out of the plan")):
            with self.subTest(name):
                table.env["CARDVAULT_SHIM_HIDE"] = mechanism
                sitting = self.run_plan(table)
                self.assertEqual(sitting.run(), 4, sitting.text)
                self.assertIn("lacks", sitting.text)
                self.assertIn(name, sitting.text)
                self.assertNotIn("signs the plan", sitting.text)
                self.assertEqual(os.listdir(tokens), [])

    def test_a_changed_transcript_is_found_out(self):
        table = self.table(read_back=False, cards=(), media=())
        self.hold(table)
        path = self.transcript(table)
        text = self.read(path)
        for before, after in (("approvals = 3", "approvals = 2"), ("kcv=", "kcv=0"), ("index=4", "index=5"),
                              ("custodian=anna", "custodian=erik"), ("hardware=no", "hardware=yes")):
            changed = os.path.join(self.top, "changed")
            with open(changed, "w", encoding="utf-8") as file:
                file.write(text.replace(before, after, 1))
            done = table.tool("ceremony", "verify", changed)
            self.assertNotEqual(done.returncode, 0, before)
        with open(os.path.join(self.top, "cut"), "w", encoding="utf-8") as file:
            file.write(text[:-20])
        self.assertEqual(table.tool("ceremony", "verify", os.path.join(self.top, "cut")).returncode, 4)


@unittest.skipIf(os.geteuid() != 0, "mounts a small file system")
class Media(Ceremonies):
    def mount(self, folder):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", folder], check=True)
        self.addCleanup(subprocess.run, ["umount", folder], check=False, capture_output=True)

    def test_a_full_medium_and_one_removed_are_asked_for_again(self):
        table = self.table(read_back=False, cards=())
        bolat = table.media["bolat"]
        self.mount(bolat)
        with open(os.path.join(bolat, "holiday.jpg"), "wb") as file:
            try:
                file.write(bytes(8192))
            except OSError:
                pass
        os.rename(table.media["carol"], table.media["carol"] + ".out")

        def make_room():
            self.assertEqual(os.listdir(bolat), ["holiday.jpg"])
            os.truncate(os.path.join(bolat, "holiday.jpg"), 0)
            return ""

        def put_in():
            os.rename(table.media["carol"] + ".out", table.media["carol"])
            return ""
        sitting = self.run_plan(table)
        # One page holds one share; the other two go to a second medium.
        second = os.path.join(self.top, "second")
        os.mkdir(second)
        sitting.answers = {r"bolat: folder of your medium": [make_room, second],
                           r"carol: folder of your medium": [put_in]}
        self.assertEqual(sitting.run(), 0, sitting.text[-3000:])
        self.assertIn("it is full: nothing was left on it", sitting.text)
        self.assertIn("there is no such folder: is the medium in, and mounted?", sitting.text)
        self.assert_whole(table)
        self.assertEqual(len(os.listdir(second)) + len(os.listdir(bolat)), 4)  # three shares, one holiday


class Later(Ceremonies):
    def test_drill_and_reshare(self):
        table = self.table(cards=())
        papers = self.hold(table).papers
        first = self.transcript(table)
        self.drill(table, first, papers)
        second = os.path.join(table.dir, "custody", "transcript.2")
        fresh = self.reshare(table, first, second, papers)
        self.old_shares_are_void(table, second, papers, fresh)
        for again in (False, True):
            leave = table.tool("share", "leave", "anna", "--transcript", second)
            self.assertEqual(leave.returncode, 1)
            self.assertIn("New secrets are needed", leave.stderr)
            self.assertEqual("recorded in" in leave.stderr, not again)
        third = os.path.join(table.dir, "custody", "transcript.3")
        sitting = Sitting(table, "share", "reshare", "user-pin", "--transcript", second, "--out", third)
        self.assertEqual(sitting.run(), 1, sitting.text)
        self.assertIn("anna left on", sitting.text)
        self.assertFalse(os.path.exists(third))
        found = table.tool("--config", os.path.join(table.dir, "vault.toml"), "doctor")
        self.assertRegex(found.stdout, "error +custodian anna left on .* and still knows shares of so-pin, user-pin")

    def share_file(self, table, name, secret, split):
        folder = table.media[name]
        (file,) = [f for f in os.listdir(folder) if f.startswith(f"{secret}.split{split}.")]
        return os.path.join(folder, file)

    def drill(self, table, transcript, papers):
        drill = Sitting(table, "share", "drill", "--transcript", transcript)
        drill.entering = [papers["anna", "so-pin"]]
        self.assertEqual(drill.run(), 0, drill.text)
        self.assertIn("Good: this is anna's share 1 of 5 of so-pin", drill.text)
        drill = Sitting(table, "share", "drill", "--transcript", transcript)
        drill.paths = [self.share_file(table, "bolat", "backup-key", 1)]
        self.assertEqual(drill.run(), 0, drill.text)
        listed = table.tool("--format", "json", "share", "list", "--transcript", transcript)
        self.assertEqual(listed.stdout.count('"never"'), 13)
        self.assertEqual(len(self.read(transcript + ".drills").splitlines()), 2)

    def reshare_broken_off(self, table, first, second, papers):
        sitting = Sitting(table, "share", "reshare", "so-pin", "--transcript", first, "--out", second)
        sitting.entering = [papers[name, "so-pin"] for name in ("anna", "dana", "erik")]
        sitting.answers = {"anna, are the old shares destroyed": [lambda: sitting.child.kill(signal.SIGKILL) or ""]}
        with self.assertRaises(Gone):
            sitting.run()
        self.assertFalse(os.path.exists(second))  # the newest transcript is the one before
        drill = Sitting(table, "share", "drill", "--transcript", first)
        drill.entering = [sitting.papers["anna", "so-pin"]]
        self.assertEqual(drill.run(), 1, drill.text)
        self.assertIn("no ceremony of this transcript", drill.text)

    def reshare(self, table, first, second, papers):
        self.reshare_broken_off(table, first, second, papers)
        sitting = Sitting(table, "share", "reshare", "so-pin", "--transcript", first, "--out", second)
        foreign = self.another_vaults_paper()
        # Erik's, erik's again, another vault's, another secret's; then bolat's file and anna's paper.
        sitting.entering = [papers["erik", "so-pin"], papers["erik", "so-pin"], foreign,
                            papers["anna", "user-pin"], papers["anna", "so-pin"]]
        sitting.paths = ["", "", "", "", self.share_file(table, "bolat", "so-pin", 1), ""]
        self.assertEqual(sitting.run(), 0, sitting.text[-3000:])
        for said in ("it has been entered already", "another vault's, it belongs to another ceremony",
                     "not the secret asked for"):
            self.assertEqual(sitting.text.count(said), 1, said)
        done = table.tool("ceremony", "verify", second, "--previous", first)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(table.tool("ceremony", "verify", second, "--previous", second).returncode, 1)
        before = combine(self.shares_of(table, papers, "so-pin")[:3]) if not sitting.papers else None
        merged = {**papers, **sitting.papers}
        self.assertIsNone(before)
        now = self.shares_of(table, merged, "so-pin")
        self.assertEqual([share["split"] for share in now], [3] * 5)  # the second was broken off
        self.assertEqual([name for name in os.listdir(os.path.dirname(second)) if name.endswith(".part")], [])
        old = [value_of(papers["anna", "so-pin"]), value_of(papers["erik", "so-pin"]),
               table.open_file(self.share_file(table, "bolat", "so-pin", 1), "bolat")]
        self.assertEqual(combine(now[1:4]), combine(old))
        return sitting.papers

    def another_vaults_paper(self):
        with tempfile.TemporaryDirectory() as top:
            other = Table(top, read_back=False, cards=(), media=())
            sitting = Sitting(other, "ceremony", "run", other.plan, "--dir", other.dir, "--rehearse")
            self.assertEqual(sitting.run(), 0, sitting.text[-2000:])
            return sitting.papers["carol", "so-pin"]

    def old_shares_are_void(self, table, second, papers, fresh):
        drill = Sitting(table, "share", "drill", "--transcript", second)
        drill.entering = [papers["erik", "so-pin"]]
        self.assertEqual(drill.run(), 1)
        self.assertIn("that split was made void by a later one", drill.text)
        for lines in (fresh["erik", "so-pin"], papers["erik", "user-pin"]):
            drill = Sitting(table, "share", "drill", "--transcript", second)
            drill.entering = [lines]
            self.assertEqual(drill.run(), 0, drill.text)


class Renewal(Ceremonies):
    """Anna leaves; the other four get new PINs and a new backup key on the same token."""

    def setUp(self):
        super().setUp()
        self.vault = self.table(read_back=False, cards=(), media=("bolat",))
        self.papers = self.hold(self.vault).papers
        self.config = os.path.join(self.vault.dir, "vault.toml")
        self.old_pin = self.pin()
        self.assertEqual(self.tool("share", "leave", "anna", "--transcript", self.transcript(self.vault)).returncode, 1)
        self.assertIn("anna left on", self.tool("doctor").stdout)
        self.plan = os.path.join(self.top, "plan-2.toml")
        text = self.read(self.vault.plan)
        begin = text.index('\n[[custodian]]\nname = "anna"')
        with open(self.plan, "w", encoding="utf-8") as file:
            file.write(text[:begin] + text[text.index("\n[[custodian]]", begin + 1):])

    def tool(self, *arguments):
        return self.vault.tool("--config", self.config, *arguments)

    def pin(self):
        return self.read(os.path.join(self.vault.dir, "pin")).strip()

    def renewal(self, plan=None, entering=None):
        sitting = Sitting(self.vault, "--config", self.config, "share", "renew", plan or self.plan)
        sitting.entering = [self.papers[name, secret] for secret in ("so-pin", "user-pin", "backup-key")
                            for name in ("carol", "dana", "erik")] if entering is None else entering
        return sitting

    def opens(self, pin):
        """Whether the token opens with a PIN; looked at on a copy."""
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(os.path.join(self.vault.dir, "token"), f"{folder}/token")
            with open(f"{folder}/conf", "w", encoding="ascii") as conf:
                conf.write(f"directories.tokendir = {folder}/token\n")
            done = subprocess.run(["pkcs11-tool", "--module", SOFTHSM, "--login", "--pin", pin, "--list-objects"],
                                  env=os.environ | {"SOFTHSM2_CONF": f"{folder}/conf"}, capture_output=True,
                                  timeout=60, check=False)
        return done.returncode == 0

    def assert_renewed(self, fresh):
        second = os.path.join(self.vault.dir, "custody", "transcript.2")
        done = self.tool("ceremony", "verify", second, "--previous", self.transcript(self.vault))
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(set(os.listdir(os.path.join(self.vault.dir, "custody"))),
                         {"custodians", "left", "transcript.1", "transcript.2", "wrapped-keys"})
        self.assertFalse(os.path.exists(os.path.join(self.vault.dir, "token.change")))
        secret = lambda which: combine(self.shares_of(self.vault, fresh, which)[:3])  # noqa: E731
        self.assertEqual(secret("user-pin").decode(), self.pin())
        self.assertNotEqual(self.pin(), self.old_pin)
        self.assertTrue(self.opens(self.pin()))
        self.assertFalse(self.opens(self.old_pin))
        wrapped = self.read(os.path.join(self.vault.dir, "custody", "wrapped-keys"))
        keys = [line for line in wrapped.splitlines() if line.startswith("key: ")]
        self.assertEqual(len(keys), 6)
        for line in keys:
            keywrap.aes_key_unwrap(secret("backup-key"), bytes.fromhex(line.split("bytes=")[1]))
        found = self.tool("doctor").stdout
        self.assertNotIn("and still knows shares", found)
        self.assertRegex(found, r"note +the custodians' secrets were renewed at \S+: every backup made before opens "
                                r"with the shares of before +destroy what `cardvault-audit find \S+ --key audit.vkey "
                                r"--operation backup.seal --until \S+` lists")
        self.assertRegex(found, r"anna left on \S+ and still approves acts")  # until another register is signed
        self.assertIn("audit-sign/1", self.tool("key", "list").stdout)
        drill = Sitting(self.vault, "share", "drill", "--transcript", second)
        drill.entering = [self.papers["anna", "so-pin"]]
        self.assertEqual(drill.run(), 1)
        self.assertIn("that split was made void by a later one", drill.text)

    def test_who_left_is_refused_in_the_new_plan(self):
        sitting = self.renewal(self.vault.plan)
        self.assertEqual(sitting.run(), 1, sitting.text)
        self.assertIn("anna left, and is in the new plan", sitting.text)

    def test_what_who_left_knows_opens_nothing_any_more(self):
        sitting = self.renewal()
        self.assertEqual(sitting.run(), 0, sitting.text[-3000:])
        self.assert_renewed(sitting.papers)

    def test_broken_off_it_changed_nothing_or_is_finished_by_the_same_command(self):
        sitting = self.renewal()
        sitting.answers = {"erik, did all this happen": [lambda: sitting.child.kill(signal.SIGKILL) or ""]}
        with self.assertRaises(Gone):
            sitting.run()
        self.assertEqual(self.pin(), self.old_pin)
        self.assertTrue(self.opens(self.old_pin))
        self.assertIn("anna left on", self.tool("doctor").stdout)
        # What has to follow the token can't: it is renewed then, and the rest waits.
        blocked = os.path.join(self.vault.dir, "custody", "wrapped-keys")
        os.remove(blocked)
        os.makedirs(os.path.join(blocked, "full"))
        sitting = self.renewal()
        self.assertEqual(sitting.run(), 4, sitting.text[-1000:])
        self.assertIn("the token is renewed, and this has to follow", sitting.text)
        shutil.rmtree(blocked)
        done = self.tool("key", "rotate", "otp-mac")
        self.assertEqual(done.returncode, 1)
        self.assertIn("`cardvault share renew` ends it", done.stderr)
        last = self.renewal(entering=[])
        self.assertEqual(last.run(), 0, last.text)
        self.assertEqual(last.prompts, 0)
        self.assert_renewed(sitting.papers)


def pexpect_eof():
    return ceremony_table.pexpect.EOF


if __name__ == "__main__":
    unittest.main()
