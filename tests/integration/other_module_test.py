"""The daemon, end to end, on another vendor's PKCS#11 module: NSS softoken."""

import os
import unittest

import vault_fixture

SOFTOKEN = "/usr/lib/x86_64-linux-gnu/libsoftokn3.so"
PAN = "4111111111111111"


@unittest.skipUnless(os.path.exists(SOFTOKEN), "libnss3 is not installed")
class OtherModule(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        # The token's database lies in the vault's own folder, as init lays it out.
        cls.vault = vault_fixture.Vault(options=lambda folder: [
            "--module", SOFTOKEN, "--init-args",
            f"configdir='sql:{folder}/nss' certPrefix='' keyPrefix='' secmod='secmod.db' flags='' "
            "dbTokenDescription='cardvault'"])
        cls.addClassCleanup(cls.vault.close)

    def reveal(self, token):
        return self.vault.request("processor", "POST", "/v1/detokenize",
                                  {"token": token, "purpose": "payment"})

    def test_stores_and_reveals_also_after_a_kill(self):
        self.vault.wait_ready()
        self.vault.wait_ready("processor")
        stored = self.vault.request("web", "POST", "/v1/tokenize",
                                    {"pan": PAN, "expiry": "2029-12", "customer": "+77010000001"})
        self.assertEqual(stored.status, 200, stored)
        token = stored.json()["token"]
        self.assertEqual(self.reveal(token).json(), {"pan": PAN, "expiry": "2029-12"})
        self.vault.kill_and_wait()
        self.assertEqual(self.reveal(token).json(), {"pan": PAN, "expiry": "2029-12"})
        again = self.vault.request("web", "POST", "/v1/tokenize",
                                   {"pan": PAN, "customer": "+77010000001"})
        self.assertEqual((again.json()["token"], again.json()["duplicate"]), (token, True))

    def test_says_which_module_it_runs_on(self):
        status = self.vault.tool("--format", "json", "status").stdout
        self.assertIn("Mozilla", status)


if __name__ == "__main__":
    unittest.main()
