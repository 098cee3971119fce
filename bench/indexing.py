#!/usr/bin/env python3
"""How much of the time of indexing the encoder works.

    bench/indexing.py RAG PATH... [--model M] [--rounds 3] [--json]

RAG is the program. Each round makes a new index of the paths and asks for the time of it and of
embedding alone, which the encoder measures itself: their ratio is 1 if it never waits for a file
to be read and cut, or for the disk. Printed are the medians, and the most private memory that was
seen of rag and of its reader processes together (RssAnon, looked at ten times a second): what
the process needs beyond the files that it maps, which are the model. Standard library only, Linux.
"""
import argparse
import json
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile
import time


def private_memory(pid):
    """Bytes of a process and its children; 0 if it has ended."""
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        children = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return 0
    own = re.search(r"^RssAnon:\s+(\d+) kB", status, re.MULTILINE)
    return (int(own[1]) << 10 if own else 0) + sum(map(private_memory, children))


def index(arguments, paths):
    """The report of one run, and the most private memory in bytes."""
    with tempfile.TemporaryDirectory() as folder:
        command = [arguments.rag, "index", "--json", "--quiet", "--index", f"{folder}/x.rag"]
        command += ["--model", arguments.model] if arguments.model else []
        memory = 0
        with subprocess.Popen(command + ["--", *paths], stdout=subprocess.PIPE) as process:
            while process.poll() is None:
                memory = max(memory, private_memory(process.pid))
                time.sleep(0.1)
            lines = process.stdout.read().splitlines()
        if process.returncode != 0:
            sys.exit(f"rag index ended with {process.returncode}")
        return json.loads(lines[-1]), memory


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rag")
    parser.add_argument("paths", nargs="+")
    parser.add_argument("--model")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    runs = [index(arguments, arguments.paths) for _ in range(arguments.rounds)]
    reports = [report for report, _ in runs]
    result = {
        "documents": reports[0]["added"],
        "chunks": reports[0]["chunks"],
        "tokens": reports[0]["tokens"],
        "seconds": statistics.median(r["seconds"] for r in reports),
        "encoder": statistics.median(
            r["tokens"] / r["tokens_per_second"] / r["seconds"] for r in reports),
        "memory": max(memory for _, memory in runs),
    }
    if arguments.json:
        print(json.dumps(result))
        return
    print(f"{result['documents']} documents, {result['chunks']} chunks, {result['tokens']} tokens")
    print(f"{result['seconds']:.1f} s, in {result['encoder']:.0%} of which the encoder worked")
    print(f"{result['memory'] / 1e6:.0f} MB of private memory")


if __name__ == "__main__":
    main()
