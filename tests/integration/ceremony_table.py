"""A table at which a ceremony is held: five custodians, their keys and media, and a driver of the tool's terminal.

What the shares say is read here with means of its own (GF(2^8) in Python, jwcrypto, cryptography), so that
the tests show what a bank could do without this tool.
"""

import hashlib
import os
import pathlib
import re
import signal
import subprocess
import tempfile

import pexpect
from jwcrypto import jwe, jwk

PROGRAMS = os.environ.get("CARDVAULT_PROGRAMS") or str(
    pathlib.Path(__file__).resolve().parents[2] / "build" / "release")
SOFTHSM = "/usr/lib/softhsm/libsofthsm2.so"
NAMES = ["anna", "bolat", "carol", "dana", "erik"]
BASE32 = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
CARD_PIN = "card-pin-4711"
LINE = re.compile(r"^([1-4])  ((?:[0-9A-Z]{5}-){3}[0-9A-Z]{5})  ([0-9A-Z]{2})\r?$", re.MULTILINE)
HEAD = re.compile(r"(?:\x1b\[H)?(\w+): share (\d+) of (\d+) of ([a-z-]+) \(any (\d+) rebuild it\), split (\d+)")


def program(name):
    for folder in (PROGRAMS, os.path.join(PROGRAMS, "provisioning"),
                   os.path.join(PROGRAMS, "vault/daemon")):
        if os.access(os.path.join(folder, name), os.X_OK) and os.path.isfile(os.path.join(folder, name)):
            return os.path.join(folder, name)
    raise FileNotFoundError(f"{name}: build it first")


def times(a, b):
    out = 0
    while b:
        if b & 1:
            out ^= a
        a <<= 1
        if a & 0x100:
            a ^= 0x11d
        b >>= 1
    return out


def combine(shares):
    """The secret of decoded shares, by Lagrange's formula at 0."""
    def inverse(a):
        out = 1
        for _ in range(254):
            out = times(out, a)
        return out
    secret = bytearray(32)
    for share in shares:
        weight = 1
        for other in shares:
            if other is not share:
                weight = times(weight, times(other["index"], inverse(other["index"] ^ share["index"])))
        for i in range(32):
            secret[i] ^= times(weight, share["value"][i])
    return bytes(secret)


def decode(characters):
    bits = "".join(f"{BASE32.index(c):05b}" for c in characters)
    data = bytes(int(bits[i:i + 8], 2) for i in range(0, len(bits) - 7, 8))
    return {"vault": data[1:9].hex(), "secret": {1: "so-pin", 2: "user-pin", 3: "backup-key"}[data[9]],
            "split": data[10], "index": data[11], "k": data[12], "n": data[13], "value": data[14:46]}


