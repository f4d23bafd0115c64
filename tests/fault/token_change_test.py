#!/usr/bin/python3
"""kill -9 of the tool in the middle of token changes, under load: no key is ever lost, no request
fails, and the next command finishes or takes back what was broken off. Kills at random moments, and one
at each system call by which a change touches files.

CARDVAULT_SEED=N repeats a run, CARDVAULT_ROUNDS=N sets the number of rounds.
"""

import collections
import json
import os
import random
import shutil
import signal
import subprocess
import threading
import time
import unittest

import traffic
from traffic import vault_fixture
from token_copy import token_copy  # its folder is known by now

ROUNDS = int(os.environ.get("CARDVAULT_ROUNDS", "400" if traffic.LONG else "25"))
SEED = int(os.environ.get("CARDVAULT_SEED", random.SystemRandom().randrange(1 << 32)))
# What touches files' names, owners and durability; a rotation makes some 180 of these calls.
STEPS = "mkdir,rmdir,rename,renameat2,unlink,unlinkat,fchmod,fchown,fsync,fdatasync"
SETTINGS = traffic.UNLIMITED + ("otp.resend_s=0", "otp.sends=0")


class Asker:
    """One client that stores, reveals and proves codes until the block ends."""

    def __init__(self, vault):
        self.vault, self.answers, self.wrong = vault, 0, []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self):
        for client in vault_fixture.GATES:
            self.vault.context(client)
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        self._thread.join()

    def _run(self):
        web, processor = traffic.Line(self.vault, "web"), traffic.Line(self.vault, "processor")
        number = 0
        while not self._stop.wait(0.02):
            pan, customer = vault_fixture.made_up_pan(4_000_000 + number), f"78{number // 5:09d}"
            number += 1
            stored = web.send("POST", "/v1/tokenize", {"pan": pan, "customer": customer})
            if stored.status != 200:
                self.wrong.append(stored)
                continue
            revealed = processor.send("POST", "/v1/detokenize",
                                      {"token": stored.json()["token"], "purpose": "payment"})
            if revealed.status != 200 or revealed.json()["pan"] != pan:
                self.wrong.append(revealed)
            self.answers += 2
        web.close()
        processor.close()


