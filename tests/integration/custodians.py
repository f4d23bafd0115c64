"""Custodians as a test plays them, with means of its own: P-256 keys, signatures, shares by GF(2^8) in
Python, and the admin socket spoken by hand.

    three = [Custodian(name) for name in ("anna", "bolat", "carol")]
    text = one.approve(action)
"""

import datetime
import hashlib
import os
import re
import secrets
import socket
import struct

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

HELLO, ADMIN_REQUEST, ADMIN_ANSWER = 1, 4, 5
SECRETS = {"so-pin": 1, "user-pin": 2, "backup-key": 3}


class Custodian:
    def __init__(self, name):
        self.name = name
        self._key = ec.generate_private_key(ec.SECP256R1())
        point = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
        self.key = "p256:" + point.hex()

    def sign(self, message):
        r, s = utils.decode_dss_signature(self._key.sign(message.encode(), ec.ECDSA(hashes.SHA256())))
        return (r.to_bytes(32, "big") + s.to_bytes(32, "big")).hex()

    def approve(self, action):
        """The approval of an action's text."""
        message = f"cardvault approval v1\naction: {hashlib.sha256(action.encode()).hexdigest()}\n"
        return message + f"key: {self.key}\nsignature: {self.sign(message)}\n"

    def sign_register(self, path):
        with open(path, encoding="ascii") as file:
            text = file.read()
        body = re.sub(r"^signed: .*\n", "", text, flags=re.MULTILINE)
        message = f"cardvault signed custodians v1\n{hashlib.sha256(body.encode()).hexdigest()}\n"
        with open(path, "a", encoding="ascii") as file:
            file.write(f"signed: {self.name} {self.sign(message)}\n")


def action_text(vault, verb, arguments, hours=1.0):
    until = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(hours=hours)
    lines = "".join(f"argument: {name}={value}\n" for name, value in sorted(arguments.items()))
    return (f"cardvault action v1\nvault: {vault}\nverb: {verb}\n{lines}"
            f"expires: {until:%Y-%m-%dT%H:%M:%S}.000Z\nnonce: {secrets.token_hex(16)}\n")


class AdminSocket:
    """One operator's line, frame by frame (docs/gate-protocol.md)."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(60)
        try:
            self.socket.connect(path)
        except OSError:
            self.socket.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def _receive(self, size):
        data = b""
        while len(data) < size:
            part = self.socket.recv(size - len(data))
            if not part:
                raise ConnectionError("the vault hung up")
            data += part
        return data

    def run(self, verb, arguments=(), blob=b""):
        """(ok, message, rows) of the last answer."""
        text = lambda s: struct.pack("<H", len(s.encode())) + s.encode()  # noqa: E731
        arguments = list(arguments.items() if isinstance(arguments, dict) else arguments)
        payload = text(verb) + text("") + struct.pack("<H", len(arguments))
        payload += b"".join(text(name) + text(value) for name, value in arguments)
        payload += struct.pack("<I", len(blob)) + blob
        self.socket.sendall(struct.pack("<IBQ", len(payload) + 9, ADMIN_REQUEST, 1) + payload)
        while True:
            size, kind, _ = struct.unpack("<IBQ", self._receive(13))
            payload = self._receive(size - 9)
            if kind == ADMIN_ANSWER and payload[-1] == 0:
                return self._parse(payload)

    @staticmethod
    def _parse(payload):
        at = 2

        def take(form):
            nonlocal at
            size, = struct.unpack_from(form, payload, at)
            at += struct.calcsize(form)
            if form == "<I":
                text = payload[at:at + size].decode()
                at += size
                return text
            return size

        message = take("<I")
        for _ in range(take("<H")):
            size = take("<H")
            at += size
        rows = [[take("<I") for _ in range(take("<H"))] for _ in range(take("<H"))]
        return payload[0] == 1, message, rows


def _times(a, b):
    out = 0
    while b:
        if b & 1:
            out ^= a
        a <<= 1
        if a & 0x100:
            a ^= 0x11d
        b >>= 1
    return out


def split(secret, threshold, parts):
    """Shares 1..parts of a secret: a random polynomial per byte."""
    rows = [[byte, *secrets.token_bytes(threshold - 1)] for byte in secret]
    out = []
    for x in range(1, parts + 1):
        value = bytearray()
        for row in rows:
            y = 0
            for coefficient in reversed(row):
                y = _times(y, x) ^ coefficient
            value.append(y)
        out.append(bytes(value))
    return out


def encode_share(vault, secret, index, threshold, parts, value, generation=1):
    body = (b"\x01" + bytes.fromhex(vault) +
            bytes([SECRETS[secret], generation, index, threshold, parts]) + value)
    return body + hashlib.sha256(body).digest()[:4]


def share_digest(share):
    return hashlib.sha256(b"cardvault share digest v1\n" + share).hexdigest()


def write_transcript(folder, vault, people, shares, threshold):
    """What a ceremony would have written down of the user PIN's shares; its signatures are not looked at."""
    os.makedirs(folder, exist_ok=True)
    now = f"{datetime.datetime.now(datetime.timezone.utc):%Y-%m-%dT%H:%M:%S}.000Z"
    lines = ["cardvault transcript v1", "kind: ceremony", f"vault: {vault}", "previous: none",
             "plan: version = 1"]
    for index, (name, share) in enumerate(zip(people, shares), 1):
        label = f"secret=user-pin generation=1 index={index}"
        lines.append(f"entry: {now} share-made {label} threshold={threshold} parts={len(shares)} "
                     f"custodian={name} digest={share_digest(share)}")
        lines.append(f"entry: {now} share-confirmed {label} custodian={name} by=terminal")
    with open(os.path.join(folder, "transcript.1"), "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")
    os.chmod(folder, 0o755)
    os.chmod(os.path.join(folder, "transcript.1"), 0o644)
