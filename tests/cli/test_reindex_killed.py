#!/usr/bin/env python3
"""rag reindex leaves the old index or the new one, whole, whenever it is killed, while others search
and write."""
import json
import random
import signal
import subprocess
import time

from support import RAG, ManyFiles, Reader, main, wait_until


class Killed(ManyFiles):
    FILES = 300
    KILLS = 40

    def setUp(self):
        super().setUp()
        self.run_rag("index", "docs")

    def check(self, sizes):
        self.assertEqual(self.text("verify"), "ok\n")
        info, = self.objects("info", "--json")
        self.assertEqual(info["documents"], self.FILES)
        self.assertIn(info["max_tokens"], sizes)
        self.run_rag("search", "tea")
        return info["max_tokens"]

    def test_killed_at_any_moment_it_is_the_old_index_or_the_new_one(self):
        start = time.monotonic()
        self.run_rag("reindex", "--max-tokens", "70")
        most = time.monotonic() - start
        chance = random.Random(6)
        wished, now, switched = 40, 70, 0
        for kill in range(self.KILLS):
            child = self.start("reindex", "--max-tokens", str(wished), stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL)
            time.sleep(chance.uniform(0, most * 0.7))
            child.kill()
            child.wait()
            now = self.check({now, wished})
            if now == wished:  # it got there before: now the other way
                wished = 110 - wished
                switched += 1
        self.run_rag("reindex", "--max-tokens", str(wished))
        self.assertEqual(self.check({wished}), wished)
        self.assertGreater(switched, 0)
        self.assertFalse((self.folder / ".rag/index.rag-next").exists())

    def test_others_search_and_write_meanwhile(self):
        child = self.start("reindex", "--max-tokens", "40", "--json", "--threads", "1",
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        out, err = Reader(child.stdout), Reader(child.stderr)
        added = 0
        while child.poll() is None:
            self.write(f"docs/new/{added}.md", f"# New {added}\n\nA walrus {added}.\n")
            done = subprocess.run([RAG, "index", "docs/new"], cwd=self.folder,
                                  env=self.env, capture_output=True, text=True)
            if done.returncode:  # overtaken: it says so, and the next one goes on
                self.assertEqual(done.returncode, 4)
                self.assertIn("re-indexed meanwhile", done.stderr)
            added += 1
            self.run_rag("search", "tea")
            self.run_rag("search", "--mode", "lexical", "tea")
        self.assertEqual(child.returncode, 0, err.text())
        self.run_rag("index", "docs/new")
        self.FILES += added
        self.check({40})
        self.assertTrue(json.loads(out.text())["switched"])
        report, = self.objects("index", "docs", "--json")
        self.assertEqual(report["unchanged"], self.FILES)

    def test_stopped_with_ctrl_c_it_goes_on(self):
        child = self.start("reindex", "--max-tokens", "40", "--threads", "1",
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        wait_until(lambda: (self.folder / ".rag/index.rag-next").exists()
                   or child.poll() is not None, "the next file")
        child.send_signal(signal.SIGINT)
        out, err = child.communicate()
        if child.returncode == 0:
            self.skipTest("it was done before")
        self.assertEqual(child.returncode, 130, err)
        self.assertIn(b"goes on from here", err)
        self.assertNotEqual(self.check(range(1000)), 40)
        self.run_rag("reindex", "--max-tokens", "40")
        self.check({40})


if __name__ == "__main__":
    main()
