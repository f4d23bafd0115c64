#!/usr/bin/python3
"""What careless and hostile clients send, through TLS at the web tier's gate: each is refused with its
code, nothing of it comes back or is kept, and the vault works on."""

import json
import threading
import unittest

import vault_fixture
from hostile_client import (CVV, DASHED, FOREIGN, HOST, JSON, MARK, NOWHERE, PAN, REQUEST, SPACED, WRONG,
                            HostileClient)

SENSITIVE_NAMES = (
    "cvv", "CVV", "CvV2", "cvv_2", "c.v.v", "c v v", "CVC", "cvc-2", "cvc1", "cid", "CAV2", "csc", "cvn",
    "cvd", "cve", "iCVV", "dCVV", "cvv3", "card_cvv", "cardCvc", "card-code", "cvvCode", "cvv_number",
    "cvv2_code", "card[cvv]", "securityCode", "Card Security Code", "card_verification_value",
    "verification-code", "cardVerificationNumber", "pin", "PIN_block", "pinCode", "track", "TRACK-1",
    "track2", "Track2Data", "track_3", "fullTrack", "mag_stripe", "magnetic.stripe",
)

# name: body, status, code
REFUSED = {
    "unknown field": ({"pan": PAN, "colour": MARK}, 400, "unknown_field"),
    "field of another operation": ({"pan": PAN, "purpose": MARK}, 400, "unknown_field"),
    "field in another case": ({"Pan": PAN}, 400, "unknown_field"),
    "unknown field in an item": ({"items": [{"pan": PAN, MARK: 1}]}, 400, "unknown_field"),
    "items beside an item": ({"items": [{"pan": PAN}], "pan": PAN}, 400, "invalid_field"),
    "items in an item": ({"items": [{"items": []}]}, 400, "unknown_field"),
    "field twice": (f'{{"pan":"{PAN}","pan":"{MARK}"}}', 400, "duplicate_field"),
    "field twice, once escaped": (f'{{"pan":"{PAN}","p\\u0061n":"{MARK}"}}', 400, "duplicate_field"),
    "items twice": (f'{{"items":[{{"pan":"{PAN}"}}],"items":[]}}', 400, "duplicate_field"),
    "metadata key twice": (f'{{"pan":"{PAN}","metadata":{{"a":"1","a":"{MARK}"}}}}', 400,
                           "duplicate_field"),
    "no pan": ({"customer": MARK}, 400, "missing_field"),
    "no pan in an item": ({"items": [{"pan": PAN}, {"customer": MARK}]}, 400, "missing_field"),
    "number for pan": (f'{{"pan":{PAN}}}', 400, "invalid_field"),
    "number for customer": (f'{{"pan":"{PAN}","customer":77010000000}}', 400, "invalid_field"),
    "null for customer": ({"pan": PAN, "customer": None}, 400, "invalid_field"),
    "empty customer": ({"pan": PAN, "customer": ""}, 400, "invalid_field"),
    "empty expiry": ({"pan": PAN, "customer": MARK, "expiry": ""}, 400, "invalid_field"),
    "list for pan": ({"pan": [PAN]}, 400, "invalid_field"),
    "object for pan": ({"pan": {"number": PAN}}, 400, "invalid_field"),
    "list for metadata": ({"pan": PAN, "metadata": [MARK]}, 400, "invalid_field"),
    "nested metadata": ({"pan": PAN, "metadata": {"a": {"b": MARK}}}, 400, "invalid_field"),
    "null in metadata": ({"pan": PAN, "metadata": {"a": None}}, 400, "invalid_field"),
    "number in metadata": ({"pan": PAN, "metadata": {"a": 7319}}, 400, "invalid_field"),
    "items that are strings": ({"items": [PAN]}, 400, "invalid_field"),
    "format unknown": ({"pan": PAN, "format": MARK}, 400, "invalid_field"),
    "true for ttl": ({"pan": PAN, "ttl": True}, 400, "invalid_field"),
    "text for ttl": ({"pan": PAN, "ttl": "60"}, 400, "invalid_field"),
    "empty body": (b"", 400, "invalid_json"),
    "blanks": (b"  \r\n", 400, "invalid_json"),
    "half an object": (f'{{"pan":"{PAN}"', 400, "invalid_json"),
    "rest after the object": (f'{{"pan":"{PAN}"}}{MARK}', 400, "invalid_json"),
    "two objects": (f'{{"pan":"{PAN}"}}{{"pan":"{PAN}"}}', 400, "invalid_json"),
    "NUL after the object": (f'{{"pan":"{PAN}"}}\0', 400, "invalid_json"),
    "a string": (f'"{PAN}"', 400, "invalid_json"),
    "a list": (f'[{{"pan":"{PAN}"}}]', 400, "invalid_json"),
    "null": (b"null", 400, "invalid_json"),
    "comment": (f'{{/*{MARK}*/"pan":"{PAN}"}}', 400, "invalid_json"),
    "trailing comma": (f'{{"pan":"{PAN}",}}', 400, "invalid_json"),
    "single quotes": (f"{{'pan':'{PAN}'}}", 400, "invalid_json"),
    "NaN": (f'{{"pan":"{PAN}","ttl":NaN}}', 400, "invalid_json"),
    "byte order mark": (b"\xef\xbb\xbf" + f'{{"pan":"{PAN}"}}'.encode(), 400, "invalid_json"),
    "UTF-16": (f'{{"pan":"{PAN}"}}'.encode("utf-16"), 400, "invalid_json"),
    "raw NUL": (f'{{"pan":"{PAN}","customer":"{MARK}\0"}}', 400, "invalid_json"),
    "escaped NUL": (f'{{"pan":"{PAN}","customer":"{MARK}\\u0000"}}', 400, "invalid_json"),
    "escaped NUL in a name": (f'{{"pan\\u0000":"{PAN}"}}', 400, "invalid_json"),
    "raw line end in a string": (f'{{"pan":"{PAN}\n"}}', 400, "invalid_json"),
    "lone high surrogate": (f'{{"pan":"{PAN}","customer":"\\ud800"}}', 400, "invalid_json"),
    "lone low surrogate": (f'{{"pan":"{PAN}","customer":"\\udc00{MARK}"}}', 400, "invalid_json"),
    "surrogates swapped": (f'{{"pan":"{PAN}","customer":"\\udc00\\ud800"}}', 400, "invalid_json"),
    "unknown escape": (f'{{"pan":"\\x34{MARK}"}}', 400, "invalid_json"),
    "deep lists": ("[" * 100_000, 400, "invalid_json"),
    "deep objects": ('{"a":' * 100_000, 400, "invalid_json"),
    "deep metadata": ('{"metadata":' + '{"a":' * 50 + "1" + "}" * 51, 400, "invalid_json"),
    "wrong check digit": ({"pan": WRONG, "customer": MARK}, 422, "invalid_pan"),
    "too few digits": ({"pan": PAN[:11], "customer": MARK}, 422, "invalid_pan"),
    "too many digits": ({"pan": PAN + "0000", "customer": MARK}, 422, "invalid_pan"),
    "letters in pan": ({"pan": PAN[:15] + "l", "customer": MARK}, 422, "invalid_pan"),
    "other digits": ({"pan": "".join(chr(0x660 + int(d)) for d in PAN), "customer": MARK}, 422,
                     "invalid_pan"),
    "double space in pan": ({"pan": PAN[:4] + "  " + PAN[4:], "customer": MARK}, 422, "invalid_pan"),
    "a million digits": ({"pan": "4" * 1_000_000, "customer": MARK}, 422, "invalid_pan"),
    "foreign card": ({"pan": FOREIGN, "customer": MARK}, 422, "country_refused"),
    "unknown issuer": ({"pan": NOWHERE, "customer": MARK}, 422, "bin_unknown"),
    "pan as customer": ({"pan": PAN, "customer": PAN}, 422, "pan_in_field"),
    "pan in customer": ({"pan": PAN, "customer": f"id {SPACED} of"}, 422, "pan_in_field"),
    "pan in metadata": ({"pan": PAN, "customer": MARK, "metadata": {"n": PAN}}, 422, "pan_in_field"),
    "spaced pan in metadata": ({"pan": PAN, "customer": MARK, "metadata": {"n": f"card {SPACED}."}}, 422,
                               "pan_in_field"),
    "dashed pan in metadata": ({"pan": PAN, "customer": MARK, "metadata": {"n": DASHED}}, 422,
                               "pan_in_field"),
    "pan as metadata key": ({"pan": PAN, "customer": MARK, "metadata": {PAN: "x"}}, 422, "pan_in_field"),
    "customer too long": ({"pan": PAN, "customer": MARK + "x" * 121}, 422, "invalid_customer"),
    "customer too long in bytes": ({"pan": PAN, "customer": "ж" * 65}, 422, "invalid_customer"),
    "line end in customer": ({"pan": PAN, "customer": f"{MARK}\n"}, 422, "invalid_customer"),
    "no customer": ({"pan": PAN}, 422, "customer_required"),
    "nine entries": ({"pan": PAN, "customer": MARK, "metadata": {f"k{i}": MARK for i in range(9)}}, 422,
                     "invalid_metadata"),
    "metadata too long": ({"pan": PAN, "customer": MARK, "metadata": {"k": "x" * 512}}, 422,
                          "invalid_metadata"),
    "metadata key too long": ({"pan": PAN, "customer": MARK, "metadata": {"k" * 33: ""}}, 422,
                              "invalid_metadata"),
    "metadata key with a space": ({"pan": PAN, "customer": MARK, "metadata": {"a b": ""}}, 422,
                                  "invalid_metadata"),
    "metadata key empty": ({"pan": PAN, "customer": MARK, "metadata": {"": MARK}}, 422,
                           "invalid_metadata"),
    "metadata with a control": ({"pan": PAN, "customer": MARK, "metadata": {"k": "\x1b"}}, 422,
                                "invalid_metadata"),
    "expiry in another form": ({"pan": PAN, "customer": MARK, "expiry": "12/29"}, 422, "invalid_expiry"),
    "thirteenth month": ({"pan": PAN, "customer": MARK, "expiry": "2029-13"}, 422, "invalid_expiry"),
    "no items": ({"items": []}, 400, "batch_size"),
}
for ttl in ("0", "-1", "1.5", "60.0", "6e1", "315360001", "9223372036854775807", "18446744073709551615",
            "1" + "0" * 300):
    REFUSED[f"ttl {ttl[:20]}"] = (f'{{"pan":"{PAN}","customer":"{MARK}","ttl":{ttl}}}', 422, "invalid_ttl")
