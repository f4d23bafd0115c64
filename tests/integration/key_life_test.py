#!/usr/bin/python3
"""The life of a key on a real vault under load: every key rotated without one failed request, rows
moved to the new version through a kill, no card with two tokens meanwhile, keys retired, kept and
destroyed, and what doctor, metrics and the log say of it."""

import base64
import json
import os
import re
import sys
import threading
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fault"))
import traffic  # noqa: E402
from traffic import vault_fixture  # noqa: E402

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: E402

PURPOSES = ("pan-enc", "pan-index", "id-index", "id-enc", "otp-mac", "secret-enc", "seal-sign",
            "audit-sign", "client-ca")
CARDS = 5000
SETTINGS = traffic.UNLIMITED + (
    "policy.cards_per_customer=0", "policy.pan_budget_day=0", "policy.pan_budget_month=0",
    "otp.resend_s=0", "otp.sends=0", "attempts.failures_per_hour=0", "keys.rewrap_rows_per_s=100",
    "keys.cryptoperiod_days.secret-enc=7")


def check_note(vkey, note):
    """The text of a note signed by the log's key (c2sp.org/signed-note); raises when it is not."""
    name, _, key = vkey.split("+", 2)
    text, _, signatures = note.partition("\n\n")
    signer, signature = re.fullmatch(r"— (\S+) (\S+)\n", signatures).groups()
    if signer != name:
        raise AssertionError(f"signed by {signer}, not by {name}")
    Ed25519PublicKey.from_public_bytes(base64.b64decode(key)[1:]).verify(
        base64.b64decode(signature)[4:], (text + "\n").encode())
    return text


