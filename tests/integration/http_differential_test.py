#!/usr/bin/python3
"""Request smuggling (RFC 9112 section 11.2): the gate against two other readers of HTTP/1.1, a strict one
(h11) and a lenient one (the parser that Node.js had). Each stream of bytes, a request in a doubtful form
with a plain one behind it, goes to all three. What the gate answers as a request must be what a reader
that takes the stream sees at the same place: never another path, never a request more.

    http_differential_test.py BUILD_DIR
"""

import itertools
import json
import os
import random
import socket
import ssl
import sys
import unittest

import h11
import httptools

import lone_gate

SEED = int(os.environ.get("CARDVAULT_SEED", random.randrange(1 << 32)))
RANDOM_FORMS = 5000 if os.environ.get("CARDVAULT_LONG") else 150
INNER = b"GET /v1/tokens/tok_inner HTTP/1.1\r\nHost: a\r\n\r\n"
LAST = b"GET /v1/tokens/tok_last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
BODY = b'{"pan":"4111111111111111"}'
LINE = b"POST /v1/tokenize HTTP/1.1"
FIELDS = (b"Host: a", b"Content-Type: application/json", b"Content-Length: %d" % len(BODY))
# Answers with which the gate ends the connection: it has not taken the bytes for a request.
NOT_HTTP = ("bad_http", "http_version_refused", "transfer_encoding_refused", "length_required",
            "headers_too_large", "payload_too_large", "request_timeout")


def request(line=LINE, fields=FIELDS, body=BODY, end=b"\r\n"):
    return end.join((line, *fields)) + end + end + body


def lengths():
    """Forms of Content-Length."""
    true = len(BODY)
    with_inner = true + len(INNER)
    for value in (f"+{true}", f"-{true}", f"0{true}", f"0x{true:x}", f"{true}, {true}", f"{true},{with_inner}",
                  f"{true} {true}", f"{true}.0", f"{true}e0", f'"{true}"', f"{true}\t", f"\t{true}", f"{true}\v",
                  f"{true}\x00", "", " ", "\u0662\u0666", str(1 << 64), f"{(1 << 64) + true}", f"{(1 << 32) + true}",
                  "0", str(with_inner), f"{true};q=1", f"{true}\r", f"{true}_"):
        yield [b"Host: a", b"Content-Type: application/json", b"Content-Length: " + value.encode()]
    for one, two in itertools.permutations((true, with_inner, 0), 2):
        yield [b"Host: a", b"Content-Length: %d" % one, b"Content-Length: %d" % two]
    for name in (b"Content-Length ", b" Content-Length", b"Content-Length\t", b"Content_Length", b"Content-Length\0",
                 b"Content\xadLength", b"content-length", b"CONTENT-LENGTH", b"Content-Length\r", b"\nContent-Length",
                 b"X: a\r Content-Length", b"X: a\nContent-Length", b"X\rContent-Length", b"Content-Length:"):
        yield [b"Host: a", b"Content-Type: application/json", name + b": %d" % with_inner]
        yield [b"Host: a", b"Content-Type: application/json", b"Content-Length: %d" % true,
               name + b": %d" % with_inner]


def encodings():
    """Forms of Transfer-Encoding, alone and beside a length."""
    for name in (b"Transfer-Encoding", b"transfer-encoding", b"Transfer-Encoding ", b" Transfer-Encoding",
                 b"Transfer-Encoding\t", b"Transfer_Encoding", b"Transfer-Encoding\0", b"X: a\nTransfer-Encoding",
                 b"X: a\rTransfer-Encoding", b"X: a\r\n\tTransfer-Encoding", b"Transfer-Encod\xefng", b"TE"):
        for value in (b"chunked", b" chunked", b"\tchunked", b"\vchunked", b"chunked\v", b"Chunked", b"xchunked",
                      b"chunked, identity", b"identity, chunked", b"identity", b"gzip, chunked", b"'chunked'", b""):
            yield [b"Host: a", b"Content-Type: application/json", b"Content-Length: %d" % len(BODY),
                   name + b":" + value]
    for value in (b"chunked", b"identity"):
        yield [b"Host: a", b"Transfer-Encoding: " + value]


