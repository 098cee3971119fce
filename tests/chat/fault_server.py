#!/usr/bin/env python3
"""KEY CERTIFICATE.pem: a language model's server that misbehaves in the ways that real ones do.

Listens on 127.0.0.1, prints its port, and ends when its standard input does. The first
part of a request's path names the scenario: /busy/v1/chat/completions is a POST to the
scenario "busy". The end of the path says the protocol that is spoken (tongues.py). A reply's
text says which try it was ("try 2"), so that a test can see what was retried. Only Python's
standard library is used.
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

from tongues import (DONE, ROLE, OpenAI, candidate, delta, event, google_error, named,
                     tongue_of)

KEY = sys.argv[1]
HALF = "你".encode()  # three bytes
tries = collections.Counter()
elsewhere = None  # the server that x_redirect leads to
untrusted = None  # the same behind a certificate that nobody vouches for


LONG = 10 * 1000 * 1000


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_POST(self):
        size = int(self.headers.get("Content-Length", 0))
        self.body = self.rfile.read(size)
        self.scenario = self.path.split("/")[1]
        self.tongue = tongue_of(self.path)
        tries[self.scenario, self.tongue] += 1
        self.attempt = tries[self.scenario, self.tongue]
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
        self.send_header("Content-Type", self.tongue.kind)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def piece(self, data):
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def end(self):
        self.wfile.write(b"0\r\n\r\n")

    def stream(self, *pieces):
        self.start()
        for data in filter(None, pieces):
            self.piece(data)
        self.end()

    def streams(self):
        return json.loads(self.body).get("stream") or "streamGenerateContent" in self.path

    def text(self, text):
        """As asked for: streamed or whole."""
        tongue = self.tongue
        if self.streams():
            self.stream(tongue.head, tongue.piece(text), tongue.end)
        else:
            self.reply(200, tongue.whole(text))

    def hang_up(self):
        self.close_connection = True

    # ---- Scenarios in every protocol

    def x_ok(self):
        self.text("The answer is 42 [1]. 你好 👋")

    def x_citing(self):
        """With markers of all kinds, two of passages that nobody gave."""
        text = "One claim [1]. 二【2, 9】. `code[1]` And a third one [77][1]."
        if json.loads(self.body).get("stream"):
            self.stream(*(delta(character) for character in text), delta("", "stop"), DONE)
        else:
            self.reply(200, OpenAI.whole(text))

    def x_request(self):
        """What came, as the text of the reply."""
        secrets = {"authorization": "Bearer " + KEY, "x-goog-api-key": KEY, "x-api-key": KEY}
        seen = {name.lower(): value for name, value in self.headers.items()}
        self.text(json.dumps({
            "path": self.path, "body": json.loads(self.body), "type": seen.get("content-type"),
            "agent": seen.get("user-agent"), "version": seen.get("anthropic-version"),
            "key": [name for name, value in secrets.items() if seen.get(name) == value],
            "leak": KEY in self.path or KEY.encode() in self.body}))

    def x_bytes(self):
        data = b"\xef\xbb\xbf:\r\n" + ROLE + delta("one 你").replace(b"\n", b"\r\n")
        data += b'data: {"choices":[{"delta":\r\ndata: {"content":" two"}}]}\r\r'
        data += OpenAI.raw(" 好".encode()) + delta("", "stop") + DONE
        self.start()
        for byte in data:
            self.piece(bytes([byte]))
        self.end()

    def x_half(self):
        """Halves of characters: joined by the next piece, or never."""
        raw = self.tongue.raw
        self.stream(self.tongue.head, raw(b"a" + HALF[:1]), raw(HALF[1:] + b"b"),
                    raw(b"c" + HALF[:2]), raw(b"d\xff"), raw(b"e" + HALF[:2]), self.tongue.end)

    def x_stall(self):
        time.sleep(30)

    def begin(self):
        self.start()
        self.piece(self.tongue.head + self.tongue.piece("The begin"))

    def x_stall_in_stream(self):
        self.begin()
        time.sleep(30)

    def x_slow_after_headers(self):
        """As of a server that reads a long prompt."""
        self.start()
        time.sleep(1.6)
        self.piece(self.tongue.head + self.tongue.piece("worth the wait") + self.tongue.end)
        self.end()

    def x_comments_forever(self):
        self.start()
        while True:
            self.piece(b": still here\n\n")
            time.sleep(0.1)

    def x_linger(self):
        self.start()
        self.piece(self.tongue.head + self.tongue.piece("all of it") + self.tongue.end)
        time.sleep(30)

    def x_cut(self):
        self.begin()
        self.hang_up()

    def x_cut_cleanly(self):
        self.stream(self.tongue.head, self.tongue.piece("The begin"))

    def x_cut_in_character(self):
        self.begin()
        self.piece(self.tongue.raw(HALF[:2]).split(HALF[:2])[0] + HALF[:2])
        self.hang_up()

    def x_cut_before_text(self):
        if self.attempt > 1:
            return self.text("try %d" % self.attempt)
        self.start()
        self.piece(self.tongue.head or b"\n")
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
        self.reply(200, self.tongue.whole("not streamed"))

    def x_parts(self):
        self.reply(200, OpenAI.whole([{"type": "text", "text": "in "}, {"type": "image"},
                               {"type": "text", "text": "parts"}]))

    def x_length(self):
        self.stream(self.tongue.head, self.tongue.piece("The begin"), self.tongue.full_end)

    def x_length_no_text(self):
        self.reply(200, OpenAI.whole(None, "length"))

    def x_filter(self):
        self.reply(200, OpenAI.whole(None, "content_filter"))

    def x_after_end(self):
        self.stream(delta("whole"), delta("", "stop"), b"data: garbage\n\n", DONE)

    def busy(self, count, status, headers=(), code=None):
        if self.attempt > count:
            return self.text("try %d" % self.attempt)
        error = self.tongue.error("Please slow down", *([code] if code else []))
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
        self.stream(self.tongue.head, self.tongue.piece("The begin"),
                    self.tongue.error_piece("engine died"))

    def x_busy_in_stream(self):
        if self.attempt > 1:
            return self.text("try %d" % self.attempt)
        self.stream(self.tongue.error_piece("busy", busy=True))

    def x_long_line(self):
        before, after = self.tongue.raw(b"@").split(b"@")
        self.start()
        self.piece(before)
        for _ in range(LONG // 100000):
            self.piece(b"x" * 100000)
        self.piece(after + self.tongue.end)
        self.end()

    def x_long_reply(self):
        self.reply(200, self.tongue.whole("x" * 2 * LONG))

    def x_not_json(self):
        self.reply(200, b"{'choices': oops}")

    def x_not_json_in_stream(self):
        self.stream(self.tongue.raw(b"@").replace(b'"', b"'"), self.tongue.end)

    def x_other_json(self):
        self.reply(200, {"hello": "world"})

    def x_empty(self):
        self.reply(200, b"")

    def x_key_echo(self):
        words = "Incorrect\x1b[31m API key:\n " + KEY + " (" + KEY[:-3] + ") " + "ä" * 5000
        self.reply(401, self.tongue.error(words))

    def x_key_echo_as_text(self):
        self.reply(400, ("bad \xff header " + KEY).encode("latin-1"), kind="text/plain")

    def x_key_echo_in_stream(self):
        if self.tongue is OpenAI:
            return self.stream(event({"error": {"message": "bad key " + KEY, "code": 401}}))
        self.stream(self.tongue.error_piece("bad key " + KEY))

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
        self.stream(*(named(value) for value in (
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

    def x_ollama_cached(self):
        """Of a prompt that it has in its cache, Ollama long said no count."""
        self.lines({"message": {"content": "from the cache"}, "done": True,
                    "done_reason": "stop", "eval_count": 4})

    # ---- What is not taken

    def x_no_stream_options(self):
        if "stream_options" in json.loads(self.body):
            return self.reply(400, {"error": {"message": "unknown field stream_options"}})
        self.text("try %d" % self.attempt)

    def x_no_extras(self):
        """FastAPI names the field apart from its words."""
        if "stream_options" in json.loads(self.body):
            return self.reply(422, {"detail": [{"type": "extra_forbidden",
                                                "loc": ["body", "stream_options"],
                                                "msg": "Extra inputs are not permitted"}]})
        self.text("try %d" % self.attempt)

    def x_no_temperature(self):
        if "temperature" in json.loads(self.body):
            return self.reply(400, self.tongue.error(
                "`temperature` is deprecated for this model.", "invalid_request_error"))
        self.text("try %d" % self.attempt)

    def x_reasoning(self):
        """OpenAI's models that think first name one field after the other."""
        body = json.loads(self.body)
        if "max_tokens" in body:
            return self.reply(400, self.tongue.error(
                "Unsupported parameter: 'max_tokens' is not supported with this model. Use "
                "'max_completion_tokens' instead.", "unsupported_parameter"))
        if "temperature" in body:
            return self.reply(400, self.tongue.error(
                "Unsupported value: 'temperature' does not support 0 with this model.",
                "unsupported_value"))
        self.text("try %d" % self.attempt)

    def x_temperature_too_high(self):
        if json.loads(self.body).get("temperature", 0) > 2:
            return self.reply(400, self.tongue.error(
                "'temperature' must be at most 2", "invalid_request_error"))
        self.text("tepid")

    def x_gave_up(self):
        """With a finish_reason that is DeepSeek's own, before any text."""
        if self.attempt > 1:
            return self.text("try %d" % self.attempt)
        self.stream(ROLE, delta("", "insufficient_system_resource"), DONE)

    def x_gave_up_in_text(self):
        self.stream(delta("The begin"), event({"choices": [{
            "delta": {"content": ""}, "finish_reason": "error",
            "error": {"code": 502, "message": "upstream disconnected"}}]}), DONE)

    # ---- What is counted

    def x_usage(self):
        """The count in an event of its own, behind the end of the text."""
        usage = {"prompt_tokens": 12, "completion_tokens": 34, "total_tokens": 46}
        self.stream(delta("counted"), delta("", "stop"),
                    event({"choices": [], "usage": usage}), DONE)


class Elsewhere(Handler):
    def do_POST(self):
        tries["elsewhere"] += 1
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.reply(200, OpenAI.whole("from elsewhere"))


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
