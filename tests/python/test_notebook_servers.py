"""The notebook's names that ask servers: embeddings and chats, against a server on this machine
that answers in the shapes of the real ones.

Runs with RAG_LIBRARY and PYTHONPATH set to what is tested.
"""
import contextlib
import email.utils
import http.server
import io
import json
import os
import threading
import time
import unittest
from unittest import mock

import rag
from rag import _http, llm
from rag.embeddings import (BgeWithAPIEmbedding, DashscopeEmbedding, OpenAIEmbedding,
                            ZhipuEmbedding)
from rag.llm import (PROMPT_TEMPLATE, DashscopeChat, GeminiChat, InternLMChat, OpenAIChat,
                     SiliconflowChat, ZhipuChat)
from rag.vector_base import VectorStore

from notebook_support import Case

KEY = "sk-0123456789abcdef"


class Handler(http.server.BaseHTTPRequestHandler):
    """Keeps requests; answers with the next of `server.answers`, else as a provider does."""
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_POST(self):
        size = int(self.headers["Content-Length"])
        request = json.loads(self.rfile.read(size))
        self.server.requests.append((self.path, dict(self.headers), request))
        if self.server.answers:
            status, headers, body = self.server.answers.pop(0)
        elif self.path.endswith("/embeddings"):
            # In no order, as the protocol allows.
            items = [{"object": "embedding", "index": i, "embedding": [len(text), 1.0]}
                     for i, text in enumerate(request["input"])]
            status, headers, body = 200, {}, {"object": "list", "data": items[::-1]}
        else:
            kind = "text/event-stream" if request.get("stream") else "application/json"
            status, headers, body = 200, {"Content-Type": kind}, self.completion(request)
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def completion(self, request):
        if not request.get("stream"):
            return {"choices": [{"index": 0, "finish_reason": "stop",
                                 "message": {"role": "assistant", "content": "好的。"}}]}
        events = [{"choices": [{"index": 0, "delta": {"content": piece}}]} for piece in "好的。"]
        lines = [f"data: {json.dumps(event)}\n\n" for event in events] + ["data: [DONE]\n\n"]
        return "".join(lines).encode()


class ServerCase(Case):
    def setUp(self):
        super().setUp()
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.requests, self.server.answers = [], []
        thread = threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        self.addCleanup(thread.join)
        self.addCleanup(self.server.server_close)
        self.addCleanup(self.server.shutdown)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"
        for name in list(os.environ):
            if name.endswith(("_API_KEY", "_BASE_URL", "_proxy", "_PROXY")):
                del os.environ[name]
        self.waits = []
        self.enterContext_(mock.patch.object(_http.time, "sleep", self.waits.append))

    def enterContext_(self, manager):
        manager.__enter__()
        self.addCleanup(manager.__exit__, None, None, None)


