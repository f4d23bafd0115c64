#!/usr/bin/python3
"""`audit verify` on what no vault has published: logs made by specification, with files that were
truncated, swapped, duplicated or are another log's, events dated in the future, sizes that no log has,
a folder that is written meanwhile, and logs larger than the memory it is given."""

import json
import os
import random
import resource
import shutil
import subprocess
import tempfile
import threading
import unittest

from cryptography.hazmat.primitives import serialization

from log_maker import LogMaker, event_line, place
from vault_fixture import PROGRAMS, address_space

AUDIT = os.path.join(PROGRAMS, "cardvault-audit")
BENCH = os.path.join(PROGRAMS, "tests", "bench", "cardvault-audit-bench")
RECORDS = 700
# Of address space, most of it libraries and stacks. The logs are of 14 and 70 MB.
MEMORY, SIZES = 160 << 20, (40_000, 200_000)


class BadInput(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        held = tempfile.TemporaryDirectory(prefix="cardvault-bad-log-")
        cls.addClassCleanup(held.cleanup)
        cls.folder = held.name
        cls.good = os.path.join(held.name, "good")
        cls.log = LogMaker(cls.good)
        cls.log.append([event_line(i, resource=f"tok_{i}") for i in range(RECORDS)])
        cls.other = LogMaker(os.path.join(held.name, "other"))
        cls.other.append([event_line(i, resource=f"tok_{i + 1}") for i in range(RECORDS)])

    def copy(self):
        copy = os.path.join(self.folder, "copy")
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self.good, copy)
        return copy

    def verify(self, folder, *options, key=None, limit=None):
        """(exit code, names of what was found, what was said on standard error)"""
        before = None if limit is None else lambda: resource.setrlimit(resource.RLIMIT_AS, address_space(limit))
        done = subprocess.run(
            [AUDIT, "--json", "verify", folder, "--key", key or self.log.vkey, *options],
            capture_output=True, text=True, timeout=60, preexec_fn=before)
        found = json.loads(done.stdout)["findings"] if done.stdout else []
        return done.returncode, [f["fault"] for f in found], done.stderr

    def assert_found(self, folder, *names, **options):
        code, found, said = self.verify(folder, **options)
        self.assertEqual(code, 1, said)
        self.assertIn(found[0], names)

    def test_a_log_made_by_specification_verifies(self):
        self.assertEqual(self.verify(self.good)[0], 0)
        self.assertEqual(self.verify(self.good, "--against", os.path.join(self.good, "checkpoint"))[0], 0)

    def test_files_of_another_log(self):
        for kind, index, width in (("entries", 1, 256), ("entries", 2, 188), ("0", 1, 256), ("0", 2, 188),
                                   ("1", 0, 2)):
            with self.subTest(kind=kind, index=index):
                copy = self.copy()
                shutil.copy(place(self.other.folder, kind, index, width), place(copy, kind, index, width))
                self.assert_found(copy, "flipped", "rewritten", "inserted", "missing", "reordered")

    def test_swapped_duplicated_and_truncated_files(self):
        one, two = ((kind, n, 256) for n in (0, 1) for kind in ("entries",))
        copy = self.copy()
        shutil.copy(place(self.good, *one), place(copy, *two))
        shutil.copy(place(self.good, *two), place(copy, *one))
        self.assert_found(copy, "reordered")
        copy = self.copy()
        shutil.copy(place(self.good, *one), place(copy, *two))
        self.assert_found(copy, "duplicated", "reordered")
        for size in (0, 1, 31, 5000):
            copy = self.copy()
            os.truncate(place(copy, *two), size)
            self.assert_found(copy, "truncated", "missing")

    def test_another_key_and_another_logs_checkpoint(self):
        self.assert_found(self.good, "foreign log", key=self.other.vkey)
        same_name = LogMaker(os.path.join(self.folder, "unused"), self.log.name)
        self.assert_found(self.good, "foreign log", "forged signature", key=same_name.vkey)
        code, _, said = self.verify(self.good, "--against", os.path.join(self.other.folder, "checkpoint"))
        self.assertEqual(code, 2)
        self.assertIn("says nothing about this log", said)

    def test_events_dated_in_the_future(self):
        log = LogMaker(os.path.join(self.folder, "future"))
        log.append([event_line(0), event_line(1, time="2199-01-01T00:00:00.000Z")])
        code, found, said = self.verify(log.folder, key=log.vkey)
        self.assertEqual((code, found), (0, []))
        self.assertIn("2199-01-01T00:00:00.000Z, in the future", said)
        log.append([event_line(2)])
        self.assert_found(log.folder, "malformed", key=log.vkey)

    @unittest.skipIf(os.geteuid() != 0, "becomes another account")
    def test_what_this_account_may_not_read_is_said_in_words(self):
        os.chmod(self.folder, 0o711)
        copy = self.copy()
        for path in (os.path.join(copy, "checkpoint"), place(copy, "entries", 1, 256)):
            os.chmod(path, 0o600)
            for command, *options in (["verify"], ["find", "--token", "tok_300"]):
                done = subprocess.run([AUDIT, command, copy, "--key", self.log.vkey, *options], user=61001, group=61001,
                                      extra_groups=[], capture_output=True, text=True, timeout=60)
                self.assertEqual(done.returncode, 2, done)
                self.assertIn(f"{path} can't be read: Permission denied", done.stderr)
            os.chmod(path, 0o644)

    def test_signed_nonsense(self):
        for name, entry in (("not JSON", b"nonsense"), ("empty", b""), ("wrong number", event_line(9)),
                            ("spaces", event_line(1).replace(b":", b": ")), ("bytes", b"\xff\0" * 9000)):
            with self.subTest(name=name):
                log = LogMaker(os.path.join(self.folder, "nonsense-" + name.replace(" ", "-")))
                log.append([event_line(0), entry, event_line(2)])
                self.assert_found(log.folder, "malformed", "inserted", "missing", key=log.vkey)

    def test_sizes_that_no_log_has(self):
        copy = self.copy()
        signer = LogMaker(copy)
        for size in (RECORDS + 1, 10**6, 2**40, 2**62, 2**64 - 1):
            with self.subTest(size=size):
                signer.sign(size, bytes(32))
                self.assert_found(copy, "truncated", "flipped", "rewritten", key=signer.vkey, limit=MEMORY)
        signer.sign(0, bytes(32))
        self.assertNotEqual(self.verify(copy, key=signer.vkey)[0], 0)

    def test_random_bytes_for_any_file(self):
        chance = random.Random(7)
        files = [os.path.join(at, name) for at, _, names in os.walk(self.good) for name in names]
        for path in files:
            copy = self.copy()
            target = os.path.join(copy, os.path.relpath(path, self.good))
            with open(target, "wb") as file:
                file.write(chance.randbytes(os.path.getsize(path)))
            with self.subTest(path=path):
                self.assertEqual(self.verify(copy)[0], 1)

    def test_a_folder_that_is_written_meanwhile(self):
        log = LogMaker(os.path.join(self.folder, "growing"))
        log.append([event_line(i) for i in range(200)])
        done = threading.Event()

        def grow():
            while not done.is_set():
                size = len(log.entries)
                log.append([event_line(size + i) for i in range(37)])

        writer = threading.Thread(target=grow)
        writer.start()
        try:
            for _ in range(10):
                code, found, said = self.verify(log.folder, key=log.vkey)
                self.assertEqual((code, found), (0, []), said)
        finally:
            done.set()
            writer.join()
        self.assertGreater(len(log.entries), 256)

    def saved(self, name, data):
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            file.write(data)
        return path

    def test_keys_and_checkpoints_that_other_systems_saved(self):
        with open(os.path.join(self.good, "checkpoint"), "rb") as file:
            checkpoint = file.read()
        texts = {"vkey": self.log.vkey.encode() + b"\n", "pem": self.log.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)}
        for change, saved in (("mark", lambda text: b"\xef\xbb\xbf" + text),
                              ("spaces", lambda text: b" " + text + b" \n"),
                              ("line ends", lambda text: text.replace(b"\n", b"\r\n")),
                              ("both", lambda text: b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n"))):
            for name, text in texts.items():
                with self.subTest(change, of=name):
                    code, _, said = self.verify(self.good, key=self.saved("saved." + name, saved(text)))
                    self.assertEqual(code, 0, said)
            if change != "spaces":
                with self.subTest(change, of="a checkpoint"):
                    code, _, said = self.verify(self.good, "--against", self.saved("saved", saved(checkpoint)))
                    self.assertEqual(code, 0, said)
        for name, text in texts.items():
            with self.subTest("a pipe", of=name):
                piped = subprocess.run([AUDIT, "verify", self.good, "--key", "/dev/stdin"], input=text,
                                       capture_output=True, timeout=60)
                self.assertEqual(piped.returncode, 0, piped.stderr)
        titled = self.saved("titled.pem", b"Public key of the log\n" + texts["pem"])
        self.assertEqual(self.verify(self.good, key=titled)[0], 0)
        code, _, said = self.verify(self.good, key=os.path.join(self.folder, "absent.vkey"))
        self.assertEqual(code, 2)
        self.assertIn("no such file", said)

    def test_a_proof_is_checked_with_an_earlier_key_too(self):
        log = LogMaker(os.path.join(self.folder, "rotated"))
        log.append([event_line(i) for i in range(9)])
        first = log.vkey
        log.append([log.rotate()])
        for key, wanted in ((first, 0), (log.vkey, 0), (self.other.vkey, 1)):
            with self.subTest(key):
                done = subprocess.run([AUDIT, "prove", log.folder, "3", "--key", key], capture_output=True, text=True,
                                      timeout=60)
                self.assertEqual((done.returncode, done.stdout != ""), (wanted, wanted == 0), done.stderr)

    def test_the_folder_may_stand_after_what_may_be_named_again(self):
        kept, page = os.path.join(self.good, "checkpoint"), os.path.join(self.folder, "page.html")
        for words in (["find", "--client", "web", "--token", "tok_7", self.good, "--no-index"],
                      ["verify", "--against", kept, "--against", kept, self.good, "--threads", "1"],
                      ["report", "--lang", "kk", self.good, "-o", page]):
            with self.subTest(words):
                done = subprocess.run([AUDIT, *words, "--key", self.log.vkey], capture_output=True, text=True,
                                      timeout=60)
                self.assertEqual(done.returncode, 0, done.stderr)

    def test_what_cannot_be_read_was_not_changed(self):
        proof = ["prove", "300", "--key", self.log.vkey]
        for path, missing in (("checkpoint", 2), ("tile/entries/001", 1), ("tile/0/001", 1)):
            for there in (False, True):  # a folder in its place is as unreadable for root as for all
                with self.subTest(path, there=there):
                    copy = self.copy()
                    os.remove(os.path.join(copy, path))
                    if there:
                        os.mkdir(os.path.join(copy, path))
                    for command in (proof, ["find", "--key", self.log.vkey, "--no-index"]):
                        done = subprocess.run([AUDIT, command[0], copy, *command[1:]], capture_output=True, text=True,
                                              timeout=60)
                        self.assertEqual(done.returncode, 2 if there else missing, done.stderr)
                        self.assertIn("can't be read" if there else "checkpoint" if missing == 2 else "--also",
                                      done.stderr)
                        self.assertNotIn("changed", done.stderr)

    @unittest.skipUnless(os.geteuid() == 0, "an account that nobody else uses is needed")
    def test_a_machine_that_gives_fewer_threads(self):
        os.chmod(self.folder, 0o711)

        def limited():
            resource.setrlimit(resource.RLIMIT_NPROC, (3, 3))
            os.setuid(61_777)

        for command in (["verify", self.good], ["find", self.good, "--token", "tok_7", "--no-index"]):
            with self.subTest(command):
                done = subprocess.run([AUDIT, *command, "--key", self.log.vkey, "--threads", "9"], capture_output=True,
                                      text=True, timeout=60, preexec_fn=limited)
                self.assertEqual(done.returncode, 0, done.stderr)

    def test_memory_does_not_grow_with_the_log(self):
        for records in SIZES:
            with self.subTest(records=records), tempfile.TemporaryDirectory() as folder:
                subprocess.run([BENCH, "make", folder, str(records)], timeout=300, check=True)
                log, key = os.path.join(folder, "audit"), os.path.join(folder, "audit.vkey")
                code, found, said = self.verify(log, "--threads", "2", key=key, limit=MEMORY)
                self.assertEqual((code, found), (0, []), said)
                page, index = os.path.join(folder, "report.html"), os.path.join(folder, "index")
                for command in (["report", log, "-o", page],
                                ["find", log, "--token", "none", "--no-index"],
                                ["find", log, "--token", "none", "--index", index],
                                ["find", log, "--outcome", "ok", "--format", "csv"]):
                    with self.subTest(command=command):
                        done = subprocess.run(
                            [AUDIT, *command, "--key", key, "--threads", "2"], stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, text=True, timeout=120, env={"HOME": folder},
                            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, address_space(MEMORY)))
                        self.assertEqual(done.returncode, 0, done.stderr)


class Restored(unittest.TestCase):
    """A restored vault's log, which begins with the last checkpoint of the lost vault's."""

    def setUp(self):
        held = tempfile.TemporaryDirectory(prefix="cardvault-restored-log-")
        self.addCleanup(held.cleanup)
        self.lost = LogMaker(os.path.join(held.name, "lost"), "lost.example/log")
        self.keys = [self.lost.vkey]
        self.lost.append([event_line(i) for i in range(300)])
        self.new = LogMaker(os.path.join(held.name, "new"), "new.example/log")

    def rotate(self):
        entry = self.lost.rotate()
        self.lost.append([entry] + [event_line(len(self.lost.entries) + 1 + i) for i in range(300)])
        self.keys.append(self.lost.vkey)

    def restore(self):
        with open(os.path.join(self.lost.folder, "checkpoint"), encoding="utf-8") as file:
            details = {"checkpoint": file.read(), "action": "none"}
        self.new.append([event_line(0, op="log.continues", resource=self.lost.name, details=details)])

    def verify(self, key, *options):
        done = subprocess.run(
            [AUDIT, "verify", self.new.folder, "--key", self.new.vkey, "--before", self.lost.folder,
             "--before-key", key, *options], capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout + done.stderr

    def test_what_json_says_is_said_of_the_lost_log_too(self):
        self.restore()
        for change, wanted in ((False, 0), (True, 1)):
            if change:
                os.truncate(place(self.lost.folder, "entries", 0, 256), 9)
            with self.subTest(change=change):
                code, said = self.verify(self.keys[0], "--json")
                found = json.loads(next(line for line in said.splitlines() if line.startswith("{")))
                self.assertEqual((code, found["verified"]), (wanted, wanted == 0), said)

    def test_each_key_of_the_lost_log_verifies_what_later_ones_signed(self):
        for _ in range(2):
            self.rotate()
        self.restore()
        for number, key in enumerate(self.keys):
            with self.subTest(key=number):
                code, said = self.verify(key)
                self.assertEqual(code, 0, said)
                self.assertIn("verified: lost.example/log, 902 records, of which the next log knows 902", said)
                self.assertEqual(said.count("endorsed in record"), 2 - number, said)

    def test_a_key_that_none_of_the_lost_log_endorsed_is_not_believed(self):
        self.lost.new_key()
        self.lost.append([event_line(300)])
        self.restore()
        code, said = self.verify(self.keys[0])
        self.assertEqual(code, 1, said)
        self.assertIn("NOT VERIFIED: the log before, lost.example/log: what the next log begins with", said)

    def test_closed_months_of_both_logs_are_found_where_they_were_moved_to(self):
        self.restore()
        self.new.append([event_line(i) for i in range(1, 300)])
        folders = []
        for log in self.new, self.lost:
            folders.append(log.move_first_tile())
        for also in (folders, folders[::-1]):
            code, said = self.verify(self.keys[0], "--also", *also)
            self.assertEqual(code, 0, said)
        for missing, also in (("", folders[1]), ("the log before", folders[0])):
            code, said = self.verify(self.keys[0], "--also", also)
            self.assertEqual(code, 1, said)
            self.assertIn(missing, said)
            self.assertIn("missing", said)


if __name__ == "__main__":
    unittest.main()
