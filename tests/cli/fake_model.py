"""A server that plays a language model behind the OpenAI protocol, for the tests of the program.

A follow-up is rewritten into one question; words in the question choose what else happens:
"slow" stalls in the answer, "fail" is refused, "raw" brings control characters, "doubtful" says
what is in no passage, with markup.
"""
import http.server
import json
import threading

REWRITTEN = "How is green tea brewed?"
ANSWER = "With water below boiling [1]."
DOUBTFUL = ("Tomatoes are planted after the last frost [1]. They need 37 litres of water [1]. "
            "In summer $x^2 < y$ and `a[1]` hold [7].\n\n<script>alert(1)</script>\n\nNobody cites this.\n")
RAW = "\x1b]0;title\x07\x1b[2J\u009b31m" + ANSWER


class Model(http.server.BaseHTTPRequestHandler):
    def log_message(self, *arguments):
        pass

    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.requests.append(asked)
        last = asked["messages"][-1]["content"]
        question = last[last.rfind("Question: "):]
        if "Stand-alone question:" in last:
            text = f"Stand-alone question: {REWRITTEN}\nI hope this helps!"
        else:
            text = (RAW if "raw" in question else
                    DOUBTFUL if "doubtful" in question else ANSWER)
        if "fail" in question:
            return self.send(400, {"error": {"message": "no\x1b[2J such thing"}})
        if not asked["stream"]:
            return self.send(200, {
                "choices": [{"message": {"content": text}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 100, "completion_tokens": 10}})
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.event({"choices": [{"delta": {"content": text}}]})
        if "slow" in question:
            self.server.closing.wait(60)
        self.event({"choices": [{"delta": {}, "finish_reason": "stop"}]})
        self.wfile.write(b"data: [DONE]\n\n")

    def send(self, status, value):
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def event(self, value):
        self.wfile.write(b"data: " + json.dumps(value).encode() + b"\n\n")
        self.wfile.flush()


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Model)
        self.requests = []  # what was asked, in order
        self.closing = threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/v1"

    def questions(self):
        """The questions that were to be answered."""
        asked = [request["messages"][-1]["content"] for request in self.requests]
        return [text[text.rfind("Question: ") + 10:].rstrip("\n") for text in asked
                if "Stand-alone question:" not in text]

    def close(self):
        self.closing.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request, client_address):
        """A client that gives up is what some tests are for."""
