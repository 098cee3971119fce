#!/usr/bin/env python3
"""Several programs on one index at once."""
import json
import subprocess

from support import ManyFiles, main, wait_until


class Together(ManyFiles):
    FILES = 160

    def start_search(self):
        return self.start("search", "green tea", "-k", "1", "--json", "--mode", "lexical",
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def test_two_programs_index_the_same_files_while_eight_search(self):
        writers = [self.start("index", "docs", "--threads", "1", "--json",
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(2)]
        wait_until(lambda: self.documents() > 0 or
                   all(writer.poll() is not None for writer in writers), "a document")
        searches = 0
        while any(writer.poll() is None for writer in writers):
            for reader in [self.start_search() for _ in range(8)]:
                out, err = reader.communicate()
                self.assertEqual(reader.returncode, 0, err)
                self.assertIn("tea", json.loads(out)["text"])
                searches += 1
        self.assertGreater(searches, 0)
        told = 0
        for writer in writers:
            out, err = writer.communicate()
            if writer.returncode:  # it waited for ten seconds, and said so
                self.assertIn(b"another process", err)
                told += 1
            else:
                self.assertEqual(json.loads(out)["documents_total"], self.FILES)
        self.assertLess(told, 2)
        self.assertEqual(self.documents(), self.FILES)
        self.assertEqual(self.text("verify"), "ok\n")
        report, = self.objects("index", "docs", "--json")
        self.assertEqual((report["unchanged"], report["chunks_embedded"]), (self.FILES, 0))


if __name__ == "__main__":
    main()
