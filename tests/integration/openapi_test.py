#!/usr/bin/python3
"""Holds a running vault to docs/openapi.yaml: each documented example is sent and what comes back must
be of the documented status and schema, each documented problem is provoked and must be word for word
what the document says, and each path is served."""

import copy
import json
import os
import re
import unittest

import jsonschema
import yaml

import vault_fixture
from openapi_problems import CARDS_PER_CUSTOMER, KNOWN, SUBJECT_CAP, Provocations
from vault_fixture import ROOT

DOC_TOKEN = "tok_01KANQ8Z4S7M3W5RC9TVX2B6YD"  # stands for a real token in the examples
# The clients that the examples are sent as.
CALLER = {"detokenize": "processor", "metrics": "auditor", "whoami": "processor"}
SEALED = "sealed"  # the example of a sealed reveal, which is the web tier's
# What differs from one answer to the next, and what this test's settings make different.
VARIES = {"token", "created_at", "expires_at", "resets_at", "left", "notes", "id", "sealed", "receipt", "x", "y",
          "kid", "resend_after"}
OF_A_HOLDER = ("least", "first_page", "next_page")  # examples whose customer has the card already


def load():
    with open(os.path.join(ROOT, "docs", "openapi.yaml"), encoding="utf-8") as file:
        return yaml.safe_load(file)


DOC = load()
METHODS = ("get", "put", "post", "delete", "patch", "head", "options")


def resolve(node):
    while "$ref" in node:
        target = DOC
        for name in node["$ref"].removeprefix("#/").split("/"):
            target = target[name]
        node = target
    return node


