#!/usr/bin/python3
"""A steady load for many minutes with faults and key rotations meanwhile: ./dev soak MINUTES.

Every answer is held against what was promised before (tests/fault/traffic.py). In the first half no process is
killed, so that what leaks grows: memory, descriptors, threads and the time of an answer must stay flat there.
In the second half the daemon and the gates are killed and stopped too. At the end every card is compared, the
published log is verified, and all of it is drawn: OUT/soak.svg.
"""

import argparse
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "fault"))
import traffic  # noqa: E402
from traffic import vault_fixture  # noqa: E402

import picture  # noqa: E402
import samples  # noqa: E402

FAULT_EVERY_S = 15
PAUSE_S = 0.2  # of each client between two requests: an hour's cards and events fit the model
WINDOW_S = 10
PROBE_EVERY_S = 0.1
NEEDED, IN_USE, MOVING = "rows stand under", "earlier versions are still in use", "one key at a time"
ALLOWED = ("vault_unavailable", "hsm_unavailable", "overloaded")
SETTINGS = traffic.UNLIMITED + ("policy.cards_per_customer=0", "policy.pan_budget_day=0",
                                "policy.pan_budget_month=0", "keys.rewrap_rows_per_s=2000")


class Probe:
    """One request at a time, the time of each answer in ms: [(second, ms)]."""

    def __init__(self, vault, ledger, began):
        self.vault, self.ledger, self.began = vault, ledger, began
        self.times = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self):
        line = traffic.Line(self.vault, "processor")
        while not self._stop.wait(PROBE_EVERY_S):
            for token in self.ledger.some_tokens(1):
                start = time.monotonic()
                try:
                    answer = line.send("POST", "/v1/detokenize", {"token": token, "purpose": "payment"})
                except traffic.Cut:
                    continue
                if answer.status == 200:
                    self.times.append((start - self.began, (time.monotonic() - start) * 1000))
        line.close()

    def stop(self):
        self._stop.set()
        self._thread.join()

    def windows(self):
        """p50 and p99 of each ten seconds: two lines of (second, ms)."""
        by_window = {}
        for second, ms in self.times:
            by_window.setdefault(int(second / WINDOW_S), []).append(ms)
        p50, p99 = [], []
        for window, values in sorted(by_window.items()):
            middle = (window + 0.5) * WINDOW_S
            p50.append((middle, statistics.median(values)))
            p99.append((middle, sorted(values)[int(0.99 * (len(values) - 1))]))
        return p50, p99


class Faults:
    """Each takes a second or so; the vault is well again before the next one."""

    def __init__(self, vault, load, chance):
        self.vault, self.load, self.chance = vault, load, chance
        self.gentle = {"token away": self.token_away, "reload": self.reload, "rotate a key": self.rotate,
                       "gate reads anew": self.reload_gate}
        self.rough = {"kill cardvaultd": self.kill_daemon, "kill a gate": self.kill_gate,
                      "restart cardvaultd": self.stop_daemon}

    def pid(self, name):
        with open(self.vault.path(name), encoding="ascii") as file:
            return int(file.read())

    def token_away(self):
        os.rename(self.vault.path("token"), self.vault.path("token.away"))
        time.sleep(self.chance.uniform(0.5, 3))
        os.rename(self.vault.path("token.away"), self.vault.path("token"))

    def reload(self):
        self.vault.tool("reload")

    def reload_gate(self):
        os.kill(self.pid(f"gate-{self.chance.choice(vault_fixture.GATES)}.pid"), signal.SIGHUP)

    def rotate(self):
        purpose = self.chance.choice(("pan-enc", "id-enc", "otp-mac", "seal-sign"))
        # Seven earlier versions can be in use; one that a card needs stays, and one key's rows move at a time.
        for row in json.loads(self.vault.tool("--format", "json", "key", "list").stdout):
            if row["key"].startswith(purpose + "/") and row["state"] == "decrypt only":
                self.tool_unless(NEEDED, "key", "retire", row["key"])
        self.tool_unless(IN_USE, "key", "rotate", purpose)
        if purpose in ("pan-enc", "id-enc"):  # goes on beside the next faults: it takes as long as there are cards
            self.tool_unless(MOVING, "key", "rewrap", purpose, "--no-wait")

    def tool_unless(self, refusal, *arguments):
        """That one refusal is right."""
        done = self.vault.tool(*arguments, check=False)
        if done.returncode != 0 and refusal not in done.stderr:
            raise AssertionError(f"cardvault {arguments}: {done.returncode}\n{done.stdout}{done.stderr}")

    def kill_daemon(self):
        self.vault.kill_and_wait()

    def stop_daemon(self):
        os.kill(self.pid("daemon.pid"), signal.SIGTERM)
        time.sleep(1)

    def kill_gate(self):
        gate = self.chance.choice(vault_fixture.GATES)
        self.load.expect_cut(gate)
        os.kill(self.pid(f"gate-{gate}.pid"), signal.SIGKILL)
        time.sleep(1)

    def one(self, rough):
        kinds = self.gentle | self.rough if rough else self.gentle
        name = self.chance.choice(sorted(kinds))
        kinds[name]()
        for gate in vault_fixture.GATES:
            self.vault.wait_ready(gate)
        return name


