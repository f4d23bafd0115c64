"""A client's connection to a gate that may be cut. traffic.py, which imports it, names vault_fixture's folder."""

import http.client
import json

import vault_fixture


class Cut(Exception):
    """The connection ended without an answer."""


class Line:
    """One keep-alive connection of one client; not thread-safe."""

    def __init__(self, vault, client, timeout=30):
        self.vault, self.client, self.timeout = vault, client, timeout
        self.connection = None

    def send(self, method, path, body=None, headers=()):
        if self.connection is None:
            host, port = self.vault.address(vault_fixture.default_gate(self.client))
            self.connection = http.client.HTTPSConnection(
                host, port, timeout=self.timeout, context=self.vault.context(self.client))
        headers = dict(headers)
        if body is not None:
            headers["Content-Type"] = "application/json"
            body = json.dumps(body).encode()
        try:
            self.connection.request(method, path, body=body, headers=headers)
            response = self.connection.getresponse()
            answer = vault_fixture.Answer(response.status, response.headers, response.read())
        except (http.client.HTTPException, OSError) as problem:
            self.close()
            raise Cut(f"{self.client} {method} {path}: {problem!r}") from problem
        return answer

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None
