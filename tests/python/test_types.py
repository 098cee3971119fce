"""The types: mypy --strict finds nothing, for each Python that the package is for, and code that
uses the package gets its types. Needs mypy and vermin, for mypy 2 begins with Python 3.10."""

import importlib.util
import pathlib
import subprocess
import sys

from support import SOURCE, Case, main

VERSIONS = ("3.10", "3.11", "3.12", "3.13")

FILES = sorted((SOURCE / "python" / "rag").glob("*.py"))
#: What can be checked only beside the package that it adapts to.
ADAPTERS = {"langchain.py": "langchain_core", "llamaindex.py": "llama_index"}

USE = """
import rag
from typing import List

with rag.Model("m") as model, rag.Index("i", model=model) as index:
    reveal_type(model.embed_lists(["a"]))
    hits: List[rag.Hit] = index.search("q")
    reveal_type(hits[0].chunk.line)
    for piece in index.ask_stream("q"):
        reveal_type(piece)

async def ask(index: rag.Index) -> str:
    async for piece in index.aask_stream("q"):
        reveal_type(piece)
    return (await index.aask("q")).text
"""


def mypy(*arguments):
    return subprocess.run([sys.executable, "-m", "mypy", "--strict", *arguments],
                          capture_output=True, text=True, cwd=SOURCE)


def typed_files():
    return [str(path) for path in FILES
            if path.name not in ADAPTERS or importlib.util.find_spec(ADAPTERS[path.name])]


class Types(Case):
    def test_the_package_is_strictly_typed_for_each_python(self):
        for version in VERSIONS:
            result = mypy("--python-version", version, "--cache-dir", str(self.folder / version),
                          *typed_files())
            self.assertEqual(result.returncode, 0, f"{version}: {result.stdout}{result.stderr}")

    def test_nothing_is_used_that_python_3_9_lacks(self):
        vermin = pathlib.Path(sys.executable).with_name("vermin")
        result = subprocess.run([str(vermin), "--no-tips", "-t=3.9-", *map(str, FILES)],
                                capture_output=True, text=True)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)

    def test_those_who_use_it_get_its_types(self):
        program = self.folder / "use.py"
        program.write_text(USE)
        result = mypy("--cache-dir", str(self.folder / "cache"), str(program))
        self.assertEqual(result.returncode, 0, result.stdout)
        for line, kind in ((6, "list[list[float]]"), (8, "int"), (10, "str"), (14, "str")):
            self.assertRegex(result.stdout.replace("builtins.", ""),
                             rf'use.py:{line}: note: Revealed type is "{kind}"'
                             .replace("[", r"\[").replace("]", r"\]"))


if __name__ == "__main__":
    main()
