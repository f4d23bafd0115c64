#!/usr/bin/python3
"""kill -9 of cardvaultd or a gate at random moments, under load and while starting.

CARDVAULT_SEED=N repeats a run, CARDVAULT_ROUNDS=N sets the number of rounds.
"""

import hashlib
import os
import random
import signal
import time
import unittest
from unittest import mock

import traffic
from traffic import vault_fixture

ROUNDS = int(os.environ.get("CARDVAULT_ROUNDS", "1200" if traffic.LONG else "12"))
SEED = int(os.environ.get("CARDVAULT_SEED", random.SystemRandom().randrange(1 << 32)))
VICTIMS = ("cardvaultd", "cardvaultd", "cardvaultd", "web", "processor", "auditor")


def pid_file(vault, victim):
    return vault.path("daemon.pid" if victim == "cardvaultd" else f"gate-{victim}.pid")


def pid_of(vault, victim):
    """Its pid; None while it is dead. Never that of another process."""
    with open(vault.path("supervisor.pid"), encoding="ascii") as file:
        supervisor = int(file.read())
    try:
        with open(pid_file(vault, victim), encoding="ascii") as file:
            pid = int(file.read())
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as file:
            state, parent = file.read().rpartition(")")[2].split()[:2]
    except (FileNotFoundError, ProcessLookupError, ValueError):
        return None
    return pid if int(parent) == supervisor and state != "Z" else None


def hash_of(folder):
    digest = hashlib.sha256()
    for at, folders, files in os.walk(folder):
        folders.sort()
        for name in sorted(files):
            path = os.path.join(at, name)
            with open(path, "rb") as file:
                digest.update(repr((path, os.stat(path).st_mode, file.read())).encode())
    return digest.hexdigest()


class Killer:
    def __init__(self, vault, load, chance):
        self.vault, self.load, self.chance = vault, load, chance
        self.killed = {"cardvaultd": 0, "gates": 0, "starting": 0}
        self.from_kill, self.from_start = [], []

    def kill(self, victim):
        """True when there was something to kill."""
        pid = pid_of(self.vault, victim)
        if pid is None:
            return False
        if victim != "cardvaultd":
            self.load.expect_cut(victim)
        os.kill(pid, signal.SIGKILL)
        if victim != "cardvaultd":
            self.load.expect_cut(victim)  # of connections that it took in between
        self.killed["cardvaultd" if victim == "cardvaultd" else "gates"] += 1
        return True

    def wait_started(self, victim, old, timeout=60):
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            pid = pid_of(self.vault, victim)
            if pid is not None and pid != old:
                return
            time.sleep(0.002)
        raise AssertionError(f"{victim} was not started again:\n{self.vault.log_tail()}")

    def round(self):
        time.sleep(self.chance.uniform(0.05, 0.7))
        victim = self.chance.choice(VICTIMS)
        old = pid_of(self.vault, victim)
        self.kill(victim)
        began = time.monotonic()
        self.wait_started(victim, old)
        if self.chance.random() < 0.4:
            old = pid_of(self.vault, victim)
            time.sleep(self.chance.uniform(0, 0.3))
            if self.kill(victim):
                self.killed["starting"] += 1
                began = time.monotonic()
                self.wait_started(victim, old)
        started = time.monotonic()
        for gate in vault_fixture.GATES:
            self.vault.wait_ready(gate)
        self.from_kill.append(time.monotonic() - began)
        self.from_start.append(time.monotonic() - started)


class KillTest(unittest.TestCase):
    def test_a_broken_promise_is_noticed(self):
        vault = vault_fixture.shared(settings=traffic.UNLIMITED)
        ledger = traffic.Ledger(first_card=9_000_000)
        pan, customer = ledger.new_card()
        answer = vault.request("web", "POST", "/v1/tokenize", {"pan": pan, "customer": customer})
        token = answer.json()["token"]
        ledger.promised(token, pan, customer)
        traffic.settle(vault, ledger)
        card = ledger.cards[token]
        for name, value in (("pan", vault_fixture.made_up_pan(1)), ("life", traffic.DELETED),
                            ("frozen", True), ("reveals", 1000)):
            with self.subTest(name), mock.patch.object(card, name, value):
                self.assertRaises(AssertionError, traffic.settle, vault, ledger)
        ledger.promised("tok_01KANQ8Z4S7M3W5RC9TVX2B6YD", pan, customer)
        self.assertRaises(AssertionError, traffic.settle, vault, ledger)

    def test_what_was_promised_survives_kills(self):
        print(f"seed {SEED}, {ROUNDS} rounds", flush=True)
        random.seed(SEED)
        vault = vault_fixture.shared(settings=traffic.UNLIMITED)
        token_before = hash_of(vault.path("token"))
        ledger = traffic.Ledger()
        with traffic.Traffic(vault, ledger) as load:
            killer = Killer(vault, load, random.Random(SEED))
            time.sleep(0.5)
            for _ in range(ROUNDS):
                killer.round()
            time.sleep(0.5)
            end = time.monotonic() + 120  # as long as a slow disk takes
            while time.monotonic() < end and not (
                    len(ledger.cards) > 10 * ROUNDS and ledger.freezes and ledger.deletes):
                time.sleep(0.1)
        self.assertGreater(len(ledger.cards), 10 * ROUNDS, "hardly any load")
        self.assertGreater(ledger.freezes, 0)
        self.assertGreater(ledger.deletes, 0)
        log = traffic.settle(vault, ledger)
        self.assertEqual(hash_of(vault.path("token")), token_before, "the token was written to")
        self.assertLess(max(killer.from_kill), 60)
        traffic.report((
            "kill -9 under load",
            f"{ROUNDS} rounds, seed {SEED}: {killer.killed['cardvaultd']} of cardvaultd, "
            f"{killer.killed['gates']} of gates; {killer.killed['starting']} of them while starting",
            f"{len(ledger.cards)} tokens, {ledger.freezes} freezes, {ledger.deletes} deletes "
            f"acknowledged, {len(ledger.doubted)} cards in doubt, {len(log)} events: nothing lost, no "
            f"connection cut but the killed gates' ({sum(load.refusals.values())} answers of 503)",
            f"ready again after the kill: {traffic.spread(killer.from_kill)}; after the start: "
            f"{traffic.spread(killer.from_start)}"))


if __name__ == "__main__":
    unittest.main()
