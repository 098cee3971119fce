#!/usr/bin/env python3
"""Times rag's tokenizer beside SentencePiece and Hugging Face's tokenizers.

    python3 bench/tokenizer_peers.py BENCH_TOKENIZER TOKENIZER_JSON MODEL TEXT... [--rounds N]

BENCH_TOKENIZER is the program built from bench/tokenizer.c, MODEL the same vocabulary as a
SentencePiece file ("-": without that peer). The texts (files, or folders of *.md) are put
together and encoded line by line with one thread; the programs take turns, so that what
else the machine does hits all of them. Prints MB/s, the best of N rounds, and rag's ratio.
"""
import argparse
import json
import os
import pathlib
import subprocess
import tempfile
import time

os.environ["RAYON_NUM_THREADS"] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"


def read_texts(paths):
    parts = []
    for path in map(pathlib.Path, paths):
        files = sorted(path.rglob("*.md")) if path.is_dir() else [path]
        parts += [file.read_text(encoding="utf-8", errors="strict") for file in files]
    return "\n".join(parts)


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
