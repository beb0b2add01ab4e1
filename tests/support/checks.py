"""What a live test expects, collected: one run shows everything that differs."""

import sys

SHOWN_DIFFERENCES = 20


class Checks:
    """Use as `with Checks() as checks`; leaves the program with 1 when something differed."""

    def __init__(self):
        self.failed = 0
        self.passed = 0

    def __enter__(self):
        return self

    def __exit__(self, kind, _value, _traceback):
        if kind is None:
            print(f"{self.passed} checks passed, {self.failed} failed")
            if self.failed:
                sys.exit(1)

    def true(self, what, condition, detail=""):
        if condition:
            self.passed += 1
            return True
        self.failed += 1
        print(f"FAILED: {what}" + (f": {detail}" if detail != "" else ""))
        return False

    def equal(self, what, got, wanted):
        return self.true(what, got == wanted, f"got {got!r}, wanted {wanted!r}")

    def counts(self, what, got, wanted):
        """Two dictionaries of counts; prints only the keys that differ."""
        keys = sorted({*got, *wanted}, key=str)
        differing = [f"{key}: got {got.get(key, 0):g}, wanted {wanted.get(key, 0):g}"
                     for key in keys if got.get(key, 0) != wanted.get(key, 0)]
        more = len(differing) - SHOWN_DIFFERENCES
        if more > 0:
            differing[SHOWN_DIFFERENCES:] = [f"and {more} more"]
        return self.true(what, not differing, "\n    " + "\n    ".join(differing))
