#!/usr/bin/python3
"""Who may do what: certificates at the handshake, clients and gates, freezing and revoking on live
connections, customers and tokens, and the budgets of reveals."""

import http.client
import json
import select
import socket
import ssl
import time
import unittest

import certificates
import vault_fixture
from vault_fixture import made_up_pan

WEB_CLIENTS = ("mixed", "revoked", "on-crl", "frozen", "short")
REVEALERS = {  # id: further options of `cardvault client add`
    "spender": ("--purposes", "*", "--reveals-per-hour", "10", "--reveals-per-day", "10"),
    "refunder": ("--purposes", "refund,card_to_card"),
}
PAN = made_up_pan(5550001)
LIVE_S = 15  # of the certificate that ends during its test


def wait_for(condition, seconds):
    end = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > end:
            return None
        time.sleep(0.1)
    return found


class Identity(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vault = vault_fixture.shared(vault_fixture.OPERATORS + [
            "policy.pan_budget_day=0", "policy.pan_budget_month=0", "policy.cards_per_customer=0"])
        folder = cls.vault.dir
        for name in (*WEB_CLIENTS, *REVEALERS, "unregistered"):
            if name != "short":
                certificates.issue(folder, name)
        certificates.issue(folder, "expired", "-startdate", "20200101000000Z", "-enddate",
                           "20210101000000Z")
        certificates.issue(folder, "server-only", extensions="server")
        certificates.issue_by_another_ca(folder, "stranger")
        cls.admit("web", *WEB_CLIENTS)
        cls.admit("processor", *REVEALERS)
        for name in WEB_CLIENTS:
            if name != "short":
                cls.add(name, "tokenize,cards.read,detokenize", "--purposes", "*")
        for name, options in REVEALERS.items():
            cls.add(name, "detokenize,cards.read", *options)
        cls.customers = iter(range(10_000_000))

    @classmethod
    def admit(cls, gate, *clients):
        """Names further clients in a gate's ceiling; a reload makes it hold."""
        with open(cls.vault.path("vault.toml"), encoding="utf-8") as file:
            text = file.read()
        before = f'clients = ["{gate}"'
        assert before in text
        after = before + "".join(f', "{client}"' for client in clients)
        with open(cls.vault.path("vault.toml"), "w", encoding="utf-8") as file:
            file.write(text.replace(before, after))
        cls.vault.tool("reload")

    @classmethod
    def add(cls, name, permissions, *options):
        cls.vault.tool("client", "add", name, "--cert", cls.vault.path(f"{name}.pem"),
                       "--permissions", permissions, *options)

    def live(self, client, gate="web"):
        """A connection that has been answered once."""
        host, port = self.vault.address(gate)
        connection = http.client.HTTPSConnection(host, port, timeout=20,
                                                 context=self.vault.context(client))
        self.addCleanup(connection.close)
        self.assertEqual(self.on(connection).status, 200)
        return connection

    def on(self, connection, method="GET", path="/v1/whoami", body=None):
        """One request on this very connection."""
        sock = connection.sock
        answer = self.vault.send(connection, method, path, body)
        if sock is not None and connection.sock is not None:
            self.assertIs(connection.sock, sock, "the connection was replaced")
        return answer

    def card(self, **fields):
        customer = f"+7703{next(self.customers):07d}"
        body = {"pan": PAN, "customer": customer} | fields
        answer = self.vault.request("web", "POST", "/v1/tokenize", body)
        self.assertEqual(answer.status, 200, answer)
        return answer.json()["token"], body["customer"]

    def reveal(self, token, client="processor", purpose="payment", gate="processor", **fields):
        body = {"token": token, "purpose": purpose} | fields
        return self.vault.request(client, "POST", "/v1/detokenize", body, gate=gate)

    def whoami(self, client, gate="web"):
        return self.vault.request(client, "GET", "/v1/whoami", gate=gate)

    def events_of(self, **wanted):
        return [e for e in self.vault.events() if wanted.items() <= e.items()]

    # --- handshake ---

    def assert_no_answer(self, context):
        """TLS 1.3: the client learns of it when it reads."""
        host, port = self.vault.address("web")
        connection = http.client.HTTPSConnection(host, port, timeout=10, context=context)
        with self.assertRaises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
            connection.request("GET", "/healthz")
            connection.getresponse()
        connection.close()

    def test_strangers_get_no_answer_and_are_counted_in_the_log(self):
        for client in ("expired", "stranger", "server-only"):
            with self.subTest(client=client):
                self.assert_no_answer(self.vault.context(client))
        with self.subTest(client=None):
            self.assert_no_answer(ssl.create_default_context(cafile=self.vault.path("ca.pem")))
        with self.subTest("TLS 1.2"):
            old = ssl.create_default_context(cafile=self.vault.path("ca.pem"))
            old.load_cert_chain(self.vault.path("web.pem"), self.vault.path("web.key"))
            old.maximum_version = ssl.TLSVersion.TLSv1_2
            self.assert_no_answer(old)
        reasons = {"tls_expired", "tls_untrusted", "tls_no_certificate", "tls_version"}

        def counted():
            events = self.events_of(actor="gate:web", op="refused", source="127.0.0.1")
            return {e["outcome"] for e in events} >= reasons

        self.assertTrue(wait_for(counted, 90), "gate and vault each gather for 10 s")
        self.assertEqual(self.whoami("web").status, 200)

    def refused_client(self):
        """A connection of a stranger, who has sent something, and whom the gate has refused just now."""
        plain = socket.create_connection(self.vault.address("web"), timeout=60)
        stranger = self.vault.context("stranger").wrap_socket(plain, server_hostname="localhost")
        self.addCleanup(stranger.close)
        stranger.sendall(b"x" * 4096)
        select.select([stranger], [], [], 60)
        return stranger

    def test_a_refused_certificate_is_told_so_while_its_client_is_sending(self):
        stranger = self.refused_client()
        for _ in range(3):  # a reset would end these
            time.sleep(0.05)
            stranger.sendall(b"x" * 4096)
        with self.assertRaisesRegex(ssl.SSLError, "UNKNOWN_CA|DECRYPT_ERROR|BAD_CERTIFICATE"):
            stranger.recv(1)

    def test_who_is_refused_and_goes_on_sending_is_cut(self):
        stranger, end = self.refused_client(), time.monotonic() + 60
        with self.assertRaises((ConnectionError, ssl.SSLEOFError)):
            while time.monotonic() < end:
                stranger.sendall(b"x" * 4096)
                time.sleep(0.01)

    def test_a_certificate_of_nobody_is_refused_with_an_event(self):
        answer = self.whoami("unregistered")
        self.assertEqual((answer.status, answer.code), (403, "client_unknown"))
        serial = certificates.serial(self.vault.dir, "unregistered")
        events = self.events_of(actor="unknown", op="whoami", outcome="client_unknown", gate="web")
        self.assertIn(serial, [e["details"]["certificate"] for e in events])

    def test_a_certificate_that_ends_on_a_live_connection_is_refused_there(self):
        end = time.gmtime(time.time() + LIVE_S)
        certificates.issue(self.vault.dir, "short", "-enddate", time.strftime("%Y%m%d%H%M%SZ", end))
        self.add("short", "tokenize")
        connection = self.live("short")

        def refused():
            answer = self.on(connection)
            return answer if answer.status != 200 else None

        answer = wait_for(refused, LIVE_S + 30)
        self.assertIsNotNone(answer, "still answered")
        self.assertEqual((answer.status, answer.code), (403, "certificate_expired"))

    # --- revoking and freezing ---

    def test_revoking_a_client_holds_at_once_on_its_live_connection(self):
        connection = self.live("revoked")
        self.vault.tool("client", "revoke", "revoked")
        self.assertEqual(self.on(connection).code, "client_revoked")
        done = self.vault.tool("client", "release", "revoked", check=False)
        self.assertEqual(done.returncode, 1)
        self.assertIn("for good", done.stderr)
        self.assertEqual(self.whoami("revoked").code, "client_revoked")

    def test_a_revocation_list_holds_within_seconds_on_a_live_connection(self):
        connection, other = self.live("on-crl"), self.live("web")
        certificates.revoke(self.vault.dir, "on-crl")

        def refused():
            answer = self.on(connection)
            return answer if answer.status != 200 else None

        answer = wait_for(refused, 30)
        self.assertIsNotNone(answer, "still answered")
        self.assertEqual((answer.status, answer.code), (403, "client_revoked"))
        self.assert_no_answer(self.vault.context("on-crl"))
        self.assertEqual(self.on(other).status, 200)

    def test_a_frozen_client_is_refused_until_it_is_released(self):
        connection = self.live("frozen")
        self.vault.tool("client", "freeze", "frozen")
        self.assertEqual(self.on(connection).code, "client_frozen")
        self.assertEqual(self.on(connection).status, 403)
        self.vault.release("frozen")
        self.assertEqual(self.on(connection).status, 200)
        for op in ("client.freeze", "client.release"):
            self.assertEqual(len(self.events_of(op=op, resource="frozen", outcome="ok")), 1)
        refusals = self.events_of(op="whoami", outcome="client_frozen")
        self.assertEqual(len(refusals), 2)

    # --- permissions, gates, purposes ---

    def test_a_web_client_may_not_reveal(self):
        token, _ = self.card()
        answer = self.reveal(token, "web", gate="web")
        self.assertEqual((answer.status, answer.code), (403, "permission_denied"))
        self.assertNotIn(PAN.encode(), answer.body)
        self.assertEqual(self.reveal(token, "web", gate="web", mask=True).json()["masked"],
                         PAN[:6] + "******" + PAN[-4:])

    def test_a_gate_s_ceiling_holds_whatever_the_client_may(self):
        token, _ = self.card()
        # This client may reveal, and the web tier's gate serves it: but no gate of the web tier reveals.
        self.assertNotIn("detokenize", self.whoami("mixed").json()["permissions"])
        self.assertEqual(self.reveal(token, "mixed", gate="web").code, "permission_denied")
        for client, gate in (("processor", "web"), ("web", "processor"), ("mixed", "processor"),
                             ("auditor", "web"), ("web", "auditor")):
            with self.subTest(client=client, gate=gate):
                self.assertEqual(self.reveal(token, client, gate=gate).code, "permission_denied")
                self.assertEqual(self.whoami(client, gate).code, "permission_denied")
        self.assertTrue(self.events_of(op="detokenize", outcome="permission_denied", gate="web"))

    def test_each_client_has_its_permissions_only(self):
        token, customer = self.card()
        for client, method, path, body in (
            ("processor", "POST", "/v1/tokenize", {"pan": PAN, "customer": customer}),
            ("processor", "DELETE", f"/v1/tokens/{token}", None),
            ("processor", "POST", f"/v1/tokens/{token}/freeze", None),
            ("web", "GET", "/metrics", None),
            ("auditor", "POST", "/v1/cards/search", {"customer": customer}),
            ("auditor", "GET", f"/v1/tokens/{token}", None),
        ):
            with self.subTest(client=client, method=method, path=path):
                answer = self.vault.request(client, method, path, body)
                self.assertEqual((answer.status, answer.code), (403, "permission_denied"))

    def test_a_reveal_needs_one_of_the_client_s_purposes(self):
        token, _ = self.card()
        self.assertEqual(self.reveal(token, "refunder", "refund").json()["pan"], PAN)
        for purpose in ("payment", "refund2", "Refund", "*", "", "x" * 64):
            with self.subTest(purpose=purpose):
                answer = self.reveal(token, "refunder", purpose)
                self.assertEqual((answer.status, answer.code), (403, "purpose_denied"))
        both = [{"token": token, "purpose": "refund"}, {"token": token, "purpose": "payment"}]
        answer = self.vault.request("refunder", "POST", "/v1/detokenize", {"items": both},
                                    gate="processor")
        self.assertEqual(answer.code, "purpose_denied")
        self.assertNotIn(PAN.encode(), answer.body)
        self.assertEqual(self.whoami("refunder", "processor").json()["purposes"],
                         ["refund", "card_to_card"])

    # --- customers and tokens ---

    @staticmethod
    def customer_status(inspected):
        return {row["field"]: row["value"] for row in json.loads(inspected)}["customer status"]

    def test_a_frozen_customer_s_cards_are_neither_revealed_nor_stored(self):
        token, customer = self.card()
        _, other = self.card()
        said = self.vault.tool("customer", "freeze", stdin=customer + "\n").stderr
        self.assertIn("masked data is shown", said)
        answer = self.reveal(token)
        self.assertEqual((answer.status, answer.code), (423, "customer_frozen"))
        store = {"pan": made_up_pan(5550002), "customer": customer}
        answer = self.vault.request("web", "POST", "/v1/tokenize", store)
        self.assertEqual((answer.status, answer.code), (423, "customer_frozen"))
        sealed = self.vault.seal(customer, "verify_login")
        self.assertEqual((sealed.status, sealed.code), (423, "customer_frozen"))
        # As docs/api.md and the tool say.
        self.assertEqual(self.reveal(token, mask=True).status, 200)
        self.assertEqual(self.vault.request("web", "GET", f"/v1/tokens/{token}").status, 200)
        listed = self.vault.request("web", "POST", "/v1/cards/search", {"customer": customer})
        self.assertEqual([card["token"] for card in listed.json()["cards"]], [token])
        inspected = self.vault.tool("--format", "json", "token", "inspect", token).stdout
        self.assertEqual(self.customer_status(inspected), "frozen")
        self.card(customer=other)
        self.vault.tool("customer", "unfreeze", stdin=customer + "\n")
        self.assertEqual(self.reveal(token).json()["pan"], PAN)
        self.assertEqual(self.vault.request("web", "POST", "/v1/tokenize", store).status, 200)
        self.assertEqual(len(self.events_of(op="customer.freeze", outcome="ok")), 1)
        for event in self.vault.events(100):
            self.assertNotIn(customer, str(event))

    def test_an_unknown_customer_can_t_be_frozen(self):
        for customer, code in (("+77990000000", 1), ("", 2), (PAN, 1)):
            done = self.vault.tool("customer", "freeze", stdin=customer + "\n", check=False)
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertNotIn(PAN, done.stderr)

    def test_a_token_frozen_by_an_operator_is_not_shown(self):
        token, customer = self.card()
        self.vault.tool("token", "freeze", token)
        self.assertEqual(self.reveal(token).code, "card_frozen")
        self.assertEqual(self.reveal(token, mask=True).status, 200)
        self.card(customer=customer)  # a repeat
        self.assertEqual(self.reveal(token).code, "card_frozen")
        self.vault.tool("token", "unfreeze", token)
        self.assertEqual(self.reveal(token).json()["pan"], PAN)

    def test_a_token_deleted_by_an_operator_is_gone(self):
        token, customer = self.card()
        self.vault.tool("token", "delete", token)
        self.assertEqual(self.reveal(token).code, "token_not_found")
        self.assertEqual(self.vault.tool("token", "delete", token, check=False).returncode, 1)
        again, _ = self.card(customer=customer)
        self.assertNotEqual(again, token)

    # --- the budgets of reveals ---

    def left(self, client):
        quotas = self.whoami(client, "processor").json()["quotas"]
        return {q["name"]: (q["limit"], q["left"]) for q in quotas}

    def test_reveals_are_budgeted_alarmed_and_in_the_end_freeze_the_client(self):
        vault_fixture.clear_of_the_hour()
        cards = [self.card()[0] for _ in range(3)]

        def alarms():
            return [e["outcome"] for e in self.events_of(op="alarm", actor="client:spender")]

        for number in range(1, 11):
            answer = self.reveal(cards[number % 3], "spender")
            self.assertEqual(answer.status, 200, answer)
            expected = ["reveal_budget_80"] * (number >= 8) + ["reveal_budget_100"] * (number == 10)
            self.assertEqual(alarms(), expected)
        self.assertEqual(self.left("spender"), {"reveals_per_hour": (10, 0), "reveals_per_day": (10, 0)})
        for number in range(11, 30):
            answer = self.reveal(cards[number % 3], "spender")
            self.assertEqual((answer.status, answer.code), (429, "reveal_budget_exhausted"))
            self.assertNotIn(PAN.encode(), answer.body)
            self.assertGreater(int(answer.headers["Retry-After"]), 0)
            self.assertLessEqual(int(answer.headers["Retry-After"]), 86400)
        self.assertEqual(self.reveal(cards[0], "spender", mask=True).status, 200, "masks cost nothing")
        self.assertEqual(self.reveal(cards[0], "spender").status, 429)  # the 30th attempt
        frozen = self.reveal(cards[0], "spender")
        self.assertEqual((frozen.status, frozen.code), (403, "client_frozen"))
        self.assertEqual(alarms()[2:], ["client_frozen"])
        self.assertEqual(self.reveal(cards[0]).status, 200, "others are not concerned")
        self.vault.release("spender")
        self.assertEqual(self.reveal(cards[0], "spender").json()["pan"], PAN)
        self.assertEqual(self.left("spender")["reveals_per_day"], (10, 9))

        self.vault.kill_and_wait()
        self.assertEqual(self.left("spender")["reveals_per_day"], (10, 9),
                         "a restart doesn't take back the release")


if __name__ == "__main__":
    unittest.main()
