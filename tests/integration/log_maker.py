"""Makes a published log by its specifications alone (RFC 6962, C2SP tlog-tiles, signed-note), with a key
of its own: so that a test can sign what no vault would."""

import base64
import copy
import hashlib
import json
import os

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from audit_page import leaf_hash, tree_root

WIDTH = 256


def event_line(seq, time="2026-11-22T06:30:00.000Z", op="start", details=None, **fields):
    text = f'{{"seq":{seq},"time":"{time}","actor":"system","op":"{op}","outcome":"ok"'
    text += "".join(f',"{name}":"{value}"' for name, value in fields.items())
    if details:
        text += ',"details":' + json.dumps(details, separators=(",", ":")).replace("\\n", "\\u000a")
    return (text + "}").encode()


def place(folder, kind, index, width):
    name = f"{index % 1000:03d}"
    while index >= 1000:
        index //= 1000
        name = f"x{index % 1000:03d}/{name}"
    path = os.path.join(folder, "tile", kind, name)
    return path if width == WIDTH else os.path.join(path + ".p", str(width))


class LogMaker:
    def __init__(self, folder, name="made.example/log"):
        self.folder, self.name, self.entries = folder, name, []
        self.new_key()

    def new_key(self):
        self.key = ed25519.Ed25519PrivateKey.generate()
        public = b"\x01" + self.key.public_key().public_bytes(
            serialization.Encoding.Raw, serialization.PublicFormat.Raw)
        self.key_id = hashlib.sha256(self.name.encode() + b"\n" + public).digest()[:4]
        self.vkey = f"{self.name}+{self.key_id.hex()}+{base64.b64encode(public).decode()}"

    def rotate(self):
        """Goes on with another key; returns the event in which the one before endorses it (docs/keys.md)."""
        before = copy.copy(self)
        self.new_key()
        statement = before.note(f"cardvault key statement v1\nvault: {self.name}\n"
                                f"statement: audit-sign/2 signs after audit-sign/1\nvkey: {self.vkey}\n"
                                "time: 2026-11-22T06:30:00.000Z\n")
        return event_line(len(self.entries), op="key.activate", details={"statement": statement})

    def write(self, path, data):
        """As a whole, as a vault does."""
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path + ".new", "wb") as file:
            file.write(data)
        os.rename(path + ".new", path)

    def note(self, text):
        signature = base64.b64encode(self.key_id + self.key.sign(text.encode())).decode()
        return f"{text}\n\u2014 {self.name} {signature}\n"

    def sign(self, size, root):
        text = f"{self.name}\n{size}\n{base64.b64encode(root).decode()}\n"
        self.write(os.path.join(self.folder, "checkpoint"), self.note(text).encode())

    def append(self, entries):
        """Publishes more of them: bundles and tiles, then the checkpoint."""
        before = len(self.entries)
        self.entries += entries
        bundle = [len(e).to_bytes(2, "big") + e for e in self.entries]
        hashes = [leaf_hash(e) for e in self.entries]
        root = tree_root(hashes)
        for level in range(8):
            if not hashes:
                break
            for first in range(before // WIDTH * WIDTH, len(hashes), WIDTH):
                part = hashes[first:first + WIDTH]
                if level == 0:
                    self.write(place(self.folder, "entries", first // WIDTH, len(part)),
                               b"".join(bundle[first:first + WIDTH]))
                self.write(place(self.folder, str(level), first // WIDTH, len(part)), b"".join(part))
            full = len(hashes) // WIDTH
            hashes = [tree_root(hashes[n * WIDTH:(n + 1) * WIDTH]) for n in range(full)]
            before //= WIDTH
        self.sign(len(self.entries), root)

    def move_first_tile(self):
        """Moves it away, as a closed month's files are; returns the folder with them."""
        moved = self.folder + "-moved"
        self.write(os.path.join(moved, "segment", "2026-11", "manifest"),
                   f"cardvault log segment v1\nlog: {self.name}\nmonth: 2026-11\nprevious: \nfirst event: 0\n"
                   f"size of the log: {WIDTH}\n".encode())
        for kind in "entries", "0":
            os.renames(place(self.folder, kind, 0, WIDTH), place(moved, kind, 0, WIDTH))
        return moved


def root_of(entries):
    return tree_root([leaf_hash(e) for e in entries])


