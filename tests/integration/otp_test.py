#!/usr/bin/python3
"""One-time codes on a real vault: the SMS gateway opens what is sealed, the web tier relays and verifies,
and a web tier that repeats or changes gets nowhere."""

import collections
import re
import time
import unittest

import certificates
from one_time_codes import CHANGE, LOGIN, MARK, OTHER_PAYMENTS, PAY, PAYMENT, CodeCase, wrong
from vault_fixture import made_up_pan, recipient


class Codes(CodeCase):
    # --- what a code is ---

    def test_login_is_verified_once_and_a_back_end_believes_the_receipt(self):
        subject = self.subject()
        sealed = self.vault.seal(subject, LOGIN)
        self.assertEqual(sealed.status, 200, sealed)
        self.assertRegex(sealed.json()["id"], "^[0-9a-f]{32}$")
        self.assertEqual(sealed.json()["resend_after"], 0)
        claims = self.vault.recipient("sms-gateway").open(
            sealed.json()["sealed"], recipient.OTP, purpose=LOGIN, context=None)
        self.assertEqual(claims["sub"], subject)
        self.assertEqual(claims["exp"] - claims["iat"], 900)
        self.assertRegex(claims["code"], "^[0-9]{6}$")
        answer = self.vault.verify(subject, LOGIN, claims["code"])
        self.assertEqual((answer.status, answer.json()["verified"]), (200, True), answer)
        receipt = self.receipts.check(answer.json()["receipt"], subject, LOGIN)
        self.assertEqual(receipt["code_id"], sealed.json()["id"])
        self.assert_failed(self.vault.verify(subject, LOGIN, claims["code"]), 2)

    def test_only_the_gateway_opens_a_code(self):
        sealed = self.vault.seal(self.subject(), LOGIN).json()["sealed"]
        with self.assertRaises(recipient.Refused):
            self.vault.recipient("acquirer").open(sealed, recipient.OTP)
        gateway = self.vault.recipient("sms-gateway")
        with self.assertRaises(recipient.Refused):
            gateway.open(sealed, recipient.CARD)
        gateway.open(sealed, recipient.OTP)
        with self.assertRaises(recipient.Refused):
            gateway.open(sealed, recipient.OTP)  # a second message of the same code

    def test_digits_and_life_are_what_was_asked_within_the_purpose(self):
        for digits in (6, 8, 10):
            self.assertRegex(self.vault.code(self.subject(), LOGIN, digits=digits),
                             f"^[0-9]{{{digits}}}$")
        answer = self.vault.seal(self.subject(), LOGIN, ttl=300)
        claims = self.vault.recipient("sms-gateway").open(answer.json()["sealed"], recipient.OTP)
        self.assertEqual(claims["exp"] - claims["iat"], 300)
        self.assert_code(self.vault.seal(self.subject(), LOGIN, ttl=901), 422, "invalid_ttl")

    def test_codes_use_every_digit(self):
        seen = "".join(self.vault.code(self.subject(), LOGIN, digits=10) for _ in range(60))
        counts = collections.Counter(seen)
        # 600 digits: of a fair code each of the ten is missing once in 10^27 runs.
        self.assertEqual(len(counts), 10)

    def test_payment_is_bound_to_amount_currency_and_payee(self):
        for name, other in OTHER_PAYMENTS.items():
            with self.subTest(name):
                subject = self.subject()
                code = self.vault.code(subject, PAYMENT, PAY)
                self.assert_failed(self.vault.verify(subject, PAYMENT, code, other), 2)
                answer = self.vault.verify(subject, PAYMENT, code, PAY)
                self.assertEqual(answer.status, 200, answer)
                receipt = answer.json()["receipt"]
                with self.assertRaises(recipient.Refused):
                    self.receipts.check(receipt, subject, PAYMENT, context=other)
                self.receipts.check(receipt, subject, PAYMENT, context=PAY)

    def test_a_code_is_of_its_subject_and_purpose(self):
        one, other = self.subject(), self.subject()
        code = self.vault.code(one, LOGIN)
        self.assert_failed(self.vault.verify(other, LOGIN, code), 2)
        self.assert_failed(self.vault.verify(one, CHANGE, code), 2)
        self.assertEqual(self.vault.verify(one, LOGIN, code).status, 200)

    def test_a_new_code_voids_the_old(self):
        subject = self.subject()
        first = self.vault.code(subject, CHANGE)
        second = self.vault.code(subject, CHANGE, digits=8)
        self.assert_failed(self.vault.verify(subject, CHANGE, first), 2)
        self.assertEqual(self.vault.verify(subject, CHANGE, second).status, 200)

    def test_cancel_voids_and_says_nothing(self):
        subject = self.subject()
        code = self.vault.code(subject, LOGIN)
        for who in (subject, subject, self.subject()):
            answer = self.vault.request("web", "POST", "/v1/otp/cancel",
                                        {"subject": who, "purpose": LOGIN})
            self.assertEqual((answer.status, answer.body), (204, b""))
        self.assert_failed(self.vault.verify(subject, LOGIN, code), 2)

    # --- refusals say nothing ---

    def test_every_refusal_is_the_same_byte_for_byte(self):
        def absent(_):
            return "123456"

        def never_sealed(subject):
            self.vault.code(subject, CHANGE)  # known, but not for this purpose
            return "123456"

        def wrong_code(subject):
            return wrong(self.vault.code(subject, PAYMENT, PAY))

        def another_length(subject):
            return self.vault.code(subject, PAYMENT, PAY) + "0"

        def superseded(subject):
            first = self.vault.code(subject, PAYMENT, PAY)
            self.vault.code(subject, PAYMENT, PAY, digits=7)
            return first

        def used(subject):
            code = self.vault.code(subject, PAYMENT, PAY)
            self.assertEqual(self.vault.verify(subject, PAYMENT, code, PAY).status, 200)
            return code

        def cancelled(subject):
            code = self.vault.code(subject, PAYMENT, PAY)
            self.vault.request("web", "POST", "/v1/otp/cancel", {"subject": subject, "purpose": PAYMENT})
            return code

        def expired(subject):
            code = self.vault.code(subject, PAYMENT, PAY, ttl=1)
            time.sleep(2.5)  # vault time that is ahead of the clock runs at half speed
            return code

        cases = {f.__name__: (f, PAY) for f in (absent, never_sealed, wrong_code, another_length,
                                                superseded, used, cancelled, expired)}
        for name, other in OTHER_PAYMENTS.items():
            cases[f"another {name}"] = (lambda s: self.vault.code(s, PAYMENT, PAY), other)
        seen = collections.defaultdict(list)
        for name, (make, context) in cases.items():
            subject = self.subject()
            body = self.body(subject, make(subject), PAYMENT, context)
            for tries in range(4):
                answer, = self.vault.all_at_once("web", "/v1/otp/verify", [body])
                headers = tuple((k, v) for k, v in answer.headers.items() if k != "Retry-After")
                answered = re.sub(rb'"retry_after":[0-9]+', b"", answer.body)
                seen[tries, answer.status, headers, answered].append(name)
        self.assertEqual([(k[0], k[1], len(v)) for k, v in seen.items()],
                         [(0, 403, len(cases)), (1, 403, len(cases)), (2, 403, len(cases)),
                          (3, 423, len(cases))], seen)

    def test_what_is_malformed_is_refused_and_not_counted(self):
        subject = self.subject()
        code = self.vault.code(subject, PAYMENT, PAY)
        body = self.body(subject, code, PAYMENT, PAY)
        long_payee, card = "x" * 129, made_up_pan(7_777_777)
        refused = {
            "code as number": (body | {"code": 123456}, 400, "invalid_field"),
            "short code": (body | {"code": "12345"}, 400, "invalid_field"),
            "long code": (body | {"code": "12345678901"}, 400, "invalid_field"),
            "code with a space": (body | {"code": "123 456"}, 400, "invalid_field"),
            "no code": ({k: v for k, v in body.items() if k != "code"}, 400, "missing_field"),
            "unknown field": (body | {MARK: 1}, 400, "unknown_field"),
            "unknown purpose": (body | {"purpose": MARK}, 422, "otp_purpose_unknown"),
            "no context": (self.body(subject, code, PAYMENT), 422, "invalid_context"),
            "context without payee": (body | {"context": {"amount": 1, "currency": "KZT"}}, 400,
                                      "missing_field"),
            "unknown field in the context": (body | {"context": PAY | {MARK: 1}}, 400, "unknown_field"),
            "no amount": (body | {"context": PAY | {"amount": 0}}, 422, "invalid_context"),
            "negative amount": (body | {"context": PAY | {"amount": -1}}, 422, "invalid_context"),
            "amount too large": (body | {"context": PAY | {"amount": 10**15 + 1}}, 422, "invalid_context"),
            "amount with a fraction": (body | {"context": PAY | {"amount": 1250000.5}}, 400, "invalid_field"),
            "amount as text": (body | {"context": PAY | {"amount": "1250000"}}, 400, "invalid_field"),
            "currency in lower case": (body | {"context": PAY | {"currency": "kzt"}}, 422,
                                       "invalid_context"),
            "payee too long": (body | {"context": PAY | {"payee": long_payee}}, 422, "invalid_context"),
            "payee with a control": (body | {"context": PAY | {"payee": f"a\n{MARK}"}}, 422,
                                     "invalid_context"),
            "payee is a card": (body | {"context": PAY | {"payee": card}}, 422, "pan_in_field"),
            "subject is a card": (body | {"subject": card}, 422, "pan_in_field"),
            "subject with a control": (body | {"subject": f"{MARK}\x01"}, 422, "invalid_subject"),
            "subject too long": (body | {"subject": MARK * 20}, 422, "invalid_subject"),
            "empty subject": (body | {"subject": ""}, 400, "invalid_field"),
            "a CVV": (body | {"cvv2": "123"}, 422, "sensitive_authentication_data"),
            "a CVV in the context": (body | {"context": PAY | {"cvc": "123"}}, 422,
                                     "sensitive_authentication_data"),
        }
        for name, (sent, status, refusal) in refused.items():
            with self.subTest(name):
                answer = self.vault.request("web", "POST", "/v1/otp/verify", sent)
                self.assert_code(answer, status, refusal)
                self.assertNotIn(MARK.encode(), answer.body)
        exponent = b'{"subject":"x","purpose":"%s","code":"123456","context":{"amount":125e4,' \
                   b'"currency":"KZT","payee":"x"}}' % PAYMENT.encode()
        self.assert_code(self.vault.request("web", "POST", "/v1/otp/verify", exponent), 400, "invalid_field")
        self.assert_failed(self.vault.verify(subject, PAYMENT, wrong(code), PAY), 2)
        self.assertEqual(self.vault.verify(subject, PAYMENT, code, PAY).status, 200)

    # --- sending ---

    def test_idempotency_key_sends_one_message(self):
        subject, key = self.subject(), {"Idempotency-Key": "seal-1"}
        body = {"subject": subject, "purpose": LOGIN, "recipient": "sms-gateway"}
        first = self.vault.request("web", "POST", "/v1/otp/seal", body, key)
        self.assertEqual(first.status, 200, first)
        again = self.vault.request("web", "POST", "/v1/otp/seal", body, key)
        self.assertEqual(first.body, again.body)
        self.assert_code(self.vault.request("web", "POST", "/v1/otp/seal", body | {"digits": 8}, key), 422,
                         "idempotency_mismatch")
        claims = self.vault.recipient("sms-gateway").open(first.json()["sealed"], recipient.OTP)
        self.assertEqual(self.vault.verify(subject, LOGIN, claims["code"]).status, 200)

    def test_seal_refuses_what_it_should(self):
        subject = self.subject()
        body = {"subject": subject, "purpose": LOGIN, "recipient": "sms-gateway"}
        refused = {
            "nobody": (body | {"recipient": "nobody"}, 422, "recipient_unknown"),
            "a recipient of cards": (body | {"recipient": "acquirer"}, 403, "recipient_not_allowed"),
            "neither": ({k: v for k, v in body.items() if k != "recipient"}, 400, "missing_field"),
            "both": (body | {"clear": True}, 400, "invalid_field"),
            "a payment without one": (body | {"purpose": PAYMENT}, 422, "invalid_context"),
            "an unknown purpose": (body | {"purpose": MARK}, 422, "otp_purpose_unknown"),
            "a code of one's own": (body | {"code": "123456"}, 400, "unknown_field"),
            "five digits": (body | {"digits": 5}, 400, "invalid_field"),
            "a batch": ({"items": [body]}, 400, "unknown_field"),
            "a card for a subject": (body | {"subject": made_up_pan(7_777_778)}, 422, "pan_in_field"),
        }
        for name, (sent, status, refusal) in refused.items():
            with self.subTest(name):
                answer = self.vault.request("web", "POST", "/v1/otp/seal", sent)
                self.assert_code(answer, status, refusal)
                self.assertNotIn(MARK.encode(), answer.body)
        self.assert_failed(self.vault.verify(subject, LOGIN, "123456"), 2)

    # --- who may ---

    def test_web_tier_gets_no_clear_code(self):
        body = {"subject": self.subject(), "purpose": LOGIN, "clear": True}
        self.assert_code(self.vault.request("web", "POST", "/v1/otp/seal", body), 403, "permission_denied")

    def test_clear_code_needs_its_permission_and_a_gate_that_allows_it(self):
        client = "callcentre"
        certificates.issue(self.vault.dir, client)
        with open(self.vault.path("vault.toml"), encoding="utf-8") as file:
            text = file.read()
        for gate in ("web", "processor"):
            text = text.replace(f'clients = ["{gate}"]', f'clients = ["{gate}", "{client}"]')
        text = text.replace('permissions = ["detokenize",',
                            'permissions = ["otp.seal", "otp.verify", "otp.clear", "detokenize",')
        with open(self.vault.path("vault.toml"), "w", encoding="utf-8") as file:
            file.write(text)
        self.vault.tool("reload")
        self.vault.tool("client", "add", client, "--cert", self.vault.path(f"{client}.pem"),
                        "--permissions", "otp.seal,otp.verify,otp.clear")
        subject = self.subject()
        body = {"subject": subject, "purpose": LOGIN, "clear": True}
        self.assert_code(self.vault.request(client, "POST", "/v1/otp/seal", body, gate="web"), 403,
                         "permission_denied")
        self.assert_code(self.vault.request("processor", "POST", "/v1/otp/seal", body), 403,
                         "permission_denied")
        self.assert_code(self.vault.request(client, "POST", "/v1/otp/seal", body,
                                            {"Idempotency-Key": "clear-1"}, gate="processor"), 400,
                         "invalid_idempotency_key")
        answer = self.vault.request(client, "POST", "/v1/otp/seal", body, gate="processor")
        self.assertEqual(sorted(answer.json()), ["code", "expires_at", "id", "resend_after"], answer)
        self.assertEqual(self.vault.verify(subject, LOGIN, answer.json()["code"]).status, 200)
        event = [e for e in self.vault.events(20) if e["op"] == "otp.seal"][-1]
        self.assertEqual((event["actor"], event["details"]["clear"]), (f"client:{client}", "true"))

    def test_others_neither_seal_nor_verify(self):
        for client in ("processor", "auditor"):
            with self.subTest(client):
                self.assert_code(self.vault.seal("x", LOGIN, client=client), 403, "permission_denied")
                self.assert_code(self.vault.verify("x", LOGIN, "123456", client=client), 403,
                                 "permission_denied")
        for client in ("processor", "auditor", "web"):
            answer = self.vault.request(client, "GET", "/v1/jwks")
            self.assertEqual((answer.status, answer.headers["Content-Type"]),
                             (200, "application/jwk-set+json"))

    def test_log_tells_who_and_never_the_code(self):
        subject = self.subject()
        code = self.vault.code(subject, PAYMENT, PAY, digits=10)
        self.vault.verify(subject, PAYMENT, wrong(code), PAY)
        self.assertEqual(self.vault.verify(subject, PAYMENT, code, PAY).status, 200)
        mine = [e for e in self.vault.events(50) if e["op"].startswith("otp.")][-3:]
        self.assertEqual([(e["op"], e["outcome"], e["actor"], e["purpose"]) for e in mine], [
            ("otp.seal", "ok", "client:web", PAYMENT),
            ("otp.verify", "verification_failed", "client:web", PAYMENT),
            ("otp.verify", "ok", "client:web", PAYMENT)])
        self.assertEqual(len({e["resource"] for e in mine}), 1)
        everything = self.vault.tool("--format", "json", "audit", "tail", "-n", "1000").stdout
        for secret in (subject, code, wrong(code)):
            self.assertNotIn(secret, everything)


if __name__ == "__main__":
    unittest.main()
