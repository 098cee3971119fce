"""RAG: conversations, on pipes and on a terminal, with a server that plays a language model."""
import fcntl
import http.server
import json
import os
import pty
import signal
import subprocess
import termios
import threading

from support import RAG, Case, end, main, wait_until


class Model(http.server.BaseHTTPRequestHandler):
    """Rewrites any follow-up into one question, answers slowly to "slow", else cites [1]."""
    requests = []

    def log_message(self, *arguments):
        pass

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.requests.append(asked)
        messages = asked["messages"]
        if "Stand-alone question:" in messages[-1]["content"]:
            text = "Stand-alone question: How is green tea brewed?\nI hope this helps!"
        else:
            text = "With water below boiling [1]."
        if not asked["stream"]:
            return self.send({"choices": [{"message": {"content": text}, "finish_reason": "stop"}],
                              "usage": {"prompt_tokens": 100, "completion_tokens": 10}})
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.event({"choices": [{"delta": {"content": text}}]})
        if "slow" in messages[-1]["content"]:
            threading.Event().wait(30)
        self.event({"choices": [{"delta": {}, "finish_reason": "stop"}]})
        self.wfile.write(b"data: [DONE]\n\n")

    def send(self, value):
        data = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def event(self, value):
        self.wfile.write(b"data: " + json.dumps(value).encode() + b"\n\n")
        self.wfile.flush()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """A client that gives up is what some tests are for."""


class ChatTest(Case):
    def setUp(self):
        super().setUp()
        Model.requests.clear()
        server = Server(("127.0.0.1", 0), Model)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.env["OPENAI_BASE_URL"] = f"http://127.0.0.1:{server.server_port}/v1"
        self.env["HOME"] = str(self.folder / "home")
        (self.folder / "home").mkdir()
        self.write_documents()
        self.run_rag("index", "docs")

    def test_a_follow_up_is_rewritten_before_it_is_searched_for(self):
        first, second = self.objects("chat", "--llm", "openai:m", "--json",
                                     stdin="绿茶怎么泡？\nAnd in what water?\n")
        self.assertEqual(first["searched"], "绿茶怎么泡？")
        self.assertEqual(second["question"], "And in what water?")
        self.assertEqual(second["searched"], "How is green tea brewed?")
        self.assertEqual(second["citations"][0]["number"], 1)
        self.assertEqual(first["usage"]["requests"], 1)
        self.assertEqual(second["usage"]["requests"], 2)
        self.assertEqual(second["usage"]["input_tokens"], 200)
        transcript = Model.requests[1]["messages"][-1]["content"]
        self.assertIn("User: 绿茶怎么泡？", transcript)
        roles = [message["role"] for message in Model.requests[2]["messages"]]
        self.assertEqual(roles, ["system", "user", "assistant", "user"])

    def test_without_a_language_model_passages_are_quoted(self):
        answers = self.objects("chat", "--json", stdin="cucumbers\n\ntomatoes\n")
        self.assertEqual([answer["llm"] for answer in answers], ["", ""])
        self.assertEqual(answers[1]["searched"], "tomatoes")

    def test_a_failing_server_ends_a_conversation_on_a_pipe(self):
        self.run_rag("chat", "--llm", "openai:m", stdin="tea?\n", status=6,
                     OPENAI_BASE_URL="http://127.0.0.1:1/v1")

    def test_lines_that_belong_together_are_one_question(self):
        answers = self.objects("chat", "--json", stdin='green \\\ntea\n"""\nblack\ntea\n"""\n')
        self.assertEqual([a["question"] for a in answers], ["green \ntea", "black\ntea"])

    def test_sources_usage_and_the_transcript_are_shown_and_saved(self):
        shown = self.text("chat", "--llm", "openai:m",
                          stdin="tea?\n/sources\n/usage\n/question\n/save talk.md\n/quit\nno\n")
        self.assertIn("below boiling [1].", shown)
        self.assertRegex(shown, r"\d+ tokens in, 8 out \(estimated\)")
        self.assertIn("Searched for: tea?", shown)
        saved = (self.folder / "talk.md").read_text()
        self.assertTrue(saved.startswith("## tea?\n\nWith water below boiling [1]."))
        self.assertIn("- [1] ", saved)
        self.assertEqual(len(Model.requests), 1)  # nothing behind /quit

    def test_nothing_is_overwritten_by_save(self):
        self.write("talk.md", "mine")
        self.run_rag("chat", stdin="tea?\n/save talk.md\n")
        self.assertEqual((self.folder / "talk.md").read_text(), "mine")

    def open_terminal(self, *arguments):
        master, slave = pty.openpty()
        termios.tcsetwinsize(slave, (24, 100))
        self.shown = bytearray()

        def become_foreground():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        child = subprocess.Popen([RAG, "chat", *arguments], cwd=self.folder,
                                 env={**self.env, "TERM": "xterm"}, stdin=slave, stdout=slave,
                                 stderr=slave, preexec_fn=become_foreground)
        self.addCleanup(end, child)
        os.close(slave)

        def read():
            try:
                while piece := os.read(master, 4096):
                    self.shown.extend(piece)
            except OSError:
                pass

        thread = threading.Thread(target=read, daemon=True)
        thread.start()
        self.addCleanup(os.close, master)
        self.addCleanup(thread.join, 10)
        return child, master

    def wait_for(self, text, since=0):
        wait_until(lambda: text.encode() in self.shown[since:], repr(text))

    def test_on_a_terminal_ctrl_c_stops_the_answer_and_keeps_the_session(self):
        child, master = self.open_terminal("--llm", "openai:m")
        self.wait_for("> ")
        os.write(master, "slow 绿茶\n".encode())
        self.wait_for("below boiling")
        child.send_signal(signal.SIGINT)
        self.wait_for("interrupted")
        seen = len(self.shown)
        os.write(master, b"tea?\n")
        self.wait_for("[1] ", seen)
        os.write(master, b"\x03")  # at the prompt: nothing but a new line
        os.write(master, b"/quit\n")
        self.assertEqual(child.wait(60), 0)
        kept = self.folder / "home/.local/state/rag/history"
        self.assertIn("tea?", kept.read_text())
        self.assertEqual(kept.stat().st_mode & 0o777, 0o600)


class LlmTest(Case):
    def test_providers_are_listed_without_their_keys(self):
        done = self.run_rag("llm", "list", "--json", GROQ_API_KEY="very-secret-key")
        providers = {row["provider"]: row for row in map(json.loads, done.stdout.splitlines())}
        self.assertTrue(providers["groq"]["ready"])
        self.assertFalse(providers["mistral"]["ready"])
        self.assertEqual(providers["ollama"]["protocol"], "ollama")
        self.assertNotIn(b"very-secret-key", done.stdout)
        self.assertIn("gemini-2.5-flash", self.text("llm", "list"))

    def test_a_provider_of_ones_own_is_tried(self):
        server = Server(("127.0.0.1", 0), Model)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.write("mine.json", json.dumps({"providers": {"mine": {
            "protocol": "openai", "base_url": f"http://127.0.0.1:{server.server_port}/v1",
            "model": "m", "input_price": 1, "output_price": 10}}}))
        tried, = self.objects("llm", "test", "mine", "--json", RAG_PROVIDERS="mine.json")
        self.assertEqual(tried["usage"]["output_tokens"], 10)
        self.assertAlmostEqual(tried["usage"]["cost"], (100 * 1 + 10 * 10) / 1e6)
        self.run_rag("llm", "test", status=2)


if __name__ == "__main__":
    main()
