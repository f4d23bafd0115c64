"""The tool on a real vault, running and stopped; what `init` leaves behind; what `./dev up` keeps up."""

import json
import os
import pathlib
import re
import select
import shlex
import shutil
import signal
import stat
import subprocess
import tempfile
import time
import unittest

import pexpect

import vault_fixture

CARD = {"pan": "4111111111111111", "expiry": "2029-12", "customer": "+77010000001"}
TOOL = os.path.join(vault_fixture.PROGRAMS, "cardvault")


def init(folder, *options, **how):
    return subprocess.run([TOOL, "init", "--dir", folder, "--daemon-user", "61001",
                           "--gate", "web=61002", *options],
                          capture_output=True, text=True, timeout=120, **how)


@unittest.skipIf(os.geteuid() != 0, "gives files to other accounts")
class Init(unittest.TestCase):
    def setUp(self):
        self.top = tempfile.mkdtemp(prefix="cardvault-init-")
        self.dir = os.path.join(self.top, "vault")

    def tearDown(self):
        shutil.rmtree(self.top)

    def test_gives_each_part_to_its_owner(self):
        self.assertEqual(init(self.dir).returncode, 0)
        for name, uid, mode in [("pin", 61001, 0o400), ("so-pin", 0, 0o400), ("data", 61001, 0o700),
                                ("data/vault.db", 61001, 0o600), ("token", 0, 0o750),
                                ("vault.toml", 0, 0o644)]:
            found = os.stat(os.path.join(self.dir, name))
            self.assertEqual((found.st_uid, stat.S_IMODE(found.st_mode)), (uid, mode), name)
        for folder, _, files in os.walk(os.path.join(self.dir, "token")):
            for name in files:
                found = os.stat(os.path.join(folder, name))
                self.assertEqual((found.st_uid, found.st_mode & 0o222), (0, 0), name)

    def test_a_folder_named_from_here_is_written_down_whole(self):
        self.assertEqual(init("vault", cwd=self.top).returncode, 0)
        for name in ("vault.toml", "gate-web.toml", "softhsm2.conf"):
            text = pathlib.Path(self.dir, name).read_text(encoding="utf-8")
            self.assertIn(self.dir, text, name)
            self.assertNotRegex(text, '["= ]vault/', name)

    def test_makes_folders_that_the_vaults_accounts_pass_whatever_the_mask(self):
        for mask in (0o077, 0o027, 0):
            top = os.path.join(self.top, f"{mask:o}")
            folder, settings = os.path.join(top, "vault"), os.path.join(top, "etc", "cardvault")
            done = init(folder + "/", "--config-dir", settings, umask=mask)
            self.assertEqual(done.returncode, 0, done.stderr)
            for made in (top, folder, f"{folder}/run", f"{folder}/run/cardvaultd", f"{top}/etc", settings):
                self.assertEqual(stat.S_IMODE(os.stat(made).st_mode), 0o755, (oct(mask), made))
            self.assertNotIn("//", pathlib.Path(settings, "vault.toml").read_text(encoding="utf-8"))

    def test_keeps_its_configuration_on_another_file_system_too(self):
        if os.stat("/dev/shm").st_dev == os.stat(self.top).st_dev:
            self.skipTest("there is one file system")
        with tempfile.TemporaryDirectory(dir="/dev/shm") as settings:
            done = init(self.dir, "--config-dir", settings)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertEqual(sorted(os.listdir(settings)), ["gate-web.toml", "softhsm2.conf", "vault.toml"])
            for name in os.listdir(settings):
                self.assertEqual(stat.S_IMODE(os.stat(os.path.join(settings, name)).st_mode), 0o644)
            self.assertFalse(os.path.exists(os.path.join(self.dir, "init.tmp")))

    def test_a_folder_that_it_may_not_write_to_is_found_before_anything_is_made(self):
        os.chmod(self.top, 0o755)
        settings, folder = os.path.join(self.top, "etc"), os.path.join(self.top, "open")
        os.mkdir(settings)
        os.mkdir(folder)
        os.chown(folder, 61001, 61001)
        done = init(folder, "--config-dir", settings, user=61001, group=61001, extra_groups=[])
        self.assertEqual(done.returncode, 4)
        self.assertIn(f"{settings}: Permission denied", done.stderr)
        self.assertEqual(os.listdir(folder), [])

    def test_a_name_that_softhsms_configuration_would_cut_off_is_refused(self):
        for name in ("vault #1", "vault=1"):
            refused = init(os.path.join(self.top, name))
            self.assertEqual(refused.returncode, 2)
            self.assertIn("has # or =", refused.stderr)
        self.assertEqual(os.listdir(self.top), [])

    def test_makes_every_key_with_its_check_value(self):
        done = init(self.dir, "--format", "json")
        keys = json.loads(done.stdout)
        self.assertEqual(
            {key["key"] for key in keys},
            {f"{name}/1" for name in ("pan-enc", "pan-index", "id-index", "id-enc", "otp-mac",
                                      "secret-enc", "seal-sign", "audit-sign", "client-ca")})
        for key in keys:
            self.assertRegex(key["check value"], "^[0-9a-f]{10}$")
            self.assertEqual(key["faults"], "")

    def test_two_vaults_share_no_pin(self):
        init(self.dir)
        init(self.dir + "2")
        pins = [pathlib.Path(folder, name).read_text(encoding="ascii")
                for folder in (self.dir, self.dir + "2") for name in ("pin", "so-pin")]
        self.assertEqual(len(set(pins)), 4)
        for pin in pins:
            self.assertRegex(pin, "^[A-Z2-7]{32}$")

    def test_refuses_an_existing_vault_and_changes_nothing(self):
        init(self.dir)
        before = subprocess.check_output(["find", self.dir, "-printf", "%p %T@ %s\n"])
        again = init(self.dir)
        self.assertEqual(again.returncode, 4)
        self.assertIn("a vault is there already", again.stderr)
        self.assertEqual(subprocess.check_output(["find", self.dir, "-printf", "%p %T@ %s\n"]), before)
        other = init(self.dir + "-other", "--config-dir", self.dir)
        self.assertIn("a vault is there already", other.stderr)
        self.assertFalse(os.path.exists(self.dir + "-other"))

    def test_leaves_nothing_half_made(self):
        for left in ([], ["vault"]):  # of nothing, and of a folder that was there
            failed = init(self.dir, "--module", "/usr/lib/x86_64-linux-gnu/libm.so.6")
            self.assertEqual(failed.returncode, 4)
            self.assertEqual(os.listdir(self.top), left)
            os.makedirs(self.dir, exist_ok=True)
        self.assertEqual(os.listdir(self.dir), [])
        self.assertEqual(init(self.dir).returncode, 0)

    def test_can_be_run_again_after_a_kill(self):
        for delay in (0.02, 0.1, 0.3, 0.6):
            process = subprocess.Popen([TOOL, "init", "--dir", self.dir, "--daemon-user", "61001",
                                        "--gate", "web=61002"],
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(delay)
            process.send_signal(signal.SIGKILL)
            process.wait()
            if os.path.exists(os.path.join(self.dir, "vault.toml")):
                break
        else:
            self.assertEqual(init(self.dir).returncode, 0)
        # vault.toml is moved last: a kill after it may leave the folder, with nothing secret in it.
        stage = os.path.join(self.dir, "init.tmp")
        left = os.listdir(stage) if os.path.exists(stage) else []
        self.assertLessEqual(set(left), {"softhsm2.stage.conf"})


class SetConfig(unittest.TestCase):
    def test_what_a_link_leads_to_is_changed_and_the_link_stays(self):
        with tempfile.TemporaryDirectory(prefix="cardvault-set-") as top:
            folder, kept = os.path.join(top, "vault"), os.path.join(top, "kept.toml")
            os.mkdir(folder)
            with open(kept, "w", encoding="utf-8") as file:
                file.write("[policy]\ncards_per_customer = 5  # as decided\n")
            link = os.path.join(folder, "vault.toml")
            os.symlink("../kept.toml", link)
            subprocess.run(["/usr/bin/python3", os.path.join(vault_fixture.ROOT, "systemd", "set_config.py"), folder,
                            "policy.cards_per_customer=3"], check=True, timeout=60)
            self.assertEqual(os.readlink(link), "../kept.toml")
            with open(kept, encoding="utf-8") as file:
                self.assertEqual(file.read(), "[policy]\ncards_per_customer = 3\n")
            self.assertEqual(sorted(os.listdir(top) + os.listdir(folder)), ["kept.toml", "vault", "vault.toml"])


class Dev(unittest.TestCase):
    def test_a_folder_is_named_from_where_its_caller_stands(self):
        with tempfile.TemporaryDirectory() as folder:
            os.mkdir(os.path.join(folder, "v 1"))
            done = subprocess.run([os.path.join(vault_fixture.ROOT, "dev"), "down", "v 1"], cwd=folder,
                                  capture_output=True, text=True, timeout=30)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn(f"no vault runs in {os.path.realpath(folder)}/v 1", done.stderr)


class Tool(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vault = vault_fixture.shared(vault_fixture.OPERATORS)

    def json(self, *arguments):
        return json.loads(self.vault.tool("--format", "json", *arguments).stdout)

    def token(self):
        return self.vault.request("web", "POST", "/v1/tokenize", CARD).json()["token"]

    def test_a_frozen_client_is_refused_within_a_second_on_its_live_connection(self):
        self.assertEqual(self.vault.request("web", "GET", "/v1/whoami").status, 200)
        self.vault.tool("client", "freeze", "web")
        time.sleep(0.5)
        self.assertEqual(self.vault.request("web", "GET", "/v1/whoami").code, "client_frozen")
        self.vault.release("web")
        time.sleep(0.5)
        self.assertEqual(self.vault.request("web", "GET", "/v1/whoami").status, 200)

    def test_a_new_client_may_ask_at_once(self):
        self.assertEqual(self.vault.request("acquirer", "GET", "/v1/whoami").code, "client_unknown")
        self.vault.tool("client", "add", "acquirer", "--cert", self.vault.path("acquirer.pem"),
                        "--permissions", "cards.read")
        self.assertIn("acquirer", [client["client"] for client in self.json("client", "list")])
        again = self.vault.tool("client", "add", "acquirer", "--cert",
                                self.vault.path("acquirer.pem"), "--permissions", "cards.read",
                                check=False)
        self.assertEqual(again.returncode, 1)
        self.assertNotEqual(again.stderr, "")

    def test_of_operators_who_add_one_client_at_once_one_does(self):
        for number in range(5):
            client = f"raced-{number}"
            tries = [subprocess.Popen(
                self.vault.tool_command("client", "add", client, "--san", f"dns:{client}-{each}.test",
                                        "--permissions", "tokenize"),
                stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) for each in range(8)]
            said = [one.communicate(timeout=60)[1] for one in tries]
            added = [each for each, one in enumerate(tries) if one.returncode == 0]
            self.assertEqual(len(added), 1, said)
            rows = json.loads(self.vault.tool("--format", "json", "client", "list").stdout)
            row, = (row for row in rows if row["client"] == client)
            self.assertIn(f"dns:{client}-{added[0]}.test", row.values())

    def test_tokens_can_be_looked_at_frozen_and_deleted(self):
        token = self.token()
        shown = self.vault.tool("token", "inspect", token).stdout
        self.assertIn("1111", shown)
        self.assertNotIn(CARD["pan"], shown)
        self.vault.tool("token", "freeze", token)
        reveal = {"token": token, "purpose": "payment"}
        self.assertEqual(
            self.vault.request("processor", "POST", "/v1/detokenize", reveal).code, "card_frozen")
        self.vault.tool("token", "unfreeze", token)
        self.vault.tool("token", "delete", token)
        self.assertEqual(
            self.vault.request("processor", "POST", "/v1/detokenize", reveal).code, "token_not_found")
        self.assertEqual(self.vault.tool("token", "inspect", token, check=False).returncode, 1)

    def test_a_customer_is_frozen_by_stdin(self):
        self.token()
        command = [TOOL, "--config", self.vault.path("vault.toml"), "customer"]
        subprocess.run([*command, "freeze"], input=CARD["customer"] + "\n", text=True, check=True)
        self.assertEqual(self.vault.request("web", "POST", "/v1/tokenize", CARD).code, "customer_frozen")
        subprocess.run([*command, "unfreeze"], input=CARD["customer"] + "\n", text=True, check=True)
        self.assertEqual(self.vault.request("web", "POST", "/v1/tokenize", CARD).status, 200)

    def test_a_bad_bin_file_is_named_by_line_and_changes_nothing(self):
        rows = len(self.json("bin", "lookup", "41111111"))
        with tempfile.NamedTemporaryFile("w", suffix=".csv") as file:
            file.write("iin_start,iin_end,number_length,number_luhn,scheme,brand,type,prepaid,country,"
                       "bank_name\n51000000,,16,,mastercard,,debit,,KZ,Bank\nabc,,,,,,,,,\n")
            file.flush()
            done = self.vault.tool("bin", "import", file.name, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"(?m)^3 ")
        self.assertEqual(len(self.json("bin", "lookup", "41111111")), rows)

    def test_events_name_the_operator(self):
        self.vault.tool("status")
        lines = self.vault.tool("--format", "json", "audit", "tail", "-n", "5").stdout.splitlines()
        operators = {event["actor"] for event in map(json.loads, lines) if event["op"] == "status"}
        self.assertEqual(len(operators), 1)
        self.assertRegex(operators.pop(), "^operator:.+")

    def test_another_operator_s_name_is_refused(self):
        done = self.vault.tool("--operator", "somebody-else", "status", check=False)
        self.assertEqual(done.returncode, 1)

    def test_a_backup_opens_as_a_database(self):
        target = self.vault.path("data", "backup-1")
        self.vault.tool("backup", "copy", target)
        self.assertEqual(sorted(os.listdir(target)), ["reveal.db", "vault.db"])
        self.assertEqual(self.vault.tool("backup", "copy", target, check=False).returncode, 1)

    def test_doctor_finds_no_error_in_a_new_vault_and_says_what_a_software_token_is(self):
        done = self.vault.tool("--format", "json", "doctor")
        findings = json.loads(done.stdout)
        self.assertEqual([f for f in findings if f["severity"] == "error"], [])
        self.assertTrue(any("not a secure cryptographic device" in f["what"] for f in findings))

    def test_a_table_fits_a_narrow_terminal(self):
        command = shlex.join(self.vault.tool_command("doctor"))
        lines = pexpect.run(command, dimensions=(24, 80), timeout=60).decode().splitlines()
        self.assertIn("SEVERITY  WHAT", lines[0])
        for line in lines:
            if len(line) > 80:  # only for a word that can be copied whole
                self.assertGreater(max(len(word) for word in line.split()), 30, line)
        whole = self.vault.tool("doctor", check=False).stdout
        self.assertEqual(" ".join(whole.split()).count("error"), " ".join(lines).count("error"))
        self.assertGreater(len(lines), len(whole.splitlines()))

    def test_doctor_finds_a_pin_that_everybody_may_read(self):
        pin = self.vault.path("pin")
        os.chmod(pin, 0o444)
        try:
            done = self.vault.tool("doctor", check=False)
        finally:
            os.chmod(pin, 0o400)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stdout, r"error +PIN file .*chmod 0440")


class Up(unittest.TestCase):
    """Last: it stops and starts the shared vault."""

    def setUp(self):
        self.vault = vault_fixture.shared(vault_fixture.OPERATORS)

    def pid(self, name):
        with open(self.vault.path(f"{name}.pid"), encoding="ascii") as file:
            return int(file.read())

    def wait_for(self, condition):
        end = time.monotonic() + 60
        while not condition():
            self.assertLess(time.monotonic(), end)
            time.sleep(0.02)

    def test_1_what_dies_comes_back(self):
        token = self.vault.request("web", "POST", "/v1/tokenize", CARD).json()["token"]
        self.vault.kill_and_wait()
        self.assertEqual(self.vault.request("web", "POST", "/v1/tokenize", CARD).json()["token"], token)
        gate = self.pid("gate-web")
        os.kill(gate, signal.SIGKILL)
        self.vault.forget_connections()
        self.wait_for(lambda: self.pid("gate-web") != gate)
        self.vault.wait_ready()
        self.assertEqual(self.vault.request("web", "POST", "/v1/tokenize", CARD).json()["token"], token)

    def test_2_the_tool_works_on_a_stopped_vault_and_leaves_it_usable(self):
        token = self.vault.request("web", "POST", "/v1/tokenize", CARD).json()["token"]
        self.vault.down()
        frozen = self.vault.tool("token", "freeze", token)
        self.assertIn("no vault runs", frozen.stderr)
        self.assertIn("frozen", self.vault.tool("token", "inspect", token).stdout)
        self.vault.up()
        reveal = {"token": token, "purpose": "payment"}
        self.assertEqual(
            self.vault.request("processor", "POST", "/v1/detokenize", reveal).code, "card_frozen")
        self.vault.tool("token", "unfreeze", token)
        answer = self.vault.request("processor", "POST", "/v1/detokenize", reveal)
        self.assertEqual(answer.json()["pan"], CARD["pan"])

    def test_3_a_running_vault_is_not_started_twice(self):
        done = subprocess.run(["./dev", "up", self.vault.dir], cwd=vault_fixture.ROOT,
                              capture_output=True, text=True, timeout=600)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("already runs", done.stderr)

    def test_4_everything_dies_with_its_supervisor_and_the_vault_is_resumed(self):
        processes = [os.pidfd_open(self.pid(name))
                     for name in ("daemon", *(f"gate-{gate}" for gate in vault_fixture.GATES))]
        os.kill(self.pid("supervisor"), signal.SIGKILL)
        for process in processes:
            self.assertTrue(select.select([process], [], [], 60)[0])
            os.close(process)
        self.vault.forget_connections()
        with self.assertRaises(OSError):
            self.vault.connect("web", timeout=2)
        self.vault.up()
        self.assertEqual(self.vault.request("web", "POST", "/v1/tokenize", CARD).status, 200)

    def test_5_the_folder_holds_what_it_should(self):
        for name in ("vault.toml", "ca.pem", "audit.vkey", "daemon.pid", "url", "log", "audit"):
            self.assertTrue(os.path.exists(self.vault.path(name)), name)
        for client in ("web", "processor", "auditor", "sms-gateway", "acquirer"):
            self.assertTrue(os.path.exists(self.vault.path(f"{client}.pem")), client)
            self.assertEqual(os.stat(self.vault.path(f"{client}.key")).st_mode & 0o77, 0, client)
        with open(self.vault.path("url"), encoding="ascii") as one, \
             open(self.vault.path("web.url"), encoding="ascii") as other:
            self.assertEqual(one.read(), other.read())
        with open(self.vault.path("log"), encoding="utf-8") as log:
            self.assertIsNone(re.search(CARD["pan"], log.read()))


if __name__ == "__main__":
    unittest.main()
