"""What rag reads of a file, for tests to look at."""
import os
import pathlib
import re
import subprocess
import sys

TESTS = pathlib.Path(__file__).resolve().parent.parent
DATA = TESTS / "data" / "readers"
PROGRAM = READER = None


def take_programs():
    """The test's first two arguments: READ_DOCUMENT RAG_READER."""
    global PROGRAM, READER
    PROGRAM, READER = sys.argv.pop(1), sys.argv.pop(1)


class Document:
    def __init__(self, path, *options, **settings):
        run = subprocess.run([PROGRAM, *options, path], env={**os.environ, "RAG_READER": READER, **settings},
                             stdout=subprocess.PIPE, timeout=300)
        self.status = run.returncode
        self.output = run.stdout.decode("utf-8")
        parts = re.split(r"^== (\w+) (\d+) \[([^\]]*)\] ?(.*)$", self.output, flags=re.M)
        self.head = parts[0]
        # (kind, level, place, title, text)
        self.blocks = [(parts[i], int(parts[i + 1]), parts[i + 2], parts[i + 3], parts[i + 4].strip("\n"))
                       for i in range(1, len(parts), 5)]
        self.headings = [(block[1], block[3]) for block in self.blocks if block[0] == "heading"]
        self.tables = [block[4] for block in self.blocks if block[0] == "table"]
        self.text = "\n\n".join(block[4] for block in self.blocks)

    def place_of(self, text):
        return next(block[2] for block in self.blocks if text in block[4])

    def kind_of(self, text):
        return next(block[0] for block in self.blocks if text in block[4])


def read(name, *options):
    document = Document(DATA / name, *options)
    assert document.status == 0, f"{name}: {document.output}"
    return document