class ApiEmbeddingTest(ServerCase):
    def setUp(self):
        super().setUp()
        os.environ.update(SILICONFLOW_API_KEY=KEY, SILICONFLOW_BASE_URL=self.url)

    def test_the_request_is_openais(self):
        self.assertEqual(BgeWithAPIEmbedding().get_embedding("abc"), [3.0, 1.0])
        path, headers, body = self.server.requests[0]
        self.assertEqual(path, "/v1/embeddings")
        self.assertEqual(headers["Authorization"], f"Bearer {KEY}")
        self.assertEqual((body["model"], body["input"]), ("BAAI/bge-m3", ["abc"]))

    def test_each_provider_has_its_variables_and_model(self):
        for kind, prefix, model in ((OpenAIEmbedding, "OPENAI", "text-embedding-3-large"),
                                    (ZhipuEmbedding, "ZHIPUAI", "embedding-2"),
                                    (DashscopeEmbedding, "DASHSCOPE", "text-embedding-v1")):
            with self.assertRaisesRegex(rag.AuthError, f"{prefix}_API_KEY"):
                kind().get_embedding("abc")
            os.environ[f"{prefix}_API_KEY"] = KEY
            os.environ[f"{prefix}_BASE_URL"] = self.url
            self.assertEqual(kind(path="").get_embedding("abc"), [3.0, 1.0])
            self.assertEqual(self.server.requests[-1][2]["model"], model)

    def test_a_store_sends_batches_and_keeps_the_order(self):
        texts = ["x" * n for n in range(1, 71)]
        store = VectorStore(texts)
        with contextlib.redirect_stderr(io.StringIO()) as shown:
            vectors = store.get_vector(BgeWithAPIEmbedding())
        self.assertEqual([vector[0] for vector in vectors], list(range(1, 71)))
        self.assertEqual([len(body["input"]) for _, _, body in self.server.requests],
                         [32, 32, 6])
        self.assertRegex(shown.getvalue(), r"Calculating embeddings: 100%\|█+\| 70/70")

    def test_busy_servers_are_asked_again_as_late_as_they_say(self):
        self.server.answers = [(429, {"Retry-After": "7"}, {}), (503, {}, b"<html>"),
                               (429, {"Retry-After": "9999"}, {})]
        self.assertEqual(BgeWithAPIEmbedding().get_embedding("abc"), [3.0, 1.0])
        self.assertEqual(self.waits, [7.0, 2.0, 60.0])

    def test_a_date_says_how_late_too(self):
        moment = email.utils.formatdate(time.time() + 30, usegmt=True)
        self.server.answers = [(429, {"Retry-After": moment}, {}),
                               (429, {"Retry-After": "soon"}, {})]
        BgeWithAPIEmbedding().get_embedding("abc")
        self.assertAlmostEqual(self.waits[0], 30, delta=5)
        self.assertEqual(self.waits[1], 2.0)

    def test_a_lost_connection_is_tried_again_then_told(self):
        os.environ["SILICONFLOW_BASE_URL"] = "http://127.0.0.1:9/v1"
        with self.assertRaisesRegex(rag.NetworkError, "127.0.0.1:9"):
            BgeWithAPIEmbedding().get_embedding("abc")
        self.assertEqual(self.waits, [1.0, 2.0, 4.0])

    def test_errors_are_told_in_the_servers_words_without_the_key(self):
        said = {"error": {"message": f"Incorrect API key provided: {KEY}.\nSee the page"}}
        for status, kind, requests in ((401, rag.AuthError, 1), (403, rag.AuthError, 1),
                                       (400, rag.NetworkError, 1), (429, rag.LimitError, 4),
                                       (500, rag.NetworkError, 4)):
            self.server.requests.clear()
            self.server.answers = [(status, {}, said)] * requests
            with self.assertRaises(kind) as caught:
                BgeWithAPIEmbedding().get_embedding("abc")
            self.assertEqual(len(self.server.requests), requests)
            self.assertIn(f"answered {status}: Incorrect API key provided: .... See the page",
                          str(caught.exception))

    def test_a_redirect_does_not_carry_the_key_away(self):
        for status in (301, 302, 303, 307, 308):
            self.server.requests.clear()
            self.server.answers = [(status, {"Location": self.url + "/elsewhere"}, b"")]
            with self.assertRaisesRegex(rag.NetworkError, str(status)):
                BgeWithAPIEmbedding().get_embedding("abc")
            self.assertEqual(len(self.server.requests), 1)

    def test_an_answer_that_is_no_embeddings_is_refused(self):
        def item(vector, index=0):
            return {"index": index, "embedding": vector}
        for body in (b"", b"[", b"[]", b"{}", {"data": []}, {"data": [{}]},
                     {"data": [item([])]}, {"data": [item(["x"])]}, {"data": [item(None)]},
                     {"data": [item([1]), item([1])]}, {"data": [item([1], 1)]},
                     b'{"data": [{"embedding": [NaN]}]}', b"[" * 200000):
            self.server.answers = [(200, {}, body)]
            with self.assertRaisesRegex(rag.NetworkError, "sent no embeddings"):
                BgeWithAPIEmbedding().get_embedding("abc")
        self.server.answers = [(200, {}, {"data": [item([1]), item([1, 2], 1)]})]
        with self.assertRaisesRegex(rag.NetworkError, "different lengths"):
            BgeWithAPIEmbedding().get_embeddings(["abc", "d"])

    def test_keys_and_addresses_that_cannot_be_are_refused_unseen(self):
        for name, value in (("SILICONFLOW_API_KEY", "sk-secret\r\nX: 1"),
                            ("SILICONFLOW_BASE_URL", "file:///etc/passwd"),
                            ("SILICONFLOW_BASE_URL", "http://me:secret@127.0.0.1/v1")):
            with mock.patch.dict(os.environ, {name: value}):
                with self.assertRaisesRegex(rag.UsageError, name) as caught:
                    BgeWithAPIEmbedding().get_embedding("abc")
            self.assertNotIn("secret", str(caught.exception))
        self.assertEqual(self.server.requests, [])


