"""Clients under load and what they were promised, for tests that break the vault meanwhile.

    ledger = traffic.Ledger()
    with traffic.Traffic(vault, ledger) as load:
        ...                       # kill something
    traffic.settle(vault, ledger) # raises where a promise was broken

A connection that is cut is an error, unless Traffic.expect_cut() named the gate first.
"""

import collections
import itertools
import json
import os
import random
import statistics
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "integration"))
import vault_fixture  # noqa: E402
from client_line import Cut, Line  # noqa: E402

LONG = os.environ.get("CARDVAULT_LONG") == "1"
UNLIMITED = ("limits.rate_per_s=0", "reveal.client_per_hour=0", "reveal.client_per_day=0",
             "reveal.card_per_day=0",
             # Tests fill disks up to the last byte; disk_level_test.py has what comes before that.
             "disk.warn_mib=0", "disk.refuse_reveals_mib=0", "disk.refuse_writes_mib=0")
LIVE, DELETED, IN_DOUBT = "live", "deleted", "in doubt"


class Card:
    def __init__(self, pan, customer):
        self.pan, self.customer = pan, customer
        self.life = LIVE
        self.frozen = False  # None: a change is in doubt
        self.reveals = 0  # acknowledged


class Ledger:
    """What the vault has promised. Thread-safe."""

    def __init__(self, first_card=0):
        self._lock = threading.Lock()
        self._next = first_card
        self.cards = {}  # token -> Card
        self.doubted = []  # (pan, customer) of tokenizes without an answer
        self.freezes = self.deletes = 0
        self.wrong = []  # broken promises seen on the way

    def new_card(self):
        """A card number and a customer that nobody has used; five cards to a customer."""
        with self._lock:
            number = self._next
            self._next += 1
        return vault_fixture.made_up_pan(number), f"7{number // 5:010d}"

    def promised(self, token, pan, customer):
        with self._lock:
            known = self.cards.setdefault(token, Card(pan, customer))
            if (known.pan, known.customer) != (pan, customer):
                self.wrong.append(f"token {token} was given to two cards")

    def broken(self, what):
        with self._lock:
            self.wrong.append(what)

    def doubt(self, pan, customer):
        with self._lock:
            self.doubted.append((pan, customer))

    def count(self, name):
        with self._lock:
            setattr(self, name, getattr(self, name) + 1)

    def some_tokens(self, count):
        with self._lock:
            recent = list(itertools.islice(reversed(self.cards), 2000))
        return random.sample(recent, min(count, len(recent)))


