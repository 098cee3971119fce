#!/usr/bin/env python3
"""Times rag's tokenizer beside SentencePiece and Hugging Face's tokenizers, or tiktoken.

    python3 bench/tokenizer_peers.py BENCH_TOKENIZER TOKENIZER MODEL TEXT... [--rounds N]

BENCH_TOKENIZER is the program built from bench/tokenizer.c, TOKENIZER a tokenizer.json, or a
.tiktoken of cl100k_base, MODEL the same vocabulary as a SentencePiece file ("-": without that
peer). The texts (files, or folders of *.md) are put
together and encoded line by line with one thread; the programs take turns, so that what
else the machine does hits all of them. Prints MB/s, the best of N rounds, and rag's ratio.
"""
import argparse
import base64
import json
import os
import pathlib
import subprocess
import tempfile
import time

CL100K = (r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+|"
          r" ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s")

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"


def read_texts(paths):
    parts = []
    for path in map(pathlib.Path, paths):
        files = sorted(path.rglob("*.md")) if path.is_dir() else [path]
        parts += [file.read_text(encoding="utf-8", errors="strict") for file in files]
    return "\n".join(parts)


def open_tiktoken(path):
    import tiktoken
    ranks = {}
    for line in pathlib.Path(path).read_bytes().splitlines():
        token, rank = line.split()
        ranks[base64.b64decode(token)] = int(rank)
    return tiktoken.Encoding("cl100k_base", pat_str=CL100K, mergeable_ranks=ranks,
                             special_tokens={})


def rate(size, run):
    start = time.perf_counter()
    run()
    return size / 1e6 / (time.perf_counter() - start)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("bench")
    parser.add_argument("tokenizer")
    parser.add_argument("model")
    parser.add_argument("texts", nargs="+")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    text = read_texts(options.texts)
    lines, size = text.split("\n"), len(text.encode())
    peers, rates = {}, {"rag": []}
    if options.model != "-":
        import sentencepiece
        processor = sentencepiece.SentencePieceProcessor(model_file=options.model)
        peers["sentencepiece"] = lambda: processor.encode(lines, num_threads=1)
    if options.tokenizer.endswith(".tiktoken"):
        encoding = open_tiktoken(options.tokenizer)
        peers["tiktoken"] = lambda: [encoding.encode_ordinary(line) for line in lines]
    else:
        import tokenizers
        tokenizer = tokenizers.Tokenizer.from_file(options.tokenizer)
        tokenizer.no_truncation()
        tokenizer.no_padding()
        peers["tokenizers"] = lambda: tokenizer.encode_batch(lines, add_special_tokens=False)
    with tempfile.NamedTemporaryFile("w", suffix=".txt", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        for _ in range(options.rounds):
            out = subprocess.run([options.bench, options.tokenizer, file.name, "1"], check=True,
                                 capture_output=True, text=True)
            rates["rag"].append(json.loads(out.stdout)["lines"])
            for name, run in peers.items():
                rates.setdefault(name, []).append(rate(size, run))
    best = {name: max(values) for name, values in rates.items()}
    print(f"{size / 1e6:.1f} MB, one thread, best of {options.rounds} rounds")
    for name, value in best.items():
        print(f"{name:14} {value:8.1f} MB/s   rag is {best['rag'] / value:5.2f} times as fast")


main()
