#!/usr/bin/python3
"""Gates that somebody has taken over, all of them, around a whole daemon: whatever they do, it ends soon after
SIGTERM and forgets its PIN soon after `cardvault seal`. The test is the gates."""

import contextlib
import hashlib
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import tomllib
import unittest

import vault_fixture
from sealed_vault import NEEDED, SealedVault

sys.path.insert(0, os.path.join(vault_fixture.ROOT, "systemd"))
import supervise  # noqa: E402  (its folder is known only now)

# Two seconds to finish what was begun, two for gates to read, and the rest for a machine that is busy.
SOON_S = 60 if vault_fixture.SANITIZED else 20
PATIENCE_S = 60
MORE_GATES = 13  # beside the vault's three: one after the other they would take longer than SOON_S
HELLO, REQUEST, READY_CHECK = 1, 2, b"\x08"


def text(value):
    return struct.pack("<H", len(value)) + value.encode()


def frame(kind, number, payload):
    return struct.pack("<IBQ", len(payload) + 9, kind, number) + payload


def caller(spki_sha256=bytes(32)):
    return spki_sha256 + struct.pack("<H", 0) + text("192.0.2.7") + text("01")


def tokenize_batch():
    """As much work as a frame can ask for, about."""
    item = (text("4111111111111111") + text("") + text("+77010000002") + b"\0" + struct.pack("<I", 0) +
            struct.pack("<H", 0))
    return b"\0" + b"\1" + text("") + struct.pack("<H", 1000) + 1000 * item


def greet(connection):
    """As a gate of the daemon's own version."""
    hello = b""
    while len(hello) < 17:
        part = connection.recv(4096)
        if not part:
            raise ConnectionError("the vault hung up")
        hello += part
    connection.sendall(frame(HELLO, 0, hello[13:17] + text("taken")))


# What a taken gate does with a connection, until the vault hangs up.

def greets_not(connection, _):
    while connection.recv(4096):
        pass


def drips_its_hello(connection, _):
    connection.sendall(struct.pack("<IB", 1000, HELLO))
    while True:
        connection.sendall(b"\0")
        time.sleep(0.1)


def reads_not(connection, _):
    greet(connection)
    connection.sendall(20_000 * frame(REQUEST, 1, caller() + READY_CHECK))  # the answers don't fit into a socket
    hung_up = select.poll()
    hung_up.register(connection, select.POLLHUP)
    hung_up.poll()


def floods(connection, spki_sha256):
    greet(connection)

    def read():
        with contextlib.suppress(OSError):
            while connection.recv(1 << 20):
                pass

    threading.Thread(target=read, daemon=True).start()
    work = frame(REQUEST, 1, caller(spki_sha256) + tokenize_batch())
    while True:
        connection.sendall(work)


def floods_and_reads_not(connection, spki_sha256):
    greet(connection)
    work = frame(REQUEST, 1, caller(spki_sha256) + tokenize_batch())
    while True:
        connection.sendall(work)


class TakenGate:
    """Listens where a gate would, as its user; `behave` None: accepts nobody."""

    def __init__(self, path, uid, behave, spki_sha256):
        self._behave, self._spki = behave, spki_sha256
        if os.path.lexists(path):
            os.unlink(path)
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(path)
        os.chmod(path, 0o666)
        with user(uid):  # whose it is the daemon asks the kernel, which remembers who called listen(2)
            self._listener.listen(64 if behave else 0)
        self._first = socket.socket(socket.AF_UNIX)
        if behave:
            threading.Thread(target=self._accept, daemon=True).start()
        else:
            self._first.connect(path)  # fills the backlog

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with contextlib.suppress(OSError), connection:
            self._behave(connection, self._spki)

    def close(self):
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)  # who waits in accept(2) hears that
        self._listener.close()
        self._first.close()


@contextlib.contextmanager
def user(uid):
    mine = os.geteuid()
    if mine == 0:
        os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(mine)


