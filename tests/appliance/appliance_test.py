#!/usr/bin/python3
"""The packages on a Debian that is booted for real, seen from the three networks around it.

    appliance_test.py PACKAGE PROBE FOLDER [unittest arguments]     as ./dev appliance calls it; needs root

FOLDER keeps the Debian between runs. web, processor, collector and bank are network namespaces joined to
the machine by veth; what may pass between them, the shipped nftables rules say.
"""

import contextlib
import hashlib
import os
import pathlib
import re
import shutil
import socket
import struct
import subprocess
import sys
import time
import unittest

from machine import inside, run
from vault_machine import HERE, PORTS, VISA, Pinned, VaultMachine

GATES = [f"cardvault-gate@{name}.service" for name in PORTS]


class Appliance(VaultMachine):
    package, probe_library, folder = sys.argv[1:4]

    # ---- it works ----

    def test_cards_go_in_from_the_web_tier_and_out_to_the_processor_alone(self):
        token = self.store("+77010000001")
        self.assertEqual(self.reveal(token), VISA)
        status, body = self.ask_once("web", "/v1/detokenize", {"token": token, "purpose": "payment"})
        self.assertEqual(status, 403, body)

    def test_everything_runs_as_the_units_say_and_doctor_finds_no_error(self):
        self.assertEqual(self.machine.run("systemctl", "--failed", "--no-legend", "--plain").stdout, "")
        for unit in ["cardvaultd.service"] + GATES:
            self.assertEqual(self.machine.show(unit, "ActiveState"), "active", unit)
        self.assertNotIn("\nerror", "\n" + self.machine.run("cardvault", "doctor", check=False).stdout)

    def test_its_custodians_made_it(self):
        said = self.machine.run("cardvault", "custodian", "list").stdout
        for name in ("anna", "bolat", "carol", "dana", "erik"):
            self.assertIn(name, said)
        refused = self.machine.run("cardvault", "client", "change", "web", "--permissions", "tokenize,detokenize",
                                   check=False)
        self.assertEqual(refused.returncode, 5, refused.stderr)  # not by an operator alone

    def test_each_process_is_another_account_without_a_capability(self):
        accounts = set()
        for unit in ["cardvaultd.service"] + GATES:
            pid = self.machine.show(unit, "MainPID")
            status = self.machine.run("cat", f"/proc/{pid}/status").stdout
            accounts.add(re.search(r"^Uid:\s+(\d+)", status, re.M)[1])
            for line in ("CapEff:\t0000000000000000", "CapBnd:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"):
                self.assertIn(line, status, unit)
        self.assertEqual(len(accounts), 4)
        self.assertNotIn("0", accounts)

    # ---- no other way in or out ----

    def reaches(self, namespace, address, port):
        with inside(namespace):
            s = socket.socket()
        s.settimeout(2)
        try:
            s.connect((address, port))
            return True
        except OSError:
            return False
        finally:
            s.close()

    def test_only_the_allowed_paths_lead_in(self):
        open_paths = {("web", 9443), ("processor", 9444), ("collector", 9445)}
        for name, network in self.networks.items():
            for port in [22, 80, *PORTS.values()]:
                self.assertEqual(self.reaches(network.namespace, network.machine_address, port), (name, port) in open_paths, (name, port))

    def test_the_networks_do_not_reach_one_another_through_the_vault(self):
        self.machine.run("sysctl", "-q", "-w", "net.ipv4.ip_forward=1")  # were it on by mistake
        try:
            for source in self.networks.values():
                for target in self.networks.values():
                    if source is target:
                        continue
                    with inside(target.namespace):
                        listener = socket.create_server((target.address, 8080))
                    self.assertFalse(self.reaches(source.namespace, target.address, 8080), (source.name, target.name))
                    listener.close()
        finally:
            self.machine.run("sysctl", "-q", "-w", "net.ipv4.ip_forward=0")

    def test_nothing_leads_out_for_root_either(self):
        for target in self.networks.values():
            with inside(target.namespace):
                listener = socket.create_server((target.address, 8080))
            tried = self.machine.run("timeout", "3", "bash", "-c", f"exec 3<>/dev/tcp/{target.address}/8080", check=False)
            self.assertNotEqual(tried.returncode, 0, target.name)
            listener.settimeout(0.1)
            with self.assertRaises(TimeoutError):
                listener.accept()
            listener.close()

    def test_a_stranger_certificate_of_the_same_ca_can_do_nothing(self):
        with inside(self.networks["web"].namespace):
            line = Pinned(self.networks["web"].machine_address, 9443, self.context("stranger"))
            line.connect()
        with contextlib.closing(line):
            status, _ = self.ask(line, "/v1/cards/search", {"customer": "+77010000001"})
        self.assertIn(status, (401, 403))

    # ---- from inside each process ----

    def probe(self, unit, act, at=""):
        """How it ended: "SYS" when the kernel killed the process, else what the probe said."""
        text = f"[Service]\nEnvironment=LD_PRELOAD=/usr/lib/probe.so CARDVAULT_PROBE={act} CARDVAULT_PROBE_AT={at}\nRestart=no\n"
        self.machine.run("sh", "-c", f"mkdir -p /run/systemd/system/{unit}.d && cat >/run/systemd/system/{unit}.d/probe.conf", input=text)
        since = self.machine.run("date", "+%s.%N").stdout.strip()
        try:
            self.machine.run("systemctl", "daemon-reload")
            self.machine.run("systemctl", "stop", unit)
            self.machine.run("systemctl", "start", unit, check=False)
            end = time.monotonic() + 20
            while time.monotonic() < end:
                said = self.machine.run("journalctl", "--no-pager", "-o", "cat", "-u", unit, f"--since=@{since}", check=False).stdout
                found = re.search(r"^probe: \S+ (.*)$", said, re.M)
                if found:
                    return found[1]
                ended = re.search(r"Main process exited, code=(?:killed|dumped), status=\d+/(\S+)", said)
                if ended:
                    return ended[1]
                time.sleep(0.2)
            self.fail(f"{unit} neither tried nor died for {act}:\n{said}")
        finally:
            self.machine.run("rm", "-r", f"/run/systemd/system/{unit}.d")
            self.machine.run("systemctl", "daemon-reload")
            self.machine.run("systemctl", "reset-failed", unit, check=False)
            self.machine.run("systemctl", "restart", unit)

    def test_a_taken_gate_reaches_nothing(self):
        gate = "cardvault-gate@web.service"
        self.assertEqual(self.probe(gate, "nothing"), "succeeded")  # the probe itself is let work
        for act, at in (("connect", ""), ("unix", "/run/cardvault/cardvaultd/admin.sock"), ("exec", ""), ("fork", ""),
                        ("ptrace", ""), ("memory", ""), ("signal", ""), ("code", ""), ("write", "/tmp/x"), ("io_uring", "")):
            self.assertEqual(self.probe(gate, act, at), "SYS", act)
        for path in ("/var/lib/cardvault/data/vault.db", "/var/lib/cardvault/pin", "/var/lib/cardvault/token",
                     "/etc/cardvault/gates/processor.key", "/etc/shadow"):
            self.assertIn(self.probe(gate, "read", path), ("Permission denied", "No such file or directory"), path)
        self.wait_ready()

    def test_a_taken_gate_asserts_no_client_above_its_ceiling(self):
        """In the web gate's process and confinement, frames to the real daemon that claim to come from others."""
        token = self.store("+77010000007")

        def claim(number, client, request):
            path = os.path.join(self.certificates, client + ".pem")
            key = subprocess.run(["openssl", "x509", "-in", path, "-noout", "-pubkey"], check=True, capture_output=True)
            der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=key.stdout, check=True,
                                 capture_output=True)
            caller = hashlib.sha256(der.stdout).digest() + struct.pack("<H", 0) + text("192.0.2.2") + text("01")
            return struct.pack("<IBQ", 9 + len(caller) + len(request), 2, number) + caller + request

        def text(value):
            return struct.pack("<H", len(value)) + value.encode()

        whoami = b"\x06"
        reveal = b"\x01\x00" + struct.pack("<H", 1) + text(token) + text("payment") + b"\x00" + text("") + b"\x00"
        frames = (claim(1, "web", whoami) + claim(2, "processor", whoami) + claim(3, "processor", reveal) +
                  claim(4, "web", reveal) + claim(5, "auditor", whoami) + claim(6, "stranger", whoami))
        said = self.probe("cardvault-gate@web.service", "protocol", frames.hex())
        answers = {}
        for frame in map(bytes.fromhex, said.split()):
            _, kind, number = struct.unpack("<IBQ", frame[:13])
            self.assertEqual(kind, 3, said)
            self.assertNotIn(VISA.encode(), frame)
            answers[number] = frame[13]
        whoami_answer, failure = 6, 0
        self.assertEqual(answers, {1: whoami_answer, 2: failure, 3: failure, 4: failure, 5: failure, 6: failure}, said)
        self.wait_ready()
        self.assertEqual(self.reveal(token), VISA)  # through the gate that may

    def test_the_daemon_itself_reaches_no_network_and_writes_its_own_folders_alone(self):
        unit = "cardvaultd.service"
        self.assertEqual(self.probe(unit, "nothing"), "succeeded")
        for act in ("connect", "exec", "fork", "ptrace", "memory", "signal", "code", "io_uring"):
            self.assertEqual(self.probe(unit, act), "SYS", act)
        for path in ("/var/lib/cardvault/token/x", "/etc/cardvault/x", "/var/lib/cardvault/x", "/tmp/x"):
            self.assertIn(self.probe(unit, "write", path), ("Permission denied", "Read-only file system"), path)
        self.assertEqual(self.probe(unit, "write", "/var/lib/cardvault/data/x"), "succeeded")  # the test can fail
        self.wait_ready()

    def test_of_the_machine_s_sockets_the_daemon_reaches_those_of_its_gates_alone(self):
        unit = "cardvaultd.service"
        self.assertEqual(self.probe(unit, "unix", "/run/cardvault/web.sock"), "succeeded")  # the test can fail
        for path in ("/run/dbus/system_bus_socket", "/run/systemd/journal/stdout", "/run/systemd/private"):
            self.machine.run("test", "-S", path)
            self.assertEqual(self.probe(unit, "unix", path), "No such file or directory", path)
        # The journal for [audit] syslog is there, of datagrams.
        self.assertEqual(self.probe(unit, "unix", "/dev/log"), "Protocol wrong type for socket")
        self.wait_ready()

    def test_no_code_comes_out_of_what_the_daemon_may_write(self):
        unit = "cardvaultd.service"
        self.assertEqual(self.probe(unit, "load", "/usr/lib/probe.so"), "succeeded")  # as a PKCS#11 module
        for path in ("/var/lib/cardvault/data/vault.db", "/var/lib/cardvault/audit/checkpoint"):
            self.assertEqual(self.probe(unit, "load", path), "Operation not permitted", path)
        self.wait_ready()

    # ---- it stays up ----

    def test_restarting_each_unit_under_load_loses_nothing(self):
        for unit in ["cardvaultd.service", "cardvault-gate@web.service"]:
            cut, _ = self.under_load(lambda unit=unit: self.machine.run("systemctl", "restart", unit))
            if unit == "cardvaultd.service":
                self.assertEqual(cut, 0, "a gate keeps its connections while the daemon restarts")

    def test_a_killed_daemon_is_back_by_itself(self):
        cut, _ = self.under_load(lambda: self.machine.run("systemctl", "kill", "-s", "KILL", "cardvaultd.service"))
        self.assertEqual(cut, 0)

    def test_what_stands_still_is_started_anew(self):
        token = self.store("+77010000008")
        for unit in ("cardvaultd.service", "cardvault-gate@web.service"):
            self.assertEqual(self.machine.show(unit, "Type"), "notify")
            before = self.machine.show(unit, "MainPID")
            self.machine.run("kill", "-STOP", before)
            end = time.monotonic() + 60
            while self.machine.show(unit, "MainPID") in ("0", before):
                self.assertLess(time.monotonic(), end, f"{unit} still stands")
                time.sleep(0.5)
            self.assertIn("Watchdog timeout", self.machine.journal(unit))
        self.wait_ready()
        self.assertEqual(self.reveal(token), VISA)

    def test_a_gates_certificate_is_exchanged_without_a_restart(self):
        def served():
            with contextlib.closing(self.connect("web")) as line:
                return line.sock.getpeercert(binary_form=True)

        before = served()
        renewed = os.path.join(self.folder, "renewed")
        shutil.rmtree(renewed, ignore_errors=True)
        shutil.copytree(self.certificates, renewed)
        key = os.path.join(renewed, "gates", "web.key")
        request, out = os.path.join(renewed, "csr"), os.path.join(renewed, "gates", "web.pem")
        env = dict(os.environ, CLIENT="none")
        configuration = os.path.join(self.certificates, "ca", "openssl.cnf")
        run("openssl", "req", "-new", "-config", configuration, "-key", key, "-subj", "/O=cardvault demo/CN=renewed", "-out", request, env=env)
        run("openssl", "ca", "-batch", "-notext", "-config", configuration, "-extensions", "server", "-in", request, "-out", out, env=env)
        kept = self.connect("web")
        self.give_certificate("web", os.path.join(renewed, "gates", "web"))
        self.machine.run("systemctl", "reload", "cardvault-gate@web.service")
        end = time.monotonic() + 20
        while served() == before:
            self.assertLess(time.monotonic(), end, "the new certificate is not served")
            time.sleep(0.2)
        with contextlib.closing(kept):
            self.assertEqual(self.ask(kept, "/v1/whoami")[0], 200, "a live connection goes on")

    def test_the_package_is_upgraded_and_rolled_back_under_load(self):
        newer = os.path.join(self.folder, "newer.deb")
        unpacked = os.path.join(self.folder, "newer")
        shutil.rmtree(unpacked, ignore_errors=True)
        run("dpkg-deb", "-R", self.package, unpacked)
        control = pathlib.Path(unpacked, "DEBIAN", "control")
        text = control.read_text(encoding="utf-8")
        old = re.search(r"^Version: (.*)$", text, re.M)[1]
        control.write_text(text.replace(f"Version: {old}", f"Version: {old}+next"), encoding="utf-8")
        run("dpkg-deb", "--root-owner-group", "-b", unpacked, newer)
        token = self.store("+77010000009")
        for package, version in ((newer, old + "+next"), (self.package, old)):
            shutil.copy(package, self.machine.path("/root/vault.deb"))
            self.under_load(lambda: self.machine.run("dpkg", "-i", "--force-downgrade", "/root/vault.deb"))
            self.assertEqual(self.machine.run("dpkg-query", "-W", "-f=${Version}", "cardvault").stdout, version)
            self.assertEqual(self.reveal(token), VISA)

    def test_reboot_and_power_cut_keep_every_card(self):
        tokens = [self.store(f"+7705{n:07}") for n in range(20)]
        self.machine.power_off()
        self.boot()
        tokens += [self.store(f"+7706{n:07}") for n in range(20)]
        self.machine.kill()
        self.boot()
        for token in tokens:
            self.assertEqual(self.reveal(token), VISA)


