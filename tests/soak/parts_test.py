#!/usr/bin/python3
"""The soak's own parts: growth is noticed, noise is not, the picture is XML."""

import unittest
import xml.etree.ElementTree

import picture
import samples


class Parts(unittest.TestCase):
    def test_growth_is_noticed_and_noise_is_not(self):
        leak = [(s, 50 + s * 0.1) for s in range(600)]
        self.assertIn("from", samples.growth(leak, 0, 600))
        self.assertIsNone(samples.growth([(s, 50 + s % 7) for s in range(600)], 0, 600))
        warming = [(s, min(s, 100)) for s in range(600)]  # within the first quarter
        self.assertIsNone(samples.growth(warming, 0, 600))
        threads = [(s, 10 + s // 100) for s in range(600)]
        self.assertIsNone(samples.growth(threads, 0, 600))  # 11 to 14: within what is allowed
        self.assertIn("from", samples.growth([(s, 10 + s // 50) for s in range(600)], 0, 600))
        gone = [(s, None if s > 300 else 1) for s in range(600)]
        self.assertRaises(AssertionError, samples.growth, gone, 0, 600)

    def test_a_picture_is_xml_with_every_line_and_mark(self):
        panels = [("A", "MiB", {"one <1>": [(0, 1.0), (5, None), (10, 3.0)], "two": []}), ("B", "ms", {})]
        text = picture.draw("x & y", panels, [(3, "kill"), (4, "reload")], 600)
        root = xml.etree.ElementTree.fromstring(text)
        said = [element.text for element in root.iter("{http://www.w3.org/2000/svg}text")]
        for expected in ("x & y", "A, MiB", "one <1>", "a kill", "b reload", "10 min"):
            self.assertIn(expected, said)


if __name__ == "__main__":
    unittest.main()