class Table:
    """Folders, keys and a plan below `top`."""

    def __init__(self, top, read_back=True, backup=True, unseal="pin-source", cards=("dana",),
                 media=("bolat", "carol")):
        self.top = top
        self.dir = os.path.join(top, "vault")
        self.cards = cards
        self.media = {name: os.path.join(top, "media-" + name) for name in media}
        for folder in self.media.values():
            os.mkdir(folder)
        self.env = dict(os.environ, SOFTHSM2_CONF=os.path.join(top, "cards.conf"), TERM="xterm")
        if cards:
            self._make_cards()
        self.plan = os.path.join(top, "plan.toml")
        self.write_plan(read_back, backup, unseal)

    def key(self, name):
        if name in self.cards:
            return f"pkcs11:token={name};object=sign?module-path={SOFTHSM}"
        return os.path.join(self.top, name + ".key")

    def passphrase(self, name):
        return CARD_PIN if name in self.cards else f"the passphrase of {name}"

    def _make_cards(self):
        tokens = os.path.join(self.top, "cards")
        os.mkdir(tokens)
        with open(self.env["SOFTHSM2_CONF"], "w", encoding="ascii") as file:
            file.write(f"directories.tokendir = {tokens}\nlog.level = ERROR\n")
        for name in self.cards:
            run = lambda *command: subprocess.run(command, env=self.env, check=True, capture_output=True)
            run("softhsm2-util", "--init-token", "--free", "--label", name, "--so-pin", "so-pin-of-card",
                "--pin", CARD_PIN)
            run("pkcs11-tool", "--module", SOFTHSM, "--token-label", name, "--login", "--pin", CARD_PIN,
                "--keypairgen", "--key-type", "EC:prime256v1", "--id", "01", "--label", "sign")

    def terminal_program(self):
        """What a sitting runs."""
        return [program("cardvault")]

    def tool(self, *arguments, secret=None, **more):
        """Runs the tool without a terminal; `secret` goes to --passphrase-fd."""
        command = [program("cardvault"), *arguments]
        pass_fds = ()
        if secret is not None:
            read, write = os.pipe()
            os.write(write, secret.encode() + b"\n")
            os.close(write)
            command += ["--passphrase-fd", str(read)]
            pass_fds = (read,)
        done = subprocess.run(command, env=self.env, pass_fds=pass_fds, capture_output=True, text=True,
                              timeout=120, start_new_session=True, check=False, **more)
        for fd in pass_fds:
            os.close(fd)
        return done

    def public_key(self, name):
        verb = "show" if name in self.cards or os.path.exists(self.key(name)) else "create"
        done = self.tool("custodian", "key", verb, self.key(name), secret=self.passphrase(name))
        if done.returncode != 0:
            raise AssertionError(done.stderr)
        return done.stdout.strip()

    def write_plan(self, read_back, backup, unseal):
        user = str(os.geteuid())
        text = f"""version = 1
title = "A test of everything"
read_back = {str(read_back).lower()}

[token]
module = "{SOFTHSM}"
label = "cardvault"

[vault]
unseal = "{unseal}"
daemon_user = "{user}"
gates = ["web={user}"]

[thresholds]
approvals = 3
so-pin = 3
user-pin = 3
"""
        if backup:
            text += "backup-key = 3\n"
        for name in NAMES:
            text += f'\n[[custodian]]\nname = "{name}"\n{self.public_key(name)}\nkey_place = "{self.key(name)}"\n'
            if name in self.media:
                text += f'delivery = "medium"\nmedium = "{self.media[name]}"\n'
            else:
                text += 'delivery = "terminal"\n'
        with open(self.plan, "w", encoding="utf-8") as file:
            file.write(text)

    def open_file(self, path, name):
        """A share on a medium, read without the tool."""
        with open(path, encoding="ascii") as file:
            fields = dict(line.rstrip("\n").split(": ", 1) for line in file if ": " in line)
        with open(self.key(name), "rb") as file:
            key = jwk.JWK.from_pem(file.read(), password=self.passphrase(name).encode())
        message = jwe.JWE()
        message.deserialize(fields["sealed"], key)
        return decode(message.payload.decode()[len("CARDVAULT1"):])

    def with_quorum(self, config, *command, uid=None):
        """Arguments that carry the word of three custodians for this command on the vault of this configuration."""
        asked = self.tool("--config", config, *command, cwd=self.top, user=uid)
        if asked.returncode != 5:
            raise AssertionError(f"{command}: {asked.returncode}\n{asked.stdout}{asked.stderr}")
        folder = tempfile.mkdtemp(prefix="word-", dir=self.top)
        os.chmod(folder, 0o755)
        action = os.path.join(folder, "act.action")
        with open(action, "w", encoding="ascii") as file:
            file.write(asked.stdout)
        word = (action, *self.approve(action))
        for path in word:
            os.chmod(path, 0o644)
        return [part for path in word for part in ("--approvals", path)]

    def approve(self, action, names=("anna", "bolat", "dana")):
        """Their approvals of the action's file: paths."""
        with open(action, "rb") as file:
            digest = hashlib.sha256(file.read()).hexdigest()
        out = []
        for name in names:
            path = f"{action}.{name}.{digest[:8]}"
            done = self.tool("approve", "--action", action, "--key", self.key(name), "--digest", digest,
                             "--out", path, secret=self.passphrase(name))
            if done.returncode != 0:
                raise AssertionError(done.stderr)
            out.append(path)
        return out


