"""What the tests of the package share: small models, documents, a language model's server.

Run with PYTHONPATH (python/) and RAG_LIBRARY set to what is tested. Standard library only.
"""

import atexit
import http.server
import json
import os
import pathlib
import shutil
import sys
import tempfile
import threading
import time
import unittest

HERE = pathlib.Path(__file__).resolve().parent
SOURCE = HERE.parent.parent
DATA = HERE.parent / "data" / "encoder"
EMBEDDER = DATA / "bge-m3-like"  # random weights, dense, sparse and multi, 130 tokens
RERANKER = DATA / "xlmr-reranker"  # random weights, a logit, 64 tokens

for name in ("RAG_INDEX", "RAG_LLM", "RAG_PROVIDERS", "OPENAI_BASE_URL", "OPENAI_API_KEY"):
    os.environ.pop(name, None)
os.environ["RAG_MODEL"] = str(EMBEDDER)
os.environ["RAG_MODELS"] = "/nonexistent/models"
os.environ["XDG_CONFIG_HOME"] = "/nonexistent"
if "RAG_CACHE" not in os.environ:
    os.environ["RAG_CACHE"] = tempfile.mkdtemp(prefix="rag-cache-")
    atexit.register(shutil.rmtree, os.environ["RAG_CACHE"], True)

import rag  # noqa: E402  (the settings above come first)

FILES = {
    "garden.md": "# Garden\n\nTomatoes are planted in May, after the last frost.\n\n"
    "## Water\n\nCucumbers need water every evening in July.\n",
    "厨房.md": "# 厨房\n\n烤箱需要预热十分钟，然后放入面包。\n",
    "plan.txt": "The deadline of the project was moved to the third of October.\n",
}


class Case(unittest.TestCase):
    """A folder of its own."""

    maxDiff = None

    def setUp(self):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="rag-py-")).resolve()
        self.addCleanup(shutil.rmtree, self.folder, True)

    def write_files(self, files=FILES):
        docs = self.folder / "docs"
        docs.mkdir(exist_ok=True)
        for name, text in files.items():
            (docs / name).write_text(text, encoding="utf-8")
        return docs

    def open_index(self, **options):
        index = rag.Index(self.folder / "i.rag", **options)
        self.addCleanup(index.close)
        return index

    def assert_no_threads_left(self, seconds=10.0):
        """No thread of a stream is running any more."""
        end = time.monotonic() + seconds
        while any(thread.name == "rag-stream" for thread in threading.enumerate()):
            self.assertLess(time.monotonic(), end, "a stream's thread still runs")
            time.sleep(0.01)


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append(asked)
        refusal = self.server.refusal
        if refusal:
            self._send(refusal, {"error": {"message": "no"}})
        elif asked.get("stream"):
            self._stream()
        else:
            self._send(200, {
                "choices": [{"message": {"role": "assistant",
                                         "content": "".join(self.server.pieces)},
                             "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 7, "completion_tokens": 2}})

    def _send(self, status, value):
        body = json.dumps(value).encode()
        try:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
        except OSError:
            self.server.cut.set()

    def _stream(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        try:
            for piece in self.server.pieces:
                choice = {"index": 0, "delta": {"content": piece}, "finish_reason": None}
                self._event({"choices": [choice]})
                if self.server.pause is not None:
                    self.server.pause.wait(60)
            self._event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
            self._event({"choices": [],
                         "usage": {"prompt_tokens": 7, "completion_tokens": 2}})
            self.wfile.write(b"data: [DONE]\n\n")
        except OSError:
            self.server.cut.set()  # the reader has gone

    def _event(self, value):
        self.wfile.write(b"data: " + json.dumps(value).encode() + b"\n\n")
        self.wfile.flush()


class Server(http.server.ThreadingHTTPServer):
    """Speaks OpenAI's protocol. `pieces` of the answer; with `pause`, an Event, it waits for that
    after each piece; `refusal`: an HTTP status; `asked`: the requests."""

    daemon_threads = True

    def __init__(self, pieces=("The ", "answer ", "是 [1]."), pause=None, refusal=0):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.pieces, self.pause, self.refusal = list(pieces), pause, refusal
        self.asked, self.cut = [], threading.Event()
        self.thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self.thread.start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}/v1"

    def stop(self):
        if self.pause is not None:
            self.pause.set()
        self.shutdown()
        self.server_close()

    def chat(self, **options):
        return rag.Chat("openai:test-model", base_url=self.url, key="k", **options)


def main():
    unittest.main(argv=sys.argv, verbosity=1)
