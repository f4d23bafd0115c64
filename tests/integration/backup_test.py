#!/usr/bin/python3
"""Backups of a vault that five custodians made: what is in them, who opens them, and everything that can be
wrong with one."""

import base64
import hashlib
import os
import random
import shutil
import signal
import subprocess
import time
import unittest

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from jwcrypto import jwe, jwk

import ceremony_table
import vault_fixture
from custody_vault import CustodyVault, store

SEED = int(os.environ.get("CARDVAULT_SEED", random.SystemRandom().randrange(1 << 32)))
LONG = os.environ.get("CARDVAULT_LONG") == "1"
SETTINGS = ("otp.resend_s=0", "otp.sends=0", "limits.rate_per_s=0", "policy.pan_budget_day=0",
            "policy.pan_budget_month=0") + tuple(vault_fixture.OPERATORS)
CARDS = 60
P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551

vault = None


def setUpModule():
    global vault
    print(f"seed {SEED}", flush=True)
    vault = CustodyVault(SETTINGS)
    unittest.addModuleCleanup(vault.close)


def verify(path, *more, key=None):
    return vault.custodians.tool("backup", "verify", path, "--key", key or vault.vkey(), *more)


class OfALiveVault(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cards = store(vault, CARDS)
        cls.path = vault.backup("one.cvb")
        with open(cls.path, "rb") as file:
            cls.bytes = file.read()

    def changed(self, name, data):
        path = os.path.join(vault.top, name)
        with open(path, "wb") as file:
            file.write(data)
        self.addCleanup(os.remove, path)
        return path

    def test_is_whole_signed_and_tells_nothing(self):
        done = verify(self.path)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(os.stat(self.path).st_mode & 0o777, 0o600)
        self.assertNotIn(b"SQLite format", self.bytes)
        for pan in self.cards.values():
            self.assertNotIn(pan.encode(), self.bytes)
        self.assertFalse(os.path.exists(self.path + ".part"))
        self.assertFalse(os.path.exists(vault.path("data", "backup.part")))
        done = {event["op"] for event in vault.events(1000)}
        self.assertLessEqual({"backup.snapshot", "backup.seal"}, done)

    def test_three_custodians_open_it_and_every_key_comes_back(self):
        code, text = vault.custodians.sit("backup", "verify", self.path, "--key", vault.vkey(), "--open",
                                          entering=vault.custodians.shares("backup-key"))
        self.assertEqual(code, 0, text[-2000:])
        self.assertIn("6 keys came back", text)

    def test_three_papers_and_the_page_about_it_open_it_without_the_tool(self):
        shares = [ceremony_table.value_of(lines) for lines in vault.custodians.shares("backup-key")]
        head = self.bytes[:self.bytes.index(b"\n", self.bytes.index(b"\nsealed: ") + 1) + 1]
        lines = [line.split(": ", 1) for line in head.decode().splitlines()[1:]]
        field = dict(lines)
        scalar = int.from_bytes(HKDF(hashes.SHA256(), 48, field["vault"].encode(),
                                     b"cardvault backup recipient v1").derive(
                                         ceremony_table.combine(shares)), "big")
        private = ec.derive_private_key(scalar % (P256_ORDER - 1) + 1, ec.SECP256R1())
        point = private.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
        self.assertEqual(field["recipient"], "p256:" + point.hex())
        message = jwe.JWE()
        message.deserialize(field["file-key"], jwk.JWK.from_pyca(private))
        opener = AESGCM(message.payload)
        parts = {name: [value.split() for key, value in lines if key == name]
                 for name in ("clear", "member")}
        at = len(head) + sum(int(size) for _, size, _ in parts["clear"])
        sealed = self.bytes[at:at + int(field["sealed"])]
        chunks = [sealed[i:i + 65552] for i in range(0, len(sealed), 65552)]
        text = b"".join(
            opener.decrypt(bytes(7) + number.to_bytes(4, "big") + bytes([number == len(chunks) - 1]), chunk,
                           hashlib.sha256(head).digest()) for number, chunk in enumerate(chunks))
        for name, size, digest in parts["member"]:
            part, text = text[:int(size)], text[int(size):]
            self.assertEqual(hashlib.sha256(part).hexdigest(), digest, name)
        self.assertEqual(text, b"")

    def test_a_wrong_share_is_named_and_another_one_asked_for(self):
        good = vault.custodians.shares("backup-key")
        wrong = vault.custodians.papers["anna", "so-pin"]
        code, text = vault.custodians.sit("backup", "verify", self.path, "--key", vault.vkey(), "--open",
                                          entering=[wrong, good[0], good[0], *good[1:]])
        self.assertEqual(code, 0, text[-2000:])
        self.assertIn("not the secret asked for", text)
        self.assertIn("entered already", text)

    def test_a_flipped_byte_is_found_wherever_it_is(self):
        chance = random.Random(SEED)
        for _ in range(400 if LONG else 25):
            at = chance.randrange(len(self.bytes))
            data = bytearray(self.bytes)
            data[at] ^= 1 << chance.randrange(8)
            done = verify(self.changed("flipped", data))
            self.assertNotEqual(done.returncode, 0, f"byte {at}")
            self.assertNotIn("Traceback", done.stderr)
            self.assertTrue(done.stderr.startswith("cardvault: "), done.stderr)
            self.doCleanups()

    def test_a_cut_file_is_called_cut(self):
        chance = random.Random(SEED + 1)
        cuts = [0, 1, 20, len(self.bytes) - 1] + [chance.randrange(len(self.bytes)) for _ in range(8)]
        for size in cuts:
            done = verify(self.changed("cut", self.bytes[:size]))
            self.assertEqual(done.returncode, 1, f"{size} bytes: {done.stderr}")
            self.assertRegex(done.stderr, "cut|no backup|signed|signature")
            self.doCleanups()
        done = verify(self.changed("longer", self.bytes + b"x" * 20000))
        self.assertIn("behind its end", done.stderr)

    def test_another_vaults_key_does_not_verify_it(self):
        with open(vault.vkey(), encoding="ascii") as file:
            name, _, rest = file.read().strip().split("+", 2)
        key = bytearray(base64.b64decode(rest))
        key[5] ^= 1
        text = base64.b64encode(key).decode()
        number = hashlib.sha256(name.encode() + b"\n" + bytes(key)).digest()[:4].hex()
        done = verify(self.path, key=f"{name}+{number}+{text}")
        self.assertEqual(done.returncode, 1)
        self.assertIn("no key given has signed it", done.stderr)

    def test_a_file_that_is_there_is_never_overwritten(self):
        done = vault.tool("backup", "create", self.path, check=False)
        self.assertEqual(done.returncode, 4)
        self.assertIn("never overwritten", done.stderr)
        with open(self.path, "rb") as file:
            self.assertEqual(file.read(), self.bytes)

    def test_a_full_disk_leaves_no_backup(self):
        if os.geteuid() != 0:
            self.skipTest("needs root for a small file system")
        script = (f"mount -t tmpfs -o size=32k none /mnt && "
                  f"{' '.join(vault.tool_command('backup', 'create', '/mnt/full.cvb'))}; "
                  f"code=$?; ls -A /mnt; exit $code")
        done = subprocess.run(["unshare", "--mount", "sh", "-c", script], capture_output=True, text=True,
                              timeout=60)
        self.assertEqual(done.returncode, 4, done.stderr)
        self.assertIn("full", done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertFalse(os.path.exists(vault.path("data", "backup.part")))

    def test_what_administrators_put_beside_its_files_is_taken_or_passed_over(self):
        """Minutes of the ceremony; a record that a full disk left empty; a copy by a file manager; an editor's."""
        for name, data in (("custody/minutes.pdf", bytes(3 << 20)), ("custody/transcript.1.drills", b""),
                           ("custody/.transcript.1.swp", b"x"), ("gate-web.old.toml", b""),
                           ("gate-web (copy).toml", b"x = 1\n")):
            with open(vault.path(name), "wb") as file:
                file.write(data)
            self.addCleanup(os.remove, vault.path(name))
        os.mkdir(vault.path("gate-folder.toml"))
        self.addCleanup(os.rmdir, vault.path("gate-folder.toml"))
        path = os.path.join(vault.top, "-with strays.cvb")
        # Without stderr its messages must go nowhere, least of all into the file.
        done = subprocess.run(["sh", "-c", 'exec "$@" 2>&-', "sh", *vault.tool_command("backup", "create", path)],
                              stdout=subprocess.DEVNULL, timeout=60, check=False)
        self.assertEqual(done.returncode, 0)
        self.addCleanup(os.remove, path)
        code, text = vault.custodians.sit("backup", "verify", path, "--key", vault.vkey(), "--open",
                                          entering=vault.custodians.shares("backup-key"))
        self.assertEqual(code, 0, text)
        listed = vault.custodians.tool("share", "list", "--transcript", vault.path("custody", "transcript.1"))
        self.assertEqual(listed.returncode, 0, listed.stderr)

    @staticmethod
    def backup_takes():
        begin = time.monotonic()
        os.remove(vault.backup("timed.cvb"))
        return time.monotonic() - begin

    def test_kills_leave_nothing_under_the_name(self):
        chance = random.Random(SEED + 2)
        path = os.path.join(vault.top, "killed.cvb")
        whole = min(self.backup_takes() for _ in range(3))
        killed = 0
        for _ in range(200 if LONG else 12):
            tool = subprocess.Popen(vault.tool_command("backup", "create", path), stdin=subprocess.DEVNULL,
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                    start_new_session=True)
            try:
                tool.wait(chance.uniform(0, whole))
            except subprocess.TimeoutExpired:
                os.killpg(tool.pid, signal.SIGKILL)
                tool.wait()
                killed += 1
            if os.path.exists(path):
                self.assertEqual(verify(path).returncode, 0)
                os.remove(path)
        self.assertGreater(killed, 0)
        vault.backup("killed.cvb")
        self.assertEqual(verify(path).returncode, 0)
        self.assertFalse(os.path.exists(path + ".part"))
        self.assertFalse(os.path.exists(vault.path("data", "backup.part")))
        os.remove(path)

    def test_a_stopped_vault_is_backed_up_as_well(self):
        vault.down()
        try:
            done = verify(vault.backup("stopped.cvb"))
        finally:
            vault.up()
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_z_backups_made_after_another_registration_ask_the_new_custodians(self):
        people, register = vault.custodians, os.path.join(vault.top, "register")
        draft = ["custodian", "draft", "--needed", "3", "--out", register]
        for name in ceremony_table.NAMES[1:]:
            draft += ["--custodian", f"{name}={people.public_key(name).split(chr(34))[1]}"]
        vault.tool(*draft)
        with open(register, "rb") as file:
            digest = hashlib.sha256(file.read()).hexdigest()
        for name in ceremony_table.NAMES[1:]:
            done = people.tool("custodian", "sign", register, "--key", people.key(name), "--digest", digest,
                               secret=people.passphrase(name))
            self.assertEqual(done.returncode, 0, done.stderr)
        vault.approved("custodian", "register", register)
        with open(vault.path("custody", "custodians"), encoding="ascii") as file:
            text = file.read()
        self.assertNotIn("anna", text)
        self.assertIn("signed: audit-sign ", text)
        path, folder = vault.backup("others.cvb"), vault.new_machine()
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        asked = people.tool(*vault.restore_arguments(path, folder))
        self.assertEqual(asked.returncode, 5, asked.stderr)
        approvals = people.approve(os.path.join(folder, "restore.action"))  # anna's among them
        done = people.tool(*vault.restore_arguments(path, folder, "--approvals", *approvals))
        self.assertEqual(done.returncode, 1)
        self.assertIn("no registered custodian's key", done.stderr)

    def test_damaged_or_missing_wrapped_keys_are_noticed_before_a_backup_of_them_is_made(self):
        path = vault.path("custody", "wrapped-keys")
        with open(path, "rb") as file:
            good = file.read()

        def put_back():
            with open(path, "wb") as file:
                file.write(good)
        self.addCleanup(put_back)
        config = vault.path("vault.toml")
        at = good.index(b"bytes=") + 10
        damaged = good[:at] + (b"1" if good[at:at + 1] == b"0" else b"0") + good[at + 1:]
        for text, said in ((damaged, "was changed: its keys are not those that"),
                           (None, "is missing, and")):
            os.remove(path)
            if text is not None:
                with open(path, "wb") as file:
                    file.write(text)
            backup = os.path.join(vault.top, "never.cvb")
            done = vault.custodians.tool("--config", config, "backup", "create", backup)
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertIn(said, done.stderr)
            self.assertIn("put it back from the copy", done.stderr)
            self.assertFalse(os.path.exists(backup))
            found = vault.custodians.tool("--config", config, "doctor").stdout
            self.assertRegex(found, f"error +{path} {said}")
            put_back()
        found = vault.custodians.tool("--config", config, "doctor").stdout
        self.assertRegex(found, f"ok +{path} holds the keys")
        self.assertIn("as the custodians signed for", verify(self.path).stdout)

    def test_a_vault_without_a_backup_key_says_so(self):
        folder = os.path.join(vault.top, "pilot")
        vault.custodians.tool("init", "--dir", folder, "--gate", "web=61002", "--daemon-user",
                              str(os.geteuid()))
        done = vault.custodians.tool("--config", os.path.join(folder, "vault.toml"), "backup", "create",
                                     os.path.join(vault.top, "pilot.cvb"))
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("no backup key", done.stderr)


if __name__ == "__main__":
    unittest.main()
