#!/usr/bin/python3
"""The published log under kill -9 and without room on its disk: at every moment what a reader finds
verifies and continues what he found before, and in the end every event is in it.

CARDVAULT_SEED=N repeats a run, CARDVAULT_ROUNDS=N sets the number of kills.
"""

import contextlib
import http.client
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
import unittest

import traffic
from traffic import vault_fixture

sys.path.insert(0, os.path.join(vault_fixture.ROOT, "tests", "integration"))
import audit_page  # noqa: E402

ROUNDS = int(os.environ.get("CARDVAULT_ROUNDS", "200" if traffic.LONG else "8"))
SEED = int(os.environ.get("CARDVAULT_SEED", random.SystemRandom().randrange(1 << 32)))
TOUCH_FILES = "openat,mkdirat,fchmod,fchmodat,write,fsync,syncfs,renameat,unlinkat"
AUDIT = os.path.join(vault_fixture.PROGRAMS, "cardvault-audit")


class Auditor(threading.Thread):
    """Verifies the log over and over, each time against the checkpoint of the time before."""

    def __init__(self, vault):
        super().__init__()
        self.vault, self.stopping = vault, threading.Event()
        self.kept = vault.path("auditors-checkpoint")
        self.verified, self.sizes, self.complaint = 0, [], None

    def run(self):
        while not self.stopping.is_set() and self.complaint is None:
            self.verify()

    def verify(self):
        with open(self.vault.path("audit", "checkpoint"), "rb") as file:
            now = file.read()
        command = [AUDIT, "verify", self.vault.path("audit"), "--key", self.vault.path("audit.vkey")]
        if self.verified:
            command += ["--against", self.kept]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if done.returncode != 0:
            self.complaint = done.stdout + done.stderr
            return
        with open(self.kept, "wb") as file:
            file.write(now)
        self.sizes.append(int(now.split(b"\n")[1]))
        self.verified += 1

    def stop(self):
        self.stopping.set()
        self.join()