for bad in (b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\x80"):
    for where in ("customer", "metadata"):
        value = b'"' + bad + b'"' if where == "customer" else b'{"k":"' + bad + b'"}'
        REFUSED[f"bytes {bad.hex()} in {where}"] = (
            f'{{"pan":"{PAN}","{where}":'.encode() + value + b"}", 400, "invalid_json")


class HostileInput(HostileClient):
    # --- bodies ---

    def test_each_bad_body_is_refused_with_its_code(self):
        for name, (body, status, code) in REFUSED.items():
            with self.subTest(name):
                self.assert_refused(self.send(body), status, code)

    def test_numbers_beyond_any_type_are_refused(self):
        for number in ("1e400", "-1e400", "1e-400", "1" + "0" * 400, "0." + "0" * 400 + "1"):
            with self.subTest(number=number[:20]):
                answer = self.send(f'{{"pan":"{PAN}","customer":"{MARK}","ttl":{number}}}')
                self.assertIn(answer.code, ("invalid_ttl", "invalid_json"))

    def test_sensitive_data_is_refused_by_every_name_anywhere(self):
        for name in SENSITIVE_NAMES:
            item = {"pan": PAN, "customer": MARK}
            bodies = {
                "field": item | {name: CVV},
                "null": item | {name: None},
                "metadata": item | {"metadata": {name: CVV}},
                "nested": item | {"card": {name: CVV}},
                "in a list": item | {"cards": [{name: CVV}]},
                "item": {"items": [item, item | {name: CVV}]},
            }
            for place, body in bodies.items():
                with self.subTest(name=name, place=place):
                    self.assert_refused(self.send(body), 422, "sensitive_authentication_data")
        escaped = f'{{"pan":"{PAN}","\\u0063vv":"{CVV}"}}'
        self.assert_refused(self.send(escaped), 422, "sensitive_authentication_data")
        late = f'{{"pan":1,"colour":[],"cvv":"{CVV}","pan":"{MARK}"}}'  # behind other mistakes
        self.assert_refused(self.send(late), 422, "sensitive_authentication_data")
        for path, body in (("/v1/detokenize", {"token": "tok_1", "purpose": "payment", "cvv": CVV}),
                           ("/v1/cards/search", {"customer": MARK, "cvv": CVV})):
            self.assert_refused(self.send(body, path=path), 422, "sensitive_authentication_data")

    def test_innocent_names_are_not_taken_for_sensitive(self):
        metadata = {"city": "x", "incident": "x", "pinned": "x", "tracking": "x", "cvvless": "x"}
        self.assertEqual(self.tokenize(metadata=metadata)["metadata"], metadata)

    def test_the_largest_allowed_is_taken(self):
        for fields in ({"customer": "x" * 128}, {"customer": "ж" * 64}, {"ttl": 315360000},
                       {"metadata": {f"k{i}": "x" * 62 for i in range(8)}}, {"metadata": {}},
                       {"metadata": {"k" * 32: "x" * 480}}, {"pan": DASHED}, {"ttl": 1}):
            with self.subTest(fields=str(fields)[:40]):
                self.tokenize(**fields)
        padded = f' \r\n\t{{ "pan" : "{PAN}" , "customer" : "{self.customer()}" }}\n '
        self.assertEqual(self.send(padded).status, 200)
        self.assertEqual(self.send(json.dumps({"pan": PAN, "customer": "\U0001f600 ж"})).status, 200)

    def test_other_operations_are_as_strict(self):
        path = "/v1/detokenize"
        token = self.tokenize()["token"]
        for body, status, code in (
            ({"token": token, "purpose": "payment", "mask": "true"}, 400, "invalid_field"),
            ({"token": token, "purpose": "payment", "pan": PAN}, 400, "unknown_field"),
            ({"token": token}, 400, "missing_field"),
            ({"token": PAN, "purpose": "payment"}, 422, "invalid_token"),
            ({"token": token[:-1] + "!", "purpose": "payment"}, 422, "invalid_token"),
            ({"token": "", "purpose": "payment"}, 422, "invalid_token"),
            ({"token": token, "purpose": MARK.upper()}, 403, "purpose_denied"),
            ({"items": [{"token": token, "purpose": "payment"}] * 1001}, 400, "batch_size"),
        ):
            with self.subTest(body=str(body)[:60]):
                self.assert_refused(self.send(body, path=path, client="processor"), status, code)
        path = "/v1/cards/search"
        self.assert_refused(self.send({"customer": PAN}, path=path), 422, "pan_in_field")
        self.assert_refused(self.send({"items": []}, path=path), 400, "unknown_field")
        answer = self.send({"customer": self.customer(), "after": MARK}, path=path)
        self.assert_refused(answer, 400, "invalid_field")

    # --- batches ---

    def test_a_batch_may_have_a_thousand_items(self):
        items = [{"pan": PAN, "customer": self.customer()} for _ in range(1001)]
        self.assert_refused(self.send({"items": items}), 400, "batch_size")
        answer = self.send({"items": items[:1000]})
        self.assertEqual(answer.status, 200, answer)
        tokens = [item["token"] for item in answer.json()["items"]]
        self.assertEqual(len(set(tokens)), 1000)

    def test_a_mixed_batch_answers_each_item_in_order(self):
        customer = self.customer()
        expected = [
            ({"pan": PAN, "customer": customer}, None),
            ({"pan": WRONG, "customer": customer}, "invalid_pan"),
            ({"pan": FOREIGN, "customer": customer}, "country_refused"),
            ({"pan": PAN, "customer": customer}, "duplicate"),
            ({"pan": NOWHERE, "customer": customer}, "bin_unknown"),
            ({"pan": PAN, "customer": SPACED}, "pan_in_field"),
            ({"pan": PAN}, "customer_required"),
            ({"pan": PAN, "customer": customer, "ttl": 0}, "invalid_ttl"),
            ({"pan": PAN, "customer": customer, "expiry": "2020-01"}, "card_expired"),
            ({"pan": PAN, "customer": customer, "metadata": {"k": DASHED}}, "pan_in_field"),
            ({"pan": PAN, "customer": self.customer(), "format": "numeric"}, None),
        ]
        answer = self.send({"items": [item for item, _ in expected]})
        self.assertEqual(answer.status, 200, answer)
        results = answer.json()["items"]
        for number, ((_, code), result) in enumerate(zip(expected, results, strict=True)):
            with self.subTest(item=number):
                if code is None:
                    self.assertFalse(result["duplicate"])
                elif code == "duplicate":
                    self.assertEqual(result["token"], results[0]["token"])
                    self.assertTrue(result["duplicate"])
                else:
                    self.assertEqual(result["error"]["code"], code)

    # --- Idempotency-Key ---

    def test_idempotency_key_replays_and_notices_another_body(self):
        body, key = {"pan": PAN, "customer": self.customer()}, {"Idempotency-Key": "key-1"}
        first = self.send(body, key)
        self.assertEqual((first.status, first.json()["duplicate"]), (200, False))
        self.assertEqual(self.send(body, key).body, first.body)
        self.assertTrue(self.send(body).json()["duplicate"])
        other = body | {"metadata": {"k": MARK}}
        self.assert_refused(self.send(other, key), 422, "idempotency_mismatch")
        self.assertEqual(self.send(body, key).body, first.body)

    def test_a_refusal_is_replayed_too(self):
        key = {"Idempotency-Key": "refused-1"}
        customer = self.customer()
        for _ in range(2):
            answer = self.send({"pan": FOREIGN, "customer": customer}, key)
            self.assert_refused(answer, 422, "country_refused")
        self.assert_refused(self.send({"pan": PAN, "customer": customer}, key), 422,
                            "idempotency_mismatch")

    def test_bad_idempotency_keys_are_refused(self):
        body = {"pan": PAN, "customer": self.customer()}
        for key in ("", "x" * 129, "two words"):
            with self.subTest(key=key):
                self.assert_refused(self.send(body, {"Idempotency-Key": key}), 400,
                                    "invalid_idempotency_key")
        twice = b"Idempotency-Key: a1\r\nidempotency-key: a1\r\n"
        answer = self.exchange(REQUEST + HOST + JSON + twice + b"Content-Length: 2\r\n\r\n{}")
        self.assert_refused(answer, 400, "invalid_idempotency_key")

    def test_a_key_of_digits_is_as_good_as_another(self):
        # Times and UUIDs pass Luhn now and then; that a client sends a card number can't be told.
        for key in ("1763800000004", "f47ac10b-58cc-4372-a567-123456789015", PAN, DASHED):
            with self.subTest(key=key):
                body = {"pan": PAN, "customer": self.customer()}
                first = self.send(body, {"Idempotency-Key": key})
                self.assertEqual(first.status, 200, first)
                self.assertEqual(self.send(body, {"Idempotency-Key": key}).body, first.body)

    def test_parallel_requests_with_one_key_run_once(self):
        body = json.dumps({"pan": PAN, "customer": self.customer()}).encode()
        head = REQUEST + HOST + JSON + b"Idempotency-Key: parallel\r\n"
        request = head + b"Content-Length: %d\r\n\r\n" % len(body) + body
        answers, start = [], threading.Barrier(20)

        def run():
            connection = self.vault.connect("web")
            start.wait()
            connection.sendall(request)
            answers.append(vault_fixture.receive(connection))
            connection.close()

        threads = [threading.Thread(target=run) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(len(answers), 20)
        stored = {a.body for a in answers if a.status == 200}
        self.assertEqual(len(stored), 1, "one answer for all")
        for answer in answers:
            if answer.status != 200:
                self.assert_refused(self.check(answer), 409, "idempotency_running")
                self.assertEqual(answer.headers["Retry-After"], "1")

    # --- what stays ---

    def test_nothing_refused_is_kept_or_logged(self):
        for body, _, _ in REFUSED.values():
            self.send(body)
        self.send({"pan": PAN, "customer": self.customer(), "cvv": CVV})
        for path in (f"/v1/tokens/{PAN}", f"/v1/tokenize?pan={PAN}&cvv={CVV}", f"/{MARK}"):
            self.send(method="GET", path=path)
        self.send({"pan": PAN, "customer": self.customer()},
                  {"X-Card": SPACED, "User-Agent": MARK, "Referer": f"/{DASHED}", "Cookie": CVV,
                   "Idempotency-Key": f"{PAN}-{MARK}-{CVV}"})
        self.tokenize(metadata={"k": "keptzq"})
        self.assertEqual(self.kept("keptzq"), {("keptzq", "data")}, "and the search does find what is kept")

    def test_refusals_are_in_the_log(self):
        self.send({"pan": PAN, "cvv": CVV})
        self.send("{")
        self.send({"pan": WRONG, "customer": self.customer()})
        outcomes = [(e["op"], e["outcome"]) for e in self.vault.events(20)]
        for outcome in ("sensitive_authentication_data", "invalid_json", "invalid_pan"):
            self.assertIn(("tokenize", outcome), outcomes)

if __name__ == "__main__":
    unittest.main()
