"""What sanitized.py calls a failure: sanitized_test.py PROGRAM SANITIZERS, where PROGRAM makes mistakes (faulty.cc)."""

import contextlib
import io
import os
import sys
import tempfile
import unittest

import sanitized

PROGRAM, SANITIZERS = sys.argv[1], sys.argv[2].split(",")
SAID = {
    "address": {"address": "heap-use-after-free", "leak": "LeakSanitizer"},
    "undefined": {"undefined": "signed integer overflow"},
    "thread": {"thread": "data race"},
}


class Sanitized(unittest.TestCase):
    def run_shell(self, script):
        """(exit code, what was printed)"""
        said = io.StringIO()
        with contextlib.redirect_stderr(said):
            code = sanitized.run("/build", ["/bin/sh", "-c", script, PROGRAM])
        return code, said.getvalue()

    def assert_found(self, words, script):
        code, said = self.run_shell(script)
        self.assertEqual(code, sanitized.FAILED)
        self.assertIn(words, said)

    def test_a_mistake_fails_a_test_that_passes_otherwise(self):
        for sanitizer in SANITIZERS:
            for mistake, words in SAID[sanitizer].items():
                with self.subTest(mistake=mistake):
                    self.assert_found(words, f'"$0" {mistake} >/dev/null 2>&1; exit 0')

    def test_a_mistake_of_a_process_in_another_users_name_is_found(self):
        if os.geteuid() != 0:
            self.skipTest("takes root")
        for sanitizer in SANITIZERS:
            mistake, words = next(iter(SAID[sanitizer].items()))
            with self.subTest(mistake=mistake):
                self.assert_found(words, "umask 077; setpriv --reuid=61001 --regid=61001 --clear-groups "
                                         f'"$0" {mistake} 2>/dev/null; exit 0')

    def test_without_a_mistake_the_exit_code_is_the_commands(self):
        for code in (0, 7):
            self.assertEqual(self.run_shell(f'"$0" none; exit {code}'), (code, ""))

    def test_the_programs_are_the_builds(self):
        self.assertEqual(self.run_shell('test "$CARDVAULT_PROGRAMS" = /build'), (0, ""))

    def test_nothing_is_left(self):
        with tempfile.TemporaryDirectory() as folder:
            os.environ["CARDVAULT_TMP"] = folder
            self.addCleanup(os.environ.pop, "CARDVAULT_TMP")
            os.chmod(folder, 0o755)
            self.run_shell(f'"$0" {next(iter(SAID[SANITIZERS[0]]))}')
            self.assertEqual(os.listdir(folder), [])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