class Traffic:
    """Threads that tokenize (one by one and in batches), reveal, freeze, unfreeze and delete until
    the block ends. `allowed` are the codes of a 503 that are right at this time."""

    def __init__(self, vault, ledger, allowed=("vault_unavailable",), pause_s=0.005):
        self.vault, self.ledger, self.allowed, self.pause_s = vault, ledger, allowed, pause_s
        self.refusals = collections.Counter()  # by code
        self.cuts = collections.Counter()  # by gate, expected ones
        self.kills = collections.Counter()  # by gate: changes whenever its connections may be cut
        self.answers = 0
        self._stop = threading.Event()
        roles = [self._tokenizer, self._tokenizer, self._batcher, self._revealer, self._changer,
                 self._asker]
        self._threads = [threading.Thread(target=self._run, args=(role,)) for role in roles]

    def __enter__(self):
        for client in vault_fixture.GATES:
            self.vault.context(client)  # the cache of contexts is not thread-safe
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def expect_cut(self, gate):
        """Call it before that gate's process is killed, and once more after that."""
        self.kills[gate] += 1

    def _run(self, role):
        line = None
        try:
            line = role()
        except Exception as problem:  # the main thread must hear of it
            self.ledger.broken(f"{role.__name__}: {problem!r}")
        finally:
            if line is not None:
                line.close()

    def _exchange(self, line, method, path, body=None):
        """The answer; None when it is a refusal that is right now, or a cut that was expected."""
        gate = vault_fixture.default_gate(line.client)
        kills = line.kills if line.connection is not None else self.kills[gate]
        line.kills = kills
        try:
            answer = line.send(method, path, body)
        except Cut as problem:
            if self.kills[gate] == kills:
                self.ledger.broken(f"a connection was cut: {problem}")
            self.cuts[gate] += 1
            return None
        self.answers += 1
        if answer.status != 503:
            return answer
        self.refusals[answer.code] += 1
        if answer.code not in self.allowed:
            self.ledger.broken(f"{method} {path}: refused as {answer.code}")
        if not answer.headers.get("Retry-After"):
            self.ledger.broken(f"{method} {path}: 503 {answer.code} without Retry-After")
        time.sleep(0.02)
        return None

    def _pause(self):
        return not self._stop.wait(random.uniform(0, 2 * self.pause_s))

    def _tokenizer(self):
        line = Line(self.vault, "web")
        while self._pause():
            pan, customer = self.ledger.new_card()
            answer = self._exchange(line, "POST", "/v1/tokenize", {"pan": pan, "customer": customer})
            if answer is None:
                self.ledger.doubt(pan, customer)
            elif answer.status == 200:
                self.ledger.promised(answer.json()["token"], pan, customer)
            else:
                self.ledger.broken(f"tokenize: {answer}")
        return line

    def _batcher(self):
        line = Line(self.vault, "web")
        while self._pause():
            cards = [self.ledger.new_card() for _ in range(random.randrange(2, 20))]
            body = {"items": [{"pan": pan, "customer": customer} for pan, customer in cards]}
            answer = self._exchange(line, "POST", "/v1/tokenize", body)
            if answer is not None and answer.status != 200:
                self.ledger.broken(f"batch: {answer}")
            for index, card in enumerate(cards):
                item = answer.json()["items"][index] if answer and answer.status == 200 else {}
                if "token" in item:
                    self.ledger.promised(item["token"], *card)
                else:
                    self.ledger.doubt(*card)
                    if answer is not None and item["error"]["code"] not in self.allowed:
                        self.ledger.broken(f"batch item: {item}")
        return line

    def _revealer(self):
        line = Line(self.vault, "processor")
        while self._pause():
            for token in self.ledger.some_tokens(1):
                answer = self._exchange(line, "POST", "/v1/detokenize",
                                        {"token": token, "purpose": "payment"})
                card = self.ledger.cards[token]
                if answer is None or answer.code in ("card_frozen", "token_not_found"):
                    continue
                if answer.status != 200 or answer.json()["pan"] != card.pan:
                    self.ledger.broken(f"reveal of {token}: status {answer.status}")
                else:
                    card.reveals += 1
        return line

    def _changer(self):
        """Alone in changing cards, so it knows what each has become."""
        line = Line(self.vault, "web")
        while self._pause():
            for token in self.ledger.some_tokens(1):
                card = self.ledger.cards[token]
                if card.life != LIVE:
                    continue
                if random.random() < 0.2:
                    self._delete(line, token, card)
                else:
                    self._freeze(line, token, card, not card.frozen)
        return line

    def _delete(self, line, token, card):
        card.life = IN_DOUBT
        answer = self._exchange(line, "DELETE", f"/v1/tokens/{token}")
        if answer is None:
            return
        if answer.status == 204:
            card.life = DELETED
            self.ledger.count("deletes")
        else:
            self.ledger.broken(f"delete of {token}: {answer}")

    def _freeze(self, line, token, card, frozen):
        card.frozen = None
        answer = self._exchange(line, "POST",
                                f"/v1/tokens/{token}/{'freeze' if frozen else 'unfreeze'}")
        if answer is None:
            return
        if answer.status == 204:
            card.frozen = frozen
            self.ledger.count("freezes")
        else:
            self.ledger.broken(f"freeze of {token}: {answer}")

    def _asker(self):
        line = Line(self.vault, "auditor")
        while self._pause():
            answer = self._exchange(line, "GET", "/v1/whoami")
            if answer is not None and answer.status != 200:
                self.ledger.broken(f"whoami: {answer}")
            self._stop.wait(0.05)
        return line


def chunks(items, size):
    for start in range(0, len(items), size):
        yield items[start:start + size]


def settle(vault, ledger):
    """Compares every promise with what the vault holds now. Returns the whole log."""
    wrong = list(ledger.wrong)
    wrong += _check_reveals(vault, ledger)
    wrong += _check_duplicates(vault, ledger)
    log = read_log(vault)
    wrong += _check_log(ledger, log)
    if wrong:
        raise AssertionError(f"{len(wrong)} promises broken, among them:\n" + "\n".join(wrong[:20]))
    return log


