#!/usr/bin/python3
"""What operators do about sealed data: recipients and their certificates, a customer's locks, canaries,
the vault's public keys."""

import base64
import json
import time
import unittest

import certificates
import vault_fixture
from vault_fixture import recipient

DONE, REFUSED, USAGE, UNREACHABLE, LOCAL, WAITS = range(6)
WRONG = "000000"


def kid_of(sealed):
    head = sealed.split(".")[0]
    return json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))["kid"]


def utc(seconds):
    return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + seconds))


class OperatorsTool(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vault = vault_fixture.shared(["otp.resend_s=0", "otp.sends=0", "admin.two_operators=[]"])
        cls.phones = iter(range(10_000_000))

    def phone(self):
        return f"+7708{next(self.phones):07d}"

    def tool(self, code, *arguments, **options):
        done = self.vault.tool(*arguments, check=False, **options)
        self.assertEqual(done.returncode, code, (arguments, done.stdout, done.stderr))
        return done

    def rows(self, *arguments, **options):
        return json.loads(self.tool(DONE, "--format", "json", *arguments, **options).stdout)

    def recipients(self):
        return {row["recipient"]: row for row in self.rows("recipient", "list")}

    def newest(self, op):
        return [event for event in self.vault.events(200) if event["op"] == op][-1]

    def issue(self, name, *options, **more):
        certificates.issue(self.vault.dir, name, *options, **more)
        return self.vault.path(f"{name}.pem")

    def add(self, name, may="otp", code=DONE, **certificate):
        path = certificate.get("path") or self.issue(name)
        done = self.tool(code, "recipient", "add", name, "--cert", path, "--ca",
                         certificate.get("ca") or self.vault.path("ca.pem"), "--may", may)
        if code == DONE:
            self.addCleanup(self.vault.tool, "recipient", "remove", name, check=False)
        return done

    def seal_to(self, name):
        return self.vault.seal(self.phone(), "verify_login", recipient=name)

    # --- recipients ---

    def test_what_is_registered_is_listed_and_audited(self):
        path = self.issue("listed")
        self.add("listed", "otp,reveal", path=path)
        row = self.recipients()["listed"]
        self.assertEqual((row["state"], row["may"], row["key"]), ("active", "otp,reveal", "EC P-256"))
        self.assertIn("CN=listed", row["subject"])
        self.assertEqual(row["next from"], "")
        event = self.newest("recipient.add")
        self.assertEqual((event["resource"], event["outcome"]), ("listed", "ok"))
        self.assertEqual(event["details"]["spki_sha256"], row["spki sha-256"])
        self.tool(DONE, "recipient", "remove", "listed")
        by_pin = self.tool(DONE, "recipient", "add", "by-pin", "--cert", path, "--pin",
                           row["spki sha-256"], "--may", "otp")
        self.addCleanup(self.vault.tool, "recipient", "remove", "by-pin")
        self.assertIn("CN=listed", by_pin.stderr, "what an operator compares is said")

    def test_a_recipient_is_sealed_to_from_its_registration_to_its_removal(self):
        self.assertEqual(self.seal_to("shortly").code, "recipient_unknown")
        self.add("shortly")
        phone = self.phone()
        answer = self.vault.seal(phone, "verify_login", recipient="shortly")
        self.assertEqual(answer.status, 200, answer)
        claims = self.vault.recipient("shortly").open(answer.json()["sealed"], recipient.OTP,
                                                      purpose="verify_login", context=recipient.ANY)
        self.assertEqual(claims["sub"], phone)
        self.vault.kill_and_wait()
        self.assertEqual(self.seal_to("shortly").status, 200, "a restart forgets no recipient")
        self.tool(DONE, "recipient", "remove", "shortly")
        self.assertEqual(self.seal_to("shortly").code, "recipient_unknown")
        self.tool(REFUSED, "recipient", "remove", "shortly")

    def test_what_may_be_sealed_to_a_recipient_is_said_at_its_registration(self):
        self.add("cards-only", "reveal")
        self.assertEqual(self.seal_to("cards-only").code, "recipient_not_allowed")

    def test_certificates_that_nothing_may_be_sealed_to_are_refused_with_what_to_do(self):
        folder = self.vault.dir
        certificates.issue_by_another_ca(folder, "foreign")
        self.issue("ended", "-startdate", utc(-7200), "-enddate", utc(-3600))
        certificates.openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=weak",
                             "-keyout", self.vault.path("weak.key"), "-out", self.vault.path("weak.pem"))
        for name, said in (("foreign", "does not chain"), ("ended", "ended on"), ("weak", "3072")):
            with self.subTest(name=name):
                done = self.add(name, code=REFUSED, path=self.vault.path(f"{name}.pem"))
                self.assertIn(said, done.stderr)
                event = self.newest("recipient.add")
                self.assertEqual((event["resource"], event["outcome"]), (name, "invalid_argument"))
                self.assertNotIn(name, self.recipients())
        good = self.issue("good")
        wrong_pin = self.tool(REFUSED, "recipient", "add", "good", "--cert", good, "--pin", "00" * 32,
                              "--may", "otp")
        self.assertIn("pin", wrong_pin.stderr)
        for arguments in (("Bad Name", "otp"), ("good", "everything"), ("good", "")):
            with self.subTest(arguments=arguments):
                self.tool(REFUSED, "recipient", "add", arguments[0], "--cert", good, "--ca",
                          self.vault.path("ca.pem"), "--may", arguments[1])
        self.assertIn("already", self.add("acquirer", code=REFUSED, path=good).stderr)
        self.assertIn("no certificate", self.add("good", code=REFUSED,
                                                 path=self.vault.path("vault.toml")).stderr)

    def replace(self, code, name, *arguments):
        return self.tool(code, "recipient", "replace", name, *arguments)

    def test_a_key_is_one_recipients(self):
        first = self.issue("first")
        self.add("first", path=first)
        self.add("second")
        ca = ("--ca", self.vault.path("ca.pem"))
        refused = self.add("third", code=REFUSED, path=first)
        self.assertIn("recipient 'first' has the key", refused.stderr)
        self.assertNotIn("third", self.recipients())
        event = self.newest("recipient.add")
        self.assertEqual((event["resource"], event["outcome"]), ("third", "already_exists"))
        before = self.recipients()["second"]
        for when in ((), ("--after", "7d")):
            refused = self.replace(REFUSED, "second", "--cert", first, *ca, *when)
            self.assertIn("recipient 'first' has the key", refused.stderr)
        self.assertEqual(self.recipients()["second"], before)
        # Nor one that is another's from some time on; its own may stay its key.
        self.replace(DONE, "second", "--cert", self.issue("second-2"), *ca, "--after", "7d")
        self.add("third", code=REFUSED, path=self.vault.path("second-2.pem"))
        self.replace(DONE, "first", "--cert", first, *ca)

    def test_a_replacement_from_a_time_that_is_over_is_refused(self):
        self.add("late")
        before = self.recipients()["late"]
        refused = self.replace(REFUSED, "late", "--cert", self.issue("late-2"), "--ca",
                               self.vault.path("ca.pem"), "--from", "2026-01-01T00:00:00Z")
        self.assertIn("is over", refused.stderr)
        self.assertEqual(self.recipients()["late"], before)

    def test_a_replacement_at_once_holds_at_once(self):
        self.add("moved")
        before = kid_of(self.seal_to("moved").json()["sealed"])
        self.replace(DONE, "moved", "--cert", self.issue("moved-2"), "--ca", self.vault.path("ca.pem"))
        after = kid_of(self.seal_to("moved").json()["sealed"])
        self.assertNotEqual(before, after)
        self.assertEqual(self.recipients()["moved"]["next from"], "")

    def test_a_replacement_in_time_takes_effect_by_itself(self):
        self.add("overlap")
        ca = self.vault.path("ca.pem")
        old = kid_of(self.seal_to("overlap").json()["sealed"])
        new, start = self.issue("overlap-2"), time.monotonic()
        self.replace(DONE, "overlap", "--cert", new, "--ca", ca, "--after", "5s")
        row = self.recipients()["overlap"]
        while (kid := kid_of(self.seal_to("overlap").json()["sealed"])) == old:
            self.assertNotEqual(row["next from"], "")
            self.assertLess(time.monotonic(), start + 60)
            time.sleep(0.1)
        self.assertGreater(time.monotonic(), start + 4.5)
        self.assertNotEqual(kid, old)
        self.vault.recipient("overlap-2")
        self.assertEqual(self.recipients()["overlap"]["next from"], "")
        self.replace(REFUSED, "overlap", "--cancel")

        # One more, which another takes the place of, and which is then dropped.
        now = kid_of(self.seal_to("overlap").json()["sealed"])
        later = time.strftime("%Y-%m-%dT06:00:00Z", time.gmtime(time.time() + 90 * 86400))
        self.replace(DONE, "overlap", "--cert", self.issue("overlap-3"), "--ca", ca, "--after", "7d")
        first = self.recipients()["overlap"]
        self.replace(DONE, "overlap", "--cert", self.issue("overlap-4"), "--ca", ca,
                     "--from", later)
        second = self.recipients()["overlap"]
        self.assertEqual(second["next from"], later.replace("Z", ".000Z"))
        self.assertNotEqual(first["next spki sha-256"], second["next spki sha-256"])
        self.replace(DONE, "overlap", "--cancel")
        self.assertEqual(self.recipients()["overlap"]["next from"], "")
        self.assertEqual(kid_of(self.seal_to("overlap").json()["sealed"]), now)
        self.replace(REFUSED, "overlap", "--cancel")
        self.replace(REFUSED, "nobody", "--cancel")

    def test_a_certificate_that_ends_soon_is_warned_of(self):
        self.add("ending", path=self.issue("ending", "-enddate", utc(10 * 86400)))
        findings = json.loads(self.vault.tool("--format", "json", "doctor", check=False).stdout)
        warned = [f for f in findings if "recipient ending" in f["what"]]
        self.assertEqual([f["severity"] for f in warned], ["warning"])
        self.assertIn("recipient replace ending", warned[0]["do"])

        def gauge():
            text = self.vault.request("auditor", "GET", "/metrics").body.decode()
            lines = [line for line in text.splitlines()
                     if line.startswith('cardvault_recipient_certificate_seconds{recipient="ending"}')]
            return float(lines[0].split()[-1]) if lines else None

        end = time.monotonic() + 60
        while gauge() is None and time.monotonic() < end:
            time.sleep(0.2)
        self.assertAlmostEqual(gauge(), 10 * 86400, delta=120)
        self.replace(DONE, "ending", "--cert", self.issue("ending-2"), "--ca", self.vault.path("ca.pem"),
                     "--after", "5d")
        self.assertNotIn("recipient ending",
                         self.vault.tool("--format", "json", "doctor", check=False).stdout)
        self.tool(DONE, "recipient", "remove", "ending")
        end = time.monotonic() + 60
        while gauge() is not None and time.monotonic() < end:
            time.sleep(0.2)
        self.assertIsNone(gauge())

    # --- a customer's wrong tries ---

    def status(self, phone):
        return {row["scope"]: row for row in self.rows("otp", "status", stdin=phone + "\n")}

    def test_an_operator_sees_and_ends_a_lock(self):
        phone = self.phone()
        self.assertEqual(set(self.status(phone)), {"total"})
        code = self.vault.code(phone, "verify_login")
        wrong = WRONG if code != WRONG else "111111"
        for left in (2, 1, 0):
            answer = self.vault.verify(phone, "verify_login", wrong)
            self.assertEqual((answer.status, answer.json()["attempts_left"]), (403, left))
        self.assertEqual(self.vault.verify(phone, "verify_login", code).status, 423)
        row = self.status(phone)["otp:verify_login"]
        self.assertEqual((row["failures"], row["sent"]), ("3", "1"))
        self.assertRegex(row["locked until"], r"^20\d\d-.*Z$")
        self.assertEqual(self.status(phone)["total"]["failures"], "3")

        self.tool(DONE, "otp", "unlock", stdin=phone + "\n")
        self.assertEqual(self.status(phone)["total"]["failures"], "0")
        self.assertEqual(self.status(phone)["otp:verify_login"]["locked until"], "")
        again = self.vault.code(phone, "verify_login")
        self.assertEqual(self.vault.verify(phone, "verify_login", again).status, 200)
        self.assertRegex(self.newest("otp.unlock")["customer"], "^[0-9a-f]{32}$")
        for event in self.vault.events(100):
            self.assertNotIn(phone, str(event))

    def test_whom_the_vault_does_not_know_locks_and_unlocks_alike(self):
        phone = self.phone()
        for _ in range(3):
            self.assertEqual(self.vault.verify(phone, "verify_login", WRONG).status, 403)
        self.assertEqual(self.vault.verify(phone, "verify_login", WRONG).status, 423)
        self.assertEqual(self.status(phone)["otp:verify_login"]["failures"], "3")
        self.tool(DONE, "otp", "unlock", stdin=phone + "\n")
        self.assertEqual(self.vault.verify(phone, "verify_login", WRONG).status, 403)

    def test_a_customer_is_read_from_stdin_only(self):
        self.tool(USAGE, "otp", "status", stdin="")
        self.tool(USAGE, "otp", "unlock", "+77010000001")
        self.tool(REFUSED, "otp", "status", stdin="4111111111111111\n")

    # --- canaries and keys ---

    def test_who_reveals_a_canary_is_frozen(self):
        planted = self.rows("canary", "plant", "--bin", "41111111", "--count", "3")
        numeric = self.rows("canary", "plant", "--bin", "55555555", "--token-format", "numeric")
        tokens = [row["token"] for row in planted + numeric]
        self.assertEqual(len(set(tokens)), 4)
        self.assertRegex(numeric[0]["token"], "^7[0-9]{18}$")
        self.assertLessEqual(set(tokens), {row["token"] for row in self.rows("canary", "list")})
        self.assertEqual(self.newest("canary.plant")["resource"], tokens[-1])
        shown = self.vault.request("web", "GET", f"/v1/tokens/{tokens[0]}")
        self.assertEqual(shown.json()["last4"], planted[0]["card"][-4:])
        self.vault.kill_and_wait()
        body = {"token": tokens[1], "purpose": "payment"}
        answer = self.vault.request("processor", "POST", "/v1/detokenize", body)
        self.assertNotIn("pan", answer.json())
        self.assertEqual(self.vault.request("processor", "GET", "/v1/whoami").code, "client_frozen")
        self.tool(DONE, "client", "release", "processor")
        for token in tokens:
            self.tool(DONE, "token", "delete", token)
        self.assertEqual(self.rows("canary", "list"), [])

    def test_a_canary_looks_like_a_card_that_the_vault_stores(self):
        self.assertIn("refuses", self.tool(REFUSED, "canary", "plant", "--bin", "40000566").stderr)
        self.assertIn("BIN", self.tool(REFUSED, "canary", "plant", "--bin", "99999999").stderr)
        self.tool(REFUSED, "canary", "plant", "--bin", "4111111111111111")
        self.tool(USAGE, "canary", "plant", "--bin", "41111111", "--count", "0")
        self.tool(USAGE, "canary", "plant")

    def test_the_key_set_is_the_one_that_clients_get(self):
        printed = json.loads(self.tool(DONE, "jwks").stdout)
        self.assertEqual(printed, self.vault.request("web", "GET", "/v1/jwks").json())
        self.assertEqual([key["kty"] for key in printed["keys"]], ["EC"])
        self.assertNotIn("d", printed["keys"][0])


if __name__ == "__main__":
    unittest.main()
