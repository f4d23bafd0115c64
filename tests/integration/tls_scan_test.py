#!/usr/bin/python3
"""What scanners find at a gate's port: sslscan for exactly what is offered; testssl.sh, which takes two
minutes and so runs in ./dev long alone, for anything above low.

    tls_scan_test.py BUILD_DIR
"""

import json
import os
import re
import subprocess
import unittest

import lone_gate


class TlsScan(lone_gate.GateCase):
    def test_exactly_this_is_offered(self):
        found = subprocess.run(["sslscan", "--no-colour", f"localhost:{self.gate.port}"], check=True, timeout=60,
                               capture_output=True, text=True).stdout
        self.assertEqual(set(re.findall(r"^(\S+)\s+enabled", found, re.M)), {"TLSv1.3"})
        self.assertEqual(set(re.findall(r"^(?:Preferred|Accepted)\s+(\S+)\s+\d+ bits\s+(\S+)", found, re.M)),
                         {("TLSv1.3", "TLS_AES_128_GCM_SHA256"), ("TLSv1.3", "TLS_AES_256_GCM_SHA384"),
                          ("TLSv1.3", "TLS_CHACHA20_POLY1305_SHA256")})
        groups = found.partition("Server Key Exchange Group(s):")[2].partition("\n\n")[0]
        self.assertEqual(set(re.findall(r"bits\s+(\S+)", groups)), {"secp256r1", "secp384r1", "x25519"})

    @unittest.skipUnless(os.environ.get("CARDVAULT_LONG"), "two minutes: in ./dev long")
    def test_nothing_above_low(self):
        report = f"{self.folder}/testssl.json"
        subprocess.run(["testssl", "--quiet", "--color", "0", "--warnings", "off", "--add-ca", f"{self.folder}/ca.pem",
                        "--jsonfile", report, f"localhost:{self.gate.port}"], timeout=600, stdout=subprocess.DEVNULL)
        with open(report, encoding="utf-8") as file:
            findings = json.load(file)
        self.assertGreater(len(findings), 100)  # it went through
        bad = [(f["id"], f["severity"], f["finding"]) for f in findings
               if f["severity"] in ("MEDIUM", "HIGH", "CRITICAL", "FATAL")]
        self.assertEqual(bad, [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
