#!/usr/bin/python3
"""The HSM's module misbehaves under load: any CK_RV in any call, for once or for a while, while
logging in again, and calls that hang or crash. tests/hsm/fault_table_test.cc has the whole product
of calls and codes; here it is the real daemon that must not lose or mix up anything.

CARDVAULT_SEED=N repeats the choice.
"""

import os
import random
import re
import shutil
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
wrapped.programs({"CARDVAULT_SHIM_TARGET": SOFTHSM, "CARDVAULT_SHIM_FAULTS": FAULTS},
                 first=f'[ -e "{FAULTS}" ] || truncate -s {SIZE} "{FAULTS}"')

import traffic  # noqa: E402  (the programs had to be known first)
from traffic import vault_fixture  # noqa: E402

SEED = int(os.environ.get("CARDVAULT_SEED", "1"))
WORK = ("C_SignInit", "C_Sign", "C_EncryptInit", "C_Encrypt", "C_DecryptInit", "C_Decrypt",
        "C_GenerateRandom")
LOGIN = tuple(call for call in hsm_queue.DAEMON_CALLS if call not in WORK)
DEVICE_REMOVED = 0x32
LOSS = hsm_queue.fault("C_SignInit", hsm_queue.ANSWER, DEVICE_REMOVED)
PIN_LOCKED = 0xa4
CALL_TIMEOUT_MS = 2000
SOON_S = 5 if traffic.LONG else 20  # what is promised; beside other tests, what a busy machine adds


def codes():
    """All of tests/hsm/all_ckr.h, as pkcs11.h numbers them."""
    numbers = {}
    for path in ("/usr/include/p11-kit-1/p11-kit/pkcs11.h", os.path.join(wrapped.ROOT, "hsm", "pkcs11.h")):
        with open(path, encoding="utf-8") as file:
            for name, value in re.findall(r"(k?C[Kk][Rr]\w+)\s+(?:= )?\(?(0x[0-9a-fA-F]+|\d+)U?L?\)?", file.read()):
                numbers[name] = int(value, 0)
    with open(os.path.join(wrapped.ROOT, "tests", "hsm", "all_ckr.h"), encoding="utf-8") as file:
        names = re.findall(r"^    (k?C[Kk][Rr]\w+|0x\w+),", file.read(), re.MULTILINE)
    found = [numbers[name] if name in numbers else int(name, 0) for name in names]
    if len(found) < 90:
        raise AssertionError(f"only {len(found)} codes were read")
    return found


LOSSES = {0x3, 0x32, 0x60, 0x82, 0x90, 0xb0, 0xb3, 0xe0, 0xe1, 0x101, 0x190}  # hsm/error.cc
PIN_REFUSALS = {0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0x1c3}


