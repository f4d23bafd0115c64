#!/usr/bin/python3
"""kill -9 of cardvaultd, sometimes of the tool too, while keys are rotated, retired and destroyed and
copies of the databases are made, under load: nothing acknowledged is lost, no key is, and the next
command goes on from whatever was left.

CARDVAULT_SEED=N repeats the choice of moments, CARDVAULT_ROUNDS=N sets the number of rounds.
"""

import collections
import os
import shutil
import signal
import subprocess
import time
import unittest

import token_change_test
import traffic
from traffic import vault_fixture

ROUNDS = int(os.environ.get("CARDVAULT_ROUNDS", "600" if traffic.LONG else "3"))
LONGEST_S = {"key": 1.2, "backup": 0.4}  # in which most of these commands are done


class ChoreKills(token_change_test.TokenChange):
    rounds = ROUNDS
    test_no_token_is_lost = test_a_kill_at_each_step_of_a_change = None  # of the tool alone: token_change_test.py

    def ready(self):
        for gate in vault_fixture.GATES:
            self.vault.wait_ready(gate)

    def chore(self, number):
        if self.chance.random() < 0.4:
            return ["backup", "copy", self.vault.path("data", f"copy-{number}")]
        return self.next_command()

    def kill(self, tool):
        """Of the daemon, and one time in four of the tool too. Whether the tool was still at work."""
        at_work = tool.poll() is None
        pid = self.vault.daemon_pid
        os.kill(pid, signal.SIGKILL)
        if at_work and self.chance.random() < 0.25:
            os.killpg(tool.pid, signal.SIGKILL)
        end = time.monotonic() + 60
        while self.vault.daemon_pid == pid:
            self.assertLess(time.monotonic(), end, self.vault.log_tail())
            time.sleep(0.005)
        return at_work

    def test_kills_while_keys_change_and_copies_are_made(self):
        ledger, done = traffic.Ledger(), collections.Counter()
        with traffic.Traffic(self.vault, ledger, pause_s=0.03) as load:
            number = 0
            while number < ROUNDS or not (done["key", True] + done["backup", True]):
                number += 1
                command = self.chore(number)
                with self.subTest(round=number, command=" ".join(command)):
                    tool = subprocess.Popen(self.vault.tool_command(*command), stdin=subprocess.DEVNULL,
                                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                            start_new_session=True)
                    time.sleep(self.chance.uniform(0, LONGEST_S[command[0]]))
                    done[command[0], self.kill(tool)] += 1
                    tool.wait(60)
                    self.ready()
                    keys, token = self.keys(), self.on_token()
                    lost = {label for label, state in keys.items() if state != "destroyed"} - token
                    self.assertEqual(lost, set())
                    shutil.rmtree(self.vault.path("data", f"copy-{number}"), ignore_errors=True)
        log = traffic.settle(self.vault, ledger)
        # Whatever was left: a whole rotation and a whole copy work.
        while self.next_command()[1] != "rotate":
            self.vault.tool(*self.next_command())
        self.vault.tool("key", "rotate", "otp-mac")
        self.vault.tool("backup", "copy", self.vault.path("data", "copy"))
        self.assertFalse(os.path.exists(self.vault.path("token.change")))
        self.assertEqual(load.cuts, {})
        traffic.report((
            "kill -9 of cardvaultd while keys change and databases are copied",
            f"{number} rounds, seed {token_change_test.SEED}: {done['key', True]} during changes of keys, "
            f"{done['backup', True]} during copies, {done['key', False] + done['backup', False]} just after",
            f"{len(ledger.cards)} acknowledged tokens, {len(log)} events, no token and no key lost, no connection "
            "cut", "-"))


if __name__ == "__main__":
    unittest.main()
