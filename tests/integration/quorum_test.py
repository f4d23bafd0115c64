#!/usr/bin/python3
"""What takes the custodians' quorum, on a real vault: refused without it, with too few, with what is wrong,
expired, for another act or used before; done with it; and no way round over the admin socket or the
configuration. Custodians are played with means of the test's own (custodians.py)."""

import json
import os
import re
import shutil
import tempfile
import unittest

import vault_fixture
from custodians import AdminSocket, Custodian, action_text

DONE, REFUSED, WAITS = 0, 1, 5
NAMES = ("anna", "bolat", "carol")


class Quorum(unittest.TestCase):
    """Tests run by name: the first registers two of three."""

    @classmethod
    def setUpClass(cls):
        cls.vault = vault_fixture.shared(("keys.destroy_after_days=0",))
        cls.people = [Custodian(name) for name in NAMES]
        cls.top = tempfile.mkdtemp(prefix="cardvault-quorum-")
        cls.register = os.path.join(cls.top, "custodians")

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.top, ignore_errors=True)

    def tool(self, code, *arguments):
        done = self.vault.tool(*arguments, check=False)
        self.assertEqual(done.returncode, code, (arguments, done.stdout, done.stderr))
        return done

    def admin(self, verb, arguments=(), blob=b""):
        with AdminSocket(self.vault.path("run", "cardvaultd", "admin.sock")) as line:
            return line.run(verb, arguments, blob)

    def vault_id(self):
        with open(self.register, encoding="ascii") as file:
            return re.search(r"^vault: (\w+)$", file.read(), re.MULTILINE).group(1)

    def ask(self, *command):
        """Runs a command that waits for custodians: (the folder it made, the action's text)."""
        before = set(os.listdir("."))
        self.tool(WAITS, *command)
        folder, = set(os.listdir(".")) - before
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        name, = os.listdir(folder)
        with open(os.path.join(folder, name), encoding="ascii") as file:
            return folder, file.read()

    def approve(self, folder, action, people):
        for one in people:
            with open(os.path.join(folder, one.name + ".approval"), "w", encoding="ascii") as file:
                file.write(one.approve(action))
            # What a Mac leaves beside each file on a medium.
            with open(os.path.join(folder, "._" + one.name + ".approval"), "wb") as file:
                file.write(b"\0\5\x16\7")

    def with_quorum(self, *command):
        folder, action = self.ask(*command)
        self.approve(folder, action, self.people[1:])
        return self.tool(DONE, *command, "--approvals", folder)

    def last_event(self, operation):
        return [e for e in self.vault.events(200) if e["op"] == operation][-1]

    def test_1_without_custodians_one_operator_is_enough_and_doctor_says_so(self):
        self.assertIn("no custodians are registered", self.vault.tool("doctor", check=False).stdout)
        self.tool(REFUSED, "custodian", "list")
        self.tool(DONE, "client", "add", "early", "--san", "dns:early.test", "--permissions", "tokenize")
        self.tool(DONE, "client", "change", "early", "--permissions", "tokenize,cards.read")
        self.tool(REFUSED, "gate", "approve")

    def test_2_a_register_is_taken_when_everybody_in_it_signed_it(self):
        draft = ["custodian", "draft", "--needed", "2", "--out", self.register]
        for one in self.people:
            draft += ["--custodian", f"{one.name}={one.key}"]
        self.tool(DONE, *draft)
        for one in self.people[:2]:
            one.sign_register(self.register)
        done = self.tool(REFUSED, "custodian", "register", self.register)
        self.assertIn("carol did not sign it", done.stderr)
        impostor = Custodian("carol")
        impostor.sign_register(self.register)
        done = self.tool(REFUSED, "custodian", "register", self.register)
        self.assertIn("the signature of carol is not under this text", done.stderr)
        with open(self.register, encoding="ascii") as file:
            lines = file.readlines()[:-1]
        with open(self.register, "w", encoding="ascii") as file:
            file.writelines(lines)
        self.people[2].sign_register(self.register)
        with open(self.register, "rb") as file:
            ok, message, _ = self.admin("custodians.register", {"digest": "00" * 32}, file.read())
        self.assertFalse(ok, message)
        self.tool(DONE, "custodian", "register", self.register)
        self.assertEqual([row["custodian"] for row in json.loads(
            self.tool(DONE, "--format", "json", "custodian", "list").stdout)], list(NAMES))
        self.assertIn("2 of 3 custodians approve", self.vault.tool("doctor", check=False).stdout)
        self.assertEqual(self.last_event("custodians.register")["details"]["custodians"],
                         "anna,bolat,carol")

    def test_3_what_is_wrong_is_named_and_nothing_is_done(self):
        command = ("client", "add", "shop", "--san", "dns:shop.test", "--permissions", "tokenize")
        arguments = {"id": "shop", "san": "dns:shop.test", "permissions": "tokenize"}
        anna, bolat, _ = self.people
        vault = self.vault_id()
        good = action_text(vault, "client.add", arguments)
        stranger = Custodian("anna")
        cases = {
            "too few": (good, [anna.approve(good)], "missing are bolat, carol"),
            "none": (good, [], "0 of 2 custodians needed have approved it"),
            "one of them twice": (good, [anna.approve(good)] * 2, "anna approved it twice"),
            "a stranger's key": (good, [anna.approve(good), stranger.approve(good)],
                                 "no registered custodian's key"),
            "another action's": (good, [anna.approve(good), bolat.approve(
                action_text(vault, "client.add", arguments))], "bolat approved another action"),
            "another vault": (action_text("00" * 8, "client.add", arguments), 2,
                              "the action is for the vault 0000000000000000"),
            "expired": (action_text(vault, "client.add", arguments, hours=-0.01), 2,
                        "the action expired at"),
            "too long": (action_text(vault, "client.add", arguments, hours=200), 2,
                         "expires in more than 7 days"),
            "another client": (action_text(vault, "client.add", arguments | {"id": "shop2"}), 2,
                               "id=shop2"),
            "more permissions": (good.replace("permissions=tokenize", "permissions=tokenize,detokenize"),
                                 2, "these approvals are for"),
        }
        whole = anna.approve(good)
        broken = whole[:-3] + ("11\n" if whole.endswith("00\n") else "00\n")
        cases["a broken signature"] = (good, [broken, bolat.approve(good)],
                                       "the signature of anna does not hold")
        for name, (action, approvals, expected) in cases.items():
            with self.subTest(name):
                if approvals == 2:
                    approvals = [anna.approve(action), bolat.approve(action)]
                folder = tempfile.mkdtemp(dir=self.top)
                for number, text in enumerate([action, *approvals]):
                    kind = "action" if number == 0 else "approval"
                    with open(os.path.join(folder, f"{number}.{kind}"), "w", encoding="ascii") as file:
                        file.write(text)
                done = self.tool(REFUSED, *command, "--approvals", folder)
                self.assertIn(expected, done.stderr)
        ok, message, _ = self.admin("client.add", [*arguments.items(), ("quorum.action", "nonsense")])
        self.assertFalse(ok)
        self.assertIn("the action", message)
        self.assertNotIn("shop ", self.tool(DONE, "client", "list").stdout)
        self.assertEqual(self.last_event("client.add")["outcome"], "invalid_argument")

    def test_4_with_the_quorum_it_is_done_once(self):
        command = ("client", "add", "shop", "--san", "dns:shop.test", "--permissions", "tokenize")
        folder, action = self.ask(*command)
        self.approve(folder, action, self.people[:2])
        self.tool(DONE, *command, "--approvals", folder)
        event = self.last_event("client.add")
        self.assertEqual(event["details"]["approved_by"], "anna,bolat")
        self.assertRegex(event["details"]["action"], "^[0-9a-f]{64}$")
        # Less needs nobody; the same more again needs a new word.
        self.with_quorum("client", "change", "shop", "--permissions", "tokenize,cards.read")
        self.tool(DONE, "client", "change", "shop", "--permissions", "tokenize")
        more = ("client", "change", "shop", "--reveals-per-day", "6000", "--purposes", "payment")
        folder, action = self.ask(*more)
        self.approve(folder, action, self.people)
        self.tool(DONE, *more, "--approvals", folder)
        self.tool(DONE, "client", "change", "shop", "--reveals-per-day", "10")
        self.vault.kill_and_wait()  # what was used stays used
        done = self.tool(REFUSED, *more, "--approvals", folder)
        self.assertIn("carried out already", done.stderr)
        done = self.tool(REFUSED, "client", "add", "other", "--san", "dns:o.test", "--permissions",
                         "tokenize", "--approvals", folder)
        self.assertIn("these approvals are for client.change", done.stderr)

    def test_5_keys_are_made_and_destroyed_with_it_only(self):
        keys = lambda: {row["key"]: row["state"] for row in json.loads(  # noqa: E731
            self.tool(DONE, "--format", "json", "key", "list").stdout)}
        self.ask("key", "rotate", "secret-enc")
        self.assertNotIn("secret-enc/2", keys())
        self.assertFalse(self.admin("key.activate", {"label": "secret-enc/2", "kcv": "00"})[0])
        self.with_quorum("key", "rotate", "secret-enc")
        self.tool(DONE, "key", "retire", "secret-enc/1")
        self.ask("key", "destroy", "secret-enc/1")
        self.assertFalse(self.admin("key.destroyed", {"label": "secret-enc/1"})[0])
        self.assertEqual(keys()["secret-enc/1"], "retired")
        self.with_quorum("key", "destroy", "secret-enc/1")
        self.assertEqual(keys(), keys() | {"secret-enc/1": "destroyed", "secret-enc/2": "active"})

    def test_6_the_configuration_goes_no_further_than_they_approved(self):
        path = self.vault.path("vault.toml")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        self.addCleanup(self.vault.up_again)
        wide = text.replace('permissions = ["tokenize",', 'permissions = ["detokenize", "tokenize",', 1)
        self.assertNotEqual(wide, text)

        def write(content):
            with open(path, "w", encoding="utf-8") as file:
                file.write(content)

        self.addCleanup(write, text)
        write(wide)
        done = self.tool(REFUSED, "reload")
        self.assertIn("the old configuration holds", done.stderr)
        self.assertIn('gate "web" would have more permissions: detokenize', done.stderr)
        self.assertIn("cardvault gate approve", done.stderr)
        for change in (("client_per_day = 5000", "client_per_day = 0"),
                       ("/run/web.sock", "/run/../run/processor.sock")):
            write(text.replace(*change, 1))
            self.assertIn("allows more than the custodians", self.tool(REFUSED, "reload").stderr)
        write(text.replace('"cards.manage", ', "", 1))
        self.assertIn("holds now", self.tool(DONE, "reload").stderr)
        write(wide)
        folder, action = self.ask("gate", "approve")
        self.assertIn("argument: gate.web=clients=web permissions=", action)
        self.approve(folder, action, self.people[:2])
        self.tool(DONE, "gate", "approve", "--approvals", folder)
        self.assertIn("holds now", self.tool(DONE, "reload").stderr)
        # At the start too, and the tool can mend it on the stopped vault.
        write(wide.replace('permissions = ["detokenize",', 'permissions = ["otp.clear", "detokenize",', 1))
        self.vault.down()
        with self.assertRaises(RuntimeError) as refused:
            self.vault.up()
        self.assertIn("would have more permissions: otp.clear", str(refused.exception))
        self.vault.down()
        self.with_quorum("gate", "approve")
        self.vault.up_again()
        self.vault.wait_ready()

    def test_7_other_custodians_take_the_word_of_those_before(self):
        dana = Custodian("dana")
        fresh = os.path.join(self.top, "custodians.2")
        draft = ["custodian", "draft", "--needed", "2", "--out", fresh]
        for one in (*self.people[1:], dana):
            draft += ["--custodian", f"{one.name}={one.key}"]
        self.tool(DONE, *draft)
        for one in (*self.people[1:], dana):
            one.sign_register(fresh)
        command = ("custodian", "register", fresh)
        folder, action = self.ask(*command)
        self.approve(folder, action, (self.people[0], dana))
        self.assertIn("no registered custodian's key",
                      self.tool(REFUSED, *command, "--approvals", folder).stderr)
        self.approve(folder, action, self.people[:2])
        os.unlink(os.path.join(folder, "dana.approval"))
        self.tool(DONE, *command, "--approvals", folder)
        self.assertEqual(self.last_event("custodians.register")["details"]["before"], "anna,bolat,carol")
        type(self).people = [*self.people[1:], dana]
        self.with_quorum("client", "change", "shop", "--permissions", "tokenize,cards.read")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="cardvault-quorum-") as here:
        os.chdir(here)
        unittest.main()
