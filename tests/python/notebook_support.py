"""What the tests of the notebook's names share."""
import os
import pathlib
import shutil
import tempfile
import unittest

from rag import _settings

DATA = pathlib.Path(__file__).resolve().parent.parent / "data"
EMBEDDER = DATA / "encoder" / "bge-m3-like"  # all three heads, 130 tokens
RERANKER = DATA / "encoder" / "xlmr-reranker"  # a logit, 66 positions


class Case(unittest.TestCase):
    """A working folder and an environment of its own."""
    maxDiff = None

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="rag-names-")).resolve()
        self.addCleanup(shutil.rmtree, self.folder, True)
        (self.folder / "work").mkdir()
        before, environment = os.getcwd(), dict(os.environ)
        self.addCleanup(os.chdir, before)
        self.addCleanup(lambda: (os.environ.clear(), os.environ.update(environment)))
        os.chdir(self.folder / "work")
        os.environ.update(RAG_MODELS=str(self.folder / "models"),
                          RAG_EMBEDDING_MODEL=str(EMBEDDER), RAG_RERANKER_MODEL=str(RERANKER))
        _settings._warned.clear()

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path
