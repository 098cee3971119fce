#!/usr/bin/env python3
"""Writes the first inputs of the fuzz targets for packed files, models and chat: small, of every kind that
the readers know, for the fuzzer (and replay.c) to damage.

Made with Python 3.11 (its standard library alone), from this folder; what comes from
checkpoints and configurations is taken out of ../data:

    python3 make_corpus.py
"""
import json
import pathlib
import pickle
import struct
import zipfile

HERE = pathlib.Path(__file__).resolve().parent
DATA = HERE.parent / "data"


def write(target, name, content):
    folder = HERE / "corpus" / target
    folder.mkdir(parents=True, exist_ok=True)
    if isinstance(content, str):
        content = content.encode()
    (folder / name).write_bytes(content)


def text(value):
    return json.dumps(value, ensure_ascii=False)


# ---- Packed files

def packed(**sections):
    """As docs/packed.md has it, but for the checksums, which fuzz_packed sets."""
    body, entries = bytearray(192), b""
    for name, content in sorted(sections.items()):
        body += bytes(-len(body) % 64)
        entries += struct.pack("<64sQQQQ", name.encode(), len(body), len(content), 0, 0)
        body += content
    body += bytes(-len(body) % 64)
    struct.pack_into("<8sIIQQ32s32s64s", body, 0, b"RAGPACK\x1a", 1, len(sections), len(body),
                     len(body) + len(entries), b"source", b"0.1.0", b"variant-1")
    return bytes(body) + entries


def vector_cache(*headers, filling=bytes(1)):
    """The input of fuzz_vector_cache: as docs/format.md has a header, but for the checksums."""
    return b"".join(struct.pack("<8sIIQqqqQQQQQ", b"RAGVECT\x1a", 2, 32, sequence, 3, 99, 1000,
                                rows, rows, room, 0, 0)
                    for sequence, rows, room in headers) + filling


def vector_caches():
    write("fuzz_vector_cache", "full", vector_cache((1, 2048, 2048), (2, 2000, 2048)))
    write("fuzz_vector_cache", "filled", vector_cache(
        (3, 2048, 2048), (2, 1, 2048), filling=struct.pack("<9f", *(i / 9 for i in range(9)))))
    write("fuzz_vector_cache", "any", vector_cache(
        (3, 2048, 2048), (2, 1, 2048), filling=bytes(range(1, 250, 7)) * 6 + b"\xc0\x7f"))
    write("fuzz_vector_cache", "rooms", vector_cache((3, 4096, 4096), (2, 2048, 2048)))


def damages(tokenizer, *changes):
    """The input of fuzz_tokenizer_packed: section, place, word."""
    return bytes([tokenizer]) + b"".join(struct.pack("<BII", *change) for change in changes)


def packed_files():
    for tokenizer in range(5):
        write("fuzz_tokenizer_packed", f"whole-{tokenizer}", damages(tokenizer))
        write("fuzz_tokenizer_packed", f"each-section-{tokenizer}", damages(
            tokenizer, *((section, 8 * section, 3 + section) for section in range(15))))
        write("fuzz_tokenizer_packed", f"nodes-{tokenizer}", damages(
            tokenizer, (14, 24 * 7, 2 ** 32 - 1), (14, 24 * 9 + 16, 2 ** 31 - 1)))
    write("fuzz_packed", "none", packed())
    write("fuzz_packed", "three", packed(empty=b"", numbers=struct.pack("<3I", 1, 2, 3),
                                         text=b"a text of an odd number of bytes."))
    write("fuzz_packed", "large", packed(large=bytes(range(256)) * 40, small=b"x"))


# ---- Indexes

def index(kind, number, *changes):
    """The input of fuzz_index: what befalls the file, then page, place, bytes."""
    head = bytes([kind]) + number.to_bytes(3, "little")
    return head + b"".join(struct.pack("<BHB", page, place, len(content)) + content
                           for page, place, content in changes)


def indexes():
    write("fuzz_index", "whole", index(0, 0))
    write("fuzz_index", "cut", index(1, 16384 * 5 + 100))
    write("fuzz_index", "header", index(0, 0, (0, 16, b"\x10\x00"), (0, 28, b"\0\0\0\x05")))
    write("fuzz_index", "cells", index(0, 0, *((page, 0, b"\x0d\0\0\0\x40\x01\x00\0")
                                               for page in range(1, 24))))
    write("fuzz_index", "ends", index(0, 0, *((page, 16300, bytes(range(80)))
                                              for page in range(24))))
    journal = bytes.fromhex("d9d505f920a163d7") + struct.pack(
        ">IIIII", 1, 0x1234, 3, 4096, 16384)
    write("fuzz_index", "journal", index(2, 0) + journal + bytes(4096 - len(journal)) +
          struct.pack(">I", 1) + bytes(200))


