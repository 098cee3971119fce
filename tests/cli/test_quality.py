#!/usr/bin/env python3
"""test_quality.py RAG MODELS [SHARED]: retrieval with the default model does not become worse.

FLOORS is what `rag eval` gave when a line was last changed: nDCG@10 of dense and lexical search,
hybrid, and hybrid reranked. A figure more than half a point below fails. Sets are a small one of
ours, in tests/data/eval, and deterministic parts of public ones, where SHARED has them; those of
which most passages are embedded are in int8, as they come, the others in f32.
After a change for the better, `REMEASURE=1 test_quality.py ...` prints the new lines.
"""
import json
import os
import pathlib
import zlib

from support import ARGUMENTS, Case, HERE, main

MODELS = ARGUMENTS[0]
SHARED = pathlib.Path(ARGUMENTS[1]) if len(ARGUMENTS) > 1 else None
TOLERANCE = 0.005

# set: (one of how many passages, precision, floors by way of searching)
FLOORS = {
    "small": (1, "f32", {"dense": 0.7874, "lexical": 0.6053,
                         "hybrid": 0.7733, "hybrid, reranked": 0.8955}),
    "cmrc2018-trial": (1, "int8", {"hybrid": 0.9929}),
    "drcd-dev": (8, "int8", {"hybrid": 0.9946}),
    "xquad-zh": (4, "f32", {"dense": 0.9936, "lexical": 0.9951,
                            "hybrid": 0.9971, "hybrid, reranked": 0.9976}),
    "xquad-en2zh": (4, "f32", {"dense": 0.9379, "lexical": 0.1800,
                               "hybrid": 0.9369, "hybrid, reranked": 0.9789}),
}
WAYS = {"dense": ("dense", "none"), "lexical": ("lexical", "none"), "hybrid": ("hybrid", "none"),
        "hybrid, reranked": ("hybrid", "auto")}


def rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write_rows(path, objects):
    path.write_text("".join(json.dumps(one, ensure_ascii=False) + "\n" for one in objects),
                    encoding="utf-8")


def take_part(whole, part, of):
    """One of so many passages, by the CRC-32 of their ids, with the queries that ask for them."""
    part.mkdir()
    passages = [row for row in rows(whole / "passages.jsonl")
                if zlib.crc32(row["id"].encode()) % of == 0]
    ids = {row["id"] for row in passages}
    answers = [line.split("\t") for line in
               (whole / "qrels.tsv").read_text(encoding="utf-8").splitlines()[1:]]
    answers = [answer for answer in answers if answer[1] in ids]
    asked = {answer[0] for answer in answers}
    write_rows(part / "passages.jsonl", passages)
    write_rows(part / "queries.jsonl", [row for row in rows(whole / "queries.jsonl")
                                        if row["id"] in asked])
    (part / "qrels.tsv").write_text("".join("\t".join(answer) + "\n" for answer in answers))


class Quality(Case):
    def setUp(self):
        super().setUp()
        # Threads that wait leave the processor to others: the tests may not be alone.
        self.env.update(RAG_MODELS=MODELS, OMP_WAIT_POLICY="passive")
        del self.env["RAG_MODEL"]

    def check(self, name, whole):
        of, precision, floors = FLOORS[name]
        take_part(whole, self.folder / name, of)
        found = {}
        for way in floors:
            mode, rerank = WAYS[way]
            row, = self.objects("eval", name, "--mode", mode, "--rerank", rerank, "--precision",
                                precision, "--cache", ".", "--json", "--quiet")
            found[way] = round(row["nDCG@10"], 4)
        print(f"{name}: {row['queries']} queries, {row['passages']} passages: {found}", flush=True)
        if os.environ.get("REMEASURE"):
            return
        for way, floor in floors.items():
            self.assertGreaterEqual(found[way], floor - TOLERANCE, (name, way))

    def test_small(self):
        self.check("small", HERE.parent / "data/eval/small")


if SHARED:
    for name in FLOORS:
        if name != "small":
            setattr(Quality, "test_" + name.replace("-", "_"),
                    lambda self, name=name: self.check(name, SHARED / "eval" / name))


if __name__ == "__main__":
    main()
