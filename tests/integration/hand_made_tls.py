"""A TLS 1.3 client of which a test has each record in its hands (RFC 8446), up to where its own
certificate is due: it may then send what it likes under the handshake's key.

    client = HandMadeTls(socket)
    client.shake_hands()
    socket.sendall(client.records(data, 1))     # in records of one byte
"""

import hashlib
import hmac
import secrets
import struct

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

HANDSHAKE, APPLICATION_DATA = 22, 23
CLIENT_HELLO, CERTIFICATE = 1, 11


def message(kind, body):
    return bytes([kind]) + len(body).to_bytes(3, "big") + body


def in_records(data, size):
    """Not encrypted, as hellos are."""
    return b"".join(struct.pack(">BHH", HANDSHAKE, 0x0301, len(data[at:at + size])) + data[at:at + size]
                    for at in range(0, len(data), size))


def _extract(salt, secret):
    return hmac.digest(salt, secret, "sha256")


def _expand(secret, label, context, size):
    """HKDF-Expand-Label (7.1) of at most one block."""
    label = b"tls13 " + label
    info = struct.pack(">HB", size, len(label)) + label + bytes([len(context)]) + context
    return hmac.digest(secret, info + b"\1", "sha256")[:size]


def _extension(kind, body):
    return struct.pack(">HH", kind, len(body)) + body


class HandMadeTls:
    def __init__(self, connection):
        self._connection = connection
        self._key = X25519PrivateKey.generate()
        self._sent = 0

    def hello(self):
        share = self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        extensions = (
            _extension(43, b"\x02\x03\x04") +                            # supported_versions: 1.3
            _extension(10, b"\x00\x02\x00\x1d") +                        # supported_groups: x25519
            _extension(13, b"\x00\x04\x04\x03\x08\x04") +                # signature_algorithms
            _extension(51, b"\x00\x24\x00\x1d\x00\x20" + share))         # key_share
        return message(CLIENT_HELLO, b"\x03\x03" + secrets.token_bytes(32) + b"\x00" + b"\x00\x02\x13\x01" +
                       b"\x01\x00" + struct.pack(">H", len(extensions)) + extensions)

    def _receive(self, size):
        data = b""
        while len(data) < size:
            part = self._connection.recv(size - len(data))
            if not part:
                raise ConnectionError("the server hung up")
            data += part
        return data

    def shake_hands(self):
        hello = self.hello()
        self._connection.sendall(in_records(hello, 1 << 14))
        kind, _, size = struct.unpack(">BHH", self._receive(5))
        answer = self._receive(size)
        assert kind == HANDSHAKE and answer[0] == 2, "no ServerHello"
        shared = self._key.exchange(X25519PublicKey.from_public_bytes(self._share_in(answer)))
        empty = hashlib.sha256(b"").digest()
        early = _extract(bytes(32), bytes(32))
        handshake = _extract(_expand(early, b"derived", empty, 32), shared)
        traffic = _expand(handshake, b"c hs traffic", hashlib.sha256(hello + answer).digest(), 32)
        self._aead = AESGCM(_expand(traffic, b"key", b"", 16))
        self._iv = _expand(traffic, b"iv", b"", 12)

    @staticmethod
    def _share_in(hello):
        at = 4 + 2 + 32
        at += 1 + hello[at] + 2 + 1 + 2  # session id, cipher, compression, length of extensions
        while at < len(hello):
            kind, size = struct.unpack_from(">HH", hello, at)
            if kind == 51:
                return hello[at + 8:at + 4 + size]
            at += 4 + size
        raise AssertionError("no key_share")

    def records(self, data, size):
        """Handshake data under the client's handshake key, in records of `size` bytes."""
        out = []
        for at in range(0, len(data), size):
            inner = data[at:at + size] + bytes([HANDSHAKE])
            head = struct.pack(">BHH", APPLICATION_DATA, 0x0303, len(inner) + 16)
            nonce = (int.from_bytes(self._iv, "big") ^ self._sent).to_bytes(12, "big")
            self._sent += 1
            out.append(head + self._aead.encrypt(nonce, inner, head))
        return b"".join(out)
