#!/usr/bin/env python3
"""Dense search beside other programs, on the same vectors, in one run.

    build/peers/bin/python bench/vector_peers.py [options] [SHAPE...]

SHAPE is ROWSxDIMENSIONS (100000x1024 and 1000000x384). The vectors are drawn from Gaussian
clusters with a fixed seed, of unit length; so are the questions. The truth is faiss's exact search.
Peers that have a width of search get the least one that reaches --recall, or the greatest one tried.
All take turns, round by round; what is printed is the median. One thread unless --threads says
otherwise (building takes all). bench/peers/install installs the peers.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time

import numpy

K = 10
CLUSTERS = 1000
SPREAD = {1024: 2.0, 384: 1.5}  # of the noise, in lengths of a centre


def clustered(rows, dimension, seed=1):
    random = numpy.random.default_rng(seed)
    centres = random.standard_normal((CLUSTERS, dimension), dtype="float32")
    centres /= numpy.linalg.norm(centres, axis=1, keepdims=True)
    noise = numpy.float32(SPREAD.get(dimension, 1.5) / dimension**0.5)

    def draw(count):
        vectors = centres[random.integers(0, CLUSTERS, count)]
        for first in range(0, count, 50000):
            part = vectors[first : first + 50000]
            part += noise * random.standard_normal(part.shape, dtype="float32")
            part /= numpy.linalg.norm(part, axis=1, keepdims=True)
        return vectors

    return draw(rows), draw


def resident():
    for line in open("/proc/self/status", encoding="ascii"):
        if line.startswith("RssAnon"):
            return int(line.split()[1]) * 1024
    return 0


class Peer:
    """few: questions a round are cut to this number, for what takes long."""

    few = 10**9
    widths = ()

    def __init__(self, vectors, threads):
        self.vectors, self.threads = vectors, threads
        self.width = None

    def set_width(self, width):
        self.width = width

    def label(self):
        return self.name + (f", {self.unit} {self.width}" if self.width else "")

    def batch(self, queries):
        start = time.perf_counter()
        found = [self.search(query) for query in queries]
        return found, (time.perf_counter() - start) / len(queries)


class FaissBinary(Peer):
    name = "faiss binary, 200 rescored"

    def build(self):
        import faiss

        self.index = faiss.IndexBinaryFlat(self.vectors.shape[1])
        self.index.add(self.bits(self.vectors))

    @staticmethod
    def bits(vectors):
        return numpy.packbits(vectors > 0, axis=-1, bitorder="little")

    def search(self, query):
        _, near = self.index.search(self.bits(query[None]), 200)
        scores = self.vectors[near[0]] @ query
        return near[0][numpy.argsort(-scores)[:K]]


class Faiss(Peer):
    def build(self):
        import faiss

        self.index = self.make(faiss)
        faiss.omp_set_num_threads(os.cpu_count())
        if not self.index.is_trained:
            self.index.train(self.vectors[:: max(1, len(self.vectors) // 100000)])
        self.index.add(self.vectors)
        faiss.omp_set_num_threads(self.threads)

    def search(self, query):
        return self.index.search(query[None], K)[1][0]


class FaissHnsw(Faiss):
    name, unit, widths = "faiss HNSW32", "efSearch", (32, 64, 128, 256, 512, 1024)

    def make(self, faiss):
        index = faiss.IndexHNSWFlat(self.vectors.shape[1], 32, faiss.METRIC_INNER_PRODUCT)
        index.hnsw.efConstruction = 100
        return index

    def set_width(self, width):
        self.width = self.index.hnsw.efSearch = width


class FaissIvf(Faiss):
    name, unit, widths = "faiss IVF + SQ8", "nprobe", (4, 8, 16, 32, 64, 128, 256)

    def make(self, faiss):
        lists = int(2 * len(self.vectors) ** 0.5)
        dimension = self.vectors.shape[1]
        metric = faiss.METRIC_INNER_PRODUCT
        return faiss.index_factory(dimension, f"IVF{lists},SQ8", metric)

    def set_width(self, width):
        self.width = self.index.nprobe = width


class Hnswlib(Peer):
    name, unit, widths = "hnswlib (M 16)", "ef", (32, 64, 128, 256, 512, 1024)

    def build(self):
        import hnswlib

        self.index = hnswlib.Index(space="ip", dim=self.vectors.shape[1])
        self.index.init_index(len(self.vectors), M=16, ef_construction=100)
        self.index.add_items(self.vectors, num_threads=os.cpu_count())
        self.index.set_num_threads(self.threads)

    def set_width(self, width):
        self.width = width
        self.index.set_ef(width)

    def search(self, query):
        return self.index.knn_query(query, K)[0][0]


class Usearch(Peer):
    name, unit, widths = "usearch", "expansion", (32, 64, 128, 256, 512, 1024)

    def build(self):
        from usearch.index import Index

        self.index = Index(ndim=self.vectors.shape[1], metric="ip", dtype="f32")
        self.index.add(numpy.arange(len(self.vectors)), self.vectors, threads=os.cpu_count())

    def set_width(self, width):
        self.width = self.index.expansion_search = width

    def search(self, query):
        return self.index.search(query, K, threads=self.threads).keys


class SqliteVec(Peer):
    name, few = "sqlite-vec (exact)", 5

    def build(self):
        import sqlite3

        import sqlite_vec

        self.folder = tempfile.TemporaryDirectory()
        self.db = sqlite3.connect(self.folder.name + "/index")
        self.db.enable_load_extension(True)
        sqlite_vec.load(self.db)
        self.db.execute("PRAGMA synchronous=OFF")
        self.db.execute(f"CREATE VIRTUAL TABLE v USING vec0(x float[{self.vectors.shape[1]}])")
        rows = ((i, vector.tobytes()) for i, vector in enumerate(self.vectors))
        self.db.executemany("INSERT INTO v(rowid, x) VALUES(?, ?)", rows)
        self.db.commit()

    def search(self, query):
        sql = f"SELECT rowid FROM v WHERE x MATCH ? AND k = {K} ORDER BY distance"
        return [row for (row,) in self.db.execute(sql, (query.tobytes(),))]


class Rag(Peer):
    name = "rag"

    def __init__(self, vectors, threads, program, folder, stem):
        super().__init__(vectors, threads)
        self.program, self.folder, self.stem = program, folder, stem
        self.index = folder / f"{stem}.rag"

    def run(self, *arguments):
        command = [self.program, *map(str, arguments)]
        return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)

    def write(self, name, vectors):
        path = self.folder / f"{self.stem}.{name}"
        vectors.tofile(path)
        return path

    def build(self):
        for path in (self.index, pathlib.Path(f"{self.index}-cache")):
            path.unlink(missing_ok=True)
        base = self.write("base", self.vectors)
        self.put = self.run("make", self.index, base, self.vectors.shape[1])["seconds"]
        base.unlink()
        self.batch(self.vectors[:1])
        self.first = self.answer["first"]  # makes the cache

    def batch(self, queries):
        file, found = self.write("queries", queries), self.folder / f"{self.stem}.found"
        arguments = ("run", self.index, file, self.vectors.shape[1], K, self.threads, found)
        self.answer = self.run(*arguments)
        ids = numpy.fromfile(found, dtype="int64").reshape(-1, K) - 1
        return list(ids), self.answer["seconds"]

    def add(self, vectors):
        file = self.write("more", vectors)
        return self.run("add", self.index, file, self.vectors.shape[1], len(vectors))


def recall(found, truth):
    return sum(len(set(map(int, f)) & set(map(int, t))) for f, t in zip(found, truth)) / K / len(found)


def prepare(peer, queries, truth, wanted):
    before, start = resident(), time.perf_counter()
    peer.build()
    peer.build_seconds = time.perf_counter() - start
    peer.memory = max(0, resident() - before)
    queries = queries[: min(peer.few, 200)]
    for width in peer.widths:
        peer.set_width(width)
        if recall(peer.batch(queries)[0], truth) >= wanted:
            break


def compare(shape, arguments):
    import faiss

    rows, dimension = map(int, shape.split("x"))
    vectors, draw = clustered(rows, dimension)
    queries, more = draw(arguments.queries), draw(1000)
    faiss.omp_set_num_threads(os.cpu_count())
    truth = faiss.knn(queries, vectors, K, metric=faiss.METRIC_INNER_PRODUCT)[1]
    faiss.omp_set_num_threads(arguments.threads)
    ours = Rag(vectors, arguments.threads, arguments.program, arguments.folder, shape)
    kinds = [FaissBinary, FaissHnsw, FaissIvf, Hnswlib, Usearch, SqliteVec]
    peers = [ours] + [
        kind(vectors, arguments.threads)
        for kind in kinds
        if not arguments.peers or kind.__name__ in arguments.peers
    ]
    for peer in peers:
        prepare(peer, queries, truth, arguments.recall)
    if arguments.pause:
        print("built; a line on standard input begins the rounds", flush=True)
        input()
    seconds = {peer: [] for peer in peers}
    for _ in range(arguments.rounds):
        for peer in peers:
            found, each = peer.batch(queries[: peer.few])
            seconds[peer].append(each)
            peer.recall = recall(found, truth)
    base = statistics.median(seconds[ours])
    print(f"\n{rows:,} x {dimension}, {arguments.threads} thread(s), {len(queries)} questions\n")
    print("| | recall@10 | questions/s | rag is | build (s) | memory (MB) |")
    print("|---|---|---|---|---|---|")
    for peer in peers:
        each = statistics.median(seconds[peer])
        build, memory = peer.build_seconds, peer.memory
        if peer is ours:
            build, memory = peer.first, peer.answer["private"]
        print(
            f"| {peer.label()} | {peer.recall:.4f} | {1 / each:,.0f} | {each / base:.2f} x "
            f"| {build:.1f} | {memory / 1e6:.0f} |",
            flush=True,
        )
    print(f"\nrag: index written in {ours.put:.1f} s; opened, first answer in "
          f"{1000 * ours.answer['first']:.1f} ms", end="")
    added = ours.add(more)
    print(f"; 1,000 vectors more visible {1000 * added['visible']:.1f} ms after they are written "
          f"({1000 * added['written']:.0f} ms)", flush=True)


def main():
    root = pathlib.Path(__file__).resolve().parent.parent
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("shapes", nargs="*", default=["100000x1024", "1000000x384"])
    parser.add_argument("--program", default=root / "build/release/bench/bench_search")
    parser.add_argument("--folder", type=pathlib.Path, help="for the index (a temporary one)")
    parser.add_argument("--peers", nargs="*", help="names of classes in this file")
    parser.add_argument("--queries", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--pause", action="store_true", help="wait between building and timing")
    parser.add_argument("--recall", type=float, default=0.99)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        arguments.folder = arguments.folder or pathlib.Path(temporary)
        for shape in arguments.shapes:
            compare(shape, arguments)


if __name__ == "__main__":
    main()
