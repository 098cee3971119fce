"""What the peers have in common: a process that stays, and times what it is asked to.

    python PEER.py --models FOLDER --shape SHAPE --precision P --threads N

The first line that it prints is {"system": name and version}, or {"unavailable": why}. Then
each line {"tokens": T, "count": N, "repeats": R} on its standard input is answered by
{"seconds": s, "mode": how}: the median time of N texts of T tokens.

A peer runs in its best mode. A mode is (streams, batch): so many batches at once, each with
its share of the threads, and batch divides N. For each new (T, N) all modes are tried, and the
best is kept.
"""
import argparse
import contextlib
import json
import statistics
import sys
import time


class Unavailable(Exception):
    """This peer cannot do what is asked for, and the message says why."""


def modes(threads, count):
    each = max(n for n in range(1, -(-count // threads) + 1) if count % n == 0)
    return sorted({(1, count), (1, 1), (threads, each)})


def timed(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def choose(peer, tokens, count, threads):
    """(the function that runs the fastest mode, its name)"""
    tried = []
    for mode in modes(threads, count):
        run = peer.prepare(tokens, count, *mode)
        run()
        name = f"{mode[0]} x {threads // mode[0]} threads, batch {mode[1]}"
        tried.append((min(timed(run), timed(run)), name, run))
    seconds, name, run = min(tried, key=lambda t: t[0])
    return run, name


def answer(request, peer, threads, chosen):
    key = (request["tokens"], request["count"])
    if key not in chosen:
        chosen[key] = choose(peer, *key, threads)
    run, name = chosen[key]
    seconds = statistics.median(timed(run) for _ in range(request["repeats"]))
    return {"seconds": seconds, "mode": name}


def say(message):
    print(json.dumps(message), flush=True)


def serve(make):
    """make(arguments) -> a peer with `system` and prepare(tokens, count, streams, batch)"""
    parser = argparse.ArgumentParser()
    parser.add_argument("--models", required=True)
    parser.add_argument("--shape", required=True)
    parser.add_argument("--precision", choices=("f32", "bf16", "int8"), required=True)
    parser.add_argument("--threads", type=int, required=True)
    arguments = parser.parse_args()
    try:
        with contextlib.redirect_stdout(sys.stderr):  # what the peers print is not an answer
            peer = make(arguments)
    except (ImportError, Unavailable) as error:
        say({"unavailable": str(error)})
        return
    say({"system": peer.system})
    chosen = {}
    for line in sys.stdin:
        say(answer(json.loads(line), peer, arguments.threads, chosen))
