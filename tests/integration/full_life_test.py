#!/usr/bin/python3
"""The whole life of a vault's keys: a ceremony of five custodians of whom any three do; cards; rotation
and rewrapping under load; a backup; the machine lost; a restore on an empty folder with a new token; every
card reveals; the old versions destroyed."""

import json
import os
import shutil
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "fault"))
import traffic  # noqa: E402
from traffic import vault_fixture  # noqa: E402

from custody_vault import CustodyVault  # noqa: E402

CARDS = 10_000 if traffic.LONG else 300
SETTINGS = traffic.UNLIMITED + (
    "policy.cards_per_customer=0", "policy.pan_budget_day=0", "policy.pan_budget_month=0",
    "keys.rewrap_rows_per_s=20000")


class FullLife(unittest.TestCase):
    def setUp(self):
        self.vault = CustodyVault(SETTINGS)
        self.addCleanup(self.vault.close)

    def fill(self, ledger):
        web = traffic.Line(self.vault, "web")
        for first in range(0, CARDS, 500):
            cards = [ledger.new_card() for _ in range(min(500, CARDS - first))]
            answer = web.send("POST", "/v1/tokenize",
                              {"items": [{"pan": pan, "customer": customer} for pan, customer in cards]})
            self.assertEqual(answer.status, 200, answer)
            for card, item in zip(cards, answer.json()["items"]):
                ledger.promised(item["token"], *card)
        web.close()

    def states(self, vault):
        return {row["key"]: row["state"]
                for row in json.loads(vault.tool("--format", "json", "key", "list").stdout)}

    def lose_the_machine(self):
        self.vault.down()
        for name in ("data", "token", "pin", "audit", "custody"):
            path = self.vault.path(name)
            shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)

    def test_from_ceremony_to_destruction(self):
        begin = time.monotonic()
        ledger = traffic.Ledger(first_card=2_000_000)
        self.fill(ledger)
        custodians = self.vault.custodians
        with traffic.Traffic(self.vault, ledger, allowed=()) as load:
            rotate = ("key", "rotate", "pan-enc")
            code, text = custodians.sit("--config", self.vault.path("vault.toml"), *rotate,
                                        *custodians.with_quorum(self.vault.path("vault.toml"), *rotate),
                                        entering=custodians.shares("backup-key"))
            self.assertEqual(code, 0, text[-2000:])
            self.vault.tool("key", "rewrap", "pan-enc")
            before, end = load.answers, time.monotonic() + 60
            while load.answers == before:
                self.assertLess(time.monotonic(), end)
                time.sleep(0.1)
        self.assertEqual(ledger.wrong, [])
        self.assertEqual(load.refusals, {})
        path = self.vault.backup("life.cvb")
        vkey = os.path.join(self.vault.top, "lost.vkey")
        shutil.copy(self.vault.vkey(), vkey)
        folder = self.vault.new_machine()
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        self.lose_the_machine()
        self.vault.vkey = lambda: vkey
        other = self.vault.restore(path, folder)
        other.up()
        self.addCleanup(other.close)
        wrong = traffic._check_reveals(other, ledger) + traffic._check_duplicates(other, ledger)
        self.assertEqual(wrong, [])
        self.destroy_old_versions(other)
        self.assertEqual(traffic._check_reveals(other, ledger), [])
        for name in ("restore.part", "restore.action"):
            self.assertFalse(os.path.exists(other.path(name)))
        traffic.report(("a whole life: ceremony, rotation, backup, loss, restore, destruction",
                        f"{len(ledger.cards)} cards, {load.answers} requests under rotation and rewrap",
                        f"no request refused, every card reveals; {time.monotonic() - begin:.0f} s", ""))

    def destroy_old_versions(self, other):
        states = self.states(other)
        self.assertEqual([states[f"pan-enc/{n}"] for n in (1, 2, 3)],
                         ["decrypt only", "decrypt only", "active"])
        other.tool("key", "rewrap", "pan-enc")
        for label in ("pan-enc/1", "pan-enc/2"):
            other.tool("key", "retire", label)
            other.approved("key", "destroy", label, "--after", "0")
            if self.states(other)[label] != "destroyed":
                other.tool("key", "destroy", label)
            self.assertEqual(self.states(other)[label], "destroyed")


if __name__ == "__main__":
    unittest.main()
