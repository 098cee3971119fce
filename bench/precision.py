#!/usr/bin/env python3
"""How well bf16 and int8 agree with f32, on real texts and on sets with known answers.

    bench/precision.py RAG --texts FOLDER [--count 1000] [--precision bf16,int8] [--cpu LEVEL]
                       [--eval SET...] [--model M] [--json]

RAG is the program. FOLDER is searched for Markdown, of which prose, code and formulas are taken,
and for evaluation sets, of which passages and queries are; the kinds take turns, so that each
counts whatever there is most of. The choice is the same each time: --count texts of 5 to 508
tokens (512 with the default model's prefix), without doubles. The cosine is that of a text's
vector with its vector in f32. Printed are the least, the 1st percentile (by nearest rank: of
1,000 cosines the 10th from below) and the median, of all texts and of each kind. --cpu asks for
an instruction set (as RAG_CPU does) in what is compared; f32 takes the best one. With --eval come
nDCG@10 of each set, dense alone and with the defaults, and the difference from f32 in points
(hundredths). Standard library only.
"""
import argparse
import itertools
import json
import math
import operator
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile

TOKENS = range(5, 509)  # with the model's prefix at most 512
CHARACTERS = (8, 2048)  # a prose text's wished length, evenly spread in its logarithm
CODE = re.compile(r"^```[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
BLOCK_FORMULA = re.compile(r"\$\$(.+?)\$\$", re.DOTALL)
FORMULA = re.compile(r"(?<!\$)\$([^$\n]{8,})\$(?!\$)")
MODES = {"dense": ("dense", "none"), "default": ("hybrid", "auto")}


def prose_of(text, chance):
    """Pieces of paragraphs in a row."""
    paragraphs = [p.strip() for p in CODE.sub("", text).split("\n\n") if p.strip()]
    while paragraphs:
        wished = math.exp(chance.uniform(*map(math.log, CHARACTERS)))
        piece = paragraphs.pop(0)
        while paragraphs and len(piece) < wished:
            piece += "\n\n" + paragraphs.pop(0)
        yield piece[:round(wished)].strip()


def candidates(folder):
    """The texts of each kind, in an order that is the same each time."""
    kinds = {kind: set() for kind in ("prose", "code", "formula", "passage", "query")}
    chance = random.Random(1)
    for path in sorted(folder.rglob("*.md")):
        text = path.read_text(encoding="utf-8")
        kinds["prose"].update(prose_of(text, chance))
        kinds["code"].update(code.strip() for code in CODE.findall(text))
        text = CODE.sub("", text)
        kinds["formula"].update(f.strip() for f in BLOCK_FORMULA.findall(text))
        kinds["formula"].update(FORMULA.findall(BLOCK_FORMULA.sub("", text)))
    for kind, name in (("passage", "passages.jsonl"), ("query", "queries.jsonl")):
        for path in sorted(folder.rglob(name)):
            with open(path, encoding="utf-8") as lines:
                kinds[kind].update(json.loads(line)["text"] for line in lines)
    for kind, texts in kinds.items():
        kinds[kind] = sorted(texts)
        random.Random(kind).shuffle(kinds[kind])
    return kinds


class Program:
    def __init__(self, rag, model):
        self.rag = os.path.abspath(rag)
        self.model = ["--model", model] if model else []

    def lines(self, *arguments, texts=(), cpu=None):
        """The JSON objects that it prints, one a line."""
        env = {**os.environ, **({"RAG_CPU": cpu} if cpu else {})}
        given = "".join(json.dumps(text) + "\n" for text in texts)
        done = subprocess.run([self.rag, *arguments, *self.model], input=given.encode(), env=env,
                              stdout=subprocess.PIPE)
        if done.returncode:
            sys.exit(f"rag {' '.join(arguments)} ended with status {done.returncode}")
        return [json.loads(line) for line in done.stdout.splitlines()]

    def vectors(self, texts, precision, cpu=None):
        """A vector for each (kind, text): queries are embedded as such, the others as passages."""
        vectors = [None] * len(texts)
        for role in ("query", "passage"):
            mine = [i for i, (kind, _) in enumerate(texts)
                    if (kind == "query") == (role == "query")]
            rows = self.lines("embed", "--jsonl", "--quiet", "--as", role, "--precision", precision,
                              texts=[texts[i][1] for i in mine], cpu=cpu)
            assert len(rows) == len(mine)
            for i, row in zip(mine, rows):
                vectors[i] = row["dense"]
        return vectors

    def figure(self, index, place, precision, mode, cpu):
        search, rerank = MODES[mode]
        row, = self.lines("eval", str(place), "--mode", search, "--rerank", rerank, "--precision",
                          precision, "--index", str(index), "--json", "--quiet", cpu=cpu)
        return row["nDCG@10"]


def choose(program, folder, count):
    """count pairs (kind, text) of a fit number of tokens; the kinds take turns."""
    kinds = candidates(folder)
    fit = {kind: [] for kind in kinds}
    while sum(map(len, fit.values())) < count and any(kinds.values()):
        tried = [(kind, texts.pop()) for kind, texts in kinds.items() for _ in range(count // 2 + 1)
                 if texts]
        rows = program.lines("tokenize", "--jsonl", texts=[text for _, text in tried])
        for (kind, text), row in zip(tried, rows):
            if len(row["ids"]) in TOKENS:
                fit[kind].append((kind, text))
    chosen = [pair for turn in itertools.zip_longest(*fit.values()) for pair in turn if pair]
    if len(chosen) < count:
        sys.exit(f"{folder}: {len(chosen)} texts of {TOKENS[0]} to {TOKENS[-1]} tokens, "
                 f"not {count}")
    return chosen[:count]


def dot(a, b):
    return math.fsum(map(operator.mul, a, b))


def cosine(a, b):
    return dot(a, b) / math.sqrt(dot(a, a) * dot(b, b))


def summary(cosines):
    ranked = sorted(cosines)
    return {"texts": len(ranked), "min": ranked[0], "p1": ranked[math.ceil(len(ranked) / 100) - 1],
            "median": ranked[(len(ranked) - 1) // 2]}


def compare(texts, reference, vectors):
    cosines = [cosine(a, b) for a, b in zip(reference, vectors)]
    worst = min(range(len(texts)), key=cosines.__getitem__)
    result = summary(cosines)
    result["kinds"] = {kind: summary([c for c, (k, _) in zip(cosines, texts) if k == kind])
                       for kind in sorted({kind for kind, _ in texts})}
    result["worst"] = texts[worst]
    return result


def print_cosines(report):
    print(f"{'cosine with f32':20}{'texts':>7}{'min':>11}{'1 %':>11}{'median':>11}")
    for precision, result in report["precisions"].items():
        for name, row in {precision: result, **result["kinds"]}.items():
            name = name if row is result else "  " + name
            print(f"{name:20}{row['texts']:7}{row['min']:11.6f}{row['p1']:11.6f}"
                  f"{row['median']:11.6f}")
    sys.stdout.flush()


def print_retrieval(report):
    print(f"\n{'nDCG@10, points':34}" + "".join(f"{p:>16}" for p in report["precisions"]))
    for name, modes in report["eval"].items():
        for mode, row in modes.items():
            cells = "".join(f"{100 * row[p]:10.2f}{100 * (row[p] - row['f32']):+6.2f}"
                            for p in report["precisions"])
            print(f"{name:18}{mode:8}{100 * row['f32']:8.2f}{cells}")


def retrieval(program, place, precisions, cpu):
    result = {mode: {} for mode in MODES}
    with tempfile.TemporaryDirectory() as folder:
        for precision in ("f32", *precisions):
            for mode in MODES:
                index = pathlib.Path(folder) / f"{precision}.rag"
                result[mode][precision] = program.figure(index, place, precision, mode,
                                                         None if precision == "f32" else cpu)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rag")
    parser.add_argument("--texts", type=pathlib.Path, required=True)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--precision", default="bf16,int8")
    parser.add_argument("--cpu")
    parser.add_argument("--eval", type=pathlib.Path, nargs="*", default=[])
    parser.add_argument("--model")
    parser.add_argument("--json", action="store_true", help="one object instead of tables")
    options = parser.parse_args()
    program = Program(options.rag, options.model)
    precisions = options.precision.split(",")
    texts = choose(program, options.texts, options.count)
    reference = program.vectors(texts, "f32")
    report = {"cpu": options.cpu, "precisions": {
        p: compare(texts, reference, program.vectors(texts, p, options.cpu)) for p in precisions}}
    if not options.json:
        print_cosines(report)
    report["eval"] = {place.name: retrieval(program, place, precisions, options.cpu)
                      for place in options.eval}
    if options.json:
        print(json.dumps(report, ensure_ascii=False))
    elif options.eval:
        print_retrieval(report)


if __name__ == "__main__":
    main()
