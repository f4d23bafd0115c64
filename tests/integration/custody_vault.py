"""A running vault that a ceremony of five custodians made, any three of whom open its backups; and
its restore on another machine, which is another folder with a token of its own.

    vault = CustodyVault()
    vault.backup("one.cvb")
    other = vault.restored("one.cvb")
"""

import glob
import os
import shutil
import subprocess
import sys
import tempfile
import time

import ceremony_table
import vault_fixture
from free_ports import free_ports
from vault_fixture import ROOT, Vault

NAMES = ceremony_table.NAMES
CLIENTS = {  # as `./dev up` registers them where one operator may
    "web": "tokenize,cards.read,cards.manage,detokenize.sealed,otp.seal,otp.verify,secrets.manage,"
           "secrets.verify",
    "processor": "detokenize,cards.read",
    "auditor": "audit.read,metrics.read",
}
FILES_OF_THE_BANK = ("ca.pem", "crl.pem", "ca", "gates", "registered", "*.pem", "*.key")


def daemon_uid():
    return 61001 if os.geteuid() == 0 else os.geteuid()


class Custodians(ceremony_table.Table):
    """Key files and papers only; a plan for a vault that `./dev up` can run."""

    def __init__(self, top, folder):
        self._folder = folder
        super().__init__(top, read_back=False, cards=(), media=())
        self.dir = folder
        self.papers = {}

    def write_plan(self, read_back, backup, unseal):
        super().write_plan(read_back, backup, unseal)
        first = daemon_uid()
        step = 1 if os.geteuid() == 0 else 0
        gates = ", ".join(f'"{gate}={first + step * (n + 1)}"'
                          for n, gate in enumerate(vault_fixture.GATES))
        with open(self.plan, encoding="utf-8") as file:
            text = file.read()
        user = str(os.geteuid())
        text = text.replace(f'daemon_user = "{user}"', f'daemon_user = "{first}"')
        text = text.replace(f'gates = ["web={user}"]', f"gates = [{gates}]")
        with open(self.plan, "w", encoding="utf-8") as file:
            file.write(text)

    def hold(self):
        sitting = ceremony_table.Sitting(self, "ceremony", "run", self.plan, "--dir", self.dir)
        code = sitting.run()
        if code != 0:
            raise AssertionError(sitting.text[-3000:])
        self.papers = sitting.papers

    def shares(self, *secrets, names=("anna", "carol", "erik")):
        """Papers of three custodians, in the order in which the tool asks for them."""
        return [self.papers[name, secret] for secret in secrets for name in names]

    def sit(self, *arguments, entering=(), **more):
        """The tool on a terminal, fed with papers: (exit code, what was shown)."""
        sitting = ceremony_table.Sitting(self, *arguments, **more)
        sitting.entering = list(entering)
        return sitting.run(), sitting.text


class CustodyVault(Vault):
    def __init__(self, settings=()):
        self.top = tempfile.mkdtemp(prefix="cardvault-custody-")
        os.chmod(self.top, 0o711)  # operators of other accounts carry approvals
        self.custodians = None
        super().__init__(settings)

    def up(self):
        if self.custodians is None:
            self._certificates()
            self.custodians = Custodians(self.top, self.dir)
            self.custodians.hold()
            self._configure()
        super().up()

    def approved(self, *command):
        """A command that takes the custodians' quorum, with it."""
        self.tool(*command, *self.custodians.with_quorum(self.path("vault.toml"), *command))

    def _configure(self):
        """What a bank does before the first start: quotas and clients, by its custodians."""
        if self.settings:
            subprocess.run([sys.executable, os.path.join(ROOT, "systemd", "set_config.py"), self.dir,
                            *self.settings], check=True)
        if any(setting.startswith(("limits.rate", "reveal.")) for setting in self.settings):
            self.approved("gate", "approve")
        for client, permissions in CLIENTS.items():
            self.approved("client", "add", client, "--cert", self.path(client + ".pem"), "--permissions",
                          permissions, "--purposes", "*")

    def _certificates(self):
        subprocess.run([os.path.join(ROOT, "systemd", "demo-certificates.sh"), self.dir,
                        *vault_fixture.GATES, "--", "web", "processor", "auditor", "sms-gateway",
                        "acquirer"], check=True, capture_output=True)
        if os.geteuid() == 0:
            for number, gate in enumerate(vault_fixture.GATES):
                for path in glob.glob(self.path("gates", gate + ".*")):
                    uid = daemon_uid() + number + 1
                    os.chown(path, uid, uid)
        os.chmod(self.path("gates"), 0o711)

    def close(self):
        super().close()
        shutil.rmtree(self.top, ignore_errors=True)

    def vkey(self):
        return self.path("audit.vkey")

    def backup(self, name, check=True):
        path = os.path.join(self.top, name)
        done = self.tool("backup", "create", path, check=check)
        return path if check else done

    def new_machine(self):
        """An empty folder with what the bank's own PKI gives any machine, and nothing of the vault."""
        folder = tempfile.mkdtemp(prefix="cardvault-test-", dir=os.environ.get("CARDVAULT_TMP"))
        os.chmod(folder, 0o711)
        for pattern in FILES_OF_THE_BANK:
            for path in glob.glob(self.path(pattern)):
                to = os.path.join(folder, os.path.basename(path))
                if os.path.isdir(path):
                    subprocess.run(["cp", "-a", path, to], check=True)
                elif not os.path.exists(to):
                    shutil.copy(path, to)
        return folder

    def restore_arguments(self, backup, folder, *more):
        return ("backup", "restore", backup, "--key", self.vkey(), "--dir", folder, *more)

    def restore(self, backup, folder, *more, keys=()):
        """The whole way: asked for, approved by three, carried out by three."""
        asked = self.custodians.tool(*self.restore_arguments(backup, folder, *more))
        if asked.returncode not in (1, 5):
            raise AssertionError(asked.stderr)
        approvals = self.custodians.approve(os.path.join(folder, "restore.action"))
        code, text = self.custodians.sit(
            *self.restore_arguments(backup, folder, *more, "--approvals", *approvals),
            entering=self.custodians.shares("backup-key", "so-pin", "user-pin"))
        if code != 0:
            raise AssertionError(text[-3000:])
        return RestoredVault(self, folder)


class RestoredVault(Vault):
    """The vault in a folder that a restore has made."""

    approved = CustodyVault.approved

    def __init__(self, original, folder):
        self.dir = folder
        self.original = original
        self.custodians = original.custodians
        self.settings = list(original.settings)
        self.options = []
        self.port = free_ports(len(vault_fixture.GATES))
        self._contexts = {}
        self._kept = {}
        self._recipients = {}

    def vkey(self):
        return self.path("audit.vkey")


def store(vault, count, first=0):
    """Cards by token."""
    cards = {}
    for number in range(first, first + count):
        pan, customer = vault_fixture.made_up_pan(number), f"+7701{number // 5:07d}"
        answer = vault.request("web", "POST", "/v1/tokenize", {"pan": pan, "customer": customer})
        if answer.status != 200:
            raise AssertionError(answer)
        cards[answer.json()["token"]] = pan
    return cards


def reveal(at, token):
    return at.request("processor", "POST", "/v1/detokenize", {"token": token, "purpose": "payment"})


def wait_published(at):
    """Until the log's checkpoint covers every event so far."""
    last = at.events(1)[0]["seq"]
    for _ in range(300):
        with open(at.path("audit", "checkpoint"), encoding="utf-8") as file:
            if int(file.read().splitlines()[1]) > last:
                return
        time.sleep(0.1)
    raise AssertionError("the log is not published")
