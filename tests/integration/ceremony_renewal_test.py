#!/usr/bin/python3
"""New PINs and a new backup key, for new custodians."""

import os
import shutil
import signal
import subprocess
import tempfile
import unittest

from cryptography.hazmat.primitives import keywrap

from ceremonies import Ceremonies
from ceremony_table import SOFTHSM, Gone, Sitting, combine


class Renewal(Ceremonies):
    """Anna leaves; the other four get new PINs and a new backup key on the same token."""

    def setUp(self):
        super().setUp()
        self.vault = self.table(read_back=False, cards=(), media=("bolat",))
        self.papers = self.hold(self.vault).papers
        self.config = os.path.join(self.vault.dir, "vault.toml")
        self.old_pin = self.pin()
        self.assertEqual(self.tool("share", "leave", "anna", "--transcript", self.transcript(self.vault)).returncode, 0)
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

    def test_a_pin_file_that_cannot_be_replaced_is_named_before_anybody_is_asked(self):
        pin = os.path.join(self.vault.dir, "pin")
        os.rename(pin, pin + ".away")
        sitting = self.renewal()
        self.assertEqual(sitting.run(), 4, sitting.text)
        self.assertIn(f"{pin}: No such file", sitting.text)
        self.assertEqual(sitting.prompts, 0)

    def test_what_who_left_knows_opens_nothing_any_more(self):
        # As an administrator may have set it up: the daemon reads its PIN by its group.
        pin = os.path.join(self.vault.dir, "pin")
        os.chmod(pin, 0o440)
        access = [(s.st_mode, s.st_uid, s.st_gid) for s in [os.stat(pin)]]
        sitting = self.renewal()
        self.assertEqual(sitting.run(), 0, sitting.text[-3000:])
        self.assert_renewed(sitting.papers)
        self.assertEqual([(s.st_mode, s.st_uid, s.st_gid) for s in [os.stat(pin)]], access)

    def test_no_two_splits_have_one_number_however_often_it_is_broken_off(self):
        names = []
        # After bolat's files; at the next try's first prompt, before anything is split; and again after the files.
        for prompt in (r"bolat, have you taken your medium", "do you sign it", r"bolat, have you taken your medium"):
            sitting = self.renewal()
            sitting.answers = {prompt: [lambda child=sitting.child: child.kill(signal.SIGKILL) or ""]}
            with self.assertRaises(Gone):
                sitting.run()
            names.append({name.split(".share")[0] for name in os.listdir(self.vault.media["bolat"])
                          if name.startswith("user-pin.")})
        two, three = ({f"user-pin.split{number}" for number in range(1, last + 1)} for last in (2, 3))
        self.assertEqual(names, [two, two, three])
        sitting = self.renewal()
        self.assertEqual(sitting.run(), 0, sitting.text[-3000:])
        self.assert_renewed(sitting.papers)
        second = os.path.join(self.vault.dir, "custody", "transcript.2")
        self.assertIn("secret=user-pin generation=2 reason=broken", self.read(second))
        self.assertIn("share-made secret=user-pin generation=4", self.read(second))

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


if __name__ == "__main__":
    unittest.main()
