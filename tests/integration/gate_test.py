#!/usr/bin/python3
"""The real gate against a fake vault (fake_vault.cc): handshakes, slow clients, smuggling forms,
revocation and reload on live connections, a vault that goes and comes, graceful stop.

    gate_test.py BUILD_DIR
"""

import fcntl
import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import unittest

BUILD = os.path.abspath(sys.argv.pop(1)) if len(sys.argv) > 1 else os.getcwd()
PAN = "4111111111111111"
CA_CONFIG = """[ca]
default_ca = d
[d]
database = index.txt
crlnumber = crlnumber
default_md = sha256
default_crl_days = 10
new_certs_dir = .
policy = p
[p]
commonName = supplied
"""


def program(name):
    for folder in ("", "protocol/gate", "tests/integration", "bin"):
        path = os.path.join(BUILD, folder, name)
        if os.path.isfile(path):
            return path
    raise FileNotFoundError(f"{name} in {BUILD}")


class Authority:
    def __init__(self, folder):
        self.folder = folder
        self.serial = 1
        self._write("ca.cnf", CA_CONFIG)
        self._write("index.txt", "")
        self._write("crlnumber", "01\n")
        self.openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "ca.key")
        self.openssl("req", "-x509", "-new", "-key", "ca.key", "-subj", "/CN=test", "-days", "90",
                     "-out", "ca.pem")
        self.write_crl()

    def _write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="ascii") as file:
            file.write(text)

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def issue(self, name, extensions):
        self.serial += 1
        self._write("ext", extensions)
        self.openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{name}.key")
        self.openssl("req", "-new", "-key", f"{name}.key", "-subj", f"/CN={name}", "-out", "req")
        self.openssl("x509", "-req", "-in", "req", "-CA", "ca.pem", "-CAkey", "ca.key",
                     "-set_serial", str(self.serial), "-days", "90", "-extfile", "ext",
                     "-out", f"{name}.pem")

    def write_crl(self):
        self.openssl("ca", "-config", "ca.cnf", "-gencrl", "-keyfile", "ca.key", "-cert", "ca.pem",
                     "-out", "crl.new")
        os.rename(os.path.join(self.folder, "crl.new"), os.path.join(self.folder, "crl.pem"))

    def revoke(self, name):
        self.openssl("ca", "-config", "ca.cnf", "-keyfile", "ca.key", "-cert", "ca.pem",
                     "-revoke", f"{name}.pem")
        self.write_crl()


class Gate:
    """One gate with its sockets, as a supervisor would start it."""

    def __init__(self, folder, limits=""):
        self.folder = folder
        self.vault = None
        self.config = os.path.join(folder, "gate.toml")
        self.write_config(limits)
        tls = socket.socket()
        tls.bind(("127.0.0.1", 0))
        tls.listen(4096)
        self.port = tls.getsockname()[1]
        sockets = [tls, self._unix("vault.sock"), self._unix("health.sock")]
        held = [fcntl.fcntl(s.fileno(), fcntl.F_DUPFD, 100) for s in sockets]

        def become_gate():
            for place, fd in enumerate(held):
                os.dup2(fd, 3 + place)

        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)  # as systemd's, for sd_notify(3)
        self.manager.bind(os.path.join(folder, "notify.sock"))
        self.manager.settimeout(15)
        script = ('export LISTEN_PID=$$ LISTEN_FDS=3 LISTEN_FDNAMES=tls:vault:health; '
                  'exec "$0" --config "$1"')
        self.log_path = os.path.join(folder, "gate.log")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                ["/bin/sh", "-c", script, program("cardvault-gate"), self.config],
                preexec_fn=become_gate, pass_fds=(3, 4, 5), stderr=log,
                env=os.environ | {"NOTIFY_SOCKET": os.path.join(folder, "notify.sock")})
        for s in sockets:
            s.close()
        for fd in held:
            os.close(fd)
        self.wait_for(lambda: "gate serves" in self.log())

    def write_config(self, limits=""):
        with open(self.config, "w", encoding="ascii") as file:
            file.write(f"""[gate]
name = "web"
certificate = "{self.folder}/gate.pem"
key = "{self.folder}/gate.key"
client_ca = "{self.folder}/ca.pem"
crl = "{self.folder}/crl.pem"
vault_uid = {os.getuid()}
[limits]
handshake_timeout_s = 1
header_timeout_s = 1
body_timeout_s = 1
answer_timeout_s = 1
{limits}
""")

    def _unix(self, name):
        path = os.path.join(self.folder, name)
        if os.path.exists(path):
            os.unlink(path)
        s = socket.socket(socket.AF_UNIX)
        s.bind(path)
        s.listen(16)
        return s

    def log(self):
        with open(self.log_path, encoding="utf-8") as file:
            return file.read()

    @staticmethod
    def wait_for(condition, seconds=15):
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise AssertionError("waited in vain")
            time.sleep(0.02)

    def start_vault(self, *arguments):
        connected = self.log().count("vault connected")
        self.vault_log = os.path.join(self.folder, "vault.log")
        with open(self.vault_log, "wb") as log:
            self.vault = subprocess.Popen([program("fake_vault"), f"{self.folder}/vault.sock",
                                           *arguments], stdout=log)
        if not arguments or arguments[0] != "--version":
            self.wait_for(lambda: self.log().count("vault connected") > connected)

    def kill_vault(self):
        gone = self.log().count("vault disconnected")
        self.vault.kill()
        self.vault.wait()
        self.wait_for(lambda: self.log().count("vault disconnected") > gone)

    def refusals(self):
        with open(self.vault_log, encoding="utf-8") as file:
            return file.read()

    def connect(self, client="web", handshake=True):
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=10)
        if not handshake:
            return raw
        context = ssl.create_default_context(cafile=f"{self.folder}/ca.pem")
        if client:
            context.load_cert_chain(f"{self.folder}/{client}.pem", f"{self.folder}/{client}.key")
        return context.wrap_socket(raw, server_hostname="localhost")

    def stop(self):
        if self.vault:
            self.vault.kill()
            self.vault.wait()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)


