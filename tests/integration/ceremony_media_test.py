#!/usr/bin/python3
"""Media that fail; and what follows a ceremony, drills and new custodians."""

import os
import shutil
import signal
import stat
import subprocess
import tempfile
import threading
import unittest

from ceremonies import Ceremonies
from ceremony_table import Gone, Sitting, Table, combine, program, value_of


@unittest.skipIf(os.geteuid() != 0, "mounts a small file system")


class Media(Ceremonies):
    def mount(self, folder):
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", folder], check=True)
        self.addCleanup(subprocess.run, ["umount", folder], check=False, capture_output=True)

    def test_a_full_medium_and_one_removed_are_asked_for_again(self):
        table = self.table(read_back=False, cards=())
        bolat = table.media["bolat"]
        self.mount(bolat)
        with open(os.path.join(bolat, "holiday.jpg"), "wb") as file:
            try:
                file.write(bytes(8192))
            except OSError:
                pass
        os.rename(table.media["carol"], table.media["carol"] + ".out")

        def make_room():
            self.assertEqual(os.listdir(bolat), ["holiday.jpg"])
            os.truncate(os.path.join(bolat, "holiday.jpg"), 0)
            return ""

        def put_in():
            os.rename(table.media["carol"] + ".out", table.media["carol"])
            return ""
        sitting = self.run_plan(table)
        # One page holds one share; the other two go to a second medium.
        second = os.path.join(self.top, "second")
        os.mkdir(second)
        sitting.answers = {r"bolat: folder of your medium": [make_room, second],
                           r"carol: folder of your medium": [put_in]}
        self.assertEqual(sitting.run(), 0, sitting.text[-3000:])
        self.assertIn("it is full: nothing was left on it", sitting.text)
        self.assertIn("there is no such folder: is the medium in, and mounted?", sitting.text)
        self.assert_whole(table)
        self.assertEqual(len(os.listdir(second)) + len(os.listdir(bolat)), 4)  # three shares, one holiday

    @unittest.skipUnless(shutil.which("strace"), "takes strace")
    @unittest.skipIf("CARDVAULT_SANITIZED" in os.environ, "LeakSanitizer does not work under strace")
    def test_one_pulled_before_it_is_read_back_is_asked_for_again(self):
        """The tool is stopped wherever it begins to read back; at bolat's first share the medium is pulled."""
        table = self.table(read_back=False, cards=(), media=("bolat",))
        bolat, steps = table.media["bolat"], os.path.join(self.top, "steps")
        sitting = Sitting(table, "ceremony", "run", table.plan, "--dir", table.dir,
                          program=["strace", "-o", steps, "-e", "trace=fadvise64", "-e",
                                   "inject=fadvise64:signal=STOP", program("cardvault")])
        over, pulled = threading.Event(), []

        def pull():
            went_on = 0
            while not over.wait(0.02):
                stops = self.read(steps).count("stopped by SIGSTOP") if os.path.exists(steps) else 0
                if stops == went_on:
                    continue
                went_on = stops
                if not pulled and os.listdir(bolat):
                    pulled.extend(os.listdir(bolat))
                    os.rename(bolat, bolat + ".out")
                tool = self.read(f"/proc/{sitting.child.pid}/task/{sitting.child.pid}/children")
                os.kill(int(tool), signal.SIGCONT)

        def put_in():
            os.rename(bolat + ".out", bolat)
            return ""
        sitting.answers = {r"bolat: folder of your medium": [put_in]}
        hand = threading.Thread(target=pull)
        hand.start()
        try:
            code = sitting.run()
        finally:
            over.set()
            hand.join()
        self.assertEqual(code, 0, sitting.text[-300:])
        self.assertEqual(len(pulled), 1)
        self.assertTrue(f"{pulled[0]}: it can't be read back: is the medium in" in sitting.text, "not said")
        self.assertEqual(len(os.listdir(bolat)), 3)
        self.assert_whole(table)


