"""Finds card numbers in the memory of processes and in files, in every form in which one may lie
about, and pieces of one that would give it away."""

import base64
import contextlib
import os
import re

CHUNK = 8 << 20
OVERLAP = 256
HEAD, TAIL = 12, 10  # digits at an end that are more than PCI DSS 3.4.1 lets show
DIGIT_RUN = re.compile(rb"[0-9]{%d,}" % TAIL)
HEX, LETTERS, ID_SIZES = b"0123456789abcdef", b"abcdef", (32, 64)


def base64url_forms(text):
    """What of its base64url doesn't hang on what stands before and behind it, at each alignment."""
    for before in range(3):
        encoded = base64.urlsafe_b64encode(b"\0" * before + text.encode()).decode()
        yield encoded[-(-before * 8 // 6):(before + len(text)) * 8 // 6].encode()


def forms_of(pan):
    groups = [pan[at:at + 4] for at in range(0, len(pan), 4)]
    return {
        "digits": pan.encode(),
        "spaced": " ".join(groups).encode(),
        "dashed": "-".join(groups).encode(),
        "UTF-16": pan.encode("utf-16-le"),
        "packed BCD": bytes.fromhex(pan),
        "values of digits": bytes(int(digit) for digit in pan),
    } | {f"base64url {n}": form for n, form in enumerate(base64url_forms(pan))}


class Hit:
    def __init__(self, secret, form, where, context):
        self.secret, self.form, self.where, self.context = secret, form, where, context

    def __repr__(self):
        return f"{self.form} in {self.where}: {self.context}"


class Scanner:
    """Knows what to look for: numbers, which should differ by more than their last digits (or pieces
    of one are taken for another's), and texts of one length that begin alike."""

    def __init__(self, pans, texts=()):
        self.heads = {pan[:HEAD].encode(): pan for pan in pans}
        self.tails = {pan[-TAIL:].encode(): pan for pan in pans}
        self.forms = {}  # what all of a form begin with -> {the whole form: (pan or text, name)}
        for pan in pans:
            for name, form in forms_of(pan).items():
                begin = form[:len(forms_of(pan[:8])[name])]
                self.forms.setdefault(begin, {})[form] = (pan, name)
        for text in texts:
            self.forms.setdefault(text[:8].encode(), {})[text.encode()] = (text, "identifier")
            for n, form in enumerate(base64url_forms(text)):
                self.forms.setdefault(form[:8], {})[form] = (text, f"base64url {n}")
            wide = text.encode("utf-16-le")
            self.forms.setdefault(wide[:16], {})[wide] = (text, "identifier in UTF-16")

    def search(self, data, where, pieces=True):
        """Hits in these bytes; each place once."""
        found = {}
        for begin, wholes in self.forms.items():
            length = len(next(iter(wholes)))
            at = data.find(begin)
            while at >= 0:
                known = wholes.get(data[at:at + length])
                if known:
                    found.setdefault(at, Hit(*known, where, self._context(data, at, length)))
                at = data.find(begin, at + 1)
        if pieces:
            self._search_pieces(data, where, found)
        return list(found.values())

    def _search_pieces(self, data, where, found):
        for run in DIGIT_RUN.finditer(data):
            digits = run.group()
            for at in range(len(digits) - TAIL + 1):
                pan = self.tails.get(digits[at:at + TAIL]) or self.heads.get(digits[at:at + HEAD])
                whole = any(place in found for place in range(run.start() + at - 16, run.start() + at + 1))
                if pan and not whole and not self._in_id(data, run.start(), run.end()):
                    found[run.start() + at] = Hit(
                        pan, "a piece", where, self._context(data, run.start() + at, TAIL))

    @staticmethod
    def _in_id(data, start, end):
        """Whether digits are a part of an id or a digest in hexadecimal: of thousands of these, and thousands of
        numbers, some agree by chance. What lies just behind one makes a longer word, and is none."""
        while start > 0 and data[start - 1] in HEX and end - start <= max(ID_SIZES):
            start -= 1
        while end < len(data) and data[end] in HEX and end - start <= max(ID_SIZES):
            end += 1
        return end - start in ID_SIZES and any(letter in data[start:end] for letter in LETTERS)

    @staticmethod
    def _context(data, at, length):
        """What is around it, with every digit hidden."""
        around = data[max(0, at - 64):at + length + 64]
        shown = re.sub(rb"[0-9]", b"#", around)
        return "".join(chr(byte) if 0x20 <= byte < 0x7f else "." for byte in shown)

    def process(self, pid, name):
        """Hits in all memory of a process that it can have written; needs root."""
        hits = []
        with open(f"/proc/{pid}/maps", encoding="utf-8") as file:
            regions = file.read().splitlines()
        with open(f"/proc/{pid}/mem", "rb", buffering=0) as memory:
            for region in regions:
                span, rights, _, _, inode, *path = region.split(maxsplit=5)
                if rights[0] != "r" or (path and path[0].startswith(("[vvar", "[vsyscall"))):
                    continue
                start, end = (int(number, 16) for number in span.split("-"))
                kind = path[0] if path else "anonymous (a heap's or a thread's stack)"
                where = f"{name}, {rights} {kind} of {(end - start) >> 10} KiB at {start:x}"
                pieces = "w" in rights or inode == "0"
                for at in range(start, end, CHUNK):
                    hits += self._read(memory, at, min(end, at + CHUNK + OVERLAP), where, pieces)
        return hits

    def _read(self, memory, start, end, where, pieces):
        memory.seek(start)
        try:
            data = memory.read(end - start)
        except OSError:
            return []  # a mapping behind the end of its file
        return self.search(data, where, pieces) if data.count(0) != len(data) else []

    def files(self, folder):
        """(hits, number of files searched)"""
        hits, count = [], 0
        for at, _, names in os.walk(folder):
            for name in names:
                path = os.path.join(at, name)
                if not os.path.isfile(path) or os.path.islink(path):
                    continue
                with contextlib.suppress(FileNotFoundError), open(path, "rb") as file:  # or it is gone meanwhile
                    hits += self.search(file.read(), os.path.relpath(path, folder))
                    count += 1
        return hits, count
