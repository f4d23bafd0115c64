#!/usr/bin/python3
"""Clients of the vault's own CA: enrolled with openssl's requests, renewed with overlap, revoked on live
connections, beside clients of an outside CA."""

import http.client
import json
import os
import re
import ssl
import subprocess
import time
import unittest

import certificates
import vault_fixture

CLIENTS = ("app", "renewer", "leaver", "kinds", "greedy", "pinned", "mover", "outsider", "forger", "late", "stuck")
KEYS = {
    "p256": ("EC", "ec_paramgen_curve:P-256"),
    "p384": ("EC", "ec_paramgen_curve:P-384"),
    "rsa3072": ("RSA", "rsa_keygen_bits:3072"),
    "ed25519": ("ED25519", None),
}
BAD_KEYS = {
    "rsa2048": ("RSA", "rsa_keygen_bits:2048", "its RSA key has 2048 bits"),
    "p521": ("EC", "ec_paramgen_curve:P-521", "its EC key is on secp521r1"),
    "k1": ("EC", "ec_paramgen_curve:secp256k1", "its EC key is on secp256k1"),
    "ed448": ("ED448", None, "its key is of a kind that is not taken"),
}


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > end:
            return None
        time.sleep(0.1)
    return found


class Enroll(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vault = vault_fixture.shared(vault_fixture.OPERATORS)
        cls.admit(*CLIENTS)
        for name in CLIENTS:
            if name != "pinned":
                cls.vault.tool("client", "add", name, "--enrolled", "--permissions", "tokenize,cards.read")

    @classmethod
    def admit(cls, *clients):
        with open(cls.vault.path("vault.toml"), encoding="utf-8") as file:
            text = file.read()
        before = 'clients = ["web"'
        assert before in text
        with open(cls.vault.path("vault.toml"), "w", encoding="utf-8") as file:
            file.write(text.replace(before, before + "".join(f', "{one}"' for one in clients)))
        cls.vault.tool("reload")

    def request(self, name, kind="p256", *options, subject=None):
        """DIR/name.key and DIR/name.csr of a new key."""
        algorithm, parameter = (KEYS | BAD_KEYS)[kind][:2]
        base = self.vault.path(name)
        certificates.openssl("genpkey", "-quiet", "-algorithm", algorithm,
                             *(("-pkeyopt", parameter) if parameter else ()), "-out", f"{base}.key")
        certificates.openssl("req", "-new", "-key", f"{base}.key", "-subj", subject or f"/CN={name}", "-out",
                             f"{base}.csr", *options)
        return f"{base}.csr"

    def enroll(self, client, request, out=None, check=True, *options):
        arguments = ["client", "enroll", client, "--request", request, *options]
        return self.vault.tool(*arguments, *(("--out", out) if out else ()), check=check)

    def new(self, client, name=None, kind="p256"):
        """Enrolls the client under DIR/name.{key,pem}; the serial."""
        name = name or client
        done = self.enroll(client, self.request(name, kind), self.vault.path(f"{name}.pem"))
        serial = re.search(r"serial ([0-9a-f]{32})$", done.stderr.strip()).group(1)
        self.assertEqual(certificates.serial(self.vault.dir, name), serial)
        return serial

    def refused(self, client, request, why):
        done = self.enroll(client, request, self.vault.path("never.pem"), False)
        self.assertEqual(done.returncode, 1, done)
        self.assertIn(why, done.stderr)
        self.assertFalse(os.path.exists(self.vault.path("never.pem")))

    def live(self, name):
        """A connection that has been answered, once the gate knows the CA."""
        host, port = self.vault.address("web")

        def connect():
            connection = http.client.HTTPSConnection(host, port, timeout=20, context=self.vault.context(name))
            try:
                answer = self.vault.send(connection, "GET", "/v1/whoami")
                self.assertEqual(answer.status, 200, answer)
                return connection
            except (ssl.SSLError, ConnectionError, http.client.HTTPException):
                connection.close()
                return None
        connection = wait_for(connect)
        self.assertIsNotNone(connection, "the gate does not take the certificate")
        self.addCleanup(connection.close)
        return connection

    def whoami(self, connection):
        return self.vault.send(connection, "GET", "/v1/whoami")

    def assert_ends(self, connection, codes=("client_revoked",)):
        def refused():
            answer = self.whoami(connection)
            return answer if answer.status != 200 else None
        answer = wait_for(refused)
        self.assertIsNotNone(answer, "still answered")
        self.assertEqual(answer.status, 403, answer)
        self.assertIn(answer.code, codes)

    def assert_no_handshake(self, name):
        """Once the gate has the list: the vault knows before."""
        host, port = self.vault.address("web")

        def refused():
            connection = http.client.HTTPSConnection(host, port, timeout=20, context=self.vault.context(name))
            try:
                self.vault.send(connection, "GET", "/v1/whoami")
                return False
            except (ssl.SSLError, ConnectionError, http.client.RemoteDisconnected):
                return True
            finally:
                connection.close()
        self.assertTrue(wait_for(refused), "still let in")

    def ca_file(self):
        return self.vault.path("run", "cardvaultd", "client-ca.pem")

    def text(self, name, *what):
        return subprocess.check_output(["openssl", "x509", "-noout", "-in", self.vault.path(f"{name}.pem"), *what],
                                       text=True)

    def certificates_of(self, client):
        rows = json.loads(self.vault.tool("--format", "json", "client", "certificates", client).stdout)
        return {row["serial"]: row["state"] for row in rows}

    # --- what is issued ---

    def test_a_client_enrolled_by_openssl_calls_with_curl(self):
        serial = self.new("app")
        self.live("app")
        url = self.vault.url("web")
        done = subprocess.run(
            ["curl", "-sS", "--cacert", self.vault.path("ca.pem"), "--cert", self.vault.path("app.pem"), "--key",
             self.vault.path("app.key"), f"{url}/v1/whoami"], capture_output=True, text=True, timeout=30, check=True)
        self.assertEqual(json.loads(done.stdout)["client"], "app")
        (event,) = [e for e in self.vault.events() if e["op"] == "client.enroll" and e["outcome"] == "ok"
                    and e["resource"] == "app"]
        self.assertEqual(event["details"]["serial"], serial)
        self.assertTrue(event["actor"].startswith("operator:"))

    def test_the_certificate_says_what_the_vault_knows_and_no_more(self):
        request = self.request("greedy", "p256", "-addext", "subjectAltName=DNS:bank.example,URI:urn:cardvault:client:web",
                               "-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=keyCertSign",
                               "-addext", "extendedKeyUsage=serverAuth", subject="/O=Bank/CN=web")
        self.enroll("greedy", request, self.vault.path("greedy.pem"), True, "--days", "2")
        self.assertEqual(self.text("greedy", "-subject").strip(), "subject=CN = greedy")
        text = self.text("greedy", "-text")
        self.assertIn("Subject Alternative Name: \n                URI:urn:cardvault:client:greedy\n", text)
        self.assertIn("Basic Constraints: critical\n                CA:FALSE\n", text)
        self.assertIn("Key Usage: critical\n                Digital Signature\n", text)
        self.assertIn("Extended Key Usage: \n                TLS Web Client Authentication\n", text)
        for stranger in ("bank.example", "client:web", "Certificate Sign", "Server Authentication", "O = Bank"):
            self.assertNotIn(stranger, text)
        self.assertRegex(text, r"Serial Number:\s+[4-7][0-9a-f](:[0-9a-f]{2}){15}\n")
        self.assertIn("Signature Algorithm: ecdsa-with-SHA256", text)
        self.assertEqual(self.vault.send(self.live("greedy"), "GET", "/v1/whoami").json()["client"], "greedy")

    def test_chain_list_and_end_hold_by_openssl(self):
        self.enroll("mover", self.request("mover"), self.vault.path("mover.pem"), True, "--days", "1")
        ca = self.vault.path("client-ca.copy")
        with open(ca, "w", encoding="ascii") as file:
            file.write(self.vault.tool("client", "ca").stdout)
        text = subprocess.check_output(["openssl", "x509", "-noout", "-text", "-in", ca], text=True)
        self.assertIn("CA:TRUE, pathlen:0", text)
        self.assertIn("Key Usage: critical\n                Certificate Sign, CRL Sign\n", text)

        def verify(*options):
            return subprocess.run(["openssl", "verify", "-purpose", "sslclient", "-x509_strict", "-crl_check",
                                   "-CRLfile", self.ca_file(), "-CAfile", ca, *options,
                                   self.vault.path("mover.pem")], capture_output=True, text=True, check=False)
        self.assertEqual(verify().returncode, 0, verify().stderr)
        late = verify("-attime", str(int(time.time()) + 90_000))
        self.assertIn("certificate has expired", late.stdout + late.stderr)
        crl = subprocess.check_output(["openssl", "crl", "-noout", "-text", "-in", self.ca_file()], text=True)
        self.assertIn("X509v3 CRL Number", crl)
        self.assertEqual(oct(os.stat(self.ca_file()).st_mode & 0o777), "0o644")

    def test_keys_of_128_bits_are_taken_and_others_named(self):
        for kind in ("rsa3072", "ed25519"):
            serial = self.new("kinds", f"kinds-{kind}", kind)
            self.live(f"kinds-{kind}")
            self.vault.tool("client", "revoke", "kinds", "--serial", serial)
        self.new("kinds", "kinds-p384", "p384")
        self.live("kinds-p384")
        for kind, (_, _, why) in BAD_KEYS.items():
            with self.subTest(kind):
                self.refused("kinds", self.request(f"bad-{kind}", kind), why)

    # --- what is not ---

    def test_a_request_that_its_key_did_not_sign_is_refused(self):
        request = self.request("forger")
        der = self.vault.path("forger.der")
        certificates.openssl("req", "-in", request, "-outform", "DER", "-out", der)
        with open(der, "rb") as file:
            data = bytearray(file.read())
        self.enroll("forger", der)  # to stdout
        data[-1] ^= 1
        with open(der, "wb") as file:
            file.write(data)
        self.refused("forger", der, "not signed by its own key")
        nothing = self.vault.path("nothing.csr")
        for content in (b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n", b"\x30\x82"):
            with open(nothing, "wb") as file:
                file.write(content)
            self.refused("forger", nothing, "no certificate request")
        self.refused("forger", self.vault.path("ca.pem"), "no certificate request")

    def test_unknown_and_frozen_clients_are_not_enrolled(self):
        request = self.request("nobody")
        self.refused("nobody", request, "no such client")
        self.vault.tool("client", "freeze", "outsider")
        self.refused("outsider", request, "is frozen")
        self.vault.release("outsider")
        out = self.vault.path("ca.pem")  # something that is there
        done = self.enroll("outsider", request, out, False)
        self.assertEqual(done.returncode, 4)
        self.assertIn("never overwritten", done.stderr)
        self.assertEqual(self.certificates_of("outsider"), {})

    def test_a_client_known_by_its_key_keeps_it(self):
        certificates.issue(self.vault.dir, "pinned")
        self.vault.tool("client", "add", "pinned", "--cert", self.vault.path("pinned.pem"), "--permissions",
                        "cards.read")
        os.rename(self.vault.path("pinned.pem"), self.vault.path("pinned-outside.pem"))
        self.enroll("pinned", self.vault.path("pinned.csr"), self.vault.path("pinned.pem"))
        self.assertEqual(self.whoami(self.live("pinned")).json()["client"], "pinned")
        self.refused("pinned", self.request("other-key"), "registered by its key")

    def test_the_outside_ca_can_not_speak_for_enrolled_clients(self):
        self.live("web")  # of the outside CA, beside all this
        folder, base = self.vault.dir, self.vault.path("impostor")
        certificates.issue(folder, "impostor")
        extensions = self.vault.path("impostor.ext")
        with open(extensions, "w", encoding="ascii") as file:
            file.write("extendedKeyUsage=clientAuth\nsubjectAltName=URI:urn:cardvault:client:app\n")
        certificates.openssl("x509", "-req", "-in", f"{base}.csr", "-CA", self.vault.path("ca.pem"), "-CAkey",
                             self.ca_key(), "-days", "1", "-extfile", extensions, "-out", f"{base}.pem",
                             "-set_serial", "123456789")
        answer = self.vault.request("impostor", "GET", "/v1/whoami", gate="web")
        self.assertEqual((answer.status, answer.code), (403, "client_unknown"))

    def ca_key(self):
        (path,) = [os.path.join(folder, name) for folder, _, names in os.walk(self.vault.path("ca"))
                   for name in names if name.endswith(".key")]
        return path

    # --- renewing and revoking ---

    def test_renewal_overlaps_and_the_old_certificate_can_be_revoked_alone(self):
        first = self.new("renewer", "renewer1")
        old = self.live("renewer1")
        second = self.new("renewer", "renewer2")
        new = self.live("renewer2")
        self.assertEqual(self.whoami(old).status, 200)
        self.assertEqual(self.certificates_of("renewer"), {first: "valid", second: "valid"})
        self.refused("renewer", self.request("renewer3"), "has two valid certificates already")
        done = self.vault.tool("client", "revoke", "renewer", "--serial", "ab" * 16, check=False)
        self.assertEqual(done.returncode, 1)
        self.vault.tool("client", "revoke", "renewer", "--serial", first)
        self.assert_ends(old)
        self.assert_no_handshake("renewer1")
        self.assertEqual(self.whoami(new).status, 200)
        self.assertEqual(self.certificates_of("renewer"), {first: "revoked", second: "valid"})
        self.new("renewer", "renewer3")

    def test_a_revoked_client_is_cut_off_at_the_vault_and_at_the_gate(self):
        self.new("leaver")
        connection, other = self.live("leaver"), self.live("web")
        self.vault.tool("client", "revoke", "leaver")
        self.assertEqual(self.whoami(connection).code, "client_revoked")  # at once, whatever the gate knows
        self.assertEqual(set(self.certificates_of("leaver").values()), {"revoked"})
        self.assert_no_handshake("leaver")
        self.refused("leaver", self.request("leaver2"), "revoked for good")
        self.assertEqual(self.whoami(other).status, 200)

    def test_a_list_that_can_not_be_written_is_tried_again_and_alarmed(self):
        first = self.new("stuck", "stuck1")
        self.new("stuck", "stuck2")
        old, new = self.live("stuck1"), self.live("stuck2")
        os.mkdir(self.ca_file() + ".new")  # where the next one would be made
        try:
            done = self.vault.tool("client", "revoke", "stuck", "--serial", first)
            self.assertIn("can't be written yet", done.stderr)
            self.assertTrue(wait_for(lambda: "client_list_unpublished" in
                                     [e["outcome"] for e in self.vault.events() if e["op"] == "alarm"]))
        finally:
            os.rmdir(self.ca_file() + ".new")

        def ended():
            return self.whoami(old).status == 403
        self.assertTrue(wait_for(ended))
        self.assertEqual(self.whoami(new).status, 200)

    # --- the CA's life ---

    def test_z1_a_vault_that_restarts_writes_the_list_anew(self):
        self.new("mover", "mover-r")
        self.live("mover-r")
        os.unlink(self.ca_file())
        self.vault.kill_and_wait()
        self.assertTrue(wait_for(lambda: os.path.exists(self.ca_file())))
        self.live("mover-r")
        with open(self.ca_file(), "rb") as file:
            good = file.read()
        with open(self.ca_file(), "wb") as file:
            file.write(good[:200])
        time.sleep(2)  # the gate looks every second, and keeps what it has
        self.live("mover-r")
        self.vault.kill_and_wait()
        self.live("mover-r")

    def test_z1b_doctor_tells_a_list_that_nobody_had_to_write_from_one_that_fails(self):
        def told():
            return "the clients' revocation list" in self.vault.tool("doctor", check=False).stdout

        def whole():
            with open(self.ca_file(), encoding="ascii") as file:
                return "END X509 CRL" in file.read()

        self.vault.tool("client", "ca")  # so that there is one
        self.assertTrue(wait_for(whole))
        self.vault.down()
        self.addCleanup(self.vault.up_again)
        self.assertFalse(told())
        os.mkdir(self.ca_file() + ".new")  # where the next one would be made
        try:
            self.vault.up()
            self.assertTrue(wait_for(told))
        finally:
            os.rmdir(self.ca_file() + ".new")
        self.assertTrue(wait_for(lambda: not told()))

    def test_z2_a_new_ca_key_takes_over_with_the_old_one_s_certificates_valid(self):
        for serial, state in self.certificates_of("mover").items():
            if state == "valid":
                self.vault.tool("client", "revoke", "mover", "--serial", serial)
        self.new("mover", "mover-1")
        old = self.live("mover-1")
        self.vault.tool("key", "rotate", "client-ca")
        self.new("mover", "mover-2")
        self.live("mover-2")
        self.assertEqual(self.whoami(old).status, 200)
        self.assertEqual(self.vault.tool("client", "ca").stdout.count("BEGIN CERTIFICATE"), 2)
        self.assertIn("client CA 2", self.text("mover-2", "-issuer"))
        done = self.vault.tool("key", "retire", "client-ca/1", check=False)
        self.assertEqual(done.returncode, 1, done)
        for client in CLIENTS:
            for serial, state in self.certificates_of(client).items():
                if state == "valid" and serial != certificates.serial(self.vault.dir, "mover-2"):
                    self.vault.tool("client", "revoke", client, "--serial", serial)
        self.vault.tool("key", "retire", "client-ca/1")
        self.assertTrue(wait_for(lambda: self.vault.tool("client", "ca").stdout.count("BEGIN CERT") == 1))
        self.live("mover-2")
        self.assert_ends(old, ("client_revoked", "client_unknown"))

    def test_doctor_and_metrics_tell_of_ends(self):
        self.enroll("late", self.request("late"), self.vault.path("late.pem"), True, "--days", "3")
        findings = self.vault.tool("doctor", check=False).stdout
        self.assertRegex(findings, r"warning +client late: its certificate ends on ")

        def told():
            text = self.vault.request("auditor", "GET", "/metrics").body.decode()
            return ('cardvault_client_certificate_seconds{client="late"}' in text
                    and "cardvault_client_list_seconds" in text)
        self.assertTrue(wait_for(told))


if __name__ == "__main__":
    unittest.main()
