#!/usr/bin/python3
"""What the vault needs goes away and comes back: its token, its disk; and its processes
are told to stop or to read their files again, under load."""

import contextlib
import os
import shutil
import signal
import sqlite3
import ssl
import subprocess
import time
import unittest

import traffic
from outages import FIRST_UID, PROGRAMS, OutageCase, events, log_says, wait_for
from traffic import vault_fixture


class Outages(OutageCase):
    @classmethod
    def setUpClass(cls):
        cls.vault = vault_fixture.shared(settings=traffic.UNLIMITED)
        cls.ledger = traffic.Ledger()

    # --- the token ---

    def test_the_token_goes_and_comes_back(self):
        vault = self.vault
        token = self.tokenize().json()["token"]
        pid = vault.daemon_pid
        alarms = len(events(vault, "alarm", "hsm_unavailable"))
        recoveries = len(events(vault, "hsm.recovered"))
        noticed, recovered = [], []
        for _ in range(2):
            os.rename(vault.path("token"), vault.path("token.away"))
            try:
                noticed.append(wait_for(lambda: self.tokenize().status == 503))
                self.assert_refused(self.tokenize(), "hsm_unavailable")
                self.assert_refused(self.reveal(token), "hsm_unavailable")
                ready = vault.health("web", "/readyz")
                self.assertEqual((ready.status, ready.json()["state"]), (503, "hsm_unavailable"))
                self.assertEqual(vault.request("web", "GET", f"/v1/tokens/{token}").status, 200)
                time.sleep(1)  # several attempts to recover: no further alarm
            finally:
                os.rename(vault.path("token.away"), vault.path("token"))
            recovered.append(wait_for(lambda: self.tokenize().status == 200))
            self.assertEqual(self.reveal(token).status, 200)
            self.assertEqual(vault.health("web", "/readyz").status, 200)
        self.assertLess(max(recovered), 20)
        self.assertEqual(vault.daemon_pid, pid, "it was restarted")
        self.assertEqual(len(events(vault, "alarm", "hsm_unavailable")) - alarms, 2)
        self.assertEqual(len(events(vault, "hsm.recovered")) - recoveries, 2)
        traffic.settle(vault, self.ledger)
        traffic.report(("token directory removed and put back", "2 outages",
                        f"noticed: {traffic.spread(noticed)}; 503 hsm_unavailable, one alarm each",
                        f"works again: {traffic.spread(recovered)}, without restart"))

    def test_a_start_without_the_token_waits_for_it(self):
        vault = self.vault
        token = self.tokenize().json()["token"]
        pid = vault.daemon_pid
        os.rename(vault.path("token"), vault.path("token.away"))
        try:
            os.kill(pid, signal.SIGTERM)
            wait_for(lambda: vault.daemon_pid != pid)
            wait_for(lambda: self.tokenize().code == "hsm_unavailable")
            pid = vault.daemon_pid
        finally:
            os.rename(vault.path("token.away"), vault.path("token"))
        self.assertLess(wait_for(lambda: self.tokenize().status == 200), 20)
        self.assertEqual(self.reveal(token).status, 200)
        self.assertEqual(vault.daemon_pid, pid)

    # --- signals under load ---

    def test_sigterm_of_the_daemon_under_load(self):
        vault, ledger = self.vault, self.ledger
        answers = []
        for _ in range(3):
            vault.wait_ready()
            with traffic.Traffic(vault, ledger) as load:
                time.sleep(0.4)
                pid = vault.daemon_pid
                stops = log_says(vault, "cardvaultd ended with status 0")
                os.kill(pid, signal.SIGTERM)
                wait_for(lambda: log_says(vault, "cardvaultd ended with status 0") > stops)
                wait_for(lambda: vault.daemon_pid != pid)
                for gate in vault_fixture.GATES:
                    vault.wait_ready(gate)
                time.sleep(0.3)
            answers.append(sum(load.refusals.values()))
        log = traffic.settle(vault, ledger)
        self.assertEqual(traffic.unanswered(ledger, log), set(),
                         "stored, but its client was told that the vault is away")
        traffic.report(("SIGTERM of cardvaultd under load", "3 times",
                        "every request it took was answered, no connection cut",
                        f"{sum(answers)} requests got 503 with Retry-After meanwhile"))

    def test_sigterm_of_a_gate_under_load(self):
        vault, ledger = self.vault, self.ledger
        pan, customer = ledger.new_card()
        body = f'{{"pan":"{pan}","customer":"{customer}"}}'.encode()
        with traffic.Traffic(vault, ledger) as load:
            time.sleep(0.2)
            half = vault.connect("web")
            self.addCleanup(half.close)
            half.sendall(b"POST /v1/tokenize HTTP/1.1\r\nHost: a\r\nContent-Type: application/json"
                         b"\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n" % len(body) + body[:9])
            self.assertTrue(half.recv(1000).startswith(b"HTTP/1.1 100 "))  # it has read that much
            with open(vault.path("gate-web.pid"), encoding="ascii") as file:
                pid = int(file.read())
            stopped = log_says(vault, "gate-web ended with status 0")
            load.expect_cut("web")  # idle connections end: a request may meet that
            os.kill(pid, signal.SIGTERM)
            load.expect_cut("web")  # and so do those that it took meanwhile
            time.sleep(0.2)
            half.sendall(body[9:])
            answer = vault_fixture.receive(half)
            self.assertEqual(answer.status, 200, answer)
            self.assertEqual(answer.headers["Connection"], "close")
            ledger.promised(answer.json()["token"], pan, customer)
            took = wait_for(lambda: log_says(vault, "gate-web ended with status 0") > stopped)
            vault.wait_ready("web")
            time.sleep(0.3)
        self.assertLess(took, 20)
        vault.forget_connections()
        log = traffic.settle(vault, ledger)
        self.assertEqual(traffic.unanswered(ledger, log), set(), "taken, but not answered")

    def test_sighup_under_load_fails_no_request(self):
        vault, ledger = self.vault, self.ledger
        before = self.served_certificate()
        with traffic.Traffic(vault, ledger, allowed=()) as load:
            time.sleep(0.2)
            for _ in range(3):
                self.renew_certificate("web")
                for name, said in (("gate-web.pid", "configuration and certificates reloaded"),
                                   ("daemon.pid", "cardvaultd notice: configuration reloaded")):
                    before_it = log_says(vault, said)
                    with open(vault.path(name), encoding="ascii") as file:
                        os.kill(int(file.read()), signal.SIGHUP)
                    wait_for(lambda said=said, count=before_it: log_says(vault, said) > count)
        self.assertEqual(load.refusals, {})
        with open(vault.path("gates", "web.pem"), encoding="ascii") as file:
            issued = ssl.PEM_cert_to_DER_cert(file.read())
        self.assertNotEqual(before, issued)
        self.assertEqual(self.served_certificate(), issued)
        traffic.settle(vault, ledger)

    def served_certificate(self):
        with self.vault.connect("web") as connection:
            return connection.getpeercert(binary_form=True)

    def renew_certificate(self, gate):
        folder = self.vault.path("ca")
        config = os.path.join(folder, "openssl.cnf")
        old = self.vault.path("gates", gate + ".pem")
        environment = {**os.environ, "CLIENT": "none"}
        for command in (["req", "-new", "-config", config, "-key", self.vault.path("gates", gate + ".key"),
                         "-subj", f"/O=cardvault demo/CN=renewed {gate}", "-out", folder + "/csr"],
                        ["ca", "-batch", "-notext", "-config", config, "-extensions", "server",
                         "-in", folder + "/csr", "-out", old + ".new"]):
            subprocess.run(["openssl", *command], check=True, capture_output=True, env=environment)
        os.chown(old + ".new", os.stat(old).st_uid, os.stat(old).st_gid)
        os.chmod(old + ".new", 0o644)
        os.rename(old + ".new", old)

    # --- processes ---

    def start_daemon(self):
        """Another cardvaultd on this vault's folder, which must end by itself."""
        become = []
        if os.geteuid() == 0:
            become = ["setpriv", f"--reuid={FIRST_UID}", f"--regid={FIRST_UID}", "--clear-groups"]
        return subprocess.run([*become, os.path.join(PROGRAMS, "cardvaultd"), "--config",
                               self.vault.path("vault.toml")], capture_output=True, text=True, timeout=30)

    def test_a_second_daemon_is_refused(self):
        vault = self.vault
        pid = vault.daemon_pid
        second = self.start_daemon()
        self.assertEqual(second.returncode, 1, second.stderr)
        self.assertIn(f"process {pid} already has the vault", second.stderr)
        self.assertEqual(vault.daemon_pid, pid)
        self.assertEqual(self.tokenize().status, 200)
        self.assertEqual(vault.tool("status").returncode, 0)

    def test_a_newer_database_is_refused_and_left_as_it_is(self):
        token = self.tokenize().json()["token"]
        self.vault.down()
        for name in ("vault.db", "reveal.db"):
            path = self.vault.path("data", name)
            with contextlib.closing(sqlite3.connect(path)) as database:
                version = database.execute("PRAGMA user_version").fetchone()[0]
                database.execute("PRAGMA user_version=99")
            with open(path, "rb") as file:
                newer = file.read()
            done = self.start_daemon()
            self.assertEqual(done.returncode, 1, done.stderr)
            self.assertRegex(done.stderr, f"{name}.*version 99.*install the newer cardvault")
            with open(path, "rb") as file:
                self.assertEqual(file.read(), newer)
            with contextlib.closing(sqlite3.connect(path)) as database:
                database.execute(f"PRAGMA user_version={version}")
        self.vault.up()
        self.assertEqual(self.reveal(token).status, 200)

    def test_what_dies_is_started_again(self):
        vault = self.vault
        names = ["daemon.pid"] + [f"gate-{gate}.pid" for gate in vault_fixture.GATES]
        for name in names:
            with self.subTest(process=name):
                def pid(name=name):
                    with open(vault.path(name), encoding="ascii") as file:
                        return int(file.read())
                old = pid()
                os.kill(old, signal.SIGKILL)
                wait_for(lambda: pid() != old)
                for gate in vault_fixture.GATES:
                    vault.wait_ready(gate)
                os.kill(pid(), 0)
        vault.forget_connections()
        self.assertEqual(self.tokenize().status, 200)


