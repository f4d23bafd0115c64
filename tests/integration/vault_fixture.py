"""A running vault for the Python tests: `./dev up` in a fresh folder, once per process, and a client
that sends exactly what a test says.

    vault = vault_fixture.shared()
    answer = vault.request("web", "POST", "/v1/tokenize", {"pan": "4111111111111111"})
    answer.status, answer.headers["Retry-After"], answer.json()
"""

import atexit
import contextlib
import http.client
import json
import os
import resource
import select
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "recipient"))
import recipient  # noqa: E402  (its folder is known only now)
from failure_logs import vaults_that_tell  # noqa: E402
from free_ports import free_ports  # noqa: E402

GATES = ("web", "processor", "auditor")
# As for ./dev up: the programs of another build, such as one with sanitizers.
PROGRAMS = os.environ.get("CARDVAULT_PROGRAMS") or os.path.join(ROOT, "build", "release")
# Under tests/sanitizer/sanitized.py, whose sanitizers map terabytes and take their time.
SANITIZED = "CARDVAULT_SANITIZED" in os.environ
ISSUER = "cardvault"
# Settings with two operators, so that release() works: as another account than root there is only one.
SECOND_UID = 61001
OPERATORS = (['admin.operators=[{uid = 0, name = "root"}, {uid = 61001, name = "second"}]']
             if os.geteuid() == 0 else ["admin.two_operators=[]"])
UP_TIMEOUT_S = 1800  # the programs may have to be built first


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers  # http.client.HTTPMessage: names ignore case
        self.body = body

    def json(self):
        return json.loads(self.body)

    @property
    def code(self):
        """The stable code of a problem, or None."""
        kind = self.headers.get_content_type() if self.body else ""
        return self.json()["code"] if kind == "application/problem+json" else None

    def __repr__(self):
        return f"<{self.status} {self.body[:300]!r}>"


