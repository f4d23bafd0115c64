#!/usr/bin/python3
"""What the vault seals is opened by two implementations that are not its own, and what an owner of the
web tier could make of it is refused by a recipient that follows docs/recipients.md.

    recipient_test.py SEAL_SAMPLE [unittest arguments]
"""

import base64
import datetime
import json
import os
import subprocess
import sys
import tempfile
import time
import unittest

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from jwcrypto import jwe, jwk, jws

from recipient import CARD, OTP, RECEIPT, SKEW_S, ReceiptReader, Recipient, Refused, SeenIds

KINDS = {
    "p256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "rsa": lambda: rsa.generate_private_key(65537, 3072),
}
PAYMENT = {"amount": 1250000, "currency": "KZT", "payee": "ТОО «Алма»"}
ISSUER = "cardvault"


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def self_signed(key, name):
    day = datetime.timedelta(days=1)
    now = datetime.datetime.utcnow()
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    made = (x509.CertificateBuilder().subject_name(subject).issuer_name(subject)
            .public_key(key.public_key()).serial_number(1)
            .not_valid_before(now - day).not_valid_after(now + day))
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


class Sealing:
    """A seal_sample: a vault as far as sealing goes."""

    def __init__(self, certificates):
        names = [f"{name}={path}" for name, path in certificates.items()]
        self._process = subprocess.Popen([SEAL_SAMPLE, *names], stdin=subprocess.PIPE,
                                         stdout=subprocess.PIPE, text=True)
        self.jwks = self._ask("jwks")

    def _ask(self, line):
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline().strip()
        assert answer, "seal_sample failed"
        return answer

    def seal(self, name, kind, claims):
        return self._ask(f"seal {name} {kind} {json.dumps(claims, ensure_ascii=False)}")

    def sign(self, kind, claims):
        return self._ask(f"sign {kind} {json.dumps(claims, ensure_ascii=False)}")

    def close(self):
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()


def code_claims(**changes):
    now = int(time.time())
    claims = {"iss": ISSUER, "aud": "p256", "iat": now, "exp": now + 600, "jti": os.urandom(16).hex(),
              "sub": "+77010000001", "purpose": "confirm_transaction", "code": "314159",
              "context": PAYMENT}
    claims.update(changes)
    return {name: value for name, value in claims.items() if value is not None}


def receipt_claims(**changes):
    return code_claims(**{"aud": None, "code": None, **changes})


class RecipientTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.keys, cls.certificates = {}, {}
        for name, make in KINDS.items():
            key = make()
            cls.certificates[name] = os.path.join(cls.folder.name, name + ".pem")
            with open(cls.certificates[name], "wb") as file:
                file.write(self_signed(key, name))
            cls.keys[name] = key.private_bytes(serialization.Encoding.PEM,
                                               serialization.PrivateFormat.PKCS8,
                                               serialization.NoEncryption())
        cls.vault = Sealing(cls.certificates)
        cls.forger = Sealing(cls.certificates)  # the same, but for the signing key

    @classmethod
    def tearDownClass(cls):
        cls.vault.close()
        cls.forger.close()
        cls.folder.cleanup()

    def path(self, name):
        return os.path.join(self.folder.name, f"{self.id()}-{name}")

    def recipient(self, name="p256", keys=None, **options):
        seen = options.pop("seen", None) or SeenIds(self.path(os.urandom(4).hex()))
        return Recipient(name, keys or [self.keys[name]], self.vault.jwks, ISSUER, seen, **options)

    def assert_refused(self, words, message, recipient=None, kind=OTP, **expected):
        with self.assertRaisesRegex(Refused, words):
            (recipient or self.recipient()).open(message, kind, **expected)

    def encrypted_by_the_web_tier(self, token, to="p256"):
        """Anybody who has a recipient's certificate can encrypt to it."""
        key = jwk.JWK.from_pem(self.keys[to])
        header = {"alg": "ECDH-ES", "enc": "A256GCM", "cty": "JWT", "typ": OTP,
                  "kid": key.thumbprint()}
        made = jwe.JWE(token.encode(), json.dumps(header))
        made.add_recipient(jwk.JWK.from_json(key.export_public()))
        return made.serialize(compact=True)

    # ---- what is right ----

    def test_jwcrypto_opens_each_kind(self):
        for name in KINDS:
            with self.subTest(name):
                claims = code_claims(aud=name)
                message = self.vault.seal(name, OTP, claims)
                got = self.recipient(name).open(message, OTP, purpose="confirm_transaction",
                                                context=PAYMENT)
                self.assertEqual(got, claims)

    def test_jose_opens_curves(self):
        # Of Debian 12's jose command; it was built without RSA-OAEP-256 (see `jose alg`).
        for name in ("p256", "p384"):
            with self.subTest(name):
                claims = code_claims(aud=name)
                key = self.write(name + ".jwk", jwk.JWK.from_pem(self.keys[name]).export())
                token = self.jose("jwe", "dec", "-i-", "-k", key,
                                  stdin=self.vault.seal(name, OTP, claims).encode())
                self.assert_jose_verifies(token.decode(), claims)

    def test_openssl_opens_rsa_step_by_step(self):
        claims = code_claims(aud="rsa")
        head, encrypted_key, iv, body, tag = self.vault.seal("rsa", OTP, claims).split(".")
        content_key = subprocess.run(
            ["openssl", "pkeyutl", "-decrypt", "-inkey",
             self.write("rsa.key", self.keys["rsa"].decode()),
             "-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256",
             "-pkeyopt", "rsa_mgf1_md:sha256"],
            input=unb64(encrypted_key), stdout=subprocess.PIPE, check=True).stdout
        token = AESGCM(content_key).decrypt(unb64(iv), unb64(body) + unb64(tag), head.encode())
        self.assert_jose_verifies(token.decode(), claims)

    def assert_jose_verifies(self, token, claims):
        keys = self.write("set.jwks", self.vault.jwks)
        payload = self.jose("jws", "ver", "-i-", "-k", keys, "-O-", stdin=token.encode())
        self.assertEqual(json.loads(payload), claims)
        head, body, signature = token.split(".")
        changed = f"{head}.{body[:-2]}AA.{signature}".encode()
        with self.assertRaises(subprocess.CalledProcessError):
            self.jose("jws", "ver", "-i-", "-k", keys, "-O-", stdin=changed)

    def write(self, name, text):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        return self.path(name)

    def jose(self, *arguments, stdin):
        return subprocess.run(["jose", *arguments], input=stdin, stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL, check=True).stdout

    def test_many_messages_open(self):
        # Enough that coordinates and numbers with leading zeros come up.
        gateway = self.recipient()
        for _ in range(600):
            gateway.open(self.vault.seal("p256", OTP, code_claims()), OTP)

    def test_both_keys_open_during_a_replacement(self):
        gateway = self.recipient("p256", [self.keys["p256"], self.keys["p384"]])
        for key in ("p256", "p384"):
            gateway.open(self.vault.seal(key, OTP, code_claims()), OTP)

    # ---- what an owner of the web tier could send ----

    def test_forged(self):
        self.assert_refused("not in the JWK set", self.forger.seal("p256", OTP, code_claims()))

    def test_forged_under_the_vaults_kid(self):
        kid = json.loads(self.vault.jwks)["keys"][0]["kid"]
        made = jws.JWS(json.dumps(code_claims()))
        made.add_signature(jwk.JWK.generate(kty="EC", crv="P-256"), None,
                           json.dumps({"alg": "ES256", "typ": OTP, "kid": kid}))
        self.assert_refused("not a statement",
                            self.encrypted_by_the_web_tier(made.serialize(compact=True)))

    def test_key_of_the_forgers_own_in_the_header(self):
        own = jwk.JWK.generate(kty="EC", crv="P-256")
        made = jws.JWS(json.dumps(code_claims()))
        made.add_signature(own, None, json.dumps({
            "alg": "ES256", "typ": OTP, "jwk": json.loads(own.export_public())}))
        self.assert_refused("not in the JWK set",
                            self.encrypted_by_the_web_tier(made.serialize(compact=True)))

    def test_without_a_signature(self):
        kid = json.loads(self.vault.jwks)["keys"][0]["kid"]
        head = b64(json.dumps({"alg": "none", "typ": OTP, "kid": kid}).encode())
        body = b64(json.dumps(code_claims()).encode())
        for signature in ("", b64(b"x" * 64)):
            self.assert_refused("not signed as|not a statement",
                                self.encrypted_by_the_web_tier(f"{head}.{body}.{signature}"))

    def test_hmac_by_the_public_key(self):
        signer = json.loads(self.vault.jwks)["keys"][0]
        pem = jwk.JWK(**signer).export_to_pem()
        made = jws.JWS(json.dumps(code_claims()))
        made.add_signature(jwk.JWK(kty="oct", k=b64(pem)), None,
                           json.dumps({"alg": "HS256", "typ": OTP, "kid": signer["kid"]}))
        self.assert_refused("not signed as|not a statement",
                            self.encrypted_by_the_web_tier(made.serialize(compact=True)))

    def test_replayed(self):
        message = self.vault.seal("p256", OTP, code_claims())
        path = self.path("seen")
        self.recipient(seen=SeenIds(path)).open(message, OTP)
        self.assert_refused("acted on before", message, self.recipient(seen=SeenIds(path)))

    def test_replayed_in_another_envelope(self):
        message = self.vault.seal("p384", OTP, code_claims())
        gateway = self.recipient("p256", [self.keys["p256"], self.keys["p384"]])
        sealed = jwe.JWE()
        sealed.deserialize(message, jwk.JWK.from_pem(self.keys["p384"]))
        gateway.open(message, OTP)
        again = self.encrypted_by_the_web_tier(sealed.payload.decode())
        self.assert_refused("acted on before", again, gateway)

    def test_redirected(self):
        # One recipient is in league with the web tier: it opens its own and seals it to another.
        sealed = jwe.JWE()
        sealed.deserialize(self.vault.seal("p384", OTP, code_claims(aud="p384")),
                           jwk.JWK.from_pem(self.keys["p384"]))
        self.assert_refused("somebody else",
                            self.encrypted_by_the_web_tier(sealed.payload.decode()))

    def test_not_sealed_to_us(self):
        self.assert_refused("not ours", self.vault.seal("p384", OTP, code_claims()))

    def test_changed_on_the_way(self):
        parts = self.vault.seal("p256", OTP, code_claims()).split(".")
        for i in (0, 2, 3, 4):
            changed = list(parts)
            first = "A" if parts[i][0] != "A" else "B"
            changed[i] = first + parts[i][1:]
            with self.subTest(i):
                self.assert_refused("", ".".join(changed))

    def test_expired(self):
        now = int(time.time())
        for late in (SKEW_S + 1, 3600):
            self.assert_refused("expired", self.vault.seal(
                "p256", OTP, code_claims(iat=now - 7200, exp=now - late)))
        message = self.vault.seal("p256", OTP, code_claims())
        late = self.recipient(clock=lambda: time.time() + 600 + SKEW_S + 1)
        self.assert_refused("expired", message, late)

    def test_from_the_future(self):
        now = int(time.time())
        message = self.vault.seal("p256", OTP, code_claims(iat=now + 3600, exp=now + 7200))
        self.assert_refused("future", message)

    def test_wrong_issuer(self):
        message = self.vault.seal("p256", OTP, code_claims(iss="cardvault-test"))
        self.assert_refused("issuer", message)

    def test_missing_claims(self):
        for name in ("iss", "aud", "iat", "exp", "jti"):
            with self.subTest(name):
                self.assert_refused("", self.vault.seal("p256", OTP, code_claims(**{name: None})))

    def test_another_kind_of_statement(self):
        # Sealed properly, but a receipt or a card where a code is awaited.
        for kind in (RECEIPT, CARD):
            self.assert_refused("of the type", self.vault.seal("p256", kind, code_claims()))
        receipt = self.vault.sign(RECEIPT, receipt_claims())
        self.assert_refused("of the type", self.encrypted_by_the_web_tier(receipt))
        self.assert_refused("compact JWE", receipt)

    def test_another_purpose_or_payment(self):
        message = self.vault.seal("p256", OTP, code_claims())
        gateway = self.recipient()
        self.assert_refused("purpose", message, gateway, purpose="verify_login")
        self.assert_refused("payment", message, gateway, context={**PAYMENT, "amount": 1250001})
        gateway.open(message, OTP, context=PAYMENT)  # a refusal has used nothing up

    # ---- receipts at a back end ----

    def reader(self, seen=None):
        return ReceiptReader(self.vault.jwks, ISSUER, seen or SeenIds(self.path(os.urandom(4).hex())))

    def test_a_receipt_confirms_one_act(self):
        receipt = self.vault.sign(RECEIPT, receipt_claims())
        path = self.path("spent")
        expected = ("+77010000001", "confirm_transaction", PAYMENT)
        self.reader(SeenIds(path)).check(receipt, *expected)
        with self.assertRaisesRegex(Refused, "before"):
            self.reader(SeenIds(path)).check(receipt, *expected)

    def test_a_receipt_of_something_else(self):
        receipt = self.vault.sign(RECEIPT, receipt_claims())
        subject, purpose = "+77010000001", "confirm_transaction"
        for words, expected in (("somebody", ("+77010000002", purpose, PAYMENT)),
                                ("purpose", (subject, "verify_login", PAYMENT)),
                                ("payment", (subject, purpose, {**PAYMENT, "currency": "USD"})),
                                ("payment", (subject, purpose, None))):
            with self.subTest(words), self.assertRaisesRegex(Refused, words):
                self.reader().check(receipt, *expected)

    def test_a_forged_receipt(self):
        for receipt in (self.forger.sign(RECEIPT, receipt_claims()),
                        self.vault.sign(OTP, receipt_claims())):
            with self.assertRaises(Refused):
                self.reader().check(receipt, "+77010000001", "confirm_transaction", PAYMENT)


if __name__ == "__main__":
    SEAL_SAMPLE = sys.argv.pop(1)
    unittest.main()