class TokenChange(unittest.TestCase):
    def setUp(self):
        print(f"seed {SEED}, {ROUNDS} rounds", flush=True)
        self.chance = random.Random(SEED)
        self.vault = vault_fixture.shared(SETTINGS)

    def keys(self):
        return {row["key"]: row["state"]
                for row in json.loads(self.vault.tool("--format", "json", "key", "list").stdout)}

    def on_token(self):
        """Labels of the secret keys on the live token, by a fresh login on a copy of it."""
        with token_copy(self.vault) as (_, tool):
            listed = tool("--list-objects").decode()
        return {line.split("label:")[1].strip() for line in listed.splitlines()
                if "label:" in line}

    def generation(self, *names):
        try:
            with open(self.vault.path(*names, "generation"), encoding="ascii") as file:
                return int(file.read())
        except (FileNotFoundError, ValueError):  # not yet written, or already overwritten
            return 0

    def left_over(self):
        """What a kill has left: "", "copy", "exchanged" when the changed token is live, or "done" when
        only the old one is still to be wiped."""
        if not os.path.exists(self.vault.path("token.change")):
            return ""
        noted = os.path.exists(self.vault.path("token.change", "note"))
        if os.path.exists(self.vault.path("token.change", "done")):
            return "done"
        newer = self.generation("token") > self.generation("token.change", "token")
        return "exchanged" if noted and newer else "copy"

    def next_command(self):
        """What to do now: rotate until there are three, then retire and destroy the oldest."""
        versions = sorted((int(label.split("/")[1]), state) for label, state in self.keys().items()
                          if label.startswith("otp-mac/"))
        here = [(version, state) for version, state in versions if state != "destroyed"]
        gone = [version for version, state in versions if state == "destroyed"]
        token = self.on_token()
        half = [version for version in gone if f"otp-mac/{version}" in token]
        if half:
            return ["key", "destroy", f"otp-mac/{half[0]}"]
        if len(here) < 3:
            return ["key", "rotate", "otp-mac"]
        label = f"otp-mac/{here[0][0]}"
        if here[0][1] == "decrypt only":
            self.vault.tool("key", "retire", label)
        return ["key", "destroy", label, "--after", "0"]

    def run_and_kill(self, command, within):
        tool = subprocess.Popen(self.vault.tool_command(*command), stdin=subprocess.DEVNULL,
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                start_new_session=True)
        try:
            tool.wait(self.chance.uniform(0, within))
            return False
        except subprocess.TimeoutExpired:
            # Sometimes with the process that speaks to the vault, sometimes without it.
            if self.chance.random() < 0.5:
                os.killpg(tool.pid, signal.SIGKILL)
            else:
                tool.kill()
            tool.wait()
            return True

    def assert_nothing_lost(self, after):
        lost = {label for label, state in self.keys().items() if state != "destroyed"} - self.on_token()
        self.assertEqual(lost, set(), f"after a kill of {after}")

    def assert_all_is_well(self, asker):
        """Whatever was left: a whole rotation works, nothing of it stays, and the vault starts with it."""
        self.assertEqual(asker.wrong, [])
        self.vault.tool("key", "rotate", "otp-mac")
        self.assertFalse(os.path.exists(self.vault.path("token.change")))
        self.vault.kill_and_wait()
        self.assertEqual(self.vault.tool("doctor", check=False).stdout.count("broken off"), 0)

    def test_no_token_is_lost(self):
        begin = time.monotonic()
        self.vault.tool("key", "rotate", "otp-mac")
        within = 1.15 * (time.monotonic() - begin)
        killed = {"rotate": 0, "destroy": 0}
        left = collections.Counter()
        with Asker(self.vault) as asker:
            # A few more where a short run has hit nothing of a kind.
            while sum(killed.values()) < ROUNDS or not (min(killed.values()) and left["copy"]):
                self.assertLess(sum(left.values()), 20 * ROUNDS, "no kill hits what is to be hit")
                command = self.next_command()
                if self.run_and_kill(command, within):
                    killed[command[1]] += 1
                left[self.left_over()] += 1
                self.assert_nothing_lost(command)
                if self.chance.random() < 0.1:
                    # What is on the disk now is what the vault starts with.
                    self.vault.tool("status")
        self.assertGreater(asker.answers, ROUNDS)
        if traffic.LONG:  # the other test aims at it
            self.assertGreater(left["exchanged"], 0, "no kill hit an exchanged token")
        self.assert_all_is_well(asker)
        traffic.report((
            "kill -9 of the tool in the middle of token changes",
            f"{sum(killed.values())} kills, seed {SEED}: {killed['rotate']} of rotations, "
            f"{killed['destroy']} of destructions",
            f"no key lost, {asker.answers} requests answered meanwhile, none refused; {left['copy']} "
            f"copies left, each thrown away, {left['exchanged']} exchanged tokens, each finished by the "
            f"next command, and {left['done']} old tokens half wiped", "-"))

    def traced(self, command, *more, said=os.devnull):
        """Runs a command under strace: its exit code."""
        with open(said, "w", encoding="utf-8") as errors:
            return subprocess.run(
                ["strace", "-o", self.vault.path("steps"), "-e", f"trace={STEPS}", *more,
                 *self.vault.tool_command(*command)],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=errors, timeout=120).returncode

    def steps_of(self, command):
        """Each call that the command makes, as strace counts them: (name, which one of its name)."""
        self.assertEqual(self.traced(command), 0, command)
        with open(self.vault.path("steps"), encoding="ascii") as file:
            names = [line.split("(")[0] for line in file if "(" in line]
        return [(name, names[:place].count(name) + 1) for place, name in enumerate(names)]

    def next_of(self, verb):
        """The next command that rotates or destroys, with nothing broken off before it."""
        while True:
            command = self.next_command()
            if command[1] == verb and not self.left_over():
                return command
            self.vault.tool(*command)

    def failing(self, paths, *faults):
        """Begins a rotation that fails by these faults of calls on these paths: the command, and what it said."""
        command, said = self.next_of("rotate"), self.vault.path("said")
        options = [part for path in paths for part in ("-P", self.vault.path(*path))]
        options += [part for fault in faults for part in ("-e", "inject=" + fault)]
        code = self.traced(command, *options, said=said)
        with open(said, encoding="utf-8") as file:
            text = file.read()
        self.assertEqual(code, 4, text)
        self.assert_nothing_lost(faults)
        return command, text

    @unittest.skipUnless(shutil.which("strace"), "takes strace")
    def test_a_disk_that_fails_around_the_exchange(self):
        copy, generation = ("token.change", "token"), ("token.change", "token", "generation")
        self.vault.tool(*self.next_of("rotate"))  # from here on the token has a generation, which the copy renews
        with Asker(self.vault) as asker:
            # The folder of both is synced before the exchange, and after it: then which token is on the disk
            # nobody knows, and both are kept.
            command, said = self.failing([()], "fsync:error=EIO:when=2")
            self.assertIn("cannot be synced: Input/output error", said)
            self.assertEqual(self.left_over(), "exchanged")
            self.vault.tool(*command)
            self.assertEqual(self.left_over(), "")
            # A copy that can't be thrown away hides nothing of what went wrong first.
            command, said = self.failing([copy, generation], "renameat2:error=EINVAL", "unlink:error=EPERM:when=2")
            self.assertIn("can't exchange two folders at once", said)
            self.assertEqual(self.left_over(), "copy")
            self.vault.tool(*command)
            # The old token can't be removed: the new one is live, and the next command goes on wiping.
            _, said = self.failing([generation], "unlink:error=EPERM:when=2")
            self.assertIn("cannot be removed: Operation not permitted", said)
            self.assertEqual(self.left_over(), "done")
            self.vault.tool(*self.next_command())
            self.assertEqual(self.left_over(), "")
        self.assert_all_is_well(asker)

    @unittest.skipUnless(shutil.which("strace"), "takes strace")
    def test_a_kill_at_each_step_of_a_change(self):
        left, hit = collections.Counter(), collections.Counter()
        with Asker(self.vault) as asker:
            steps = [(verb, *step) for verb in ("rotate", "destroy")
                     for step in self.steps_of(self.next_of(verb))]
            if not traffic.LONG:
                steps = self.chance.sample(steps, 4)
            for verb, call, which in steps:
                command = self.next_of(verb)
                code = self.traced(command, "-e", f"inject={call}:signal=KILL:when={which}")
                hit[verb] += code == -signal.SIGKILL
                left[self.left_over()] += 1
                self.assert_nothing_lost(f"{command} at {call} {which}")
        # Another change has some calls more or less: the last ones may not come.
        self.assertGreaterEqual(sum(hit.values()), 0.9 * len(steps) - 1)
        for what in ("copy", "exchanged", "done") if traffic.LONG else ():
            self.assertGreater(left[what], 0, f"no kill left: {what}")
        self.assert_all_is_well(asker)
        traffic.report((
            "kill -9 of the tool at each system call by which a change of the token touches files",
            f"{hit['rotate']} of a rotation, {hit['destroy']} of a destruction",
            f"no key lost, {asker.answers} requests answered meanwhile, none refused; {left['copy']} copies, "
            f"{left['exchanged']} exchanged tokens and {left['done']} old tokens half wiped were left", "-"))


if __name__ == "__main__":
    unittest.main()
