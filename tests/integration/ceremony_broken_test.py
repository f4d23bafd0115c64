#!/usr/bin/python3
"""Ceremonies that are broken off: killed, hung up on, ended by a signal."""

import os
import re
import signal
import termios
import unittest

import pexpect

from ceremonies import Ceremonies, hsm_queue
from ceremony_table import Gone, Sitting, combine


class Broken(Ceremonies):
    def test_killed_anywhere_it_goes_on(self):
        table = self.table(cards=())
        papers = {}
        # A different place each time; what was not put to use by then is made anew.
        for prompt in (2, 9, 14, 30, 3, 20, 1, 4):
            sitting = self.run_plan(table)
            sitting.leave_at = prompt
            try:
                code = sitting.run()
            except Gone:
                papers.update(sitting.papers)
                self.assertFalse(os.path.exists(os.path.join(table.dir, "vault.toml")))
                continue
            self.assertEqual(code, 0, sitting.text[-2000:])
            papers.update(sitting.papers)
            break
        else:
            papers.update(self.hold(table).papers)
        self.assert_whole(table)
        text = self.read(self.transcript(table))
        self.assertIn(" resumed ", text)
        self.assertIn(" split-void ", text)
        self.assertEqual(combine(self.shares_of(table, papers, "user-pin")[:3]).decode(),
                         self.read(os.path.join(table.dir, "pin")))

    def test_killed_while_keys_are_made_it_goes_on(self):
        table = self.table(read_back=False, cards=(), media=())
        for moment in ("is initialised", "the keys are made", "id-enc/1", "audit-sign/1", "keys are wrapped",
                       "the token is tried"):
            sitting = self.run_plan(table)
            sitting.RULES = [(re.escape(moment), "moment"), *Sitting.RULES]
            sitting._moment = lambda _, child=sitting.child: child.kill(signal.SIGKILL)
            try:
                sitting.run()
                break  # past all of them
            except Gone:
                pass
        if not os.path.exists(os.path.join(table.dir, "vault.toml")):
            self.hold(table)
        self.assert_whole(table)

    def test_killed_with_a_token_that_keeps_its_keys_itself_it_goes_on(self):
        table, _ = self.table_with_a_shim()
        for call, skip in (("C_GenerateKey", 2), ("C_SignInit", 1)):
            self.queue.add(call, hsm_queue.ABORT, skip=skip)
            with self.assertRaises(Gone):
                self.run_plan(table).run()
        self.hold(table)
        done = table.tool("ceremony", "verify", self.transcript(table))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertIn("the HSM answers", table.tool("--config", os.path.join(table.dir, "vault.toml"), "doctor").stdout)

    def test_the_terminal_is_as_it_was_after_a_signal(self):
        table = self.table(read_back=False, cards=(), media=())
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            sitting = self.run_plan(table)
            sitting.child.expect("passphrase of your key")
            self.assertTrue(sitting.child.waitnoecho(timeout=60))
            sitting.child.kill(number)
            sitting.child.expect(pexpect.EOF)
            self.assertTrue(termios.tcgetattr(sitting.child.child_fd)[3] & termios.ECHO, number)
            sitting.child.close()
            self.assertEqual(sitting.child.signalstatus, number)

    def test_a_terminal_that_hangs_up_leaves_word_how_to_go_on(self):
        table = self.table(read_back=False, cards=(), media=())
        err = os.path.join(self.top, "err")
        sitting = Sitting(table, "ceremony", "run", table.plan, "--dir", table.dir, stderr=err)
        sitting.leave_at = 3
        sitting.leave = lambda child: child.ptyproc.fileobj.close()
        with self.assertRaises(OSError):  # the driver's own end of the line is gone
            sitting.run()
        os.waitpid(sitting.child.pid, 0)
        self.assertIn("Run the same command again", self.read(err))
        self.hold(table)
        self.assert_whole(table)

    def test_no_terminal_no_ceremony(self):
        table = self.table(cards=(), media=())
        done = table.tool("ceremony", "run", table.plan, "--dir", table.dir)
        self.assertEqual(done.returncode, 4)
        self.assertIn("this process has none: run it in one", done.stderr)
        self.assertFalse(os.path.exists(table.dir))


if __name__ == "__main__":
    unittest.main()
