#!/usr/bin/python3
"""Random changes to a published log, of every kind: each has to be found, named for what it is, and
placed at the first record that it touches.

CARDVAULT_SEED=N repeats a run, CARDVAULT_TRIALS=N sets how many (1,000 in ./dev long).
"""

import json
import os
import random
import shutil
import subprocess
import tempfile
import unittest

import audit_page
from vault_fixture import PROGRAMS

LONG = os.environ.get("CARDVAULT_LONG") == "1"
TRIALS = int(os.environ.get("CARDVAULT_TRIALS", "1000" if LONG else "60"))
SEED = int(os.environ.get("CARDVAULT_SEED", random.SystemRandom().randrange(1 << 32)))
RECORDS = 70_000  # tiles of three levels
BENCH = os.path.join(PROGRAMS, "tests", "bench", "cardvault-audit-bench")
AUDIT = os.path.join(PROGRAMS, "cardvault-audit")


def split(bundle):
    entries = []
    while bundle:
        size = int.from_bytes(bundle[:2], "big")
        entries.append(bundle[2:2 + size])
        bundle = bundle[2 + size:]
    return entries


def joined(entries):
    return b"".join(len(e).to_bytes(2, "big") + e for e in entries)


class Tampering:
    """One change at a time. Each kind returns the names that are right for it, the first record it
    touches (None: no record in particular; a range: one of them), and what more to say to verify."""

    def __init__(self, folder, chance):
        self.folder, self.chance, self.saved = folder, chance, {}

    # --- files ---

    def path(self, name):
        return os.path.join(self.folder, "audit", name)

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()

    def write(self, name, data):
        if name not in self.saved:
            self.saved[name] = self.read(name)
        if data is None:
            os.unlink(self.path(name))
        else:
            with open(self.path(name), "wb") as file:
                file.write(data)

    def undo(self):
        for name, data in self.saved.items():
            with open(self.path(name), "wb") as file:
                file.write(data)
        self.saved.clear()

    def tile_name(self, kind, n):
        size = RECORDS >> (8 * (kind if isinstance(kind, int) else 0))
        width = min(256, size - 256 * n)
        return f"tile/{kind}/{audit_page.index_path(n)}" + ("" if width == 256 else f".p/{width}")

    def bundle(self):
        """Its number, its name, its entries."""
        n = self.chance.randrange((RECORDS + 255) // 256)
        name = self.tile_name("entries", n)
        return n, name, split(self.read(name))

    def tile(self):
        """Level, number, name."""
        level = self.chance.choice((0, 0, 0, 1, 1, 2))
        n = self.chance.randrange(((RECORDS >> (8 * level)) + 255) // 256)
        return level, n, self.tile_name(level, n)

    def flipped(self, data, at):
        return data[:at] + bytes([data[at] ^ (1 << self.chance.randrange(8))]) + data[at + 1:]

    # --- records ---

    def flip_a_bit_of_a_record(self):
        n, name, entries = self.bundle()
        i = self.chance.randrange(len(entries))
        entries[i] = self.flipped(entries[i], self.chance.randrange(len(entries[i])))
        self.write(name, joined(entries))
        return {"flipped"}, 256 * n + i

    def flip_a_bit_of_a_length(self):
        n, name, entries = self.bundle()
        i = self.chance.randrange(len(entries))
        at = len(joined(entries[:i])) + self.chance.randrange(2)
        self.write(name, self.flipped(joined(entries), at))
        return {"flipped"}, 256 * n + i

    def change_several_records(self):
        n, name, entries = self.bundle()
        i = self.chance.randrange(len(entries) - 5)
        for k in range(i, i + self.chance.randrange(2, 5)):
            entries[k] = entries[k][::-1]
        self.write(name, joined(entries))
        return {"flipped"}, 256 * n + i

    def remove_a_record(self):
        n, name, entries = self.bundle()
        i = self.chance.randrange(len(entries) - 1)
        del entries[i]
        self.write(name, joined(entries))
        return {"missing"}, 256 * n + i

    def remove_the_last_record_of_a_file(self):
        n, name, entries = self.bundle()
        self.write(name, joined(entries[:-1]))
        return {"truncated"}, 256 * n + len(entries) - 1

    def insert_a_made_up_record(self):
        n, name, entries = self.bundle()
        i = self.chance.randrange(len(entries) + 1)
        made_up = entries[min(i, len(entries) - 1)].replace(b"tok_", b"tok-")
        entries.insert(i, made_up)
        self.write(name, joined(entries))
        return {"inserted"}, 256 * n + i

    def insert_a_copy(self):
        n, name, entries = self.bundle()
        m, _, others = self.bundle()
        k = self.chance.randrange(len(others))
        i = self.chance.randrange(len(entries))
        if m == n and k in (i, i - 1):
            k = (i + 7) % len(entries)
        entries.insert(i, others[k])
        self.write(name, joined(entries))
        return {"inserted"}, 256 * n + i

    def swap_records_of_a_file(self):
        n, name, entries = self.bundle()
        i, k = sorted(self.chance.sample(range(len(entries)), 2))
        entries[i], entries[k] = entries[k], entries[i]
        self.write(name, joined(entries))
        return {"reordered"}, 256 * n + i

    def swap_records_of_two_files(self):
        n, name, entries = self.bundle()
        m, other, others = self.bundle()
        while m == n:
            m, other, others = self.bundle()
        i, k = self.chance.randrange(len(entries)), self.chance.randrange(len(others))
        entries[i], others[k] = others[k], entries[i]
        self.write(name, joined(entries))
        self.write(other, joined(others))
        return {"reordered"}, min(256 * n + i, 256 * m + k)

    def put_a_copy_in_place_of_a_record(self):
        n, name, entries = self.bundle()
        m, _, others = self.bundle()
        i, k = self.chance.randrange(len(entries)), self.chance.randrange(len(others))
        if m == n and i == k:
            k = (i + 9) % len(entries)
        entries[i] = others[k]
        self.write(name, joined(entries))
        return {"duplicated"}, 256 * n + i

    # --- files of records ---

    def cut_a_file(self):
        n, name, entries = self.bundle()
        data = joined(entries)
        cut = self.chance.randrange(len(data))
        self.write(name, data[:cut])
        whole = 0
        while len(joined(entries[:whole + 1])) <= cut:
            whole += 1
        return {"truncated"}, 256 * n + whole

    def remove_a_file(self):
        n, name, entries = self.bundle()
        self.write(name, None)
        return {"missing" if len(entries) == 256 else "truncated"}, 256 * n

    def swap_files(self):
        n, m = sorted(self.chance.sample(range(RECORDS // 256), 2))
        one, other = self.tile_name("entries", n), self.tile_name("entries", m)
        data = self.read(one)
        self.write(one, self.read(other))
        self.write(other, data)
        return {"reordered"}, 256 * n

    def put_a_copy_in_place_of_a_file(self):
        n, m = self.chance.sample(range(RECORDS // 256), 2)
        self.write(self.tile_name("entries", n), self.read(self.tile_name("entries", m)))
        return {"duplicated"}, 256 * n

    def cut_the_log(self):
        first = self.chance.randrange(RECORDS // 256)
        for n in range(first, (RECORDS + 255) // 256):
            self.write(self.tile_name("entries", n), None)
            self.write(self.tile_name(0, n), None)
        return {"truncated"}, 256 * first

    # --- hash tiles ---

    def flip_a_bit_of_a_tile(self):
        level, n, name = self.tile()
        data = self.read(name)
        at = self.chance.randrange(len(data))
        self.write(name, self.flipped(data, at))
        return {"flipped"}, (256 * n + at // 32) << (8 * level)

    def cut_a_tile(self):
        level, n, name = self.tile()
        data = self.read(name)
        cut = self.chance.randrange(len(data))
        self.write(name, data[:cut])
        return {"truncated"}, (256 * n + cut // 32) << (8 * level)

    def remove_a_tile(self):
        level, n, name = self.tile()
        self.write(name, None)
        return {"missing"}, (256 * n) << (8 * level)

    def swap_tiles(self):
        n, m = sorted(self.chance.sample(range(RECORDS // 256), 2))
        one, other = self.tile_name(0, n), self.tile_name(0, m)
        data = self.read(one)
        self.write(one, self.read(other))
        self.write(other, data)
        return {"reordered"}, 256 * n

    def put_a_copy_in_place_of_a_tile(self):
        n, m = self.chance.sample(range(RECORDS // 256), 2)
        self.write(self.tile_name(0, n), self.read(self.tile_name(0, m)))
        return {"duplicated"}, 256 * n

    # --- with the hashes over them ---

    def rewrite_a_record_and_all_tiles_over_it(self):
        n, name, entries = self.bundle()
        i = self.chance.randrange(len(entries))
        entries[i] = entries[i].replace(b'"outcome":"', b'"outcome":"not-')
        self.write(name, joined(entries))
        changed, place = audit_page.leaf_hash(entries[i]), 256 * n + i
        for level in range(3):
            if place >= RECORDS >> (8 * level):
                break  # a partial tile's root is in no tile
            n, k = divmod(place, 256)
            name = self.tile_name(level, n)
            data = self.read(name)
            data = data[:32 * k] + changed + data[32 * k + 32:]
            self.write(name, data)
            hashes = [data[j:j + 32] for j in range(0, len(data), 32)]
            changed, place = audit_page.tree_root(hashes), n
        return {"rewritten"}, None

    def rewrite_a_record_and_its_tile(self):
        n = self.chance.randrange(RECORDS // 256)
        name = self.tile_name("entries", n)
        entries = split(self.read(name))
        i = self.chance.randrange(256)
        entries[i] = entries[i].replace(b'"outcome":"', b'"outcome":"not-')
        self.write(name, joined(entries))
        tile = self.read(self.tile_name(0, n))
        self.write(self.tile_name(0, n),
                   tile[:32 * i] + audit_page.leaf_hash(entries[i]) + tile[32 * i + 32:])
        return {"rewritten"}, range(256 * n, 256 * n + i + 1)

    # --- checkpoints ---

    def forge_a_signature(self):
        note = self.read("checkpoint")
        text, signature = note.rsplit(b" ", 1)
        at = self.chance.randrange(8, len(signature) - 4)  # past the key's id, before the padding
        other = b"A" if signature[at:at + 1] != b"A" else b"B"
        self.write("checkpoint", text + b" " + signature[:at] + other + signature[at + 1:])
        return {"forged signature"}, None

    def forge_a_checkpoint(self):
        lines = self.read("checkpoint").split(b"\n")
        if self.chance.random() < 0.5:
            lines[1] = str(int(lines[1]) - self.chance.randrange(1, 5000)).encode()
        else:
            root = bytearray(lines[2])
            at = self.chance.randrange(40)
            root[at] = ord("A") if root[at] != ord("A") else ord("B")
            lines[2] = bytes(root)
        self.write("checkpoint", b"\n".join(lines))
        return {"forged signature"}, None

    def flip_a_bit_of_the_checkpoint(self):
        note = self.read("checkpoint")
        self.write("checkpoint", self.flipped(note, self.chance.randrange(len(note))))
        return {"forged signature", "foreign log"}, None

    def bring_another_logs_checkpoint(self):
        with open(os.path.join(self.folder, "foreign", "audit", "checkpoint"), "rb") as file:
            self.write("checkpoint", file.read())
        return {"foreign log"}, None

    def roll_back(self):
        newest = os.path.join(self.folder, "newest")
        with open(newest, "wb") as file:
            file.write(self.read("checkpoint"))
        with open(os.path.join(self.folder, "older-checkpoint"), "rb") as file:
            old = file.read()
        self.write("checkpoint", old)
        return {"rolled back"}, int(old.split(b"\n")[1]), "--against", newest

    KINDS = [
        flip_a_bit_of_a_record, flip_a_bit_of_a_length, change_several_records, remove_a_record,
        remove_the_last_record_of_a_file, insert_a_made_up_record, insert_a_copy,
        swap_records_of_a_file, swap_records_of_two_files, put_a_copy_in_place_of_a_record,
        cut_a_file, remove_a_file, swap_files, put_a_copy_in_place_of_a_file, cut_the_log,
        flip_a_bit_of_a_tile, cut_a_tile, remove_a_tile, swap_tiles, put_a_copy_in_place_of_a_tile,
        rewrite_a_record_and_its_tile, rewrite_a_record_and_all_tiles_over_it, forge_a_signature,
        forge_a_checkpoint, flip_a_bit_of_the_checkpoint, bring_another_logs_checkpoint, roll_back]


class TamperTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="cardvault-tamper-", dir=os.environ.get("CARDVAULT_TMP"))
        cls.addClassCleanup(shutil.rmtree, cls.folder)
        subprocess.run([BENCH, "make", cls.folder, str(RECORDS)], check=True, timeout=300)
        subprocess.run([BENCH, "make", os.path.join(cls.folder, "foreign"), "300"], check=True,
                       timeout=300)

    def verify(self, *arguments):
        done = subprocess.run(
            [AUDIT, "--json", "verify", os.path.join(self.folder, "audit"),
             "--key", os.path.join(self.folder, "audit.vkey"), *arguments],
            capture_output=True, text=True, timeout=120)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        result = json.loads(done.stdout)
        self.assertEqual(result["verified"], done.returncode == 0)
        return result["findings"]

    def test_every_change_is_found_and_rightly_named(self):
        print(f"seed {SEED}, {TRIALS} trials", flush=True)
        self.assertEqual(self.verify(), [], "the log is good before it is changed")
        chance = random.Random(SEED)
        tampering = Tampering(self.folder, chance)
        for trial in range(TRIALS):
            # Each kind in turn, so that a short run has all of them.
            kind = Tampering.KINDS[trial % len(Tampering.KINDS)]
            try:
                names, record, *arguments = kind(tampering)
                findings = self.verify(*arguments)
            finally:
                tampering.undo()
            with self.subTest(trial=trial, kind=kind.__name__):
                self.assertTrue(findings, "not found")
                first = findings[0]
                self.assertIn(first["fault"], names, first)
                if isinstance(record, range):
                    self.assertIn(first["record"], record, first)
                else:
                    self.assertEqual(first.get("record"), record, first)
        self.assertEqual(self.verify(), [], "every change was undone")


if __name__ == "__main__":
    unittest.main()
