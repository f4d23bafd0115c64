#!/usr/bin/python3
"""A published log over the years: months are closed and moved away, and the signing key is rotated and
destroyed; the first verification key and the files go on proving all of it. The vault's time is moved by its
own high-water mark, which an operator then confirms."""

import contextlib
import os
import re
import shutil
import sqlite3
import struct
import subprocess
import threading
import time
import unittest
from datetime import datetime, timezone

import vault_fixture

AUDIT = os.path.join(vault_fixture.PROGRAMS, "cardvault-audit")


def auditor(*arguments):
    return subprocess.run([AUDIT, *arguments], capture_output=True, text=True, timeout=120)


class Years(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vault = vault_fixture.shared()
        cls.audit = cls.vault.path("audit")
        cls.cards = 0

    def setUp(self):
        self.vault.up_again()
        self.vault.wait_ready()

    def tokenize(self):
        Years.cards += 1
        answer = self.vault.request("web", "POST", "/v1/tokenize", {
            "pan": vault_fixture.made_up_pan(self.cards), "customer": f"+7705{self.cards:07d}"})
        self.assertEqual(answer.status, 200, answer)
        return answer.json()["token"]

    def wait(self, condition, what):
        end = time.monotonic() + 60
        while not condition():
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.1)

    def size(self, folder=None):
        with open(os.path.join(folder or self.audit, "checkpoint"), encoding="utf-8") as file:
            return int(file.read().split("\n")[1])

    def wait_published(self):
        events = self.vault.events(1)[-1]["seq"]
        self.wait(lambda: self.size() > events, "not published")

    def verify(self, folder, *more):
        done = auditor("verify", folder, "--key", self.vault.path("audit.vkey"), *more)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def move_time_to(self, *date):
        """As a clock that was ahead when the vault was last stopped."""
        self.vault.down()
        mark = int(datetime(*date, tzinfo=timezone.utc).timestamp()) * 1000
        with sqlite3.connect(self.vault.path("data", "vault.db")) as database:
            changed = database.execute("UPDATE named_values SET value = ? WHERE name = 'clock_high_water'",
                                       (struct.pack("<q", mark),))
            self.assertEqual(changed.rowcount, 1)
        database.close()
        for name in os.listdir(self.vault.path("data")):
            owner = os.stat(self.vault.path("data"))
            os.chown(self.vault.path("data", name), owner.st_uid, owner.st_gid)
        self.confirming(self.vault.up)

    def confirming(self, start):
        """`start` waits until the vault is ready, which it is once an operator has confirmed its time."""
        starting = threading.Thread(target=start)
        starting.start()
        while starting.is_alive():
            self.vault.tool("clock", "confirm", check=False)
            starting.join(0.2)
        self.vault.wait_ready()

    def test_1_the_first_key_verifies_what_later_ones_sign(self):
        self.tokenize()
        self.wait_published()
        shutil.copy(os.path.join(self.audit, "checkpoint"), self.vault.path("by-the-first"))
        os.chmod(self.vault.path("by-the-first"), 0o644)
        self.assertNotIn("endorsed", self.verify(self.audit))
        for version in (2, 3):
            self.vault.tool("key", "rotate", "audit-sign")
            self.tokenize()
            self.wait_published()
            said = self.verify(self.audit, "--against", self.vault.path("by-the-first"))
            self.assertEqual(said.count("endorsed in record"), version - 1, said)
        # With the keys destroyed nothing changes, for the vault's own start neither.
        for version in (1, 2):
            self.vault.tool("key", "retire", f"audit-sign/{version}")
            self.vault.tool("key", "destroy", f"audit-sign/{version}", "--after", "0")
        self.vault.kill_and_wait()
        self.tokenize()
        self.wait_published()
        self.verify(self.audit, "--against", self.vault.path("by-the-first"))
        self.search_report_and_pack()
        # An anchor of a key that is destroyed is still the log's past.
        self.vault.down()
        subprocess.run(["/usr/bin/python3", os.path.join(vault_fixture.ROOT, "systemd", "set_config.py"),
                        self.vault.dir, f"audit.anchor={self.vault.path('by-the-first')}"], check=True)
        self.vault.up()
        self.vault.wait_ready()
        self.tokenize()
        self.vault.down()
        subprocess.run(["/usr/bin/python3", os.path.join(vault_fixture.ROOT, "systemd", "set_config.py"),
                        self.vault.dir, "audit.anchor="], check=True)

    def assert_good(self, done):
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def tool(self, *arguments):
        return self.assert_good(subprocess.run(self.vault.tool_command("audit", *arguments), text=True,
                                               capture_output=True, timeout=120))

    def newest_key(self, *also):
        """As the log itself hands it on from the first."""
        return [line.split()[1].rstrip(",") for line in self.verify(self.audit, *also).splitlines()
                if "endorsed in record" in line][-1]

    def search_report_and_pack(self, token=None):
        """With the first key and the newest, where the vault is and elsewhere."""
        also = () if not token else ("--also", self.vault.path("worm"))
        first, newest = self.vault.path("audit.vkey"), self.newest_key(*also)
        out, pack = self.vault.path("made.html"), self.vault.path("made.tar")
        question = ("--token", token) if token else ("--operation", "key.activate", "--outcome", "ok")
        asked = ("--format", "json", "--no-index", *question)
        answers = [self.tool("find", *asked)]
        for key in (first, newest):
            answers.append(self.assert_good(auditor("find", self.audit, "--key", key, *asked, *also)))
            self.assert_good(auditor("report", self.audit, "--key", key, "-o", out, *also))
        self.assertEqual(len(set(answers)), 1, answers)
        self.assertGreaterEqual(len(answers[0].splitlines()), 1 if token else 2)
        self.tool("report", "--vault", "-o", out)
        # By the newest key, and by the first one with a checkpoint that it signed.
        for made_with in ((), ("--key", first, "--against", self.vault.path("by-the-first"))):
            self.tool("evidence", "--lang", "en", "-o", pack, *made_with)
            for key in (first, newest):
                self.assertIn("checkpoints/current", self.assert_good(
                    auditor("evidence", "verify", pack, "--key", key)))

    def closed_months_are_asked_for(self, worm, token):
        """Where the vault knows their folder it is searched without being named, and collectors get them."""
        without = auditor("find", self.audit, "--key", self.newest_key("--also", worm), "--token", token,
                          "--no-index")
        self.assertNotEqual(without.returncode, 0, without.stdout)
        self.assertIn("--also", without.stderr)
        self.vault.down()
        subprocess.run(["/usr/bin/python3", os.path.join(vault_fixture.ROOT, "systemd", "set_config.py"),
                        self.vault.dir, f'audit.closed=["{worm}"]'], check=True)
        self.confirming(self.vault.up)
        self.search_report_and_pack(token)
        copy, at = self.vault.path("copy"), self.vault.path
        self.assert_good(auditor("mirror", self.vault.url("auditor"), copy, "--key", at("audit.vkey"),
                                 "--cert", at("auditor.pem"), "--cert-key", at("auditor.key"),
                                 "--ca", at("ca.pem")))
        self.verify(copy)
        for month in os.listdir(os.path.join(worm, "segment")):
            self.verify(os.path.join(copy, "segment", month), "--also", copy)
            for name in ("checkpoint", "manifest"):
                with open(os.path.join(copy, "segment", month, name), "rb") as copied, \
                        open(os.path.join(worm, "segment", month, name), "rb") as moved:
                    self.assertEqual(copied.read(), moved.read())
        # Not mounted: an outage, and no alarm.
        os.rename(worm, worm + "-away")
        answer = self.vault.request("auditor", "GET", "/v1/audit/tile/entries/000")
        self.assertEqual((answer.status, answer.code), (503, "store_failed"))
        os.rename(worm + "-away", worm)

    def published(self):
        """How many events the checkpoint has that vault.db knows."""
        with contextlib.closing(sqlite3.connect(self.vault.path("data", "vault.db"))) as database:
            value, = database.execute("SELECT value FROM named_values WHERE name = 'published'").fetchone()
        return struct.unpack_from("<Q", value)[0]

    def closed_size(self, month):
        """As month() names it: the files that are complete at this size may be moved away. None before that, also
        while its manifest is there and still empty."""
        try:
            with open(os.path.join(self.audit, "segment", month, "manifest"), encoding="ascii") as file:
                found = re.search(r"^size of the log: (\d+)\n", file.read(), re.MULTILINE)
        except OSError:
            return None
        return int(found[1]) if found else None

    def watch_closing(self, month, seen):
        """From the moment that its files may go, the start doesn't need them."""
        while self.closed_size(month) is None:
            time.sleep(0.002)
        seen[month] = self.published()

    def rows(self):
        with contextlib.closing(sqlite3.connect(self.vault.path("data", "vault.db"))) as database:
            return database.execute("SELECT first_seq, count, leaves FROM events").fetchall()

    def put_rows_back(self, rows):
        """As though they had not been deleted yet when the vault was killed."""
        self.vault.down()
        with contextlib.closing(sqlite3.connect(self.vault.path("data", "vault.db"))) as database, database:
            database.executemany("INSERT OR IGNORE INTO events(first_seq, count, leaves) VALUES(?, ?, ?)", rows)
        self.confirming(self.vault.up)

    def test_2_months_are_closed_and_moved_away(self):
        worm = self.vault.path("worm")
        os.mkdir(worm)
        known, sizes, rows = {}, {}, []
        first = self.vault.events(1)[-1]["time"][:7]
        token = self.tokenize()
        self.wait_published()
        months = [first]
        for date in ((2030, 1), (2030, 2), (2030, 4)):
            watching = threading.Thread(target=self.watch_closing, args=(months[-1], known), daemon=True)
            watching.start()
            self.move_time_to(*date, 1, 0, 0, 5)
            watching.join(60)
            for _ in range(300):
                self.tokenize()
            rows += self.rows()
            months.append(f"{date[0]}-{date[1]:02d}")
            self.wait_published()
        for month in months[:-1]:
            closed = os.path.join(self.audit, "segment", month)
            with self.subTest(month=month):
                sizes[month] = self.closed_size(month)
                self.assertGreaterEqual(known[month], sizes[month])
                said = self.verify(closed, "--also", self.audit)
                self.assertIn(f"to {month}-", said)
        self.assertFalse(os.path.exists(os.path.join(self.audit, "segment", months[-1])))

        for month in months[:-1]:
            files = auditor("month", self.audit, month)
            self.assertEqual(files.returncode, 0, files.stderr)
            copied = subprocess.run(
                f"tar -C {self.audit} -cf - -T - | tar -C {worm} -xf -", shell=True, input=files.stdout,
                text=True, capture_output=True, check=True)
            self.assertEqual(copied.stderr, "")
            self.verify(os.path.join(worm, "segment", month), "--also", worm)
            subprocess.run(["xargs", "rm", "-f"], input=files.stdout, text=True, cwd=self.audit, check=True)
        self.assertFalse(os.path.exists(os.path.join(self.audit, "tile", "0", "000")))
        alone = auditor("verify", self.audit, "--key", self.vault.path("audit.vkey"))
        self.assertEqual(alone.returncode, 1, alone.stdout)
        self.assertIn("missing", alone.stdout)
        self.verify(self.audit, "--also", worm)

        # The vault goes on, over a restart too, with what is left.
        self.tokenize()
        self.confirming(self.vault.kill_and_wait)
        self.tokenize()
        self.wait_published()
        self.verify(self.audit, "--also", worm)
        # Nor does it need them to compare with what the databases still have, which is moved tiles' here.
        self.assertTrue([row for row in rows if row[0] < sizes[months[-2]] // 256 * 256])
        self.put_rows_back(rows)
        self.verify(self.audit, "--also", worm)
        proof = auditor("prove", self.audit, "3", "--also", worm)
        self.assertEqual(proof.returncode, 0, proof.stderr)
        answer = self.vault.request("processor", "POST", "/v1/detokenize", {"token": token, "purpose": "payment"})
        self.assertEqual(answer.status, 200, answer)
        self.closed_months_are_asked_for(worm, token)
        none = auditor("month", self.audit, "2030-03")
        self.assertEqual(none.returncode, 2, none.stderr)
        self.assertIn("no closed month 2030-03", none.stderr)

    def test_3_a_month_without_requests_is_closed_too(self):
        self.move_time_to(2030, 7, 1, 0, 0, 1)
        self.wait_published()
        self.wait(lambda: os.path.exists(os.path.join(self.audit, "segment", "2030-04", "checkpoint")),
                  "2030-04 is not closed")


if __name__ == "__main__":
    unittest.main()
