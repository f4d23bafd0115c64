#!/usr/bin/python3
"""`key clone`: the custodians' wrapped keys on a second HSM that is empty, lags behind, or has another's keys.

The second is a copy of SoftHSM's file (so that it is one of its own in the daemon) with a token and a PIN of its
own; its live folder is never written, and the vault takes it up by itself. Behind a module of another name it is
one that is changed in place.
"""

import functools
import os
import random
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fault"))
import ceremony_table  # noqa: E402
import hsm_queue  # noqa: E402
from custody_vault import CustodyVault, reveal, store  # noqa: E402

LONG = os.environ.get("CARDVAULT_LONG") == "1"
KILLS = 40 if LONG else 1
SEED = 20261129
SOFTHSM = ceremony_table.SOFTHSM
SHIM = os.path.join(ceremony_table.PROGRAMS, "tests", "hsm", "cardvault_shim.so")
NSS = "/usr/lib/x86_64-linux-gnu/libsoftokn3.so"
LINES = 12  # of three papers
WRAPPED = {f"{purpose}/1" for purpose in ("pan-enc", "pan-index", "id-index", "id-enc", "otp-mac", "secret-enc")}


class KilledSitting(ceremony_table.Sitting):
    """The tool is killed so long after the last share's last line."""

    def __init__(self, table, *arguments, delay, **more):
        super().__init__(table, *arguments, **more)
        self.delay, self.left = delay, LINES

    def _line(self, prompt):
        super()._line(prompt)
        self.left -= 1
        if self.left == 0:
            time.sleep(self.delay)
            self.child.kill(signal.SIGKILL)


