"""Codes on a real vault whose limits are out of the way, but where a test sets them."""

import contextlib
import unittest

import vault_fixture
from vault_fixture import recipient

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


class CodeCase(unittest.TestCase):
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
