#!/usr/bin/python3
"""New PINs on tokens of modules that keep no folder: changed one after the other by C_SetPIN, killed in
between. The shim in front of SoftHSM stands for a token with a security officer, NSS softoken for one
without."""

import os
import random
import subprocess
import unittest

import ceremony_table
from ceremonies import Ceremonies, hsm_queue
from ceremony_table import SOFTHSM, Gone, Sitting, combine

SHIM = os.path.join(ceremony_table.PROGRAMS, "tests", "hsm", "cardvault_shim.so")
SOFTOKEN = "/usr/lib/x86_64-linux-gnu/libsoftokn3.so"
CKR_DEVICE_ERROR = 0x30
THREE = ("carol", "dana", "erik")


class InPlace(Ceremonies):
    target, settings = "", {}  # the module behind the shim, and its environment

    def setUp(self):
        super().setUp()
        self.settings = {"CARDVAULT_SHIM_TARGET": self.target, "CARDVAULT_SHIM_FAULTS": self.new_queue()}

    def table(self, **options):
        out = super().table(**options)
        out.env |= self.settings
        return out

    def make_vault(self, module, unseal):
        """A vault on that module, made by a ceremony. `module`: lines of the plan."""
        self.vault = self.table(read_back=False, cards=(), media=(), unseal=unseal)
        text = self.read(self.vault.plan)
        with open(self.vault.plan, "w", encoding="utf-8") as file:
            file.write(text.replace(f'module = "{SOFTHSM}"', module))
        self.config = os.path.join(self.vault.dir, "vault.toml")
        self.papers = self.hold(self.vault).papers

    def tool(self, *arguments):
        return self.vault.tool("--config", self.config, *arguments)

    def pin_file(self):
        return self.read(os.path.join(self.vault.dir, "pin")).strip()

    def shares(self, papers, *secrets):
        return [papers[name, secret] for secret in secrets for name in THREE]

    def secret(self, papers, which):
        return combine(self.shares_of(self.vault, papers, which)[:3]).decode()

    def renewal(self, entering=None):
        sitting = Sitting(self.vault, "--config", self.config, "share", "renew", self.vault.plan)
        sitting.entering = (self.shares(self.papers, "so-pin", "user-pin", "backup-key")
                            if entering is None else entering)
        return sitting

    def assert_renewed(self, number):
        folder = os.path.join(self.vault.dir, "custody")
        done = self.tool("ceremony", "verify", f"{folder}/transcript.{number}", "--previous",
                         f"{folder}/transcript.{number - 1}")
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual([name for name in os.listdir(folder) if "renew" in name], [])


class WithAnOfficer(InPlace):
    """By custodians' shares alone: the PINs are in no file."""

    target = SOFTHSM

    def setUp(self):
        super().setUp()
        tokens, conf = os.path.join(self.top, "tokens"), os.path.join(self.top, "shim.conf")
        os.mkdir(tokens)
        with open(conf, "w", encoding="ascii") as file:
            file.write(f"directories.tokendir = {tokens}\n")
        self.settings["SOFTHSM2_CONF"] = conf
        self.make_vault(f'module = "{SHIM}"', "custodians")

    def opens(self, pin, officer):
        """Whether it is the PIN: changed to itself."""
        who = ("--login-type", "so", "--so-pin") if officer else ("--pin",)
        done = subprocess.run(["pkcs11-tool", "--module", SOFTHSM, "--token-label", "cardvault", "--login", *who, pin,
                               "--change-pin", "--new-pin", pin], env=self.vault.env, capture_output=True, timeout=60, check=False)
        return done.returncode == 0

    def assert_opened_by(self, papers, *, officer, user):
        """Which of two papers' PINs open the token: True for these, False for those of before."""
        for which, new in (("so-pin", officer), ("user-pin", user)):
            self.assertEqual(self.opens(self.secret(papers, which), which == "so-pin"), new, which)
            self.assertEqual(self.opens(self.secret(self.papers, which), which == "so-pin"), not new, which)

    def test_whatever_breaks_it_off_some_know_each_pin(self):
        with self.subTest("it has another PIN than the shares"):
            self.officers_pin_is_another()
        with self.subTest("refused at once"):
            self.refused_at_once()
        # Where the process dies after the last signature; which PINs are new then; whose shares go on.
        kills = (("C_Login", 0, False, False, ("new so-pin", "old so-pin", "new user-pin", "old user-pin")),
                 ("C_CloseSession", 0, True, False, ("new so-pin", "new user-pin", "old user-pin")),
                 ("C_Login", 2, True, False, ("new user-pin", "old user-pin")),
                 ("C_CloseSession", 2, True, True, ("new user-pin",)))
        if os.environ.get("CARDVAULT_LONG") != "1":
            kills = random.sample(kills, 1)
        for number, (call, skip, officer, user, asked) in enumerate(kills, 2):
            with self.subTest(call=call, skip=skip):
                self.renewal_killed_at(call, skip, officer, user, asked, number)

    def renewal_killed_at(self, call, skip, officer, user, asked, number):
        sitting = self.renewal()
        sitting.answers = {"erik, did all this happen":
                           [lambda: self.queue.add(call, hsm_queue.ABORT, skip=skip) or "Yes"]}
        with self.assertRaises(Gone):
            sitting.run()
        self.assert_opened_by(sitting.papers, officer=officer, user=user)
        refused = self.tool("key", "rotate", "otp-mac")
        self.assertEqual(refused.returncode, 1, refused.stderr)
        self.assertIn("`cardvault share renew` ends it", refused.stderr)
        self.assertIn("a renewal of the token's PINs was broken off", self.tool("doctor").stdout)
        papers = {"new": sitting.papers, "old": self.papers}
        last = self.renewal([line for one in asked for line in self.shares(papers[one[:3]], one[4:])])
        self.assertEqual(last.run(), 0, last.text)
        self.assertEqual(last.entering, [])
        self.assert_opened_by(sitting.papers, officer=True, user=True)
        self.assert_renewed(number)
        self.papers = sitting.papers

    def officers_pin_is_another(self):
        right, wrong = self.secret(self.papers, "so-pin"), "another-pin-4711"
        change = lambda before, after: subprocess.run(  # noqa: E731
            ["pkcs11-tool", "--module", SOFTHSM, "--token-label", "cardvault", "--login", "--login-type", "so",
             "--so-pin", before, "--change-pin", "--new-pin", after], env=self.vault.env, check=True, capture_output=True, timeout=60)
        change(right, wrong)
        sitting = self.renewal()
        self.assertEqual(sitting.run(), 4, sitting.text)
        self.assertIn("so-pin of the shares does not open the token", sitting.text)
        self.assertEqual(sitting.papers, {})
        self.assertTrue(self.opens(self.secret(self.papers, "user-pin"), False))
        self.assertFalse(os.path.exists(os.path.join(self.vault.dir, "custody", "transcript.2")))
        change(wrong, right)

    def refused_at_once(self):
        sitting = self.renewal()
        sitting.answers = {"erik, did all this happen": [
            lambda: self.queue.add("C_Login", hsm_queue.ANSWER, CKR_DEVICE_ERROR) or "Yes"]}
        self.assertEqual(sitting.run(), 4, sitting.text)
        self.assertIn("so-pin can't be changed", sitting.text)
        self.assert_opened_by(sitting.papers, officer=False, user=False)
        self.assertNotIn("a renewal of the token's PINs was broken off", self.tool("doctor").stdout)