def lines():
    """Forms of the request line and of what stands before it."""
    for line in (b"POST /v1/tokenize HTTP/1.0", b"POST /v1/tokenize HTTP/0.9", b"POST /v1/tokenize HTTP/1.2",
                 b"POST /v1/tokenize HTTP/2.0", b"POST /v1/tokenize http/1.1", b"POST /v1/tokenize", b"POST",
                 b"POST /v1/tokenize HTTP/1.1 ", b"POST  /v1/tokenize HTTP/1.1", b" POST /v1/tokenize HTTP/1.1",
                 b"POST\t/v1/tokenize\tHTTP/1.1", b"POST /v1/tokenize HTTP/1.1\0", b"POST /v1/tokenize  HTTP/1.1",
                 b"POST http://a/v1/tokenize HTTP/1.1", b"POST a:443 HTTP/1.1", b"OPTIONS * HTTP/1.1",
                 b"POST //v1/tokenize HTTP/1.1", b"POST /v1/tokenize?x HTTP/1.1", b"POST /v1/tokenize#x HTTP/1.1",
                 b"POST /v1/x/../tokenize HTTP/1.1", b"POST /v1%2ftokenize HTTP/1.1", b"POST /v1\\tokenize HTTP/1.1",
                 b"POST /v1/tokenize;x HTTP/1.1", b"POST /v1/ tokenize HTTP/1.1", b"P\xd6ST /v1/tokenize HTTP/1.1",
                 b"\r\n" + LINE, b"\n" + LINE, b"\r\n\r\n" + LINE, b"\0" + LINE, b"PRI * HTTP/2.0", LINE.lower()):
        yield request(line)


def frames():
    """Forms of the rest: line ends, folding, hosts, upgrades, bodies where none belongs."""
    yield request(end=b"\n")
    yield request(end=b"\r")
    yield request(end=b"\r\r\n")
    yield request().replace(b"\r\n\r\n", b"\n\n")
    yield request().replace(b"\r\n\r\n", b"\r\n \r\n")
    yield request().replace(b"\r\n\r\n", b"\n\r\n")
    for more in (b"Host: b", b"Host : a", b"X: a\r\n folded", b"X: a\r\n\tContent-Length: 1", b": none", b"none",
                 b"X\0: a", b"X: a\0b", b"X: \x7f", b"Expect: 100-continue", b"Expect: other", b"Upgrade: h2c",
                 b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMA",
                 b"Connection: close", b"Connection: keep-alive", b"Connection: Content-Length", b"Trailer: Host",
                 b"Content-Encoding: gzip", b"X-HTTP-Method-Override: DELETE", b"Content-Type: text/plain"):
        yield request(fields=(*FIELDS, more))
    for host in ((), (b"Host:",), (b"Host: a, b",), (b"Host: a@b",), (b"Host: a/b",), (b"HOST: a",)):
        yield request(fields=(*host, *FIELDS[1:]))
    for method in (b"GET", b"DELETE", b"HEAD", b"OPTIONS", b"TRACE", b"CONNECT", b"PUT"):
        yield request(method + b" /v1/tokens/tok_first HTTP/1.1", (b"Host: a", b"Content-Length: %d" % len(INNER)), INNER)
        yield request(method + b" /v1/tokens/tok_first HTTP/1.1", (b"Host: a",), b"")


