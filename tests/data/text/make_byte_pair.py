#!/usr/bin/env python3
"""Makes a small byte-level vocabulary and what the reference says about texts.

Made with tiktoken 0.9.0, from this folder:
    python3 make_byte_pair.py

    byte-pair.tiktoken   the 256 bytes and 500 pairs, the most frequent in the texts below first
    byte-pair.jsonl      {"text", "ids"}
"""
import base64
import collections
import importlib.metadata
import json
import random

import tiktoken

EXPRESSION = (r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+|"
              r" ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s")
WORDS = """the a of to and in is tokens chunk passage vector search model answer question index
don't it's WE'RE they'll I've resnet50 HTTPServer x86 naïve café Größe Москва река вопрос ответ
λόγος 水 山 河流 早晨 检索 文档 向量 模型 问题 回答 注意力 机制 深度学习 かわ モデル 検索 서울 강물
प्रश्न แม่น้ำ نهر""".split()
PIECES = ["'s", "'S", "'ſ", "'ll", "'LL", "'rE", "'ve", "'x", " ", "  ", "\n", "\r\n", "\t", "a",
          "Z", "é", "中", "文", "。", "1", "12", "١", "½", "\u3000", "\u00a0", "\u0301", "!", "?!",
          "...", "😀", "👍🏽", "the", " the", "\u2028", "_", "-", "$", "\x00", "\x1c", "\x85",
          "\U000105c0", "\U0002ebf0", "<|endoftext|>"]
MERGES = 500

random.seed(7)


def sentence():
    return "".join(random.choice([" ", " ", "", ", "]) + random.choice(WORDS)
                   for _ in range(random.randrange(3, 14)))


def train(texts):
    """Byte-pair encoding over bytes, a text a sequence; the most frequent pair is joined."""
    sequences = [[bytes([b]) for b in text.encode()] for text in texts]
    tokens = [bytes([b]) for b in range(256)]
    while len(tokens) < 256 + MERGES:
        counts = collections.Counter(
            pair for sequence in sequences for pair in zip(sequence, sequence[1:]))
        left, right = max(counts, key=lambda pair: (counts[pair], pair))
        if left + right not in tokens:
            tokens.append(left + right)
        for sequence in sequences:
            i = 0
            while i + 1 < len(sequence):
                if sequence[i] == left and sequence[i + 1] == right:
                    sequence[i:i + 2] = [left + right]
                i += 1
    return tokens


assert importlib.metadata.version("tiktoken") == "0.9.0"
tokens = train([sentence() for _ in range(300)])
with open("byte-pair.tiktoken", "wb") as file:
    for rank, token in enumerate(tokens):
        file.write(base64.b64encode(token) + b" %d\n" % rank)
encoding = tiktoken.Encoding("small", pat_str=EXPRESSION, special_tokens={},
                             mergeable_ranks={token: i for i, token in enumerate(tokens)})
texts = ["", " ", "\n", "'", "''s", "a'", " \n x", "  \r\n\r\n  x  "]
texts += [sentence() for _ in range(60)]
texts += ["".join(random.choices(PIECES, k=random.randint(1, 20))) for _ in range(400)]
for size in (127, 128, 129, 400):
    texts += ["a" * size, " " * size, "!" * size, "中" * size,
              "".join(random.choices("thetokenspassage水山", k=size))]
with open("byte-pair.jsonl", "w", encoding="utf-8") as file:
    for text in texts:
        line = {"text": text, "ids": encoding.encode_ordinary(text)}
        file.write(json.dumps(line, ensure_ascii=False, separators=(",", ":")) + "\n")
