#!/usr/bin/python3
"""Reports and evidence of a real vault: the page needs nothing beside itself, says what an independent
reader of the log counts, and is shown by a real browser without a complaint; the signed archive is what
the vault signed, or is refused."""

import base64
import hashlib
import html.parser
import io
import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import time
import unittest

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

import audit_page
import vault_fixture
from vault_fixture import PROGRAMS

AUDIT = os.path.join(PROGRAMS, "cardvault-audit")
VOID = {"meta", "wbr", "rect", "line"}  # no closing tag; of SVG, closed by themselves


class Page(html.parser.HTMLParser):
    """What a page is made of; tags that don't close each other are an error."""

    def __init__(self, path):
        super().__init__()
        self.open, self.tags, self.attributes, self.parts = [], [], [], []
        with open(path, encoding="utf-8") as file:
            self.source = file.read()
        self.feed(self.source)
        self.close()
        if self.open:
            raise AssertionError(f"not closed: {self.open}")

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            raise AssertionError(f"</{tag}> closes nothing")

    def handle_data(self, data):
        self.parts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.parts).replace("\u00a0", " ").split())

    def policy(self):
        found = re.search(r'http-equiv="Content-Security-Policy" content="([^"]+)"', self.source)
        return found.group(1)


class OfAVault(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vault = vault_fixture.shared()
        cls.dir = tempfile.mkdtemp(prefix="cardvault-test-", dir=os.environ.get("CARDVAULT_TMP"))
        cls.addClassCleanup(shutil.rmtree, cls.dir, ignore_errors=True)
        cls.make_traffic()

    @classmethod
    def make_traffic(cls):
        for number in range(5):
            body = {"pan": "4111111111111111", "customer": f"+7701000040{number}"}
            token = cls.vault.request("web", "POST", "/v1/tokenize", body).json()["token"]
            cls.vault.request("processor", "POST", "/v1/detokenize",
                              {"token": token, "purpose": "payment"})
        cls.vault.request("web", "POST", "/v1/tokenize", body)  # no new card
        cls.vault.request("web", "POST", "/v1/tokenize",
                          {"pan": "4000056655665556", "customer": "+77010000409"})
        cls.vault.tool("key", "rotate", "pan-enc")
        cls.vault.tool("client", "freeze", "auditor")
        cls.vault.tool("token", "inspect", token)

    def path(self, name):
        return os.path.join(self.dir, name)

    def tool(self, *arguments, code=0):
        done = subprocess.run(self.vault.tool_command("audit", *arguments), capture_output=True,
                              text=True, timeout=120)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def auditor(self, *arguments, code=0):
        done = subprocess.run([AUDIT, *arguments], capture_output=True, text=True, timeout=120)
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done

    def wait_until_published(self):
        newest, end = self.vault.events(1)[-1]["seq"], time.monotonic() + 60
        while len(self.events()) <= newest:
            self.assertLess(time.monotonic(), end, "not published")
            time.sleep(0.1)

    def events(self):
        with open(self.vault.path("audit.vkey"), encoding="ascii") as file:
            log = audit_page.Log(self.vault.path("audit"))
            return [entry.decode() for entry in log.entries(*log.checkpoint(file.read()))]

    def assert_sealed_page(self, page):
        """Nothing can be run or fetched by it, and its own style is the one that it allows."""
        self.assertFalse({"script", "link", "img", "iframe", "object", "form", "base"} & set(page.tags))
        names = {name for name, _ in page.attributes}
        self.assertFalse({n for n in names if n.startswith("on")} | names & {"style", "href", "src"})
        self.assertNotRegex(page.source, r"url\(|@import")
        style = re.search(r"<style>(.*?)</style>", page.source, re.DOTALL).group(1)
        digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
        self.assertEqual(page.policy(), f"default-src 'none'; style-src 'sha256-{digest}'; "
                                        "base-uri 'none'; form-action 'none'")

    def test_it_says_what_the_log_says_in_each_language(self):
        self.wait_until_published()
        out = self.path("report.html")
        self.auditor("report", self.vault.path("audit"), "--key", self.vault.path("audit.vkey"),
                     "--lang", "en", "--lang", "ru", "--lang", "kk", "-o", out)
        stored = sum('"op":"tokenize","outcome":"ok"' in line and '"duplicate":"true"' not in line
                     for line in self.events())
        words = {"en": ("The log is verified", "Key inventory", "Cards stored",
                        "software token: not a secure cryptographic device"),
                 "ru": ("Журнал прошёл проверку", "Перечень ключей", "Сохранение карт",
                        "не является защищённым криптографическим устройством"),
                 "kk": ("Журнал тексеруден өтті", "Кілттер тізбесі", "Карталарды сақтау",
                        "қорғалған криптографиялық құрылғы емес")}
        for language, (verdict, keys, cards, device) in words.items():
            with self.subTest(language):
                page = Page(self.path(f"report.{language}.html"))
                self.assert_sealed_page(page)
                self.assertIn(("lang", language), page.attributes)
                self.assertIn(verdict, page.text)
                self.assertIn(f"{stored} {cards}", page.text)
                keys_at = page.text.index(keys)
                for key in ("pan-enc/1", "pan-enc/2", "audit-sign/1"):
                    self.assertIn(key, page.text[keys_at:])
                for shown in (device, "SoftHSM", "country_refused", "key.activate", "processor", "client.freeze",
                              "operator:", "cardvault.local/"):
                    self.assertIn(shown, page.text)

    def test_the_vault_adds_budgets_and_cryptoperiods(self):
        out = self.path("vault.html")
        self.tool("report", "--vault", "-o", out)
        page = Page(out)
        self.assert_sealed_page(page)
        self.assertIn("1,000", page.text)  # reveals an hour, by default
        self.assertIn("Cryptoperiod ends", page.text)
        self.assertIn("decrypts only", page.text)
        self.assertIn("audit.report", str(self.events_after(out)), "who reads the log is in it")

    def events_after(self, _):
        self.wait_until_published()
        return self.events()[-20:]

    def test_a_period_counts_what_lies_in_it(self):
        out = self.path("period.html")
        arguments = ["report", self.vault.path("audit"), "--key", self.vault.path("audit.vkey")]
        done = self.auditor(*arguments, "--from", "2001-01-01", "--to", "2001-02-01", "-o", out)
        self.assertIn("no record is in that period: the log's are of 20", done.stderr)
        self.assertIn("There are no events in this period.", Page(out).text)
        self.assertIn("1 January 2001 – 31 January 2001", Page(out).text)
        done = self.auditor(*arguments, "--from", "2026-02-01", "--to", "2026-01-01", "-o", out, code=2)
        self.assertIn("--to has to be after --from", done.stderr)
        self.auditor(*arguments, "-o", self.path("none/report.html"), code=2)
        self.assertFalse([n for n in os.listdir(self.dir) if n.endswith(".part")])

    def test_of_a_changed_log_it_shows_no_figures(self):
        log = self.path("changed")
        shutil.copytree(self.vault.path("audit"), log)
        with open(os.path.join(log, "checkpoint"), encoding="utf-8") as file:
            size = int(file.read().split("\n")[1])
        name = os.path.join(log, "tile", "entries", "000" if size >= 256 else f"000.p/{size}")
        with open(name, "r+b") as file:
            file.seek(200)
            file.write(b"<script>")
        out = self.path("changed.html")
        done = self.auditor("report", log, "--key", self.vault.path("audit.vkey"), "-o", out, code=1)
        self.assertIn("NOT VERIFIED", done.stderr)
        page = Page(out)
        self.assert_sealed_page(page)
        self.assertIn("The log is NOT verified", page.text)
        self.assertNotIn("Key inventory", page.text)

    @unittest.skipUnless(shutil.which("chromium"), "chromium is not installed: `./dev test` has it")
    def test_a_browser_shows_and_prints_it_without_a_complaint(self):
        out, picture, paper = self.path("shown.html"), self.path("shown.png"), self.path("shown.pdf")
        self.tool("report", "--vault", "--lang", "kk", "-o", out)
        home = dict(os.environ, HOME=self.dir)
        browser = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
                   "--enable-logging=stderr", "--window-size=1000,1600",
                   f"--user-data-dir={self.path('browser')}"]
        # That a violation would be seen at all:
        bad = self.path("bad.html")
        with open(out, encoding="utf-8") as good, open(bad, "w", encoding="utf-8") as file:
            file.write(good.read().replace("<main>", "<main style='color:red'><script>1</script>"))
        logs = {}
        for page, option in ((bad, f"--screenshot={picture}"), (out, f"--screenshot={picture}"),
                             (out, f"--print-to-pdf={paper}")):
            done = subprocess.run([*browser, option, "file://" + page], env=home, timeout=120,
                                  capture_output=True, text=True, check=True)
            logs[page] = done.stderr
        self.assertIn("Content Security Policy", logs[bad])
        self.assertNotIn("CONSOLE", logs[out])
        with open(picture, "rb") as file:
            self.assertEqual(file.read(4), b"\x89PNG")
        with open(paper, "rb") as file:
            self.assertGreaterEqual(len(re.findall(rb"/Type\s*/Page\b", file.read())), 2)

    def packed(self):
        archive, kept = self.path("evidence.tar"), self.path("kept")
        with open(self.vault.path("audit", "checkpoint"), "rb") as file, open(kept, "wb") as copy:
            copy.write(b"\xef\xbb\xbf" + file.read().replace(b"\n", b"\r\n"))  # as another system may have kept it
        self.tool("evidence", "--lang", "en", "-o", archive, "--against", kept)
        return archive

    def pem_key(self):
        """The log's key as openssl has it."""
        with open(self.vault.path("audit.vkey"), encoding="ascii") as file:
            kind, *key = base64.b64decode(file.read().split("+", 2)[2])
        public = (ed25519.Ed25519PublicKey.from_public_bytes(bytes(key)) if kind == 1
                  else serialization.load_der_public_key(bytes(key)))
        with open(self.path("audit.pem"), "wb") as file:
            file.write(public.public_bytes(serialization.Encoding.PEM,
                                           serialization.PublicFormat.SubjectPublicKeyInfo))
        return file.name

    def verify_evidence(self, archive, code=0, key=None):
        return self.auditor("evidence", "verify", archive, "--key",
                            key or self.vault.path("audit.vkey"), code=code)

    def test_evidence_is_what_the_vault_signed(self):
        archive = self.packed()
        told = self.verify_evidence(archive).stdout
        self.assertTrue(told.startswith("verified: "), told)
        self.assertEqual(self.verify_evidence(archive, key=self.pem_key()).stdout, told)
        with tarfile.open(archive) as tar:
            names = tar.getnames()
            self.assertEqual(names[0], "MANIFEST")
            for name in ("report.en.html", "checkpoints/current", "checkpoints/kept-1",
                         "keys/audit.vkey", "keys/jwks.json", "configuration.txt",
                         "state/key.list.json", "state/doctor.json"):
                self.assertIn(name, names)
            with open(self.vault.path("vault.toml"), "rb") as config:
                digest = hashlib.sha256(config.read()).hexdigest()
            self.assertIn(digest, tar.extractfile("configuration.txt").read().decode())
        self.wait_until_published()
        self.assertIn('"op":"audit.evidence"', str(self.events()))

    def test_evidence_has_the_papers_of_where_the_configuration_says(self):
        papers, config = self.path("papers"), self.path("elsewhere.toml")
        os.mkdir(papers)
        with open(os.path.join(papers, "transcript.1"), "w", encoding="ascii") as file:
            file.write("a ceremony's\n")
        with open(self.vault.path("vault.toml"), encoding="utf-8") as file:
            text = file.read()
        with open(config, "w", encoding="utf-8") as file:
            file.write(f'{text}\n[unseal]\ncustody = "{papers}"\n')
        archive = self.path("papers.tar")
        subprocess.run([*self.vault.tool_command()[:1], "--config", config, "audit", "evidence", "--lang", "en",
                        "-o", archive], check=True, capture_output=True, timeout=120)
        with tarfile.open(archive) as tar:
            self.assertIn("custody/transcript.1", tar.getnames())

    def test_evidence_of_a_time_to_come_says_so(self):
        done = self.tool("evidence", "--lang", "en", "-o", self.path("later.tar"), "--from", "2101-01-01")
        self.assertIn("no record is in that period", done.stderr)
        self.assertNotIn("no record is in that period", self.tool("evidence", "--lang", "en", "-o",
                                                                  self.path("now.tar")).stderr)

    def test_changed_evidence_is_refused(self):
        archive = self.packed()
        with tarfile.open(archive) as tar:
            members = [(info, tar.extractfile(info).read()) for info in tar.getmembers()]

        def again(files):
            changed = self.path("changed.tar")
            with tarfile.open(changed, "w", format=tarfile.USTAR_FORMAT) as tar:
                for name, content in files:
                    info = tarfile.TarInfo(name)
                    info.size = len(content)
                    info.mtime = 1
                    tar.addfile(info, io.BytesIO(content))
            with open(changed, "r+b") as file:  # tar fills up to 10 KiB; the archive doesn't
                size = sum(512 + (len(c) + 511) // 512 * 512 for _, c in files) + 1024
                file.truncate(size)
            return changed

        files = [(info.name, content) for info, content in members]
        wrong = {
            "is not the file that was signed": [files[0], (files[1][0], files[1][1] + b" "), *files[2:]],
            "is missing": files[:-1],
            "was added": [*files, ("report.xx.html", b"x")],
            "stands where": [files[0], files[2], files[1], *files[3:]],
            "not signed by this key": [
                (files[0][0], files[0][1].replace(b"time: 2", b"time: 1")), *files[1:]],
            "no evidence archive": files[1:],
        }
        for expected, content in wrong.items():
            with self.subTest(expected):
                told = self.verify_evidence(again(content), 1).stdout
                self.assertTrue(told.startswith("NOT VERIFIED: ") and expected in told, told)
        with open(archive, "rb") as file:
            good = file.read()
        for size in (0, 100, 511, 513, len(good) // 2, len(good) - 1):
            with open(self.path("cut.tar"), "wb") as file:
                file.write(good[:size])
            self.assertNotEqual(
                subprocess.run([AUDIT, "evidence", "verify", self.path("cut.tar"), "--key",
                                self.vault.path("audit.vkey")], capture_output=True,
                               timeout=60).returncode, 0, size)


if __name__ == "__main__":
    unittest.main()