class Stop(unittest.TestCase):
    def test_what_was_refused_in_bulk_is_in_the_log_after_a_stop(self):
        vault = vault_fixture.Vault(settings=["limits.rate_per_s=100"])
        self.addCleanup(vault.close)
        body = {"items": [{"token": "x", "purpose": "payment"}] * 1000}
        answers = [vault.request("processor", "POST", "/v1/detokenize", body).code for _ in range(4)]
        self.assertIn("rate_limited", answers)
        vault.down()
        counted = sum(int(event["details"]["count"]) for event in events(vault, "refused", "rate_limited"))
        self.assertEqual(counted, answers.count("rate_limited"))


@unittest.skipIf(os.geteuid() != 0, "only root can mount a small file system")
class DiskFull(OutageCase):
    def setUp(self):
        vault = self.vault = vault_fixture.Vault(settings=traffic.UNLIMITED)
        self.addCleanup(vault.close)
        self.ledger = traffic.Ledger()
        vault.down()
        data = vault.path("data")
        owner = os.stat(data)
        os.rename(data, data + ".old")
        os.mkdir(data)
        done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size=6m,mode=700,uid={owner.st_uid},"
                               f"gid={owner.st_gid}", "tmpfs", data], capture_output=True, text=True)
        if done.returncode != 0:
            os.rmdir(data)
            self.skipTest("no file system can be mounted here: " + done.stderr.strip())
        self.addCleanup(subprocess.run, ["umount", data], check=True)
        for name in os.listdir(data + ".old"):
            copy = shutil.copy2(os.path.join(data + ".old", name), data)
            os.chown(copy, owner.st_uid, owner.st_gid)
        vault.up()
        self.addCleanup(vault.down)

    def fill(self):
        with open(self.vault.path("data", "filler"), "ab", buffering=0) as filler:
            try:
                while True:
                    filler.write(bytes(4096))
            except OSError:
                return

    def test_a_full_disk_refuses_and_recovers(self):
        vault, ledger = self.vault, self.ledger
        token = self.tokenize().json()["token"]
        card = ledger.cards.pop(token)  # no other client knows it
        pid = vault.daemon_pid
        recovered = []
        for _ in range(2):
            vault.wait_ready()
            codes = ("storage_full",)
            with traffic.Traffic(vault, ledger, allowed=codes) as load:
                time.sleep(0.2)
                self.fill()
                wait_for(lambda load=load: load.refusals["storage_full"] > 20)
            self.assert_refused(self.tokenize(), "storage_full")
            self.assert_refused(self.reveal(token), "storage_full")
            ready = vault.health("web", "/readyz")
            self.assertEqual((ready.status, ready.json()["state"]), (503, "storage_full"))
            os.kill(pid, signal.SIGHUP)
            wait_for(lambda n=len(recovered): log_says(vault, "the new configuration is refused") > n)
            os.unlink(vault.path("data", "filler"))
            recovered.append(wait_for(lambda: self.tokenize().status == 200))
            self.assertEqual(self.reveal(token).json()["pan"], card.pan)
            # What it had to say meanwhile is said now.
            wait_for(lambda: len(events(vault, "reload", "storage_full")) == len(recovered))
        self.assertTrue(all("late_ms" in event["details"] for event in events(vault, "reload")))
        self.assertEqual(vault.daemon_pid, pid, "it was restarted")
        self.assertLess(max(recovered), 20)
        log = traffic.settle(vault, ledger)
        self.assertTrue(any(event["op"] == "store.recovered" for event in log))
        traffic.report(("disk full under load", "2 times",
                        f"503 storage_full; {len(ledger.cards)} acknowledged tokens, none lost",
                        f"works again after space is freed: {traffic.spread(recovered)}, "
                        "without restart"))


if __name__ == "__main__":
    unittest.main()
