"""What the tests of the program share: running it, small documents and models, a terminal.

Each test_*.py is run as `test_X.py RAG [MODELS [SHARED | PYTHON GGUF]]`: the program, the
folder with the default model, and outside data where the file needs it. Standard library only.
"""
import atexit
import json
import os
import pathlib
import pty
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import termios
import threading
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
DATA = HERE.parent / "data" / "encoder"
EMBEDDER = DATA / "bge-m3-like"  # random weights, all three heads, 130 tokens
RERANKER = DATA / "xlmr-reranker"  # random weights, a logit, 64 tokens
RAG = os.path.abspath(sys.argv[1])
ARGUMENTS = sys.argv[2:]

# Sanitizers make everything slower, and a shared machine too.
DEADLINE = 600

FILES = {
    "garden.md": "# Garden\n\nTomatoes are planted in May, after the last frost.\n\n"
                 "## Water\n\nCucumbers need water every evening in July.\n",
    "厨房.md": "# 厨房\n\n烤箱需要预热十分钟，然后放入面包。\n\n## 茶\n\n绿茶用八十度的水冲泡。\n",
    "notes/plan.txt": "The deadline of the project was moved to the third of October.\n",
}


def make_cache():
    """Packed models are kept over the tests of a file, and over those of a run that names a
    folder for them."""
    if os.environ.get("RAG_CACHE"):
        return os.environ["RAG_CACHE"]
    folder = tempfile.mkdtemp(prefix="rag-cache-")
    atexit.register(shutil.rmtree, folder, True)
    return folder


CACHE = make_cache()


def environment(**changes):
    """Nothing of the user's own settings reaches the program."""
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LANG": "C.UTF-8",
           "RAG_CACHE": CACHE}
    for name in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS", "TSAN_OPTIONS", "TMPDIR"):
        if name in os.environ:
            env[name] = os.environ[name]
    env.update({name: str(value) for name, value in changes.items()})
    return env


class Case(unittest.TestCase):
    """A folder of its own, in which the program runs."""
    maxDiff = None

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="rag-cli-")).resolve()
        self.addCleanup(shutil.rmtree, self.folder, True)
        self.env = environment(RAG_MODELS=self.folder / "models", RAG_MODEL=EMBEDDER)

    def run_rag(self, *arguments, status=0, stdin=b"", **env):
        """Runs the program to its end; its status is held against the wanted one."""
        stdin = stdin.encode() if isinstance(stdin, str) else stdin
        done = subprocess.run([RAG, *map(os.fspath, arguments)], input=stdin, cwd=self.folder,
                              env={**self.env, **{k: str(v) for k, v in env.items()}},
                              capture_output=True, timeout=DEADLINE)
        done.err = done.stderr.decode(errors="replace")
        self.assertEqual(done.returncode, status,
                         f"rag {arguments}\nstdout: {done.stdout[-2000:]!r}\nstderr: {done.err}")
        return done

    def text(self, *arguments, **more):
        return self.run_rag(*arguments, **more).stdout.decode()

    def objects(self, *arguments, **more):
        """The JSON objects that the program prints, one a line."""
        lines = self.run_rag(*arguments, **more).stdout.split(b"\n")
        self.assertEqual(lines.pop(), b"")
        return [json.loads(line) for line in lines]

    def write(self, name, text):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    def write_documents(self):
        for name, text in FILES.items():
            self.write(f"docs/{name}", text)
        return self.folder / "docs"

    def start(self, *arguments, **options):
        """Starts the program; it is killed when the test ends before it."""
        options.setdefault("stdin", subprocess.DEVNULL)
        child = subprocess.Popen([RAG, *map(os.fspath, arguments)], cwd=self.folder, env=self.env,
                                 **options)
        self.addCleanup(end, child)
        return child

    def on_terminal(self, *arguments, **env):
        """Runs the program with stdout and stderr on a pseudo-terminal: (status, bytes)."""
        master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (24, 120))
        child = subprocess.Popen([RAG, *map(os.fspath, arguments)], cwd=self.folder,
                                 env={**self.env, "TERM": "xterm", **env}, stdin=slave,
                                 stdout=slave, stderr=slave, start_new_session=True)
        self.addCleanup(end, child)
        os.close(slave)
        shown = bytearray()
        try:
            while True:
                shown += os.read(master, 65536)
        except OSError:  # EIO: the other side is closed
            pass
        os.close(master)
        return child.wait(DEADLINE), bytes(shown)


class ManyFiles(Case):
    """More documents than are indexed in a moment."""
    FILES = 400

    def setUp(self):
        super().setUp()
        words = "green tea is brewed with water below boiling black tea takes all of it".split()
        for i in range(self.FILES):
            text = " ".join(words[(i * 7 + k * k) % len(words)] + str(i * k % 97)
                            for k in range(120))
            self.write(f"docs/{i // 100:02}/{i:04}.md", f"# Text {i}\n\n{text}.\n")

    def documents(self):
        """How many the index file has, seen from outside."""
        path = self.folder / ".rag/index.rag"
        if not path.exists():
            return 0
        store = sqlite3.connect(f"file:{path}?mode=ro", uri=True)
        try:
            return store.execute("select count(*) from documents").fetchone()[0]
        except sqlite3.OperationalError:  # it is being made
            return 0
        finally:
            store.close()

    def start_indexing(self):
        """The program at work, with the first documents in the index."""
        child = self.start("index", "docs", "--threads", "1", stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE)
        wait_until(lambda: child.poll() is not None or self.documents() > 0, "a document")
        self.assertIsNone(child.poll(), "it was done before anything could happen to it")
        return child


def end(child):
    if child.poll() is None:
        child.kill()
    child.wait()
    for stream in (child.stdin, child.stdout, child.stderr):
        if stream:
            stream.close()


def server(*command):
    """Starts a server that prints its port and ends with its standard input; the port."""
    child = subprocess.Popen([*map(os.fspath, command)], stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    atexit.register(end, child)
    return int(child.stdout.readline())


def wait_until(condition, what):
    limit = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > limit:
            raise AssertionError(f"waited in vain for {what}")
        time.sleep(0.005)


class Reader:
    """Gathers what comes out of a pipe, in a thread."""

    def __init__(self, stream):
        self.data = b""
        self.stream = stream
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self):
        while piece := self.stream.read1():
            self.data += piece

    def text(self):
        self.thread.join(DEADLINE)
        return self.data.decode(errors="replace")


def main():
    unittest.main(module="__main__", argv=[sys.argv[0], "-v"])
