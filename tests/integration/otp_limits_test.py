#!/usr/bin/python3
"""How often a code may be tried and sent, on a real vault: a web tier that guesses or races gets nowhere, and
neither a restart nor a new code helps it."""

import collections
import time
import unittest

from one_time_codes import CHANGE, LOGIN, PAY, PAYMENT, CodeCase, wrong

PARALLEL = 100


class CodeLimits(CodeCase):
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
            self.assertEqual([a for a in alarms if a.startswith("otp_")], ["otp_failures_80", "otp_failures_100"])
        self.assertEqual(self.vault.verify(subject, LOGIN, code).status, 200)

    # --- sending ---

    def test_sending_is_paced_and_bounded(self):
        subject = self.subject()
        with self.configured("otp.resend_s=600"):
            answer = self.vault.seal(subject, LOGIN)
            self.assertEqual((answer.status, answer.json()["resend_after"]), (200, 600))
            self.vault.kill_and_wait()
            answer = self.assert_code(self.vault.seal(subject, LOGIN), 429, "resend_too_soon")
            self.assertTrue(1 <= int(answer.headers["Retry-After"]) <= 600)
            self.assertEqual(self.vault.seal(subject, CHANGE).status, 200)
        with self.configured("otp.sends=2"):
            self.assertEqual(self.vault.seal(subject, LOGIN).status, 200)
            answer = self.assert_code(self.vault.seal(subject, LOGIN), 429, "send_limit_reached")
            self.assertTrue(1 <= int(answer.headers["Retry-After"]) <= 3600)


if __name__ == "__main__":
    unittest.main()