def send(connection, method, path, body=None, headers=()):
    """The status and body of one exchange on an open connection."""
    data = b"" if body is None else (body if isinstance(body, bytes) else json.dumps(body).encode())
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", *headers]
    if body is not None:
        lines += ["Content-Type: application/json", f"Content-Length: {len(data)}"]
    connection.sendall("\r\n".join(lines).encode() + b"\r\n\r\n" + data)
    return receive(connection)


def receive(connection):
    response = http.client.HTTPResponse(connection)
    response.begin()
    body = response.read()
    return response, json.loads(body) if body else None


def closed(connection):
    try:
        return connection.recv(1) == b""
    except (ssl.SSLError, ConnectionError):
        return True


class GateTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="gate-test-")
        cls.authority = Authority(cls.folder)
        client = "subjectAltName=DNS:{}\nextendedKeyUsage=clientAuth"
        cls.authority.issue("gate", "subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth\n"
                            "crlDistributionPoints=URI:http://localhost/crl.pem")
        for name in ("web", "doomed", "gone"):
            cls.authority.issue(name, client.format(name))
        cls.authority.issue("server", "extendedKeyUsage=serverAuth")
        cls.authority.revoke("gone")
        cls.gate = Gate(cls.folder)
        cls.gate.start_vault()

    @classmethod
    def tearDownClass(cls):
        assert cls.gate.stop() == 0, "the gate did not stop cleanly"
        shutil.rmtree(cls.folder)

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
        start = time.monotonic()
        for connection in (header, body):
            response, problem = receive(connection)
            self.assertEqual((response.status, problem["code"]), (408, "request_timeout"))
            self.assertTrue(closed(connection))
        self.assertTrue(closed(silent))
        self.assertLess(time.monotonic() - start, 5)

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

    def test_every_byte_alone_is_understood(self):
        connection = self.gate.connect()
        body = json.dumps({"pan": PAN}).encode()
        head = (f"POST /v1/tokenize HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n").encode()
        for byte in head + body:
            connection.sendall(bytes([byte]))
        response, answer = receive(connection)
        self.assertEqual((response.status, answer["last4"]), (200, "1111"))

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
        self.gate.wait_for(lambda: self.gate.log().count("revocation list reloaded") > reloads, 3)
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
        start = time.monotonic()
        self.assertEqual(send(connection, "GET", "/v1/whoami")[0].status, 503)
        self.assertLess(time.monotonic() - start, 4)
        self.gate.start_vault()  # the newest wins
        self.assertEqual(send(connection, "GET", "/v1/whoami")[0].status, 200)

    @unittest.skipIf(os.getuid() != 0, "the gate is not dumpable: only root reads its memory")
    def test_no_card_number_stays_in_memory(self):
        if "CARDVAULT_SANITIZED" in os.environ:
            self.skipTest("a sanitizer's shadow is terabytes")
        half = self.gate.connect()  # the search finds what a request not yet whole holds
        half.sendall(b"POST /v1/tokenize HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                     b'Content-Length: 99\r\n\r\n{"pan":"5105105105105100')
        Gate.wait_for(lambda: residue(self.gate.process.pid, b"5105105105105100"), 1)
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
                     b"Content-Length: 26\r\n\r\n{\"pan\":\"41111111")
        time.sleep(0.2)
        gate.process.send_signal(signal.SIGTERM)
        self.assertTrue(closed(idle))
        with self.assertRaises(ConnectionError):
            gate.connect()
        busy.sendall(b"11111111\"}")
        response, _ = receive(busy)
        self.assertEqual(response.status, 200)
        self.assertEqual(response.headers["Connection"], "close")
        self.assertEqual(gate.process.wait(5), 0)
        gate.vault.kill()
        gate.vault.wait()
        shutil.rmtree(folder)


if __name__ == "__main__":
    unittest.main(warnings="ignore")  # connections are left to the garbage collector
