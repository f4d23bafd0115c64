#!/usr/bin/python3
"""Clients that dawdle or just stay, on the real vault: slowloris in handshake, header and body, and
thousands of idle connections (10,000 in a long run). Others must not notice."""

import contextlib
import resource
import select
import socket
import ssl
import time
import unittest

import traffic
from traffic import vault_fixture

IDLE = 10_000 if traffic.LONG else 2_000
SPARE_FILES = 200
SLOW_EACH = 100  # slow clients of each kind
TIMEOUT_S = 2


def one_request(line, number):
    """Seconds for a tokenize on an open connection."""
    began = time.monotonic()
    answer = line.send("POST", "/v1/tokenize",
                       {"pan": vault_fixture.made_up_pan(number), "customer": f"7{number:010d}"})
    if answer.status != 200:
        raise AssertionError(f"another client was refused: {answer}")
    return time.monotonic() - began


def nine_in_ten(times):
    """Took no longer: one or the other may have met a disk that was busy."""
    return sorted(times)[len(times) * 9 // 10]


def of_gate(vault, gate, file, name):
    """The first number after `name` in /proc/PID/file."""
    with open(vault.path(f"gate-{gate}.pid"), encoding="ascii") as pid:
        path = f"/proc/{int(pid.read())}/{file}"
    with open(path, encoding="ascii") as lines:
        line = next(line for line in lines if line.startswith(name))
    return int(line.removeprefix(name).split()[0])


def memory_kib(vault):
    return of_gate(vault, "web", "status", "VmRSS:")


class SlowTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        limits = [f"gate.limits.{name}_timeout_s={TIMEOUT_S}" for name in ("handshake", "header", "body")]
        # However long it takes to open them all.
        limits.append("gate.limits.idle_timeout_s=3600")
        cls.vault = vault_fixture.shared(settings=[*traffic.UNLIMITED, *limits])

    def setUp(self):
        self.line = traffic.Line(self.vault, "web")
        self.addCleanup(self.line.close)

    def test_slowloris_does_not_disturb_others(self):
        vault = self.vault
        with contextlib.ExitStack() as open_ones:
            slow = []  # (connection, the next bytes it may send)
            for _ in range(SLOW_EACH):
                shaking = open_ones.enter_context(
                    socket.create_connection(vault.address("web"), timeout=10))
                slow.append((shaking, b"\x16\x03\x01\x02\x00\x01"))
                header = open_ones.enter_context(vault.connect("web"))
                header.sendall(b"POST /v1/tokenize HTTP/1.1\r\n")
                slow.append((header, b"X-A: " + b"a" * 100))
                body = open_ones.enter_context(vault.connect("web"))
                body.sendall(b"POST /v1/tokenize HTTP/1.1\r\nHost: a\r\nContent-Length: 500\r\n"
                             b"Content-Type: application/json\r\n\r\n{")
                slow.append((body, b" " * 100))
            began = time.monotonic()
            times, ended = [], None
            for step in range(100):
                for connection, more in slow:  # a byte now and then, as slowloris does
                    with contextlib.suppress(OSError):
                        connection.send(more[step % len(more):][:1])
                times.append(one_request(self.line, 1000 + step))
                if all(self.ended(connection) for connection, _ in slow):
                    ended = time.monotonic() - began
                    break
                time.sleep(0.1)
        self.assertIsNotNone(ended, "slow clients are still connected")
        self.assertLess(ended, 30)
        self.assertLess(nine_in_ten(times), 2, "others waited")
        traffic.report(("slowloris", f"{SLOW_EACH} each in handshake, header and body",
                        f"all ended after {ended:.1f} s (limit {TIMEOUT_S} s)",
                        f"another client's tokenize: {traffic.spread(times)}"))

    @staticmethod
    def ended(connection):
        """The gate has closed it, after an answer or without one."""
        if connection.fileno() < 0:
            return True
        waiting = select.poll()  # select(2) ends at 1,024 descriptors
        waiting.register(connection, select.POLLIN)
        try:
            while waiting.poll(0):
                if connection.recv(4096) == b"":
                    connection.close()
                    return True
        except ssl.SSLWantReadError:
            return False
        except OSError:
            connection.close()
            return True
        return False

    def test_idle_connections_are_held(self):
        vault = self.vault
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.addCleanup(resource.setrlimit, resource.RLIMIT_NOFILE, (soft, hard))
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        count = min(IDLE, hard - SPARE_FILES,
                    of_gate(vault, "web", "limits", "Max open files") - SPARE_FILES)
        one_request(self.line, 1)
        before = memory_kib(vault)
        host, port = vault.address("web")
        context = vault.context("web")
        began = time.monotonic()
        times = []
        with contextlib.ExitStack() as open_ones:
            idle = []
            for number in range(count):
                plain = socket.create_connection((host, port), timeout=30)
                idle.append(open_ones.enter_context(context.wrap_socket(plain, server_hostname=host)))
                if number % 500 == 0:
                    times.append(one_request(self.line, 2000 + number))
            opened = time.monotonic() - began
            for number in range(100):
                times.append(one_request(self.line, 20000 + number))
            each = (memory_kib(vault) - before) / count
            still = sum(1 for connection in idle if not self.ended(connection))
            self.assertEqual(still, count, "idle connections were closed")
            for connection in (idle[0], idle[count // 2], idle[-1]):
                connection.sendall(b"GET /v1/whoami HTTP/1.1\r\nHost: a\r\n\r\n")
                self.assertIn(b" 200 ", connection.recv(4096))
        self.assertLess(nine_in_ten(times), 2, "others waited")
        self.assertLess(each, 100, "KiB of the gate for each idle connection")
        traffic.report((f"{count} idle connections", f"opened in {opened:.1f} s",
                        f"{each:.1f} KiB of the gate's memory for each",
                        f"another client's tokenize: {traffic.spread(times)}"))


if __name__ == "__main__":
    unittest.main()