def forms():
    for fields in (*lengths(), *encodings()):
        yield request(fields=fields)
        yield request(fields=fields, body=BODY + INNER)
        yield request(fields=fields, body=b"%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY) + INNER)
    yield from lines()
    yield from frames()
    chance = random.Random(SEED)
    for _ in range(RANDOM_FORMS):
        head = bytearray(request(body=b""))
        for _ in range(chance.randrange(1, 4)):
            at = chance.randrange(len(head))
            what = chance.choice((b"\r", b"\n", b"\0", b" ", b"\t", b":", b",", b";", b"\v", b"\x85", b"\xa0", b"0", b"9",
                                  b"\r\n", b"\n ", b"Content-Length: 3\r\n", b"Transfer-Encoding: chunked\r\n"))
            head[at:at + chance.randrange(2)] = what
        yield bytes(head) + BODY


class Seen:
    """What a reader sees in a stream: (method, target, body) of whole requests, and whether it then
    refused the rest."""

    def __init__(self):
        self.requests = []
        self.refused = False


def strict(stream):
    seen = Seen()
    reader = h11.Connection(h11.SERVER)
    reader.receive_data(stream)
    head, body = None, b""
    try:
        while True:
            event = reader.next_event()
            if isinstance(event, h11.Request):
                head, body = event, b""
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                seen.requests.append((head.method, head.target, body))
                reader.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
                reader.send(h11.EndOfMessage())
                if reader.our_state is h11.MUST_CLOSE:
                    return seen
                reader.start_next_cycle()
            elif event is h11.PAUSED or event is h11.NEED_DATA or isinstance(event, h11.ConnectionClosed):
                return seen
    except h11.ProtocolError:
        seen.refused = True
    return seen


class Lenient:
    def __init__(self):
        self.seen = Seen()
        self.target, self.body = b"", b""

    def on_message_begin(self):
        self.target, self.body = b"", b""

    def on_url(self, url):
        self.target += url

    def on_body(self, body):
        self.body += body

    def on_message_complete(self):
        self.seen.requests.append((self.parser.get_method(), self.target, self.body))

    def read(self, stream):
        self.parser = httptools.HttpRequestParser(self)
        try:
            self.parser.feed_data(stream)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.seen.refused = True
        return self.seen


class HttpDifferential(lone_gate.GateCase):
    limits = "header_timeout_s = 1\nbody_timeout_s = 1"  # where it waits for more, that is all that follows

    def answers(self, stream):
        """(status, problem's code, body) of all that the gate answers a stream with."""
        connection = self.gate.connect()
        data = b""
        try:
            connection.sendall(stream)
            while piece := connection.recv(65536):
                data += piece
        except (ssl.SSLError, ConnectionError, socket.timeout):
            pass
        finally:
            connection.close()
        out = []
        while data:
            head, _, data = data.partition(b"\r\n\r\n")
            status = int(head.split(b" ")[1])
            if status == 100:
                continue
            length = next((int(line.split(b":")[1]) for line in head.lower().split(b"\r\n")
                           if line.startswith(b"content-length:")), 0)
            if stream.startswith(b"HEAD ") and not out:
                length = 0  # RFC 9110 section 9.3.2
            body, data = data[:length], data[length:]
            out.append((status, json.loads(body).get("code") if body else None, body))
        return out

    def compare(self, stream, answers, seen, reader):
        taken = [answer for answer in answers if answer[1] not in NOT_HTTP]
        self.assertFalse(any(a[1] in NOT_HTTP for a in answers[:-1]), "the gate went on after a refusal")
        if seen.refused:
            taken = taken[:len(seen.requests)]  # of what this reader refuses it says nothing
        self.assertLessEqual(len(taken), len(seen.requests), f"{reader} sees fewer requests")
        for (status, _, body), (method, target, sent) in zip(taken, seen.requests):
            if status == 200 and b'"token"' in body:
                name = b"tok_" + target.rsplit(b"tok_", 1)[1] if b"tok_" in target else None
                if name:
                    self.assertIn(name, body, f"{reader} sees another path")
                else:
                    self.assertEqual((method, target, sent), (b"POST", b"/v1/tokenize", BODY), reader)

    def test_no_reader_sees_other_requests(self):
        counts = {"forms": 0, "taken whole": 0, "refused": 0}
        for form in forms():
            stream = form + LAST
            with self.subTest(stream=stream, seed=SEED):
                answers = self.answers(stream)
                self.assertTrue(answers, "no answer")
                self.compare(stream, answers, strict(stream), "the strict reader")
                self.compare(stream, answers, Lenient().read(stream), "the lenient reader")
                counts["forms"] += 1
                counts["refused" if answers[0][1] in NOT_HTTP else "taken whole"] += 1
        print(f"\nseed {SEED}: {counts}", file=sys.stderr)
        self.assertGreater(counts["taken whole"], 20)  # else this compares nothing
        self.assertGreater(counts["refused"], 200)

    def test_a_doubtful_form_is_refused_even_alone(self):
        """Where readers are known to differ, the gate takes no side."""
        for fields in encodings():
            if any(field.startswith((b"TE:", b"Transfer_Encoding:")) for field in fields):
                continue  # plain fields of other names
            with self.subTest(fields=fields):
                (_, code, _), *rest = self.answers(request(fields=fields) + LAST)
                self.assertIn(code, NOT_HTTP)
                self.assertEqual(rest, [])


if __name__ == "__main__":
    unittest.main(verbosity=2)