class TakenGates(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vault = SealedVault(["limits.rate_per_s=0"])
        cls.addClassCleanup(cls.vault.close)
        with open(cls.vault.path("vault.toml"), "rb") as file:
            cls.gates = tomllib.load(file)["gate"]
        web = cls.gates[0]
        for number in range(MORE_GATES):
            gate = web | {"name": f"web{number}", "socket": cls.vault.path("run", f"web{number}.sock")}
            cls.gates.append(gate)
            lines = "".join(f"{key} = {value!r}\n".replace("'", '"') for key, value in gate.items())
            cls.vault.rewrite(lambda file, lines=lines: f"{file}\n[[gate]]\n{lines}")
        key = subprocess.run(["openssl", "x509", "-in", cls.vault.path("web.pem"), "-noout", "-pubkey"],
                             check=True, capture_output=True)
        der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=key.stdout, check=True,
                             capture_output=True)
        cls.spki_sha256 = hashlib.sha256(der.stdout).digest()
        cls.uid = os.stat(cls.vault.path("data")).st_uid
        supervise.raise_limits()

    def start_daemon(self):
        account = {} if os.geteuid() != 0 else {"user": self.uid, "group": self.uid, "extra_groups": []}
        with open(self.vault.path("log"), "ab") as log:
            daemon = subprocess.Popen([os.path.join(vault_fixture.PROGRAMS, "cardvaultd"), "--config",
                                       self.vault.path("vault.toml")], stdout=log, stderr=log, **account)
        self.addCleanup(self.end, daemon)
        self.wait_for(daemon, "sealed")
        return daemon

    @staticmethod
    def end(daemon):
        if daemon.poll() is None:
            daemon.kill()
            daemon.wait()

    def state(self):
        try:
            return dict(self.vault.admin("unseal.status")[2]).get("state")
        except OSError:
            return None  # between a vault that is open and one that is sealed nobody listens

    def wait_for(self, daemon, state):
        end = time.monotonic() + PATIENCE_S
        while self.state() != state:
            if daemon.poll() is not None or time.monotonic() > end:
                self.fail(f"{self.state()} and not {state}:\n{self.vault.log_tail()}")
            time.sleep(0.02)

    def unseal(self, daemon):
        for share in self.vault.shares[:NEEDED]:
            ok, message, _ = self.vault.admin("unseal.share", blob=share)
            self.assertTrue(ok, message)
        self.wait_for(daemon, "open")

    def terminated(self, daemon):
        """How long it takes to end."""
        begun = time.monotonic()
        daemon.send_signal(signal.SIGTERM)
        try:
            self.assertEqual(daemon.wait(PATIENCE_S), 0, self.vault.log_tail())
        except subprocess.TimeoutExpired:
            self.fail(f"it doesn't end:\n{self.vault.log_tail()}")
        return time.monotonic() - begun

    def hold_up(self, behave):
        """An open vault is sealed and stopped, a sealed one stopped, while all their gates behave so."""
        gates = [TakenGate(gate["socket"], gate["uid"], behave, self.spki_sha256) for gate in self.gates]
        for gate in gates:
            self.addCleanup(gate.close)
        searched = os.geteuid() == 0 and not vault_fixture.SANITIZED
        took = {}
        daemon = self.start_daemon()
        self.unseal(daemon)
        time.sleep(1.5)  # all gates are at it
        if searched:
            self.assertTrue(self.vault.pin_in_memory_of(daemon.pid), "the search finds it where it has to be")
        begun = time.monotonic()
        ok, message, _ = self.vault.admin("seal")
        self.assertTrue(ok, message)
        self.wait_for(daemon, "sealed")
        took["seal"] = time.monotonic() - begun
        if searched:
            self.assertFalse(self.vault.pin_in_memory_of(daemon.pid))
        self.unseal(daemon)
        time.sleep(1.5)
        took["stop"] = self.terminated(daemon)
        daemon = self.start_daemon()
        time.sleep(1)
        took["stop of a sealed vault"] = self.terminated(daemon)
        self.assertLess(max(took.values()), SOON_S, took)

    def test_that_do_not_accept(self):
        self.hold_up(None)

    def test_that_do_not_greet(self):
        self.hold_up(greets_not)

    def test_that_drip_their_hello(self):
        self.hold_up(drips_its_hello)

    def test_that_do_not_read(self):
        self.hold_up(reads_not)

    def test_that_flood(self):
        self.hold_up(floods)

    def test_that_flood_and_do_not_read(self):
        self.hold_up(floods_and_reads_not)


if __name__ == "__main__":
    unittest.main()
