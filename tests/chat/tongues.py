"""What each protocol's server says, in the shapes of the providers' references and recorded
sessions: whole replies, the pieces of a stream, and errors.

A tongue has: path (the end of its requests' path), kind (of its stream), head (what a stream
begins with), piece(text), raw(bytes) for pieces that need not be UTF-8, end (what ends a
stream), full_end (... at the limit of tokens), whole(text), error(message) and
error_piece(message) with, but for Ollama, busy=True for one that passes.
"""

import json


def event(value):
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def named(value):
    """Anthropic names its events, too."""
    return b"event: " + value["type"].encode() + b"\n" + event(value)


def line(value):
    return json.dumps(value).encode() + b"\n"


def delta(text, finish=None):
    return event({"object": "chat.completion.chunk",
                  "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]})


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


EVENTS = "text/event-stream; charset=utf-8"
DONE = b"data: [DONE]\n\n"
ROLE = event({"choices": [{"index": 0, "delta": {"role": "assistant", "content": None},
                           "finish_reason": None}]})
USAGE = event({"choices": [], "usage": {"completion_tokens": 3}})


class OpenAI:
    path = "/chat/completions"
    kind = EVENTS
    head = b": keep-alive\n\n" + ROLE
    end = delta("", "stop") + USAGE + DONE
    full_end = delta("", "length") + DONE
    piece = staticmethod(delta)

    @staticmethod
    def raw(text):
        return b'data: {"choices":[{"delta":{"content":"' + text + b'"}}]}\n\n'

    @staticmethod
    def whole(text, finish="stop"):
        return {"object": "chat.completion",
                "choices": [{"index": 0, "message": {"role": "assistant", "content": text},
                             "finish_reason": finish}],
                "usage": {"prompt_tokens": 9, "completion_tokens": 3}}

    @staticmethod
    def error(message, code="rate_limit_exceeded"):
        return {"error": {"message": message, "type": "requests", "code": code}}

    @staticmethod
    def error_piece(message, busy=False):
        return event({"error": {"message": message,
                                "code": "rate_limit_exceeded" if busy else 500}})


class Gemini:
    path = "enerateContent"
    kind = EVENTS
    head = b""
    end = event(candidate("", finish="STOP"))
    full_end = event(candidate("", finish="MAX_TOKENS"))

    @staticmethod
    def piece(text):
        return event(candidate(text)).replace(b"\n", b"\r\n")

    @staticmethod
    def raw(text):
        return (b'data: {"candidates":[{"content":{"parts":[{"text":"' + text +
                b'"}]}}]}\r\n\r\n')

    @staticmethod
    def whole(text):
        return candidate(text, finish="STOP")

    @staticmethod
    def error(message, code="RESOURCE_EXHAUSTED"):
        return google_error(429, code, message)

    @staticmethod
    def error_piece(message, busy=False):
        return event(google_error(503, "UNAVAILABLE", message) if busy else
                     google_error(500, "INTERNAL", message))


class Anthropic:
    path = "/v1/messages"
    kind = EVENTS
    head = named({"type": "message_start", "message": {
        "type": "message", "content": [], "stop_reason": None,
        "usage": {"input_tokens": 7, "cache_read_input_tokens": 3, "output_tokens": 1}}}) + named(
            {"type": "content_block_start", "index": 0,
             "content_block": {"type": "text", "text": ""}}) + named({"type": "ping"})

    @staticmethod
    def stop(reason):
        return (named({"type": "content_block_stop", "index": 0}) +
                named({"type": "message_delta", "delta": {"stop_reason": reason},
                       "usage": {"output_tokens": 5}}) + named({"type": "message_stop"}))

    @staticmethod
    def piece(text):
        return named({"type": "content_block_delta", "index": 0,
                      "delta": {"type": "text_delta", "text": text}})

    @staticmethod
    def raw(text):
        return (b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
                b'"delta":{"type":"text_delta","text":"' + text + b'"}}\n\n')

    @staticmethod
    def whole(text):
        return {"type": "message", "role": "assistant",
                "content": [{"type": "text", "text": text}], "stop_reason": "end_turn",
                "usage": {"input_tokens": 10, "output_tokens": 5}}

    @staticmethod
    def error(message, code="rate_limit_error"):
        return {"type": "error", "error": {"type": code, "message": message}}

    @staticmethod
    def error_piece(message, busy=False):
        return named(Anthropic.error(message, "overloaded_error" if busy else "api_error"))


Anthropic.end = Anthropic.stop("end_turn")
Anthropic.full_end = Anthropic.stop("max_tokens")


class Ollama:
    path = "/api/chat"
    kind = "application/x-ndjson"
    head = line({"model": "m", "message": {"role": "assistant", "content": ""}, "done": False})

    @staticmethod
    def stop(reason):
        return {"message": {"role": "assistant", "content": ""}, "done": True,
                "done_reason": reason, "prompt_eval_count": 11, "eval_count": 4}

    @staticmethod
    def piece(text):
        return line({"model": "m", "message": {"content": text}, "done": False})

    @staticmethod
    def raw(text):
        return b'{"message":{"content":"' + text + b'"},"done":false}\n'

    @staticmethod
    def whole(text):
        return {**Ollama.stop("stop"), "message": {"role": "assistant", "content": text}}

    @staticmethod
    def error(message, code=None):
        return {"error": message}

    @staticmethod
    def error_piece(message):
        return line({"error": message})


Ollama.end = line(Ollama.stop("stop"))
Ollama.full_end = line(Ollama.stop("length"))


def tongue_of(path):
    for tongue in (Gemini, Anthropic, Ollama):
        if tongue.path in path:
            return tongue
    return OpenAI