@unittest.skipUnless(os.path.exists(SOFTOKEN), "libnss3 is not installed")


class WithoutAnOfficer(InPlace):
    """NSS: its database knows one PIN, and the vault finds it in a file."""

    target = SOFTOKEN

    def test_a_ceremony_and_renewals(self):
        arguments = (f"configdir='sql:{self.top}/vault/nss' certPrefix='' keyPrefix='' secmod='secmod.db' "
                     "flags='' dbTokenDescription='cardvault'")
        self.make_vault(f'module = "{SHIM}"\ninit_args = "{arguments}"', "pin-source")
        self.assert_whole_on_nss()
        first = self.pin_file()
        sitting, beside = self.renewal(), []
        # A key made now would be in no wrapped copy.
        sitting.answers = {"erik, did all this happen":
                           [lambda: beside.append(self.tool("key", "rotate", "otp-mac")) or "Yes"]}
        self.assertEqual(sitting.run(), 0, sitting.text)
        self.assertIn("another command works with the papers", beside[0].stderr)
        self.assert_changed(first, sitting.papers, 2)
        self.papers = sitting.papers

        # The token has its new PIN, and the file has not: the same command asks nobody.
        second = self.pin_file()
        sitting = self.renewal()
        sitting.answers = {"erik, did all this happen":
                           [lambda: self.queue.add("C_CloseSession", hsm_queue.ABORT, skip=1) or "Yes"]}
        with self.assertRaises(Gone):
            sitting.run()
        self.assertEqual(self.pin_file(), second)
        self.assertNotIn("the HSM answers", self.tool("doctor").stdout)
        last = self.renewal(entering=[])
        self.assertEqual(last.run(), 0, last.text)
        self.assertEqual(last.prompts, 0)
        self.assert_changed(second, sitting.papers, 3)

    def assert_changed(self, before, papers, number):
        self.assert_renewed(number)
        self.assertEqual(self.secret(papers, "user-pin"), self.pin_file())
        self.assertNotEqual(self.pin_file(), before)
        self.assert_whole_on_nss()
        old = os.path.join(self.vault.dir, "pin.old")
        with open(old, "w", encoding="ascii", opener=lambda path, flags: os.open(path, flags, 0o600)) as file:
            file.write(before)
        with open(self.config + ".old", "w", encoding="utf-8") as file:
            file.write(self.read(self.config).replace(f"{self.vault.dir}/pin", old))
        done = self.vault.tool("--config", self.config + ".old", "doctor")
        self.assertNotIn("the HSM answers", done.stdout)
        self.assertIn("CKR_PIN_INCORRECT", done.stdout)

    def assert_whole_on_nss(self):
        found = self.tool("doctor").stdout
        self.assertIn("the HSM answers", found)
        self.assertNotIn("check value", found)


if __name__ == "__main__":
    unittest.main()
