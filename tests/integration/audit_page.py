"""A published log read by its specifications alone: RFC 6962, and C2SP's tlog-tiles, signed-note,
tlog-checkpoint and tlog-proof. Nothing of the vault's is used: hashlib, and a library for the
signature.

    log = Log(folder)
    log.checkpoint(vkey)      the signed (size, root), or Wrong
    log.entries(size)         every record, held against tiles and root
    check_proof(text, vkey)   the record that a tlog-proof proves
"""

import base64
import hashlib
import os

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519


class Wrong(Exception):
    pass


def must(truth, what):
    if not truth:
        raise Wrong(what)


def leaf_hash(entry):
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left, right):
    return hashlib.sha256(b"\x01" + left + right).digest()


def tree_root(leaves):
    """RFC 6962 section 2.1, MTH over leaf hashes."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    k = 1
    while 2 * k < len(leaves):
        k *= 2
    return node_hash(tree_root(leaves[:k]), tree_root(leaves[k:]))


def open_note(note, vkey):
    """The text of a signed note, when this key has signed it."""
    name, key_id, key = vkey.strip().split("+", 2)
    key = base64.b64decode(key, validate=True)
    text, _, signatures = note.rpartition("\n\n")
    text += "\n"
    for line in signatures.splitlines():
        dash, signer, signature = line.split(" ")
        must(dash == "\u2014", "a signature begins with a dash")
        signature = base64.b64decode(signature, validate=True)
        if signer != name or signature[:4].hex() != key_id:
            continue
        try:
            if key[0] == 0x01:
                must(hashlib.sha256(name.encode() + b"\n" + key).digest()[:4].hex() == key_id, "id")
                ed25519.Ed25519PublicKey.from_public_bytes(key[1:]).verify(
                    signature[4:], text.encode())
            else:
                must(key[0] == 0x02, "type of key")
                must(hashlib.sha256(key[1:]).digest()[:4].hex() == key_id, "id")
                serialization.load_der_public_key(key[1:]).verify(
                    signature[4:], text.encode(), ec.ECDSA(hashes.SHA256()))
        except InvalidSignature as wrong:
            raise Wrong("the signature does not verify") from wrong
        return text
    raise Wrong("no signature by this key")


def open_checkpoint(note, vkey):
    origin, size, root = open_note(note, vkey).splitlines()[:3]
    must(origin == vkey.split("+")[0], "another log")
    must(size == str(int(size)), "size")
    return int(size), base64.b64decode(root, validate=True)


def index_path(n):
    parts = [f"{n % 1000:03d}"]
    while n >= 1000:
        n //= 1000
        parts.insert(0, f"x{n % 1000:03d}")
    return "/".join(parts)


class Log:
    def __init__(self, folder):
        self.folder = folder

    def read(self, *path):
        with open(os.path.join(self.folder, *path), "rb") as file:
            return file.read()

    def checkpoint(self, vkey):
        return open_checkpoint(self.read("checkpoint").decode(), vkey)

    def resource(self, kind, n, width):
        """A tile or bundle of that width; a partial one may have given way to the full one."""
        names = [f"{index_path(n)}.p/{width}"] if width < 256 else []
        for name in names + [index_path(n)]:
            try:
                return self.read("tile", kind, name)
            except FileNotFoundError:
                continue
        raise Wrong(f"tile/{kind}/{index_path(n)} of {width} is missing")

    def tile(self, level, n, width):
        data = self.resource(str(level), n, width)
        must(len(data) in (32 * width, 8192), f"length of tile/{level}/{n}")
        return [data[i:i + 32] for i in range(0, 32 * width, 32)]

    def bundle(self, n, width):
        data, entries = self.resource("entries", n, width), []
        while len(entries) < width:
            must(len(data) >= 2, f"length of bundle {n}")
            size = int.from_bytes(data[:2], "big")
            must(len(data) >= 2 + size, f"length of bundle {n}")
            entries.append(data[2:2 + size])
            data = data[2 + size:]
        return entries

    def widths(self, level, size):
        """The number and width of each tile of a level, in a tree of `size` entries."""
        hashes_there = size >> (8 * level)
        full, partial = divmod(hashes_there, 256)
        return [(n, 256) for n in range(full)] + ([(full, partial)] if partial else [])

    def entries(self, size, root):
        """All records; every tile of every level is what they make it, and the root is theirs."""
        found, leaves = [], []
        for n, width in self.widths(0, size):
            bundle = self.bundle(n, width)
            found += bundle
            leaves += [leaf_hash(entry) for entry in bundle]
        below, level = leaves, 0
        while below:
            for n, width in self.widths(level, size):
                must(self.tile(level, n, width) == below[256 * n:256 * n + width],
                     f"tile/{level}/{n} is not of what lies below")
            below = [tree_root(below[i:i + 256]) for i in range(0, len(below) // 256 * 256, 256)]
            level += 1
        must(tree_root(leaves) == root, "the root")
        return found


def root_of_proof(leaf, index, size, proof):
    """RFC 9162 section 2.1.3.2."""
    must(index < size, "index")
    at, last, value = index, size - 1, leaf
    for sibling in proof:
        must(last > 0, "the proof is too long")
        if at & 1 or at == last:
            value = node_hash(sibling, value)
            while at and not at & 1:
                at, last = at >> 1, last >> 1
        else:
            value = node_hash(value, sibling)
        at, last = at >> 1, last >> 1
    must(last == 0, "the proof is too short")
    return value


def check_proof(text, vkey):
    """The index and the record (from `extra`) that a tlog-proof proves under this key."""
    proof, note = text.split("\n\n", 1)
    lines = proof.splitlines()
    must(lines[0] == "c2sp.org/tlog-proof@v1", "format")
    must(lines[1].startswith("extra ") and lines[2].startswith("index "), "format")
    entry = base64.b64decode(lines[1].removeprefix("extra "), validate=True)
    index = int(lines[2].removeprefix("index "))
    size, root = open_checkpoint(note, vkey)
    hashes_of_proof = [base64.b64decode(line, validate=True) for line in lines[3:]]
    must(root_of_proof(leaf_hash(entry), index, size, hashes_of_proof) == root, "the root")
    return index, entry
