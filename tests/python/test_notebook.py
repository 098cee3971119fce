"""MODELS PYTHON GGUF SHARED: runs notebooks as a reader would, in Jupyter's own kernel.

MODELS has the default model, PYTHON can import xllamacpp and serves GGUF, SHARED has the corpus
d2l-zh. RAG_NOTEBOOK_CORPUS names another folder of Markdown files to run on, such as all of
d2l-zh, instead of two of its chapters. Runs with RAG_LIBRARY and PYTHONPATH set to what is
tested, by a Python with nbconvert and ipykernel.
"""
import atexit
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import rag
from rag.embeddings import BgeEmbedding
from rag.utils import ReadFiles

MODELS, LLM_PYTHON, GGUF, SHARED = map(os.path.abspath, sys.argv[1:5])
TESTS = pathlib.Path(__file__).resolve().parent.parent
DEFAULT = "intfloat/multilingual-e5-small"
CHAPTERS = ("chapter_attention-mechanisms", "chapter_convolutional-modern")
DEADLINE = 3000

SETTINGS = {"RAG_MODELS": MODELS, "RAG_EMBEDDING_MODEL": DEFAULT,
            "RAG_RERANKER_MODEL": "late-interaction"}


def serve_llm():
    """The address of a small language model on this machine."""
    child = subprocess.Popen([LLM_PYTHON, TESTS / "chat" / "serve_llm.py", GGUF],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL)

    def end():
        child.stdin.close()
        child.wait()
        child.stdout.close()
    atexit.register(end)
    return f"http://127.0.0.1:{int(child.stdout.readline())}/v1"