class Vault:
    """`settings` are `--set` arguments ("limits.rate_per_s=0"), `options` further ones of `up`, or a
    function that makes them from the vault's folder."""

    def __init__(self, settings=(), options=()):
        vaults_that_tell.add(self)
        self.dir = tempfile.mkdtemp(prefix="cardvault-test-", dir=os.environ.get("CARDVAULT_TMP"))
        os.chmod(self.dir, 0o711)  # the processes drop to their own users, who must get through
        self.settings = list(settings)
        self.options = list(options(self.dir) if callable(options) else options)
        self.port = free_ports(len(GATES))
        self._contexts = {}
        self._kept = {}
        self._recipients = {}
        try:
            self.up()
        except BaseException:
            self.close()
            raise

    def up(self):
        command = [os.path.join(ROOT, "dev"), "up", self.dir, "--port", str(self.port)]
        for setting in self.settings:
            command += ["--set", setting]
        done = subprocess.run(command + self.options, cwd=ROOT, capture_output=True, text=True,
                              timeout=UP_TIMEOUT_S)
        if done.returncode != 0:
            raise RuntimeError(f"./dev up failed:\n{done.stdout}{done.stderr}\n{self.log_tail()}")

    def down(self):
        self.forget_connections()
        subprocess.run(
            [os.path.join(ROOT, "dev"), "down", self.dir],
            cwd=ROOT, capture_output=True, text=True, timeout=120, check=True,
        )

    def up_again(self):
        """As up(), where it isn't."""
        if not os.path.exists(self.path("supervisor.pid")):
            self.up()

    def close(self):
        """Stops it and removes its folder; CARDVAULT_KEEP=1 leaves the folder for a look."""
        if not os.path.isdir(self.dir):
            return
        try:
            self.down()
        finally:
            if os.environ.get("CARDVAULT_KEEP") != "1":
                shutil.rmtree(self.dir, ignore_errors=True)

    def path(self, *names):
        return os.path.join(self.dir, *names)

    def log_tail(self, lines=30):
        try:
            with open(self.path("log"), encoding="utf-8", errors="replace") as log:
                return "".join(log.readlines()[-lines:])
        except OSError:
            return ""

    def url(self, gate):
        with open(self.path(f"{gate}.url"), encoding="ascii") as file:
            return file.readline().strip()

    def address(self, gate):
        host, port = self.url(gate).removeprefix("https://").rstrip("/").rsplit(":", 1)
        return host, int(port)

    @property
    def daemon_pid(self):
        with open(self.path("daemon.pid"), encoding="ascii") as file:
            return int(file.read())

    def kill_daemon(self):
        """kill -9, until it is dead and another one is started."""
        pid = self.daemon_pid
        os.kill(pid, signal.SIGKILL)
        end = time.monotonic() + 60
        while self.daemon_pid == pid:
            if time.monotonic() > end:
                raise RuntimeError(f"the daemon was not started again:\n{self.log_tail()}")
            time.sleep(0.005)

    def kill_and_wait(self):
        """kill -9 of the daemon, until another one answers at every gate."""
        self.kill_daemon()
        for gate in GATES:
            self.wait_ready(gate)

    @contextlib.contextmanager
    def without_daemon(self):
        """kill -9 of the daemon, and another one is started when the block ends."""
        with open(self.path("supervisor.pid"), encoding="ascii") as file:
            supervisor = int(file.read())
        daemon = os.pidfd_open(self.daemon_pid)
        os.kill(supervisor, signal.SIGSTOP)
        try:
            signal.pidfd_send_signal(daemon, signal.SIGKILL)
            select.select([daemon], [], [], 60)  # its connections are closed by then
            yield
        finally:
            os.close(daemon)
            os.kill(supervisor, signal.SIGCONT)

    def configure(self, *settings):
        """Sets keys as `--set` does, on the running vault."""
        subprocess.run([sys.executable, os.path.join(ROOT, "systemd", "set_config.py"), self.dir, *settings],
                       check=True)
        self.tool("reload")

    def wait_ready(self, gate="web", timeout=60):
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            try:
                if self.health(gate, "/readyz").status == 200:
                    return
            except OSError:
                pass
            time.sleep(0.05)
        raise RuntimeError(f"gate {gate} is not ready:\n{self.log_tail()}")

    def tool_command(self, *arguments):
        program = os.path.join(PROGRAMS, "cardvault")
        return [program, "--config", self.path("vault.toml"), *arguments]

    def tool(self, *arguments, check=True, stdin="", uid=None):
        """Runs `cardvault` on this vault; as root also in another account's name."""
        account = {} if uid is None else {"user": uid, "group": uid, "extra_groups": []}
        done = subprocess.run(
            self.tool_command(*arguments), input=stdin, capture_output=True, text=True, timeout=300,
            **account,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"cardvault {arguments}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def events(self, count=1000):
        """The newest events of the audit log, oldest first."""
        lines = self.tool("--format", "json", "audit", "tail", "-n", str(count)).stdout
        return [json.loads(line) for line in lines.splitlines()]

    def release(self, client):
        """Two operators, of a vault with OPERATORS, let a frozen client ask again."""
        if os.geteuid() == 0:
            first = self.tool("client", "release", client, check=False)
            if first.returncode != 5:
                raise AssertionError(f"one operator alone: {first}")
        self.tool("client", "release", client, uid=SECOND_UID if os.geteuid() == 0 else None)

    # --- codes and recipients ---

    def recipient(self, name):
        """Who opens what is sealed to DIR/NAME.pem: tests/recipient/recipient.py."""
        if name not in self._recipients:
            with open(self.path(f"{name}.key"), "rb") as file:
                key = file.read()
            jwks = self.request("web", "GET", "/v1/jwks").body
            seen = recipient.SeenIds(self.path(f"{name}.seen"))
            self._recipients[name] = recipient.Recipient(name, [key], jwks, ISSUER, seen)
        return self._recipients[name]

    def seal(self, subject, purpose, context=None, client="web", **fields):
        """The answer to an otp/seal to the SMS gateway."""
        body = {"subject": subject, "purpose": purpose, "recipient": "sms-gateway"} | fields
        if context is not None:
            body["context"] = context
        return self.request(client, "POST", "/v1/otp/seal", body)

    def code(self, subject, purpose, context=None, **fields):
        """A new code, as the SMS gateway reads it and its subject receives it."""
        answer = self.seal(subject, purpose, context, **fields)
        if answer.status != 200:
            raise AssertionError(f"no code was sealed: {answer}")
        expected = recipient.ANY if context is None else context
        claims = self.recipient("sms-gateway").open(
            answer.json()["sealed"], recipient.OTP, purpose=purpose, context=expected)
        if claims["sub"] != subject:
            raise AssertionError(f"a code for {claims['sub']} instead of {subject}")
        return claims["code"]

    def verify(self, subject, purpose, code, context=None, client="web"):
        """The answer to an otp/verify."""
        body = {"subject": subject, "purpose": purpose, "code": code}
        if context is not None:
            body["context"] = context
        return self.request(client, "POST", "/v1/otp/verify", body)

    def prove(self, subject, purpose, context=None):
        """A new code, sealed, opened and verified: the receipt."""
        answer = self.verify(subject, purpose, self.code(subject, purpose, context), context)
        if answer.status != 200:
            raise AssertionError(f"a right code does not verify: {answer}")
        return answer.json()["receipt"]

    # --- clients ---

    def context(self, client):
        """A TLS context with DIR/client.pem."""
        if client not in self._contexts:
            context = ssl.create_default_context(cafile=self.path("ca.pem"))
            context.minimum_version = ssl.TLSVersion.TLSv1_3
            context.load_cert_chain(self.path(f"{client}.pem"), self.path(f"{client}.key"))
            self._contexts[client] = context
        return self._contexts[client]

    def connect(self, client, gate=None, timeout=30):
        """A fresh TLS socket, for tests that write bytes themselves."""
        host, port = self.address(gate or default_gate(client))
        plain = socket.create_connection((host, port), timeout=timeout)
        return self.context(client).wrap_socket(plain, server_hostname=host)

    def request(self, client, method, path, body=None, headers=None, gate=None):
        """One request on a kept connection. `body` is bytes, str, or an object for JSON."""
        gate = gate or default_gate(client)
        key = (client, gate)
        fresh = key not in self._kept
        if fresh:
            host, port = self.address(gate)
            self._kept[key] = http.client.HTTPSConnection(host, port, timeout=30,
                                                          context=self.context(client))
        try:
            return self.send(self._kept[key], method, path, body, headers)
        except (http.client.HTTPException, OSError):
            self._kept.pop(key).close()
            if fresh:
                raise
        # The gate had closed a connection that was kept.
        return self.request(client, method, path, body, headers, gate)

    def all_at_once(self, client, path, bodies):
        """The answers to bodies that are sent at the same moment, each on a connection of its own."""
        answers, start = [None] * len(bodies), threading.Barrier(len(bodies))
        self.context(client)  # the cache of contexts is not thread-safe

        def run(number):
            data = json.dumps(bodies[number]).encode()
            head = (f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                    f"Content-Length: {len(data)}\r\n\r\n").encode()
            with self.connect(client, timeout=60) as connection:
                start.wait(60)
                connection.sendall(head + data)
                answers[number] = receive(connection)

        threads = [threading.Thread(target=run, args=(n,)) for n in range(len(bodies))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if None in answers:
            raise AssertionError(f"{answers.count(None)} of {len(bodies)} got no answer")
        return answers

    def raw(self, client, request, gate=None):
        """Sends bytes as they are on a connection of their own and reads one answer."""
        with self.connect(client, gate) as connection:
            connection.sendall(request)
            return receive(connection)

    def health(self, gate, path):
        """A GET on the gate's Unix health socket."""
        connection = http.client.HTTPConnection("localhost", timeout=10)
        connection.sock = socket.socket(socket.AF_UNIX)
        connection.sock.settimeout(10)
        try:
            connection.sock.connect(self.path("run", f"{gate}-health.sock"))
            return self.send(connection, "GET", path, None, None)
        finally:
            connection.close()

    def forget_connections(self):
        for connection in self._kept.values():
            connection.close()
        self._kept.clear()

    @staticmethod
    def send(connection, method, path, body=None, headers=None):
        """One request on an open http.client connection; `body` as of request()."""
        headers = dict(headers or {})
        if body is not None and not isinstance(body, (bytes, str)):
            body = json.dumps(body, ensure_ascii=False)
        if body is not None:
            body = body.encode() if isinstance(body, str) else body
            headers.setdefault("Content-Type", "application/json")
        connection.request(method, path, body=body, headers=headers)
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read())


def receive(connection):
    """One answer from an open connection."""
    response = http.client.HTTPResponse(connection)
    response.begin()
    return Answer(response.status, response.headers, response.read())


def default_gate(client):
    return client if client in GATES else "web"


_shared = None


def shared(settings=(), options=()):
    """The process's one vault, started by the first call (whose settings count)."""
    global _shared
    if _shared is None:
        _shared = Vault(settings, options)
        atexit.register(_shared.close)
    return _shared


def address_space(limit):
    """What setrlimit(RLIMIT_AS) takes: `limit` bytes, where there is no sanitizer."""
    return (resource.RLIM_INFINITY,) * 2 if SANITIZED else (limit, limit)


def clear_of_the_hour(seconds=60):
    """Budgets are of UTC hours and days: waits where one would end within a test."""
    left = 3600 - time.time() % 3600
    if left < seconds:
        time.sleep(left + 1)


def luhn_digit(digits):
    """The digit that makes `digits` and it pass Luhn (ISO/IEC 7812-1 annex B)."""
    total = 0
    for index, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if index % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return str(-total % 10)


def made_up_pan(number, prefix="41111111"):
    """A card number of the demo's BIN: a different one for each number below ten million."""
    digits = f"{prefix}{number:07d}"
    return digits + luhn_digit(digits)