class ChatTest(ServerCase):
    def setUp(self):
        super().setUp()
        os.environ.update(GEMINI_API_KEY=KEY, GEMINI_BASE_URL=self.url)

    def test_the_question_goes_out_with_its_context_after_the_history(self):
        history = [{"role": "user", "content": "你好"}, {"role": "assistant", "content": "你好！"}]
        before = json.dumps(history)
        answer = GeminiChat(model="gemini-2.5-flash").chat("{茶}怎么泡？", history, "用{八十}度的水。")
        self.assertEqual(answer, "好的。")
        self.assertEqual(json.dumps(history), before)
        path, headers, body = self.server.requests[0]
        self.assertEqual(path, "/v1/chat/completions")
        self.assertEqual(headers["Authorization"], f"Bearer {KEY}")
        self.assertEqual((body["model"], body["max_tokens"], body["temperature"]),
                         ("gemini-2.5-flash", 8192, 0.7))
        self.assertEqual(body["messages"][:2], history)
        self.assertEqual(body["messages"][2]["role"], "user")
        prompt = body["messages"][2]["content"]
        self.assertLess(prompt.index("{茶}怎么泡？"), prompt.index("用{八十}度的水。"))
        self.assertEqual(len(body["messages"]), 3)

    def test_the_answer_comes_in_pieces_too(self):
        pieces = list(GeminiChat().stream("茶", [], "水"))
        self.assertGreater(len(pieces), 1)
        self.assertEqual("".join(pieces), "好的。")

    def test_each_provider_has_its_variables_and_model(self):
        for kind, prefix, model in ((SiliconflowChat, "SILICONFLOW", "Qwen/Qwen2.5-7B-Instruct"),
                                    (OpenAIChat, "OPENAI", "gpt-3.5-turbo-1106"),
                                    (DashscopeChat, "DASHSCOPE", "qwen-turbo"),
                                    (ZhipuChat, "ZHIPUAI", "glm-4")):
            with self.assertRaisesRegex(rag.AuthError, f"{prefix}_API_KEY"):
                kind().chat("q", [], "c")
            os.environ[f"{prefix}_API_KEY"] = KEY
            os.environ[f"{prefix}_BASE_URL"] = self.url
            chat = kind()
            self.assertIsNone(chat.load_model())
            self.assertEqual(chat.chat("q", [], "c"), "好的。")
            self.assertEqual(self.server.requests[-1][2]["model"], model)

    def test_internlm_is_asked_on_a_server_of_ones_own_and_gets_no_other_key(self):
        with self.assertRaisesRegex(rag.UsageError, "INTERNLM_BASE_URL"):
            InternLMChat("/models/internlm2-chat-7b")
        os.environ.update(INTERNLM_BASE_URL=self.url, OPENAI_API_KEY="sk-other")
        self.assertEqual(InternLMChat("/models/internlm2-chat-7b").chat("q", [], "c"), "好的。")
        _, headers, body = self.server.requests[0]
        self.assertEqual(body["model"], "internlm2-chat-7b")
        self.assertNotIn("Authorization", headers)

    def test_prompts_have_their_old_keys_and_can_be_changed(self):
        self.assertEqual(PROMPT_TEMPLATE["RAG_PROMPT_TEMPALTE"],
                         PROMPT_TEMPLATE["RAG_PROMPT_TEMPLATE"])
        self.assertEqual(PROMPT_TEMPLATE["InternLM_PROMPT_TEMPALTE"],
                         PROMPT_TEMPLATE["InternLM_PROMPT_TEMPLATE"])
        with mock.patch.dict(llm.PROMPT_TEMPLATE, RAG_PROMPT_TEMPLATE="{context}? {question}!"):
            GeminiChat().chat("q", [], "c")
        self.assertEqual(self.server.requests[0][2]["messages"],
                         [{"role": "user", "content": "c? q!"}])


class DotenvTest(ServerCase):
    def chat(self):
        GeminiChat().chat("q", [], "c")
        return self.server.requests[-1][1].get("Authorization")

    def test_a_dotenv_file_sets_what_the_environment_does_not(self):
        self.write(".env", f"# keys\nOTHER=1\nexport GEMINI_API_KEY='{KEY}' # mine\n"
                           f"GEMINI_BASE_URL = {self.url}  # here\nnonsense\n")
        self.assertEqual(self.chat(), f"Bearer {KEY}")
        self.assertNotIn("GEMINI_API_KEY", os.environ)
        os.environ["GEMINI_BASE_URL"] = self.url.replace("/v1", "/other/v1")
        self.chat()
        self.assertEqual(self.server.requests[-1][0], "/other/v1/chat/completions")

    def test_a_key_of_the_environment_does_not_go_to_a_files_address(self):
        self.write("work/.env", "GEMINI_BASE_URL=http://127.0.0.1:9/v1\n")
        os.environ.update(GEMINI_API_KEY=KEY, GEMINI_BASE_URL=self.url)
        self.assertEqual(self.chat(), f"Bearer {KEY}")
        del os.environ["GEMINI_BASE_URL"]
        from rag._settings import credentials
        self.assertEqual(credentials("GEMINI_API_KEY", "GEMINI_BASE_URL"), (KEY, None))

    def test_a_file_of_somebody_else_is_not_read(self):
        self.write("work/.env", f"GEMINI_API_KEY={KEY}\n")
        with mock.patch.object(os, "getuid", return_value=os.getuid() + 1):
            with self.assertRaises(rag.AuthError):
                self.chat()


if __name__ == "__main__":
    unittest.main()