def run(notebook, folder, **settings):
    """Runs a notebook in a folder; its code cells with their outputs."""
    environment = {name: value for name, value in os.environ.items()
                   if not name.endswith(("_API_KEY", "_BASE_URL", "_PROXY", "_proxy"))}
    environment.pop("RAG_LLM", None)
    environment.update(SETTINGS, HOME=str(folder), OMP_WAIT_POLICY="passive", **settings)
    copy = shutil.copy(notebook, folder)
    done = subprocess.run(
        [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", "--output",
         "executed.ipynb", f"--ExecutePreprocessor.timeout={DEADLINE}", copy],
        cwd=folder, env=environment, capture_output=True, text=True, timeout=DEADLINE)
    if done.returncode:
        raise AssertionError(done.stderr[-6000:])
    cells = json.loads((folder / "executed.ipynb").read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def stream(cell, name):
    """What a cell wrote to stdout or stderr, as a terminal would show it in the end."""
    text = "".join("".join(output["text"]) for output in cell["outputs"]
                   if output["output_type"] == "stream" and output["name"] == name)
    return "\n".join(line.rsplit("\r", 1)[-1] for line in text.split("\n"))


def shown(cell, kind="text/plain"):
    """The result of a cell's last line, or what it displayed."""
    for output in cell["outputs"]:
        if kind in output.get("data", {}):
            return "".join(output["data"][kind])
    raise AssertionError(f"the cell shows no {kind}: {cell['outputs']}")


def errors(cells):
    return [output for cell in cells for output in cell["outputs"]
            if output["output_type"] == "error"]


class Case(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(tempfile.mkdtemp(prefix="rag-notebook-")).resolve()
        cls.addClassCleanup(shutil.rmtree, cls.folder, True)
        os.environ.update(SETTINGS)


class TinyRagTest(Case):
    """The notebook that rag's names come from, laid out as it expects: script/ with the
    notebook, data/1 with the documents, storage/ with an older store."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        corpus = pathlib.Path(SHARED) / "corpus" / "d2l-zh"
        whole = os.environ.get("RAG_NOTEBOOK_CORPUS")
        if whole:
            shutil.copytree(whole, cls.folder / "data" / "1")
        else:
            for chapter in CHAPTERS:
                # Half of the files are the English originals of the others.
                shutil.copytree(corpus / chapter, cls.folder / "data" / "1" / chapter,
                                ignore=shutil.ignore_patterns("*_origin.md"))
        cls.make_old_store(corpus / CHAPTERS[1] / "resnet.md")
        script = cls.folder / "script"
        script.mkdir()
        cls.cells = run(TESTS / "data" / "python" / "tinyrag.ipynb", script,
                        GEMINI_BASE_URL=serve_llm())

    @classmethod
    def make_old_store(cls, path):
        """A store as the system before rag wrote it."""
        texts = [str(text) for text in ReadFiles(path).get_content(400, 100)]
        texts += ["马尔可夫链的未来只取决于现在。", "布朗运动的增量相互独立。", "泊松过程的间隔服从指数分布。"]
        vectors = BgeEmbedding().get_embeddings(texts)
        storage = cls.folder / "storage"
        storage.mkdir()
        for part, value in (("doc", texts), ("vec", vectors)):
            (storage / f"stochastic_process_{part}.json").write_text(
                json.dumps(value, ensure_ascii=False), encoding="utf-8")

    def test_every_cell_runs(self):
        self.assertEqual(errors(self.cells), [])
        self.assertEqual(len(self.cells), 8)

    def test_the_documents_are_cut_by_the_models_tokens(self):
        docs = ReadFiles(self.folder / "data" / "1").get_content(1024, 256)
        self.assertGreater(len(docs), 50)
        self.assertEqual(shown(self.cells[1]), str(len(docs)))

    def test_progress_and_warnings_appear_once(self):
        lines = stream(self.cells[2], "stderr")
        count = shown(self.cells[1])
        self.assertRegex(lines, r"(?m)^Calculating embeddings: 100%\|█{10}\| " + f"{count}/{count}"
                         + r" \[\d\d:\d\d<00:00, +\d+\.\d\d(it/s|s/it)\] *$")
        self.assertEqual(lines.count("Calculating embeddings: 100%"), 1)
        everything = "".join(stream(cell, "stderr") for cell in self.cells)
        self.assertEqual(len(re.findall("RagWarning: device='mps'", everything)), 1, everything)
        self.assertRegex(lines, r"texts are longer than \S+ takes at once \(512 tokens\)")

    def test_the_nearest_passage_is_about_the_question(self):
        self.assertIn("缩放点积", shown(self.cells[3]))
        self.assertTrue(shown(self.cells[3]).startswith(("'", '"')))

    def test_the_language_model_answers(self):
        for cell in (self.cells[4], self.cells[5]):
            self.assertGreater(len(shown(cell, "text/markdown").strip()), 0)

    def test_models_show_their_architecture(self):
        reference = TESTS / "data/python/architecture/multilingual-e5-small.txt"
        for cell in self.cells[6:]:
            self.assertEqual(shown(cell) + "\n", reference.read_text(encoding="utf-8"))

    def test_the_store_is_one_file_that_rag_searches(self):
        store = self.folder / "script" / "storage"
        self.assertEqual(os.listdir(store), ["d2l.rag"])
        with rag.Index(store / "d2l.rag", must_exist=True) as index:
            self.assertEqual(str(len(index)), shown(self.cells[1]))
            hits = index.search("缩放点积注意力的原理？", k=3)
        self.assertIn("attention", hits[0].document)


class QuickstartTest(Case):
    """Our own notebook, which begins with nothing but the model."""

    NOTEBOOK = TESTS.parent / "examples" / "quickstart.ipynb"

    def run_in(self, name, **settings):
        folder = self.folder / name
        folder.mkdir()
        cells = run(self.NOTEBOOK, folder, **settings)
        self.assertEqual(errors(cells), [])
        return cells

    def printed(self, cells, word):
        """What the first cell with this word in it printed."""
        return next(stream(cell, "stdout") for cell in cells if word in "".join(cell["source"]))

    def test_it_shows_what_it_says_without_a_language_model(self):
        cells = self.run_in("alone")
        reports = [shown(cell) for cell in cells if "index.add(" in "".join(cell["source"])]
        self.assertIn("added=5", reports[0])
        self.assertIn("unchanged=5", reports[1])
        self.assertRegex(self.printed(cells, "show(index.search"), r"^1\. tea\.md:\d+  Tea > Green")
        self.assertRegex(self.printed(cells, "HX-2047\", k"), r"面包\.md[\s\S]*garden\.md")
        self.assertRegex(self.printed(cells, "citation.quote"),
                         r"\[1\][\s\S]*\[1\] garden\.md, line \d+: '.*May")
        self.assertRegex(self.printed(cells, "chess"), r"^False 0\.\d+\n.")
        self.assertRegex(self.printed(cells, "ask_stream"), r"four minutes[\s\S]*\[1")
        self.assertIn("\n", self.printed(cells, "rag.Conversation"))
        self.assertRegex(self.printed(cells, "rag.evaluate"),
                         r"hybrid +recall@1 [01]\.\d\d[\s\S]*dense[\s\S]*lexical")
        self.assertRegex(self.printed(cells, "rag.nearest"), r"^\[\(0, 0\.\d+\), \(1, ")

    def test_it_runs_with_a_language_model(self):
        cells = self.run_in("llm", RAG_LLM="openai:smollm2", OPENAI_BASE_URL=serve_llm())
        for word in ("citation.quote", "ask_stream", "rag.Conversation"):
            self.assertGreater(len(self.printed(cells, word).strip()), 0)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[5:])