class KeyLife(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vault = vault_fixture.shared(SETTINGS)
        with open(cls.vault.path("audit.vkey"), encoding="ascii") as file:
            cls.vkey = file.read().strip()

    def keys(self):
        rows = self.rows("key", "list")
        return {row["key"]: row for row in rows}

    def rows(self, *arguments):
        return json.loads(self.vault.tool("--format", "json", *arguments).stdout or "[]")

    def newest(self, purpose):
        return max(int(label.split("/")[1]) for label in self.keys() if label.startswith(purpose + "/"))

    def state(self, label):
        return self.keys()[label]["state"]

    def refused(self, *arguments):
        done = self.vault.tool(*arguments, check=False)
        self.assertEqual(done.returncode, 1, done.stdout + done.stderr)
        return done.stderr

    def wait(self, condition):
        end = time.monotonic() + 60
        while not condition():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)

    def rotate(self, purpose):
        self.vault.tool("key", "rotate", purpose)
        version = self.newest(purpose)
        self.assertEqual(self.state(f"{purpose}/{version}"), "active")
        self.assertEqual(self.state(f"{purpose}/{version - 1}"), "decrypt only")
        return version

    def test_1_every_key_rotates_under_load(self):
        ledger = traffic.Ledger(first_card=1_000_000)
        subject = "+77051112233"
        code = self.vault.code(subject, "verify_login")
        with traffic.Traffic(self.vault, ledger, allowed=()) as load:
            time.sleep(0.3)
            for purpose in PURPOSES:
                before = load.answers
                self.rotate(purpose)
                self.wait(lambda before=before: load.answers > before)
            # Sealed under otp-mac/1, and its receipt is signed by seal-sign/2.
            answer = self.vault.verify(subject, "verify_login", code)
            self.assertEqual(answer.status, 200, answer)
            # Recipients fetch the JWK set again when they meet a key that they don't know.
            self.vault._recipients.clear()
            self.vault.prove(subject, "change_password")
        self.assertEqual(dict(load.refusals), {}, "a request was refused because a key was rotated")
        traffic.settle(self.vault, ledger)
        jwks = self.vault.request("web", "GET", "/v1/jwks").json()["keys"]
        self.assertEqual(len(jwks), 2, "earlier signatures can still be checked")
        events = [e for e in self.vault.events(100_000) if e["op"] == "key.activate"]
        self.assertEqual({e["resource"].split("/")[0] for e in events}, set(PURPOSES))
        self.assertTrue(all(e["outcome"] == "ok" and e["details"]["kcv"] for e in events))

    def test_2_rows_move_under_load_through_a_kill(self):
        ledger = traffic.Ledger(first_card=2_000_000)
        web = traffic.Line(self.vault, "web")
        tokens = {}
        for part in traffic.chunks([ledger.new_card() for _ in range(CARDS)], 500):
            body = {"items": [{"pan": pan, "customer": customer} for pan, customer in part]}
            answer = web.send("POST", "/v1/tokenize", body)
            for card, item in zip(part, answer.json()["items"]):
                tokens[item["token"]] = card
                ledger.promised(item["token"], *card)
        web.close()
        version = self.rotate("pan-enc")
        old = f"pan-enc/{version - 1}"
        stderr = self.refused("key", "retire", old)
        self.assertRegex(stderr, r"\d+ rows stand under " + old)
        self.vault.configure("keys.rewrap_rows_per_s=2000")  # from the next start on
        self.vault.tool("key", "rewrap", "pan-enc", "--no-wait")
        time.sleep(1)
        self.vault.kill_and_wait()
        def resumed():
            return [e["resource"] for e in self.vault.events(2000) if e["op"] == "key.rewrap.resume"]

        self.wait(resumed)
        self.assertEqual(resumed(), ["pan-enc"], "it was in the middle")
        with traffic.Traffic(self.vault, ledger, allowed=()) as load:
            done = self.vault.tool("key", "rewrap", "pan-enc")
        self.assertEqual(dict(load.refusals), {}, "a request was refused because rows were moved")
        notes = re.findall(r"(cardvault key statement v1\n.*?\n— [^\n]*\n)", done.stdout, re.DOTALL)
        signed = [check_note(self.vkey_now(), note) for note in notes]
        self.assertTrue(any(f"statement: 0 rows left on {old}\n" in text for text in signed), signed)
        traffic.settle(self.vault, ledger)
        processor = traffic.Line(self.vault, "processor")
        found = traffic._reveal(processor, list(tokens)[:1000])
        processor.close()
        for token, pan in found.items():
            if ledger.cards[token].life == traffic.LIVE and pan.isdigit():
                self.assertEqual(pan, tokens[token][0])
        self.vault.tool("key", "retire", old)
        self.assertEqual(self.state(old), "retired")
        statement = self.vault.tool("key", "statement", old).stdout
        self.assertIn(f"statement: 0 rows left on {old}", check_note(self.vkey_now(), statement))

    def vkey_now(self):
        """The verification key of the active audit-sign, by the word of each one before it."""
        vkey = self.vkey
        for version in range(2, self.newest("audit-sign") + 1):
            note = check_note(vkey, self.vault.tool("key", "statement", f"audit-sign/{version}").stdout)
            self.assertIn(f"statement: audit-sign/{version} signs after audit-sign/{version - 1}", note)
            vkey = re.search(r"^vkey: (.*)$", note, re.MULTILINE).group(1)
        return vkey

    def test_3_no_card_gets_two_tokens_while_index_keys_rotate(self):
        cards = [(vault_fixture.made_up_pan(3_000_000 + n), f"79{n // 5:09d}") for n in range(100)]
        seen, wrong, stop = {}, [], threading.Event()

        def client():
            line = traffic.Line(self.vault, "web")
            while not stop.is_set():
                for pan, customer in cards:
                    answer = line.send("POST", "/v1/tokenize", {"pan": pan, "customer": customer})
                    if answer.status != 200:
                        wrong.append(answer)
                    elif seen.setdefault(pan, answer.json()["token"]) != answer.json()["token"]:
                        wrong.append(f"{pan} has two tokens")
            line.close()

        self.vault.context("web")
        threads = [threading.Thread(target=client) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            for _ in range(2):
                for purpose in ("pan-index", "id-index"):
                    self.rotate(purpose)
                    self.vault.tool("key", "rewrap", purpose)
        finally:
            stop.set()
            for thread in threads:
                thread.join()
        self.assertEqual(wrong, [])
        self.assertEqual(len(seen), len(cards))
        for customer in {customer for _, customer in cards}:
            listed = self.vault.request("web", "POST", "/v1/cards/search", {"customer": customer})
            self.assertEqual(len(listed.json()["cards"]), 5)

    def test_4_a_key_is_kept_and_destroyed(self):
        self.rotate("id-enc")
        version = self.newest("id-enc")
        old, active = f"id-enc/{version - 1}", f"id-enc/{version}"
        self.assertIn("is active", self.refused("key", "destroy", active))
        self.assertIn("still in use", self.refused("key", "destroy", old))
        self.assertIn("rows stand under", self.refused("key", "retire", old))
        self.vault.tool("key", "rewrap", "id-enc")
        self.vault.tool("key", "retire", old)
        scheduled = self.vault.tool("key", "destroy", old, "--after", "7d").stderr
        self.assertIn("will be destroyed on", scheduled)
        self.assertTrue(self.keys()[old]["to be destroyed"])
        again = self.vault.tool("key", "destroy", old).stderr
        self.assertIn("will be destroyed on", again, "not before its time")
        self.assertIn(f"{old} is kept", self.vault.tool("key", "keep", old).stderr)
        self.assertEqual(self.keys()[old]["to be destroyed"], "")
        self.assertIn("not about to be", self.refused("key", "keep", old))

        generation = self.generation()
        self.assertIn(f"{old} is destroyed", self.vault.tool("key", "destroy", old, "--after", "0").stderr)
        self.assertEqual(self.state(old), "destroyed")
        self.assertEqual(self.generation(), generation + 1)
        self.assertFalse(os.path.exists(self.vault.path("token.change")))
        self.assertIn("is destroyed", self.refused("key", "retire", old))
        self.vault.kill_and_wait()
        self.assertEqual(self.state(old), "destroyed")
        steps = [e["details"].get("step") for e in self.vault.events(2000) if e["op"] == "key.destroy"
                 and e["resource"] == old and e["outcome"] == "ok"]
        self.assertIn("begin", steps)
        # An index key is what finds cards in the log.
        index = f"pan-index/{self.newest('pan-index')}"
        self.rotate("pan-index")
        self.vault.tool("key", "rewrap", "pan-index")
        self.vault.tool("key", "retire", index)
        self.assertIn("--give-up-log-search", self.refused("key", "destroy", index, "--after", "0"))

    def generation(self):
        with open(self.vault.path("token", "generation"), encoding="ascii") as file:
            return int(file.read())

    def test_5_doctor_and_metrics_warn_of_cryptoperiods(self):
        findings = self.vault.tool("--format", "json", "doctor", check=False).stdout
        active = f"secret-enc/{self.newest('secret-enc')}"
        self.assertIn(f"{active}: its cryptoperiod ends on", findings)
        gauge = re.compile(rf'cardvault_key_cryptoperiod_seconds{{key="{active}"}} (\S+)')
        left = lambda: gauge.search(self.vault.request("auditor", "GET", "/metrics").body.decode())  # noqa: E731
        self.wait(left)  # it is set once a second
        self.assertLess(float(left().group(1)), 8 * 86400)
        self.assertGreater(float(left().group(1)), 6 * 86400)

    def test_6_what_can_not_be_done_is_said(self):
        self.assertIn("which key?", self.refused("key", "rotate", "pan"))
        self.assertIn("codes end by themselves", self.refused("key", "rewrap", "otp-mac"))
        self.assertIn("there is no key", self.refused("key", "retire", "pan-enc/99"))
        usage = self.vault.tool("key", "destroy", "pan-enc/01", check=False)
        self.assertEqual(usage.returncode, 2)
        usage = self.vault.tool("key", "destroy", "pan-enc/1", "--after", "soon", check=False)
        self.assertEqual(usage.returncode, 2)
        self.assertIn("as in 36h", usage.stderr)

    def test_7_on_a_stopped_vault_the_same_commands_work(self):
        before = self.newest("seal-sign")
        self.vault.down()
        try:
            done = self.vault.tool("key", "rotate", "seal-sign")
            self.assertIn("no vault runs", done.stderr)
        finally:
            self.vault.up_again()
        self.assertEqual(self.newest("seal-sign"), before + 1)
        self.assertEqual(self.state(f"seal-sign/{before + 1}"), "active")


if __name__ == "__main__":
    unittest.main()
