#!/usr/bin/python3
"""Power cuts: what a daemon writes and syncs under load is recorded; then disks are made as cuts at any
moment leave them, without what was not synced by then or with parts of it, and the daemon starts on each.

CARDVAULT_SEED=N repeats the choice of cuts, CARDVAULT_ROUNDS=N sets their number.
"""

import contextlib
import os
import random
import signal
import subprocess
import tempfile
import threading
import time
import unittest

import disk_steering
import lost_power

HOLD = os.path.join(tempfile.gettempdir(), f"cardvault-hold-{os.getpid()}")
steering = disk_steering.Steering(first=f"while [ -e {HOLD} ]; do sleep 0.02; done")

import traffic  # noqa: E402  (the programs had to be known first)
from traffic import vault_fixture  # noqa: E402

ROUNDS = int(os.environ.get("CARDVAULT_ROUNDS", "500" if traffic.LONG else "3"))
SEED = int(os.environ.get("CARDVAULT_SEED", "1"))
LOAD_S = 10 if traffic.LONG else 2
AUDIT = os.path.join(vault_fixture.PROGRAMS, "cardvault-audit")


class Recorder:
    """Clients that store and reveal until the block ends, and note how long the journal was when each
    answer had come: a cut after that must keep what was answered."""

    def __init__(self, vault):
        self.vault = vault
        self.stored, self.revealed, self.wrong = [], [], []
        self._ledger = traffic.Ledger()
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(role,))
                         for role in (self._store, self._store, self._reveal)]

    def __enter__(self):
        for client in vault_fixture.GATES:
            self.vault.context(client)
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, role):
        line = traffic.Line(self.vault, "processor" if role == self._reveal else "web")
        try:
            while not self._stop.wait(random.uniform(0, 0.02)):
                role(line)
        except Exception as problem:
            self.wrong.append(repr(problem))
        finally:
            line.close()

    def _store(self, line):
        cards = [self._ledger.new_card() for _ in range(random.choice((1, 1, 1, 8)))]
        answer = line.send("POST", "/v1/tokenize",
                           {"items": [{"pan": pan, "customer": customer} for pan, customer in cards]})
        position = steering.position
        for item, card in zip(answer.json()["items"], cards):
            self.stored.append((position, item["token"], *card))

    def _reveal(self, line):
        if not self.stored:
            return
        token = random.choice(self.stored)[1]
        answer = line.send("POST", "/v1/detokenize", {"token": token, "purpose": "payment"})
        if answer.status != 200:
            self.wrong.append(f"{answer}")
        self.revealed.append((steering.position, token))

    def ledger_at(self, cut):
        """What was promised before it."""
        ledger = traffic.Ledger(first_card=5_000_000)
        for position, token, pan, customer in self.stored:
            if position <= cut:
                ledger.promised(token, pan, customer)
            else:
                ledger.doubt(pan, customer)
        for position, token in self.revealed:
            if position <= cut and token in ledger.cards:
                ledger.cards[token].reveals += 1
        return ledger


class PowerLoss(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vault = vault_fixture.Vault(traffic.UNLIMITED)
        cls.addClassCleanup(cls.vault.close)
        cls.addClassCleanup(cls.go_on)
        cls.folders = [cls.vault.path("data"), cls.vault.path("audit")]

    @staticmethod
    def go_on():
        with contextlib.suppress(FileNotFoundError):
            os.unlink(HOLD)

    def stop_dead(self):
        """Kills the daemon; the next one waits for go_on()."""
        pid = self.vault.daemon_pid
        with open(HOLD, "w", encoding="ascii"):
            pass
        os.kill(pid, signal.SIGKILL)
        while os.path.exists(f"/proc/{pid}"):
            time.sleep(0.002)

    def verify(self, *against):
        done = subprocess.run([AUDIT, "verify", self.vault.path("audit"), "--key",
                               self.vault.path("audit.vkey"), *against],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def wait_published(self, size):
        end = time.monotonic() + 60
        while True:
            with open(self.vault.path("audit", "checkpoint"), "rb") as file:
                if int(file.read().split(b"\n")[1]) >= size:
                    return
            self.assertLess(time.monotonic(), end, "what was published is not published again")
            time.sleep(0.05)

    def record(self):
        steering.watch(self.vault)
        self.stop_dead()
        base = lost_power.read_tree(self.folders)
        steering.record(True)
        self.go_on()
        self.ready()
        random.seed(SEED)
        with Recorder(self.vault) as recorder:
            time.sleep(LOAD_S)
            end = time.monotonic() + 60
            while len(recorder.stored) < 100 and time.monotonic() < end:
                time.sleep(0.1)
        self.stop_dead()
        steering.record(False)
        self.assertEqual(recorder.wrong, [])
        return base, steering.read_journal(), recorder

    def ready(self):
        for gate in vault_fixture.GATES:
            self.vault.wait_ready(gate)

    def cuts(self, records, chance):
        """Half of them anywhere, half just before or after a sync."""
        syncs = [i for i, record in enumerate(records) if record.call == "sync"]
        return [chance.randrange(len(records) + 1) if chance.random() < 0.5 else
                chance.choice(syncs) + chance.randint(0, 1) for _ in range(ROUNDS)]

    def test_what_was_answered_is_there_after_any_cut(self):
        print(f"seed {SEED}, {ROUNDS} cuts", flush=True)
        base, records, recorder = self.record()
        chance = random.Random(SEED)
        promised, starts, first = 0, [], True
        checkpoint, kept = self.vault.path("audit", "checkpoint"), self.vault.path("kept-checkpoint")
        for cut in self.cuts(records, chance):
            with self.subTest(cut=cut, of=len(records)):
                if not first:
                    self.stop_dead()
                first = False
                disk = lost_power.Disk(base, records[:cut])
                lost_power.write_tree(disk.left(chance), self.folders)
                self.verify()
                with open(kept, "wb") as file:
                    file.write(disk.live(checkpoint))
                began = time.monotonic()
                self.go_on()
                self.ready()
                starts.append(time.monotonic() - began)
                ledger = recorder.ledger_at(cut)
                promised += len(ledger.cards)
                traffic.settle(self.vault, ledger)
                # Nobody who has seen a checkpoint that the cut took back can say that the log changed.
                self.wait_published(int(disk.live(checkpoint).split(b"\n")[1]))
                self.verify("--against", kept)
        self.assertGreater(promised, ROUNDS)
        syncs = sum(record.call == "sync" for record in records)
        traffic.report(("power lost, with none, some or all of what was not synced",
                        f"{ROUNDS} cuts, seed {SEED}, of {len(records)} calls that {LOAD_S} s of load made "
                        f"({syncs} syncs)",
                        f"{promised} acknowledged tokens looked for, none lost; the log verified before and "
                        "after each start, and continued every checkpoint that had been seen",
                        f"ready: {traffic.spread(starts)} (of which the supervisor waits up to 2 s)"))


if __name__ == "__main__":
    unittest.main()
