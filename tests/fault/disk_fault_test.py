#!/usr/bin/python3
"""Each call on the databases and the published log fails once, with EIO and with ENOSPC, or hangs once,
in the real daemon: under load, and while it starts.

CARDVAULT_SEED=N repeats the choice of a sample, CARDVAULT_ROUNDS=N sets its size.
"""

import errno
import os
import random
import subprocess
import time
import unittest

import disk_steering

steering = disk_steering.Steering()

import traffic  # noqa: E402  (the programs had to be known first)
from traffic import vault_fixture  # noqa: E402

SEED = int(os.environ.get("CARDVAULT_SEED", "1"))
ROUNDS = int(os.environ.get("CARDVAULT_ROUNDS", "0"))  # 0: all of them in a long run, else a few
FAULTS = {"EIO": errno.EIO, "ENOSPC": errno.ENOSPC, "hang": 0}
HANG_MS = 1200
OFTEN = 3  # times while it is looked on
# Refusals that are right while a disk is in trouble; `sealed` is a start that could not read the log.
ALLOWED = ("store_failed", "storage_full", "vault_unavailable", "sealed", "overloaded")
ALWAYS = [("vault.db-wal", "sync", "EIO"), ("vault.db-wal", "write", "ENOSPC"),
          ("reveal.db-wal", "sync", "hang"), ("checkpoint", "rename", "EIO")]
AUDIT = os.path.join(vault_fixture.PROGRAMS, "cardvault-audit")


class DiskFaults(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        print(f"seed {SEED}", flush=True)
        cls.vault = vault_fixture.Vault(traffic.UNLIMITED)
        cls.addClassCleanup(cls.vault.close)
        steering.watch(cls.vault)
        cls.vault.kill_and_wait()
        cls.cards = 0

    def setUp(self):
        steering.disarm()
        self.ready()
        DiskFaults.cards += 1_000_000
        self.ledger = traffic.Ledger(first_card=DiskFaults.cards)

    def ready(self):
        began = time.monotonic()
        for gate in vault_fixture.GATES:
            self.vault.wait_ready(gate)
        return time.monotonic() - began

    def wait_for(self, what, seconds=60):
        end = time.monotonic() + seconds
        while not what():
            if time.monotonic() > end:
                return False
            time.sleep(0.005)
        return True

    def verify(self):
        done = subprocess.run([AUDIT, "verify", self.vault.path("audit"), "--key",
                               self.vault.path("audit.vkey")], capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def load(self):
        return traffic.Traffic(self.vault, self.ledger, allowed=ALLOWED, pause_s=0.03)

    def seen(self, while_doing):
        steering.forget_counts()
        while_doing()
        return steering.counts()

    def look_on(self):
        time.sleep(6 if traffic.LONG else 2.5)
        self.wait_for(lambda: steering.counts().keys() >= {(kind, call) for kind, call, _ in ALWAYS})

    def test_under_load(self):
        pid, chance = self.vault.daemon_pid, random.Random(SEED)
        times = {name: [] for name in FAULTS}
        with self.load() as load:
            # Commits, rounds of publishing, and checkpoints of both databases.
            counts = self.seen(self.look_on)
            # What is done now and then has its turn in the test of starts: databases are opened there.
            cases = [(kind, call, name) for kind, call in sorted(counts) for name in FAULTS
                     if counts[kind, call] >= OFTEN]
            cases = cases * 8 if traffic.LONG else ALWAYS + chance.sample(cases, min(ROUNDS or 1, len(cases)))
            for kind, call, name in cases:
                at = chance.randrange(1, min(40, counts[kind, call]) + 1)
                with self.subTest(kind=kind, call=call, fault=name, at=at):
                    fired = steering.fired
                    steering.arm(kind, call, at, FAULTS[name], HANG_MS)
                    self.assertTrue(self.wait_for(lambda fired=fired: steering.fired > fired, 60),
                                    "the call is not made any more")
                    began = time.monotonic()
                    self.assertTrue(self.wait_for(self.takes_a_card), self.vault.log_tail())
                    self.ready()
                    times[name].append(time.monotonic() - began)
                    self.assertEqual(self.vault.daemon_pid, pid, "it was restarted")
        self.settled("under load", len(cases), load, times)

    def takes_a_card(self):
        pan, customer = self.ledger.new_card()
        answer = self.vault.request("web", "POST", "/v1/tokenize", {"pan": pan, "customer": customer})
        if answer.status == 200:
            self.ledger.promised(answer.json()["token"], pan, customer)
        else:
            self.ledger.doubt(pan, customer)
            self.assertIn(answer.code, ALLOWED, answer)
        return answer.status == 200

    def test_while_starting(self):
        chance = random.Random(SEED)
        times = {name: [] for name in FAULTS}
        with self.load() as load:
            time.sleep(0.5)
            counts = self.seen(self.vault.kill_and_wait)
            cases = [(kind, call, at, name) for (kind, call), count in sorted(counts.items())
                     for at in range(1, min(count, 40) + 1) for name in FAULTS]
            cases = cases if traffic.LONG else chance.sample(cases, min(ROUNDS or 2, len(cases)))
            for kind, call, at, name in cases:
                with self.subTest(kind=kind, call=call, fault=name, at=at):
                    fired = steering.fired
                    pid = self.vault.daemon_pid
                    # Dead, and the next one not yet begun: what falls here is of the start.
                    with self.vault.without_daemon():
                        steering.arm(kind, call, at, FAULTS[name], HANG_MS)
                    self.wait_for(lambda pid=pid: self.vault.daemon_pid != pid)
                    self.wait_for(lambda fired=fired: steering.fired > fired, 10)
                    began = time.monotonic()
                    self.assertTrue(self.wait_for(self.takes_a_card), self.vault.log_tail())
                    self.ready()
                    times[name].append(time.monotonic() - began)
                    steering.disarm()
        self.settled("while starting", len(cases), load, times)

    def settled(self, when, cases, load, times):
        steering.disarm()
        self.assertEqual(load.cuts, {})
        log = traffic.settle(self.vault, self.ledger)
        self.verify()
        faults = [seconds for name in ("EIO", "ENOSPC") for seconds in times[name]]
        traffic.report((f"disk: a call fails or hangs once, {when}", f"{cases} cases, seed {SEED}",
                        f"{len(self.ledger.cards)} acknowledged tokens, none lost, {len(log)} events, the log "
                        f"verifies; {sum(load.refusals.values())} answers of 503, no other failure",
                        f"works again: {traffic.spread(faults or [0])}"))


if __name__ == "__main__":
    unittest.main()
