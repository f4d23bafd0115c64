#!/usr/bin/python3
"""HTTP that careless and hostile clients send, through TLS at the web tier's gate: forms that could be read in
two ways, what is too large, other methods, paths and media types."""

import json
import re
import subprocess
import time
import unittest

from hostile_client import HOST, JSON, MARK, PAN, REQUEST, HostileClient


class HostileHttp(HostileClient):
    def read_all(self, request):
        """Everything that comes back until the gate closes."""
        with self.vault.connect("web") as connection:
            connection.sendall(request)
            data = b""
            while True:
                try:
                    more = connection.recv(65536)
                except ConnectionError:
                    break
                if not more:
                    break
                data += more
        return data

    def test_http_that_could_be_read_in_two_ways_ends_the_connection(self):
        body = b'{"pan":"%s"}' % MARK.encode()
        sized = b"Content-Length: %d\r\n" % len(body)
        good = REQUEST + HOST + JSON
        forms = {
            "chunked": (good + b"Transfer-Encoding: chunked\r\n", 411, "transfer_encoding_refused"),
            "identity": (good + b"Transfer-Encoding: identity\r\n", 411, "transfer_encoding_refused"),
            "length and chunked": (good + sized + b"transfer-encoding: chunked\r\n", 411,
                                   "transfer_encoding_refused"),
            "hidden chunked": (good + sized + b"Transfer-Encoding: \x0bchunked\r\n", 400, "bad_http"),
            "space before colon": (good + sized + b"Transfer-Encoding : chunked\r\n", 400, "bad_http"),
            "no length": (good, 411, "length_required"),
            "length twice": (good + sized + sized, 400, "bad_http"),
            "two lengths": (good + sized + b"Content-Length: 0\r\n", 400, "bad_http"),
            "list of lengths": (good + b"Content-Length: 5, 5\r\n", 400, "bad_http"),
            "signed length": (good + b"Content-Length: +5\r\n", 400, "bad_http"),
            "negative length": (good + b"Content-Length: -1\r\n", 400, "bad_http"),
            "hexadecimal length": (good + b"Content-Length: 0x10\r\n", 400, "bad_http"),
            "endless length": (good + b"Content-Length: 99999999999999999999\r\n", 400, "bad_http"),
            "no host": (REQUEST + JSON + sized, 400, "bad_http"),
            "empty host": (REQUEST + b"Host:\r\n" + JSON + sized, 400, "bad_http"),
            "two hosts": (good + b"host: other\r\n" + sized, 400, "bad_http"),
            "folded field": (good + b"X-A: a\r\n b\r\n" + sized, 400, "bad_http"),
            "folded first field": (REQUEST + b" X-A: a\r\n" + HOST + JSON + sized, 400, "bad_http"),
            "bare LF": (good + b"X-A: a\n" + sized, 400, "bad_http"),
            "bare CR": (good + b"X-A: a\rb\r\n" + sized, 400, "bad_http"),
            "NUL in a field": (good + b"X-A: a\0b\r\n" + sized, 400, "bad_http"),
            "field without colon": (good + MARK.encode() + b"\r\n" + sized, 400, "bad_http"),
            "absolute form": (b"POST https://localhost/v1/tokenize HTTP/1.1\r\n" + HOST + JSON + sized,
                              400, "bad_http"),
            "authority form": (b"CONNECT localhost:443 HTTP/1.1\r\n" + HOST, 400, "bad_http"),
            "asterisk form": (b"OPTIONS * HTTP/1.1\r\n" + HOST, 400, "bad_http"),
            "two slashes": (b"POST //v1/tokenize HTTP/1.1\r\n" + HOST + JSON + sized, 400, "bad_http"),
            "two spaces": (b"POST  /v1/tokenize HTTP/1.1\r\n" + HOST + JSON + sized, 400, "bad_http"),
            "HTTP/1.0": (b"POST /v1/tokenize HTTP/1.0\r\n" + HOST + JSON + sized, 505,
                         "http_version_refused"),
            "HTTP/2.0": (b"POST /v1/tokenize HTTP/2.0\r\n" + HOST + JSON + sized, 505,
                         "http_version_refused"),
            "upgrade": (good + sized + b"Connection: Upgrade\r\nUpgrade: h2c\r\n", 400, "bad_http"),
            "GET with a body": (b"GET /v1/whoami HTTP/1.1\r\n" + HOST + sized, 400, "bad_http"),
            "long header": (good + b"X-A: " + b"x" * 70_000 + b"\r\n" + sized, 431, "headers_too_large"),
            "many fields": (good + b"X-A: a\r\n" * 200 + sized, 431, "headers_too_large"),
        }
        second = b"GET /v1/whoami HTTP/1.1\r\nHost: localhost\r\n\r\n"
        for name, (head, status, code) in forms.items():
            with self.subTest(name):
                answer = self.exchange(head + b"\r\n" + body)
                self.assert_refused(answer, status, code)
                if name in ("no length", "no host", "chunked", "length and chunked", "two lengths",
                            "folded field", "HTTP/1.0", "long header"):
                    data = self.read_all(head + b"\r\n" + body + second)
                    answers = re.findall(rb"HTTP/1\.1 \d{3} ", data)
                    self.assertEqual(len(answers), 1, "what follows is not a request")
        self.assertEqual(self.kept(), set())

    def test_a_gigabyte_is_refused_before_it_comes(self):
        start = time.monotonic()
        request = REQUEST + HOST + JSON + b"Content-Length: 1073741824\r\n"
        self.assert_refused(self.exchange(request + b"\r\n"), 413, "payload_too_large")
        data = self.read_all(request + b"Expect: 100-continue\r\n\r\n")
        self.assertTrue(data.startswith(b"HTTP/1.1 413 "), data[:40])
        self.assertLess(time.monotonic() - start, 10)

    def test_two_megabytes_that_do_come_are_answered(self):
        body = b'{"pan":"' + b"4" * (2 << 20) + b'"}'
        request = REQUEST + HOST + JSON + b"Content-Length: %d\r\n\r\n" % len(body)
        self.assert_refused(self.exchange(request + body), 413, "payload_too_large")
        self.tokenize()

    def test_media_types(self):
        body = {"pan": PAN, "customer": self.customer()}
        for kind in ("text/plain", "application/x-www-form-urlencoded", "application/jsonp",
                     "application/json; charset=utf-16", "multipart/form-data; boundary=x"):
            with self.subTest(kind=kind):
                self.assert_refused(self.send(body, {"Content-Type": kind}), 415,
                                    "unsupported_media_type")
        for kind in ("application/json; charset=utf-8", "Application/JSON;charset=UTF-8"):
            self.assertEqual(self.send(body, {"Content-Type": kind}).status, 200)
        answer = self.exchange(REQUEST + HOST + b"Content-Length: 2\r\n\r\n{}")
        self.assert_refused(answer, 415, "unsupported_media_type")

    def test_other_methods_are_named(self):
        for path, allow in (("/v1/tokenize", "POST"), ("/v1/whoami", "GET"), ("/healthz", "GET"),
                            ("/v1/tokens/tok_1", "GET, DELETE"), ("/v1/tokens/tok_1/freeze", "POST")):
            for method in ("HEAD", "OPTIONS", "PUT", "PATCH", "TRACE", "get"):
                with self.subTest(path=path, method=method):
                    answer = self.send(method=method, path=path)
                    self.assertEqual((answer.status, answer.headers["Allow"]), (405, allow))
                    self.assertEqual(answer.body == b"", method == "HEAD")

    def test_other_paths_are_not_found(self):
        for path in ("/", "/v1", "/v1/tokenize/", "/v1/Tokenize", "/v1/tokenize?pan=" + PAN, "/v1/whoami?",
                     "/v2/tokenize", "/v1/../v1/whoami", "/v1/%77hoami", "/v1/tokens/", "/v1/tokens//freeze",
                     f"/v1/tokens/{MARK}/thaw", "/readyz", "/" + MARK, "/" + "x" * 4000):
            for method in ("GET", "POST"):
                with self.subTest(path=path[:40], method=method):
                    answer = self.send({} if method == "POST" else None, method=method, path=path)
                    self.assert_refused(answer, 404, "path_not_found")

    def test_what_is_no_token_in_a_path_is_not_looked_up(self):
        for token in (PAN, MARK, "tok_1", "tok-" + "0" * 26, "7" + "0" * 17, "tok_8" + "0" * 25):
            for method, suffix in (("GET", ""), ("DELETE", ""), ("POST", "/freeze")):
                with self.subTest(token=token, method=method):
                    answer = self.send(method=method, path=f"/v1/tokens/{token}{suffix}")
                    self.assert_refused(answer, 422, "invalid_token")

    def curl(self, *arguments):
        command = ["curl", "-s", "--max-time", "20", "--cacert", self.vault.path("ca.pem"),
                   "--cert", self.vault.path("web.pem"), "--key", self.vault.path("web.key"), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout

    def test_curl_that_streams_is_told_what_to_send(self):
        url = self.vault.url("web") + "/v1/tokenize"
        body = json.dumps({"pan": PAN, "customer": self.customer()})
        streams = ("-H", "Transfer-Encoding: chunked", "-H", "Content-Type: application/json", "-d", body)
        problem = json.loads(self.curl(*streams, url))
        self.assertEqual(problem["code"], "transfer_encoding_refused")
        self.assertIn("Content-Length", problem["detail"])
        self.assertEqual(json.loads(self.curl("-0", "--no-alpn", "--json", body, url))["code"], "http_version_refused")
        self.assertEqual(json.loads(self.curl("--json", body, url))["last4"], PAN[-4:])


if __name__ == "__main__":
    unittest.main()
