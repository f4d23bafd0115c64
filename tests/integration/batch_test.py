#!/usr/bin/python3
"""Batches that are refused as a whole for one of their items: the answer says for which, repeats nothing of
it, and nothing was done."""

import json
import unittest

import hostile_client
from vault_fixture import made_up_pan

MARK, CVV = "zqmarkzq", "cvvzq7319"
PAN = made_up_pan(9081643)
TOKENIZE, DETOKENIZE = "/v1/tokenize", "/v1/detokenize"
CONTEXT = {"amount": 1, "currency": "KZT", "payee": MARK}


class Batches(hostile_client.HostileClient):
    def batch(self, client, path, items):
        body = items if isinstance(items, str) else json.dumps({"items": items})
        return self.vault.request(client, "POST", path, body)

    def assert_blames(self, answer, status, code, item):
        self.assertEqual((answer.status, answer.code), (status, code), answer)
        self.assertEqual(answer.json().get("item"), item, answer)
        for value in (MARK, CVV, PAN):
            self.assertNotIn(value, answer.body.decode())

    def test_an_item_of_a_wrong_form_is_named(self):
        good = {"pan": PAN, "customer": self.customer()}
        token = {"token": "tok_00000000000000000000000000", "purpose": "payment"}
        sealed = token | {"recipient": "acquirer", "context": CONTEXT}
        cases = {
            "an unknown field": (TOKENIZE, good, good | {MARK: MARK}, 400, "unknown_field"),
            "no PAN": (TOKENIZE, good, {"customer": MARK}, 400, "missing_field"),
            "a number for the PAN": (TOKENIZE, good, good | {"pan": int(PAN)}, 400, "invalid_field"),
            "a number in metadata": (TOKENIZE, good, good | {"metadata": {MARK: 1}}, 400, "invalid_field"),
            "an unknown format": (TOKENIZE, good, good | {"format": MARK}, 400, "invalid_field"),
            "a text": (TOKENIZE, good, MARK, 400, "invalid_field"),
            "a CVV": (TOKENIZE, good, good | {"cvv": CVV}, 422, "sensitive_authentication_data"),
            "no purpose": (DETOKENIZE, token, {"token": MARK}, 400, "missing_field"),
            "a text for mask": (DETOKENIZE, token, token | {"mask": MARK}, 400, "invalid_field"),
            "masked and sealed": (DETOKENIZE, sealed, sealed | {"mask": True}, 400, "invalid_field"),
            "half a payment": (DETOKENIZE, sealed, sealed | {"context": {"payee": MARK}}, 400, "missing_field"),
            "a payment of a clear one": (DETOKENIZE, token, token | {"context": CONTEXT}, 400, "invalid_field"),
        }
        for name, (path, well, ill, status, code) in cases.items():
            with self.subTest(name):
                client = "web" if path == TOKENIZE else "processor"
                self.assert_blames(self.batch(client, path, [ill, well]), status, code, 0)
                self.assert_blames(self.batch(client, path, 3 * [well] + [ill, well, ill]), status, code, 3)
                most = 249 if "recipient" in well else 999  # so many may be sealed
                self.assert_blames(self.batch(client, path, most * [well] + [ill]), status, code, most)

    def test_an_item_that_the_client_may_not_send_is_named(self):
        token = {"token": "tok_00000000000000000000000000", "purpose": "payment"}
        masked, odd = token | {"mask": True}, token | {"purpose": MARK.upper()}
        clear_at_the_web = self.batch("web", DETOKENIZE, [masked, masked, token])
        self.assert_blames(clear_at_the_web, 403, "permission_denied", 2)
        self.assert_blames(self.batch("processor", DETOKENIZE, [token, odd]), 403, "purpose_denied", 1)
        whole = self.batch("processor", TOKENIZE, [{"pan": PAN}])
        self.assert_blames(whole, 403, "permission_denied", None)
        alone = self.vault.request("processor", "POST", DETOKENIZE, odd)
        self.assert_blames(alone, 403, "purpose_denied", None)

    def test_none_is_named_where_the_batch_itself_is_at_fault(self):
        good = {"pan": PAN, "customer": self.customer()}
        for name, items, code in (
            ("none", [], "batch_size"),
            ("too many", 1001 * [good], "batch_size"),
            ("broken between items", '{"items":[{"pan":"1"},}]}', "invalid_json"),
            ("beside the items", json.dumps({"items": [good], "customer": MARK}), "invalid_field"),
        ):
            with self.subTest(name):
                self.assert_blames(self.batch("web", TOKENIZE, items), 400, code, None)
        sealed = {"token": "tok_00000000000000000000000000", "purpose": "payment", "recipient": "acquirer"}
        self.assert_blames(self.batch("web", DETOKENIZE, 251 * [sealed]), 400, "batch_size", None)

    def test_nothing_of_a_refused_batch_is_done(self):
        good = {"pan": PAN, "customer": self.customer()}
        self.assert_blames(self.batch("web", TOKENIZE, [good, good | {"ttl": MARK}]), 400, "invalid_field", 1)
        answer = self.batch("web", TOKENIZE, [good])
        self.assertEqual(answer.status, 200, answer)
        self.assertFalse(answer.json()["items"][0]["duplicate"])
        self.assertNotIn("item", answer.json())


if __name__ == "__main__":
    unittest.main()
