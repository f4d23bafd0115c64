"""A reference recipient: docs/recipients.md as a program, step by step, with jwcrypto.

    gateway = Recipient("sms-gateway", [own_key_pem], jwk_set, "cardvault", SeenIds("seen.db"))
    claims = gateway.open(message, OTP, purpose="verify_login")
    send_sms(claims["sub"], claims["code"])

    receipts = ReceiptReader(jwk_set, "cardvault", SeenIds("spent.db"))
    receipts.check(receipt, subject="+77010000001", purpose="confirm_transaction", context=payment)
"""

import json
import re
import sqlite3
import time

from jwcrypto import jwe, jwk, jws
from jwcrypto.common import JWException

OTP, CARD, RECEIPT = "cardvault-otp+jwt", "cardvault-card+jwt", "cardvault-receipt+jwt"
ENCRYPTION = {"alg": ("ECDH-ES", "RSA-OAEP-256"), "enc": ("A256GCM",)}
SKEW_S = 30  # both clocks are kept by NTP
ANY = object()


class Refused(Exception):
    """Nothing may be done with this message."""


class SeenIds:
    """The `jti` of what was acted on, kept until it has expired; survives a restart."""

    def __init__(self, path):
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA synchronous = FULL")
        self._db.execute("CREATE TABLE IF NOT EXISTS seen (jti TEXT PRIMARY KEY, exp INTEGER)")

    def add(self, jti, exp, now):
        """False when it is there already; one of two concurrent calls gets True."""
        self._db.execute("DELETE FROM seen WHERE exp < ?", (now - 2 * SKEW_S,))
        return self._db.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (jti, exp)).rowcount == 1


class _Signed:
    """Steps 3 to 5 of the document, which messages and receipts have in common."""

    def __init__(self, jwk_set, issuer, seen, clock):
        keys = json.loads(jwk_set)["keys"]
        self._signers = {k["kid"]: jwk.JWK(**k) for k in keys}
        for kid, key in self._signers.items():
            if key.thumbprint() != kid:
                raise ValueError("a key of the JWK set is not the one its kid names")
        self._issuer = issuer
        self._seen = seen
        self._clock = clock

    def claims(self, token, kind):
        signed = jws.JWS()
        signed.allowed_algs = ["ES256"]  # never "none", never an HMAC
        try:
            if token.count(".") != 2:
                raise Refused("not a compact JWS")
            signed.deserialize(token)
            header = signed.jose_header
            if header.get("alg") != "ES256" or header.get("typ") != kind or "crit" in header:
                raise Refused("not signed as, or not of the type, that is expected here")
            signer = self._signers.get(header.get("kid"))
            if signer is None:
                raise Refused("signed by a key that is not in the JWK set")
            signed.verify(signer, alg="ES256")
            claims = json.loads(signed.payload)
        except (JWException, ValueError) as e:
            raise Refused("not a statement of the vault") from e
        now = self._clock()
        if claims.get("iss") != self._issuer:
            raise Refused("another issuer")
        if not isinstance(claims.get("iat"), int) or claims["iat"] > now + SKEW_S:
            raise Refused("issued in the future")
        if not isinstance(claims.get("exp"), int) or claims["exp"] <= now - SKEW_S:
            raise Refused("expired")
        if not isinstance(claims.get("jti"), str) or not re.fullmatch("[0-9a-f]{32}", claims["jti"]):
            raise Refused("without an id")
        return claims

    def once(self, claims):
        if not self._seen.add(claims["jti"], claims["exp"], int(self._clock())):
            raise Refused("acted on before")


def _expect(claims, purpose, context):
    if purpose is not ANY and claims.get("purpose") != purpose:
        raise Refused("for another purpose")
    if context is not ANY and claims.get("context") != context:
        raise Refused("for another payment")


class Recipient:
    """`private_keys`: PEM or JWK of the certificate's key, during a replacement both. `jwk_set`: the
    vault's, as handed over by its operators. `seen` is this recipient's alone."""

    def __init__(self, name, private_keys, jwk_set, issuer, seen, clock=time.time):
        self._name = name
        self._keys = {}
        for private in private_keys:
            key = private if isinstance(private, jwk.JWK) else jwk.JWK.from_pem(private)
            self._keys[key.thumbprint()] = key
        self._signed = _Signed(jwk_set, issuer, seen, clock)

    def open(self, message, kind, purpose=ANY, context=ANY):
        """The claims of a message of `kind` (OTP, CARD) that may be acted on, once. Raises Refused."""
        token = self._decrypt(message)  # steps 1 and 2
        claims = self._signed.claims(token, kind)  # 3 and 4
        if claims.get("aud") != self._name:
            raise Refused("sealed to somebody else")
        _expect(claims, purpose, context)  # 5
        self._signed.once(claims)  # 6
        return claims

    def _decrypt(self, message):
        sealed = jwe.JWE()
        sealed.allowed_algs = [*ENCRYPTION["alg"], *ENCRYPTION["enc"]]
        try:
            if message.count(".") != 4:
                raise Refused("not a compact JWE")
            sealed.deserialize(message)
            header = sealed.jose_header
            if any(header.get(name) not in allowed for name, allowed in ENCRYPTION.items()):
                raise Refused("encrypted by another algorithm")
            if header.get("cty") != "JWT" or "zip" in header or "crit" in header:
                raise Refused("not a sealed statement")
            key = self._keys.get(header.get("kid"))
            if key is None:
                raise Refused("sealed to a key that is not ours")
            sealed.decrypt(key)
            return sealed.payload.decode("ascii")
        except (JWException, ValueError) as e:
            raise Refused("does not decrypt") from e


class ReceiptReader:
    """A back end that lets a verified code or secret confirm one act of its own."""

    def __init__(self, jwk_set, issuer, seen, clock=time.time):
        self._signed = _Signed(jwk_set, issuer, seen, clock)

    def check(self, receipt, subject, purpose, context=None):
        claims = self._signed.claims(receipt, RECEIPT)
        if claims.get("sub") != subject:
            raise Refused("somebody else's")
        _expect(claims, purpose, context)
        self._signed.once(claims)
        return claims
