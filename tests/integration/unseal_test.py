#!/usr/bin/python3
"""A vault whose PIN only its custodians can give: sealed until three of five brought their shares, wrong
shares named and counted, sealed again by a command, by a crash or not, never by a reboot. On a real
vault (sealed_vault.py)."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import ceremony_table
import vault_fixture
from ceremony_table import Sitting, Table
from custodians import encode_share
from sealed_vault import NAMES, NEEDED, SealedVault

PATIENCE_S = 60


class Sealed(unittest.TestCase):
    """Tests run by name, on one vault."""

    @classmethod
    def setUpClass(cls):
        cls.vault = SealedVault()
        cls.addClassCleanup(cls.vault.close)
        cls.token, cls.shares = cls.vault.token, cls.vault.shares
        cls.start()

    @classmethod
    def start(cls):
        """As ./dev up does, which waits for a vault that is ready."""
        uid = os.stat(cls.vault.path("data")).st_uid
        subprocess.run([sys.executable, os.path.join(vault_fixture.ROOT, "systemd", "supervise.py"),
                        cls.vault.dir, "--programs", vault_fixture.PROGRAMS, "--port", str(cls.vault.port),
                        "--daemon-uid", str(uid)], check=True, timeout=60)
        cls.wait_for("sealed")

    @classmethod
    def state(cls, gate="web"):
        try:
            answer = cls.vault.health(gate, "/readyz")
        except OSError:
            return "no gate"
        return "ready" if answer.status == 200 else answer.json().get("state", answer.body)

    @classmethod
    def wait_for(cls, state):
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            if all(cls.state(gate) == state for gate in vault_fixture.GATES):
                return
            time.sleep(0.05)
        raise AssertionError(f"{[cls.state(gate) for gate in vault_fixture.GATES]} and not {state}:\n{cls.vault.log_tail()}")

    def give(self, share):
        return self.vault.admin("unseal.share", blob=share)

    def unseal(self, which=(0, 2, 4)):
        for number, index in enumerate(which, 1):
            ok, message, _ = self.give(self.shares[index])
            self.assertTrue(ok, message)
            self.assertEqual(message, f"{NAMES[index]}'s share is good: {number} of 3")
        self.wait_for("ready")

    def field(self, name):
        return dict(self.vault.admin("unseal.status")[2]).get(name)

    def reveal(self):
        return self.vault.request("processor", "POST", "/v1/detokenize",
                                  {"token": self.token, "purpose": "payment"})

    def pin_in_memory(self):
        return self.vault.pin_in_memory_of(self.vault.daemon_pid)

    def test_1_sealed_it_says_so_and_does_nothing(self):
        self.assertEqual(self.state(), "sealed")
        answer = self.reveal()
        self.assertEqual((answer.status, answer.code), (503, "sealed"))
        self.assertIn("Retry-After", answer.headers)
        done = self.vault.tool("client", "list", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("`cardvault unseal` first", done.stderr)
        done = self.vault.tool("doctor", check=False)
        self.assertIn("the vault is sealed: 0 of 3 custodians' shares are there", done.stdout)

    def test_2_a_wrong_share_is_named_at_once(self):
        bad = bytearray(self.shares[1])
        bad[20] ^= 1
        changed = encode_share(self.vault.ceremony, "user-pin", 2, NEEDED, 5, bytes(bad[14:46]))
        value = self.shares[1][14:46]
        cases = (
            (encode_share("00" * 8, "user-pin", 2, NEEDED, 5, value), "belongs to another ceremony"),
            (encode_share(self.vault.ceremony, "so-pin", 2, NEEDED, 5, value), "not the secret asked for"),
            (encode_share(self.vault.ceremony, "user-pin", 2, NEEDED, 5, value, 2), "no ceremony of this transcript"),
            (changed, "its value is not the one recorded"),
            (bytes(bad), "that is no share"),
            (b"", "that is no share"),
        )
        for left, (share, expected) in zip(range(9, 0, -1), cases):
            ok, message, _ = self.give(share)
            self.assertFalse(ok)
            self.assertIn(expected, message)
            self.assertIn(f"{left} tries are left", message)
        self.assertTrue(self.give(self.shares[3])[0])
        ok, message, _ = self.give(self.shares[3])
        self.assertFalse(ok)
        self.assertIn("another custodian is needed", message)
        self.assertEqual((self.field("entered"), self.field("needed")), ("1", "3"))

    def test_3_shares_that_were_entered_do_not_outlive_the_process(self):
        self.assertEqual(self.field("entered"), "1")
        self.vault.kill_daemon()
        self.wait_restarted("sealed")
        self.assertEqual(self.field("entered"), "0")

    def wait_restarted(self, state, before=None):
        before = before or self.last_pid
        end = time.monotonic() + PATIENCE_S
        while self.vault.daemon_pid == before and time.monotonic() < end:
            time.sleep(0.05)
        self.wait_for(state)

    @property
    def last_pid(self):
        return self._pid

    def setUp(self):
        self._pid = self.vault.daemon_pid

    def test_4_three_custodians_open_it_and_one_command_seals_it(self):
        self.unseal()
        self.assertEqual(self.reveal().json()["pan"], "4111111111111111")
        self.assertEqual(self.field("state"), "open")
        events = [e for e in self.vault.events(60) if e["op"] == "unseal.share" and e["outcome"] == "ok"]
        self.assertEqual([e["details"]["custodian"] for e in events[-3:]], ["anna", "carol", "erik"])
        self.assertEqual(self.give(self.shares[0])[1], "the vault is not sealed")
        self.assertIn("stays sealed until custodians come", self.vault.tool("doctor", check=False).stdout)
        searched = os.geteuid() == 0 and not vault_fixture.SANITIZED
        if searched:
            self.assertTrue(self.pin_in_memory(), "the search finds it where it has to be")
        self.vault.tool("seal")
        self.assertIn("sealed", self.vault.tool("status").stdout, "the tool returned before it was")
        self.wait_for("sealed")
        self.assertEqual(self.reveal().code, "sealed")
        self.assertEqual(self.vault.daemon_pid, self._pid)
        if searched:
            self.assertFalse(self.pin_in_memory())
        # Any three do, and wrong entries before are forgotten.
        self.unseal((3, 1, 2))
        self.assertEqual(self.reveal().status, 200)

    def test_4b_a_reload_sees_what_the_pin_hides(self):
        """The URIs in force name where custodians' PIN is, those of the file don't."""
        with open(self.vault.path("vault.toml"), encoding="utf-8") as file:
            text = file.read()
        uri = re.search(r'(?m)^token = "(.*)"', text)[1]
        waits = "needs a restart: [hsm]; the rest of the configuration holds now"
        for said, changed in (("the configuration holds now", text),
                              (waits, text.replace(uri, "pkcs11:token=another")),
                              (waits, text + f'\n[[hsm.standby]]\ntoken = "{uri}"\n')):
            with open(self.vault.path("vault.toml"), "w", encoding="utf-8") as file:
                file.write(changed)
            self.assertEqual(self.vault.admin("reload")[:2], (True, said))
        with open(self.vault.path("vault.toml"), "w", encoding="utf-8") as file:
            file.write(text)

    def test_4c_what_was_reloaded_holds_when_it_is_unsealed_again(self):
        path = self.vault.path("vault.toml")
        with open(path, encoding="utf-8") as file:
            text = file.read()

        def reload(content):
            with open(path, "w", encoding="utf-8") as file:
                file.write(content)
            self.assertEqual(self.vault.admin("reload")[:2], (True, "the configuration holds now"))

        narrow = text.replace('clients = ["processor"', 'clients = ["nobody"', 1)
        self.assertNotEqual(narrow, text)
        reload(narrow)
        self.assertEqual(self.reveal().status, 403)
        self.assertTrue(self.vault.admin("seal")[0])
        self.wait_for("sealed")
        self.unseal()
        self.assertEqual(self.reveal().status, 403, "the ceiling of the start is back")
        reload(text)
        self.assertEqual(self.reveal().status, 200)

    def test_5_a_crash_seals_it(self):
        self.vault.kill_daemon()
        self.wait_restarted("sealed")
        self.assertEqual(self.reveal().code, "sealed")

    def test_6_a_crash_heals_by_itself_where_that_is_wanted(self):
        supervisor = lambda: subprocess.run(  # noqa: E731
            [os.path.join(vault_fixture.ROOT, "dev"), "down", self.vault.dir], check=True, timeout=120)
        supervisor()
        self.vault.rewrite(lambda text: text.replace("survive_crash = false", "survive_crash = true"))
        self.start()
        self.unseal()
        self.assertIn("a crash heals by itself; root of this machine", self.vault.tool("doctor", check=False).stdout)
        for _ in range(3):
            pid = self.vault.daemon_pid
            self.vault.kill_daemon()
            self.wait_restarted("ready", pid)
            self.assertEqual(self.reveal().status, 200)
        self.assertTrue(self.vault.admin("seal")[0])
        self.wait_for("sealed")
        pid = self.vault.daemon_pid
        self.vault.kill_daemon()
        self.wait_restarted("sealed", pid)
        self.unseal()
        supervisor()  # the service manager's memory goes with a reboot
        self.start()
        self.assertEqual(self.field("entered"), "0")

    def test_7_ten_wrong_entries_lock_all_for_half_an_hour_over_restarts(self):
        self.assertTrue(self.give(self.shares[0])[0])
        for _ in range(9):
            self.assertIn("left", self.give(b"nonsense")[1])
        message = self.give(b"nonsense")[1]
        until = re.search(r"no share is taken before (\S+Z)", message).group(1)
        self.assertEqual(self.field("entered"), "0")
        ok, message, _ = self.give(self.shares[0])
        self.assertFalse(ok)
        self.assertIn(until, message)
        self.vault.kill_daemon()
        self.wait_restarted("sealed")
        ok, message, _ = self.give(self.shares[0])
        self.assertFalse(ok)
        self.assertIn(until, message)
        self.assertEqual(self.field("locked until"), until)


class OnTheTerminal(unittest.TestCase):
    """From a ceremony to an open vault, with what its custodians wrote down and carried away."""

    def test_a_ceremonys_shares_open_its_vault(self):
        top = tempfile.mkdtemp(prefix="cardvault-unseal-")
        self.addCleanup(shutil.rmtree, top, ignore_errors=True)
        table = Table(top, unseal="custodians", backup=False, read_back=False, cards=(), media=("bolat",))
        sitting = Sitting(table, "ceremony", "run", table.plan, "--dir", table.dir)
        self.assertEqual(sitting.run(), 0, sitting.text[-3000:])
        config = os.path.join(table.dir, "vault.toml")
        with open(os.path.join(top, "log"), "w", encoding="utf-8") as log:
            daemon = subprocess.Popen([ceremony_table.program("cardvaultd"), "--config", config],
                                      stdout=log, stderr=log)
        self.addCleanup(daemon.wait, 60)
        self.addCleanup(daemon.send_signal, signal.SIGTERM)
        self.wait_for_socket(os.path.join(table.dir, "run", "cardvaultd", "admin.sock"))
        opening = Sitting(table, "--config", config, "unseal")
        medium = table.media["bolat"]
        file = next(name for name in os.listdir(medium) if name.startswith("user-pin"))
        opening.paths = ["", "", "", os.path.join(medium, file)]
        pin = [sitting.papers[name, "user-pin"] for name in ("erik", "anna", "dana")]
        opening.entering = [sitting.papers["anna", "so-pin"], *pin[:2]]
        self.assertEqual(opening.run(), 0, opening.text)
        self.assertIn("Refused: this is share 1 of 5 of so-pin", opening.text)
        for progress in ("erik's share is good: 1 of 3", "anna's share is good: 2 of 3",
                         "bolat's share is good: 3 of 3", "the vault is open"):
            self.assertIn(progress, opening.text)
        for typed in opening.typed:
            self.assertNotIn(typed.split()[1] if re.match("[1-4] ", typed) else typed, opening.text)
        # The ceremony has registered its custodians: from the first start on they are asked.
        done = subprocess.run([ceremony_table.program("cardvault"), "--config", config, "client", "add",
                               "web", "--san", "dns:web.test", "--permissions", "tokenize"], cwd=top,
                              capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 5, done.stderr)
        self.assertIn("3 custodians of anna, bolat, carol, dana, erik", done.stderr)
        self.keys_change_with_the_custodians_pin(table, config, pin)

    def keys_change_with_the_custodians_pin(self, table, config, papers):
        """The tool has no PIN either: three custodians bring it for each change of the token."""
        for command in (("key", "rotate", "otp-mac"), ("key", "destroy", "otp-mac/1", "--after", "0")):
            if command[1] == "destroy":
                done = table.tool("--config", config, "key", "retire", "otp-mac/1")
                self.assertEqual(done.returncode, 0, done.stderr)
            word = table.with_quorum(config, *command)
            change = Sitting(table, "--config", config, *command, *word)
            change.entering = list(papers)
            self.assertEqual(change.run(), 0, change.text)
            self.assertIn("dana's share is good", change.text)
        listed = table.tool("--config", config, "key", "list").stdout
        self.assertRegex(listed, r"otp-mac/1 +destroyed")
        self.assertRegex(listed, r"otp-mac/2 +active")

    @staticmethod
    def wait_for_socket(path):
        end = time.monotonic() + PATIENCE_S
        while not os.path.exists(path):
            if time.monotonic() > end:
                raise AssertionError(f"no {path}")
            time.sleep(0.05)


if __name__ == "__main__":
    unittest.main()
