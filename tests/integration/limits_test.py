#!/usr/bin/python3
"""Limits are exact under a hundred parallel requests over TLS, and a kill resets none of them."""

import collections
import unittest

import vault_fixture
from vault_fixture import made_up_pan

PARALLEL = 100
CARDS, PAN_BUDGET, REVEALS, CARD_REVEALS = 10, 20, 25, 6


class Limits(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vault = vault_fixture.shared([
            "limits.rate_per_s=0", f"policy.cards_per_customer={CARDS}",
            f"policy.pan_budget_day={PAN_BUDGET}", "policy.pan_budget_month=0",
            "reveal.client_per_hour=0", f"reveal.client_per_day={REVEALS}",
            f"reveal.card_per_day={CARD_REVEALS}"])
        cls.customers = iter(range(10_000_000))

    def setUp(self):
        vault_fixture.clear_of_the_hour()

    def customer(self):
        return f"+7704{next(self.customers):07d}"

    def store(self, pan, customer):
        body = {"pan": pan, "customer": customer}
        return self.vault.request("web", "POST", "/v1/tokenize", body)

    def cards_of(self, customer):
        answer = self.vault.request("web", "POST", "/v1/cards/search", {"customer": customer})
        self.assertEqual(answer.status, 200, answer)
        return answer.json()["cards"]

    def all_at_once(self, bodies, client="web", path="/v1/tokenize"):
        return self.vault.all_at_once(client, path, bodies)

    # --- customers ---

    def test_cards_and_numbers_of_a_customer_are_limited_exactly(self):
        customer = self.customer()
        answers = self.all_at_once([{"pan": made_up_pan(n), "customer": customer}
                                    for n in range(PARALLEL)])
        codes = collections.Counter(a.code or "stored" for a in answers)
        # A refused number is charged like a stored one; with the budget the answers end.
        self.assertEqual(codes, {"stored": CARDS, "card_limit_reached": PAN_BUDGET - CARDS,
                                 "pan_budget_exhausted": PARALLEL - PAN_BUDGET})
        tokens = {a.json()["token"] for a in answers if a.status == 200}
        self.assertEqual(tokens, {card["token"] for card in self.cards_of(customer)})
        self.assertEqual(len(tokens), CARDS)

    def test_one_batch_is_limited_like_many_requests(self):
        customer = self.customer()
        items = [{"pan": made_up_pan(n), "customer": customer} for n in range(PARALLEL)]
        answer = self.vault.request("web", "POST", "/v1/tokenize", {"items": items})
        codes = [item.get("error", {}).get("code") for item in answer.json()["items"]]
        self.assertEqual(codes, [None] * CARDS + ["card_limit_reached"] * (PAN_BUDGET - CARDS) +
                         ["pan_budget_exhausted"] * (PARALLEL - PAN_BUDGET))

    def test_guesses_at_foreign_cards_are_limited_exactly(self):
        customer = self.customer()
        answers = self.all_at_once([{"pan": made_up_pan(n, "40000566"), "customer": customer}
                                    for n in range(PARALLEL)])
        codes = collections.Counter(a.code for a in answers)
        self.assertEqual(codes, {"country_refused": PAN_BUDGET,
                                 "pan_budget_exhausted": PARALLEL - PAN_BUDGET})

    def test_a_hundred_equal_requests_store_one_card(self):
        customer = self.customer()
        for _ in range(3):
            answers = self.all_at_once([{"pan": made_up_pan(1), "customer": customer}] * PARALLEL)
            self.assertEqual({a.status for a in answers}, {200})
        self.assertEqual({a.json()["duplicate"] for a in answers}, {True})
        self.assertEqual(len({a.json()["token"] for a in answers}), 1)
        fresh = self.customer()
        answers = self.all_at_once([{"pan": made_up_pan(1), "customer": fresh}] * PARALLEL)
        first = collections.Counter(a.json()["duplicate"] for a in answers)
        self.assertEqual(first, {False: 1, True: PARALLEL - 1})
        self.assertEqual(len({a.json()["token"] for a in answers}), 1)
        self.assertEqual([len(self.cards_of(c)) for c in (customer, fresh)], [1, 1])

    def test_customers_do_not_share_limits(self):
        customers = [self.customer() for _ in range(PARALLEL)]
        answers = self.all_at_once([{"pan": made_up_pan(1), "customer": c} for c in customers])
        self.assertEqual({a.status for a in answers}, {200})
        self.assertEqual(len({a.json()["token"] for a in answers}), PARALLEL)

    def test_a_deleted_card_makes_room_but_refunds_nothing(self):
        customer = self.customer()
        for number in range(CARDS):
            self.assertEqual(self.store(made_up_pan(number), customer).status, 200)
        self.assertEqual(self.store(made_up_pan(CARDS), customer).code, "card_limit_reached")
        for number in range(CARDS + 1, PAN_BUDGET):
            token = self.cards_of(customer)[0]["token"]
            self.assertEqual(self.vault.request("web", "DELETE", f"/v1/tokens/{token}").status, 204)
            self.assertEqual(self.store(made_up_pan(number), customer).status, 200)
        token = self.cards_of(customer)[0]["token"]
        self.assertEqual(self.vault.request("web", "DELETE", f"/v1/tokens/{token}").status, 204)
        answer = self.store(made_up_pan(PAN_BUDGET), customer)
        self.assertEqual((answer.status, answer.code), (429, "pan_budget_exhausted"))
        self.assertLessEqual(int(answer.headers["Retry-After"]), 86400)
        held = self.cards_of(customer)[0]["token"]
        known = self.store(made_up_pan(PAN_BUDGET - 1), customer)
        self.assertEqual(known.code, "pan_budget_exhausted", f"or it would tell who holds {held}")

    def test_a_kill_does_not_reset_a_customer_s_budget(self):
        customer = self.customer()
        for number in range(PAN_BUDGET // 2):
            self.assertEqual(self.store(made_up_pan(number, "40000566"), customer).code,
                             "country_refused")
        self.vault.kill_and_wait()
        for number in range(PAN_BUDGET // 2):  # known refusals are free
            self.assertEqual(self.store(made_up_pan(number, "40000566"), customer).code,
                             "country_refused")
        for number in range(PAN_BUDGET // 2, PAN_BUDGET):
            self.assertEqual(self.store(made_up_pan(number, "40000566"), customer).code,
                             "country_refused")
        self.assertEqual(self.store(made_up_pan(1), customer).code, "pan_budget_exhausted")
        self.vault.kill_and_wait()
        self.assertEqual(self.store(made_up_pan(1), customer).code, "pan_budget_exhausted")

    # --- reveals; one client's day: everything in one test ---

    def left(self):
        quotas = self.vault.request("processor", "GET", "/v1/whoami").json()["quotas"]
        return {q["name"]: q["left"] for q in quotas}["reveals_per_day"]

    def reveal(self, tokens):
        bodies = [{"token": token, "purpose": "payment"} for token in tokens]
        return collections.Counter(a.code or "shown"
                                   for a in self.all_at_once(bodies, "processor", "/v1/detokenize"))

    def test_reveals_are_limited_exactly_and_a_kill_resets_nothing(self):
        cards = [self.store(made_up_pan(n), self.customer()).json()["token"] for n in range(10)]
        self.assertEqual(self.left(), REVEALS)
        # Of one card, however it is asked.
        self.assertEqual(self.reveal(cards[:1] * 10),
                         {"shown": CARD_REVEALS, "reveal_budget_exhausted": 10 - CARD_REVEALS})
        self.assertEqual(self.left(), REVEALS - CARD_REVEALS)
        self.assertEqual(self.reveal(cards[1:4]), {"shown": 3})
        self.vault.kill_and_wait()
        self.assertEqual(self.left(), REVEALS - CARD_REVEALS - 3)
        self.assertEqual(self.reveal(cards[:1]), {"reveal_budget_exhausted": 1})
        # What is left for the client, of which no card gives more than its share.
        rest = REVEALS - CARD_REVEALS - 3
        attempts = cards[4:9] * 6
        self.assertEqual(self.reveal(attempts),
                         {"shown": rest, "reveal_budget_exhausted": len(attempts) - rest})
        self.assertEqual(self.left(), 0)
        self.vault.kill_and_wait()
        self.assertEqual(self.left(), 0)
        self.assertEqual(self.reveal(cards[9:]), {"reveal_budget_exhausted": 1})
        shown = [e for e in self.vault.events(5000)
                 if (e["op"], e["outcome"], e["actor"]) == ("detokenize", "ok", "client:processor")]
        self.assertEqual(len(shown), REVEALS)


if __name__ == "__main__":
    unittest.main()
