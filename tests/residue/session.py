"""What clients do to a vault, by stages, with card numbers, passwords and names that nothing else can contain."""

import collections
import contextlib
import os
import random
import signal
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
import vault_fixture  # noqa: E402
from scanner import forms_of  # noqa: E402

FOREIGN = "40000566"  # the demo's BIN of another country
UNKNOWN = "48000000"  # in no row of the demo's table
BIN = "4111"  # that of stored cards begins so, and stands behind their last four digits in a row of the database


class Numbers:
    """Made-up card numbers and customers that nothing else can contain; each knows its stage."""

    def __init__(self):
        self.stage = ""
        self.pans = {}  # pan -> stage
        self.customers = []
        self.secrets = {}  # passwords and codes -> stage
        self._free = random.SystemRandom().sample(range(1_000_000, 10_000_000), 20_000)

    def pan(self, prefix="41111111"):
        made = prefix
        while BIN in made[len(prefix):] or made == prefix:
            made = vault_fixture.made_up_pan(self._free.pop(), prefix)
        self.pans[made] = self.stage
        return made

    def wrong_pan(self):
        """With a check digit that is wrong."""
        right = self.pan()
        wrong = right[:-1] + str((int(right[-1]) + 1) % 10)
        self.pans[wrong] = self.pans.pop(right)
        return wrong

    def customer(self):
        made = "customer-" + "".join(random.choices("abcdefghijklmnopqrstuvwxyz", k=16))
        self.customers.append(made)
        return made

    def password(self):
        made = "passwort-" + "".join(random.choices("abcdefghijklmnopqrstuvwxyz", k=16))
        self.secrets[made] = self.stage
        return made

    def card(self):
        return {"pan": self.pan(), "customer": self.customer()}


