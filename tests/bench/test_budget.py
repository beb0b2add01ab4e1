#!/usr/bin/env python3
"""That the check of the instructions fails when it should, and says when it does not check."""

import contextlib
import io
import json
import unittest

import budget

HERE = ("gcc 12 x86_64", "usual", True)
BUDGET = {"compiler": HERE[0], "flags": HERE[1], "tolerance": 0.05,
          "instructions": {"packet": 1000, "head": 200}}


def judge(counted, here=HERE):
    """(what is wrong, what was printed)"""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        wrong = budget.judge(BUDGET, counted, here)
    return wrong, out.getvalue()


class Budget(unittest.TestCase):
    def test_the_same_is_right(self):
        wrong, printed = judge({"packet": 1000, "head": 200})
        self.assertEqual(wrong, "")
        self.assertNotIn("NOT CHECKED", printed)

    def test_a_twentieth_more_is_allowed_and_no_more(self):
        self.assertEqual(judge({"packet": 1050, "head": 200})[0], "")
        self.assertIn("packet", judge({"packet": 1051, "head": 200})[0])

    def test_less_is_told(self):
        wrong, printed = judge({"packet": 900, "head": 200})
        self.assertEqual(wrong, "")
        self.assertIn("--write", printed)

    def test_what_is_not_in_both_is_wrong(self):
        self.assertIn("head", judge({"packet": 1000})[0])
        self.assertIn("tail", judge({"packet": 1000, "head": 200, "tail": 1})[0])

    def test_elsewhere_nothing_fails_and_that_is_said(self):
        for here in (("gcc 13 x86_64", "usual", True), ("gcc 12 x86_64", "other", True),
                     ("gcc 12 x86_64", "usual", False)):
            wrong, printed = judge({"packet": 9000, "head": 200}, here)
            self.assertEqual(wrong, "")
            self.assertIn("NOT CHECKED", printed)
            self.assertIn("TOO MUCH", printed)

    def test_the_committed_one_is_whole(self):
        committed = json.loads(budget.BUDGET.read_text(encoding="utf-8"))
        self.assertEqual(committed["tolerance"], 0.05)
        for what in ("packet, small", "head, 115-byte request, avx2", "exchange, counted"):
            self.assertGreater(committed["instructions"][what], 0)


if __name__ == "__main__":
    unittest.main()
