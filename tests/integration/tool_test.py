#!/usr/bin/python3
"""The tool's verbs on a running and on a stopped vault: what they print, how they end, and what they
refuse. provisioning_test.py has `init`, and what each act does to clients and cards."""

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import tempfile
import threading
import time
import unittest

import vault_fixture

PAN = "4111111111111111"
CARD = {"pan": PAN, "customer": "+77060000001"}
DONE, REFUSED, USAGE, UNREACHABLE, LOCAL = range(5)
NO_TOKEN = "tok_00000000000000000000000000"
BINS = "iin_start,iin_end,number_length,number_luhn,scheme,brand,type,prepaid,country,bank_name,currency\n"
GOOD_ROW = "51000000,,16,,mastercard,World,credit,,KZ,New Bank,KZT\n"
AS_ROOT = unittest.skipIf(os.geteuid() != 0, "acts as other accounts")
DAEMON_UID, NOBODY = 61001, 65534


class Tool(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vault = vault_fixture.shared(["admin.two_operators=[]"])
        cls.token = cls.store()

    @classmethod
    def store(cls):
        return cls.vault.request("web", "POST", "/v1/tokenize", CARD).json()["token"]

    def run_tool(self, code, *arguments, **options):
        done = self.vault.tool(*arguments, check=False, **options)
        self.assertEqual(done.returncode, code, (arguments, done.stdout, done.stderr))
        if code != DONE and "doctor" not in arguments:
            self.assertRegex(done.stderr, "^.*[a-z]{3}", "it says why")
        return done

    def rows(self, *arguments, **options):
        """The JSON that a verb prints: objects whose values are strings."""
        rows = json.loads(self.run_tool(DONE, "--format", "json", *arguments, **options).stdout)
        for row in rows:
            self.assertTrue(all(isinstance(v, str) for v in row.values()), row)
        return rows

    def fields(self, *arguments, **options):
        return {row["field"]: row["value"] for row in self.rows(*arguments, **options)}

    def everything_reads(self):
        """Each verb that shows something, and what must be in it; on a running or stopped vault."""
        self.assertEqual(self.fields("status")["state"], "ready")
        self.assertEqual(self.fields("status")["bin rows"], "3")
        keys = {key["key"]: key for key in self.rows("key", "list")}
        self.assertEqual(len(keys), 9)
        self.assertEqual({key["state"] for key in keys.values()}, {"active"})
        self.assertGreater(int(keys["pan-enc/1"]["invocations reserved"]), 0)
        clients = {row["client"]: row for row in self.rows("client", "list")}
        self.assertEqual(set(clients), {"web", "processor", "auditor"})
        self.assertIn("tokenize", clients["web"]["permissions"].split(","))
        self.assertEqual(self.fields("bin", "lookup", "41111111")["bank"], "Demo Bank")
        self.assertEqual(self.fields("bin", "lookup", "--stdin", stdin=PAN + "\n")["country"], "KZ")
        card = self.fields("token", "inspect", self.token)
        self.assertEqual((card["card"], card["status"]), ("411111******1111", "active"))
        self.assertNotIn(PAN, str(card))
        events = self.vault.events(500)
        numbers = [event["seq"] for event in events]
        self.assertEqual(numbers, list(range(numbers[0], numbers[0] + len(numbers))))
        self.assertEqual(events[-1]["op"], "audit.tail")
        part = self.run_tool(DONE, "--format", "json", "audit", "tail", "--from", str(numbers[0]), "-n", "3")
        self.assertEqual([json.loads(line)["seq"] for line in part.stdout.splitlines()], numbers[:3])
        self.assertEqual(self.run_tool(DONE, "audit", "tail", "-n", "0").stdout, "")

    def everything_refuses(self):
        for code, *arguments in (
            (REFUSED, "token", "inspect", NO_TOKEN),
            (REFUSED, "token", "inspect", "tok_short"),
            (REFUSED, "token", "freeze", NO_TOKEN),
            (REFUSED, "token", "delete", NO_TOKEN),
            (REFUSED, "client", "freeze", "nobody"),
            (REFUSED, "client", "revoke", "nobody"),
            (REFUSED, "client", "add", "x", "--san", "dns:x.test", "--permissions", "everything"),
            (REFUSED, "client", "add", "X y", "--san", "dns:x.test", "--permissions", "tokenize"),
            (REFUSED, "client", "add", "web", "--san", "dns:x.test", "--permissions", "tokenize"),
            (REFUSED, "bin", "lookup", "99999999"),
            (REFUSED, "--operator", "somebody-else", "status"),
        ):
            with self.subTest(arguments=arguments):
                self.assertEqual(self.run_tool(code, *arguments).stdout, "")

    # --- running ---

    def test_verbs_on_a_running_vault(self):
        self.everything_reads()
        self.everything_refuses()
        self.assertIn("configuration holds now", self.run_tool(DONE, "reload").stderr)
        self.a_wrong_configuration_is_refused()
        self.assertIn("trusted", self.run_tool(DONE, "clock", "confirm").stderr)
        self.assertIn("STATE", self.run_tool(DONE, "client", "list").stdout.splitlines()[0])

    def a_wrong_configuration_is_refused(self):
        path = self.vault.path("vault.toml")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        try:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text + "\n[no_such_section]\n")
            self.assertIn("old configuration holds", self.run_tool(REFUSED, "reload").stderr)
        finally:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text)
        self.assertIn("holds now", self.run_tool(DONE, "reload").stderr)

    def test_a_command_line_that_is_wrong_says_how(self):
        for arguments in ((), ("status", "extra"), ("stat",), ("client",), ("client", "freeze"),
                          ("--format", "xml", "status"), ("bin", "lookup"), ("audit", "tail", "-n", "many"),
                          ("client", "add", "x", "--permissions", "tokenize"), ("bin", "lookup", PAN),
                          ("customer", "freeze")):
            with self.subTest(arguments=arguments):
                done = self.run_tool(USAGE, *arguments)
                self.assertEqual(done.stdout, "")
                self.assertNotIn(PAN, done.stderr)
        for arguments in (("--help",), ("client", "add", "--help"), ("audit", "tail", "--help")):
            self.assertIn("Examples:", self.run_tool(DONE, *arguments).stdout)

    def test_files_that_are_not_there_are_named(self):
        command = self.vault.tool_command()
        command[2] = "/nowhere/vault.toml"
        done = subprocess.run([*command, "status"], capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, LOCAL)
        self.assertIn("/nowhere/vault.toml", done.stderr)
        self.assertIn("/nowhere/x.csv", self.run_tool(USAGE, "bin", "import", "/nowhere/x.csv").stderr)

    # --- operators ---

    @AS_ROOT
    def test_who_is_no_operator_is_refused(self):
        done = self.run_tool(UNREACHABLE, "status", uid=NOBODY)
        self.assertIn("operators", done.stderr)
        done = self.run_tool(REFUSED, "status", uid=DAEMON_UID)  # may open the socket, is not listed
        self.assertIn("not an operator", done.stderr)
        refused = [e for e in self.vault.events(20) if e["op"] == "admin.connect"]
        self.assertEqual((refused[-1]["actor"], refused[-1]["outcome"]),
                         (f"uid:{DAEMON_UID}", "not_allowed"))

    # --- BIN table ---

    def import_bins(self, code, text):
        with tempfile.NamedTemporaryFile("w", suffix=".csv", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            return self.run_tool(code, "--format", "json", "bin", "import", file.name)

    def test_bad_bin_rows_are_named_by_line_and_nothing_changes(self):
        bad = BINS + GOOD_ROW + "x1,,16,,visa,,,,KZ,,\n" + GOOD_ROW.replace("510", "511") + \
            "52000000,,sixteen,,visa,,,,KZ,,\n53000000,,16,,visa,,,,Kazakhstan,,\n"
        done = self.import_bins(REFUSED, bad)
        self.assertIn("nothing was imported", done.stderr)
        problems = json.loads(done.stdout)
        self.assertEqual([p["line"] for p in problems], ["3", "5", "6"])
        for problem in problems:
            self.assertNotEqual(problem["what"], "")
        self.import_bins(REFUSED, "first,second\n1,2\n")
        self.import_bins(REFUSED, "")
        self.assertEqual(self.fields("status")["bin rows"], "3")
        self.run_tool(REFUSED, "bin", "lookup", "51000000")
        self.assertEqual(self.fields("bin", "lookup", "41111111")["bank"], "Demo Bank")

    def test_a_new_bin_table_holds_at_once(self):
        pan = vault_fixture.made_up_pan(7, "51000000")
        body = {"pan": pan, "customer": "+77060000002"}
        self.assertEqual(self.vault.request("web", "POST", "/v1/tokenize", body).code, "bin_unknown")
        demo = os.path.join(vault_fixture.ROOT, "systemd", "demo-bins.csv")
        self.addCleanup(self.run_tool, DONE, "bin", "import", demo)
        self.assertIn("1 rows", self.import_bins(DONE, BINS + GOOD_ROW).stderr)
        answer = self.vault.request("web", "POST", "/v1/tokenize", body)
        self.assertEqual((answer.status, answer.json()["brand"]), (200, "mastercard"))
        self.assertEqual(self.vault.request("web", "POST", "/v1/tokenize", CARD).code, "bin_unknown")

    # --- audit tail --follow ---

    def follow(self):
        process = subprocess.Popen(
            self.vault.tool_command("--format", "json", "audit", "tail", "-n", "1", "--follow"),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        lines = []
        reader = threading.Thread(target=lambda: lines.extend(iter(process.stdout.readline, "")))
        reader.start()
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.stdout.close)
        self.addCleanup(reader.join)
        self.addCleanup(process.kill)
        self.wait(lambda: lines, "the newest event")
        return process, lines

    def wait(self, condition, what, seconds=10):
        end = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), end, f"waited in vain for {what}")
            time.sleep(0.05)

    def test_following_shows_events_as_they_come(self):
        process, lines = self.follow()
        self.vault.request("web", "GET", "/v1/whoami")
        self.vault.request("processor", "GET", f"/v1/tokens/{self.token}")
        self.wait(lambda: any('"token.get"' in line for line in list(lines)), "the event", 5)
        events = [json.loads(line) for line in list(lines)]
        numbers = [event["seq"] for event in events]
        self.assertEqual(numbers, list(range(numbers[0], numbers[0] + len(numbers))))
        self.assertIn(("client:web", "whoami"), [(e["actor"], e["op"]) for e in events])
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(10), -signal.SIGINT)

    # --- backup ---

    def backup(self, name):
        target = self.vault.path("data", name)
        self.run_tool(DONE, "backup", "copy", target)
        return target

    def test_a_backup_is_whole_and_holds_every_card_and_event(self):
        for number in range(5):
            self.vault.request("web", "POST", "/v1/tokenize",
                               CARD | {"customer": f"+7706100000{number}"})
        last = self.vault.events(1)[0]["seq"]
        target = self.backup("backup-whole")
        counts = {}
        for name in ("vault.db", "reveal.db"):
            path = os.path.join(target, name)
            self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
            copy = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
            self.assertEqual(copy.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
            counts[name] = copy.execute("SELECT sum(count), max(first_seq + count) FROM events").fetchone()
            if name == "vault.db":
                self.assertGreaterEqual(copy.execute("SELECT count(*) FROM cards").fetchone()[0], 6)
            copy.close()
            with open(path, "rb") as file:
                self.assertNotIn(PAN.encode(), file.read())
        total = sum(total or 0 for total, _ in counts.values())
        end = max(end or 0 for _, end in counts.values())
        self.assertGreater(end, last)
        self.assertIn(total, (end, end - 1), "no event is missing")
        self.assertEqual(os.stat(target).st_mode & 0o777, 0o700)

    def test_a_backup_goes_to_a_new_folder_that_the_vault_may_write(self):
        target = self.backup("backup-once")
        self.assertIn("already", self.run_tool(REFUSED, "backup", "copy", target).stderr)
        if vault_fixture.SANITIZED:
            return  # confined to nothing (sandbox::kConfined), it may write there
        outside = self.run_tool(REFUSED, "backup", "copy", os.path.join(tempfile.gettempdir(), "backup-outside"))
        self.assertIn("data_dir", outside.stderr)

    # --- daemons that must not start ---

    def start_daemon(self, *arguments):
        """A further cardvaultd, under the daemon's own account."""
        command = [os.path.join(vault_fixture.PROGRAMS, "cardvaultd"), "--config",
                   self.vault.path("vault.toml"), *arguments]
        account = {}
        if os.geteuid() == 0:
            account = {"user": DAEMON_UID, "group": DAEMON_UID, "extra_groups": []}
        return subprocess.run(command, capture_output=True, text=True, timeout=30, **account)

    def test_a_second_daemon_refuses_to_start(self):
        done = self.start_daemon()
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn(f"process {self.vault.daemon_pid} already has the vault in", done.stderr)
        self.assertEqual(self.fields("status")["state"], "ready")
        self.assertEqual(self.store(), self.token)

    def test_a_database_of_a_newer_program_is_refused(self):
        data = self.backup("newer")
        with sqlite3.connect(os.path.join(data, "vault.db")) as database:
            database.execute("PRAGMA user_version=99")
        database.close()
        if os.geteuid() == 0:
            for name in os.listdir(data):
                shutil.chown(os.path.join(data, name), DAEMON_UID, DAEMON_UID)
        before = self.contents(data)
        done = self.start_daemon("--set", f"vault.data_dir={data}", "--set",
                                 f"vault.admin_socket={data}/admin.sock")
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertIn("vault.db: its schema has version 99", done.stderr)
        self.assertIn("install the newer cardvault", done.stderr)
        self.assertEqual(self.contents(data), before)

    @staticmethod
    def contents(folder):
        found = {}
        for name in ("vault.db", "reveal.db"):
            with open(os.path.join(folder, name), "rb") as file:
                found[name] = file.read()
        return found

    def test_a_configuration_that_is_wrong_is_refused_by_line(self):
        for setting, said in (("policy.cards=1", "cards: is not a known key"),
                              ("policy.cards_per_customer=many", "must be a whole number"),
                              ("reveal.card_per_day=-1", "must be a whole number"),
                              ("policy.bin_digits_stored=7", "must be 0, 6 or 8"),
                              ("colour.red=1", "is not a known section")):
            with self.subTest(setting=setting):
                done = self.start_daemon("--check", "--set", setting)
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertIn(said, done.stderr)
        self.assertEqual(self.start_daemon("--check").returncode, 0)

    # --- doctor ---

    def findings(self, code):
        done = self.run_tool(code, "--format", "json", "doctor")
        return json.loads(done.stdout)

    def assert_error(self, what, advice):
        errors = [f for f in self.findings(REFUSED) if f["severity"] == "error"]
        self.assertEqual(len(errors), 1, errors)
        self.assertRegex(errors[0]["what"], what)
        self.assertRegex(errors[0]["do"], advice)

    def test_doctor_warns_of_a_software_token_only(self):
        findings = self.findings(DONE)
        self.assertIn("not a secure cryptographic device",
                      str([f for f in findings if f["severity"] == "warning"]))
        self.assertEqual([f for f in findings if f["severity"] == "error"], [])
        self.assertIn("the HSM answers", [f["what"] for f in findings])

    def test_doctor_misses_the_pin_file(self):
        pin = self.vault.path("pin")
        os.rename(pin, pin + ".away")
        try:
            self.assert_error("PIN file .*No such file", ".")
        finally:
            os.rename(pin + ".away", pin)

    def test_doctor_sees_wrong_modes(self):
        token_file = next(os.path.join(folder, name) for folder, _, names in os.walk(self.vault.path("token"))
                          for name in names if name.endswith(".object"))
        for path, mode, what, advice in (
            (self.vault.path("data"), 0o755, "data folder", "chmod 0700"),
            (self.vault.path("vault.toml"), 0o666, "configuration", "chmod 0644"),
            (self.vault.path("pin"), 0o444, "PIN file", "chmod"),
            (self.vault.path("gates", "web.key"), 0o644, "TLS key", "chmod 0400"),
            (token_file, 0o666, "can write the token file", "chmod -R a-w"),
        ):
            with self.subTest(what=what):
                before = os.stat(path).st_mode & 0o7777
                os.chmod(path, mode)
                try:
                    self.assert_error(what, advice)
                finally:
                    os.chmod(path, before)
        self.findings(DONE)


class StoppedVault(unittest.TestCase):
    """Runs after Tool, whose vault it stops."""

    def test_verbs_work_in_process_and_what_they_changed_holds(self):
        tool = Tool()
        Tool.setUpClass()
        process, _ = tool.follow()
        self.addCleanup(tool.vault.up_again)
        tool.vault.down()
        self.assertEqual(process.wait(10), UNREACHABLE, "nobody holds up a stop by following")
        tool.doCleanups()
        tool.everything_reads()
        tool.everything_refuses()
        self.assertIn("no vault runs", tool.run_tool(DONE, "status").stderr)
        tool.run_tool(UNREACHABLE, "audit", "tail", "--follow")
        warnings = [f["what"] for f in tool.findings(DONE) if f["severity"] == "warning"]
        self.assertIn("no vault runs", str(warnings))
        tool.run_tool(DONE, "client", "freeze", "processor")
        tool.run_tool(DONE, "customer", "freeze", stdin=CARD["customer"] + "\n")
        tool.backup("backup-stopped")

        tool.vault.up_again()
        request = tool.vault.request
        self.assertEqual(request("processor", "GET", "/v1/whoami").code, "client_frozen")
        self.assertEqual(request("web", "POST", "/v1/tokenize", CARD).code, "customer_frozen")
        tool.run_tool(DONE, "client", "release", "processor")
        tool.run_tool(DONE, "customer", "unfreeze", stdin=CARD["customer"] + "\n")
        reveal = {"token": Tool.token, "purpose": "payment"}
        self.assertEqual(request("processor", "POST", "/v1/detokenize", reveal).json()["pan"], PAN)
        tool.everything_reads()

    @AS_ROOT
    def test_who_is_no_operator_cannot_act_in_process(self):
        tool = Tool()
        Tool.setUpClass()
        self.addCleanup(tool.vault.up_again)
        tool.vault.down()
        self.assertIn("no operator", tool.run_tool(REFUSED, "status", uid=DAEMON_UID).stderr)


def load_tests(loader, _tests, _pattern):
    suite = loader.loadTestsFromTestCase(Tool)
    suite.addTests(loader.loadTestsFromTestCase(StoppedVault))
    return suite


if __name__ == "__main__":
    unittest.main()