class Session:
    """What clients do to the vault. Connections that end well stay open: they must be clean too."""

    def __init__(self, vault, numbers):
        self.vault, self.numbers = vault, numbers
        self.statuses = collections.Counter()  # (stage, status)
        self.tokens = []

    def ask(self, client, method, path, body=None, headers=None):
        answer = self.vault.request(client, method, path, body, headers)
        self.statuses[self.numbers.stage, answer.status] += 1
        return answer

    def raw(self, client, head, body):
        with contextlib.suppress(OSError), self.vault.connect(client) as connection:
            connection.sendall(head + body)
            answer = vault_fixture.receive(connection)
            self.statuses[self.numbers.stage, answer.status] += 1

    @staticmethod
    def post(path, length, extra=b""):
        return (b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n%s\r\n" % (path, length, extra))

    def run(self, *stages):
        for stage in stages:
            self.numbers.stage = stage.__name__
            stage()

    def tokenize(self):
        for index in range(30):
            card = self.numbers.card()
            pan = card["pan"]
            card["pan"] = [pan, *(form.decode() for name, form in forms_of(pan).items()
                                  if name in ("spaced", "dashed"))][index % 3]
            card |= [{}, {"format": "numeric"}, {"metadata": {"a": "b"}}, {"expiry": "2031-02"}][index % 4]
            headers = {"Idempotency-Key": f"key-{index}"} if index % 5 == 0 else None
            for _ in range(2):  # the second is a duplicate or a replay
                answer = self.ask("web", "POST", "/v1/tokenize", card, headers)
            self.tokens.append(answer.json()["token"])
        for _ in range(5):
            items = [self.numbers.card() for _ in range(200)]
            answer = self.ask("web", "POST", "/v1/tokenize", {"items": items})
            self.tokens += [item["token"] for item in answer.json()["items"]]
        self.ask("web", "POST", "/v1/cards/search", {"customer": self.numbers.customers[0]})

    def reveal(self):
        for token in self.tokens[:30]:
            for extra in ({}, {"mask": True}):
                self.ask("processor", "POST", "/v1/detokenize",
                         {"token": token, "purpose": "payment", **extra})
        for size in (2, 100, 1000):
            items = [{"token": token, "purpose": "payment"} for token in self.tokens[:size]]
            answer = self.ask("processor", "POST", "/v1/detokenize", {"items": items})
            assert all("pan" in item for item in answer.json()["items"])
        self.ask("web", "DELETE", f"/v1/tokens/{self.tokens[0]}")
        self.ask("web", "POST", f"/v1/tokens/{self.tokens[1]}/freeze")
        for token in self.tokens[:2]:
            self.ask("processor", "POST", "/v1/detokenize", {"token": token, "purpose": "payment"})

    def codes(self):
        gateway = self.vault.recipient("sms-gateway")
        for index in range(8):
            subject = self.numbers.customer()
            payment = {"amount": index + 1, "currency": "KZT", "payee": "shop"} if index % 2 else None
            purpose = "confirm_transaction" if payment else "verify_login"
            body = {"subject": subject, "purpose": purpose, "recipient": "sms-gateway", "digits": 10}
            body |= {"context": payment} if payment else {}
            answer = self.ask("web", "POST", "/v1/otp/seal", body)
            code = gateway.open(answer.json()["sealed"], vault_fixture.recipient.OTP)["code"]
            self.numbers.secrets[code] = self.numbers.stage
            body = {"subject": subject, "purpose": purpose, "code": code[:-1] + "x"}
            body |= {"context": payment} if payment else {}
            for sent in (code[:-1] + "x", code[::-1], code, code):  # malformed, wrong, right, used
                self.ask("web", "POST", "/v1/otp/verify", body | {"code": sent})

    def passwords(self):
        for index in range(10):
            subject, first = self.numbers.customer(), self.numbers.password()
            body = {"subject": subject, "kind": "password"}
            for act, sent in (("enroll", first), ("verify", first), ("verify", self.numbers.password()),
                              ("change", self.numbers.password()), ("change", first + "\x07")):
                self.ask("web", "POST", f"/v1/secrets/{act}", body | {"secret": sent})
            self.vault.prove(subject, "change_password")
            second = self.numbers.password()
            for act in ("change", "verify"):
                self.ask("web", "POST", f"/v1/secrets/{act}", body | {"secret": second})
            self.ask("web", "POST", "/v1/secrets/enroll", f'{{"subject":"{subject}","secret":"{second}"')
            escaped = "".join(f"\\u00{ord(c):02x}" for c in second)
            self.ask("web", "POST", "/v1/secrets/verify",
                     f'{{"subject":"{subject}","kind":"password","secret":"{escaped}"}}')

    def seal_cards(self):
        for index in range(10):
            card = self.numbers.card()
            token = self.ask("web", "POST", "/v1/tokenize", card).json()["token"]
            payment = {"amount": index + 1, "currency": "KZT", "payee": "shop"}
            body = {"token": token, "purpose": "payment", "recipient": "acquirer", "context": payment}
            self.ask("web", "POST", "/v1/detokenize", body)
            self.vault.prove(card["customer"], "confirm_transaction", payment)
            sealed = self.ask("web", "POST", "/v1/detokenize", body).json()["sealed"]
            claims = self.vault.recipient("acquirer").open(sealed, vault_fixture.recipient.CARD)
            assert claims["pan"] == card["pan"]

    def refuse(self):
        new = self.numbers
        customer = new.customer()
        bodies = [
            {"pan": new.wrong_pan(), "customer": customer},
            {"pan": new.pan(FOREIGN), "customer": customer},
            {"pan": new.pan(UNKNOWN), "customer": customer},
            {"pan": new.pan(), "customer": new.pan()},
            {"pan": new.pan(), "customer": customer, "metadata": {"note": new.pan()}},
            {"pan": new.pan(), "customer": customer, "metadata": {new.pan(): "x"}},
            {"pan": new.pan(), "customer": customer, "cvv": "123"},
            {"pan": new.pan(), "customer": customer, "number": new.pan()},
            {"pan": new.pan(), "customer": customer, new.pan(): 1},
            {"pan": new.pan(), "customer": customer, "expiry": new.pan()},
            {"pan": new.pan(), "customer": customer, "format": new.pan()},
            {"pan": new.pan(), "customer": customer, "ttl": int(new.pan())},
            {"pan": int(new.pan()), "customer": customer},
            {"pan": [new.pan()], "customer": customer},
            {"pan": new.pan() + new.pan(), "customer": customer},
            {"pan": new.pan(), "customer": "x" * 5000},
            {"pan": new.pan(), "expiry": "2001-01", "customer": customer},
            {"items": [{"pan": new.pan(), "customer": customer}, {"pan": new.wrong_pan()}, 1]},
            {"items": [new.card() for _ in range(1001)]},
        ]
        for body in bodies:
            self.ask("web", "POST", "/v1/tokenize", body)
        texts = [
            f'{{"pan":"{new.pan()}","customer":"{customer}"',
            f'{{"pan":"{new.pan()}","pan":"{new.pan()}","customer":"{customer}"}}',
            f'{{"pan":"{new.pan()}","customer":"{customer}"}} {new.pan()}',
            f'{{"pan":"{new.pan()}\\u0000","customer":"{customer}"}}',
            f'{{"pan":"{new.pan()}\ud800"}}'.encode("utf-8", "surrogatepass"),
            "[" * 500 + f'"{new.pan()}"' + "]" * 500,
            "".join(f"\\u00{ord(digit):02x}" for digit in new.pan()).join(('{"pan":"', '"}')),
        ]
        for text in texts:
            self.ask("web", "POST", "/v1/tokenize", text)
        for _ in range(14):  # more than the budget of new numbers
            self.ask("web", "POST", "/v1/tokenize", {"pan": new.pan(), "customer": customer})
        self.ask("processor", "POST", "/v1/tokenize", new.card())
        self.ask("web", "POST", "/v1/detokenize", {"token": new.pan(), "purpose": new.pan()})
        self.ask("processor", "POST", "/v1/detokenize", {"token": new.pan(), "purpose": new.pan()})
        self.ask("web", "POST", "/v1/cards/search", {"customer": new.pan()})
        self.ask("web", "POST", "/v1/tokenize", new.card(), {"Idempotency-Key": new.pan()})
        for path in (f"/v1/tokens/{new.pan()}", f"/v1/{new.pan()}", f"/v1/whoami?pan={new.pan()}"):
            self.ask("web", "GET", path)

    def refuse_http(self):
        def body():
            return b'{"pan":"%s"}' % self.numbers.pan().encode()
        self.raw("web", self.post(b"/v1/tokenize", 2_000_000), body() * 20_000)
        self.raw("web", b"POST /v1/tokenize HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
                 b"1a\r\n", body() + b"\r\n0\r\n\r\n")
        self.raw("web", self.post(b"/v1/tokenize", 26, b"Content-Length: 26\r\n"), body())
        self.raw("web", b"POST /v1/tokenize HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\n"
                 b"Content-Length: 26\r\n\r\n", body())
        self.raw("web", b"GET / HTTP/1.1\r\nHost: a\r\nX-Card: %s\r\n b\r\n\r\n"
                 % self.numbers.pan().encode(), b"")
        self.raw("web", b"POST /v1/tokenize HTTP/1.1\r\n" + b"X: %s\r\n"
                 % self.numbers.pan().encode() * 2000, b"\r\n")
        first, second = (b'{"pan":"%s","customer":"%s"}' % (
            self.numbers.pan().encode(), self.numbers.customer().encode()) for _ in range(2))
        self.raw("web", self.post(b"/v1/tokenize", len(first)), first
                 + self.post(b"/v1/tokenize", len(second)) + second)  # comes before it is asked for

    def abort(self):
        for index in range(30):
            body = ('{"items":[' + ",".join(
                f'{{"pan":"{self.numbers.pan()}"}}' for _ in range(1 + 20 * (index % 5)))).encode()
            connection = self.vault.connect("web")
            connection.sendall(self.post(b"/v1/tokenize", len(body) + 50) + body)
            if index % 2 == 0:
                time.sleep(0.02)  # so that the gate has read it
            self.cut(connection, rudely=index % 3 == 0)
        for index in range(10):  # a whole request whose answer nobody waits for
            body = b'{"pan":"%s","customer":"%s"}' % (
                self.numbers.pan().encode(), self.numbers.customer().encode())
            connection = self.vault.connect("web")
            connection.sendall(self.post(b"/v1/tokenize", len(body)) + body)
            self.cut(connection, rudely=index % 2 == 0)

    @staticmethod
    def cut(connection, rudely):
        """Ends TCP below TLS: by a reset, or by an end without a word of TLS."""
        if rudely:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    def reset_during_answer(self):
        items = ",".join(f'{{"token":"{token}","purpose":"payment"}}' for token in self.tokens[30:])
        body = b'{"items":[%s]}' % items.encode()
        host, port = self.vault.address("processor")
        for index in range(10):
            plain = socket.socket()
            plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)  # the answer gets stuck
            plain.connect((host, port))
            connection = self.vault.context("processor").wrap_socket(plain, server_hostname=host)
            connection.sendall(self.post(b"/v1/detokenize", len(body)) + body)
            if index % 2 == 0:
                connection.recv(500)
            time.sleep(0.05)
            self.cut(connection, rudely=True)

    def until_refused(self, ask):
        """Asks again and again, until the vault has refused in this stage."""
        end = time.monotonic() + 60
        while not self.statuses[self.numbers.stage, 503] and time.monotonic() < end:
            ask()

    def overload(self):
        def client():
            for _ in range(4):
                items = ",".join('{"pan":"%s","customer":"%s"}' % (self.numbers.pan(), self.numbers.customer())
                                 for _ in range(20))
                body = b'{"items":[%s]}' % items.encode()
                self.raw("web", self.post(b"/v1/tokenize", len(body), b"Connection: close\r\n"), body)
        self.until_refused(lambda: self.together([client] * 40))

    @contextlib.contextmanager
    def terminate(self):
        os.kill(self.vault.daemon_pid, signal.SIGTERM)
        yield

    @staticmethod
    def together(clients):
        threads = [threading.Thread(target=client) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def lose_token(self):
        def ask():
            self.ask("web", "POST", "/v1/tokenize", self.numbers.card())
            self.ask("processor", "POST", "/v1/detokenize", {"token": self.tokens[40], "purpose": "payment"})
            time.sleep(0.05)
        os.rename(self.vault.path("token"), self.vault.path("token.away"))
        try:
            self.until_refused(ask)
            for _ in range(20):
                ask()
        finally:
            os.rename(self.vault.path("token.away"), self.vault.path("token"))
        self.vault.wait_ready()

    def restart(self):
        for killed in (self.vault.without_daemon, self.terminate):
            stop = threading.Event()

            def client(stop=stop):
                while not stop.is_set():
                    body = b'{"pan":"%s","customer":"%s"}' % (
                        self.numbers.pan().encode(), self.numbers.customer().encode())
                    self.raw("web", self.post(b"/v1/tokenize", len(body), b"Connection: close\r\n"), body)

            def killer(stop=stop, killed=killed):
                time.sleep(0.3)
                pid = self.vault.daemon_pid
                with killed():
                    self.until_refused(lambda: time.sleep(0.05))
                while self.vault.daemon_pid == pid:
                    time.sleep(0.01)
                self.vault.wait_ready()
                stop.set()

            self.together([client] * 4 + [killer])
