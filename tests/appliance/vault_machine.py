"""The machine that the appliance's tests are about: installed, given a vault, booted, among its networks."""

import contextlib
import http.client
import json
import os
import re
import shutil
import socket
import ssl
import tempfile
import threading
import time
import unittest

import machine as machines
from custodians import Custodians
from machine import inside, run

HERE = os.path.dirname(os.path.abspath(__file__))
SYSTEMD = os.path.join(HERE, "..", "..", "systemd")
PORTS = {"web": 9443, "processor": 9444, "auditor": 9445}
VISA, MASTERCARD = "4111111111111111", "5555555555554444"


class Pinned(http.client.HTTPSConnection):
    """To an address, for the name in the demo certificates."""

    def __init__(self, address, port, context, timeout=15):
        super().__init__(address, port, timeout=timeout, context=context)

    def connect(self):
        raw = socket.create_connection((self.host, self.port), self.timeout)
        self.sock = self._context.wrap_socket(raw, server_hostname="localhost")


class VaultMachine(unittest.TestCase):
    """A machine with the package, a vault in it and clients in the networks around it."""

    unseal = "pin-source"  # as in the plan of its ceremony
    root = "vault"         # of the machine, in the folder

    @classmethod
    def setUpClass(cls):
        cls.networks = {}
        cls.addClassCleanup(cls.tear_down)
        cls.machine = machines.Machine(machines.debian(cls.folder, cls.package), os.path.join(cls.folder, cls.root))
        cls.certificates = os.path.join(cls.folder, "certificates")
        shutil.rmtree(cls.certificates, ignore_errors=True)
        os.makedirs(cls.certificates)
        run("bash", os.path.join(SYSTEMD, "demo-certificates.sh"), cls.certificates, *PORTS, "--", *PORTS, "stranger")
        cls.install(cls.package)
        m = cls.machine
        table = tempfile.mkdtemp(prefix="cardvault-table-")
        cls.addClassCleanup(shutil.rmtree, table)
        cls.custodians = Custodians(m, table, cls.unseal)
        cls.custodians.hold()
        for name in ("ca.pem", "crl.pem"):
            shutil.copy(os.path.join(cls.certificates, name), m.path("/etc/cardvault/" + name))
        for gate in PORTS:
            cls.give_certificate(gate, os.path.join(cls.certificates, "gates", gate))
        for name in PORTS:
            shutil.copy(os.path.join(cls.certificates, name + ".pem"), m.path(f"/root/{name}.pem"))
        shutil.copy(cls.probe_library, m.path("/usr/lib/probe.so"))
        for path, source in (("/etc/nftables.conf", "cardvault.nft"), ("/root/bins.csv", None)):
            shutil.copy(os.path.join(SYSTEMD, "examples", source) if source else os.path.join(SYSTEMD, "demo-bins.csv"), m.path(path))
        m.prepare("systemctl", "enable", "nftables.service", "cardvault.target")
        cls.boot()
        m.run("cardvault", "bin", "import", "/root/bins.csv")
        for name, permissions in (("web", "tokenize,cards.read,cards.manage,otp.seal,otp.verify"),
                                  ("processor", "detokenize"), ("auditor", "audit.read,metrics.read")):
            cls.custodians.approved("client", "add", name, "--cert", f"/root/{name}.pem", "--permissions", permissions,
                                    *(["--purposes", "payment"] if name == "processor" else []))

    @classmethod
    def boot(cls):
        cls.machine.boot()
        for network in cls.networks.values():
            network.close()
        # As in the shipped rules; the bank's systems are in none of the subnets they know.
        cls.networks = {name: machines.Network(name, *addresses) for name, addresses in {
            "web": ("192.0.2.2", "192.0.2.1", 28), "processor": ("198.51.100.10", "198.51.100.1", 24),
            "collector": ("203.0.113.5", "203.0.113.1", 28), "bank": ("10.20.30.40", "10.20.30.1", 24)}.items()}
        for network in cls.networks.values():
            network.plug_into(cls.machine)
        if cls.unseal == "custodians":
            cls.wait_sealed()
            cls.custodians.unseal()
        cls.wait_ready()

    @classmethod
    def tear_down(cls):
        if getattr(cls, "machine", None) is not None:
            cls.machine.power_off()
        for network in cls.networks.values():
            network.close()

    @classmethod
    def install(cls, package):
        shutil.copy(package, cls.machine.path("/root/vault.deb"))
        cls.machine.prepare("dpkg", "-i", "/root/vault.deb")

    @classmethod
    def give_certificate(cls, gate, source):
        """As a bank's own deployment would: beside it, then renamed over it."""
        with open(cls.machine.path("/etc/passwd"), encoding="utf-8") as accounts:
            owner = int(re.search(rf"^cardvault-{gate}:[^:]*:(\d+):", accounts.read(), re.M)[1])
        for end, mode in ((".pem", 0o644), (".key", 0o600)):
            new = cls.machine.path(f"/etc/cardvault/gates/{gate}{end}.new")
            shutil.copy(source + end, new)
            os.chmod(new, mode)
            os.chown(new, owner, owner)
            os.rename(new, new[:-4])

    @classmethod
    def context(cls, client):
        context = ssl.create_default_context(cafile=os.path.join(cls.certificates, "ca.pem"))
        base = os.path.join(cls.certificates, client)
        context.load_cert_chain(base + ".pem", base + ".key")
        return context

    @classmethod
    def connect(cls, client, timeout=15):
        network = {"auditor": "collector"}.get(client, client)
        with inside(cls.networks[network].namespace):
            line = Pinned(cls.networks[network].machine_address, PORTS[client], cls.context(client), timeout)
            line.connect()
        return line

    @staticmethod
    def ask(line, path, body=None):
        line.request("GET" if body is None else "POST", path, body and json.dumps(body),
                     {"Content-Type": "application/json"} if body else {})
        answer = line.getresponse()
        return answer.status, answer.read()

    @classmethod
    def wait_ready(cls, seconds=60):
        """Until every gate has its daemon."""
        end = time.monotonic() + seconds
        for client in PORTS:
            while True:
                try:
                    line = cls.connect(client, 5)
                    status, body = cls.ask(line, "/v1/whoami")
                    line.close()
                    if status in (200, 403):
                        break
                    why = f"{status} {body[:200]}"
                except (OSError, http.client.HTTPException) as problem:
                    why = repr(problem)
                if time.monotonic() > end:
                    raise RuntimeError(f"gate {client} does not answer: {why}\n" + cls.machine.journal("cardvault*")[-3000:])
                time.sleep(0.2)

    @classmethod
    def wait_sealed(cls, seconds=60):
        """Until the processors' gate has a daemon that is sealed, and waits for custodians."""
        end = time.monotonic() + seconds
        while True:
            try:
                with contextlib.closing(cls.connect("processor", 5)) as line:
                    status, body = cls.ask(line, "/v1/whoami")
                if status == 503 and json.loads(body).get("code") == "sealed":
                    return
                why = f"{status} {body[:200]}"
            except (OSError, http.client.HTTPException) as problem:
                why = repr(problem)
            if time.monotonic() > end:
                raise RuntimeError(f"it is not sealed: {why}\n" + cls.machine.journal("cardvault*")[-3000:])
            time.sleep(0.2)

    def ask_once(self, client, path, body):
        with contextlib.closing(self.connect(client)) as line:
            return self.ask(line, path, body)

    def store(self, customer, pan=VISA):
        status, body = self.ask_once("web", "/v1/tokenize", {"pan": pan, "expiry": "2029-12", "customer": customer})
        self.assertEqual(status, 200, body)
        return json.loads(body)["token"]

    def reveal(self, token):
        status, body = self.ask_once("processor", "/v1/detokenize", {"token": token, "purpose": "payment"})
        self.assertEqual(status, 200, body)
        return json.loads(body)["pan"]

    def under_load(self, act):
        """Runs `act` while cards are stored. Returns what failed for good, after 503 and cut lines were tried again; every
        acknowledged card is revealed afterwards."""
        stored, lost, cut, stop = {}, [], [0], threading.Event()

        def client(number):
            line, customer = None, 0
            while not stop.is_set():
                customer += 1
                name = f"+7702{number:02}{int(time.monotonic()) % 1000:03}{customer:04}"
                for _ in range(200):  # at most 20 s
                    try:
                        line = line or self.connect("web")
                        status, body = self.ask(line, "/v1/tokenize", {"pan": MASTERCARD, "customer": name})
                    except (OSError, http.client.HTTPException):
                        cut[0] += 1
                        if line is not None:
                            line.close()
                        line = None
                        time.sleep(0.1)
                        continue
                    if status == 200:
                        stored[name] = json.loads(body)["token"]
                        break
                    if status != 503:
                        lost.append((status, body))
                        break
                    time.sleep(0.1)
                else:
                    lost.append("no answer in 20 s")
            if line is not None:
                line.close()

        threads = [threading.Thread(target=client, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        try:
            time.sleep(1)
            act()
            time.sleep(1)
        finally:
            stop.set()
            for thread in threads:
                thread.join(60)
        self.wait_ready()
        self.assertEqual(lost, [])
        self.assertGreater(len(stored), 20)
        sample = list(stored.items())[-200:]
        for _, token in sample:
            self.assertEqual(self.reveal(token), MASTERCARD)
        return cut[0], len(stored)
