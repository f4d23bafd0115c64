#!/usr/bin/python3
"""The pages for assessors name tests in italics: each is one that can be run under that name."""

import os
import re
import unittest

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
PAGES = ("threat-model.md", "pci.md")


def texts(folder, names):
    for where, _, files in os.walk(os.path.join(ROOT, folder)):
        for name in files:
            if re.fullmatch(names, name):
                with open(os.path.join(where, name), encoding="utf-8") as file:
                    yield file.read()


class PageNames(unittest.TestCase):
    def test_every_test_named_is_there(self):
        registered = {word for folder in ("tests", "provisioning") for text in texts(folder, r"CMakeLists\.txt")
                      for word in re.findall(r"\w+", text)}
        registered |= {f"unit_{room}" for room in registered}
        behaviours = {f"{subject}.{behaviour}" for text in texts("tests", r".*\.cc")
                      for subject, behaviour in re.findall(r"^TEST(?:_[FP])?\((\w+), (\w+)\)", text, re.MULTILINE)}
        for page in PAGES:
            with open(os.path.join(ROOT, "docs", page), encoding="utf-8") as file:
                named = re.findall(r"(?<!\*)\*([A-Za-z]\w*(?:_|\.)[\w.]*)(?:\\\*)?\*(?!\*)", file.read())
            self.assertGreater(len(named), 15, page)
            for name in named:
                with self.subTest(page=page, name=name):
                    self.assertTrue(any(one.startswith(name) for one in behaviours) if "." in name
                                    else name in registered)


if __name__ == "__main__":
    unittest.main()