def drive(vault, faults, began, end, half):
    """Faults until the end: [(second, what)]. A line of progress each minute."""
    marks, said = [], 0
    while time.monotonic() - began < end:
        time.sleep(FAULT_EVERY_S)
        second = time.monotonic() - began
        marks.append((second, faults.one(rough=second > half)))
        if second - said >= 60:
            said = second
            print(f"{second / 60:.0f} of {end / 60:g} min: {len(faults.load.ledger.cards)} cards, "
                  f"{faults.load.answers} answers, {len(marks)} faults", file=sys.stderr, flush=True)
        if faults.load.ledger.wrong:
            raise AssertionError("\n".join(faults.load.ledger.wrong[:10]))
    return marks


def verify_log(vault):
    done = subprocess.run([os.path.join(vault_fixture.PROGRAMS, "cardvault-audit"), "verify", vault.path("audit"),
                           "--key", vault.path("audit.vkey")], capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        raise AssertionError(f"the published log: {done.stdout}{done.stderr}")


def what_grew(taken, probe, begin, end):
    """Sentences about all that did not stay flat in that time."""
    grew = []
    for name, measures in taken.of.items():
        for what, points in measures.items():
            found = samples.growth(points, begin, end)
            if found:
                grew.append(f"{what} of {name} grew {found} {samples.MEASURES[what]}")
    early, late = samples.quarters(probe.times, begin, end)
    if late > 3 * early + 5:
        grew.append(f"an answer's median time grew from {early:.1f} to {late:.1f} ms")
    return grew


def main():
    parser = argparse.ArgumentParser(description="A long run with faults; see the top of this file.")
    parser.add_argument("minutes", type=float)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    parser.add_argument("--out", default=os.path.join(vault_fixture.ROOT, "build", "soak"))
    asked = parser.parse_args()
    if asked.minutes < 4:
        parser.error("4 minutes at least: in less nothing can be told of growth")
    end = asked.minutes * 60
    print(f"seed {asked.seed}, {asked.minutes:g} minutes", file=sys.stderr, flush=True)
    random.seed(asked.seed)
    vault = vault_fixture.shared(SETTINGS)
    ledger = traffic.Ledger()
    with traffic.Traffic(vault, ledger, ALLOWED, PAUSE_S) as load:
        began = time.monotonic()
        taken, probe = samples.Samples(vault), Probe(vault, ledger, began)
        try:
            marks = drive(vault, Faults(vault, load, random.Random(asked.seed)), began, end, end / 2)
        finally:
            taken.stop()
            probe.stop()
    ended = time.monotonic() - began
    log = traffic.settle(vault, ledger)
    verify_log(vault)
    p50, p99 = probe.windows()
    lines = {what: {name: taken.of[name][what] for name in taken.of} for what in samples.MEASURES}
    panels = [("Memory of each process", "MiB", lines["memory"]), ("Descriptors", "number", lines["descriptors"]),
              ("Threads", "number", lines["threads"]), ("Time of a reveal", "ms", {"median": p50, "99 %": p99})]
    os.makedirs(asked.out, exist_ok=True)
    path = os.path.join(asked.out, "soak.svg")
    title = f"{asked.minutes:g} minutes, seed {asked.seed}: {load.answers} answers, {len(marks)} faults"
    with open(path, "w", encoding="utf-8") as file:
        file.write(picture.draw(title, panels, marks, ended))
    grew = what_grew(taken, probe, 0, end / 2)
    early, late = samples.quarters(probe.times, 0, end / 2)
    memory = samples.quarters(taken.of["cardvaultd"]["memory"], 0, end / 2)
    traffic.report((f"steady load with faults (`./dev soak {asked.minutes:g}`)", f"{len(marks)} faults, seed {asked.seed}",
                    f"{load.answers} answers, {len(ledger.cards)} cards, {len(log)} events: every promise kept, the log verified",
                    f"in the half without kills: memory of cardvaultd {memory[0]:.0f} to {memory[1]:.0f} MiB, "
                    f"a reveal's median {early:.1f} to {late:.1f} ms"))
    print(path)
    if grew:
        sys.exit("\n".join(grew))


if __name__ == "__main__":
    main()