class Later(Ceremonies):
    def test_drill_and_reshare(self):
        table = self.table(cards=())
        papers = self.hold(table).papers
        first = self.transcript(table)
        self.drill(table, first, papers)
        second = os.path.join(table.dir, "custody", "transcript.2")
        fresh = self.reshare(table, first, second, papers)
        self.old_shares_are_void(table, second, papers, fresh)
        self.nothing_starts_from_the_old_transcript(table, first, second)
        for again in (False, True):
            leave = table.tool("share", "leave", "anna", "--transcript", second)
            self.assertEqual(leave.returncode, 0)  # it is recorded
            self.assertIn("New secrets are needed", leave.stderr)
            self.assertEqual("recorded in" in leave.stderr, not again)
        third = os.path.join(table.dir, "custody", "transcript.3")
        sitting = Sitting(table, "share", "reshare", "user-pin", "--transcript", second, "--out", third)
        self.assertEqual(sitting.run(), 1, sitting.text)
        self.assertIn("anna left on", sitting.text)
        self.assertFalse(os.path.exists(third))
        found = table.tool("--config", os.path.join(table.dir, "vault.toml"), "doctor")
        self.assertRegex(found.stdout, "error +custodian anna left on .* and still knows shares of so-pin, user-pin")

    def share_file(self, table, name, secret, split):
        folder = table.media[name]
        (file,) = [f for f in os.listdir(folder) if f.startswith(f"{secret}.split{split}.")]
        return os.path.join(folder, file)

    def drill(self, table, transcript, papers):
        drill = Sitting(table, "share", "drill", "--transcript", transcript)
        drill.entering = [papers["anna", "so-pin"]]
        self.assertEqual(drill.run(), 0, drill.text)
        self.assertIn("Good: this is anna's share 1 of 5 of so-pin", drill.text)
        drill = Sitting(table, "share", "drill", "--transcript", transcript)
        drill.paths = [self.share_file(table, "bolat", "backup-key", 1)]
        self.assertEqual(drill.run(), 0, drill.text)
        listed = table.tool("--format", "json", "share", "list", "--transcript", transcript)
        self.assertEqual(listed.stdout.count('"never"'), 13)
        self.assertEqual(len(self.read(transcript + ".drills").splitlines()), 2)

    def reshare_broken_off(self, table, first, second, papers):
        sitting = Sitting(table, "share", "reshare", "so-pin", "--transcript", first, "--out", second)
        sitting.entering = [papers[name, "so-pin"] for name in ("anna", "dana", "erik")]
        sitting.answers = {"anna, are the old shares destroyed": [lambda: sitting.child.kill(signal.SIGKILL) or ""]}
        with self.assertRaises(Gone):
            sitting.run()
        self.assertFalse(os.path.exists(second))  # the newest transcript is the one before
        drill = Sitting(table, "share", "drill", "--transcript", first)
        drill.entering = [sitting.papers["anna", "so-pin"]]
        self.assertEqual(drill.run(), 1, drill.text)
        self.assertIn("no ceremony of this transcript", drill.text)

    def reshare(self, table, first, second, papers):
        self.reshare_broken_off(table, first, second, papers)
        nothing = Sitting(table, "share", "reshare", "so-pin", "--transcript", first, "--out", second)
        nothing.leave_at = 1  # before anything is split: what the first try gave out is not forgotten
        with self.assertRaises(Gone):
            nothing.run()
        sitting = Sitting(table, "share", "reshare", "so-pin", "--transcript", first, "--out", second)
        foreign = self.another_vaults_paper()
        # Erik's, erik's again, another vault's, another secret's; then bolat's file and anna's paper.
        sitting.entering = [papers["erik", "so-pin"], papers["erik", "so-pin"], foreign,
                            papers["anna", "user-pin"], papers["anna", "so-pin"]]
        sitting.paths = ["", "", "", "", self.share_file(table, "bolat", "so-pin", 1), ""]
        self.assertEqual(sitting.run(), 0, sitting.text[-3000:])
        for said in ("it has been entered already", "another vault's, it belongs to another ceremony",
                     "not the secret asked for"):
            self.assertEqual(sitting.text.count(said), 1, said)
        # The daemon of a vault that custodians unseal reads it under its own account.
        self.assertEqual([stat.S_IMODE(os.stat(path).st_mode) for path in (first, second)], [0o644, 0o644])
        done = table.tool("ceremony", "verify", second, "--previous", first)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(table.tool("ceremony", "verify", second, "--previous", second).returncode, 1)
        before = combine(self.shares_of(table, papers, "so-pin")[:3]) if not sitting.papers else None
        merged = {**papers, **sitting.papers}
        self.assertIsNone(before)
        now = self.shares_of(table, merged, "so-pin")
        self.assertEqual([share["split"] for share in now], [3] * 5)  # the second was broken off
        self.assertEqual([name for name in os.listdir(os.path.dirname(second)) if name.endswith(".part")], [])
        old = [value_of(papers["anna", "so-pin"]), value_of(papers["erik", "so-pin"]),
               table.open_file(self.share_file(table, "bolat", "so-pin", 1), "bolat")]
        self.assertEqual(combine(now[1:4]), combine(old))
        return sitting.papers

    def nothing_starts_from_the_old_transcript(self, table, first, second):
        """It would say that void shares are good, and fork the splits."""
        elsewhere = os.path.join(self.top, "copy-of-the-first")
        shutil.copy(first, elsewhere)
        fourth = os.path.join(table.dir, "custody", "transcript.4")
        for command in (("share", "reshare", "so-pin", "--transcript", first, "--out", fourth),
                        ("share", "reshare", "so-pin", "--transcript", elsewhere, "--out", fourth),
                        ("share", "leave", "anna", "--transcript", first),
                        ("share", "drill", "--transcript", first),
                        ("share", "list", "--transcript", first)):
            with self.subTest(command):
                sitting = Sitting(table, *command)
                sitting.leave_at = 1  # where it isn't refused
                self.assertEqual(sitting.run(), 1, sitting.text)
                self.assertRegex(sitting.text, rf"is outdated: {second} is the newest transcript of this vault")
        sitting = Sitting(table, "share", "reshare", "so-pin", "--transcript", second, "--out",
                          os.path.join(table.dir, "custody", "fresh"))
        sitting.leave_at = 1
        self.assertEqual(sitting.run(), 2, sitting.text)
        self.assertIn("transcript.3", sitting.text)
        self.assertFalse(os.path.exists(fourth))
        self.assertEqual(table.tool("share", "list", "--transcript", elsewhere).returncode, 0)  # it stands alone

    def another_vaults_paper(self):
        with tempfile.TemporaryDirectory() as top:
            other = Table(top, read_back=False, cards=(), media=())
            sitting = Sitting(other, "ceremony", "run", other.plan, "--dir", other.dir, "--rehearse")
            self.assertEqual(sitting.run(), 0, sitting.text[-2000:])
            return sitting.papers["carol", "so-pin"]

    def old_shares_are_void(self, table, second, papers, fresh):
        drill = Sitting(table, "share", "drill", "--transcript", second)
        drill.entering = [papers["erik", "so-pin"]]
        self.assertEqual(drill.run(), 1)
        self.assertIn("that split was made void by a later one", drill.text)
        for lines in (fresh["erik", "so-pin"], papers["erik", "user-pin"]):
            drill = Sitting(table, "share", "drill", "--transcript", second)
            drill.entering = [lines]
            self.assertEqual(drill.run(), 0, drill.text)


if __name__ == "__main__":
    unittest.main()
