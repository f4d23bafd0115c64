"""The custodians of the appliance: their ceremony in the machine before it boots, and their word on acts."""

import contextlib
import hashlib
import os
import re
import sys

from machine import run

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
import ceremony_table  # noqa: E402

WITNESSES = ("anna", "bolat", "dana")
NEEDS_QUORUM = 5


class Custodians(ceremony_table.Table):
    """Five, with key files and papers, at a table outside of the machine: `top`, which the machine sees under
    the same path while they sit."""

    def __init__(self, machine, top, unseal):
        self.machine = machine
        self.papers = {}
        super().__init__(top, read_back=False, unseal=unseal, cards=(), media=())

    def terminal_program(self):
        return ["chroot", self.machine.root, "/usr/bin/cardvault"]

    def write_plan(self, read_back, backup, unseal):
        super().write_plan(read_back, backup, unseal)
        with open(self.plan, encoding="utf-8") as file:
            text = file.read()
        text = re.sub(r'daemon_user = .*\ngates = .*\n',
                      'config_dir = "/etc/cardvault"\nrun_dir = "/run/cardvault"\ndaemon_user = "cardvault"\n'
                      'gates = ["web", "processor", "auditor"]\noperators = ["0=root"]\n', text)
        with open(self.plan, "w", encoding="utf-8") as file:
            file.write(text)

    @contextlib.contextmanager
    def _in_the_machine(self):
        bound = []
        try:
            for folder in ("/dev", "/proc", self.top):
                os.makedirs(self.machine.path(folder), exist_ok=True)
                run("mount", "--bind", folder, self.machine.path(folder))
                bound.append(folder)
            yield
        finally:
            for folder in reversed(bound):
                run("umount", self.machine.path(folder))

    def hold(self):
        """The ceremony that makes the vault."""
        with self._in_the_machine():
            sitting = ceremony_table.Sitting(self, "ceremony", "run", self.plan, "--dir", "/var/lib/cardvault")
            if sitting.run() != 0:
                raise RuntimeError(sitting.text[-3000:])
            self.papers = sitting.papers

    def unseal(self):
        """Three of them at the running machine's terminal."""
        sitting = ceremony_table.Sitting(self, "unseal", program=self.machine.command("/usr/bin/cardvault"))
        sitting.entering = [self.papers[name, "user-pin"] for name in WITNESSES]
        if sitting.run() != 0:
            raise RuntimeError(sitting.text[-3000:])

    def user_pin(self):
        return ceremony_table.combine([ceremony_table.value_of(self.papers[name, "user-pin"]) for name in WITNESSES])

    def approved(self, *command):
        """A command on the running vault for which it wants the quorum's word."""
        asked = self.machine.run("cardvault", *command, check=False)
        if asked.returncode != NEEDS_QUORUM:
            raise RuntimeError(f"{command}: exit {asked.returncode}, not {NEEDS_QUORUM}\n{asked.stdout}{asked.stderr}")
        action = os.path.join(self.top, hashlib.sha256(asked.stdout.encode()).hexdigest()[:16] + ".action")
        with open(action, "w", encoding="ascii") as file:
            file.write(asked.stdout)
        digest = hashlib.sha256(asked.stdout.encode()).hexdigest()
        word = [action]
        for name in WITNESSES:
            word.append(f"{action}.{name}")
            done = self.tool("approve", "--action", action, "--key", self.key(name), "--digest", digest, "--out", word[-1],
                             secret=self.passphrase(name))
            if done.returncode != 0:
                raise RuntimeError(done.stderr)
        carried = []
        for path in word:
            run("cp", path, self.machine.path("/root/"))
            carried += ["--approvals", "/root/" + os.path.basename(path)]
        return self.machine.run("cardvault", *command, *carried)