class PublishTest(unittest.TestCase):
    stored = 0

    @classmethod
    def setUpClass(cls):
        cls.vault = vault_fixture.shared(settings=traffic.UNLIMITED)
        with open(cls.vault.path("audit.vkey"), encoding="ascii") as file:
            cls.vkey = file.read()

    def setUp(self):
        self.vault.up_again()
        self.vault.wait_ready()

    def published(self):
        log = audit_page.Log(self.vault.path("audit"))
        return [json.loads(entry) for entry in log.entries(*log.checkpoint(self.vkey))]

    def wait_published(self, text):
        end = time.monotonic() + 60
        while not any(text in json.dumps(event) for event in self.published()):
            self.assertLess(time.monotonic(), end, f"{text} is not published")
            time.sleep(0.2)

    def tokenize(self, number):
        answer = self.vault.request("web", "POST", "/v1/tokenize", {
            "pan": vault_fixture.made_up_pan(8_000_000 + number), "customer": f"+7702{number:07d}"})
        self.assertEqual(answer.status, 200, answer)
        return answer.json()["token"]

    def test_kills_while_publishing(self):
        print(f"seed {SEED}, {ROUNDS} rounds", flush=True)
        chance = random.Random(SEED)
        random.seed(SEED)
        ledger = traffic.Ledger()
        auditor = Auditor(self.vault)
        auditor.start()
        try:
            with traffic.Traffic(self.vault, ledger):
                for _ in range(ROUNDS):
                    # A round of publishing takes milliseconds, once in 750: aim at it.
                    time.sleep(chance.uniform(0.7, 1.6))
                    before = self.vault.daemon_pid
                    os.kill(before, signal.SIGKILL)
                    end = time.monotonic() + 60
                    while self.vault.daemon_pid == before and time.monotonic() < end:
                        time.sleep(0.005)
                    if chance.random() < 0.3:  # and once more while it starts
                        time.sleep(chance.uniform(0, 0.4))
                        try:
                            os.kill(self.vault.daemon_pid, signal.SIGKILL)
                        except ProcessLookupError:
                            pass
                        time.sleep(0.1)
                    self.vault.wait_ready()
                    self.assertIsNone(auditor.complaint)
        finally:
            auditor.stop()
        self.assertIsNone(auditor.complaint)
        self.assertGreater(auditor.verified, ROUNDS)
        self.assertEqual(auditor.sizes, sorted(auditor.sizes))
        for gate in vault_fixture.GATES:
            self.vault.wait_ready(gate)
        tail = traffic.settle(self.vault, ledger)
        last = self.tokenize(1)
        self.wait_published(last)
        events = self.published()
        self.assertEqual([e["seq"] for e in events], list(range(len(events))))
        self.assertGreater(len(events), len(tail) - 1)
        traffic.report((
            "kill -9 while publishing",
            f"{ROUNDS} rounds, seed {SEED}",
            f"{len(events)} events published, {auditor.verified} verifications meanwhile, each a "
            "continuation of the one before: nothing lost, nothing written twice",
            "-"))

    def publisher(self):
        """The thread that publishes, of the daemon that runs now."""
        tasks, end = f"/proc/{self.vault.daemon_pid}/task", time.monotonic() + 60
        while time.monotonic() < end:
            for task in os.listdir(tasks):
                with contextlib.suppress(OSError), open(f"{tasks}/{task}/comm", encoding="ascii") as file:
                    if file.read().strip() == "publisher":
                        return task
            time.sleep(0.02)
        raise AssertionError("no thread of cardvaultd is called publisher")

    @contextlib.contextmanager
    def traced(self, *options):
        tracer = subprocess.Popen(["strace", "-p", self.publisher(), *options], stderr=subprocess.PIPE, text=True)
        try:
            said = tracer.stderr.readline()
            if "attached" not in said:
                self.skipTest(f"strace can't trace here: {said}")
            yield
        finally:
            tracer.terminate()
            tracer.wait()
            tracer.stderr.close()

    def steps(self):
        """The calls that touch files while some events are published that fill a bundle, as strace counts
        them: (name, which one of its name)."""
        path = self.vault.path("steps")
        with self.traced("-o", path, "-e", f"trace={TOUCH_FILES}"):
            self.wait_published(self.batch(300).json()["items"][-1]["token"])
        with open(path, encoding="ascii") as file:
            names = [line.split("(")[0] for line in file if "(" in line]
        return [(name, names[:place].count(name) + 1) for place, name in enumerate(names)]

    def kill_at(self, name, which):
        """kill -9 as the publisher makes this call. Bundles become full meanwhile, so that all there is to do
        is done."""
        before = self.vault.daemon_pid
        with self.traced("-o", "/dev/null", "-e", f"trace={name}",
                         "-e", f"inject={name}:signal=KILL:when={which}"):
            end = time.monotonic() + 60
            while self.vault.daemon_pid == before:
                self.assertLess(time.monotonic(), end, f"{name} {which} never came")
                with contextlib.suppress(OSError, http.client.HTTPException):
                    self.batch(300)
        for gate in vault_fixture.GATES:
            self.vault.wait_ready(gate)

    def batch(self, count):
        first = PublishTest.stored
        PublishTest.stored += count
        items = [{"pan": vault_fixture.made_up_pan(5_000_000 + n), "customer": f"+7707{n:07d}"}
                 for n in range(first, first + count)]
        return self.vault.request("web", "POST", "/v1/tokenize", {"items": items})

    @unittest.skipUnless(os.geteuid() == 0 and shutil.which("strace"), "takes root and strace")
    def test_a_kill_at_every_step_of_publishing(self):
        steps = self.steps()
        self.assertGreater(len(steps), 10, steps)
        if not traffic.LONG:
            steps = random.Random(SEED).sample(steps, 5)
        auditor = Auditor(self.vault)
        for step in steps:
            with self.subTest(step=step):
                self.kill_at(*step)
                auditor.verify()
                self.assertIsNone(auditor.complaint)
        last = self.tokenize(50)
        self.wait_published(last)
        auditor.verify()
        self.assertIsNone(auditor.complaint)
        events = self.published()
        self.assertEqual([e["seq"] for e in events], list(range(len(events))))
        traffic.report((
            "kill -9 at each step of publishing", f"{len(steps)} steps, each system call that touches a file",
            f"{len(events)} events, each published once; the log verified after every kill as a continuation "
            "of the one before", "-"))

    @contextlib.contextmanager
    def small_disk(self):
        """The published log on a disk of its own that is easily filled; takes root."""
        folder, aside = self.vault.path("audit"), self.vault.path("audit.aside")
        owner = os.stat(folder).st_uid
        self.vault.down()
        os.rename(folder, aside)
        os.mkdir(folder)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=64m,uid={owner}", "tmpfs", folder],
                       check=True)
        subprocess.run(["cp", "-a", aside + "/.", folder], check=True)
        try:
            self.vault.up()
            yield folder
        finally:
            self.vault.down()
            shutil.rmtree(aside)
            subprocess.run(["cp", "-a", folder, aside], check=True)
            subprocess.run(["umount", folder], check=True)
            os.rmdir(folder)
            os.rename(aside, folder)

    def fill(self, folder):
        path = os.path.join(folder, "filler")
        with open(path, "wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(b"\0" * 4096)
        return path

    def wait_failing(self, times):
        end = time.monotonic() + 60
        while self.vault.log_tail(10_000).count("publishing the log failed") < times:
            self.assertLess(time.monotonic(), end, "nothing is said about the full disk")
            time.sleep(0.1)

    def wait_alarm(self, outcome):
        end = time.monotonic() + 60
        while not any((e["op"], e["outcome"]) == ("alarm", outcome) for e in self.vault.events(200)):
            self.assertLess(time.monotonic(), end, f"no alarm {outcome}")
            time.sleep(0.1)

    @unittest.skipUnless(os.geteuid() == 0, "a small disk of its own takes root")
    def test_a_full_disk_only_delays(self):
        vault = self.vault
        with self.small_disk() as folder:
            self.wait_published(self.tokenize(2))
            filler = self.fill(folder)
            waiting = [self.tokenize(3 + i) for i in range(20)]
            self.wait_failing(1)
            self.assertEqual(vault.health("web", "/readyz").status, 200)
            self.wait_alarm("log_unpublished")
            os.unlink(filler)
            for token in waiting + ["log.published"]:
                self.wait_published(token)

            filler = self.fill(folder)
            waiting = [self.tokenize(30)]
            self.wait_failing(2)
            vault.kill_and_wait()  # a start on a full disk
            waiting.append(self.tokenize(31))
            self.wait_failing(3)
            os.unlink(filler)
            for token in waiting:
                self.wait_published(token)
        vault.up()
        self.wait_published(self.tokenize(40))


if __name__ == "__main__":
    unittest.main()
