#!/usr/bin/python3
"""One second after the last answer no full card number, code or password is in the memory of any
process of the vault or in any of its files, and no customer's identifier in a file: whatever was
asked before, and however it ended."""

import base64
import collections
import os
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
import vault_fixture  # noqa: E402
from scanner import Scanner, forms_of  # noqa: E402
from session import Numbers, Session  # noqa: E402

SETTINGS = ("limits.rate_per_s=0", "otp.resend_s=0", "secrets.argon2_memory_kib=1024",
            "limits.queue=8", "reveal.client_per_hour=0",
            "reveal.client_per_day=0", "reveal.card_per_day=0")


class Control(unittest.TestCase):
    """The search finds what is there."""

    def test_planted_numbers_are_found(self):
        numbers = Numbers()
        pans = [numbers.pan() for _ in forms_of(numbers.pan())]
        scanner = Scanner([*pans, numbers.pan()])
        planted = [forms_of(pan)[name] for pan, name in zip(pans, forms_of(pans[0]))]
        holder = subprocess.Popen(
            ["/usr/bin/python3", "-c", "import sys, time\nx = sys.stdin.buffer.read()\n"
             "y = [bytearray(x[i:i + 64]) for i in range(0, len(x), 64)]\n"
             "print('ready', flush=True)\ntime.sleep(60)"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.addCleanup(holder.wait)
        self.addCleanup(holder.kill)
        self.addCleanup(holder.stdout.close)
        holder.stdin.write(b"".join(form.ljust(64, b"x") for form in planted))
        holder.stdin.close()
        self.assertEqual(holder.stdout.readline(), b"ready\n")
        found = {(hit.secret, hit.form) for hit in scanner.process(holder.pid, "holder")}
        self.assertEqual(found, set(zip(pans, forms_of(pans[0]))))

    def test_planted_files_are_found(self):
        numbers = Numbers()
        pan = numbers.pan()
        somebody = numbers.customer()
        scanner = Scanner([pan], [somebody])
        with tempfile.TemporaryDirectory() as folder:
            for name, content in {**forms_of(pan), "head": pan[:12].encode() + b"xxxx",
                                  "tail": b"xxxxxx" + pan[6:].encode(), "id": f"..{somebody}..".encode(),
                                  "behind": b"5e" * 16 + pan[6:].encode(),
                                  "digest": b"5e" * 11 + pan[6:].encode(),
                                  "claims": base64.urlsafe_b64encode(f'{{"sub":"{somebody}"}}'.encode()),
                                  "masked": f"{pan[:6]}******{pan[-4:]} {pan[:8]}".encode()}.items():
                with open(os.path.join(folder, name), "wb") as file:
                    file.write(b"\0" * 100 + content + b"\0" * 100)
            hits, count = scanner.files(folder)
        self.assertEqual(count, 16)
        self.assertEqual({hit.where for hit in hits}, {*forms_of(pan), "head", "tail", "id", "behind", "claims"})


class Residue(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vault = vault_fixture.shared(settings=SETTINGS)
        cls.numbers = Numbers()
        cls.session = session = Session(cls.vault, cls.numbers)
        cls.in_memory = []
        session.run(session.tokenize, session.reveal, session.codes, session.passwords,
                    session.seal_cards, session.refuse, session.refuse_http,
                    session.abort, session.reset_during_answer, session.overload, session.lose_token)
        cls.scan_memory()  # before the restart, which gives cardvaultd a new one
        session.run(session.restart)
        cls.scan_memory()

    @classmethod
    def pids(cls):
        for name in ["daemon"] + [f"gate-{gate}" for gate in vault_fixture.GATES]:
            with open(cls.vault.path(f"{name}.pid"), encoding="ascii") as file:
                yield name, int(file.read())

    @classmethod
    def scan_memory(cls):
        """What a machine that is busy has not come to in a second is looked for again."""
        if os.geteuid() != 0:
            return
        scanner = Scanner(cls.numbers.pans, cls.numbers.secrets)
        for _ in range(5):
            time.sleep(1)
            found = [hit for name, pid in cls.pids() for hit in scanner.process(pid, name)]
            if not found:
                return
        cls.in_memory += found

    def stage_of(self, secret):
        return self.numbers.pans.get(secret) or self.numbers.secrets.get(secret, "a customer")

    def assert_clean(self, hits):
        if hits:
            stages = collections.Counter((self.stage_of(hit.secret), hit.form,
                                          hit.where) for hit in hits)
            lines = [f"{count} x {stage}: {form} in {where}"
                     for (stage, form, where), count in stages.most_common(40)]
            self.fail(f"{len(hits)} hits\n" + "\n".join(lines + [repr(hit) for hit in hits[:20]]))

    def test_every_stage_did_what_it_is_for(self):
        reached = set(self.session.statuses)
        for wanted in (("tokenize", 200), ("reveal", 200), ("reveal", 423), ("codes", 200), ("codes", 400),
                       ("codes", 403), ("passwords", 204), ("passwords", 200), ("passwords", 403),
                       ("passwords", 400), ("seal_cards", 200), ("seal_cards", 403), ("refuse", 422),
                       ("refuse", 400), ("refuse", 403), ("refuse", 429), ("refuse_http", 411),
                       ("refuse_http", 413), ("refuse_http", 200), ("overload", 200),
                       ("overload", 503), ("lose_token", 503), ("restart", 200), ("restart", 503)):
            with self.subTest(wanted=wanted):
                self.assertIn(wanted, reached)

    @unittest.skipIf(os.geteuid() != 0, "the processes are not dumpable: only root reads their memory")
    def test_memory_is_clean(self):
        self.assert_clean(self.in_memory)

    def test_no_process_may_leave_a_core_file(self):
        for name, pid in self.pids():
            with open(f"/proc/{pid}/limits", encoding="ascii") as file:
                core = next(line for line in file if line.startswith("Max core file size"))
            self.assertEqual(core.split()[4:6], ["0", "0"], name)

    def test_files_are_clean(self):
        texts = [*self.numbers.customers, *self.numbers.secrets]
        hits, count = Scanner(self.numbers.pans, texts).files(self.vault.dir)
        self.assertGreater(count, 20)
        self.assert_clean(hits)


if __name__ == "__main__":
    unittest.main()
