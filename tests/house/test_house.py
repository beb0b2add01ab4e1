#!/usr/bin/env python3
"""The checks find what they are there for: each planted violation is found, alone and by name."""

import contextlib
import io
import pathlib
import sys
import tempfile
import unittest

import headers
import includes
import shape

CLEAN = {
    "agent/base/slice.h": "#pragma once\n#include <stddef.h>\nstruct slice {\n    size_t n;\n};\n",
    "agent/capture/frame.h": '#pragma once\n#include "agent/base/slice.h"\n',
    "agent/decode/decode.h": '#pragma once\n#include "agent/capture/frame.h"\n',
    "agent/decode/decode.c": '#include "agent/decode/decode.h"\n\nint one(void)\n{\n'
                             "    return 1;\n}\n",
    "agent/decode/segment.h": '#pragma once\n#include "agent/capture/frame.h"\n',
    "agent/pipeline.c": '#include "agent/decode/decode.h"\n#include "exporters/text.h"\n',
    "exporters/text.h": "#pragma once\n",
    "http_parser/head.h": "#pragma once\n",
    "http_parser/chunked.h": "#pragma once\n",
    "docs/page.md": "Read $HOME/work/notes or example.org/root/x.\n",
}
LONG_FUNCTION = "int f(void)\n{\n" + "    f();\n" * 79 + "}\n"


class Planted(unittest.TestCase):
    """A small clean tree, and one violation at a time."""

    def findings(self, check, extra):
        with tempfile.TemporaryDirectory() as directory:
            root = pathlib.Path(directory)
            for name, text in {**CLEAN, **extra}.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text)
            with contextlib.redirect_stdout(io.StringIO()):
                return list(check(root))

    def expect(self, check, name, text, words):
        found = self.findings(check, {name: text})
        self.assertEqual(len(found), 1, found)
        self.assertIn(words, found[0])

    def test_clean_tree(self):
        for check in (includes.check, shape.check, headers.check):
            self.assertEqual(self.findings(check, {}), [])

    def test_include_directions(self):
        for name, include in (
                ("agent/capture/a.c", "agent/decode/segment.h"),
                ("agent/tcp/a.c", "agent/capture/frame.h"),
                ("agent/tcp/a.c", "agent/decode/decode.h"),
                ("agent/base/a.c", "agent/capture/frame.h"),
                ("agent/exchange/a.c", "http_parser/chunked.h"),
                ("agent/exchange/a.c", "exporters/text.h"),
                ("agent/kube/a.c", "exporters/text.h"),
                ("exporters/a.c", "agent/base/slice.h"),
                ("http_parser/a.c", "agent/base/slice.h"),
                ("http_parser/a.c", "exporters/text.h")):
            with self.subTest(name=name, include=include):
                self.expect(includes.check, name, f'#include "{include}"\n', "must not include")

    def test_allowed_directions(self):
        for name, include in (
                ("agent/tcp/a.c", "agent/decode/segment.h"),
                ("agent/exchange/a.c", "http_parser/head.h"),
                ("agent/commands/a.c", "exporters/text.h")):
            with self.subTest(name=name, include=include):
                self.assertEqual(self.findings(includes.check, {name: f'#include "{include}"\n'}),
                                 [])

    def test_include_form(self):
        for text, words in (('#include "frame.h"\n', "repository root"),
                            ('#include "../base/slice.h"\n', "repository root"),
                            ('#  include "agent/base/gone.h"\n', "does not exist"),
                            ("#include <agent/base/slice.h>\n", "in quotes")):
            with self.subTest(text=text):
                self.expect(includes.check, "agent/capture/a.c", text, words)
        self.expect(includes.check, "agent/new_room/a.c", "#include <stddef.h>\n"
                    '#include "agent/base/slice.h"\n', "in no room")

    def test_own_header_first(self):
        self.expect(includes.check, "agent/decode/segment.c",
                    '#include "agent/base/slice.h"\n#include "agent/decode/segment.h"\n',
                    "own header")

    def test_pragma_once(self):
        self.expect(includes.check, "agent/tcp/a.h", "int a;\n", "#pragma once")

    def test_lengths(self):
        found = self.findings(shape.check, {"agent/tcp/a.c": LONG_FUNCTION})
        self.assertTrue(any("a function of 81 lines" in line for line in found), found)
        self.expect(shape.check, "agent/tcp/a.c", "int a;\n" * 501, "501 lines")
        self.expect(shape.check, "agent/tcp/a.h", "int a;\n" * 121, "121 lines")
        self.assertEqual(self.findings(shape.check, {"agent/tcp/a.c": "int a;\n" * 500}), [])

    def test_words(self):
        for text in ("see /wor" "k/main/x", "cd /ro" "ot/x", "in /hom" "e/me/x"):
            with self.subTest(text=text):
                self.expect(shape.check, "docs/a.md", text, "path of one machine")
        for text in ("TO" "DO: more", "FIX" "ME", "this is not implemente" "d"):
            with self.subTest(text=text):
                self.expect(shape.check, "docs/a.md", text, "unfinished")

    def test_top_folders(self):
        self.expect(shape.check, "misc/a.md", "text\n", "no folder of the house")

    def test_headers(self):
        found = self.findings(headers.check, {"agent/tcp/a.h": "#pragma once\nuint8_t a;\n"})
        self.assertEqual(len(found), len(headers.COMPILERS), found)
        found = self.findings(headers.check, {"agent/tcp/a.h": "enum a { A };\n"})
        self.assertEqual(len(found), len(headers.COMPILERS), found)


if __name__ == "__main__":
    sys.argv = sys.argv[:1]
    unittest.main()