class Gone(Exception):
    """The sitting was ended on purpose."""


class Sitting:
    """One run of the tool on a terminal, with everybody doing what they are asked to."""

    def __init__(self, table, *arguments, stderr=None, program=None):
        self.table = table
        self.papers = {}      # (custodian, secret): the four lines, as the last screen showed them
        self.entering = []    # papers to type when a share is asked for, in order
        self.paths = []       # files to name when a share is asked for; "" for a paper
        self.answers = {}     # instead of the usual: pattern of a prompt: list of answers
        self.prompts = 0
        self.leave_at = None  # the number of the prompt at which somebody pulls the plug
        self.leave = lambda child: child.kill(signal.SIGKILL)
        self.typed = []       # what was typed without echo
        self.text = ""
        self._typing = None
        self._shown = None
        command = [*(program or table.terminal_program()), *arguments]
        if stderr:
            command = ["/bin/sh", "-c", 'exec "$@" 2>"$0"', stderr, *command]
        self.child = pexpect.spawn(command[0], command[1:], env=table.env, timeout=120, encoding="utf-8",
                                   dimensions=(60, 120))

    RULES = [
        (r"(\w+): passphrase of your key [^\r\n]*: ", "passphrase"),
        (r"(\w+): PIN of your card: ", "passphrase"),
        (r"Write down the heading and the four lines, then press Enter: ", "read"),
        (r"Line (\d) of 4: ", "line"),
        (r"path of the share's file, or just Enter to type it: ", "share"),
        (r"folder of your medium, this or another \[[^\]]*\]: ", "folder"),
        (r"path of your key file, or pkcs11: URI of your card[^\r\n]*: ", "place"),
        (r"\? \(type Yes\): ", "yes"),
        (pexpect.EOF, "end"),
    ]

    def run(self):
        """To the end; the exit code, or Gone when somebody left."""
        while True:
            which = self.child.expect([pattern for pattern, _ in self.RULES])
            self.text += self.child.before
            what = self.RULES[which][1]
            if what == "end":
                self.child.close()
                if self.child.exitstatus is None:
                    raise Gone(self.text)
                return self.child.exitstatus
            prompt = self.child.before + self.child.after
            self.text += self.child.after
            self.prompts += 1
            if self.leave_at == self.prompts:
                self.leave(self.child)
                self.leave_at = None
                continue
            self.answer(what, prompt)

    def answer(self, what, prompt):
        for pattern, answers in self.answers.items():
            if answers and re.search(pattern, prompt.splitlines()[-1]):
                answer = answers.pop(0)
                if callable(answer):
                    answer = answer()
                self.child.sendline(answer)
                return
        getattr(self, "_" + what)(prompt)

    def _secret(self, text):
        self.typed.append(text)
        self.child.waitnoecho(timeout=60)
        self.child.sendline(text)

    def _passphrase(self, _):
        self._secret(self.table.passphrase(self.child.match.group(1)))

    def _read(self, prompt):
        name, index, _, secret, _, split = HEAD.search(prompt).groups()
        lines = [f"{number} {groups} {check}" for number, groups, check in LINE.findall(prompt)]
        assert len(lines) == 4, prompt
        self.papers[name, secret] = lines
        self._shown = lines
        self._typing = lines
        self.child.sendline("")

    def _line(self, _):
        number = int(self.child.match.group(1))
        self._secret(self._typing[number - 1])

    def _share(self, _):
        path = self.paths.pop(0) if self.paths else ""
        if not path:
            self._typing = self.entering.pop(0)
        self.child.sendline(path)

    def _folder(self, _):
        raise AssertionError("a medium failed: " + self.text[-500:])

    def _place(self, _):
        raise AssertionError("a key failed: " + self.text[-500:])

    def _yes(self, _):
        self.child.sendline("Yes")


def value_of(lines):
    """A paper's share, decoded."""
    return decode("".join(line.split()[1].replace("-", "") for line in lines))
