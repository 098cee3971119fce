#!/usr/bin/env python3
"""test_llm.py RAG MODELS PYTHON GGUF: answers of a real small language model, served by
tests/chat/serve_llm.py."""
import pathlib
import subprocess
import time

from support import ARGUMENTS, Case, HERE, Reader, main, server

MODELS, PYTHON, GGUF = map(pathlib.Path, ARGUMENTS)
QUESTION = "When are tomatoes planted?"


class Answer(Case):
    @classmethod
    def setUpClass(cls):
        cls.port = server(PYTHON, HERE.parent / "chat/serve_llm.py", GGUF)

    def setUp(self):
        super().setUp()
        self.env.update(RAG_MODELS=str(MODELS), OPENAI_API_KEY="none",
                        OPENAI_BASE_URL=f"http://127.0.0.1:{self.port}/v1")
        del self.env["RAG_MODEL"]
        self.write_documents()
        self.run_rag("index", "docs", "--quiet")

    def check(self, shown):
        answer, sources = shown.split("\n\n\n" if "\n\n\n" in shown else "\n\n", 1)
        self.assertTrue(answer.strip())
        self.assertIn("docs/garden.md:", sources)

    def test_the_answer_is_streamed(self):
        child = self.start("ask", QUESTION, "--llm", "openai:local", stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE)
        pieces, first = [], time.monotonic()
        while piece := child.stdout.read1():
            pieces.append((time.monotonic() - first, piece))
        self.assertEqual(child.wait(600), 0, Reader(child.stderr).text())
        self.assertGreater(len(pieces), 2, "it came at once")
        self.check(b"".join(piece for _, piece in pieces).decode())

    def test_the_answer_is_whole_without_streaming(self):
        done = self.run_rag("ask", QUESTION, "--quiet", "--llm", "openai:local", "--no-stream")
        self.check(done.stdout.decode())
        self.assertEqual(done.err, "")

    def test_json_has_answer_model_and_hits(self):
        answer, = self.objects("ask", QUESTION, "--json", RAG_LLM="openai:local")
        self.assertTrue(answer["answer"].strip())
        self.assertEqual((answer["question"], answer["llm"]), (QUESTION, "openai:local"))
        self.assertEqual(pathlib.Path(answer["hits"][0]["document"]).name, "garden.md")
        for citation in answer["citations"]:
            data = pathlib.Path(citation["document"]).read_bytes()
            begin, end = citation["bytes"]
            self.assertEqual(data[begin:end].decode(), citation["quote"])

    def test_a_server_that_is_not_there_is_told(self):
        done = self.run_rag("ask", QUESTION, "--llm", "openai:local", status=6,
                            OPENAI_BASE_URL="http://127.0.0.1:1/v1")
        self.assertIn("127.0.0.1", done.err)
        self.assertEqual(done.stdout, b"")


if __name__ == "__main__":
    main()
