#!/usr/bin/env python3
"""test_retrieval.py RAG MODELS SHARED: the default model on real documents and on the sets
with known answers."""
import pathlib

from support import ARGUMENTS, Case, main

MODELS, SHARED = map(pathlib.Path, ARGUMENTS)

# nDCG@10 without reranking: what another implementation of the same model got, or docs/quality.md.
FLOORS = {
    "xquad-zh": {"dense": 0.9505, "lexical": 0.9664, "hybrid": 0.9740},
    "xquad-en2zh": {"hybrid": 0.8420},
}


class Real(Case):
    def setUp(self):
        super().setUp()
        # Threads that wait leave the processor to others: the tests may not be alone.
        self.env.update(RAG_MODELS=str(MODELS), OMP_WAIT_POLICY="passive")
        del self.env["RAG_MODEL"]


class Quality(Real):
    def check(self, name):
        for mode, floor in FLOORS[name].items():
            report, = self.objects("eval", SHARED / "eval" / name, "--mode", mode, "--rerank",
                                   "none", "--index", "kept.rag", "--json", "--quiet")
            print(f"{name} {mode}: nDCG@10 {report['nDCG@10']:.4f}", flush=True)
            self.assertGreaterEqual(round(report["nDCG@10"], 4), floor, (name, mode))

    def test_chinese_questions_on_chinese_passages(self):
        self.check("xquad-zh")

    def test_english_questions_on_chinese_passages(self):
        self.check("xquad-en2zh")


class Corpus(Real):
    """Two questions on chapters of Dive into Deep Learning, among others that mention their
    subjects too."""

    FILES = ("attention-mechanisms/attention-scoring-functions.md",
             "attention-mechanisms/multihead-attention.md", "attention-mechanisms/transformer.md",
             "convolutional-modern/densenet.md", "convolutional-modern/resnet.md",
             "convolutional-modern/googlenet.md")

    def check(self, *arguments):
        files = [SHARED / "corpus/d2l-zh" / f"chapter_{file}" for file in self.FILES]
        done = self.run_rag("index", *files, *arguments)
        for question, file in (("缩放点积注意力的原理？", "attention-scoring-functions.md"),
                               ("残差连接是什么？", "resnet.md")):
            hits = self.objects("search", question, "--json", "-k5")
            documents = [pathlib.Path(hit["document"]).name for hit in hits]
            self.assertEqual(documents[0], file, documents)
        return done

    def test_structure(self):
        self.check("--chunker", "structure")

    def test_windows_longer_than_the_model(self):
        done = self.check("--chunker", "window", "--max-tokens", "1024", "--overlap", "256")
        self.assertIn("takes 512 tokens at once", done.err)


if __name__ == "__main__":
    main()
