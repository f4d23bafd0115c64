"""A client that sends what it must not, for tests of what comes back and what is kept of it."""

import os
import re
import unittest

import vault_fixture
from vault_fixture import made_up_pan

# What no answer, file or log may ever hold.
MARK, CVV = "zqmarkzq", "cvvzq7319"
PAN = made_up_pan(9071643)
SPACED = f"{PAN[:4]} {PAN[4:8]} {PAN[8:12]} {PAN[12:]}"
DASHED = SPACED.replace(" ", "-")
WRONG = PAN[:-1] + str((int(PAN[-1]) + 1) % 10)
FOREIGN = made_up_pan(9071644, "40000566")
NOWHERE = made_up_pan(9071645, "60110009")
SECRETS = (MARK, CVV, PAN, SPACED, DASHED, WRONG, FOREIGN, NOWHERE)

REQUEST = b"POST /v1/tokenize HTTP/1.1\r\n"
HOST = b"Host: localhost\r\n"
JSON = b"Content-Type: application/json\r\n"


class HostileClient(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vault = vault_fixture.shared(["limits.rate_per_s=0", "policy.pan_budget_day=0",
                                          "policy.pan_budget_month=0"])
        cls.customers = iter(range(10_000_000))

    def customer(self):
        return f"+7702{next(self.customers):07d}"

    def check(self, answer):
        """What holds for every answer."""
        self.assertEqual(answer.headers["Cache-Control"], "no-store", answer)
        text = answer.body.decode()
        for secret in SECRETS:
            self.assertNotIn(secret, text)
            self.assertNotIn(secret, str(answer.headers))
        return answer

    def send(self, body=None, headers=None, method="POST", path="/v1/tokenize", client="web"):
        return self.check(self.vault.request(client, method, path, body, headers))

    def assert_refused(self, answer, status, code):
        self.assertEqual((answer.status, answer.code), (status, code), answer)

    def tokenize(self, **fields):
        answer = self.send({"pan": PAN, "customer": self.customer()} | fields)
        self.assertEqual(answer.status, 200, answer)
        return answer.json()

    def exchange(self, request):
        return self.check(self.vault.raw("web", request))

    def kept(self, *more):
        """Which of the secrets, and of what else is named, stand in the vault's files: (text, folder)."""
        found = set()
        for folder, _, names in os.walk(self.vault.dir):
            for path in (os.path.join(folder, name) for name in names):
                try:
                    with open(path, "rb") as file:
                        data = file.read()
                except OSError:
                    continue  # a socket, or gone meanwhile
                for secret in (*SECRETS, *more):
                    if secret.encode() in data:
                        found.add((secret, os.path.relpath(folder, self.vault.dir)))
        return found

    def tearDown(self):
        token = self.tokenize()["token"]
        body = {"token": token, "purpose": "payment"}
        answer = self.vault.request("processor", "POST", "/v1/detokenize", body)
        self.assertEqual(answer.json()["pan"], PAN, "the vault still works")
        log = self.vault.log_tail(100_000)
        self.assertNotRegex(log, re.compile("ended with (signal|status [1-9])"))