class HsmFaults(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.mkdtemp(prefix="cardvault-module-", dir=os.environ.get("CARDVAULT_TMP"))
        cls.addClassCleanup(shutil.rmtree, folder)
        os.chmod(folder, 0o755)
        module = shutil.copy(BUILT, os.path.join(folder, LIBRARY))
        os.chmod(module, 0o755)
        settings = [*traffic.UNLIMITED, f"hsm.call_timeout_ms={CALL_TIMEOUT_MS}"]
        cls.vault = vault_fixture.Vault(settings, ["--module", module])
        cls.addClassCleanup(cls.vault.close)
        cls.queue = hsm_queue.Queue(cls.vault.path("data", "faults"))
        print(f"seed {SEED}", flush=True)

    def setUp(self):
        self.queue.clear()
        self.ready()
        self.ledger = traffic.Ledger(first_card=self.__class__.next_card())

    @classmethod
    def next_card(cls):
        cls.cards = getattr(cls, "cards", 0) + 1_000_000
        return cls.cards

    def ready(self):
        """Seconds until every gate's vault is ready."""
        began = time.monotonic()
        for gate in vault_fixture.GATES:
            self.vault.wait_ready(gate)
        return time.monotonic() - began

    def wait_for(self, what, seconds=60):
        end = time.monotonic() + seconds
        while not what():
            self.assertLess(time.monotonic(), end, self.vault.log_tail())
            time.sleep(0.002)

    def state(self):
        return self.vault.health("web", "/readyz").json()["state"]

    def sample(self, calls, count):
        every = [(call, rv) for call in calls for rv in codes()]
        return every if traffic.LONG else random.Random(SEED).sample(every, count)

    def outages(self):
        """How many alarms of an outage the log has, and how many recoveries."""
        log = traffic.read_log(self.vault)
        return (sum(e["op"] == "alarm" and e["outcome"] == "hsm_unavailable" for e in log),
                sum(e["op"] == "hsm.recovered" for e in log))

    def recoveries(self):
        return self.vault.log_tail(1_000_000).count("the HSM answers again")

    def load(self):
        return traffic.Traffic(self.vault, self.ledger, allowed=("hsm_unavailable",))

    def test_codes_that_pass(self):
        pid, before = self.vault.daemon_pid, self.outages()
        cases, expected, times = self.sample(WORK, 8) + [("C_Sign", 0xb3)], 0, []
        with self.load() as load:
            for call, rv in cases:
                hits, recoveries = self.queue.hits, self.recoveries()
                self.queue.add(call, hsm_queue.ANSWER, rv)
                self.wait_for(lambda hits=hits: self.queue.hits > hits)
                if rv in LOSSES:
                    expected += 1
                    self.wait_for(lambda recoveries=recoveries: self.recoveries() > recoveries)
                times.append(self.ready())
        self.settled("one code once in a call at work", len(cases), load, times)
        self.assertEqual([a - b for a, b in zip(self.outages(), before)], [expected, expected])
        self.assertEqual(self.vault.daemon_pid, pid, "it was restarted")

    def test_codes_while_logging_in(self):
        pid, before = self.vault.daemon_pid, self.outages()
        cases = [(call, rv) for call, rv in self.sample(LOGIN, 6)
                 if call != "C_Login" or rv not in PIN_REFUSALS]
        times = []
        with self.load() as load:
            for call, rv in cases:
                hits = self.queue.hits
                self.queue.add_all(LOSS, hsm_queue.fault(call, hsm_queue.ANSWER, rv))
                self.wait_for(lambda hits=hits: self.queue.hits == hits + 2)
                times.append(self.ready())
        self.settled("one code once while logging in again", len(cases), load, times)
        self.assertEqual([a - b for a, b in zip(self.outages(), before)], [len(cases)] * 2)
        self.assertEqual(self.vault.daemon_pid, pid, "it was restarted")

    def test_codes_that_last(self):
        pid, before = self.vault.daemon_pid, self.outages()
        cases = random.Random(SEED).sample([(c, rv) for c in WORK for rv in codes()],
                                           60 if traffic.LONG else 3)
        times = []
        with self.load() as load:
            for call, rv in cases:
                self.queue.add(call, hsm_queue.ANSWER, rv, times=hsm_queue.FOREVER)
                self.wait_for(lambda: self.state() == "hsm_unavailable")
                self.assertEqual(self.vault.health("web", "/readyz").status, 503)
                time.sleep(0.6)  # several attempts to recover: no further alarm
                self.queue.clear()
                times.append(self.ready())
        self.assertGreater(load.refusals["hsm_unavailable"], len(cases))
        self.settled("one code for 0.6 s in a call at work", len(cases), load, times)
        self.assertEqual([a - b for a, b in zip(self.outages(), before)], [len(cases)] * 2)
        self.assertEqual(self.vault.daemon_pid, pid, "it was restarted")

    def test_answers_of_the_wrong_length(self):
        with self.load() as load:
            for call in ("C_Sign", "C_Encrypt", "C_Decrypt"):
                hits = self.queue.hits
                self.queue.add(call, hsm_queue.SHORT, times=3)
                self.wait_for(lambda hits=hits: self.queue.hits == hits + 3)
                self.ready()
        self.settled("three answers too short in a row", 3, load, [])

    def test_a_refused_pin_is_tried_once(self):
        logins = self.queue.calls("C_Login")
        self.queue.add_all(LOSS, hsm_queue.fault("C_Login", hsm_queue.ANSWER, PIN_LOCKED, times=hsm_queue.FOREVER))
        pan, customer = self.ledger.new_card()
        self.vault.request("web", "POST", "/v1/tokenize", {"pan": pan, "customer": customer})
        self.wait_for(lambda: self.state() == "hsm_pin_refused")
        time.sleep(1)
        self.assertEqual(self.queue.calls("C_Login"), logins + 1)
        alarms = [e for e in self.vault.events(50) if e["op"] == "alarm"]
        self.assertEqual([e["outcome"] for e in alarms].count("hsm_pin_refused"), 1)
        self.queue.clear()
        self.vault.kill_and_wait()
        self.assertEqual(self.queue.calls("C_Login"), logins + 2)

    def test_calls_that_hang_or_crash(self):
        kinds = {"hang": hsm_queue.HANG, "abort": hsm_queue.ABORT, "SIGSEGV": hsm_queue.SEGV}
        cases = [(name, call) for name in kinds for call in WORK[:6]]
        cases = cases if traffic.LONG else random.Random(SEED).sample(cases, 3) + [("hang", "C_Login")]
        gates = [self.gate_pid(gate) for gate in vault_fixture.GATES]
        ledger, times = self.ledger, {name: [] for name in kinds}
        with traffic.Traffic(self.vault, ledger, allowed=("hsm_unavailable", "vault_unavailable")) as load:
            for name, call in cases:
                pid = self.vault.daemon_pid
                hits = self.queue.hits
                self.queue.add_all(*[LOSS] * (call == "C_Login"), hsm_queue.fault(call, kinds[name]))
                self.wait_for(lambda hits=hits: self.queue.hits > hits)
                began = time.monotonic()
                self.wait_for(lambda pid=pid: self.vault.daemon_pid != pid)
                self.ready()
                times[name].append(time.monotonic() - began)
                time.sleep(0.2)
        self.assertEqual([self.gate_pid(gate) for gate in vault_fixture.GATES], gates)
        log = traffic.settle(self.vault, ledger)
        stuck = sum(e["op"] == "alarm" and e["outcome"] == "hsm_stuck" for e in log)
        self.assertEqual(stuck, len(times["hang"]))
        for name, seconds in times.items():
            if seconds:
                traffic.report((f"HSM calls: {name} under load", f"{len(seconds)} calls, seed {SEED}",
                                f"{len(ledger.cards)} acknowledged tokens, none lost; no connection cut",
                                f"ready again: {traffic.spread(seconds)}"))
        self.assertEqual(load.cuts, {})

    def gate_pid(self, gate):
        with open(self.vault.path(f"gate-{gate}.pid"), encoding="ascii") as file:
            return int(file.read())

    def settled(self, what, cases, load, times):
        self.assertLess(self.ready(), SOON_S)
        self.assertLess(max(times, default=0), SOON_S)
        traffic.settle(self.vault, self.ledger)
        traffic.report((f"HSM: {what}, under load", f"{cases} cases, seed {SEED}",
                        f"{len(self.ledger.cards)} acknowledged tokens, none lost or mixed up; "
                        f"{sum(load.refusals.values())} answers of 503, no other failure",
                        f"ready again: {traffic.spread(times)}" if times else "-"))


if __name__ == "__main__":
    unittest.main()
