"""What every test of a ceremony begins with: a table, the run, and what has to be there after it."""

import os
import shutil
import sys
import tempfile
import unittest

import ceremony_table
from ceremony_table import SOFTHSM, Sitting, Table, value_of

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fault"))
import hsm_queue  # noqa: E402  (its folder is known only now)


class Ceremonies(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.mkdtemp(prefix="cardvault-ceremony-")
        self.addCleanup(shutil.rmtree, self.top, ignore_errors=True)

    def new_queue(self):
        """The file of `self.queue`, from which a shim takes its faults."""
        path = os.path.join(self.top, "queue")
        with open(path, "wb") as file:
            file.truncate(1 << 16)
        self.queue = hsm_queue.Queue(path)
        return path

    def table(self, **options):
        return Table(self.top, **options)

    def table_with_a_shim(self):
        """A table whose token is of another vendor, which fails as `self.queue` says; and the folder in which
        that keeps its tokens."""
        table = self.table(read_back=False, cards=(), media=())
        shim = os.path.join(ceremony_table.PROGRAMS, "tests", "hsm", "cardvault_shim.so")
        tokens = os.path.join(self.top, "shim-tokens")
        os.mkdir(tokens)
        conf = os.path.join(self.top, "shim.conf")
        with open(conf, "w", encoding="ascii") as file:
            file.write(f"directories.tokendir = {tokens}\n")
        text = self.read(table.plan)
        with open(table.plan, "w", encoding="utf-8") as file:
            file.write(text.replace(SOFTHSM, shim))
        table.env |= {"SOFTHSM2_CONF": conf, "CARDVAULT_SHIM_TARGET": SOFTHSM, "CARDVAULT_SHIM_FAULTS": self.new_queue()}
        return table, tokens

    def run_plan(self, table, *more):
        return Sitting(table, "ceremony", "run", table.plan, "--dir", table.dir, *more)

    def hold(self, table, *more):
        sitting = self.run_plan(table, *more)
        self.assertEqual(sitting.run(), 0, sitting.text[-3000:])
        return sitting

    def transcript(self, table):
        return os.path.join(table.dir, "custody", "transcript.1")

    def read(self, path):
        with open(path, encoding="utf-8") as file:
            return file.read()

    def assert_whole(self, table):
        """The vault is there, its transcript holds, nothing is left over."""
        done = table.tool("ceremony", "verify", self.transcript(table))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertNotIn("BAD", done.stdout)
        self.assertEqual(set(os.listdir(table.dir)) - {"run", "pin"},
                         {"audit", "audit.vkey", "custody", "data", "gate-web.toml", "softhsm2.conf", "token",
                          "vault.toml"})

    def shares_of(self, table, papers, secret):
        """Decoded shares of a secret, from papers and media."""
        out = [value_of(lines) for (_, which), lines in papers.items() if which == secret]
        for name, folder in table.media.items():
            for file in os.listdir(folder):
                if file.startswith(secret):
                    out.append(table.open_file(os.path.join(folder, file), name))
        newest = max(share["split"] for share in out)
        return sorted((s for s in out if s["split"] == newest), key=lambda share: share["index"])
