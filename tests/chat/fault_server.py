#!/usr/bin/env python3
"""KEY CERTIFICATE.pem: a language model's server that misbehaves in the ways that real ones do.

Listens on 127.0.0.1, prints its port, and ends when its standard input does. The first
part of a request's path names the scenario: /busy/v1/chat/completions is a POST to the
scenario "busy". Its replies have the shapes that the providers' references and recorded
sessions show. A reply's text says which try it was ("try 2"), so that a test can see what
was retried. Only Python's standard library is used.
"""

import collections
import email.utils
import http.server
import json
import os
import ssl
import sys
import threading
import time

KEY = sys.argv[1]
HALF = "你".encode()  # three bytes
tries = collections.Counter()
elsewhere = None  # the server that x_redirect leads to
untrusted = None  # the same behind a certificate that nobody vouches for


def event(value):
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def delta(text, finish=None):
    return event({"object": "chat.completion.chunk",
                  "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]})


def raw_delta(text):
    """A piece whose bytes need not be UTF-8."""
    return b'data: {"choices":[{"delta":{"content":"' + text + b'"}}]}\n\n'


def whole(text, finish="stop"):
    return {"object": "chat.completion",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": text},
                         "finish_reason": finish}],
            "usage": {"prompt_tokens": 9, "completion_tokens": 3}}


def candidate(*texts, finish=None, thought=None):
    parts = [{"text": t} for t in texts]
    if thought:
        parts.insert(0, {"text": thought, "thought": True})
    one = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if finish:
        one["finishReason"] = finish
    return {"candidates": [one], "modelVersion": "gemini-2.5-flash",
            "usageMetadata": {"promptTokenCount": 4}}


def google_error(code, status, message, *details):
    return {"error": {"code": code, "message": message, "status": status,
                      "details": list(details)}}


DONE = b"data: [DONE]\n\n"
ROLE = event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": None},
                           "finish_reason": None}]})
