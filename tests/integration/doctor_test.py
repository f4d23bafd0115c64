#!/usr/bin/python3
"""What is wrong on the machine: `doctor` finds it, and a daemon refuses to start with it."""

import os
import shutil
import sqlite3
import subprocess
import unittest

import vault_fixture
from tool_case import DAEMON_UID, DONE, REFUSED, ToolCase


class Doctor(ToolCase):
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


if __name__ == "__main__":
    unittest.main()
