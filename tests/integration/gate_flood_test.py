#!/usr/bin/python3
"""What a client can make the real gate do or keep without end is bounded: handshakes in tiny records, chains
of certificates, answers that nobody reads. Against a fake vault, as gate_test.py.

    gate_flood_test.py BUILD_DIR
"""

import http.client
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import tempfile
import unittest

import hand_made_tls
import socket_memory
from hand_made_tls import HandMadeTls
from lone_gate import Authority, Gate, send

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LONG = 100_000  # bytes of a message that is announced


class FloodedGate(unittest.TestCase):
    limits = ""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="gate-flood-")
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        cls.authority = Authority(cls.folder)
        cls.authority.issue("gate", "subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth")
        cls.authority.issue("web", "subjectAltName=DNS:web\nextendedKeyUsage=clientAuth")
        cls.gate = Gate(cls.folder, cls.limits)
        cls.gate.start_vault()

    @classmethod
    def tearDownClass(cls):
        assert cls.gate.stop() == 0, "the gate did not stop cleanly"


class Handshakes(FloodedGate):
    limits = "handshake_timeout_s = 60"  # what ends before, the gate has ended for its length

    def assert_ended(self, connection):
        """Well before the handshake's time is over."""
        connection.settimeout(40)
        try:
            while connection.recv(65536):
                pass
        except ConnectionError:
            pass

    def test_a_hello_in_tiny_records_ends_early(self):
        connection = self.gate.connect(handshake=False)
        hello = hand_made_tls.message(hand_made_tls.CLIENT_HELLO, bytes(LONG))
        connection.sendall(hand_made_tls.in_records(hello[:1000], 1))
        self.assert_ended(connection)

    def test_certificates_in_tiny_records_end_early(self):
        connection = self.gate.connect(handshake=False)
        client = HandMadeTls(connection)
        client.shake_hands()
        certificates = hand_made_tls.message(hand_made_tls.CERTIFICATE, bytes(16_000))
        connection.sendall(client.records(certificates[:1000], 1))
        self.assert_ended(connection)

    def test_records_as_small_as_tls_can_make_them_are_understood(self):
        client = self.gate.s_client("-quiet", "-max_send_frag", "512", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        told, _ = client.communicate(b"GET /v1/whoami HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", timeout=20)
        self.assertIn(b'"client":"web"', told)

    def client_with_chain(self, certificates):
        """The status of a request of a client that sends its own certificate and so many more."""
        chain = os.path.join(self.folder, "chain.pem")
        with open(chain, "wb") as out:
            for name in ["web.pem"] + ["ca.pem"] * certificates:
                with open(os.path.join(self.folder, name), "rb") as file:
                    out.write(file.read())
        context = ssl.create_default_context(cafile=f"{self.folder}/ca.pem")
        context.load_cert_chain(chain, f"{self.folder}/web.key")
        raw = socket.create_connection(("127.0.0.1", self.gate.port), timeout=20)
        connection = context.wrap_socket(raw, server_hostname="localhost")
        return send(connection, "GET", "/v1/whoami")[0].status

    def test_a_chain_of_certificates_is_not_as_long_as_a_client_likes(self):
        self.assertEqual(self.client_with_chain(10), 200)
        with self.assertRaises(OSError):
            self.client_with_chain(60)


class LargeAnswers(FloodedGate):
    """Of clients that don't read them."""

    MOST = 4 << 20
    limits = f"max_buffered_bytes = {MOST}\nbody_timeout_s = 60\nanswer_timeout_s = 30"
    MANY = {"customer": "+77010000001", "after": "many"}  # some 800 KB of cards

    def asked(self):
        """An answer that has begun: a large one waits."""
        context = ssl.create_default_context(cafile=f"{self.folder}/ca.pem")
        context.load_cert_chain(f"{self.folder}/web.pem", f"{self.folder}/web.key")
        raw = socket.socket()
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # as small as goes: the gate has to keep the rest
        raw.settimeout(60)
        raw.connect(("127.0.0.1", self.gate.port))
        connection = context.wrap_socket(raw, server_hostname="localhost")
        body = json.dumps(self.MANY).encode()
        connection.sendall(b"POST /v1/cards/search HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                           b"Content-Length: %d\r\n\r\n%s" % (len(body), body))
        response = http.client.HTTPResponse(connection)
        response.begin()
        return response

    def test_together_take_no_more_memory_than_they_may(self):
        unread = [self.asked() for _ in range(10)]
        response, problem = send(self.gate.connect(), "POST", "/v1/cards/search", self.MANY)
        self.assertEqual((response.status, problem.get("code")), (503, "overloaded"))
        self.assertGreater(int(response.headers["Retry-After"]), 0)
        self.assertEqual(send(self.gate.connect(), "GET", "/v1/whoami")[0].status, 200, "a small one passes")
        kept = []
        for response in unread:
            answer = json.loads(response.read())
            if response.status == 200:
                self.assertEqual(len(answer["cards"]), 4000)
                kept.append(int(response.headers["Content-Length"]) - 4096)
        self.assertGreater(len(kept), 1)
        self.assertLessEqual(sum(kept), self.MOST)
        for _ in range(5):  # what is read is not counted any more
            self.assertEqual(send(self.gate.connect(), "POST", "/v1/cards/search", self.MANY)[0].status, 200)


class UnreadConnections(FloodedGate):
    """Of clients that send on and read nothing."""

    limits = "body_timeout_s = 60\nanswer_timeout_s = 30\nheader_timeout_s = 60"
    CLIENTS = 8
    # What the kernel may keep of each: of its requests, and of its answers, where it begins no segment above
    # 32 KiB and fills the one that it has begun, of 64 KiB at the most where the client's window is wide.
    SENT, UNREAD = 68 << 10, (32 + 64) << 10
    CONNECTION = 25 << 10  # what the gate itself takes for one
    FULL = (64 + 32) << 20  # of bodies and answers, and of frames that the vault does not take

    def flooded(self, wide):
        """A connection that takes no more; a wide one has shown before that it reads."""
        context = ssl.create_default_context(cafile=f"{self.folder}/ca.pem")
        context.load_cert_chain(f"{self.folder}/web.pem", f"{self.folder}/web.key")
        raw = socket.socket()
        if not wide:
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        raw.settimeout(20)
        raw.connect(("127.0.0.1", self.gate.port))
        connection = context.wrap_socket(raw, server_hostname="localhost")
        for _ in range(2 if wide else 0):
            self.assertEqual(send(connection, "POST", "/v1/cards/search", LargeAnswers.MANY)[0].status, 200)
        connection.settimeout(1)
        try:
            while True:
                connection.sendall(100 * b"GET /v1/whoami HTTP/1.1\r\nHost: a\r\n\r\n")
        except TimeoutError:
            return connection

    def test_all_that_there_may_be_fit_into_the_units_memory(self):
        flooded = [self.flooded(wide=number % 2 == 1) for number in range(self.CLIENTS)]
        try:
            kept = socket_memory.of_port(self.gate.port)
        except OSError as error:
            self.skipTest(str(error))
        self.assertEqual(len(kept), len(flooded))
        sent, unread = (max(one) for one in zip(*kept))
        self.assertGreater(min(sent, unread), 8192, "nothing waits there")
        self.assertLessEqual(sent, self.SENT)
        self.assertLessEqual(unread, self.UNREAD)
        with open(os.path.join(ROOT, "systemd", "units", "cardvault-gate@.service"), encoding="utf-8") as unit:
            most = int(re.search(r"^MemoryMax=(\d+)G$", unit.read(), re.MULTILINE).group(1)) << 30
        self.assertLess(20_000 * (self.CONNECTION + self.SENT + self.UNREAD) + self.FULL, most)


if __name__ == "__main__":
    unittest.main(warnings="ignore")  # connections are left to the garbage collector
