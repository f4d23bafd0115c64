#!/usr/bin/python3
"""kill -9 of cardvaultd and of the web gate while codes are sealed and verified: a wrong try that was
answered stays counted, a success that was answered stays used up, and no code succeeds twice.

CARDVAULT_SEED=N repeats a run, CARDVAULT_ROUNDS=N sets the number of rounds.
"""

import collections
import os
import random
import threading
import time
import unittest
from unittest import mock

import kill_test
import traffic
from traffic import vault_fixture
from vault_fixture import recipient

ROUNDS = int(os.environ.get("CARDVAULT_ROUNDS", "200" if traffic.LONG else "8"))
SEED = int(os.environ.get("CARDVAULT_SEED", random.SystemRandom().randrange(1 << 32)))
VICTIMS = ("cardvaultd", "cardvaultd", "cardvaultd", "web")
THREADS = 6
TRIES = 3
LOGIN = "verify_login"
SETTINGS = ("limits.rate_per_s=0", "otp.resend_s=0", "otp.sends=0", "attempts.subject_cap=0",
            "attempts.failures_per_hour=0", f"attempts.tries={TRIES}", "attempts.lock_s=86400")


class Story:
    """One subject: what was asked about it, and what of that was answered."""

    def __init__(self, subject):
        self.subject = subject
        self.code_id = None  # of the code that was sealed last
        self.failed = 0  # answered 403
        self.doubted_failures = 0  # asked, not answered
        self.verified = False  # answered 200
        self.doubted_success = False


class Attempts:
    """Threads that take one subject after the other: seal, some wrong tries, the right one, then the
    right one again. Each answer is held against all that were given before."""

    def __init__(self, vault, seed):
        self.vault = vault
        self.stories, self.proved, self.wrong = [], [], []
        self.refusals, self.cuts = collections.Counter(), 0
        self.kills = collections.Counter()
        self._chance = [random.Random(f"{seed}/{n}") for n in range(THREADS)]
        self._lock, self._next = threading.Lock(), 0
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run, args=(n,)) for n in range(THREADS)]
        with open(vault.path("sms-gateway.key"), "rb") as file:
            key = file.read()
        # The gateway opens without writing down what it has seen: that is the recipient's own test.
        self._gateway = recipient.Recipient(
            "sms-gateway", [key],
            vault.request("web", "GET", "/v1/jwks").body, vault_fixture.ISSUER, mock.Mock())

    def __enter__(self):
        self.vault.context("web")  # the cache of contexts is not thread-safe
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def expect_cut(self, gate):
        self.kills[gate] += 1

    def broken(self, what):
        with self._lock:
            self.wrong.append(what)

    def _run(self, number):
        line, chance = traffic.Line(self.vault, "web"), self._chance[number]
        try:
            while not self._stop.is_set():
                with self._lock:
                    story = Story(f"+7708{self._next:07d}")
                    self._next += 1
                    self.stories.append(story)
                self._tell(line, story, chance)
        except Exception as problem:  # the main thread must hear of it
            self.broken(repr(problem))
        finally:
            line.close()

    def _ask(self, line, path, body):
        """The answer; None where the vault was killed: what was asked may have been done."""
        line.kills = line.kills if line.connection is not None else self.kills["web"]
        before = line.kills
        try:
            answer = line.send("POST", path, body)
        except traffic.Cut as problem:
            if self.kills["web"] == before:
                self.broken(f"a connection was cut: {problem}")
            with self._lock:
                self.cuts += 1
            time.sleep(0.02)
            return None
        if answer.status != 503:
            return answer
        with self._lock:
            self.refusals[answer.code] += 1
        if answer.code != "vault_unavailable":
            self.broken(f"{path}: refused as {answer.code}")
        time.sleep(0.02)
        return None

    def _tell(self, line, story, chance):
        code = self._seal(line, story)
        if code is None:
            return
        for _ in range(chance.randrange(TRIES + 1)):
            self._try(line, story, code[:-1] + str((int(code[-1]) + 1) % 10), right=False)
        for _ in range(2):
            self._try(line, story, code, right=True)
        if chance.random() < 0.3:  # a new code gives back neither tries nor successes
            code = self._seal(line, story)
            if code is not None:
                self._try(line, story, code, right=True)

    def _seal(self, line, story):
        body = {"subject": story.subject, "purpose": LOGIN, "recipient": "sms-gateway"}
        while not self._stop.is_set():
            answer = self._ask(line, "/v1/otp/seal", body)
            if answer is None:
                continue
            if answer.status == 200:
                story.code_id = answer.json()["id"]
                story.verified = story.doubted_success = False
                return self._gateway.open(answer.json()["sealed"], recipient.OTP)["code"]
            if answer.code != "locked" or story.failed + story.doubted_failures < TRIES:
                self.broken(f"{story.subject}: a seal was answered {answer}")
            return None
        return None

    def _try(self, line, story, code, right):
        answer = self._ask(line, "/v1/otp/verify",
                           {"subject": story.subject, "purpose": LOGIN, "code": code})
        # How many are counted: what was answered, and of what was not none or all.
        least, most = story.failed, story.failed + story.doubted_failures
        if answer is None:
            if right and not story.verified:
                story.doubted_success = True
            story.doubted_failures += 1
            return
        if answer.status == 200:
            self._succeeded(story, right, least)
        elif answer.code == "verification_failed":
            counted = TRIES - answer.json()["attempts_left"]
            if right and not story.verified and not story.doubted_success:
                self.broken(f"{story.subject}: the right code was refused: {answer}")
            # A success that was not answered has set the count back.
            if counted > most + 1 or (counted < least + 1 and not story.doubted_success):
                self.broken(f"{story.subject}: {counted} counted, of {least} to {most} and this one")
            story.failed, story.doubted_failures = counted, 0
            if right and story.doubted_success:
                self._proved(story)  # by the try that was not answered
        elif answer.code != "locked":
            self.broken(f"{story.subject}: answered {answer}")
        elif most < TRIES:
            self.broken(f"{story.subject}: locked after {least} to {most} wrong tries")

    def _succeeded(self, story, right, least):
        if not right:
            self.broken(f"{story.subject}: a wrong code succeeded")
        if story.verified:
            self.broken(f"{story.subject}: code {story.code_id} succeeded again")
        if least >= TRIES:
            self.broken(f"{story.subject}: {least} wrong tries, and no lock")
        self._proved(story)
        story.failed = story.doubted_failures = 0

    def _proved(self, story):
        story.verified, story.doubted_success = True, False
        with self._lock:
            self.proved.append(story.code_id)

    def check_log(self, log):
        """No code succeeded twice; what was answered as a success is in the log as one."""
        successes = collections.Counter(event["resource"] for event in log
                                        if event["op"] == "otp.verify" and event["outcome"] == "ok")
        self.wrong += [f"code {code} succeeded {n} times" for code, n in successes.items() if n > 1]
        self.wrong += [f"the success of code {code} is not in the log"
                       for code in self.proved if not successes[code]]
        return len(successes)


