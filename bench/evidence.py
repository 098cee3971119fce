#!/usr/bin/env python3
"""What a threshold of evidence keeps and refuses, on the sets of docs/quality.md.

    bench/evidence.py RAG SETS [--questions 700]

RAG is the program, SETS the folder of evaluation sets. Of each set one half of the documents (by
the CRC-32 of their article's name) is indexed, and questions of both halves are asked: those whose
passage is there should be answered, the others not. Prints, for each threshold, the share of the
former that is kept and the share of the latter that is refused. Standard library only.
"""
import argparse
import json
import pathlib
import random
import subprocess
import tempfile
import zlib

NAMES = ["xquad-zh", "xquad-en", "xquad-zh2en", "xquad-en2zh", "cmrc2018-trial", "drcd-dev"]
THRESHOLDS = [0.05, 0.1, 0.15, 0.2, 0.5]


def read(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def articles(sets, name, passages):
    """The article of each passage. The sets across languages carry no titles: they are XQuAD's."""
    if name.startswith("xquad"):
        titles = {p["id"].split("-")[1]: p["title"]
                  for p in read(sets / "xquad-en" / "passages.jsonl")}
        return {p["id"]: titles[p["id"].split("-")[1]] for p in passages}
    return {p["id"]: p["title"] for p in passages}


def measure(rag, sets, name, count, folder):
    passages = read(sets / name / "passages.jsonl")
    article = articles(sets, name, passages)
    here = {passage: zlib.crc32(title.encode()) % 2 == 0 for passage, title in article.items()}
    for passage in passages:
        if here[passage["id"]]:
            (folder / f"{passage['id']}.txt").write_text(passage["text"], encoding="utf-8")
    index = folder / "index.rag"
    subprocess.run([rag, "index", "-q", "-i", index, folder], check=True,
                   stdout=subprocess.DEVNULL)
    wanted = {}
    with open(sets / name / "qrels.tsv", encoding="utf-8") as file:
        for line in file:
            query, passage = line.split()[:2]
            if passage in here:
                wanted.setdefault(query, set()).add(here[passage])
    questions = [q for q in read(sets / name / "queries.jsonl") if len(wanted.get(q["id"], ())) == 1]
    random.Random(1).shuffle(questions)
    questions = questions[:count]
    lines = "".join(q["text"].replace("\n", " ") + "\n" for q in questions)
    done = subprocess.run([rag, "chat", "--json", "-q", "-i", index, "--llm", "none",
                           "--min-evidence", "0"], input=lines.encode(), check=True,
                          stdout=subprocess.PIPE)
    answers = [json.loads(line)["evidence"] for line in done.stdout.splitlines()]
    assert len(answers) == len(questions)
    split = {True: [], False: []}
    for question, evidence in zip(questions, answers):
        split[True in wanted[question["id"]]].append(evidence)
    return split


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rag")
    parser.add_argument("sets", type=pathlib.Path)
    parser.add_argument("--questions", type=int, default=700)
    options = parser.parse_args()
    print("kept of those with an answer / refused of those without")
    print(f"{'set':16}" + "".join(f"{threshold:>14}" for threshold in THRESHOLDS))
    for name in NAMES:
        with tempfile.TemporaryDirectory() as folder:
            split = measure(options.rag, options.sets, name, options.questions,
                            pathlib.Path(folder))
        cells = []
        for threshold in THRESHOLDS:
            kept = sum(e >= threshold for e in split[True]) / len(split[True])
            refused = sum(e < threshold for e in split[False]) / len(split[False])
            cells.append(f"{kept:>7.3f}/{refused:.3f}")
        print(f"{name:16}" + " ".join(cells), flush=True)


if __name__ == "__main__":
    main()