class UnsealedByCustodians(VaultMachine):
    """Its PIN is in no file: three custodians bring it, and with survive_crash systemd keeps it over a crash."""

    package, probe_library, folder = sys.argv[1:4]
    unseal, root = "custodians", "sealed-vault"
    unit = "cardvaultd.service"

    def survive_crash(self, wanted):
        """The drop-in of docs/custody.md and the setting, then a start: it is sealed, and opened."""
        with open(os.path.join(HERE, "..", "..", "docs", "custody.md"), encoding="utf-8") as file:
            path, text = re.search(r"```\n# (/etc/systemd/\S+)\n(.*?)```", file.read(), re.S).groups()
        self.machine.run("sh", "-c", f"mkdir -p $(dirname {path}) && cat >{path}", input=text)
        self.machine.run("sed", "-i", r"/^survive_crash/d; s/^\[unseal\].*/&\nsurvive_crash = " + wanted + "/", "/etc/cardvault/vault.toml")
        self.machine.run("systemctl", "daemon-reload")
        self.machine.run("systemctl", "stop", self.unit)
        self.machine.run("systemctl", "start", self.unit)
        self.wait_sealed()
        self.custodians.unseal()
        self.wait_ready()

    def crash(self):
        before = self.machine.show(self.unit, "MainPID")
        self.machine.run("systemctl", "kill", "-s", "KILL", self.unit)
        end = time.monotonic() + 30
        while self.machine.show(self.unit, "MainPID") in ("0", before):
            self.assertLess(time.monotonic(), end, "it is not started anew")
            time.sleep(0.1)

    def kept(self):
        return int(self.machine.show(self.unit, "NFileDescriptorStore"))

    def test_a_crash_heals_by_itself_until_seal_stop_or_reboot(self):
        self.survive_crash("true")
        token = self.store("+77010000011")
        for _ in range(3):
            self.crash()
            self.wait_ready()
            self.assertEqual(self.kept(), 1)
            self.assertEqual(self.reveal(token), VISA)
        cut, _ = self.under_load(self.crash)
        self.assertEqual(cut, 0)
        self.machine.run("systemctl", "restart", self.unit)
        self.wait_ready()
        self.assertEqual(self.kept(), 1)

        self.machine.run("cardvault", "seal")
        self.wait_sealed()
        self.assertEqual(self.kept(), 0)
        self.crash()
        self.wait_sealed()

        self.custodians.unseal()
        self.wait_ready()
        self.assertEqual(self.kept(), 1)
        self.machine.run("systemctl", "stop", self.unit)
        self.assertEqual(self.kept(), 0)
        self.machine.run("systemctl", "start", self.unit)
        self.wait_sealed()

        self.custodians.unseal()
        self.wait_ready()
        self.machine.power_off()
        pin = self.custodians.user_pin().decode()
        found = run("grep", "-rlaF", pin, self.machine.root, check=False)
        self.assertEqual(found.stdout, "", "the PIN is on the disk")
        self.boot()  # which waits for a sealed vault
        self.assertEqual(self.reveal(token), VISA)

    def test_without_it_a_crash_seals(self):
        self.survive_crash("false")
        token = self.store("+77010000012")
        self.crash()
        self.wait_sealed()
        self.assertEqual(self.kept(), 0)
        self.custodians.unseal()
        self.wait_ready()
        self.assertEqual(self.reveal(token), VISA)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0]] + sys.argv[4:], verbosity=2)
