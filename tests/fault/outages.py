"""A vault that lacks something for a while: what its clients hear, and what it says of it."""

import time
import unittest

import traffic
from traffic import vault_fixture

PROGRAMS = vault_fixture.PROGRAMS
FIRST_UID = 61001  # cardvaultd's, where root runs the tests: see `dev`


def wait_for(what, seconds=60, every=0.02):
    """How long it took until what() was true."""
    began = time.monotonic()
    while not what():
        if time.monotonic() - began > seconds:
            raise AssertionError(f"waited {seconds} s in vain")
        time.sleep(every)
    return time.monotonic() - began


def events(vault, operation, outcome=None):
    return [event for event in traffic.read_log(vault) if event["op"] == operation and
            (outcome is None or event["outcome"] == outcome)]


def log_says(vault, text):
    with open(vault.path("log"), encoding="utf-8", errors="replace") as log:
        return log.read().count(text)


class OutageCase(unittest.TestCase):
    """With `vault` and `ledger`."""

    def tokenize(self, vault=None):
        """One request for a new card; what is acknowledged goes to the ledger."""
        pan, customer = self.ledger.new_card()
        answer = (vault or self.vault).request("web", "POST", "/v1/tokenize",
                                               {"pan": pan, "customer": customer})
        if answer.status == 200:
            self.ledger.promised(answer.json()["token"], pan, customer)
        return answer

    def reveal(self, token, vault=None):
        return (vault or self.vault).request("processor", "POST", "/v1/detokenize",
                                             {"token": token, "purpose": "payment"})

    def assert_refused(self, answer, code):
        self.assertEqual((answer.status, answer.code), (503, code), answer)
        self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)
