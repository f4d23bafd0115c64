"""The real gate against a fake vault (fake_vault.cc), with an authority of its own: what its tests share. A
program that imports this takes the build's folder as its first argument.
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
    def __init__(self, folder, above=None):
        """Its own root, or below another authority."""
        self.folder = folder
        self.serial = 1
        self.below = []
        self._write("ca.cnf", CA_CONFIG)
        self._write("index.txt", "")
        self._write("crlnumber", "01\n")
        if above:
            above.issue("ca-below", "basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign,cRLSign")
            for kind in ("key", "pem"):
                shutil.copy(os.path.join(above.folder, f"ca-below.{kind}"), os.path.join(folder, f"ca.{kind}"))
            above.below.append(self)
        else:
            self.openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", "ca.key")
            self.openssl("req", "-x509", "-new", "-key", "ca.key", "-subj", "/CN=test", "-days", "90",
                         "-out", "ca.pem")
        self.write_crl()
        if above:
            above.write_crl()

    def _write(self, name, text):
        with open(os.path.join(self.folder, name), "w", encoding="ascii") as file:
            file.write(text)

    def openssl(self, *arguments):
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def issue(self, name, extensions, key=("EC", "-pkeyopt", "ec_paramgen_curve:prime256v1")):
        self.serial += 1
        self._write("ext", extensions)
        self.openssl("genpkey", "-algorithm", *key, "-out", f"{name}.key")
        self.openssl("req", "-new", "-key", f"{name}.key", "-subj", f"/CN={name}", "-out", "req")
        self.openssl("x509", "-req", "-in", "req", "-CA", "ca.pem", "-CAkey", "ca.key",
                     "-set_serial", str(self.serial), "-days", "90", "-extfile", "ext",
                     "-out", f"{name}.pem")

    def write_crl(self, *life):
        """Its list, and those of the authorities below it."""
        self.openssl("ca", "-config", "ca.cnf", "-gencrl", "-keyfile", "ca.key", "-cert", "ca.pem",
                     "-out", "crl.new", *life)
        with open(os.path.join(self.folder, "crl.new"), "ab") as lists:
            for other in self.below:
                with open(os.path.join(other.folder, "crl.pem"), "rb") as file:
                    lists.write(file.read())
        os.rename(os.path.join(self.folder, "crl.new"), os.path.join(self.folder, "crl.pem"))

    def revoke(self, name):
        self.openssl("ca", "-config", "ca.cnf", "-keyfile", "ca.key", "-cert", "ca.pem",
                     "-revoke", f"{name}.pem")
        self.write_crl()


TIMEOUT_S = 4  # of everything that a gate waits for: longer than a busy machine stalls


class Gate:
    """One gate with its sockets, as a supervisor would start it."""

    def __init__(self, folder, limits="", threads=1, **environment):
        self.folder = folder
        self.threads = threads
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
        self.manager.settimeout(60)
        script = ('export LISTEN_PID=$$ LISTEN_FDS=3 LISTEN_FDNAMES=tls:vault:health; '
                  'exec "$0" --config "$1"')
        self.log_path = os.path.join(folder, "gate.log")
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                ["/bin/sh", "-c", script, program("cardvault-gate"), self.config],
                preexec_fn=become_gate, pass_fds=(3, 4, 5), stderr=log,
                env=os.environ | {"NOTIFY_SOCKET": os.path.join(folder, "notify.sock")} | environment)
        for s in sockets:
            s.close()
        for fd in held:
            os.close(fd)
        self.wait_for(lambda: "gate serves" in self.log())

    def write_config(self, limits=""):
        with open(self.config, "w", encoding="ascii") as file:
            shorter = "".join(f"{key} = {TIMEOUT_S}\n" for key in (
                "handshake_timeout_s", "header_timeout_s", "body_timeout_s", "answer_timeout_s") if key not in limits)
            file.write(f"""[gate]
name = "web"
certificate = "{self.folder}/gate.pem"
key = "{self.folder}/gate.key"
client_ca = "{self.folder}/ca.pem"
crl = "{self.folder}/crl.pem"
vault_uid = {os.getuid()}
threads = {self.threads}
[limits]
{shorter}{limits}
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
    def wait_for(condition, seconds=60):
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
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        if not handshake:
            return raw
        context = ssl.create_default_context(cafile=f"{self.folder}/ca.pem")
        if client:
            context.load_cert_chain(f"{self.folder}/{client}.pem", f"{self.folder}/{client}.key")
        return context.wrap_socket(raw, server_hostname="localhost")

    def s_client(self, *options, **streams):
        """openssl-s_client(1) as `web`: it can do what Python's ssl can't."""
        return subprocess.Popen(
            ["openssl", "s_client", "-connect", f"127.0.0.1:{self.port}", "-cert", f"{self.folder}/web.pem",
             "-key", f"{self.folder}/web.key", "-CAfile", f"{self.folder}/ca.pem", *options],
            **{"stderr": subprocess.DEVNULL} | streams)

    def stop(self):
        if self.vault:
            self.vault.kill()
            self.vault.wait()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


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


class GateCase(unittest.TestCase):
    """One gate for all tests of a class."""

    limits = ""

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
        cls.gate = Gate(cls.folder, cls.limits)
        cls.gate.start_vault()

    @classmethod
    def tearDownClass(cls):
        assert cls.gate.stop() == 0, "the gate did not stop cleanly"
        shutil.rmtree(cls.folder)