USAGE = event({"choices": [], "usage": {"completion_tokens": 3}})
LONG = 10 * 1000 * 1000


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_POST(self):
        size = int(self.headers.get("Content-Length", 0))
        self.body = self.rfile.read(size)
        self.scenario = self.path.split("/")[1]
        tries[self.scenario] += 1
        self.attempt = tries[self.scenario]
        try:
            getattr(self, "x_" + self.scenario)()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    # ---- How to reply

    def reply(self, status, value, headers=(), kind="application/json"):
        data = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        for name, text in headers:
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(data)

    def start(self):
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def piece(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def end(self):
        self.wfile.write(b"0\r\n\r\n")

    def stream(self, *pieces):
        self.start()
        for data in pieces:
            self.piece(data)
        self.end()

    def text(self, text):
        """As asked for: streamed or whole."""
        if json.loads(self.body).get("stream"):
            self.stream(b": keep-alive\n\n", ROLE, delta(text), delta("", "stop"), USAGE, DONE)
        else:
            self.reply(200, whole(text))

    def hang_up(self):
        self.close_connection = True

    # ---- Scenarios of the OpenAI protocol

    def x_ok(self):
        self.text("The answer is 42 [1]. 你好 👋")

    def x_citing(self):
        """With markers of all kinds, two of passages that nobody gave."""
        text = "One claim [1]. 二【2, 9】. `code[1]` And a third one [77][1]."
        if json.loads(self.body).get("stream"):
            self.stream(*(delta(character) for character in text), delta("", "stop"), DONE)
        else:
            self.reply(200, whole(text))

    def x_request(self):
        """What came, as the text of the reply."""
        secrets = {"authorization": "Bearer " + KEY, "x-goog-api-key": KEY}
        seen = {name.lower(): value for name, value in self.headers.items()}
        text = json.dumps({
            "path": self.path, "body": json.loads(self.body), "type": seen.get("content-type"),
            "agent": seen.get("user-agent"),
            "key": [name for name, value in secrets.items() if seen.get(name) == value],
            "leak": KEY in self.path or KEY.encode() in self.body})
        if "generateContent" in self.path:
            self.reply(200, candidate(text, finish="STOP"))
        elif "streamGenerateContent" in self.path:
            self.stream(event(candidate(text, finish="STOP")))
        else:
            self.text(text)

    def x_bytes(self):
        data = b"\xef\xbb\xbf:\r\n" + ROLE + delta("one 你").replace(b"\n", b"\r\n")
        data += b'data: {"choices":[{"delta":\r\ndata: {"content":" two"}}]}\r\r'
        data += raw_delta(" 好".encode()) + delta("", "stop") + DONE
        self.start()
        for byte in data:
            self.piece(bytes([byte]))
        self.end()

    def x_half(self):
        self.stream(raw_delta(b"a" + HALF[:1]), raw_delta(HALF[1:] + b"b"),
                    raw_delta(b"c" + HALF[:2]), raw_delta(b"d\xff"), raw_delta(b"e" + HALF[:2]),
                    delta("", "stop"), DONE)

    def x_stall(self):
        time.sleep(30)

    def x_stall_in_stream(self):
        self.start()
        self.piece(delta("The begin"))
        time.sleep(30)

    def x_comments_forever(self):
        self.start()
        while True:
            self.piece(b": still here\n\n")
            time.sleep(0.1)

    def x_linger(self):
        self.start()
        self.piece(delta("all of it") + delta("", "stop") + DONE)
        time.sleep(30)

    def x_cut(self):
        self.start()
        self.piece(delta("The begin"))
        self.hang_up()

    def x_cut_cleanly(self):
        self.stream(delta("The begin"))

    def x_cut_in_character(self):
        self.start()
        self.piece(delta("The begin") + b'data: {"choices":[{"delta":{"content":"' + HALF[:2])
        self.hang_up()

    def x_cut_before_text(self):
        if self.attempt > 1:
            return self.text("try %d" % self.attempt)
        self.start()
        self.piece(ROLE)
        self.hang_up()

    def x_lost_once(self):
        if self.attempt > 1:
            return self.text("try %d" % self.attempt)
        self.hang_up()

    def x_no_done(self):
        self.stream(delta("whole"), delta("", "stop"))

    def x_no_last_blank_line(self):
        self.stream(delta("whole"), b"data: [DONE]\n")

    def x_json_for_stream(self):
        self.reply(200, whole("not streamed"))

    def x_parts(self):
        self.reply(200, whole([{"type": "text", "text": "in "}, {"type": "image"},
                               {"type": "text", "text": "parts"}]))

    def x_length(self):
        self.stream(delta("The begin"), delta("", "length"), DONE)

    def x_length_no_text(self):
        self.reply(200, whole(None, "length"))

    def x_filter(self):
        self.reply(200, whole(None, "content_filter"))

    def x_after_end(self):
        self.stream(delta("whole"), delta("", "stop"), b"data: garbage\n\n", DONE)

    def busy(self, count, status, headers=(), code="rate_limit_exceeded"):
        if self.attempt > count:
            return self.text("try %d" % self.attempt)
        error = {"error": {"message": "Please slow down", "type": "requests", "code": code}}
        self.reply(status, error, headers)

    def x_busy(self):
        self.busy(1, 429, [("Retry-After", "1")])

    def x_busy_until_date(self):
        self.busy(1, 429, [("Retry-After", email.utils.formatdate(time.time() + 2, usegmt=True))])

    def x_busy_for_an_hour(self):
        self.busy(99, 429, [("Retry-After", "3600")])

    def x_busy_on(self):
        self.busy(99, 429)

    def x_no_quota(self):
        self.busy(99, 429, code="insufficient_quota")

    def x_broken_twice(self):
        self.busy(2, (500, 503)[self.attempt % 2], code="server_error")

    def x_broken_page(self):
        page = b"<html><body>Bad gateway <script>alert(1)</script></body></html>"
        self.reply(502, page, kind="text/html")

    def x_error_in_stream(self):
        self.stream(delta("The begin"), event({"error": {"message": "engine died", "code": 500}}))

    def x_busy_in_stream(self):
        if self.attempt > 1:
            return self.text("try %d" % self.attempt)
        self.stream(event({"error": {"message": "busy", "type": "overloaded_error"}}))

    def x_long_line(self):
        self.start()
        self.piece(b'data: {"choices":[{"delta":{"content":"')
        for _ in range(LONG // 100000):
            self.piece(b"x" * 100000)
        self.piece(b'"}}]}\n\n' + DONE)
        self.end()

    def x_long_reply(self):
        self.reply(200, whole("x" * 2 * LONG))

    def x_not_json(self):
        self.reply(200, b"{'choices': oops}")

    def x_not_json_in_stream(self):
        self.stream(b"data: {'choices': oops}\n\n", DONE)

    def x_other_json(self):
        self.reply(200, {"hello": "world"})

    def x_empty(self):
        self.reply(200, b"")

    def x_key_echo(self):
        words = "Incorrect\x1b[31m API key:\n " + KEY + " (" + KEY[:-3] + ") " + "ä" * 5000
        self.reply(401, {"error": {"message": words, "code": "invalid_api_key"}})

    def x_key_echo_as_text(self):
        self.reply(400, ("bad \xff header " + KEY).encode("latin-1"), kind="text/plain")

    def x_key_echo_in_stream(self):
        self.stream(event({"error": {"message": "bad key " + KEY, "code": 401}}))

    def x_no_model(self):
        self.reply(404, {"error": {"message": "The model `m` does not exist",
                                   "type": "invalid_request_error", "code": "model_not_found"}})

    def x_no_page(self):
        self.reply(404, b"<html>404</html>", kind="text/html")

    def x_context(self):
        message = "This model's maximum context length is 4096 tokens."
        self.reply(400, {"error": {"message": message, "type": "invalid_request_error",
                                   "code": "context_length_exceeded"}})

    def x_context_llama(self):
        message = "request (4390 tokens) exceeds the available context size (4096 tokens)"
        self.reply(400, {"error": {"code": 400, "message": message,
                                   "type": "exceed_context_size_error"}})

    def x_context_vllm(self):
        message = "This model's maximum context length is 512 tokens."
        self.reply(400, {"object": "error", "message": message, "code": 400})

    def x_redirect(self):
        address = "http://127.0.0.1:%d/ok/v1/chat/completions" % elsewhere.server_port
        self.reply(307, {}, [("Location", address)])

    def x_count_elsewhere(self):
        self.text("asked %d times" % tries["elsewhere"])

    def x_untrusted_port(self):
        self.text(str(untrusted.server_port))

    # ---- Scenarios of the Gemini protocol

    def x_gemini(self):
        if "streamGenerateContent" in self.path:
            self.stream(*(event(c).replace(b"\n", b"\r\n") for c in (
                candidate("The answer", thought="Let me think."), candidate(" is 42 [1]. "),
                candidate("你好", finish="STOP"))))
        else:
            self.reply(200, candidate("The answer", " is 42 [1]. ", "你好", finish="STOP",
                                      thought="Let me think."))

    def x_gemini_stops(self):
        """Older models: a finishReason in every event."""
        self.stream(event(candidate("one ", finish="STOP")), event(candidate("two", finish="STOP")))

    def x_gemini_prompt_blocked(self):
        value = {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"},
                 "usageMetadata": {"promptTokenCount": 9}}
        if "streamGenerateContent" in self.path:
            self.stream(event(value))
        else:
            self.reply(200, value)

    def x_gemini_safety(self):
        self.stream(event(candidate("Well, ")),
                    event({"candidates": [{"finishReason": "SAFETY", "index": 0}]}))

    def x_gemini_all_thought(self):
        self.reply(200, candidate(thought="Hmm.", finish="MAX_TOKENS"))

    def x_gemini_bad_key(self):
        self.reply(400, google_error(
            400, "INVALID_ARGUMENT", "API key not valid. Please pass a valid API key.",
            {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}))

    def x_gemini_no_model(self):
        self.reply(404, google_error(404, "NOT_FOUND", "models/m is not found for API version"))

    def x_gemini_busy(self):
        if self.attempt > 1:
            return self.reply(200, candidate("try %d" % self.attempt, finish="STOP"))
        self.reply(429, google_error(
            429, "RESOURCE_EXHAUSTED", "You exceeded your current quota.",
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.2s"}))

    def x_gemini_context(self):
        self.reply(400, google_error(
            400, "INVALID_ARGUMENT",
            "The input token count (1500000) exceeds the maximum number of tokens allowed."))

    def x_gemini_error_list(self):
        """Google's OpenAI-compatible address puts its errors into a list."""
        self.reply(400, [google_error(400, "INVALID_ARGUMENT", "Request contains nonsense.")])

    # ---- Scenarios of Anthropic's Messages

    def x_anthropic(self):
        usage = {"input_tokens": 7, "cache_read_input_tokens": 3, "output_tokens": 1}
        if not json.loads(self.body)["stream"]:
            return self.reply(200, {"type": "message", "role": "assistant", "content": [
                {"type": "thinking", "thinking": "Let me think."},
                {"type": "text", "text": "The answer"}, {"type": "text", "text": " is 你好"}],
                "stop_reason": "end_turn", "usage": {**usage, "output_tokens": 5}})
        message = {"type": "message", "content": [], "stop_reason": None, "usage": usage}
        self.stream(*(b"event: " + value["type"].encode() + b"\n" + event(value) for value in (
            {"type": "message_start", "message": message},
            {"type": "content_block_start", "index": 0,
             "content_block": {"type": "thinking", "thinking": ""}},
            {"type": "content_block_delta", "index": 0,
             "delta": {"type": "thinking_delta", "thinking": "Let me think."}},
            {"type": "content_block_start", "index": 1,
             "content_block": {"type": "text", "text": ""}},
            {"type": "ping"},
            {"type": "content_block_delta", "index": 1,
             "delta": {"type": "text_delta", "text": "The answer"}},
            {"type": "content_block_delta", "index": 1,
             "delta": {"type": "text_delta", "text": " is 你好"}},
            {"type": "content_block_stop", "index": 1},
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"},
             "usage": {"output_tokens": 5}},
            {"type": "message_stop"})))

    def x_anthropic_overloaded(self):
        """Passes: an error in a stream that has not begun to answer."""
        if self.attempt > 1:
            return self.x_anthropic()
        self.stream(event({"type": "error", "error": {"type": "overloaded_error",
                                                      "message": "Overloaded"}}))

    def x_anthropic_refusal(self):
        self.stream(event({"type": "message_delta", "delta": {"stop_reason": "refusal"}}))

    def x_anthropic_bad_key(self):
        self.reply(401, {"type": "error", "error": {"type": "authentication_error",
                                                    "message": "invalid x-api-key"}})

    # ---- Scenarios of Ollama

    def lines(self, *values):
        """A stream of JSON lines, cut at every seventh byte."""
        data = b"".join(json.dumps(value).encode() + b"\n" for value in values)
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for at in range(0, len(data), 7):
            self.piece(data[at:at + 7])
        self.end()

    def x_ollama(self):
        end = {"done": True, "done_reason": "stop", "prompt_eval_count": 11, "eval_count": 4}
        if not json.loads(self.body)["stream"]:
            return self.reply(200, {"message": {"role": "assistant", "thinking": "Hmm.",
                                                "content": "The answer is 你好"}, **end})
        self.lines({"message": {"role": "assistant", "content": "", "thinking": "Hmm."},
                    "done": False},
                   {"message": {"content": "The answer"}, "done": False},
                   {"message": {"content": " is 你好"}, "done": False},
                   {"message": {"content": ""}, **end})

    def x_ollama_cut(self):
        self.lines({"message": {"content": "The ans"}, "done": False})

    def x_ollama_error_in_stream(self):
        self.lines({"message": {"content": "The ans"}, "done": False},
                   {"error": "an error was encountered while running the model"})

    def x_ollama_no_model(self):
        self.reply(404, {"error": "model 'm' not found"})

    # ---- What does not know how to count tokens in a stream

    def x_no_stream_options(self):
        if "stream_options" in json.loads(self.body):
            return self.reply(400, {"error": {"message": "unknown field stream_options"}})
        self.text("try %d" % self.attempt)

    def x_usage(self):
        """The count in an event of its own, behind the end of the text."""
        usage = {"prompt_tokens": 12, "completion_tokens": 34, "total_tokens": 46}
        self.stream(delta("counted"), delta("", "stop"),
                    event({"choices": [], "usage": usage}), DONE)


class Elsewhere(Handler):
    def do_POST(self):
        tries["elsewhere"] += 1
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.reply(200, whole("from elsewhere"))


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """A client that gives up is what many scenarios are for."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


def main():
    global elsewhere, untrusted
    server = Server(("127.0.0.1", 0), Handler)
    elsewhere = Server(("127.0.0.1", 0), Elsewhere)
    untrusted = Server(("127.0.0.1", 0), Elsewhere)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[2])
    untrusted.socket = context.wrap_socket(untrusted.socket, server_side=True)
    for one in (server, elsewhere, untrusted):
        threading.Thread(target=one.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    sys.stdin.read()
    os._exit(0)


main()
