#!/usr/bin/python3
"""One-time codes on a real vault: the SMS gateway opens what is sealed, the web tier relays and verifies,
and a web tier that guesses, repeats, changes or races gets nowhere."""

import collections
import contextlib
import re
import time
import unittest

import certificates
import vault_fixture
from vault_fixture import made_up_pan, recipient

PARALLEL = 100
LOGIN, CHANGE, PAYMENT = "verify_login", "change_password", "confirm_transaction"
PAY = {"amount": 1250000, "currency": "KZT", "payee": "Kazakhtelecom"}
OTHER_PAYMENTS = {"amount": PAY | {"amount": 1250001}, "currency": PAY | {"currency": "USD"},
                  "payee": PAY | {"payee": "Kazakhtelecom "}}
MARK = "zqmarkzq"  # what no answer may repeat
# Of tests that are about something else.
WITHOUT_PACING = ("limits.rate_per_s=0", "otp.resend_s=0", "otp.sends=0", "attempts.subject_cap=0",
                  "attempts.failures_per_hour=0")


def wrong(code):
    """Another code of the same form."""
    return code[:-1] + str((int(code[-1]) + 1) % 10)


class Codes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vault = vault_fixture.shared(WITHOUT_PACING)
        cls.subjects = iter(range(10_000_000))
        cls.receipts = recipient.ReceiptReader(
            cls.vault.request("web", "GET", "/v1/jwks").body, vault_fixture.ISSUER,
            recipient.SeenIds(cls.vault.path("receipts.seen")))

    def subject(self):
        return f"+7705{next(self.subjects):07d}"

    @contextlib.contextmanager
    def configured(self, *settings):
        """Settings for a while; what WITHOUT_PACING says afterwards."""
        before = {s.partition("=")[0]: s for s in (*WITHOUT_PACING, "attempts.lock_s=900")}
        self.vault.configure(*settings)
        try:
            yield
        finally:
            self.vault.configure(*(before[s.partition("=")[0]] for s in settings))

    def body(self, subject, code, purpose=LOGIN, context=None):
        body = {"subject": subject, "purpose": purpose, "code": code}
        return body if context is None else body | {"context": context}

    def assert_code(self, answer, status, code):
        self.assertEqual((answer.status, answer.code), (status, code), answer)
        return answer

    def assert_failed(self, answer, left):
        self.assert_code(answer, 403, "verification_failed")
        self.assertEqual(answer.json()["attempts_left"], left)

    def assert_locked(self, answer, most=900):
        self.assert_code(answer, 423, "locked")
        self.assertTrue(1 <= int(answer.headers["Retry-After"]) <= most, answer.headers["Retry-After"])
        self.assertEqual(answer.headers["Retry-After"], str(answer.json()["retry_after"]))
        self.assertNotIn("attempts_left", answer.json())

    def lock(self, subject, purpose=LOGIN, context=None):
        for left in (2, 1, 0):
            self.assert_failed(self.vault.verify(subject, purpose, "000000", context), left)

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
            time.sleep(1.5)
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

    # --- races ---

    def outcomes(self, answers):
        return collections.Counter("ok" if a.status == 200 else
                                   (a.code, a.json().get("attempts_left")) for a in answers)

    def test_a_hundred_right_ones_at_once_are_one_success(self):
        subject = self.subject()
        code = self.vault.code(subject, LOGIN)
        answers = self.vault.all_at_once("web", "/v1/otp/verify", [self.body(subject, code)] * PARALLEL)
        self.assertEqual(self.outcomes(answers), {
            "ok": 1, ("verification_failed", 2): 1, ("verification_failed", 1): 1,
            ("verification_failed", 0): 1, ("locked", None): PARALLEL - 4})

    def test_a_hundred_wrong_ones_at_once_are_three_tries(self):
        for known in (True, False):
            with self.subTest(known=known):
                subject = self.subject()
                code = self.vault.code(subject, LOGIN) if known else "123456"
                answers = self.vault.all_at_once("web", "/v1/otp/verify",
                                                 [self.body(subject, wrong(code))] * PARALLEL)
                self.assertEqual(self.outcomes(answers), {
                    ("verification_failed", 2): 1, ("verification_failed", 1): 1,
                    ("verification_failed", 0): 1, ("locked", None): PARALLEL - 3})
                for answer in answers:
                    if answer.status == 423:
                        self.assert_locked(answer)

    def test_guessing_beside_the_right_one_wins_nothing(self):
        subject = self.subject()
        code = self.vault.code(subject, LOGIN)
        bodies = [self.body(subject, code), self.body(subject, wrong(code))] * (PARALLEL // 2)
        counts = self.outcomes(self.vault.all_at_once("web", "/v1/otp/verify", bodies))
        self.assertLessEqual(counts["ok"], 1)
        failed = sum(n for what, n in counts.items() if what[0] == "verification_failed")
        self.assertLessEqual(failed, 3 + 2 * counts["ok"])  # before a success at most two
        self.assert_locked(self.vault.verify(subject, LOGIN, code))

    def test_many_seals_at_once_are_one_message(self):
        subject = self.subject()
        body = {"subject": subject, "purpose": LOGIN, "recipient": "sms-gateway"}
        with self.configured("otp.resend_s=60"):
            answers = self.vault.all_at_once("web", "/v1/otp/seal", [body] * 20)
        self.assertEqual(collections.Counter(a.code or "sealed" for a in answers),
                         {"sealed": 1, "resend_too_soon": 19})

    # --- locks ---

    def test_lock_holds_for_the_right_code_and_for_a_new_one(self):
        subject = self.subject()
        code = self.vault.code(subject, LOGIN)
        self.lock(subject)
        self.assert_locked(self.vault.verify(subject, LOGIN, code))
        self.assert_locked(self.vault.seal(subject, LOGIN))
        other = self.vault.code(subject, CHANGE)  # a lock is of one purpose
        self.assertEqual(self.vault.verify(subject, CHANGE, other).status, 200)
        self.assert_locked(self.vault.verify(subject, LOGIN, code))

    def test_wrong_tries_outlive_a_new_code_but_not_a_success(self):
        subject = self.subject()
        self.assert_failed(self.vault.verify(subject, LOGIN, wrong(self.vault.code(subject, LOGIN))), 2)
        code = self.vault.code(subject, LOGIN)
        self.assert_failed(self.vault.verify(subject, LOGIN, wrong(code)), 1)
        self.assertEqual(self.vault.verify(subject, LOGIN, code).status, 200)
        self.assert_failed(self.vault.verify(subject, LOGIN, code), 2)

    def test_lock_and_count_survive_kill_and_restart(self):
        locked, stranger, halfway = self.subject(), self.subject(), self.subject()
        codes = {s: self.vault.code(s, LOGIN) for s in (locked, halfway)}
        self.lock(locked)
        self.lock(stranger)
        self.assert_failed(self.vault.verify(halfway, LOGIN, wrong(codes[halfway])), 2)
        for restart in (self.vault.kill_and_wait, self.down_and_up):
            with self.subTest(restart.__name__):
                restart()
                self.assert_locked(self.vault.verify(locked, LOGIN, codes[locked]))
                self.assert_locked(self.vault.verify(stranger, LOGIN, "123456"))
        self.assert_failed(self.vault.verify(halfway, LOGIN, wrong(codes[halfway])), 1)
        self.vault.kill_and_wait()
        self.assertEqual(self.vault.verify(halfway, LOGIN, codes[halfway]).status, 200)
        self.vault.kill_and_wait()
        self.assert_failed(self.vault.verify(halfway, LOGIN, codes[halfway]), 2)

    def down_and_up(self):
        self.vault.down()
        self.vault.up()

    def test_lock_ends_by_itself(self):
        subject = self.subject()
        code = self.vault.code(subject, LOGIN)
        with self.configured("attempts.lock_s=3"):
            while (answer := self.vault.verify(subject, LOGIN, wrong(code))).status != 423:
                pass
            self.assert_locked(answer, most=3)
            time.sleep(int(answer.headers["Retry-After"]))
            self.assertEqual(self.vault.verify(subject, LOGIN, code).status, 200)

    def test_subject_is_blocked_at_its_cap_until_an_operator_unlocks_it(self):
        subject = self.subject()
        code = self.vault.code(subject, CHANGE)
        with self.configured("attempts.subject_cap=4"):
            self.lock(subject)
            self.assert_failed(self.vault.verify(subject, CHANGE, wrong(code)), 0)
            for answer in (self.vault.verify(subject, CHANGE, code), self.vault.verify(subject, LOGIN, code),
                           self.vault.seal(subject, PAYMENT, PAY)):
                self.assert_code(answer, 423, "subject_blocked")
                self.assertNotIn("Retry-After", answer.headers)
            self.vault.tool("otp", "unlock", stdin=subject + "\n")
            self.assertEqual(self.vault.verify(subject, CHANGE, code).status, 200)

    def test_failures_of_all_together_are_bounded_and_raise_alarms(self):
        subject = self.subject()
        code = self.vault.code(subject, LOGIN)
        with self.configured("attempts.failures_per_hour=5"):
            for _ in range(5):
                self.assert_failed(self.vault.verify(self.subject(), LOGIN, "123456"), 2)
            for answer in (self.vault.verify(self.subject(), LOGIN, "123456"),
                           self.vault.verify(subject, LOGIN, code)):
                self.assert_code(answer, 429, "failure_budget_exhausted")
                self.assertTrue(1 <= int(answer.headers["Retry-After"]) <= 3600)
            alarms = [e["outcome"] for e in self.vault.events() if e["op"] == "alarm"]
            self.assertEqual(alarms, ["otp_failures_80", "otp_failures_100"])
        self.assertEqual(self.vault.verify(subject, LOGIN, code).status, 200)

    # --- sending ---

    def test_sending_is_paced_and_bounded(self):
        subject = self.subject()
        with self.configured("otp.resend_s=60"):
            answer = self.vault.seal(subject, LOGIN)
            self.assertEqual((answer.status, answer.json()["resend_after"]), (200, 60))
            self.vault.kill_and_wait()
            answer = self.assert_code(self.vault.seal(subject, LOGIN), 429, "resend_too_soon")
            self.assertTrue(1 <= int(answer.headers["Retry-After"]) <= 60)
            self.assertEqual(self.vault.seal(subject, CHANGE).status, 200)
        with self.configured("otp.sends=2"):
            self.assertEqual(self.vault.seal(subject, LOGIN).status, 200)
            answer = self.assert_code(self.vault.seal(subject, LOGIN), 429, "send_limit_reached")
            self.assertTrue(1 <= int(answer.headers["Retry-After"]) <= 3600)

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
