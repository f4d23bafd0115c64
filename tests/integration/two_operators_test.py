#!/usr/bin/python3
"""What takes two operators takes place when a second one asks for it too, on a running vault and on a
stopped one. Needs root: operators are told apart by their uid."""

import os
import unittest

import vault_fixture

DONE, REFUSED, WAITS = 0, 1, 5
SECOND = vault_fixture.SECOND_UID
CUSTOMER = "+77090000001"


@unittest.skipIf(os.geteuid() != 0, "acts as other accounts")
class TwoOperators(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.vault = vault_fixture.shared(vault_fixture.OPERATORS)
        if len(cls.vault.settings) == 1:  # the first time: its clients are registered by one operator
            cls.vault.settings.append('admin.two_operators=["client.release", "client.add", '
                                      '"recipient.remove", "otp.unlock", "token.unfreeze", '
                                      '"customer.unfreeze", "clock.confirm"]')
            cls.vault.down()
            cls.vault.up()

    def run_as(self, uid, code, *arguments, **options):
        done = self.vault.tool(*arguments, check=False, uid=uid, **options)
        self.assertEqual(done.returncode, code, (arguments, done.stdout, done.stderr))
        return done

    def frozen(self, client="web"):
        return self.vault.request(client, "GET", "/v1/whoami").code == "client_frozen"

    def freeze(self, client="web"):
        self.vault.tool("client", "freeze", client)
        self.assertTrue(self.frozen(client))

    def test_one_operator_alone_releases_nobody(self):
        self.freeze()
        first = self.run_as(None, WAITS, "client", "release", "web")
        self.assertIn("second has to run the same command before 20", first.stderr)
        self.assertIn("client.release id=web", first.stderr)
        self.assertEqual(first.stdout, "")
        again = self.run_as(None, WAITS, "client", "release", "web")
        self.assertIn("you have asked for this already", again.stderr)
        self.assertTrue(self.frozen())
        self.run_as(SECOND, DONE, "client", "release", "web")
        self.assertFalse(self.frozen())
        events = self.vault.events(50)
        asked = [e for e in events if e["op"] == "approval.request"][-2:]
        self.assertEqual([e["actor"] for e in asked], ["operator:root"] * 2)
        self.assertEqual([e["outcome"] for e in asked], ["ok", "approval_needed"])
        self.assertEqual({e["details"]["act"] for e in asked}, {"client.release id=web"})
        released = [e for e in events if e["op"] == "client.release"]
        self.assertEqual((released[-1]["actor"], released[-1]["details"]["requested_by"]),
                         ("operator:second", "operator:root"))

    def test_an_approval_is_used_up(self):
        for round_of_two in range(2):
            with self.subTest(round=round_of_two):
                self.freeze()
                self.run_as(SECOND, WAITS, "client", "release", "web")
                self.run_as(None, DONE, "client", "release", "web")
                self.assertFalse(self.frozen())

    def test_no_word_is_noted_before_there_is_anything_to_undo(self):
        before = self.vault.events(1)[0]["seq"]
        refused = self.run_as(SECOND, REFUSED, "client", "release", "web")
        self.assertIn("'web' is not frozen", refused.stderr)
        self.freeze()
        self.run_as(None, WAITS, "client", "release", "web")
        self.assertTrue(self.frozen())
        self.run_as(SECOND, DONE, "client", "release", "web")
        card = {"pan": "4111111111111111", "customer": CUSTOMER}
        token = self.vault.request("web", "POST", "/v1/tokenize", card).json()["token"]
        for what in (("token", "unfreeze", token), ("clock", "confirm"),
                     ("customer", "unfreeze"), ("otp", "unlock")):
            with self.subTest(what=what):
                refused = self.run_as(SECOND, REFUSED, *what, stdin=CUSTOMER + "\n")
                self.assertIn("there is nothing to", refused.stderr)
        asked = [e["actor"] for e in self.vault.events(50)
                 if e["op"] == "approval.request" and e["seq"] > before]
        self.assertEqual(asked, ["operator:root"])

    def test_a_freeze_voids_the_words_for_a_release(self):
        self.freeze()
        self.run_as(None, WAITS, "client", "release", "web")
        self.freeze()  # for a reason of its own
        self.run_as(SECOND, WAITS, "client", "release", "web")
        self.assertTrue(self.frozen())
        self.run_as(None, DONE, "client", "release", "web")

    def test_a_word_for_an_unlock_is_for_the_wrong_tries_before_it(self):
        phone = "+77090000019"
        unlock = ("otp", "unlock")
        enter = lambda: self.assertEqual(self.vault.verify(phone, "verify_login", "000000").status, 403)  # noqa: E731
        enter()
        self.run_as(SECOND, WAITS, *unlock, stdin=phone + "\n")
        for _ in range(2):
            enter()
        self.assertEqual(self.vault.verify(phone, "verify_login", "000000").code, "locked")
        done = self.run_as(None, WAITS, *unlock, stdin=phone + "\n")
        self.assertIn("yours is noted", done.stderr)
        self.assertEqual(self.vault.verify(phone, "verify_login", "000000").code, "locked")
        self.run_as(SECOND, DONE, *unlock, stdin=phone + "\n")  # nothing was counted since
        self.assertEqual(self.vault.verify(phone, "verify_login", "000000").status, 403)

    def test_another_act_is_not_approved_by_it(self):
        self.freeze("web")
        self.freeze("processor")
        self.run_as(None, WAITS, "client", "release", "web")
        self.run_as(SECOND, WAITS, "client", "release", "processor")
        self.assertTrue(self.frozen("web") and self.frozen("processor"))
        self.run_as(SECOND, DONE, "client", "release", "web")
        self.run_as(None, DONE, "client", "release", "processor")
        self.assertFalse(self.frozen("web") or self.frozen("processor"))

    def test_what_is_wrong_is_refused_to_the_first_already(self):
        self.run_as(None, REFUSED, "client", "add", "X y", "--san", "dns:x.test", "--permissions",
                    "tokenize")
        self.run_as(None, REFUSED, "client", "add", "web", "--san", "dns:x.test", "--permissions",
                    "tokenize")
        more = ("client", "add", "two", "--san", "dns:two.test", "--permissions")
        self.run_as(None, WAITS, *more, "tokenize")
        self.run_as(SECOND, WAITS, *more, "tokenize,detokenize")
        self.run_as(SECOND, DONE, *more, "tokenize")
        self.assertIn("two ", self.vault.tool("client", "list").stdout)

    def test_a_customer_stands_in_no_record_of_it(self):
        phone = "+77090000017"
        for who in (phone, "+77090000018"):
            self.assertEqual(self.vault.verify(who, "verify_login", "000000").status, 403)
        self.run_as(None, WAITS, "otp", "unlock", stdin=phone + "\n")
        self.run_as(SECOND, WAITS, "otp", "unlock", stdin="+77090000018\n")
        self.run_as(SECOND, DONE, "otp", "unlock", stdin=phone + "\n")
        for event in self.vault.events(20):
            self.assertNotIn(phone[1:], str(event))

    def test_what_is_not_listed_takes_one(self):
        self.run_as(SECOND, DONE, "client", "freeze", "auditor")
        self.run_as(None, WAITS, "client", "release", "auditor")
        self.run_as(SECOND, DONE, "client", "release", "auditor")


class StoppedVault(unittest.TestCase):
    """Runs after TwoOperators, whose vault it stops."""

    def test_the_rule_holds_in_process_and_across_restarts(self):
        test = TwoOperators()
        TwoOperators.setUpClass()
        vault = test.vault
        self.addCleanup(vault.up_again)
        test.freeze()
        test.run_as(None, WAITS, "client", "release", "web")
        vault.down()
        test.run_as(None, WAITS, "client", "release", "web")
        test.run_as(SECOND, DONE, "client", "release", "web")
        test.run_as(SECOND, WAITS, "recipient", "remove", "acquirer")
        vault.up_again()
        self.assertFalse(test.frozen())
        self.assertIn("acquirer", vault.tool("recipient", "list").stdout)
        test.run_as(None, DONE, "recipient", "remove", "acquirer")
        self.assertNotIn("acquirer", vault.tool("recipient", "list").stdout)


def load_tests(loader, _tests, _pattern):
    suite = loader.loadTestsFromTestCase(TwoOperators)
    if os.geteuid() == 0:
        suite.addTests(loader.loadTestsFromTestCase(StoppedVault))
    return suite


if __name__ == "__main__":
    unittest.main()
