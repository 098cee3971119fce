#!/usr/bin/env python3
"""test_litellm.py RAG PYTHON GGUF: the protocols against someone else's servers of them,
LiteLLM's proxy in front of a real small language model."""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "cli"))

from support import ARGUMENTS, Case, DEADLINE, Reader, main, server

PYTHON, GGUF = map(pathlib.Path, ARGUMENTS)
KEY = "sk-proxy-0123456789"
QUESTION = "When are tomatoes planted?"


class Proxy(Case):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory(prefix="rag-litellm-")
        cls.addClassCleanup(folder.cleanup)
        cls.log = pathlib.Path(folder.name) / "requests"
        llm = server(PYTHON, HERE / "serve_llm.py", GGUF)
        cls.port = server(PYTHON, HERE / "serve_litellm.py", str(llm), KEY, cls.log)

    def setUp(self):
        super().setUp()
        self.url = f"http://127.0.0.1:{self.port}"
        self.write_documents()
        self.run_rag("index", "docs", "--quiet")
        self.seen = len(self.requests())

    def requests(self):
        return self.log.read_text().splitlines()

    def set_provider(self, provider, address, key=KEY):
        """The proxy is this provider, at this address of it."""
        name = provider.upper()
        self.env.update({f"{name}_BASE_URL": self.url + address, f"{name}_API_KEY": key})

    def ask(self, provider, address, *arguments, key=KEY, status=0):
        self.set_provider(provider, address, key)
        return self.run_rag("ask", QUESTION, "--quiet", "--llm", f"{provider}:local", *arguments,
                            status=status)

    def expect_request(self, path):
        """One request has come by, of this form, and was answered."""
        line, = self.requests()[self.seen:]
        self.assertRegex(line, f'"POST {re.escape(path)} HTTP/1.1" 200')

    def expect_whole(self, provider, address, path):
        answer = json.loads(self.ask(provider, address, "--json").stdout)
        self.assertTrue(answer["answer"].strip())
        self.assertEqual(answer["llm"], f"{provider}:local")
        self.assertFalse(answer["usage"]["estimated"], "the proxy counts tokens")
        self.assertGreater(answer["usage"]["input_tokens"], 50)
        self.assertGreater(answer["usage"]["output_tokens"], 0)
        self.expect_request(path)

    def expect_streamed(self, provider, address, path):
        self.set_provider(provider, address)
        child = self.start("ask", QUESTION, "--quiet", "--llm", f"{provider}:local",
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        pieces = []
        while piece := child.stdout.read1():
            pieces.append(piece)
        self.assertEqual(child.wait(DEADLINE), 0, Reader(child.stderr).text())
        self.assertGreater(len(pieces), 2, "it came at once")
        shown = b"".join(pieces).decode()
        answer, sources = shown.split("\n\n\n" if "\n\n\n" in shown else "\n\n", 1)
        self.assertTrue(answer.strip())
        self.assertIn("docs/", sources)
        self.expect_request(path)

    def test_gemini_answers_whole(self):
        self.expect_whole("gemini", "", "/v1beta/models/local%3AgenerateContent")

    def test_gemini_streams(self):
        self.expect_streamed("gemini", "",
                             "/v1beta/models/local%3AstreamGenerateContent?alt=sse")

    def test_a_gemini_address_may_be_openais(self):
        self.expect_whole("gemini", "/v1", "/v1/chat/completions")

    def test_anthropic_answers_whole(self):
        self.expect_whole("anthropic", "", "/v1/messages")

    def test_anthropic_streams(self):
        self.expect_streamed("anthropic", "", "/v1/messages")

    def test_openai_answers_whole(self):
        self.expect_whole("openai", "/v1", "/v1/chat/completions")

    def test_openai_streams(self):
        self.expect_streamed("openai", "/v1", "/v1/chat/completions")

    def test_another_key_does_not_come_through(self):
        for provider, address in ("gemini", ""), ("anthropic", ""), ("openai", "/v1"):
            with self.subTest(provider):
                done = self.ask(provider, address, key="sk-another-9876543210", status=6)
                self.assertNotIn("9876543210", done.err)
                self.assertNotIn(b"9876543210", done.stdout)


if __name__ == "__main__":
    main()
