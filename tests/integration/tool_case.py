"""The tool on a real vault: how it is run, and how what it prints is read."""

import json
import unittest

import vault_fixture

PAN = "4111111111111111"
CARD = {"pan": PAN, "customer": "+77060000001"}
DONE, REFUSED, USAGE, UNREACHABLE, LOCAL = range(5)
DAEMON_UID, NOBODY = 61001, 65534


class ToolCase(unittest.TestCase):
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

    def backup(self, name):
        target = self.vault.path("data", name)
        self.run_tool(DONE, "backup", "copy", target)
        return target

    def findings(self, code):
        done = self.run_tool(code, "--format", "json", "doctor")
        return json.loads(done.stdout)