def _reveal(line, tokens):
    """token -> PAN, or the code of the refusal."""
    result = {}
    for part in chunks(tokens, 500):
        body = {"items": [{"token": token, "purpose": "payment"} for token in part]}
        answer = line.send("POST", "/v1/detokenize", body)
        if answer.status != 200:
            raise AssertionError(f"reveal after the faults: {answer}")
        for token, item in zip(part, answer.json()["items"]):
            result[token] = item.get("pan") or item["error"]["code"]
    return result


def _check_reveals(vault, ledger):
    wrong = []
    line, web = Line(vault, "processor"), Line(vault, "web")
    found = _reveal(line, list(ledger.cards))
    for token, card in ledger.cards.items():
        allowed = set()
        if card.life != DELETED:
            allowed |= {card.pan} if not card.frozen else set()
            allowed |= {"card_frozen"} if card.frozen in (True, None) else set()
        if card.life != LIVE:
            allowed.add("token_not_found")
        if found[token] not in allowed:
            was = found[token] if not found[token].isdigit() else "a card number"
            wrong.append(f"{token} ({card.life}, frozen {card.frozen}) reveals {was}")
    frozen = [token for token, outcome in found.items() if outcome == "card_frozen"]
    for token in frozen:
        web.send("POST", f"/v1/tokens/{token}/unfreeze")
        ledger.cards[token].frozen = False
    line.close()  # thousands of unfreezes are longer than a gate keeps an idle connection
    line = Line(vault, "processor")
    for token, pan in _reveal(line, frozen).items():
        if pan != ledger.cards[token].pan:
            wrong.append(f"{token}, frozen before, reveals something else")
    line.close()
    web.close()
    return wrong


def _check_duplicates(vault, ledger):
    """The same card of the same customer: the token that was given out, and no other."""
    wrong = []
    tokens = {}  # (pan, customer) -> token
    for token, card in ledger.cards.items():
        if card.life == LIVE and tokens.setdefault((card.pan, card.customer), token) != token:
            wrong.append(f"{tokens[card.pan, card.customer]} and {token} are the same card")
    line = Line(vault, "web")
    again = list(tokens)[-500:] + ledger.doubted[-500:]
    for part in chunks(again, 250):
        body = {"items": [{"pan": pan, "customer": customer} for pan, customer in part]}
        answer = line.send("POST", "/v1/tokenize", body)
        for card, item in zip(part, answer.json()["items"]):
            if "token" not in item:
                wrong.append(f"a repeat was refused: {item}")
            elif card in tokens and (item["token"] != tokens[card] or not item["duplicate"]):
                wrong.append(f"{tokens[card]} became {item['token']} when its card came again")
            elif not item["duplicate"]:
                ledger.promised(item["token"], *card)
    line.close()
    return wrong


def read_log(vault):
    """Every event, in order."""
    command = vault.tool_command("--format", "json", "audit", "tail", "--from", "0", "-n", "100000000")
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def _check_log(ledger, log):
    wrong = []
    numbers = [event["seq"] for event in log]
    if numbers != list(range(numbers[0], numbers[0] + len(numbers))):
        gaps = [b for a, b in zip(numbers, numbers[1:]) if b != a + 1]
        wrong.append(f"the log's numbers are not contiguous before {gaps[:5]}")
    done = collections.Counter((event["op"], event.get("resource")) for event in log
                               if event["outcome"] == "ok")
    for token, card in ledger.cards.items():
        if not done["tokenize", token]:
            wrong.append(f"{token} has no event")
        if card.life == DELETED and not done["token.delete", token]:
            wrong.append(f"the delete of {token} has no event")
        if done["detokenize", token] < card.reveals:
            wrong.append(f"{token}: {card.reveals} reveals, {done['detokenize', token]} events")
    return wrong


def unanswered(ledger, log):
    """Tokens that the log says were stored, but nobody was given."""
    stored = {event["resource"] for event in log
              if event["op"] == "tokenize" and event["outcome"] == "ok"}
    return stored - set(ledger.cards)


def spread(seconds):
    scale, unit = (1000, "ms") if max(seconds) < 0.1 else (1, "s")
    return (f"median {statistics.median(seconds) * scale:.2f} {unit}, "
            f"most {max(seconds) * scale:.2f} {unit}")


def report(row):
    """A row for docs/reliability.md; ./dev long collects them."""
    print("| " + " | ".join(row) + " |", flush=True)
    collected = os.environ.get("CARDVAULT_RESULTS")
    if collected:
        with open(collected, "a", encoding="utf-8") as file:
            file.write("| " + " | ".join(row) + " |\n")
