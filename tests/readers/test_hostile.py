#!/usr/bin/env python3
"""Files made to do harm are read within bounds, or refused with their name and the reason, and never take
the reader with them: test_hostile.py READ_DOCUMENT RAG_READER"""
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import unittest

import hostile

PROGRAM = READER = None
SECONDS = 120  # on a slow machine, with sanitizers


class Hostile(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def run_on(self, name, content):
        path = self.folder / name
        path.write_bytes(content)
        begin = time.monotonic()
        run = subprocess.run([PROGRAM, path], env={**os.environ, "RAG_READER": READER}, stdout=subprocess.PIPE,
                             timeout=10 * SECONDS)
        self.assertLess(time.monotonic() - begin, SECONDS, name)
        return run.returncode, run.stdout.decode("utf-8")

    def test_what_is_refused_says_why(self):
        for name, content, word in hostile.refused():
            with self.subTest(name):
                status, output = self.run_on(name, content)
                self.assertEqual(status, 3, output[:1000])
                self.assertIn(f"{self.folder}/{name}: ", output)
                self.assertIn(word, output)
                self.assertNotIn("signal", output)

    def test_what_is_bounded_is_read(self):
        for name, content, word in hostile.read():
            with self.subTest(name):
                status, output = self.run_on(name, content)
                if name == "escape.txt" and status == 3:
                    continue  # no text, says the encoding
                self.assertEqual(status, 0, output[:1000])
                self.assertIn(word, output)

    def test_no_name_leads_out_of_an_archive(self):
        _, output = self.run_on("links.tar", hostile.links())
        self.assertNotIn("outside", output)
        self.assertNotIn("root:", output)
        self.assertIn("[absolute/inside.txt]", output)

    def test_archives_in_archives_end_somewhere(self):
        status, output = self.run_on("deep.zip", hostile.too_deep())
        self.assertEqual(status, 0, output)
        self.assertIn("archives in archives", output)
        self.assertNotIn("The innermost", output)


if __name__ == "__main__":
    PROGRAM, READER = sys.argv.pop(1), sys.argv.pop(1)
    unittest.main()
