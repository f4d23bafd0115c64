#!/usr/bin/python3
"""Two HSMs: one of them goes, comes back, comes back with other keys, lags behind or hangs, under load.

The first is SoftHSM behind the shim that misbehaves when told to; the second, a copy of SoftHSM's file
(so that it is one of its own in the daemon) on a copy of the token's folder: docs/keys.md, "Two HSMs".
"""

import os
import re
import shutil
import subprocess
import tempfile
import time
import unittest

import hsm_queue
import wrapped

LIBRARY = "softhsm-faults.so"  # named so that the vault treats it as SoftHSM
BUILT = os.path.join(wrapped.BUILD, "tests", "hsm", "cardvault_shim.so")
SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"
FAULTS = "${2%/*}/data/faults"  # a folder that the confined daemon may write to; $2 is its vault.toml
SIZE = hsm_queue.HEAD + hsm_queue.ROWS * hsm_queue.ROW.size
os.environ["CARDVAULT_SHIM_TARGET"] = SOFTHSM  # of the tool
wrapped.programs({"CARDVAULT_SHIM_TARGET": SOFTHSM, "CARDVAULT_SHIM_FAULTS": FAULTS, "CARDVAULT_SHIM_HARDWARE": "1"},
                 first=f'[ -e "{FAULTS}" ] || truncate -s {SIZE} "{FAULTS}"')

import traffic  # noqa: E402  (the programs had to be known first)
from traffic import vault_fixture  # noqa: E402

ROUNDS = 20 if traffic.LONG else 2
CALL_TIMEOUT_MS = 2000
DEVICE_REMOVED, PIN_LOCKED = 0x32, 0xA4


def wait_for(what, seconds=60):
    """How long it took until what() was true."""
    began = time.monotonic()
    while not what():
        if time.monotonic() - began > seconds:
            raise AssertionError(f"waited {seconds} s in vain")
        time.sleep(0.02)
    return time.monotonic() - began