# ---- Models

CONFIG_FILES = ["config.json", "modules.json", "1_Pooling/config.json", "tokenizer_config.json",
                "sentence_bert_config.json", "config_sentence_transformers.json"]


def config(folder, **more):
    """The input of fuzz_config: "--- NUMBER" before each file."""
    parts = []
    for number, name in enumerate(CONFIG_FILES):
        path = DATA / "encoder" / folder / name
        values = json.loads(path.read_text()) if path.exists() else None
        if name in more:
            values = more[name] if values is None else {**values, **more[name]}
        if values is not None:
            parts.append(f"--- {number}\n{json.dumps(values, indent=1)}\n")
    return "".join(parts)


def models():
    prompts = {"query": "query: ", "passage": "passage: "}
    write("fuzz_config", "e5", config("xlmr-mean", **{
        "config_sentence_transformers.json": {"prompts": prompts},
        "tokenizer_config.json": {"model_max_length": 10 ** 30}}))
    write("fuzz_config", "bge-m3", config("bge-m3-like", **{
        "config.json": {"_name_or_path": "BAAI/bge-m3"},
        "tokenizer_config.json": {"model_max_length": 100}}))
    write("fuzz_config", "xlmr-reranker", config("xlmr-reranker"))
    write("fuzz_config", "bert", config("bert-cls", **{
        "1_Pooling/config.json": {"pooling_mode": "cls"}}))
    write("fuzz_config", "bert-reranker", config("bert-reranker", **{
        "config.json": {"num_labels": 1, "hidden_act": "gelu_pytorch_tanh"}}))

    for name in ["f32", "bf16", "heads"]:
        write("fuzz_safetensors", name,
              (DATA / "model" / name / "model.safetensors").read_bytes())

    kinds = ["f32", "nested", "parameter", "protocol-4", "tied", "transposed"]
    for kind in kinds:
        path = DATA / "model" / f"torch-{kind}" / "pytorch_model.bin"
        if kind in ["f32", "nested", "tied"]:
            write("fuzz_torch", kind, path.read_bytes())
        with zipfile.ZipFile(path) as archive:
            name = next(n for n in archive.namelist() if n.endswith("data.pkl"))
            write("fuzz_pickle", kind, archive.read(name))
    write("fuzz_torch", "compressed",
          (DATA / "model" / "torch-compressed" / "pytorch_model.bin").read_bytes())
    write("fuzz_torch", "head", (DATA / "model" / "heads" / "sparse_linear.pt").read_bytes())
    plain = {"weight": [1, -1, 2 ** 40, 0.5, True, None], "note": ("é" * 3, b"x", {})}
    for protocol in [2, 4]:
        write("fuzz_pickle", f"plain-{protocol}", pickle.dumps(plain, protocol))


# ---- Chat

def choice(content, finish=None):
    return {"index": 0, "message": {"role": "assistant", "content": content},
            "finish_reason": finish}


def delta(content, finish=None):
    return {"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": finish}]}


def candidate(*parts, finish=None):
    one = {"content": {"parts": list(parts), "role": "model"}, "index": 0}
    if finish:
        one["finishReason"] = finish
    return {"candidates": [one], "modelVersion": "m", "usageMetadata": {"promptTokenCount": 4}}


def google_error(code, status, message, *details):
    return {"error": {"code": code, "status": status, "message": message,
                      "details": list(details)}}


