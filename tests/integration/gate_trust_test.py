#!/usr/bin/python3
"""Whom a gate believes: revocation lists of a chain of authorities, keys that are too weak.

    gate_trust_test.py BUILD_DIR
"""

import os
import shutil
import ssl
import tempfile
import time
import unittest

from lone_gate import Authority, Gate, closed, send


class RevocationLists(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="gate-lists-")
        self.root = Authority(self.folder)
        self.root.issue("gate", "subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth")
        self.root.issue("web", "subjectAltName=DNS:web\nextendedKeyUsage=clientAuth")
        os.mkdir(os.path.join(self.folder, "below"))
        below = Authority(os.path.join(self.folder, "below"), self.root)
        below.issue("web", "subjectAltName=DNS:web\nextendedKeyUsage=clientAuth")
        with open(f"{below.folder}/web.pem", "a", encoding="ascii") as chain, \
                open(f"{below.folder}/ca.pem", encoding="ascii") as issuer:
            chain.write(issuer.read())
        self.gate = Gate(self.folder)
        self.gate.start_vault()

    def tearDown(self):
        self.assertEqual(self.gate.stop(), 0)
        shutil.rmtree(self.folder)

    def reload(self, change, *arguments):
        reloads = self.gate.log().count("revocation list reloaded")
        change(*arguments)
        Gate.wait_for(lambda: self.gate.log().count("revocation list reloaded") > reloads)

    def test_one_that_ended_ends_live_connections_too(self):
        self.reload(self.root.write_crl, "-crlsec", "8")
        connection = self.gate.connect()
        response, problem = send(connection, "GET", "/v1/whoami")
        self.assertEqual(response.status, 200)
        end = time.monotonic() + 60
        while response.status == 200 and time.monotonic() < end:
            time.sleep(0.2)
            response, problem = send(connection, "GET", "/v1/whoami")
        self.assertEqual((response.status, problem.get("code")), (403, "client_unknown"))
        self.assertTrue(closed(connection))
        with self.assertRaises((ssl.SSLError, ConnectionError)):  # though it was taken before
            send(self.gate.connect(), "GET", "/v1/whoami")
        self.reload(self.root.write_crl)
        self.assertEqual(send(self.gate.connect(), "GET", "/v1/whoami")[0].status, 200)

    def test_the_root_s_revokes_an_authority_below_it(self):
        connection = self.gate.connect("below/web")
        self.assertEqual(send(connection, "GET", "/v1/whoami")[0].status, 200)
        self.reload(self.root.revoke, "ca-below")
        response, problem = send(connection, "GET", "/v1/whoami")
        self.assertEqual((response.status, problem.get("code")), (403, "client_revoked"))
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            send(self.gate.connect("below/web"), "GET", "/v1/whoami")
        self.assertEqual(send(self.gate.connect(), "GET", "/v1/whoami")[0].status, 200)

    def test_each_authority_of_a_chain_needs_its_own(self):
        self.root.below.clear()
        self.reload(self.root.write_crl)
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            send(self.gate.connect("below/web"), "GET", "/v1/whoami")
        self.assertEqual(send(self.gate.connect(), "GET", "/v1/whoami")[0].status, 200)


class WeakKeys(unittest.TestCase):
    def test_are_refused_whatever_the_machine_s_openssl_cnf_says(self):
        folder = tempfile.mkdtemp(prefix="gate-weak-")
        authority = Authority(folder)
        client = "subjectAltName=DNS:web\nextendedKeyUsage=clientAuth"
        authority.issue("gate", "subjectAltName=DNS:localhost\nextendedKeyUsage=serverAuth")
        authority.issue("web", client)
        authority.issue("weak", client, ("RSA", "-pkeyopt", "rsa_keygen_bits:1024"))
        with open(os.path.join(folder, "openssl.cnf"), "w", encoding="ascii") as file:
            file.write("openssl_conf = a\n[a]\nssl_conf = b\n[b]\nsystem_default = c\n"
                       "[c]\nCipherString = DEFAULT@SECLEVEL=0\n")
        gate = Gate(folder, OPENSSL_CONF=file.name)
        self.addCleanup(shutil.rmtree, folder)
        self.addCleanup(gate.stop)
        gate.start_vault()
        self.assertEqual(send(gate.connect(), "GET", "/v1/whoami")[0].status, 200)
        context = ssl.create_default_context(cafile=f"{folder}/ca.pem")
        context.set_ciphers("DEFAULT@SECLEVEL=0")
        context.load_cert_chain(f"{folder}/weak.pem", f"{folder}/weak.key")
        with self.assertRaises((ssl.SSLError, ConnectionError)):
            weak = context.wrap_socket(gate.connect(handshake=False), server_hostname="localhost")
            send(weak, "GET", "/v1/whoami")


if __name__ == "__main__":
    unittest.main(warnings="ignore")  # connections are left to the garbage collector
