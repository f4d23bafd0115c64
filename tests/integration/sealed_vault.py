"""A vault of `./dev up` whose PIN only its custodians can give, any three of five; the shares are made by
the test itself (custodians.py).

    vault = SealedVault()     # with one card in it, `token`; down, and sealed once it is started
    vault.admin("unseal.share", blob=vault.shares[0])
"""

import os
import re
import secrets

import custodians
from custodians import AdminSocket, encode_share
from vault_fixture import Vault

NAMES = ("anna", "bolat", "carol", "dana", "erik")
NEEDED = 3


class SealedVault(Vault):
    def __init__(self, settings=()):
        super().__init__(settings)
        answer = self.request("web", "POST", "/v1/tokenize", {"pan": "4111111111111111", "customer": "+77010000001"})
        self.token = answer.json()["token"]
        with open(self.path("pin"), encoding="ascii") as file:
            self.pin = file.read().strip()
        self.ceremony = secrets.token_hex(8)
        values = custodians.split(self.pin.encode(), NEEDED, len(NAMES))
        self.shares = [encode_share(self.ceremony, "user-pin", index, NEEDED, len(NAMES), value)
                       for index, value in enumerate(values, 1)]
        self.down()
        custodians.write_transcript(self.path("custody"), self.ceremony, NAMES, self.shares, NEEDED)
        os.unlink(self.path("pin"))
        self.rewrite(lambda text: re.sub(r"\?pin-source=[^\"]*", "", text))
        self.rewrite(lambda text: text + '\n[unseal]\nby = "custodians"\nsurvive_crash = false\n')

    def rewrite(self, change):
        """Changes the text of the daemon's configuration."""
        with open(self.path("vault.toml"), encoding="utf-8") as file:
            text = file.read()
        changed = change(text)
        assert changed != text
        with open(self.path("vault.toml"), "w", encoding="utf-8") as file:
            file.write(changed)

    def admin(self, verb, arguments=(), blob=b""):
        with AdminSocket(self.path("run", "cardvaultd", "admin.sock")) as line:
            return line.run(verb, arguments, blob)

    def pin_in_memory_of(self, pid):
        """Whether the process's memory holds the PIN anywhere. For root."""
        with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb") as memory:
            for line in maps:
                begin, end = (int(part, 16) for part in line.split()[0].split("-"))
                if " rw" not in line or line.rstrip().endswith(("[vvar]", "[vsyscall]")):
                    continue
                try:
                    memory.seek(begin)
                    if self.pin.encode() in memory.read(end - begin):
                        return True
                except (OSError, ValueError):
                    continue
        return False
