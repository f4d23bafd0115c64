#!/usr/bin/python3
"""Events of a real vault on a syslog socket: each as one message of RFC 5424; a receiver that hangs,
vanishes or returns slows no request and is an alarm."""

import os
import re
import socket
import tempfile
import time
import unittest

import vault_fixture

HEAD = re.compile(r"<(\d{1,3})>1 (\S+) (\S+) cardvault (\d+) (\S{1,32}) ")
ELEMENT = re.compile(r'\[([^ =\]"]+)((?: [^ =\]"]+="(?:[^"\\\]]|\\["\\\]])*")*)\]')
PARAMETER = re.compile(r' ([^ =\]"]+)="((?:[^"\\\]]|\\["\\\]])*)"')


def parse(message):
    """(severity, time, operation, parameters) of a message that is RFC 5424 to the letter."""
    text = message.decode("utf-8")
    head = HEAD.match(text)
    assert head and "\n" not in text, text
    facility, severity = divmod(int(head[1]), 8)
    assert facility == 13, text
    parameters, at = {}, head.end()
    while at < len(text) and text[at] == "[":
        element = ELEMENT.match(text, at)
        assert element, text
        name, found = element[1].split("@")[0], dict(PARAMETER.findall(element[2]))
        parameters |= found if name == "event" else {"details": found}
        at = element.end()
    assert text[at] == " ", text
    return severity, head[2], head[5], parameters


class Receiver:
    def __init__(self, path):
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        os.chmod(path, 0o666)  # the daemon is another user

    def until(self, wanted, seconds=60):
        """Every message up to the first that is wanted."""
        end, messages = time.monotonic() + seconds, []
        while not messages or not wanted(messages[-1]):
            self.socket.settimeout(max(0.01, end - time.monotonic()))
            messages.append(parse(self.socket.recv(65536)))
        return messages

    def close(self):
        self.socket.close()
        os.unlink(self.path)


class Siem(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        held = tempfile.TemporaryDirectory(prefix="cardvault-siem-")
        cls.addClassCleanup(held.cleanup)
        os.chmod(held.name, 0o711)
        cls.path = os.path.join(held.name, "log")
        cls.receiver = Receiver(cls.path)
        cls.vault = vault_fixture.shared([f"audit.syslog={cls.path}"])

    def tokenize(self, customer):
        body = {"pan": "4111111111111111", "customer": customer}
        answer = self.vault.request("web", "POST", "/v1/tokenize", body)
        self.assertEqual(answer.status, 200, answer)
        return answer.json()["token"]

    def of(self, token):
        return lambda message: message[3].get("resource") == token

    def wait_for_event(self, matches, seconds=60):
        end = time.monotonic() + seconds
        while True:
            found = [e for e in self.vault.events(5000) if matches(e)]
            if found:
                return found[-1]
            self.assertLess(time.monotonic(), end, "the event did not come")
            time.sleep(0.2)

    def test_1_each_event_is_a_message(self):
        messages = self.receiver.until(self.of(self.tokenize("+77010000301")))
        numbers = [int(m[3]["seq"]) for m in messages]
        self.assertEqual(numbers, list(range(numbers[0], numbers[0] + len(numbers))))
        events = {e["seq"]: e for e in self.vault.events(5000)}
        for severity, when, operation, parameters in messages:
            event = events[int(parameters["seq"])]
            self.assertEqual((when, operation), (event["time"], event["op"]))
            self.assertEqual(severity == 6, event["outcome"] == "ok")
            for name, value in event.items():
                if name == "details":
                    self.assertEqual(parameters["details"], value)
                elif name != "time":
                    self.assertEqual(parameters[name], str(value))

    def test_2_a_hanging_receiver_slows_nothing_and_is_an_alarm(self):
        before = [e for e in self.vault.events(5000) if e["outcome"] == "siem_unavailable"]  # of a slow start
        began, slowest = time.monotonic(), 0
        for n in range(400):  # more than the socket's queue takes
            sent = time.monotonic()
            token = self.tokenize(f"siem-{n // 5}")
            slowest = max(slowest, time.monotonic() - sent)
        self.assertLess(slowest, 4, "less than the patience with the receiver")
        alarm = self.wait_for_event(lambda e: e["outcome"] == "siem_unavailable" and e not in before)
        self.assertEqual(alarm["details"]["lost"], "0")
        self.assertGreater(time.monotonic() - began, 4)
        self.receiver.until(self.of(token))
        recovered = self.receiver.until(lambda m: m[2] == "siem.recovered")[-1]
        self.assertEqual(recovered[3]["details"]["lost"], "0")

    def test_3_a_receiver_that_vanishes_and_returns_misses_nothing(self):
        alarms = [e for e in self.vault.events(5000) if e["outcome"] == "siem_unavailable"]
        before = self.receiver.until(self.of(self.tokenize("+77010000302")))
        self.receiver.close()
        token = self.tokenize("+77010000303")
        self.wait_for_event(lambda e: e["outcome"] == "siem_unavailable" and e not in alarms)
        type(self).receiver = Receiver(self.path)
        messages = self.receiver.until(self.of(token))
        self.assertEqual(int(messages[0][3]["seq"]), int(before[-1][3]["seq"]) + 1)
        self.receiver.until(lambda m: m[2] == "siem.recovered")
        metrics = self.vault.request("auditor", "GET", "/metrics").body.decode()
        self.assertIn("cardvault_siem_lost_events 0", metrics)


if __name__ == "__main__":
    unittest.main()
