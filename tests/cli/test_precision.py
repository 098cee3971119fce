#!/usr/bin/env python3
"""test_precision.py RAG MODELS SHARED: bf16 and int8 agree with f32 on real texts with the default
model, and give the same bits however they are run."""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

from support import ARGUMENTS, DEADLINE, EMBEDDER, RAG, Case, main

MODELS, SHARED = map(pathlib.Path, ARGUMENTS)
SCRIPT = pathlib.Path(__file__).resolve().parents[2] / "bench" / "precision.py"

# The least cosine with f32 at the 1st percentile.
BARS = {"bf16": 0.9999, "int8": 0.999}
# Texts for each instruction set that can be asked for; the plain ones are slow: one of each kind.
LEVELS = {"scalar": 5, "neon": 40, "avx2": 40, "avx512": 40, "avx512vnni": 40, "avx512bf16": 40,
          "amx": 40}

TEXTS = ["What is attention?", "番茄在五月种植。", "x", "", "def f(x):\n    return x * 2",
         "$$\\frac{\\partial L}{\\partial w} = X^T (Xw - y)$$", "  ", "naïve café 🍅",
         "Tomatoes are planted in May, after the last frost. " * 12,
         "绿茶用八十度的水冲泡。" * 30, "a " * 700,
         "The deadline was moved to the third of October."]


class Precision(Case):
    """The models are packed once, for all tests of a class."""

    @classmethod
    def setUpClass(cls):
        cls.cache = tempfile.mkdtemp(prefix="rag-cache-")
        cls.addClassCleanup(shutil.rmtree, cls.cache)

    def setUp(self):
        super().setUp()
        # Threads that wait leave the processor to others: the tests may not be alone.
        self.env.update(RAG_MODELS=str(MODELS), RAG_CACHE=self.cache, OMP_WAIT_POLICY="passive")
        del self.env["RAG_MODEL"]


class Agreement(Precision):
    def measure(self, count, *arguments):
        """Runs bench/precision.py on a sample small enough for each day."""
        done = subprocess.run([sys.executable, "-B", SCRIPT, RAG, "--texts", SHARED, "--count",
                               str(count), "--json", *arguments], env=self.env,
                              capture_output=True, timeout=DEADLINE)
        self.assertEqual(done.returncode, 0, done.stderr.decode(errors="replace"))
        for precision, result in json.loads(done.stdout)["precisions"].items():
            print(f"{precision} {' '.join(arguments)}: min {result['min']:.6f}, 1 % "
                  f"{result['p1']:.6f}, median {result['median']:.6f} of {result['texts']}",
                  flush=True)
            self.assertEqual(result["texts"], count)
            self.assertGreaterEqual(result["p1"], BARS[precision], (precision, result))

    def test_the_first_percentile_is_above_the_bar(self):
        self.measure(150, "--precision", "bf16,int8")

    def test_on_each_instruction_set_that_the_machine_has(self):
        there = [level for level in LEVELS if self.has(level)]
        self.assertIn("scalar", there)
        for level in there:
            with self.subTest(level):
                self.measure(LEVELS[level], "--cpu", level)

    def has(self, level):
        done = subprocess.run([RAG, "embed"], input=b"x\n", capture_output=True,
                              env={**self.env, "RAG_CPU": level}, timeout=DEADLINE)
        if done.returncode:
            self.assertIn(b"this machine does not have these instructions", done.stderr)
        return done.returncode == 0


class SameBits(Precision):
    def embed(self, precision, texts, *arguments, **env):
        given = "".join(json.dumps(text) + "\n" for text in texts)
        done = self.run_rag("embed", "--jsonl", "--quiet", "--precision", precision, *arguments,
                            stdin=given, **env)
        lines = done.stdout.split(b"\n")
        self.assertEqual(lines.pop(), b"")
        self.assertEqual(len(lines), len(texts))
        return lines

    def check(self, *arguments):
        for precision in ("f32", *BARS):
            with self.subTest(precision):
                wanted = self.embed(precision, TEXTS, "--threads", "1", *arguments)
                for threads in ("2", "3", "8"):
                    got = self.embed(precision, TEXTS, "--threads", threads, *arguments)
                    self.assertTrue(got == wanted, f"{threads} threads")
                turned = self.embed(precision, TEXTS[::-1], *arguments)
                self.assertTrue(turned[::-1] == wanted, "another order")
                halves = [line for some in (TEXTS[:5], TEXTS[5:])
                          for line in self.embed(precision, some, *arguments)]
                self.assertTrue(halves == wanted, "two batches")
                alone, = self.embed(precision, TEXTS[:1], *arguments)
                self.assertTrue(alone == wanted[0], "alone")

    def test_of_the_default_model(self):
        self.check()

    def test_of_all_three_heads(self):
        self.check("--model", os.fspath(EMBEDDER), "--heads", "dense,sparse,multi")

    def test_packed_anew_by_other_threads_it_is_the_same(self):
        for precision in BARS:
            with self.subTest(precision):
                wanted = self.embed(precision, TEXTS[:3])
                for threads in ("1", "3"):
                    fresh = self.folder / f"cache-{threads}"
                    got = self.embed(precision, TEXTS[:3], "--threads", threads, RAG_CACHE=fresh)
                    self.assertTrue(any(fresh.rglob("*")), "nothing was packed")
                    self.assertTrue(got == wanted, f"{threads} threads")

    def test_a_precision_is_not_f32_under_another_name(self):
        vectors = {precision: self.embed(precision, TEXTS[:3]) for precision in ("f32", *BARS)}
        for precision in BARS:
            for one, other in zip(vectors[precision], vectors["f32"]):
                self.assertFalse(one == other, precision)
        self.assertFalse(vectors["bf16"] == vectors["int8"])


if __name__ == "__main__":
    main()
