#!/usr/bin/python3
"""Finding events in a published log: what is found is what an independent reader of the files finds,
with an index, without one, and with one that is wrong in every way; and on a real vault a card is found
by its number after rotations and after its deletion."""

import csv
import io
import json
import os
import random
import re
import shutil
import subprocess
import tempfile
import unittest

import audit_page
import vault_fixture
from vault_fixture import PROGRAMS

BENCH = os.path.join(PROGRAMS, "tests", "bench", "cardvault-audit-bench")
AUDIT = os.path.join(PROGRAMS, "cardvault-audit")
RECORDS = 140_000  # two indexes, and an end without


class Generated(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.mkdtemp(prefix="cardvault-test-", dir=os.environ.get("CARDVAULT_TMP"))
        cls.addClassCleanup(shutil.rmtree, cls.dir, ignore_errors=True)
        subprocess.run([BENCH, "make", cls.dir, str(RECORDS)], check=True, timeout=300)
        cls.log = os.path.join(cls.dir, "audit")
        cls.index = os.path.join(cls.log, "index")
        with open(os.path.join(cls.dir, "audit.vkey"), encoding="ascii") as file:
            cls.vkey = file.read().strip()
        page = audit_page.Log(cls.log)
        cls.events = [json.loads(entry) for entry in page.entries(*page.checkpoint(cls.vkey))]

    def run_find(self, *arguments, home="home", key=None):
        return subprocess.run(
            [AUDIT, "find", self.log, "--key", key or self.vkey, "--format", "json", *arguments],
            capture_output=True, text=True, timeout=300,
            env={"HOME": os.path.join(self.dir, home), "PATH": os.environ["PATH"]})

    def find(self, *arguments, **more):
        done = self.run_find(*arguments, **more)
        self.assertEqual(done.returncode, 0, done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def assert_found(self, wanted, *arguments, **more):
        expected = [event["seq"] for event in self.events if wanted(event)]
        self.assertEqual([event["seq"] for event in self.find(*arguments, **more)], expected)
        return expected

    def questions(self):
        chance = random.Random(5)
        for record in [0, 1, 65_535, 65_536, 131_071, 131_072, RECORDS - 1] + [
                chance.randrange(RECORDS) for _ in range(3)]:
            event = self.events[record]
            token, customer, card = event["resource"], event["customer"], event["pan_fp"]
            yield (lambda e, t=token: e["resource"] == t), ["--token", token]
            yield (lambda e, c=customer: e["customer"] == c), ["--customer", customer]
            tokens = {e["resource"] for e in self.events if e["pan_fp"] == card}
            yield ((lambda e, f=card, t=tokens: e["pan_fp"] == f or e["resource"] in t),
                   ["--fingerprint", card])

    def test_everything_is_found_and_nothing_else(self):
        for wanted, arguments in self.questions():
            with self.subTest(arguments):
                self.assertTrue(self.assert_found(wanted, *arguments))
        self.assertTrue(os.path.exists(os.path.join(self.index, "001.index")))
        self.assertFalse(os.path.exists(os.path.join(self.index, "002.index")))

    def test_conditions_are_combined(self):
        since, until = "2026-01-01T00:01:00Z", "2026-01-01T00:02:10Z"
        self.assertTrue(self.assert_found(
            lambda e: e["actor"] == "client:processor" and e["outcome"] != "ok"
            and since[:-1] <= e["time"] < until[:-1],
            "--client", "processor", "--outcome", "refused", "--since", since, "--until", until))
        self.assert_found(lambda e: since[:-1] <= e["time"] < "2026-01-01T00:01:01",
                          "--since", since, "--until", "2026-01-01T00:01:01Z")
        at = next(e["time"] for e in self.events[70_000:] if 0 < int(e["time"][-4:-1]) < 999)
        self.assertTrue(self.assert_found(lambda e: e["time"] == at, "--since", at, "--until",
                                          f"{at[:-4]}{int(at[-4:-1]) + 1:03d}Z"))
        token = self.events[4]["resource"]
        self.assert_found(lambda e: False, "--token", token, "--operation", "tokenize")
        self.assertEqual(len(self.find("--token", token, "--operation", "detokenize",
                                       "--operation", "tokenize")), 1)
        self.assert_found(lambda e: False, "--since", "2027-01-01")
        self.assertEqual([e["seq"] for e in self.find("--outcome", "ok", "-n", "2")], [1, 2])

    def test_a_wrong_index_costs_time_and_nothing_else(self):
        token, other = self.events[70_000]["resource"], self.events[10]["resource"]
        question = (lambda e: e["resource"] == token), "--token", token
        self.assert_found(*question)
        first, second = (os.path.join(self.index, f"00{i}.index") for i in (0, 1))
        with open(first, "rb") as file:
            of_first = file.read()
        with open(second, "rb") as file:
            good = file.read()
        zeros = bytearray(good)
        zeros[-len(good) // 2:] = bytes(len(good) - len(good) // 2)
        wrong = {"empty": b"", "cut": good[:len(good) // 2], "only its head": good[:5000],
                 "of other records": of_first, "no entries": bytes(zeros),
                 "text": b"not an index\n" * 1000, "longer": good + b"x"}
        for name, content in wrong.items():
            with self.subTest(name):
                with open(second, "wb") as file:
                    file.write(content)
                self.assert_found(*question)
                self.assert_found(lambda e: e["resource"] == other, "--token", other)
                with open(second, "rb") as file:
                    self.assertTrue(file.read().startswith(good), "made again")
        os.unlink(second)
        os.symlink("/dev/zero", second)
        self.assert_found(*question)
        os.unlink(second)
        os.mkdir(second)
        done = self.run_find("--token", token)
        self.assertIn("the index can't be kept", done.stderr)
        self.assertEqual(len(done.stdout.splitlines()), 1)
        os.rmdir(second)
        with self.subTest("made by somebody else"):
            self.assert_found(*question, home="another")
            with open(second, "rb") as file:
                theirs = file.read()
            self.assertNotEqual(theirs, good)
            self.assert_found(*question)

    def test_without_an_index_or_a_home_it_reads_everything(self):
        token = self.events[RECORDS // 2]["resource"]
        shutil.rmtree(self.index, ignore_errors=True)
        self.assert_found(lambda e: e["resource"] == token, "--token", token, "--no-index")
        self.assertFalse(os.path.exists(self.index))
        elsewhere = os.path.join(self.dir, "elsewhere")
        self.assert_found(lambda e: e["resource"] == token, "--token", token, "--index", elsewhere)
        self.assertTrue(os.path.exists(os.path.join(elsewhere, "000.index")))
        done = subprocess.run([AUDIT, "find", self.log, "--key", self.vkey, "--token", token],
                              capture_output=True, text=True, timeout=300, env={})
        self.assertIn(token, done.stdout)
        self.assertIn("HOME names no folder", done.stderr)

    def test_a_changed_record_is_not_shown(self):
        token = self.events[300]["resource"]
        path = os.path.join(self.log, "tile", "entries", "001")
        with open(path, "rb") as file:
            good = file.read()
        with open(path, "wb") as file:
            file.write(good.replace(token.encode(), b"tok_" + b"0" * 26))
        try:
            for more in ([], ["--no-index"]):
                done = self.run_find("--token", token, *more)
                self.assertEqual((done.returncode, done.stdout), (1, ""))
                self.assertIn("tile/entries/001 is not what the checkpoint signs", done.stderr)
        finally:
            with open(path, "wb") as file:
                file.write(good)

    def test_of_another_key_nothing_is_believed(self):
        with tempfile.TemporaryDirectory() as other:
            subprocess.run([BENCH, "make", other, "1"], check=True, timeout=60)
            name, rest = self.vkey.split("+", 1)
            done = self.run_find("--token", "x", key="other.example/log+" + rest)
        self.assertEqual(done.returncode, 2, done.stderr)  # its id is not that of its name
        self.assertTrue(name)

    def test_csv_is_read_by_spreadsheets_and_holds_no_formulas(self):
        done = subprocess.run(
            [AUDIT, "find", self.log, "--key", self.vkey, "--format", "csv", "-n", "3",
             "--outcome", "ok"], capture_output=True, text=True, timeout=60,
            env={"HOME": os.path.join(self.dir, "home")})
        rows = list(csv.DictReader(io.StringIO(done.stdout)))
        for row, event in zip(rows, [self.events[i] for i in (1, 2, 3)], strict=True):
            for name in ("time", "actor", "op", "outcome", "resource", "request", "pan_fp"):
                self.assertEqual(row[name], event[name])

    def test_what_no_event_can_have_is_a_usage_error(self):
        for arguments in (["--customer", "+77010000001"], ["--fingerprint", "4111111111111111"],
                          ["one", "word", "pan:4111111111111111"],
                          ["--since", "yesterday"], ["--format", "xml"], ["--token", "4111111111111111"],
                          ["--token=4111111111111111"], ["--since", "2026-12-02", "--until", "2026-12-01"]):
            done = self.run_find(*arguments)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertNotIn("4111111111111111", done.stderr + done.stdout)
        for arguments, known in ((["--operation", "tokenise"], "tokenize"), (["--operation", "keys.*"], "key.rotate"),
                                 (["--outcome", "denied"], "permission_denied"),
                                 (["--outcome", "ok", "--outcome", "refsued"], "log_behind")):
            done = self.run_find(*arguments)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn(f"'{arguments[-1]}'", done.stderr)
            self.assertIn(f" {known},", done.stderr)
        for arguments in (["--operation", "ceremony.*"], ["--operation", "key.*", "--outcome", "refused"]):
            self.assertEqual(self.find(*arguments), [])

    def test_all_that_vaults_write_can_be_asked_for(self):
        names = {"--operation": (r'system_event\("([^"]+)"', r'operation = "([^"]+[a-z])"',
                                 r'\bevent\((?:[\w.]+(?:\(\))?, )?"([a-z][a-z._]*)"',
                                 r'\{"([a-z.]+)", &AdminService::'),
                 "--outcome": (r'\balarm\((?:events, )?"([^"]+)"', r'\balarm\(\w+ \? "([^"]+)"',
                               r'\balarm\(\w+ \? "[^"]+" : "([^"]+)"', r'alarm_ = "([^"]+)"')}
        asked = {option: set() for option in names}
        for room in ("vault", "provisioning"):
            for where, _, files in os.walk(os.path.join(vault_fixture.ROOT, room)):
                for name in files:
                    if not name.endswith(".cc"):
                        continue
                    with open(os.path.join(where, name), encoding="utf-8") as file:
                        text = file.read()
                    for option, patterns in names.items():
                        for pattern in patterns:
                            asked[option].update(re.findall(pattern, text))
        self.assertGreater(len(asked["--operation"]), 80)
        self.assertGreater(len(asked["--outcome"]), 12)
        for option, values in asked.items():
            arguments = [part for value in sorted(values) for part in (option, value)]
            self.find("--until", "2026-01-01T00:00:01Z", *arguments)

    def test_custodians_that_are_not_there_are_named(self):
        done = self.run_find("--custodians", "/nowhere/custodians")
        self.assertEqual(done.returncode, 2, done.stdout)
        self.assertIn("/nowhere/custodians", done.stderr)


class OnAVault(unittest.TestCase):
    PAN, CUSTOMER = "5555555555554444", "+77010000301"

    @classmethod
    def setUpClass(cls):
        cls.vault = vault_fixture.shared()

    def audit(self, *arguments, stdin="", check=True):
        done = subprocess.run(
            self.vault.tool_command("audit", *arguments), input=stdin, capture_output=True,
            text=True, timeout=120)
        if check:
            self.assertEqual(done.returncode, 0, done.stderr)
        return done

    def find(self, *arguments, stdin=""):
        done = self.audit("find", "--format", "json", *arguments, stdin=stdin)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def request(self, gate, path, body):
        answer = self.vault.request(gate, "POST", path, body)
        self.assertEqual(answer.status, 200, answer)
        return answer.json()

    def test_a_card_is_found_by_its_number_after_rotation_and_deletion(self):
        token = self.request("web", "/v1/tokenize",
                             {"pan": self.PAN, "customer": self.CUSTOMER})["token"]
        self.request("processor", "/v1/detokenize", {"token": token, "purpose": "payment"})
        self.vault.tool("key", "rotate", "pan-index")
        self.request("processor", "/v1/detokenize", {"token": token, "purpose": "payment"})
        self.vault.tool("token", "freeze", token)
        self.vault.tool("token", "delete", token)
        second = self.request("web", "/v1/tokenize",
                              {"pan": self.PAN, "customer": self.CUSTOMER})["token"]
        found = self.find("--pan-stdin", stdin=self.PAN + "\n")
        about = [(e["op"], e.get("resource")) for e in found]
        self.assertNotEqual(second, token)
        for expected in [("tokenize", token), ("token.freeze", token), ("token.delete", token),
                         ("tokenize", second)]:
            self.assertIn(expected, about)
        self.assertEqual(about.count(("detokenize", token)), 2)
        self.assertGreater(len({e["pan_fp"].split(":")[0] for e in found if "pan_fp" in e}), 1)
        self.assertEqual(found[-1]["op"], "audit.find", "who asked is found too")
        text = json.dumps(found)
        self.assertNotIn(self.PAN, text)
        self.assertNotIn(self.CUSTOMER, text)
        # The same on a machine without the vault.
        names = self.audit("pan-fingerprint", stdin=self.PAN + "\n").stdout.split()
        options = [part for name in names if ":" in name for part in ("--fingerprint", name)]
        self.assertEqual(len(options), 4)
        done = subprocess.run(
            [AUDIT, "find", self.vault.path("audit"), "--key", self.vault.path("audit.vkey"),
             "--format", "json", "--no-index", *options], capture_output=True, text=True, timeout=60)
        elsewhere = [json.loads(line)["seq"] for line in done.stdout.splitlines()]
        self.assertEqual(elsewhere[:len(found)], [e["seq"] for e in found])

    def test_a_customer_is_found_by_the_identifier_and_the_question_is_an_event(self):
        token = self.request("web", "/v1/tokenize",
                             {"pan": "4111111111111111", "customer": "+77010000302"})["token"]
        found = self.find("--customer-stdin", stdin="+77010000302\n")
        self.assertEqual({e["customer"] for e in found}, {found[0]["customer"]})
        self.assertIn(token, [e.get("resource") for e in found])
        self.assertEqual((found[-1]["op"], found[-1]["outcome"]), ("audit.find", "ok"))
        self.assertTrue(found[-1]["actor"].startswith("operator:"))

    def test_what_is_unknown_is_refused_and_recorded(self):
        nobody = self.audit("find", "--customer-stdin", stdin="+77019999999\n", check=False)
        self.assertEqual(nobody.returncode, 1)
        self.assertIn("knows no such customer", nobody.stderr)
        wrong = self.audit("find", "--pan-stdin", stdin="4111\n", check=False)
        self.assertEqual(wrong.returncode, 1)
        self.assertIn("no card number", wrong.stderr)
        for command in ("find", "--pan-stdin"), ("pan-fingerprint",):
            mistyped = self.audit(*command, stdin=self.PAN[:-1] + "5\n", check=False)
            self.assertEqual(mistyped.returncode, 1, mistyped.stdout)
            self.assertIn("check digit is wrong", mistyped.stderr)
        outcomes = [e["outcome"] for e in self.find("--operation", "audit.find")]
        self.assertIn("not_found", outcomes)
        self.assertIn("invalid_pan", outcomes)

    def test_what_was_asked_for_just_before_is_there(self):
        for number in range(3):
            token = self.request("web", "/v1/tokenize", {
                "pan": "4111111111111111", "customer": f"+7701000031{number}"})["token"]
            for typed in token, token.lower():  # the vault takes either
                self.assertEqual([e["op"] for e in self.find("--token", typed)], ["tokenize"])


if __name__ == "__main__":
    unittest.main()
