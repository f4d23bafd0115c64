#!/usr/bin/python3
"""The tool's verbs on a running and on a stopped vault: what they print, how they end, and what they
refuse. provisioning_test.py has `init`, and what each act does to clients and cards."""

import json
import os
import re
import signal
import sqlite3
import struct
import subprocess
import tempfile
import threading
import time
import unittest

import vault_fixture
from tool_case import CARD, DAEMON_UID, DONE, LOCAL, NOBODY, PAN, REFUSED, UNREACHABLE, USAGE, ToolCase

NO_TOKEN = "tok_00000000000000000000000000"
BINS = "iin_start,iin_end,number_length,number_luhn,scheme,brand,type,prepaid,country,bank_name,currency\n"
GOOD_ROW = "51000000,,16,,mastercard,World,credit,,KZ,New Bank,KZT\n"
AS_ROOT = unittest.skipIf(os.geteuid() != 0, "acts as other accounts")


class Tool(ToolCase):
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
        self.assertIn("trusted", self.run_tool(REFUSED, "clock", "confirm").stderr)
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

    def test_a_reload_says_what_waits_for_a_restart(self):
        """Exactly what vault.toml(5) lists, each key changed."""
        with open(os.path.join(vault_fixture.ROOT, "docs", "man", "vault.toml.5"), encoding="ascii") as file:
            listed = file.read().split(".nf\n")[1].split(".fi\n")[0].splitlines()
        path = self.vault.path("vault.toml")
        with open(path, encoding="utf-8") as file:
            text = file.read()

        def write(content):
            with open(path, "w", encoding="utf-8") as file:
                file.write(content)

        self.addCleanup(self.run_tool, DONE, "reload")
        self.addCleanup(write, text)
        subprocess.run(
            ["/usr/bin/python3", os.path.join(vault_fixture.ROOT, "systemd", "set_config.py"), self.vault.dir,
             "vault.data_dir=/elsewhere", "vault.admin_socket=/elsewhere.sock", "hsm.call_timeout_ms=4000",
             "limits.queue=99", "limits.workers=3", "secrets.workers=2", "clock.max_offline_days=29",
             "unseal.drill_warning_days=99", "keys.destroy_after_days=99", "audit.anchor=/elsewhere",
             "disk.warn_mib=1", "clients.ca_days=99", "admin.two_operators=[\"client.add\"]",
             "sandbox.hsm_port=99", "policy.cards_per_customer=9"], check=True)
        with open(path, encoding="utf-8") as file:
            changed = file.read()
        changed = changed.replace("/run/web.sock", "/run/2.sock").replace('name = "auditor"', 'name = "third"')
        changed = re.sub(r"(?m)^uid = (\d+)$", r"uid = 1\1", changed)
        write(changed)
        # The tool finds the daemon by this file too.
        before = self.vault.path("before.toml")
        with open(before, "w", encoding="utf-8") as file:
            file.write(text)
        self.addCleanup(os.unlink, before)
        command = self.vault.tool_command("reload")
        command[2] = before

        def reload():
            return subprocess.run(command, capture_output=True, text=True, timeout=30, check=True).stderr

        said = reload()
        self.assertIn("; the rest of the configuration holds now", said)
        named = re.search("needs a restart: (.*?);", said)[1].split(", ")
        uids = [f"[[gate]] {gate} uid" for gate in ("web", "processor") if "\nuid = " in text]
        self.assertEqual(sorted(named), sorted(
            [key for key in listed if not key.startswith("[[gate]]")] +
            ["[[gate]] web socket", *uids, "[[gate]] third (new)", "[[gate]] auditor (gone)"]))
        # Still the same when nothing more has changed, as none of it holds.
        self.assertEqual(reload(), said)
        write(text)
        told = [event for event in self.vault.events() if event["op"] == "reload"][-1]
        self.assertEqual((told["outcome"], told["details"]["needs_restart"]), ("ok", ", ".join(named)))

    def test_a_reload_is_one_event_with_its_outcome(self):
        def reloads():
            return [(event["actor"].split(":")[0], event["outcome"])
                    for event in self.vault.events() if event["op"] == "reload"]

        before = len(reloads())
        self.a_wrong_configuration_is_refused()
        self.assertEqual(reloads()[before:], [("operator", "invalid_argument"), ("operator", "ok")])
        os.kill(self.vault.daemon_pid, signal.SIGHUP)
        end = time.monotonic() + 60
        while len(reloads()) < before + 3 and time.monotonic() < end:
            time.sleep(0.1)
        self.assertEqual(reloads()[before + 2:], [("system", "ok")])

    def test_a_command_line_that_is_wrong_says_how(self):
        for arguments in ((), ("status", "extra"), ("stat",), ("client",), ("client", "freeze"),
                          ("--format", "xml", "status"), ("bin", "lookup"), ("audit", "tail", "-n", "many"),
                          ("client", "add", "x", "--permissions", "tokenize"), ("bin", "lookup", PAN),
                          ("status", PAN), (PAN,), ("status", f"pan:{PAN}"), ("key", "rotate", f"--x={PAN}"), ("client", PAN),
                          ("customer", "freeze")):
            with self.subTest(arguments=arguments):
                done = self.run_tool(USAGE, *arguments)
                self.assertEqual(done.stdout, "")
                self.assertNotIn(PAN, done.stderr)
        self.assertIn("no such command", self.run_tool(USAGE, "satus").stderr)
        for arguments in (("--help",), ("client", "add", "--help"), ("audit", "tail", "--help")):
            self.assertIn("Examples:", self.run_tool(DONE, *arguments).stdout)

    def test_files_that_are_not_there_are_named(self):
        command = self.vault.tool_command()
        command[2] = "/nowhere/vault.toml"
        done = subprocess.run([*command, "status"], capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, LOCAL)
        self.assertIn("can't read /nowhere/vault.toml: No such file or directory: name the configuration",
                      done.stderr)
        done = subprocess.run([os.path.join(vault_fixture.PROGRAMS, "cardvaultd"), "--config", "/nowhere/vault.toml"],
                              capture_output=True, text=True, timeout=30)
        self.assertEqual(done.returncode, 1)
        self.assertIn("can't read /nowhere/vault.toml: No such file or directory: name the configuration",
                      done.stderr)

    def test_a_file_that_cannot_be_read_is_named(self):
        for name in ("/nowhere/x", self.vault.dir):
            for arguments in (("bin", "import", name), ("client", "add", "x", "--cert", name, "--permissions", "tokenize"),
                              ("client", "enroll", "web", "--request", name),
                              ("recipient", "add", "x", "--cert", name, "--ca", name, "--may", "otp")):
                with self.subTest(arguments=arguments):
                    self.assertIn(name, self.run_tool(LOCAL, *arguments).stderr)

    def test_what_nobody_can_read_is_not_done_with_0(self):
        audit = os.path.join(vault_fixture.PROGRAMS, "cardvault-audit")
        for command, code in (([*self.vault.tool_command(), "key", "list"], LOCAL), ([audit, "--help"], 2)):
            with open("/dev/full", "w", encoding="ascii") as full:
                done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=30)
            self.assertEqual(done.returncode, code, command)
            self.assertIn("stdout can't be written", done.stderr)
            closed = subprocess.run(["sh", "-c", 'exec "$@" >&- 2>&-', "sh", *command], timeout=30)
            self.assertEqual(closed.returncode, code, command)

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

    def wait(self, condition, what, seconds=60):
        end = time.monotonic() + seconds
        while not condition():
            self.assertLess(time.monotonic(), end, f"waited in vain for {what}")
            time.sleep(0.05)

    def test_following_shows_events_as_they_come(self):
        process, lines = self.follow()
        self.vault.request("web", "GET", "/v1/whoami")
        self.vault.request("processor", "GET", f"/v1/tokens/{self.token}")
        self.wait(lambda: any('"token.get"' in line for line in list(lines)), "the event")
        events = [json.loads(line) for line in list(lines)]
        numbers = [event["seq"] for event in events]
        self.assertEqual(numbers, list(range(numbers[0], numbers[0] + len(numbers))))
        self.assertIn(("client:web", "whoami"), [(e["actor"], e["op"]) for e in events])
        process.send_signal(signal.SIGINT)
        self.assertEqual(process.wait(60), -signal.SIGINT)

    def test_following_ends_when_its_reader_went(self):
        process = subprocess.Popen(self.vault.tool_command("audit", "tail", "-n", "1", "--follow"),
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.addCleanup(process.stderr.close)
        self.addCleanup(process.kill)
        process.stdout.readline()
        process.stdout.close()
        self.vault.request("web", "GET", "/v1/whoami")  # an event that nobody reads
        self.assertEqual(process.wait(60), LOCAL)
        self.assertIn("nobody reads them", process.stderr.read())

    # --- backup ---

    def test_a_backup_is_whole_and_holds_every_card_and_event(self):
        for number in range(5):
            self.vault.request("web", "POST", "/v1/tokenize",
                               CARD | {"customer": f"+7706100000{number}"})
        last = self.vault.events(1)[0]["seq"]
        target = self.backup("backup-whole")
        held = set()
        for name in ("vault.db", "reveal.db"):
            path = os.path.join(target, name)
            self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
            copy = sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)
            self.assertEqual(copy.execute("PRAGMA integrity_check").fetchall(), [("ok",)])
            for first, count in copy.execute("SELECT first_seq, count FROM events"):
                held.update(range(first, first + count))
            if name == "vault.db":
                noted = copy.execute("SELECT value FROM named_values WHERE name = 'published'").fetchone()
                self.assertGreaterEqual(copy.execute("SELECT count(*) FROM cards").fetchone()[0], 6)
            copy.close()
            with open(path, "rb") as file:
                self.assertNotIn(PAN.encode(), file.read())
        # Events leave the databases once the published log has them and budgets don't need them.
        published = struct.unpack("<Q", noted[0][:8])[0] if noted else 0
        end = max(held) + 1
        self.assertGreater(end, last)
        self.assertLessEqual(set(range(published, end)), held, "an event is missing")
        with open(self.vault.path("audit", "checkpoint"), encoding="utf-8") as file:
            self.assertLessEqual(published, int(file.read().split("\n")[1]))
        self.assertEqual(os.stat(target).st_mode & 0o777, 0o700)

    def test_a_backup_goes_to_a_new_folder_that_the_vault_may_write(self):
        target = self.backup("backup-once")
        self.assertIn("already", self.run_tool(REFUSED, "backup", "copy", target).stderr)
        if vault_fixture.SANITIZED:
            return  # confined to nothing (sandbox::kConfined), it may write there
        outside = self.run_tool(REFUSED, "backup", "copy", os.path.join(tempfile.gettempdir(), "backup-outside"))
        self.assertIn("data_dir", outside.stderr)

class StoppedVault(unittest.TestCase):
    """Runs after Tool, whose vault it stops."""

    def test_verbs_work_in_process_and_what_they_changed_holds(self):
        tool = Tool()
        Tool.setUpClass()
        process, _ = tool.follow()
        self.addCleanup(tool.vault.up_again)
        tool.vault.down()
        self.assertEqual(process.wait(60), UNREACHABLE, "nobody holds up a stop by following")
        tool.doCleanups()
        tool.everything_reads()
        tool.everything_refuses()
        self.assertIn("no vault runs", tool.run_tool(DONE, "status").stderr)
        with tempfile.TemporaryDirectory() as own:  # what is written for its caller is the caller's to write
            points = [f"p256:{point}" for point in (
                "0259cb73d56555a506036b4c52100b7f630add3d7f8c64c153dbbcdc7c74ceb217",
                "0310eff65f39d502b288dbc5b2283c816905e402ef7f93e93fc855bad6e38d3d88")]
            draft = os.path.join(own, "custodians")
            tool.run_tool(DONE, "custodian", "draft", "--needed", "2", "--custodian", "anna=" + points[0],
                          "--custodian", "bolat=" + points[1], "--out", draft)
            self.assertEqual(os.stat(draft).st_uid, os.geteuid())
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
