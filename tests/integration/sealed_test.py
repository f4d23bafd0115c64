#!/usr/bin/python3
"""Payments on a real vault: the customer confirms amount, currency and payee by a code, the web tier
relays a card that only the acquirer opens, and what was confirmed is spent by it."""

import collections
import unittest

import vault_fixture
from vault_fixture import made_up_pan, recipient

PAYMENT, LOGIN = "confirm_transaction", "verify_login"
PAY = {"amount": 1250000, "currency": "KZT", "payee": "Kazakhtelecom"}
OTHER_PAYMENTS = {"amount": PAY | {"amount": 1250001}, "currency": PAY | {"currency": "USD"},
                  "payee": PAY | {"payee": "kazakhtelecom"}}
SETTINGS = ("limits.rate_per_s=0", "otp.resend_s=0", "otp.sends=0", "attempts.subject_cap=0",
            "attempts.failures_per_hour=0", "policy.pan_budget_day=0", "policy.pan_budget_month=0",
            "reveal.client_per_hour=0", "reveal.client_per_day=0", "reveal.card_per_day=4",
            "policy.purpose.recurring.confirm=false")


class Sealed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vault = vault_fixture.shared(SETTINGS)
        cls.numbers = iter(range(10_000_000))

    def card(self):
        """(token, PAN, customer)"""
        number = next(self.numbers)
        pan, customer = made_up_pan(number), f"+7707{number:07d}"
        answer = self.vault.request("web", "POST", "/v1/tokenize",
                                    {"pan": pan, "customer": customer, "expiry": "2029-12"})
        self.assertEqual(answer.status, 200, answer)
        return answer.json()["token"], pan, customer

    def body(self, token, context=None, purpose="payment", to="acquirer"):
        body = {"token": token, "purpose": purpose, "recipient": to}
        return body if context is None else body | {"context": context}

    def reveal(self, token, context=None, client="web", **fields):
        return self.vault.request(client, "POST", "/v1/detokenize", self.body(token, context, **fields))

    def assert_code(self, answer, status, code):
        self.assertEqual((answer.status, answer.code), (status, code), answer)

    def assert_unconfirmed(self, answer):
        self.assert_code(answer, 403, "confirmation_required")

    def assert_opens(self, answer, token, pan, context=PAY, purpose="payment"):
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(list(answer.json()), ["sealed"])
        self.assertNotIn(pan.encode(), answer.body)
        claims = self.vault.recipient("acquirer").open(
            answer.json()["sealed"], recipient.CARD, purpose=purpose, context=context)
        self.assertEqual((claims["token"], claims["pan"], claims["expiry"]), (token, pan, "2029-12"))

    # --- the way of a payment ---

    def test_confirmed_payment_reaches_the_acquirer_once(self):
        token, pan, customer = self.card()
        self.assert_unconfirmed(self.reveal(token, PAY))
        code = self.vault.code(customer, PAYMENT, PAY)
        self.assert_unconfirmed(self.reveal(token, PAY))  # sent is not confirmed
        self.assertEqual(self.vault.verify(customer, PAYMENT, code, PAY).status, 200)
        self.assert_opens(self.reveal(token, PAY), token, pan)
        self.assert_unconfirmed(self.reveal(token, PAY))
        self.assertEqual(self.vault.verify(customer, PAYMENT, code, PAY).code, "verification_failed")
        self.vault.prove(customer, PAYMENT, PAY)  # the same again is another payment
        self.assert_opens(self.reveal(token, PAY), token, pan)

    def test_another_payment_is_not_the_confirmed_one(self):
        token, pan, customer = self.card()
        self.vault.prove(customer, PAYMENT, PAY)
        self.assert_unconfirmed(self.reveal(token))
        for name, other in OTHER_PAYMENTS.items():
            with self.subTest(name):
                self.assert_unconfirmed(self.reveal(token, other))
        self.assert_opens(self.reveal(token, PAY), token, pan)  # what was refused spent nothing

    def test_only_the_cards_own_customer_confirms(self):
        token, pan, customer = self.card()
        _, _, other = self.card()
        self.vault.prove(other, PAYMENT, PAY)
        self.vault.prove(customer, LOGIN)
        self.assert_unconfirmed(self.reveal(token, PAY))
        self.vault.prove(customer, PAYMENT, PAY)
        self.assert_opens(self.reveal(token, PAY), token, pan)

    def test_a_new_code_takes_the_confirmation_back(self):
        token, _, customer = self.card()
        for take_back in (lambda: self.vault.seal(customer, PAYMENT, PAY),
                          lambda: self.vault.request("web", "POST", "/v1/otp/cancel",
                                                     {"subject": customer, "purpose": PAYMENT})):
            self.vault.prove(customer, PAYMENT, PAY)
            self.assertIn(take_back().status, (200, 204))
            self.assert_unconfirmed(self.reveal(token, PAY))

    def test_one_confirmation_is_one_card_in_a_batch_and_in_a_race(self):
        token, pan, customer = self.card()
        self.vault.prove(customer, PAYMENT, PAY)
        answer = self.vault.request("web", "POST", "/v1/detokenize", {"items": [self.body(token, PAY)] * 3})
        items = answer.json()["items"]
        self.assertEqual([list(item) for item in items], [["sealed"], ["error"], ["error"]])
        self.assertEqual([item["error"]["code"] for item in items[1:]], ["confirmation_required"] * 2)
        self.vault.recipient("acquirer").open(items[0]["sealed"], recipient.CARD, context=PAY)
        self.vault.prove(customer, PAYMENT, PAY)
        answers = self.vault.all_at_once("web", "/v1/detokenize", [self.body(token, PAY)] * 30)
        self.assertEqual(collections.Counter(a.code or "sealed" for a in answers),
                         {"sealed": 1, "confirmation_required": 29})
        self.assert_opens(next(a for a in answers if a.status == 200), token, pan)

    def test_spent_stays_spent_and_confirmed_stays_confirmed(self):
        token, pan, customer = self.card()
        self.vault.prove(customer, PAYMENT, PAY)
        self.vault.kill_and_wait()
        self.assert_opens(self.reveal(token, PAY), token, pan)
        self.vault.kill_and_wait()
        self.assert_unconfirmed(self.reveal(token, PAY))

    def test_what_stops_a_reveal_spends_no_confirmation(self):
        token, pan, customer = self.card()
        self.vault.prove(customer, PAYMENT, PAY)
        path = f"/v1/tokens/{token}"
        self.assertEqual(self.vault.request("web", "POST", f"{path}/freeze").status, 204)
        self.assert_code(self.reveal(token, PAY), 423, "card_frozen")
        self.assertEqual(self.vault.request("web", "POST", f"{path}/unfreeze").status, 204)
        for to, status, code in (("nobody", 422, "recipient_unknown"),
                                 ("sms-gateway", 403, "recipient_not_allowed")):
            self.assert_code(self.reveal(token, PAY, to=to), status, code)
        self.assert_opens(self.reveal(token, PAY), token, pan)

    def test_sealed_reveals_are_counted_like_clear_ones(self):
        token, _, customer = self.card()
        vault_fixture.clear_of_the_hour()
        for _ in range(4):
            self.assertEqual(self.reveal(token, purpose="recurring").status, 200)
        self.vault.prove(customer, PAYMENT, PAY)
        self.assert_code(self.reveal(token, PAY), 429, "reveal_budget_exhausted")

    def test_a_purpose_can_do_without_confirmation(self):
        token, pan, _ = self.card()
        self.assert_opens(self.reveal(token, purpose="recurring"), token, pan, recipient.ANY, "recurring")
        self.assert_opens(self.reveal(token, PAY, purpose="recurring"), token, pan, PAY, "recurring")

    # --- who may have what ---

    def test_only_the_acquirer_opens_a_card(self):
        token, _, _ = self.card()
        sealed = self.reveal(token, purpose="recurring").json()["sealed"]
        for name, kind in (("sms-gateway", recipient.CARD), ("acquirer", recipient.OTP)):
            with self.subTest(name), self.assertRaises(recipient.Refused):
                self.vault.recipient(name).open(sealed, kind)
        self.vault.recipient("acquirer").open(sealed, recipient.CARD)
        with self.assertRaises(recipient.Refused):
            self.vault.recipient("acquirer").open(sealed, recipient.CARD)

    def test_web_tier_gets_no_clear_reveal(self):
        token, _, customer = self.card()
        self.vault.prove(customer, PAYMENT, PAY)
        for body in ({"token": token, "purpose": "payment"},
                     {"token": token, "purpose": "payment", "mask": False},
                     {"items": [self.body(token, PAY), {"token": token, "purpose": "payment"}]}):
            answer = self.vault.request("web", "POST", "/v1/detokenize", body)
            self.assert_code(answer, 403, "permission_denied")

    def test_processor_has_no_sealed_ones(self):
        token, _, _ = self.card()
        self.assert_code(self.reveal(token, PAY, client="processor"), 403, "permission_denied")

    def test_what_is_malformed_is_refused(self):
        token, _, customer = self.card()
        self.vault.prove(customer, PAYMENT, PAY)
        body = self.body(token, PAY)
        bare = {"token": token, "purpose": "payment"}
        refused = {
            "masked and sealed": (body | {"mask": True}, 400, "invalid_field"),
            "context without a recipient": (bare | {"context": PAY}, 400, "invalid_field"),
            "empty recipient": (body | {"recipient": ""}, 400, "invalid_field"),
            "list of recipients": (body | {"recipient": ["acquirer"]}, 400, "invalid_field"),
            "a certificate": (body | {"certificate": "x"}, 400, "unknown_field"),
            "amount as text": (body | {"context": PAY | {"amount": "1250000"}}, 400, "invalid_field"),
            "amount with a fraction": (body | {"context": PAY | {"amount": 1250000.0}}, 400, "invalid_field"),
            "no amount": (body | {"context": PAY | {"amount": 0}}, 422, "invalid_context"),
            "payee is a card": (body | {"context": PAY | {"payee": made_up_pan(7_777_781)}}, 422,
                                "pan_in_field"),
            "too many": ({"items": [body] * 251}, 400, "batch_size"),
        }
        for name, (sent, status, code) in refused.items():
            with self.subTest(name):
                self.assert_code(self.vault.request("web", "POST", "/v1/detokenize", sent), status, code)
        answer = self.vault.request("web", "POST", "/v1/detokenize", {"items": [body] * 250})
        self.assertEqual((answer.status, len(answer.json()["items"])), (200, 250), answer)
        self.assertEqual(sum("sealed" in item for item in answer.json()["items"]), 1)

    def test_the_longest_batch_of_sealed_cards_is_answered(self):
        payee = PAY | {"payee": "\u20ac" * 42}
        bodies = [self.body(self.card()[0], payee, purpose="recurring") for _ in range(250)]
        answer = self.vault.request("web", "POST", "/v1/detokenize", {"items": bodies})
        self.assertEqual(answer.status, 200, answer)
        self.assertTrue(all("sealed" in item for item in answer.json()["items"]))

    def test_log_tells_to_whom_and_by_which_code(self):
        token, pan, customer = self.card()
        code = self.vault.seal(customer, PAYMENT, PAY).json()
        claims = self.vault.recipient("sms-gateway").open(code["sealed"], recipient.OTP)
        self.assertEqual(self.vault.verify(customer, PAYMENT, claims["code"], PAY).status, 200)
        self.assert_opens(self.reveal(token, PAY), token, pan)
        event = [e for e in self.vault.events(20) if e["op"] == "detokenize"][-1]
        self.assertEqual((event["outcome"], event["resource"], event["purpose"]), ("ok", token, "payment"))
        self.assertEqual((event["details"]["recipient"], event["details"]["code"]),
                         ("acquirer", code["id"]))


if __name__ == "__main__":
    unittest.main()