class SecondHsm(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.mkdtemp(prefix="cardvault-module-", dir=os.environ.get("CARDVAULT_TMP"))
        cls.addClassCleanup(shutil.rmtree, folder)
        os.chmod(folder, 0o755)
        module = shutil.copy(BUILT, os.path.join(folder, LIBRARY))
        os.chmod(module, 0o755)
        settings = [*traffic.UNLIMITED, "otp.resend_s=0", "otp.sends=0",
                    f"hsm.call_timeout_ms={CALL_TIMEOUT_MS}"]
        vault = cls.vault = vault_fixture.Vault(settings, ["--module", module])
        cls.addClassCleanup(vault.close)
        vault.down()
        vault.settings.append(cls.clone())
        vault.up()
        cls.queue = hsm_queue.Queue(vault.path("data", "faults"))
        cls.tokens = [vault.path("token"), vault.path("second", "token")]
        cls.ledger = traffic.Ledger()

    @classmethod
    def clone(cls):
        """As docs/keys.md says. The setting that names the second HSM."""
        second = cls.vault.path("second")
        os.mkdir(second, 0o755)
        shutil.copy(SOFTHSM, os.path.join(second, "libsofthsm2.so"))
        subprocess.run(["cp", "-a", cls.vault.path("token"), os.path.join(second, "token")], check=True)
        conf = os.path.join(second, "softhsm2.conf")
        with open(conf, "w", encoding="ascii") as file:
            file.write(f"directories.tokendir = {second}/token\nobjectstore.backend = file\nlog.level = ERROR\n")
        with open(cls.vault.path("vault.toml"), encoding="utf-8") as file:
            uri = next(line.split('"')[1] for line in file if line.startswith("token = "))
        return (f'hsm.standby=[{{ token = "{uri}", module = "{second}/libsofthsm2.so", '
                f'softhsm_conf = "{conf}" }}]')

    def setUp(self):
        self.queue.clear()
        self.both_serve()

    def status(self):
        rows = self.vault.tool("status").stdout.splitlines()
        return ["does not" not in row for row in rows if row.strip().startswith("HSM ")]

    def both_serve(self):
        return wait_for(lambda: self.status() == [True, True])

    def events(self, operation, outcome="ok"):
        return [event for event in traffic.read_log(self.vault)
                if (event["op"], event["outcome"]) == (operation, outcome)]

    def doctor(self):
        return self.vault.tool("doctor", check=False).stdout

    def other_folder(self, number, making):
        """The token's folder with what `making` does to an empty token of its label and PIN."""
        folder = tempfile.mkdtemp(prefix="token-", dir=self.vault.path("second"))
        with open(self.vault.path("pin"), encoding="ascii") as file:
            pin = file.read().strip()
        conf = folder + ".conf"
        with open(conf, "w", encoding="ascii") as file:
            file.write(f"directories.tokendir = {folder}\nobjectstore.backend = file\n")
        run = {"env": os.environ | {"SOFTHSM2_CONF": conf}, "check": True, "capture_output": True}
        subprocess.run(["softhsm2-util", "--init-token", "--free", "--label", "cardvault", "--pin", pin,
                        "--so-pin", "a security officer"], **run)
        for arguments in making:
            subprocess.run(["pkcs11-tool", "--module", SOFTHSM, "--token-label", "cardvault", "--login",
                            "--pin", pin, *arguments], **run)
        subprocess.run(["chmod", "-R", "--reference", self.tokens[number], folder], check=True)
        subprocess.run(["chmod", "-R", "a-w,a+rX", folder], check=True)
        return folder

    def test_the_log_says_which_hsms_serve(self):
        begun = [event["seq"] for event in self.events("start")][-1]
        devices = {event["details"]["token"].split()[1]: event["details"]
                   for event in self.events("hsm.serves") if event["seq"] > begun}
        self.assertEqual({number: one["device"] for number, one in devices.items()},
                         {"1": "hardware", "2": "software"})
        self.assertIn("SoftHSM", devices["2"]["manufacturer"])
        for name in ("model", "serial", "firmware"):
            self.assertTrue(devices["2"][name], name)

    def test_no_request_fails_while_one_is_removed_and_put_back(self):
        vault, pid = self.vault, self.vault.daemon_pid
        lost, back = len(self.events("alarm", "hsm_token_lost")), len(self.events("hsm.recovered"))
        noticed, recovered = [], []
        with traffic.Traffic(vault, self.ledger, allowed=()) as load:
            time.sleep(0.3)
            for number in (0, 1) * ROUNDS:
                folder = self.tokens[number]
                os.rename(folder, folder + ".away")
                try:
                    noticed.append(wait_for(lambda n=number: not self.status()[n]))
                    self.assertTrue(self.status()[1 - number])
                    ready = vault.health("web", "/readyz")
                    self.assertEqual((ready.status, ready.json()["state"]), (200, "ready"))
                    self.assertIn(f"HSM {number + 1} (", str(ready.json()))
                    self.assertIn("redundancy", str(ready.json()))
                    # The clone signs too: codes are sealed with its seal-sign.
                    code = vault.code(f"+7701{number}000000", "verify_login")
                    self.assertEqual(vault.verify(f"+7701{number}000000", "verify_login", code).status, 200)
                    time.sleep(0.7)  # several attempts to recover: no further alarm
                finally:
                    os.rename(folder + ".away", folder)
                recovered.append(self.both_serve())
        self.assertEqual(load.refusals, {})
        self.assertEqual(load.cuts, {})
        self.assertEqual(vault.daemon_pid, pid, "it was restarted")
        self.assertLess(max(recovered), 20)
        self.assertEqual(len(self.events("alarm", "hsm_token_lost")) - lost, 2 * ROUNDS)
        self.assertEqual(len(self.events("hsm.recovered")) - back, 2 * ROUNDS)
        self.assertEqual(self.events("alarm", "hsm_unavailable"), [])
        traffic.settle(vault, self.ledger)
        traffic.report(("one of two HSMs removed and put back, under load", f"{2 * ROUNDS} times",
                        f"{load.answers} requests, none failed; one alarm each",
                        f"noticed: {traffic.spread(noticed)}; serves again: {traffic.spread(recovered)}"))

    def test_a_returning_one_with_other_keys_does_not_serve(self):
        lost = len(self.events("alarm", "hsm_token_lost"))
        making = [["--keygen", "--key-type", "AES:32", "--label", "pan-enc/1", "--sensitive",
                   "--usage-decrypt"]]
        other = self.other_folder(1, making)
        folder = self.tokens[1]
        with traffic.Traffic(self.vault, self.ledger, allowed=()) as load:
            os.rename(folder, folder + ".away")
            try:
                wait_for(lambda: self.status() == [True, False])
                os.rename(other, folder)
                wait_for(lambda: re.search(
                    r"HSM 2 \(.*does not serve: a key has another check value, or none: pan-enc/1", self.doctor()))
                time.sleep(0.5)
                self.assertEqual(self.status(), [True, False])
                os.rename(folder, other)
            finally:
                os.rename(folder + ".away", folder)
            self.both_serve()
        self.assertEqual(load.refusals, {})
        self.assertEqual(len(self.events("alarm", "hsm_token_lost")) - lost, 1, "one alarm")
        traffic.settle(self.vault, self.ledger)

    def test_a_new_key_on_the_first_alone_takes_a_word_and_the_second_lags(self):
        vault = self.vault
        refused = vault.tool("key", "rotate", "pan-enc", check=False)
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("--first-hsm-only", refused.stderr)
        self.assertEqual(self.status(), [True, True])
        with traffic.Traffic(vault, self.ledger, allowed=()) as load:
            vault.tool("key", "rotate", "pan-enc", "--first-hsm-only")
            wait_for(lambda: self.status() == [True, False])
            wait_for(lambda: re.search("HSM 2 .*a key is missing: pan-enc/2", self.doctor()))
            # Cloned anew: it is taken up by itself.
            folder = self.tokens[1]
            subprocess.run(["cp", "-a", self.tokens[0], folder + ".new"], check=True)
            os.rename(folder, folder + ".old")
            os.rename(folder + ".new", folder)
            self.both_serve()
            shutil.rmtree(folder + ".old")
        self.assertEqual(load.refusals, {})
        traffic.settle(vault, self.ledger)

    def test_a_key_is_not_destroyed_before_both_have_lost_it(self):
        vault = self.vault
        vault.tool("key", "rotate", "otp-mac", "--first-hsm-only")
        folder = self.tokens[1]
        self.take_over(folder)
        vault.tool("key", "retire", "otp-mac/1")
        begun = vault.tool("key", "destroy", "otp-mac/1", "--after", "0", check=False)
        self.assertIn("HSM 2", begun.stderr)
        self.assertIn("still has otp-mac/1", begun.stderr)
        self.assertIn("otp-mac/1 is due to be destroyed", self.doctor())
        self.take_over(folder)
        done = vault.tool("key", "destroy", "otp-mac/1", "--after", "0")
        self.assertIn("otp-mac/1 is destroyed", done.stderr)
        self.assertEqual(self.status(), [True, True])

    def take_over(self, folder):
        """The second gets what the first has."""
        subprocess.run(["cp", "-a", self.tokens[0], folder + ".new"], check=True)
        os.rename(folder, folder + ".old")
        os.rename(folder + ".new", folder)
        shutil.rmtree(folder + ".old")
        wait_for(lambda: self.status() == [True, True])

    def test_one_that_refuses_its_pin_is_named_and_the_other_serves(self):
        vault = self.vault
        self.queue.add_all(hsm_queue.fault("C_SignInit", hsm_queue.ANSWER, DEVICE_REMOVED),
                           hsm_queue.fault("C_Login", hsm_queue.ANSWER, PIN_LOCKED, times=hsm_queue.FOREVER))
        with traffic.Traffic(vault, self.ledger, allowed=()) as load:
            wait_for(lambda: self.events("alarm", "hsm_token_pin_refused"))
            self.assertEqual(self.status(), [False, True])
            time.sleep(0.7)
        self.assertEqual(load.refusals, {})
        alarms = self.events("alarm", "hsm_token_pin_refused")
        self.assertEqual([event["details"]["token"] for event in alarms], ["HSM 1 (pkcs11:token=cardvault)"])
        self.assertEqual(self.events("alarm", "hsm_pin_refused"), [])
        self.assertEqual(vault.health("web", "/readyz").status, 200)
        self.queue.clear()
        vault.kill_and_wait()
        self.both_serve()
        traffic.settle(vault, self.ledger)

    def test_a_software_one_of_two_is_named(self):
        """The first says that it is a hardware one."""
        note = "software token: not a secure cryptographic device: HSM 2 (pkcs11:token=cardvault)"
        self.assertIn(note, self.vault.health("web", "/readyz").json()["notes"])
        self.assertIn(note, " ".join(self.doctor().split()))

    def test_one_that_hangs_costs_one_restart_and_stays_out(self):
        vault, pid = self.vault, self.vault.daemon_pid
        with traffic.Traffic(vault, self.ledger,
                             allowed=("hsm_unavailable", "vault_unavailable")) as load:
            time.sleep(0.2)
            self.queue.add_all(hsm_queue.fault("C_SignInit", hsm_queue.HANG),
                               hsm_queue.fault("C_Login", hsm_queue.HANG, times=hsm_queue.FOREVER))
            wait_for(lambda: vault.daemon_pid != pid)
            for gate in vault_fixture.GATES:
                vault.wait_ready(gate)
            pid, before = vault.daemon_pid, load.answers
            self.assertEqual(self.status(), [False, True])
            wait_for(lambda: load.answers > before + 100)  # what was refused until then is counted
            refused, before = sum(load.refusals.values()), load.answers
            # Past the deadline of a login, six times that of a call.
            wait_for(lambda: self.events("alarm", "hsm_token_lost")[-1:] and
                     "no answer" in str(self.events("alarm", "hsm_token_lost")[-1]))
            self.assertEqual(vault.daemon_pid, pid, "it was restarted once more")
            self.assertGreater(load.answers, before)
            self.assertEqual(sum(load.refusals.values()), refused, "after it was ready")
        self.assertEqual(load.cuts, {})
        self.queue.clear()
        vault.kill_and_wait()
        self.both_serve()
        traffic.settle(vault, self.ledger)


if __name__ == "__main__":
    unittest.main()