def operations():
    for path, item in DOC["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def check_schema(schema, value):
    """Raises unless `value` is of an OpenAPI schema of the document."""
    document = {"$ref": "#/schema", "schema": schema, "components": DOC["components"]}
    jsonschema.Draft202012Validator(document).validate(value)


class Documented(unittest.TestCase):
    """The document by itself."""

    def test_examples_are_of_their_schemas(self):
        checked = 0
        for path, method, operation in operations():
            bodies = [operation.get("requestBody", {})]
            bodies += [resolve(r) for r in operation["responses"].values()]
            for body in bodies:
                for kind, content in body.get("content", {}).items():
                    for name, example in content.get("examples", {}).items():
                        with self.subTest(path=path, method=method, kind=kind, example=name):
                            check_schema(content["schema"], resolve(example)["value"])
                            checked += 1
        self.assertGreater(checked, 100)

    def test_no_object_is_open(self):
        def visit(node, at):
            if isinstance(node, dict):
                if node.get("type") == "object":
                    with self.subTest(at=at):
                        self.assertIn("additionalProperties", node)
                for key, value in node.items():
                    visit(value, f"{at}/{key}")
            elif isinstance(node, list):
                for index, value in enumerate(node):
                    visit(value, f"{at}/{index}")

        visit(DOC["components"]["schemas"], "schemas")

    def test_codes_are_the_vaults(self):
        with open(os.path.join(ROOT, "vault", "base", "result.cc"), encoding="utf-8") as file:
            codes = re.findall(r'case Code::k\w+:\s*return "([a-z_0-9]+)";', file.read())
        self.assertEqual(DOC["components"]["schemas"]["Code"]["enum"], codes)


class Driven(Provocations, unittest.TestCase):
    """The document against a running vault."""

    @classmethod
    def setUpClass(cls):
        cls.vault = vault_fixture.shared([
            f"policy.cards_per_customer={CARDS_PER_CUSTOMER}", "otp.resend_s=2", "otp.sends=2",
            f"attempts.subject_cap={SUBJECT_CAP}"])
        cls.customers = iter(range(77020000000, 77030000000))

    def check(self, answer, operation):
        """The answer's status and body are documented for the operation."""
        response = operation["responses"].get(str(answer.status))
        self.assertIsNotNone(response, f"undocumented {answer}")
        content = resolve(response).get("content", {})
        if not content:
            self.assertEqual(answer.body, b"")
            return
        kind = answer.headers.get_content_type()
        self.assertIn(kind, content, answer)
        if kind == "application/octet-stream":
            self.assertGreater(len(answer.body), 0)
            return
        body = answer.body.decode() if kind == "text/plain" else answer.json()
        check_schema(content[kind]["schema"], body)

    # --- examples of success ---

    def test_every_request_example_gets_its_answer(self):
        for path, method, operation in operations():
            media = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
            done = "200" if "200" in operation["responses"] else "204"
            answers = resolve(operation["responses"][done]).get("content", {})
            for name, example in media.get("examples", {}).items():
                with self.subTest(path=path, example=name):
                    customer = self.customer()
                    holder = customer if name in (*OF_A_HOLDER, SEALED) else self.customer()
                    token = self.tokenize(customer=holder)
                    body = self.for_real(example["value"], token, customer)
                    prepare = getattr(self, f"before_{operation['operationId']}", None)
                    if prepare:
                        prepare(customer, body)
                    caller = "web" if name == SEALED else CALLER.get(operation["operationId"], "web")
                    answer = self.vault.request(caller, method.upper(), path, body)
                    self.assertEqual(answer.status, int(done), answer)
                    self.check(answer, operation)
                    if answers:
                        expected = answers["application/json"]["examples"][name]["value"]
                        self.assert_alike(expected, answer.json())

    # --- what has to be so before an example is sent ---

    def before_verifyCode(self, customer, body):
        body["code"] = self.vault.code(customer, body["purpose"], body.get("context"))

    def before_cancelCode(self, customer, body):
        self.vault.code(customer, body["purpose"])

    def before_verifySecret(self, customer, body):
        self.enroll(customer, body["kind"])

    def before_changeSecret(self, customer, body):
        self.enroll(customer, body["kind"])
        self.vault.prove(customer, "change_password")

    before_removeSecret = before_changeSecret

    def before_detokenize(self, customer, body):
        if "context" in body:
            self.vault.prove(customer, "confirm_transaction", body["context"])

    def for_real(self, value, token, customer):
        """An example with a token that exists and customers of this run."""
        text = json.dumps(value).replace(DOC_TOKEN, token)
        return json.loads(re.sub(r'"770[0-9]{8}"', json.dumps(customer), text))

    def assert_alike(self, documented, real):
        """Equal but for what varies."""
        if isinstance(documented, dict):
            self.assertEqual(sorted(documented), sorted(real))
            for key, value in documented.items():
                if key not in VARIES:
                    self.assert_alike(value, real[key])
        elif isinstance(documented, list):
            self.assertEqual(len(documented), len(real))
            for one, other in zip(documented, real):
                self.assert_alike(one, other)
        else:
            self.assertEqual(documented, real)

    def test_card_can_be_read_frozen_and_deleted(self):
        token = self.tokenize()
        path = "/v1/tokens/{token}"
        card = DOC["paths"][path]["get"]
        example = card["responses"]["200"]["content"]["application/json"]["examples"]["card"]["value"]

        def send(method, suffix=""):
            answer = self.vault.request("web", method, f"/v1/tokens/{token}{suffix}")
            self.check(answer, DOC["paths"][path + suffix][method.lower()])
            return answer

        answer = send("GET")
        self.assertEqual(answer.status, 200)
        self.assert_alike(example, answer.json())
        for _ in range(2):
            self.assertEqual(send("POST", "/freeze").status, 204)
        self.assertEqual(send("GET").json()["status"], "frozen")
        for _ in range(2):
            self.assertEqual(send("POST", "/unfreeze").status, 204)
        self.assertEqual(send("GET").json()["status"], "active")
        self.assertEqual(send("DELETE").status, 204)
        for method, suffix in (("GET", ""), ("DELETE", ""), ("POST", "/freeze"), ("POST", "/unfreeze")):
            self.assertEqual(send(method, suffix).code, "token_not_found")

    def test_caller_and_operation(self):
        whoami = DOC["paths"]["/v1/whoami"]["get"]
        answer = self.vault.request("processor", "GET", "/v1/whoami")
        self.check(answer, whoami)
        example = whoami["responses"]["200"]["content"]["application/json"]["examples"]["processor"]
        self.assert_alike(example["value"], answer.json())
        jwks = DOC["paths"]["/v1/jwks"]["get"]
        answer = self.vault.request("web", "GET", "/v1/jwks")
        self.check(answer, jwks)
        example = jwks["responses"]["200"]["content"]["application/jwk-set+json"]["examples"]["keys"]
        self.assert_alike(example["value"], answer.json())
        metrics = self.vault.request("auditor", "GET", "/metrics")
        self.assertEqual(metrics.status, 200, metrics)
        self.check(metrics, DOC["paths"]["/metrics"]["get"])
        for answer in (self.vault.request("web", "GET", "/healthz"),
                       self.vault.health("web", "/healthz")):
            self.assertEqual(answer.status, 200, answer)
            self.check(answer, DOC["paths"]["/healthz"]["get"])
        ready = self.vault.health("web", "/readyz")
        self.assertEqual(ready.status, 200, ready)
        self.check(ready, DOC["paths"]["/readyz"]["get"])

    def test_published_log(self):
        checkpoint = self.vault.request("auditor", "GET", "/v1/audit/checkpoint")
        self.assertEqual(checkpoint.status, 200, checkpoint)
        self.check(checkpoint, DOC["paths"]["/v1/audit/checkpoint"]["get"])
        size = int(checkpoint.body.decode().splitlines()[1])
        read_tile = DOC["paths"]["/v1/audit/tile/{tile}"]["get"]
        spelled = re.compile(read_tile["parameters"][0]["schema"]["pattern"])
        partial = f"{(size - 1) // 256:03d}" + (f".p/{size % 256}" if size % 256 else "")
        for tile in (f"0/{partial}", f"entries/{partial}"):
            self.assertRegex(tile, spelled)
            answer = self.vault.request("auditor", "GET", f"/v1/audit/tile/{tile}")
            self.assertEqual(answer.status, 200, answer)
            self.check(answer, read_tile)
        for tile, code in (("0/999", "not_found"), ("0/99", "path_not_found")):
            answer = self.vault.request("auditor", "GET", f"/v1/audit/tile/{tile}")
            self.assertEqual((answer.status, answer.code), (404, code))
            self.check(answer, read_tile)
        read_segment = DOC["paths"]["/v1/audit/segment/{file}"]["get"]
        for file, code in (("latest", "not_found"), ("2026-10/manifest", "not_found"),
                           ("2026-10", "path_not_found")):  # no month is closed yet
            answer = self.vault.request("auditor", "GET", f"/v1/audit/segment/{file}")
            self.assertEqual((answer.status, answer.code), (404, code))
            self.check(answer, read_segment)

    def test_idempotency_key_replays_the_answer(self):
        key = {"Idempotency-Key": DOC["components"]["parameters"]["IdempotencyKey"]["example"]}
        body = {"pan": KNOWN, "customer": self.customer()}
        first = self.vault.request("web", "POST", "/v1/tokenize", body, key)
        again = self.vault.request("web", "POST", "/v1/tokenize", body, key)
        self.assertEqual(first.status, 200)
        self.assertEqual(first.body, again.body)  # a plain repeat would say "duplicate":true

    def test_documented_methods_are_all(self):
        token = self.tokenize()
        for path, item in DOC["paths"].items():
            if "servers" in item:  # served elsewhere
                continue
            documented = {m.upper() for m in METHODS if m in item}
            for method in {"GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"} - documented:
                body = {} if method in ("POST", "PUT", "PATCH") else None
                answer = self.vault.request("web", method, path.replace("{token}", token), body)
                with self.subTest(path=path, method=method):
                    self.assertEqual((answer.status, answer.code), (405, "method_not_allowed"))
                    self.assertEqual(set(answer.headers["Allow"].split(", ")), documented)

    # --- problems ---

    def test_every_problem_can_be_provoked(self):
        for code, example in DOC["components"]["examples"].items():
            with self.subTest(code=code):
                provoke = getattr(self, f"provoke_{code}", None)
                self.assertIsNotNone(provoke, "this test does not know how to provoke it")
                answer = provoke()
                documented = copy.deepcopy(example["value"])
                self.assertEqual(answer.headers.get_content_type(), "application/problem+json", answer)
                self.assertEqual(answer.status, documented["status"], answer)
                real = answer.json()
                check_schema(DOC["components"]["schemas"]["Problem"], real)
                if "retry_after" in documented:
                    self.assertEqual(answer.headers["Retry-After"], str(real["retry_after"]))
                    documented["retry_after"] = real["retry_after"]
                self.assertEqual(real, documented)

    def test_every_problem_example_is_named_for_its_status(self):
        for response in DOC["components"]["responses"].values():
            for content in response["content"].values():
                for name, example in content.get("examples", {}).items():
                    self.assertEqual(resolve(example)["value"]["code"], name)


if __name__ == "__main__":
    unittest.main()
