#!/usr/bin/python3
"""Passwords and quick codes on a real vault: a change needs a new code and uses it up, wrong ones lock
as wrong codes do, and nothing of a secret is told, logged or left in a file."""

import collections
import contextlib
import os
import unittest

import vault_fixture
from vault_fixture import made_up_pan, recipient

PARALLEL = 100
LOGIN, CHANGE = "verify_login", "change_password"
# Marked, so that they can be looked for.
FIRST, SECOND, THIRD = "zqsecret horse battery", "zqsecret staple correct", "zqsecret third of them"
MARK = "zqsecret"
SETTINGS = ("limits.rate_per_s=0", "otp.resend_s=0", "otp.sends=0", "attempts.subject_cap=0",
            "attempts.failures_per_hour=0", 'secrets.enroll_code=""',
            # What a hash costs is not what is tested here.
            "secrets.argon2_memory_kib=64", "secrets.argon2_passes=1")


class Secrets(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vault = vault_fixture.shared(SETTINGS)
        cls.subjects = iter(range(10_000_000))
        cls.receipts = recipient.ReceiptReader(
            cls.vault.request("web", "GET", "/v1/jwks").body, vault_fixture.ISSUER,
            recipient.SeenIds(cls.vault.path("receipts.seen")))

    def subject(self):
        return f"+7706{next(self.subjects):07d}"

    def act(self, act, subject, secret=None, kind="password", client="web"):
        body = {"subject": subject, "kind": kind}
        if secret is not None:
            body["secret"] = secret
        return self.vault.request(client, "POST", f"/v1/secrets/{act}", body)

    def enrolled(self, secret=FIRST, kind="password"):
        subject = self.subject()
        self.assert_done(self.act("enroll", subject, secret, kind))
        return subject

    @contextlib.contextmanager
    def configured(self, setting):
        before = {s.partition("=")[0]: s for s in SETTINGS}
        self.vault.configure(setting)
        try:
            yield
        finally:
            self.vault.configure(before[setting.partition("=")[0]])

    def assert_done(self, answer):
        self.assertEqual((answer.status, answer.body), (204, b""), answer)

    def assert_code(self, answer, status, code):
        self.assertEqual((answer.status, answer.code), (status, code), answer)
        self.assertNotIn(MARK.encode(), answer.body)

    def assert_right(self, answer):
        self.assertEqual((answer.status, answer.json().get("verified")), (200, True), answer)

    def assert_failed(self, answer, left):
        self.assert_code(answer, 403, "verification_failed")
        self.assertEqual(answer.json()["attempts_left"], left)

    # --- the life of a secret ---

    def test_password_is_verified_and_a_back_end_believes_the_receipt(self):
        subject = self.enrolled()
        for _ in range(2):  # unlike a code it counts as often as it is right
            answer = self.act("verify", subject, FIRST)
            self.assert_right(answer)
            self.receipts.check(answer.json()["receipt"], subject, "password")
        self.assert_failed(self.act("verify", subject, FIRST.upper()), 2)
        self.assert_failed(self.act("verify", subject, FIRST + " "), 1)
        self.assert_right(self.act("verify", subject, FIRST))
        self.assert_failed(self.act("verify", subject, SECOND), 2)

    def test_change_needs_a_new_code_and_uses_it_up(self):
        subject = self.enrolled()
        self.assert_code(self.act("change", subject, SECOND), 403, "confirmation_required")
        code = self.vault.code(subject, CHANGE)
        self.assert_code(self.act("change", subject, SECOND), 403, "confirmation_required")
        self.assertEqual(self.vault.verify(subject, CHANGE, code).status, 200)
        self.assert_done(self.act("change", subject, SECOND))
        self.assert_code(self.act("change", subject, THIRD), 403, "confirmation_required")
        self.assert_failed(self.act("verify", subject, FIRST), 2)
        self.assert_right(self.act("verify", subject, SECOND))

    def test_only_the_newest_code_of_this_subject_and_purpose_changes_it(self):
        subject, other = self.enrolled(), self.enrolled()
        self.vault.prove(other, CHANGE)
        self.vault.prove(subject, LOGIN)
        self.assert_code(self.act("change", subject, SECOND), 403, "confirmation_required")
        self.vault.prove(subject, CHANGE)
        self.assertEqual(self.vault.seal(subject, CHANGE).status, 200)  # a new request voids it
        self.assert_code(self.act("change", subject, SECOND), 403, "confirmation_required")
        self.assert_right(self.act("verify", subject, FIRST))
        self.assert_done(self.act("change", other, SECOND))

    def test_a_refused_change_keeps_the_code(self):
        subject = self.enrolled()
        self.vault.prove(subject, CHANGE)
        self.assert_code(self.act("change", subject, "short"), 422, "secret_too_weak")
        self.assert_done(self.act("change", subject, SECOND))

    def test_remove_needs_a_code_too(self):
        subject = self.enrolled()
        self.assert_code(self.act("remove", subject), 403, "confirmation_required")
        self.vault.prove(subject, CHANGE)
        self.assert_done(self.act("remove", subject))
        self.assert_failed(self.act("verify", subject, FIRST), 2)
        self.assert_code(self.act("remove", subject), 404, "not_enrolled")
        self.assert_code(self.act("change", subject, SECOND), 404, "not_enrolled")
        self.assert_done(self.act("enroll", subject, SECOND))

    def test_enrolling_takes_a_code_where_that_is_configured(self):
        subject = self.subject()
        with self.configured(f"secrets.enroll_code={LOGIN}"):
            self.assert_code(self.act("enroll", subject, FIRST), 403, "confirmation_required")
            self.vault.prove(subject, LOGIN)
            self.assert_done(self.act("enroll", subject, FIRST))
            self.vault.prove(subject, LOGIN)
            self.assert_code(self.act("enroll", subject, SECOND), 409, "already_enrolled")
        self.assert_right(self.act("verify", subject, FIRST))

    def test_kinds_are_apart(self):
        subject = self.enrolled()
        self.assert_done(self.act("enroll", subject, "4719", "quick_code"))
        for left in (2, 1, 0):
            self.assert_failed(self.act("verify", subject, "9174", "quick_code"), left)
        self.assert_code(self.act("verify", subject, "4719", "quick_code"), 423, "locked")
        answer = self.act("verify", subject, FIRST)
        self.assert_right(answer)
        self.assertEqual(self.vault.verify(subject, LOGIN, self.vault.code(subject, LOGIN)).status, 200)

    def test_secrets_survive_kill_and_restart(self):
        subject, locked = self.enrolled(), self.enrolled()
        for left in (2, 1, 0):
            self.assert_failed(self.act("verify", locked, SECOND), left)
        self.vault.prove(subject, CHANGE)
        self.vault.kill_and_wait()
        self.assert_done(self.act("change", subject, SECOND))
        self.vault.kill_and_wait()
        self.assert_right(self.act("verify", subject, SECOND))
        self.assert_code(self.act("change", subject, THIRD), 403, "confirmation_required")
        self.assert_code(self.act("verify", locked, FIRST), 423, "locked")
        self.vault.down()
        self.vault.up()
        self.assert_right(self.act("verify", subject, SECOND))
        self.assert_code(self.act("verify", locked, FIRST), 423, "locked")

    # --- refusals say nothing ---

    def test_every_refusal_is_the_same_byte_for_byte(self):
        removed = self.enrolled()
        self.vault.prove(removed, CHANGE)
        self.assert_done(self.act("remove", removed))
        known = self.subject()
        self.vault.code(known, LOGIN)
        cases = {"absent": self.subject(), "without a secret": known, "wrong": self.enrolled(),
                 "removed": removed, "another kind": self.enrolled("4719", "quick_code")}
        seen = collections.defaultdict(list)
        for name, subject in cases.items():
            body = {"subject": subject, "kind": "password", "secret": THIRD}
            for tries in range(3):
                answer, = self.vault.all_at_once("web", "/v1/secrets/verify", [body])
                seen[tries, answer.status, tuple(answer.headers.items()), answer.body].append(name)
        self.assertEqual([(k[0], k[1], len(v)) for k, v in seen.items()],
                         [(tries, 403, len(cases)) for tries in range(3)], seen)

    def test_what_is_refused(self):
        subject = self.subject()
        body = {"subject": subject, "kind": "password", "secret": FIRST}
        refused = {
            "short": (body | {"secret": "zqshort"}, 422, "secret_too_weak"),
            "short in code points": (body | {"secret": "пароль7"}, 422, "secret_too_weak"),
            "common": (body | {"secret": "Password123"}, 422, "secret_too_weak"),
            "a run": (body | {"secret": "123456789012"}, 422, "secret_too_weak"),
            "one letter": (body | {"secret": "zzzzzzzzzzzz"}, 422, "secret_too_weak"),
            "the subject": (body | {"secret": subject}, 422, "secret_too_weak"),
            "a card": (body | {"secret": made_up_pan(7_777_779)}, 422, "pan_in_field"),
            "too long": (body | {"secret": MARK * 33}, 400, "invalid_field"),
            "empty": (body | {"secret": ""}, 400, "invalid_field"),
            "a number": (body | {"secret": 12345678}, 400, "invalid_field"),
            "with a NUL": (body | {"secret": f"{MARK}\0{MARK}"}, 400, "invalid_json"),
            "with a control": (body | {"secret": f"{MARK}\x07{MARK}"}, 400, "invalid_field"),
            "no kind": ({"subject": subject, "secret": FIRST}, 400, "missing_field"),
            "another kind": (body | {"kind": "pattern"}, 400, "invalid_field"),
            "quick code of letters": (body | {"kind": "quick_code", "secret": "zqab"}, 400, "invalid_field"),
            "quick code of five": (body | {"kind": "quick_code", "secret": "47193"}, 400, "invalid_field"),
            "quick code that runs": (body | {"kind": "quick_code", "secret": "1234"}, 422,
                                     "secret_too_weak"),
            "quick code as PIN": ({"subject": subject, "kind": "quick_code", "pin": "4719"}, 422,
                                  "sensitive_authentication_data"),
            "a purpose": (body | {"purpose": LOGIN}, 400, "unknown_field"),
            "a batch": ({"items": [body]}, 400, "unknown_field"),
            "a card for a subject": (body | {"subject": made_up_pan(7_777_780)}, 422, "pan_in_field"),
            "a control in the subject": (body | {"subject": "x\x01"}, 422, "invalid_subject"),
        }
        for name, (sent, status, refusal) in refused.items():
            with self.subTest(name):
                self.assert_code(self.vault.request("web", "POST", "/v1/secrets/enroll", sent), status,
                                 refusal)
        self.assert_code(self.act("verify", subject, ""), 400, "invalid_field")
        self.assert_code(self.act("remove", subject, FIRST), 400, "unknown_field")
        self.assert_done(self.act("enroll", subject, FIRST))

    def test_long_and_foreign_passwords_are_taken_whole(self):
        for secret in ("zq" + "я" * 127, "zq 🔑 пароль " * 8, "zq'\"\\<>%&;--"):
            with self.subTest(secret[:8]):
                subject = self.enrolled(secret)
                self.assert_right(self.act("verify", subject, secret))
                self.assert_failed(self.act("verify", subject, secret[:-1]), 2)

    # --- races ---

    def test_a_hundred_wrong_ones_at_once_are_three_tries(self):
        for subject in (self.enrolled(), self.subject()):
            body = {"subject": subject, "kind": "password", "secret": SECOND}
            answers = self.vault.all_at_once("web", "/v1/secrets/verify", [body] * PARALLEL)
            self.assertEqual(collections.Counter((a.code, a.json().get("attempts_left")) for a in answers), {
                ("verification_failed", 2): 1, ("verification_failed", 1): 1,
                ("verification_failed", 0): 1, ("locked", None): PARALLEL - 3})

    def test_one_code_is_one_change(self):
        subject = self.enrolled()
        self.vault.prove(subject, CHANGE)
        secrets = [f"{MARK} number {n:04d}" for n in range(20)]
        bodies = [{"subject": subject, "kind": "password", "secret": secret} for secret in secrets]
        answers = self.vault.all_at_once("web", "/v1/secrets/change", bodies)
        self.assertEqual(collections.Counter(a.code or a.status for a in answers),
                         {204: 1, "confirmation_required": 19})
        kept = secrets[[a.status for a in answers].index(204)]
        self.assert_right(self.act("verify", subject, kept))

    def test_one_subject_enrols_once(self):
        subject = self.subject()
        bodies = [{"subject": subject, "kind": "password", "secret": f"{MARK} number {n:04d}"}
                  for n in range(20)]
        answers = self.vault.all_at_once("web", "/v1/secrets/enroll", bodies)
        self.assertEqual(collections.Counter(a.code or a.status for a in answers),
                         {204: 1, "already_enrolled": 19})
        kept = bodies[[a.status for a in answers].index(204)]
        self.assert_right(self.vault.request("web", "POST", "/v1/secrets/verify", kept))

    # --- who may, and what is left ---

    def test_others_may_not(self):
        for client in ("processor", "auditor"):
            for act in ("enroll", "verify", "change"):
                with self.subTest(client=client, act=act):
                    self.assert_code(self.act(act, self.subject(), FIRST, client=client), 403,
                                     "permission_denied")

    def test_nothing_of_a_secret_is_in_log_or_files(self):
        subject = self.enrolled()
        self.act("verify", subject, SECOND)
        self.act("verify", subject, FIRST)
        mine = [e for e in self.vault.events(50) if e["op"].startswith("secret.")][-3:]
        self.assertEqual([(e["op"], e["outcome"], e["actor"], e["details"]["kind"]) for e in mine], [
            ("secret.enroll", "ok", "client:web", "password"),
            ("secret.verify", "verification_failed", "client:web", "password"),
            ("secret.verify", "ok", "client:web", "password")])
        found = []
        for folder, _, names in os.walk(self.vault.dir):
            for name in names:
                path = os.path.join(folder, name)
                with contextlib.suppress(OSError):  # a socket, or gone meanwhile
                    with open(path, "rb") as file:
                        content = file.read()
                    found += [path for text in (MARK.encode(), subject.encode()) if text in content]
        found = [path for path in found if not path.endswith(".seen")]
        self.assertEqual(found, [])


if __name__ == "__main__":
    unittest.main()