class KeyClone(unittest.TestCase):
    """One vault whose second HSM is filled step by step: the tests run in the order of their names."""

    @classmethod
    def setUpClass(cls):
        cls.vault = vault = CustodyVault()
        cls.addClassCleanup(vault.close)
        vault.up_again()
        cls.cards = store(vault, 5)
        cls.alone = vault.tool("key", "clone", check=False)
        cls.first, cls.second = vault.path("token"), vault.path("second", "token")
        cls.pin = secrets.token_hex(16)
        setting = cls.make_second()
        vault.down()
        vault.settings.append(setting)
        vault.up()

    @classmethod
    def make_second(cls):
        """An empty token with a PIN of its own. The setting that names it."""
        folder, vault = os.path.dirname(cls.second), cls.vault
        os.makedirs(cls.second)
        os.chmod(folder, 0o755)
        shutil.copy(SOFTHSM, os.path.join(folder, "libsofthsm2.so"))
        cls.conf = os.path.join(folder, "softhsm2.conf")
        with open(cls.conf, "w", encoding="ascii") as file:
            file.write(f"directories.tokendir = {cls.second}\nobjectstore.backend = file\nlog.level = ERROR\n")
        subprocess.run(["softhsm2-util", "--init-token", "--free", "--label", "cardvault-b", "--pin", cls.pin,
                        "--so-pin", "a security officer"], env=os.environ | {"SOFTHSM2_CONF": cls.conf},
                       check=True, capture_output=True)
        pin = vault.path("pin-b")
        with open(pin, "w", encoding="ascii") as file:
            file.write(cls.pin + "\n")
        for option in ("chown", "chmod"):
            subprocess.run([option, f"--reference={vault.path('pin')}", pin], check=True)
        cls.readable(cls.second)
        return (f'hsm.standby=[{{ token = "pkcs11:token=cardvault-b?pin-source=file:{pin}", '
                f'module = "{folder}/libsofthsm2.so", softhsm_conf = "{cls.conf}" }}]')

    @classmethod
    def readable(cls, folder):
        """For the daemon, as the first one's is."""
        subprocess.run(["chown", "-R", f"--reference={cls.first}", folder], check=True)
        subprocess.run(["chmod", "-R", "a-w,a+rX", folder], check=True)

    def command(self, *more):
        return "--config", self.vault.path("vault.toml"), "key", "clone", *more

    def sit(self, *more, entering=None):
        custodians = self.vault.custodians
        papers = custodians.shares("backup-key") if entering is None else entering
        return custodians.sit(*self.command(*more), entering=papers)

    def word(self):
        return self.vault.custodians.with_quorum(self.vault.path("vault.toml"), "key", "clone")

    def serve(self):
        rows = self.vault.tool("status").stdout.splitlines()
        return ["does not" not in row for row in rows if row.strip().startswith("HSM ")]

    def wait_serve(self, wanted, seconds=60):
        end = time.monotonic() + seconds
        while self.serve() != wanted:
            self.assertLess(time.monotonic(), end, self.vault.tool("doctor", check=False).stdout)
            time.sleep(0.05)

    def on_second(self, *arguments):
        """pkcs11-tool on a copy: SoftHSM rewrites what it opens."""
        folder = self.vault.path("second", "look")
        shutil.copytree(self.second, folder)
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        conf = folder + ".conf"
        with open(conf, "w", encoding="ascii") as file:
            file.write(f"directories.tokendir = {folder}\nobjectstore.backend = file\n")
        out = subprocess.run(["pkcs11-tool", "--module", SOFTHSM, "--token-label", "cardvault-b", "--login",
                              "--pin", self.pin, *arguments], env=os.environ | {"SOFTHSM2_CONF": conf},
                             check=True, capture_output=True, text=True).stdout
        return folder, out

    def labels(self):
        folder, out = self.on_second("--list-objects")
        shutil.rmtree(folder)
        return sorted(re.findall(r"label: +(\S+)", out))

    def put_second(self, folder):
        self.readable(folder)
        os.rename(self.second, self.second + ".old")
        os.rename(folder, self.second)
        shutil.rmtree(self.second + ".old")

    def events(self, operation):
        return [event for event in self.vault.events(2000) if event["op"] == operation]

    def without_the_first(self, cards):
        """Every card, while the first HSM is away."""
        os.rename(self.first, self.first + ".away")
        try:
            self.wait_serve([False, True])
            for token, pan in cards.items():
                answer = reveal(self.vault, token)
                self.assertEqual((answer.status, answer.json().get("pan")), (200, pan), answer)
        finally:
            os.rename(self.first + ".away", self.first)
        self.wait_serve([True, True])

    def test_1_refusals_say_what_is_missing(self):
        vault = self.vault
        self.assertEqual(self.serve(), [True, False])
        self.assertEqual(self.alone.returncode, 1)
        self.assertIn("names no second HSM", self.alone.stderr)
        third = vault.tool("key", "clone", "--to", "3", check=False)
        self.assertEqual(third.returncode, 2)
        self.assertIn("those that stand by are 2", third.stderr)
        papers = vault.path("custody", "wrapped-keys")
        os.rename(papers, papers + ".away")
        try:
            without = vault.tool("key", "clone", check=False)
        finally:
            os.rename(papers + ".away", papers)
        self.assertEqual(without.returncode, 1)
        self.assertIn("wrapped-keys is missing", without.stderr)
        os.rename(self.second, self.second + ".away")
        try:
            away = vault.tool("key", "clone", check=False)
        finally:
            os.rename(self.second + ".away", self.second)
        self.assertNotEqual(away.returncode, 0)
        self.assertIn(self.second, away.stderr)
        unapproved = vault.custodians.tool(*self.command(), cwd=vault.top)
        self.assertEqual(unapproved.returncode, 5, unapproved.stderr)
        self.assertEqual(self.labels(), [])

    def test_2_another_key_under_a_label_is_never_overwritten(self):
        folder, _ = self.on_second("--keygen", "--key-type", "AES:32", "--label", "pan-enc/1", "--sensitive",
                                   "--usage-decrypt")
        shutil.copytree(self.second, self.second + ".empty")
        self.put_second(folder)
        code, text = self.sit(*self.word(), entering=[])
        self.assertNotEqual(code, 0)
        self.assertIn("HSM 2 (pkcs11:token=cardvault-b)", text)
        self.assertRegex(text, r"another key under the label\s+pan-enc/1")
        self.assertEqual(self.labels(), ["pan-enc/1"])
        self.assertEqual(self.serve(), [True, False])
        self.put_second(self.second + ".empty")
        self.lacks_a_wrapped_key()

    def lacks_a_wrapped_key(self):
        papers = self.vault.path("custody", "wrapped-keys")
        shutil.copy2(papers, papers + ".whole")
        with open(papers, encoding="utf-8") as file:
            lines = [line for line in file if "label=id-enc/1 " not in line]
        try:
            with open(papers, "w", encoding="utf-8") as file:
                file.writelines(lines)
            lacking = self.vault.tool("key", "clone", check=False)
        finally:
            os.rename(papers + ".whole", papers)
        self.assertEqual(lacking.returncode, 1)
        self.assertIn("wrapped-keys was changed", lacking.stderr)
        self.assertEqual(self.labels(), [])

    def through_the_shim(self, papers=(), **shim):
        """In place: by a module that SoftHSM is behind, and that misbehaves as `shim` says. How the tool ended,
        None when it was killed; what it said."""
        module = shutil.copy(SHIM, self.vault.path("second", "module.so"))
        config = self.vault.path("shim.toml")
        with open(self.vault.path("vault.toml"), encoding="utf-8") as file, \
                open(config, "w", encoding="utf-8") as out:
            out.write(file.read().replace(self.vault.path("second", "libsofthsm2.so"), module))
        variables = [f"CARDVAULT_SHIM_{name}={value}" for name, value in {"TARGET": SOFTHSM, **shim}.items()]
        sitting = ceremony_table.Sitting(self.vault.custodians, "--config", config, "key", "clone",
                                         program=["env", *variables, ceremony_table.program("cardvault")])
        sitting.entering = list(papers)
        try:
            code = sitting.run()
        except ceremony_table.Gone:
            code = None
        return code, " ".join(sitting.text.split())

    def test_2b_what_the_module_can_not_do_leaves_nothing_behind(self):
        """Their word of the test before holds until the act is done, here and below."""
        code, text = self.through_the_shim(HIDE="0x2109")
        self.assertEqual(code, 1, text)
        self.assertIn("HSM 2 (pkcs11:token=cardvault-b): its module lacks CKM_AES_KEY_WRAP", text)
        self.assertEqual(self.labels(), [])
        code, text = self.through_the_shim(self.vault.custodians.shares("backup-key"), LOOSE="1")
        self.assertNotIn(code, (0, None), text)
        self.assertIn("HSM 2 (pkcs11:token=cardvault-b): the wrapped keys don't come back on it", text)
        self.assertEqual(self.labels(), [], "a key that can be wrapped again stayed")
        self.assertEqual(self.serve(), [True, False])

    def test_2c_killed_in_place_it_is_run_again(self):
        empty, faults = self.vault.path("second", "empty"), self.vault.path("second", "faults")
        shutil.copytree(self.second, empty)
        with open(faults, "wb") as file:
            file.truncate(hsm_queue.HEAD + hsm_queue.ROWS * hsm_queue.ROW.size)
        papers = self.vault.custodians.shares("backup-key")
        # Of the third key's check value: it is on the token by then.
        hsm_queue.Queue(faults).add("C_Sign", hsm_queue.ABORT, skip=2)
        self.assertIsNone(self.through_the_shim(papers, FAULTS=faults)[0])
        some = set(self.labels())
        self.assertTrue(some and some < WRAPPED, some)
        self.readable(self.second)
        time.sleep(1)  # some tries of the vault
        self.assertEqual(self.serve(), [True, False])
        code, text = self.through_the_shim(papers)
        self.assertIn(code, (0, 1), text)  # 1: what root's tool wrote in place the vault can't read yet
        self.assertEqual([len(re.findall("[0-9a-f]{10} " + how, text)) for how in ("was there", "brought")],
                         [len(some), len(WRAPPED - some)])
        self.readable(self.second)
        self.begin_again(set(self.labels()), empty)
        shutil.rmtree(empty)

    def test_3_killed_at_any_moment_it_is_run_again(self):
        empty = self.vault.path("second", "empty")
        shutil.copytree(self.second, empty)
        chance = random.Random(SEED)
        tool = ceremony_table.program("cardvault")
        before, after = ("renameat2",), ("openat", "-P", self.second + ".change/done")
        for call, *path in (before, after) if shutil.which("strace") else ():
            # Their word of the test before holds until the act is done.
            found = self.killed(program=["strace", "-o", "/dev/null", *path, "-e", f"trace={call}", "-e",
                                         f"inject={call}:signal=KILL", tool])
            self.assertEqual(found, WRAPPED if path else set())
            self.assertTrue(os.path.exists(self.second + ".change"))
            self.begin_again(found, empty)
        live = 0
        for _ in range(KILLS):
            found = self.killed(delay=chance.uniform(0, 0.5))
            self.assertIn(found, (set(), WRAPPED), "half of the keys are live")
            live += bool(found)
            self.begin_again(found, empty)
        print(f"{KILLS} kills at chance, {live} of them with the keys live", flush=True)
        shutil.rmtree(empty)

    def killed(self, delay=None, **more):
        """What the live token has when the tool is killed."""
        kind = ceremony_table.Sitting if delay is None else functools.partial(KilledSitting, delay=delay)
        sitting = kind(self.vault.custodians, *self.command(), **more)
        sitting.entering = self.vault.custodians.shares("backup-key")
        try:
            sitting.run()
            self.assertIsNotNone(delay, sitting.text[-2000:])
        except ceremony_table.Gone:
            pass
        return set(self.labels())

    def begin_again(self, found, empty):
        """With the empty token, when its keys have come: approved and begun, and left at the first share."""
        if not found:
            return
        self.wait_serve([True, True])
        done = self.vault.tool("key", "clone")
        self.assertIn("serves: it has every key", done.stderr)
        self.assertFalse(os.path.exists(self.second + ".change"))
        again = self.vault.path("second", "again")
        shutil.copytree(empty, again)
        self.put_second(again)
        self.wait_serve([True, False])
        sitting = ceremony_table.Sitting(self.vault.custodians, *self.command(*self.word()))
        sitting.leave_at = 1
        with self.assertRaises(ceremony_table.Gone):
            sitting.run()

    def test_4_an_empty_one_gets_all_keys_and_takes_over(self):
        custodians = self.vault.custodians
        good, wrong = custodians.shares("backup-key"), custodians.papers["anna", "so-pin"]
        before = len(self.events("key.cloned"))
        code, text = self.sit(entering=[wrong, good[0], good[0], *good[1:]])
        self.assertEqual(code, 0, text[-2000:])
        self.assertIn("not the secret asked for", text)
        self.assertIn("entered already", text)
        self.assertEqual(len(re.findall(r" brought\r?$", text, re.MULTILINE)), len(WRAPPED))
        self.assertRegex(text, r"audit-sign/1 .*lacks")
        self.assertIn("never leaves an HSM wrapped", text)
        self.assertEqual(set(self.labels()), WRAPPED)
        self.assertFalse(os.path.exists(self.second + ".change"))
        self.wait_serve([True, True])
        done = self.events("key.cloned")[before:]
        self.assertEqual([event["outcome"] for event in done], ["ok"])
        self.assertIn("cardvault-b", str(done))
        self.without_the_first(self.cards)
        self.assertIn("serves: it has every key", self.vault.tool("key", "clone").stderr)

    def test_5_a_new_version_alone_is_brought(self):
        vault = self.vault
        rotate = ("key", "rotate", "pan-enc", "--first-hsm-only")
        papers = vault.path("custody", "wrapped-keys")
        shutil.copy2(papers, papers + ".before")
        config = vault.path("vault.toml")
        code, text = vault.custodians.sit("--config", config, *rotate,
                                          *vault.custodians.with_quorum(config, *rotate),
                                          entering=vault.custodians.shares("backup-key"))
        self.assertEqual(code, 0, text[-2000:])
        cards = self.cards | store(vault, 5, first=100)
        self.wait_serve([True, False])
        os.rename(papers, papers + ".after")
        os.rename(papers + ".before", papers)
        code, text = self.sit(*self.word(), entering=[])
        os.rename(papers + ".after", papers)
        self.assertEqual(code, 1, text[-2000:])
        self.assertIn("wrapped-keys lacks pan-enc/2: put the newest copy of that file back", " ".join(text.split()))
        code, text = self.sit()
        self.assertEqual(code, 0, text[-2000:])
        self.assertRegex(text, r"pan-enc/2 .*brought")
        self.assertRegex(text, r"pan-enc/1 .*was there")
        self.without_the_first(cards)

    @unittest.skipUnless(os.path.exists(NSS) and shutil.which("certutil"), "libnss3 or certutil is not installed")
    def test_6_another_vendors_token_gets_them_in_place(self):
        vault, folder = self.vault, self.vault.path("nss")
        os.mkdir(folder)
        subprocess.run(["certutil", "-N", "-d", "sql:" + folder, "-f", vault.path("pin-b")], check=True)
        self.readable(folder)
        arguments = (f"configdir='sql:{folder}' certPrefix='' keyPrefix='' secmod='secmod.db' flags='readOnly' "
                     "dbTokenDescription='cardvault-n'")
        vault.down()
        vault.settings[-1] = (f'hsm.standby=[{{ token = "pkcs11:token=cardvault-n?pin-source=file:'
                              f'{vault.path("pin-b")}", module = "{NSS}", init_args = "{arguments}" }}]')
        vault.up()
        self.assertEqual(self.serve(), [True, False])
        code, text = self.sit(*self.word())
        self.assertEqual(code, 0, text[-2000:])
        self.assertRegex(text, r"pan-enc/1 .*brought")
        self.without_the_first(self.cards)


if __name__ == "__main__":
    unittest.main()
