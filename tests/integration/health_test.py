#!/usr/bin/python3
"""What probes and collectors see: health and readiness on the gates' Unix sockets and over TLS, and
the metrics."""

import re
import time
import unittest

import vault_fixture

CARD = {"pan": "4111111111111111", "customer": "+77050000001"}


def samples(text):
    """{'name{labels}': value} of the Prometheus text format."""
    found = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            found[name] = float(value)
    return found


class Health(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vault = vault_fixture.shared(["reveal.card_per_day=0"])
        answer = cls.vault.request("web", "POST", "/v1/tokenize", CARD)
        cls.token = answer.json()["token"]

    def metrics(self, client="auditor"):
        answer = self.vault.request(client, "GET", "/metrics")
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(answer.headers.get_content_type(), "text/plain")
        self.assertIn("version=0.0.4", answer.headers["Content-Type"])
        return samples(answer.body.decode())

    def reveal(self, count):
        items = [{"token": self.token, "purpose": "payment"}] * count
        return self.vault.request("processor", "POST", "/v1/detokenize", {"items": items})

    def test_each_gate_answers_its_probes(self):
        for gate in vault_fixture.GATES:
            with self.subTest(gate=gate):
                alive = self.vault.health(gate, "/healthz")
                self.assertEqual((alive.status, alive.json()), (200, {"status": "ok"}))
                ready = self.vault.health(gate, "/readyz")
                self.assertEqual((ready.status, ready.json()["state"]), (200, "ready"))
                self.assertIn("not a secure cryptographic device", str(ready.json()["notes"]))
                over_tls = self.vault.request(gate, "GET", "/healthz")
                self.assertEqual((over_tls.status, over_tls.json()), (200, {"status": "ok"}))

    def test_the_unix_socket_serves_no_cards(self):
        for path in ("/v1/whoami", f"/v1/tokens/{self.token}", "/v1/tokenize"):
            self.assertEqual(self.vault.health("web", path).status, 404)
        self.assertEqual(self.vault.request("web", "GET", "/readyz").code, "path_not_found")

    def test_readiness_follows_the_vault_and_health_does_not(self):
        with self.vault.without_daemon():
            self.assertEqual(self.vault.health("web", "/healthz").status, 200)
            answer = self.vault.health("web", "/readyz")
            self.assertEqual((answer.status, answer.json()["ready"]), (503, False))
            self.assertGreater(int(answer.headers["Retry-After"]), 0)
            self.assertEqual(answer.json()["state"], "vault_unavailable")
        for gate in vault_fixture.GATES:
            self.vault.wait_ready(gate)
            self.assertTrue(self.vault.health(gate, "/readyz").json()["ready"])

    def test_only_who_may_read_metrics_does(self):
        for client in ("web", "processor"):
            answer = self.vault.request(client, "GET", "/metrics")
            self.assertEqual((answer.status, answer.code), (403, "permission_denied"))
        own = samples(self.vault.health("web", "/metrics").body.decode())
        self.assertEqual(own['cardvault_gate_vault_connected{gate="web"}'], 1)
        self.assertFalse([name for name in own if not name.startswith("cardvault_gate_")])

    def test_requests_are_counted_by_operation_and_outcome(self):
        def counted():
            found = self.metrics()
            return [found.get(f'cardvault_requests_total{{operation="{o}",outcome="{r}"}}', 0)
                    for o, r in (("tokenize", "ok"), ("tokenize", "invalid_pan"), ("detokenize", "ok"))]

        before = counted()
        for body in (CARD, CARD, CARD | {"pan": "4111111111111112"}):
            self.vault.request("web", "POST", "/v1/tokenize", body)
        self.assertEqual(self.reveal(1).status, 200)
        self.assertEqual([b - a for a, b in zip(before, counted())], [2, 1, 1])
        found = self.metrics()
        took = [v for n, v in found.items()
                if n.startswith("cardvault_request_seconds_count") and "tokenize" in n]
        self.assertGreater(sum(took), 0)

    def test_the_state_is_in_the_gauges(self):
        end = time.monotonic() + 30  # they are set once a second
        while not (found := self.metrics()).get('cardvault_key_invocations_used{key="pan-enc/1"}'):
            self.assertLess(time.monotonic(), end)
            time.sleep(0.1)
        for name in ("ready", "hsm_ready", "store_ready", "clock_trusted"):
            self.assertEqual(found[f"cardvault_{name}"], 1, name)
        self.assertEqual(found["cardvault_bin_rows"], 3)
        self.assertEqual(found['cardvault_queue_waiting{gate="web"}'], 0)
        self.assertGreater(found["cardvault_audit_events"], 5)
        self.assertGreater(found['cardvault_key_invocations_used{key="pan-enc/1"}'], 0)
        self.assertEqual(found['cardvault_gate_vault_connected{gate="auditor"}'], 1)

    def test_alarms_are_counted_and_logged(self):
        name = 'cardvault_alarms_total{kind="reveal_budget_80"}'
        self.assertEqual(self.metrics().get(name, 0), 0)
        vault_fixture.clear_of_the_hour()
        while 200 < (left := self.left()):
            self.assertEqual(self.reveal(min(500, left - 200)).status, 200)
        self.assertEqual(self.reveal(1).status, 200)
        self.assertEqual(self.metrics()[name], 1)
        logged, end = re.compile("alarm.*reveal_budget_80"), time.monotonic() + 60
        while not logged.search(self.vault.log_tail()):  # the supervisor writes it there
            self.assertLess(time.monotonic(), end, self.vault.log_tail())
            time.sleep(0.05)
        self.assertIn("reveal_budget_80", [e["outcome"] for e in self.vault.events(50)])

    def left(self):
        """Reveals left in this hour, of 1,000; the alarm is at 800."""
        quotas = self.vault.request("processor", "GET", "/v1/whoami").json()["quotas"]
        return {q["name"]: q["left"] for q in quotas}["reveals_per_hour"]

    def test_no_card_is_in_the_metrics(self):
        text = self.vault.request("auditor", "GET", "/metrics").body.decode()
        for secret in (CARD["pan"], CARD["customer"], self.token):
            self.assertNotIn(secret, text)


if __name__ == "__main__":
    unittest.main()