class CodeKillTest(unittest.TestCase):
    def test_attempts_outlive_kills(self):
        print(f"seed {SEED}, {ROUNDS} rounds", flush=True)
        vault = vault_fixture.shared(settings=SETTINGS)
        with Attempts(vault, SEED) as load, mock.patch.object(kill_test, "VICTIMS", VICTIMS):
            killer = kill_test.Killer(vault, load, random.Random(SEED))
            time.sleep(0.5)
            for _ in range(ROUNDS):
                killer.round()
            time.sleep(0.5)
        log = traffic.read_log(vault)
        successes = load.check_log(log)
        failures = sum(e["op"] == "otp.verify" and e["outcome"] == "verification_failed" for e in log)
        self.assertEqual(load.wrong[:20], [])
        self.assertGreater(successes, ROUNDS)
        self.assertGreater(failures, ROUNDS)
        self.assertGreater(killer.killed["cardvaultd"], 0)
        traffic.report((
            "kill -9 while codes are sealed and verified",
            f"{ROUNDS} rounds, seed {SEED}: {killer.killed['cardvaultd']} of cardvaultd, "
            f"{killer.killed['gates']} of the gate; {killer.killed['starting']} of them while starting",
            f"{len(load.stories)} subjects, {successes} codes verified, each once; {failures} wrong tries, "
            f"none forgotten; {load.cuts} requests cut, {sum(load.refusals.values())} answered 503",
            f"ready again after the kill: {traffic.spread(killer.from_kill)}"))

    def test_a_broken_promise_is_noticed(self):
        vault = vault_fixture.shared(settings=SETTINGS)
        load, line = Attempts(vault, 0), traffic.Line(vault, "web")
        self.addCleanup(line.close)
        subjects = iter(range(10_000_000))

        def told(wrong_tries):
            story = Story(f"+7709{next(subjects):07d}")
            code = load._seal(line, story)
            for _ in range(wrong_tries):
                load._try(line, story, code[:-1] + str((int(code[-1]) + 1) % 10), right=False)
            return story, code

        def lie(expected, story, code, right=True, **believed):
            load.wrong.clear()
            for name, value in believed.items():
                setattr(story, name, value)
            load._try(line, story, code, right)
            self.assertEqual(len(load.wrong), 1, (expected, load.wrong))
            self.assertIn(expected, load.wrong[0])

        lie("succeeded again", *told(0), verified=True)
        lie("a wrong code succeeded", *told(1), right=False)
        lie("and no lock", *told(2), failed=TRIES)
        lie("locked after", *told(TRIES), failed=1)
        story, code = told(0)
        load._try(line, story, code, right=True)
        lie("the right code was refused", story, code, verified=False)
        story, code = told(0)
        lie("counted, of", story, "0" + code, right=False, failed=1)


if __name__ == "__main__":
    unittest.main()
