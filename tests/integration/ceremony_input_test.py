#!/usr/bin/python3
"""What custodians, plans and modules get wrong at a ceremony."""

import os
import subprocess
import unittest

from ceremonies import Ceremonies
from ceremony_table import SOFTHSM, Gone, Sitting


class BadInput(Ceremonies):
    def test_a_wrong_passphrase_and_a_wrong_key_are_named(self):
        table = self.table(read_back=False, cards=(), media=())
        sitting = self.run_plan(table)
        sitting.answers = {"anna: passphrase": ["not it at all", table.passphrase("bolat"),
                                                table.passphrase("anna")],
                           "bolat: passphrase": [table.passphrase("bolat")]}
        self.assertEqual(sitting.run(), 0, sitting.text[-2000:])
        self.assertEqual(sitting.text.count("This passphrase is wrong."), 2)

    def test_five_wrong_passphrases_end_it_and_it_goes_on(self):
        table = self.table(read_back=False, cards=(), media=())
        sitting = self.run_plan(table)
        sitting.answers = {"bolat: passphrase": ["wrong"] * 5}
        self.assertEqual(sitting.run(), 1)
        self.assertIn("bolat was not authenticated in 5 tries", sitting.text)
        again = self.hold(table)
        self.assertNotIn("anna signs the plan", again.text)
        self.assertIn("bolat signs the plan", again.text)

    def test_another_ones_key_is_not_taken(self):
        table = self.table(read_back=False, cards=(), media=())
        text = self.read(table.plan)
        with open(table.plan, "w", encoding="utf-8") as file:  # anna's place names bolat's key
            file.write(text.replace(f'key_place = "{table.key("anna")}"', f'key_place = "{table.key("bolat")}"'))
        sitting = self.run_plan(table)
        sitting.answers = {r"anna: passphrase of your key .*bolat": [table.passphrase("bolat")],
                           "anna: path of your key": [table.key("anna")]}
        self.assertEqual(sitting.run(), 0, sitting.text[-2000:])
        self.assertIn("but anna's in the plan is p256:", sitting.text)

    def test_less_than_yes_is_no(self):
        table = self.table(read_back=False, cards=(), media=())
        for answer in ("yes", "Y", "", "Yes!"):
            sitting = self.run_plan(table)
            sitting.answers = {"do you sign it": [answer]}
            self.assertEqual(sitting.run(), 1, sitting.text)
            self.assertIn("not confirmed with exactly", sitting.text)
        self.assertFalse(os.path.exists(os.path.join(table.dir, "token")))

    def test_a_plan_changed_after_signing_is_refused(self):
        table = self.table(read_back=False, cards=(), media=())
        sitting = self.run_plan(table)
        sitting.leave_at = 4
        with self.assertRaises(Gone):
            sitting.run()
        text = self.read(table.plan)
        with open(table.plan, "w", encoding="utf-8") as file:
            file.write(text.replace("so-pin = 3", "so-pin = 2"))
        sitting = self.run_plan(table)
        self.assertEqual(sitting.run(), 1)
        self.assertIn("the plan is not the one that this ceremony began with", sitting.text)
        with open(table.plan, "w", encoding="utf-8") as file:
            file.write(text)
        self.hold(table)
        self.assert_whole(table)

    def test_mistyped_shares_are_named_line_by_line(self):
        table = self.table(cards=(), media=())
        sitting = self.run_plan(table)
        def mistyped():
            line = sitting.papers["anna", "so-pin"][1]  # the first share that anybody types
            return line[:8] + ("A" if line[8] != "A" else "B") + line[9:]
        sitting.answers = {"Line 2 of 4": [mistyped]}
        self.assertEqual(sitting.run(), 0, sitting.text[-2000:])
        self.assertEqual(sitting.text.count("Line 2 again: its check does not hold"), 1)

    def test_an_existing_vault_or_token_is_never_touched(self):
        table = self.table(read_back=False, cards=(), media=())
        self.hold(table)
        before = {name: os.stat(os.path.join(table.dir, name)).st_mtime_ns for name in os.listdir(table.dir)}
        sitting = self.run_plan(table)
        self.assertEqual(sitting.run(), 4)
        self.assertIn("a vault is there already", sitting.text)
        self.assertEqual(before, {name: os.stat(os.path.join(table.dir, name)).st_mtime_ns
                                  for name in os.listdir(table.dir)})

    def test_a_module_that_cannot_do_it_is_named_before_anything_is_made(self):
        table = self.table(read_back=False, cards=(), media=())
        text = self.read(table.plan)
        with open(table.plan, "w", encoding="utf-8") as file:
            file.write(text.replace(SOFTHSM, "/usr/lib/x86_64-linux-gnu/libz.so.1"))
        sitting = self.run_plan(table)
        self.assertEqual(sitting.run(), 4)
        self.assertIn("cannot load hsm.module", sitting.text)
        self.assertNotIn("signs the plan", sitting.text)
        self.assertFalse(os.path.exists(table.dir))

    def test_a_token_that_is_there_already_is_refused_before_anybody_signs(self):
        table, tokens = self.table_with_a_shim()
        subprocess.run(["softhsm2-util", "--init-token", "--free", "--label", "cardvault", "--so-pin", "12345678",
                        "--pin", "12345678"], env=table.env, check=True, capture_output=True)
        before = {name: os.stat(os.path.join(tokens, name)).st_mtime_ns for name in os.listdir(tokens)}
        sitting = self.run_plan(table)
        self.assertEqual(sitting.run(), 4, sitting.text)
        self.assertIn('a token labelled "cardvault" is there already, and is never overwritten', sitting.text)
        self.assertNotIn("signs the plan", sitting.text)
        self.assertEqual(before, {name: os.stat(os.path.join(tokens, name)).st_mtime_ns for name in os.listdir(tokens)})

    def test_a_new_passphrase_is_asked_for_until_it_can_be_one(self):
        table = self.table(cards=(), media=())
        path = os.path.join(self.top, "zoe.key")
        asking = Sitting(table, "custodian", "key", "create", path)
        typed = ["short", "long enough it is", "but not the same", "long enough it is", "long enough it is"]
        asking.RULES = [(r"(New passphrase for|The same once more)[^\r\n]*: ", "new"), *Sitting.RULES]
        asking._new = lambda _: asking._secret(typed.pop(0))
        self.assertEqual(asking.run(), 0, asking.text)
        self.assertEqual((asking.text.count("A passphrase has 12 to 256 characters."),
                          asking.text.count("The two are not the same.")), (1, 1))
        self.assertEqual(typed, [])
        self.assertTrue(os.path.exists(path))

    def test_a_module_that_lacks_one_mechanism_is_refused_with_its_name(self):
        table, tokens = self.table_with_a_shim()
        for mechanism, name in (("0x1080", "CKM_AES_KEY_GEN"), ("0x251", "CKM_SHA256_HMAC"),
                                ("0x2109", "take backup-key out of the plan")):
            with self.subTest(name):
                table.env["CARDVAULT_SHIM_HIDE"] = mechanism
                sitting = self.run_plan(table)
                self.assertEqual(sitting.run(), 4, sitting.text)
                self.assertIn("lacks", sitting.text)
                self.assertIn(name, sitting.text)
                self.assertNotIn("signs the plan", sitting.text)
                self.assertEqual(os.listdir(tokens), [])
                self.assertFalse(os.path.exists(table.dir))

    def test_a_changed_transcript_is_found_out(self):
        table = self.table(read_back=False, cards=(), media=())
        self.hold(table)
        path = self.transcript(table)
        text = self.read(path)
        for before, after in (("approvals = 3", "approvals = 2"), ("kcv=", "kcv=0"), ("index=4", "index=5"),
                              ("custodian=anna", "custodian=erik"), ("hardware=no", "hardware=yes")):
            changed = os.path.join(self.top, "changed")
            with open(changed, "w", encoding="utf-8") as file:
                file.write(text.replace(before, after, 1))
            done = table.tool("ceremony", "verify", changed)
            self.assertNotEqual(done.returncode, 0, before)
        with open(os.path.join(self.top, "cut"), "w", encoding="utf-8") as file:
            file.write(text[:-20])
        self.assertEqual(table.tool("ceremony", "verify", os.path.join(self.top, "cut")).returncode, 4)


if __name__ == "__main__":
    unittest.main()