# The first byte: bits 0 and 2 the protocol (0 OpenAI, 1 Gemini, 4 Anthropic, 5 Ollama), bit 1
# one document of a stream.
REPLIES = {
    "openai-whole": "0" + text({"choices": [choice("The answer [1]. 你好 👋", "stop")]}),
    "openai-parts": "0" + text({"choices": [choice(
        [{"type": "text", "text": "in "}, {"type": "image"}], "length")]}),
    "openai-filter": "0" + text({"choices": [choice(None, "content_filter")]}),
    "openai-error": "0" + text({"error": {
        "message": "Incorrect key sk-0123456789abcdef\x1b[31m", "code": "invalid_api_key"}}),
    "openai-context": "0" + text({"error": {
        "message": "This model's maximum context length is 4096 tokens.",
        "code": "context_length_exceeded"}}),
    "openai-delta": "2" + text(delta("piece \u00e9")),
    "openai-last": "2" + text(delta("", "stop")),
    "openai-usage": "2" + text({"choices": [], "usage": {"completion_tokens": 3}}),
    "openai-event-error": "2" + text({"error": {"message": "busy", "type": "overloaded_error"}}),
    "openai-done": "2[DONE]",
    "gemini-whole": "1" + text(candidate({"text": "Hm.", "thought": True}, {"text": "42 [1]"},
                                         finish="STOP")),
    "gemini-event": "3" + text(candidate({"text": "你"})),
    "gemini-safety": "3" + text({"candidates": [{"finishReason": "SAFETY", "index": 0}]}),
    "gemini-blocked": "1" + text({"promptFeedback": {"blockReason": "OTHER"}}),
    "gemini-key": "1" + text(google_error(400, "INVALID_ARGUMENT", "API key not valid.", {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"})),
    "gemini-busy": "1" + text(google_error(429, "RESOURCE_EXHAUSTED", "Quota.", {
        "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "1.2s"})),
    "gemini-list": "1" + text([google_error(400, "INVALID_ARGUMENT", "nonsense")]),
    "anthropic-whole": "4" + text({"type": "message", "content": [
        {"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "42 [1] 你"}],
        "stop_reason": "max_tokens", "usage": {"input_tokens": 9, "output_tokens": 3,
                                               "cache_read_input_tokens": 2}}),
    "anthropic-start": "6" + text({"type": "message_start", "message": {
        "content": [], "usage": {"input_tokens": 9, "output_tokens": 1}}}),
    "anthropic-block": "6" + text({"type": "content_block_start",
                                   "content_block": {"type": "text", "text": "a"}}),
    "anthropic-delta": "6" + text({"type": "content_block_delta",
                                   "delta": {"type": "text_delta", "text": "你"}}),
    "anthropic-last": "6" + text({"type": "message_delta", "delta": {"stop_reason": "refusal"},
                                  "usage": {"output_tokens": 5}}),
    "anthropic-stop": "6" + text({"type": "message_stop"}),
    "anthropic-error": "6" + text({"type": "error", "error": {
        "type": "rate_limit_error", "message": "slow",
        "details": {"error_code": "enforced_spend_limit_reached"}}}),
    "ollama-whole": "5" + text({"message": {"content": "42 [1]", "thinking": "Hm."},
                                "done": True, "done_reason": "length",
                                "prompt_eval_count": 9, "eval_count": 3}),
    "ollama-line": "7" + text({"message": {"content": "你"}, "done": False}),
    "ollama-last": "7" + text({"message": {"content": ""}, "done": True, "eval_count": 3}),
    "ollama-error": "7" + text({"error": "model 'm' not found"}),
    "siliconflow-error": "0" + text({"code": 20012, "message": "Model does not exist."}),
    "fastapi-error": "0" + text({"detail": [{"loc": ["body", "stream_options"],
                                             "msg": "Extra inputs"}]}),
    "openrouter-error": "2" + text({"choices": [{"delta": {"content": "a"}, "finish_reason": "error",
                                                 "error": {"message": "gone"}}]}),
    "page": "0<html><body>Bad gateway</body></html>",
}

# The first byte: how long the pieces are.
STREAMS = {
    "plain": "0data: one\n\ndata: two\n\ndata: [DONE]\n\n",
    "crlf": "1\ufeff: comment\r\nevent: x\r\ndata: one\r\ndata: more\r\nid: 7\r\n\r\ndata\r\n\r\n",
    "cr": "2data:one\rdata:  two\r\rretry: 5\r\rdata: three\r\r",
    "cut": "3data: {\"choices\": [{\"delta\": {\"content\": \"你\"}}]}\n\ndata: [DONE]\n",
    "odd": "4\n\n\ndata:\n\n:\n\nunknown: x\ndata : y\n\ndata: a\0b\n\n",
}


def main():
    packed_files()
    indexes()
    vector_caches()
    models()
    for name, content in REPLIES.items():
        write("fuzz_reply", name, content)
    for name, content in STREAMS.items():
        write("fuzz_sse", name, content)


main()
