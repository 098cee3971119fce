#!/usr/bin/env python3
"""test_retrieval.py RAG MODELS SHARED: the default model on real documents."""
import pathlib

from support import ARGUMENTS, Case, main

MODELS, SHARED = map(pathlib.Path, ARGUMENTS)


class Corpus(Case):
    """Two questions on chapters of Dive into Deep Learning, among others that mention their
    subjects too."""

    FILES = ("attention-mechanisms/attention-scoring-functions.md",
             "attention-mechanisms/multihead-attention.md", "attention-mechanisms/transformer.md",
             "convolutional-modern/densenet.md", "convolutional-modern/resnet.md",
             "convolutional-modern/googlenet.md")

    def setUp(self):
        super().setUp()
        # Threads that wait leave the processor to others: the tests may not be alone.
        self.env.update(RAG_MODELS=str(MODELS), OMP_WAIT_POLICY="passive")
        del self.env["RAG_MODEL"]

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
