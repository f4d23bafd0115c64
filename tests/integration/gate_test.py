#!/usr/bin/python3
"""The real gate against a fake vault (fake_vault.cc): handshakes, slow clients, smuggling forms,
revocation and reload on live connections, a vault that goes and comes, graceful stop.

    gate_test.py BUILD_DIR
"""

import gzip
import json
import os
import shutil
import signal
import ssl
import subprocess
import tempfile
import time
import unittest

from lone_gate import PAN, Authority, Gate, GateCase, closed, program, receive, send


class GateTest(GateCase):
    def test_a_command_line_that_is_wrong_says_how(self):
        for arguments, code, said in (((), 2, "Usage: cardvault-gate"), (("--confg", "x"), 2, "Usage: cardvault-gate"),
                                      (("--config", "/nowhere/gate.toml"), 1,
                                       "can't read /nowhere/gate.toml: No such file or directory: name the gate's"),
                                      (("--config", "/"), 1, "can't read /: Is a directory")):
            with self.subTest(arguments):
                done = subprocess.run([program("cardvault-gate"), *arguments], capture_output=True, text=True,
                                      timeout=30)
                self.assertEqual(done.returncode, code, done.stderr)
                self.assertIn(said, done.stderr)

    def test_strangers_are_refused_and_counted(self):
        for client in ("gone", "server", None):
            with self.subTest(client=client):
                with self.assertRaises((ssl.SSLError, ConnectionError)):
                    connection = self.gate.connect(client)  # TLS 1.3: refused after it
                    send(connection, "GET", "/healthz")
        old = ssl.create_default_context(cafile=f"{self.folder}/ca.pem")
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            old.wrap_socket(self.gate.connect(handshake=False), server_hostname="localhost")
        for reason in ("tls_revoked", "tls_untrusted", "tls_no_certificate", "tls_version"):
            Gate.wait_for(lambda: f"flood 127.0.0.1 {reason}" in self.gate.refusals())

    def test_slow_handshake_header_and_body_end(self):
        silent = self.gate.connect(handshake=False)
        header = self.gate.connect()
        header.sendall(b"POST /v1/tokenize HTTP/1.1\r\nHost: a\r\n")
        body = self.gate.connect()
        body.sendall(b"POST /v1/tokenize HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                     b"Content-Length: 100\r\n\r\n{")
        for connection in (header, body):
            response, problem = receive(connection)
            self.assertEqual((response.status, problem["code"]), (408, "request_timeout"))
            self.assertTrue(closed(connection))
        self.assertTrue(closed(silent))

    def test_the_beginning_of_a_next_request_does_not_wait_for_ever(self):
        connection = self.gate.connect()
        connection.sendall(b"GET /v1/whoami HTTP/1.1\r\nHost: a\r\n\r\nG")
        self.assertEqual(receive(connection)[0].status, 200)
        response, problem = receive(connection)  # for at most the socket's 30 s
        self.assertEqual((response.status, problem["code"]), (408, "request_timeout"))
        self.assertTrue(closed(connection))

    def test_the_service_manager_hears_that_it_lives(self):
        told = [self.gate.manager.recv(4096).decode() for _ in range(4)]
        while told[-1] != "WATCHDOG=1":
            told.append(self.gate.manager.recv(4096).decode())
        self.assertEqual(told[0], "READY=1")
        self.assertEqual(set(told[1:]), {"WATCHDOG=1"})

    def test_smuggling_forms_end_the_connection(self):
        line = b"POST /v1/tokenize HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        body = b"\r\n\r\n{\"pan\":\"1\"}GET /v1/whoami HTTP/1.1\r\nHost: a\r\n\r\n"
        forms = {
            b"Transfer-Encoding: chunked": (411, "transfer_encoding_refused"),
            b"Content-Length: 11\r\nTransfer-Encoding: chunked": (411, "transfer_encoding_refused"),
            b"Content-Length: 11\r\nContent-Length: 11": (400, "bad_http"),
            b"Content-Length: +11": (400, "bad_http"),
            b"Content-Length : 11": (400, "bad_http"),
            b"Content-Length: 11\r\nX: a\r\n b": (400, "bad_http"),
            b"Content-Length: 11\nX: a": (400, "bad_http"),
            b"Content-Length: 11\r\nHost: b": (400, "bad_http"),
        }
        for form, expected in forms.items():
            with self.subTest(form=form):
                connection = self.gate.connect()
                connection.sendall(line + form + body)
                response, problem = receive(connection)
                self.assertEqual((response.status, problem["code"]), expected)
                self.assertTrue(closed(connection))

    def test_pipelined_requests_are_answered_in_order(self):
        connection = self.gate.connect()
        connection.sendall(b"GET /v1/tokens/tok_1 HTTP/1.1\r\nHost: a\r\n\r\n"
                           b"GET /v1/tokens/tok_missing HTTP/1.1\r\nHost: a\r\n\r\n")
        data = b""
        while data.count(b"HTTP/1.1") < 2 or not data.endswith(b"}"):
            data += connection.recv(65536)
        self.assertLess(data.index(b"200 OK"), data.index(b"404 Not Found"))

    def test_who_pipelines_without_end_keeps_nobody_waiting(self):
        floods = []
        for _ in range(4):
            requests = subprocess.Popen(["yes", "GET /healthz HTTP/1.1\r\nHost: a\r\n\r"], stdout=subprocess.PIPE)
            floods += [requests, self.gate.s_client("-quiet", stdin=requests.stdout, stdout=subprocess.DEVNULL)]
            requests.stdout.close()
        time.sleep(0.5)
        other = self.gate.connect()
        for _ in range(5):  # each for at most the socket's 30 s
            self.assertEqual(send(other, "GET", "/v1/whoami")[0].status, 200)
        self.assertEqual([flood.poll() for flood in floods], [None] * 8, "over already")
        for flood in floods:
            flood.kill()
            flood.wait()

    def test_every_byte_alone_is_understood(self):
        connection = self.gate.connect()
        body = json.dumps({"pan": PAN}).encode()
        head = (f"POST /v1/tokenize HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n").encode()
        for byte in head + body:
            connection.sendall(bytes([byte]))
        response, answer = receive(connection)
        self.assertEqual((response.status, answer["last4"]), (200, "1111"))

    def test_a_body_is_json_however_its_type_is_written_and_in_no_encoding(self):
        connection = self.gate.connect()
        body = json.dumps({"pan": PAN}).encode()
        for fields, wanted in ((b'Content-Type: application/json; charset="utf-8"', 200),
                               (b"Content-Type: Application/JSON;charset=UTF-8", 200),
                               (b"Content-Type: application/json; charset=koi8-r", 415),
                               (b"Content-Type: application/json\r\nContent-Encoding: identity", 200),
                               (b"Content-Type: application/json\r\nContent-Encoding: gzip", 415)):
            for sent in (body, gzip.compress(body)) if wanted == 415 else (body,):
                with self.subTest(fields):
                    connection.sendall(b"POST /v1/tokenize HTTP/1.1\r\nHost: a\r\n%s\r\nContent-Length: %d\r\n\r\n%s"
                                       % (fields, len(sent), sent))
                    response, answer = receive(connection)
                    self.assertEqual(response.status, wanted, answer)
                    self.assertEqual(answer.get("code"), "unsupported_media_type" if wanted == 415 else None)

    def test_a_check_that_nobody_can_read_is_none(self):
        for where, code in ((os.devnull, 0), ("/dev/full", 1)):
            with self.subTest(where), open(where, "w", encoding="ascii") as out:
                done = subprocess.run([program("cardvault-gate"), "--config", self.gate.config, "--check"], stdout=out,
                                      stderr=subprocess.PIPE, text=True, timeout=30)
                self.assertEqual(done.returncode, code, done.stderr)

    def test_a_client_may_change_its_keys_but_not_without_end(self):
        client = self.gate.s_client(stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(client.stdout.close)
        self.addCleanup(client.stderr.close)

        def update_keys(times):
            for _ in range(times):
                client.stdin.write(b"k\n")  # a command when it is read alone
                client.stdin.flush()
                while (said := client.stderr.readline()) != b"KEYUPDATE\n":
                    if not said:
                        raise BrokenPipeError

        update_keys(10)
        client.stdin.write(b"GET /v1/whoami HTTP/1.1\r\nHost: a\r\n\r\n")
        client.stdin.flush()
        told = b""
        while b'"client":"web"' not in told:
            told += (part := os.read(client.stdout.fileno(), 65536))
            self.assertTrue(part, "ended after a few")
        with self.assertRaises(BrokenPipeError):
            update_keys(20_000)  # the gate may take a while to come to one too many
        client.wait(60)

    def test_a_large_batch_passes_both_ways(self):
        items = [{"pan": PAN, "metadata": {"note": "x" * 500}} for _ in range(1000)]
        response, answer = send(self.gate.connect(), "POST", "/v1/tokenize", {"items": items})
        self.assertEqual((response.status, len(answer["items"])), (200, 1000))
        self.assertEqual(answer["items"][999]["metadata"]["note"], "x" * 500)

    def test_a_body_over_the_limit_is_refused_unread(self):
        connection = self.gate.connect()
        connection.sendall(b"POST /v1/tokenize HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000000\r\n"
                           b"\r\n" + b"x" * 100000)
        response, problem = receive(connection)
        self.assertEqual((response.status, problem["code"]), (413, "payload_too_large"))

    def test_refusals_of_clients_reach_the_vault(self):
        _, problem = send(self.gate.connect(), "POST", "/v1/tokenize", {"pan": PAN, "CVV-2": None})
        self.assertEqual(problem["code"], "sensitive_authentication_data")
        self.assertIn("refused sensitive_authentication_data tokenize", self.gate.refusals())

    def test_revocation_holds_on_a_live_connection(self):
        connection = self.gate.connect("doomed")
        self.assertEqual(send(connection, "GET", "/v1/whoami")[0].status, 200)
        reloads = self.gate.log().count("revocation list reloaded")
        self.authority.revoke("doomed")
        self.gate.wait_for(lambda: self.gate.log().count("revocation list reloaded") > reloads)
        response, problem = send(connection, "GET", "/v1/whoami")
        self.assertEqual((response.status, problem["code"]), (403, "client_revoked"))
        self.assertTrue(closed(connection))

    def test_reload_keeps_connections_and_survives_a_bad_file(self):
        connection = self.gate.connect()
        self.assertEqual(send(connection, "GET", "/v1/whoami")[0].status, 200)
        failures = self.gate.log().count("reload failed")
        self.gate.write_config("colour = 1")
        self.gate.process.send_signal(signal.SIGHUP)
        self.gate.wait_for(lambda: self.gate.log().count("reload failed") > failures)
        self.assertEqual(send(connection, "GET", "/v1/whoami")[0].status, 200)
        reloads = self.gate.log().count("certificates reloaded")
        self.gate.write_config("max_body_bytes = 2048")
        self.gate.process.send_signal(signal.SIGHUP)
        self.gate.wait_for(lambda: self.gate.log().count("certificates reloaded") > reloads)
        self.assertEqual(send(connection, "GET", "/v1/whoami")[0].status, 200)
        self.assertEqual(send(connection, "POST", "/v1/tokenize", b"x" * 4000)[0].status, 413)
        self.gate.write_config()
        self.gate.process.send_signal(signal.SIGHUP)
        self.gate.wait_for(lambda: self.gate.log().count("certificates reloaded") > reloads + 1)

    def test_a_vault_that_goes_costs_no_connection(self):
        connection = self.gate.connect()
        self.gate.kill_vault()
        response, problem = send(connection, "POST", "/v1/tokenize", {"pan": PAN})
        self.assertEqual((response.status, problem["code"]), (503, "vault_unavailable"))
        self.assertEqual(response.headers["Retry-After"], "1")
        self.assertEqual(send(connection, "GET", "/healthz")[0].status, 200)
        self.gate.start_vault("--version", "99")
        self.gate.wait_for(lambda: "another version" in self.gate.log())
        self.assertEqual(send(connection, "GET", "/v1/whoami")[0].status, 503)
        self.gate.start_vault("--mute")
        self.assertEqual(send(connection, "GET", "/v1/whoami")[0].status, 503)
        self.gate.start_vault()  # the newest wins
        self.assertEqual(send(connection, "GET", "/v1/whoami")[0].status, 200)

    @unittest.skipIf(os.getuid() != 0, "the gate is not dumpable: only root reads its memory")
    def test_no_card_number_stays_in_memory(self):
        if "CARDVAULT_SANITIZED" in os.environ:
            self.skipTest("a sanitizer's shadow is terabytes")
        half = self.gate.connect()  # the search finds what a request not yet whole holds
        half.sendall(b"POST /v1/tokenize HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                     b'Content-Length: 99\r\n\r\n{"pan":"5105105105105100')
        Gate.wait_for(lambda: residue(self.gate.process.pid, b"5105105105105100"))
        pan = "4000056655665556"
        connection = self.gate.connect()
        body = json.dumps({"pan": pan, "metadata": {"a": pan}, "expiry": pan}).encode()
        for _ in range(50):
            self.assertEqual(send(connection, "POST", "/v1/tokenize", body)[0].status, 200)
        escaped = body.replace(b"4000", b"\\u0034000")
        send(connection, "POST", "/v1/tokenize", escaped)
        send(connection, "POST", "/v1/tokenize", b'{"items":[{"pan":"' + pan.encode() + b'"},1]}')
        send(connection, "POST", "/v1/detokenize", {"token": "tok_1", "purpose": "payment"})
        time.sleep(1)
        receive(half)  # 408
        for secret in (pan, PAN, "5105105105105100"):
            self.assertEqual(residue(self.gate.process.pid, secret.encode()), [], secret)


def residue(pid, needle):
    """Mappings of a process in which the bytes are found."""
    found = []
    with open(f"/proc/{pid}/maps", encoding="utf-8") as maps, \
            open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
        for line in maps:
            start, end = (int(x, 16) for x in line.split()[0].split("-"))
            if line.split()[1][0] != "r" or "[v" in line:
                continue
            memory.seek(start)
            try:
                data = memory.read(end - start)
            except OSError:
                continue
            if needle in data:
                found.append(line.strip())
    return found


class LargeBodies(unittest.TestCase):
    """Of clients that send all they may: a certificate is all it takes, known to the vault or not."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="gate-bodies-")
        authority = Authority(self.folder)
        authority.issue("gate", "subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth")
        authority.issue("web", "subjectAltName=DNS:web\nextendedKeyUsage=clientAuth")
        self.gate = Gate(self.folder, "max_buffered_bytes = 4194304\nbody_timeout_s = 30", threads=2)
        self.gate.start_vault()

    def tearDown(self):
        self.assertEqual(self.gate.stop(), 0)
        shutil.rmtree(self.folder)

    def begin(self):
        """A body that lacks its last byte."""
        connection = self.gate.connect()
        connection.sendall(b"POST /v1/tokenize HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                           b"Content-Length: 1048576\r\n\r\n" + b" " * 1048575)
        return connection

    def has_read(self, connection):
        """The gate has all that was sent: proc_pid_net(5)."""
        mine, other = (f"0100007F:{port:04X}" for port in (connection.getsockname()[1], self.gate.port))
        with open("/proc/net/tcp", encoding="ascii") as file:
            queues = file.read()
        return f"{mine} {other} 01 00000000:" in queues and f"{other} {mine} 01 00000000:00000000" in queues

    def test_together_take_no_more_memory_than_they_may(self):
        whole = {"items": [{"pan": PAN, "metadata": {"note": "x" * 900}}] * 1000}
        taken = [self.begin() for _ in range(4)]
        for connection in taken:
            Gate.wait_for(lambda connection=connection: self.has_read(connection))
        for _ in range(20):
            response, problem = receive(self.begin())
            self.assertEqual((response.status, problem["code"]), (503, "overloaded"))
            self.assertGreater(int(response.headers["Retry-After"]), 0)
        self.assertEqual(send(self.gate.connect(), "POST", "/v1/tokenize", {"pan": PAN})[0].status, 200,
                         "a small one passes")
        for connection in taken:
            connection.sendall(b" ")
            self.assertEqual(receive(connection)[1]["code"], "invalid_json")
        kept = [self.gate.connect() for _ in range(3)]
        for connection in kept:  # what is answered is not counted any more
            self.assertEqual(send(connection, "POST", "/v1/tokenize", whole)[0].status, 200)


class GracefulStop(unittest.TestCase):
    def test_requests_in_flight_finish(self):
        folder = tempfile.mkdtemp(prefix="gate-stop-")
        authority = Authority(folder)
        authority.issue("gate", "subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth")
        authority.issue("web", "subjectAltName=DNS:web\nextendedKeyUsage=clientAuth")
        gate = Gate(folder)
        gate.write_config()
        gate.start_vault()
        idle, busy = gate.connect(), gate.connect()
        self.assertEqual(send(idle, "GET", "/v1/whoami")[0].status, 200)
        busy.sendall(b"POST /v1/tokenize HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                     b"Content-Length: 26\r\nExpect: 100-continue\r\n\r\n{\"pan\":\"41111111")
        self.assertTrue(busy.recv(1000).startswith(b"HTTP/1.1 100 "))  # it has read that much
        gate.process.send_signal(signal.SIGTERM)
        self.assertTrue(closed(idle))
        with self.assertRaises(ConnectionError):
            gate.connect()
        busy.sendall(b"11111111\"}")
        response, _ = receive(busy)
        self.assertEqual(response.status, 200)
        self.assertEqual(response.headers["Connection"], "close")
        self.assertEqual(gate.process.wait(60), 0)
        gate.vault.kill()
        gate.vault.wait()
        shutil.rmtree(folder)


if __name__ == "__main__":
    unittest.main(warnings="ignore")  # connections are left to the garbage collector
