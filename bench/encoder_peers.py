"""The encoder beside ONNX Runtime in f32, on one shape with random weights, taking turns.

    python3 bench/encoder_peers.py BENCH_ENCODER [--shape bge-m3] [--tokens 512] [--rounds 5]

BENCH_ENCODER is the built bench_encoder. Needs numpy, onnx and onnxruntime (tried with
2.4.6, 1.23.2 and 1.32.0). The graph uses ONNX Runtime's own fused operators for attention,
bias + GELU and residual + LayerNorm, which is what its optimiser makes of an exported model.
Both take as many threads as --threads says, and the sequences that suit them best: ONNX
Runtime one at a time, ours as many as there are threads.
"""
import argparse
import json
import pathlib
import subprocess
import tempfile
import time

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

# layers, hidden, heads, feed-forward, positions, as in bench/encoder.c
SHAPES = {
    "bge-m3": (24, 1024, 16, 4096, 8194),
    "bge-reranker-base": (12, 768, 12, 3072, 514),
    "e5-small": (12, 384, 12, 1536, 514),
    "minilm": (6, 384, 12, 1536, 514),
}
VOCABULARY = 8192  # the table's size costs no time
FUSED = "com.microsoft"


class Graph:
    def __init__(self):
        self.nodes, self.weights = [], []
        self.random = numpy.random.default_rng(0)

    def weight(self, name, *shape, mean=0.0):
        values = mean + 0.03 * self.random.standard_normal(shape, dtype=numpy.float32)
        self.weights.append(numpy_helper.from_array(values.astype(numpy.float32), name))
        return name

    def add(self, operator, inputs, output, fused=False, **attributes):
        domain = FUSED if fused else ""
        self.nodes.append(
            helper.make_node(operator, inputs, [output], domain=domain, **attributes)
        )
        return output

    def norm(self, name, inputs, size):
        scale = self.weight(name + ".scale", size, mean=1.0)
        shift = self.weight(name + ".shift", size)
        if len(inputs) == 1:
            return self.add("LayerNormalization", inputs + [scale, shift], name, epsilon=1e-5)
        bias = self.weight(name + ".bias", size)
        return self.add(
            "SkipLayerNormalization", inputs + [scale, shift, bias], name, True, epsilon=1e-5
        )

    def layer(self, name, x, hidden, heads, inner):
        qkv = [
            self.weight(name + ".qkv", hidden, 3 * hidden),
            self.weight(name + ".qkv_bias", 3 * hidden),
        ]
        context = self.add("Attention", [x] + qkv, name + ".context", True, num_heads=heads)
        out = self.add(
            "MatMul", [context, self.weight(name + ".out", hidden, hidden)], name + ".sum1"
        )
        x = self.norm(name + ".norm1", [out, x], hidden)
        up = self.add("MatMul", [x, self.weight(name + ".up", hidden, inner)], name + ".wide")
        up_bias = self.weight(name + ".up_bias", inner)
        gelu = self.add("BiasGelu", [up, up_bias], name + ".gelu", True)
        down = self.add(
            "MatMul", [gelu, self.weight(name + ".down", inner, hidden)], name + ".sum2"
        )
        return self.norm(name + ".norm2", [down, x], hidden)


def build(path, layers, hidden, heads, inner, positions):
    g = Graph()
    words = g.add("Gather", [g.weight("words", VOCABULARY, hidden), "ids"], "word")
    places = g.add("Gather", [g.weight("positions", positions, hidden), "places"], "place")
    x = g.norm("norm0", [g.add("Add", [words, places], "embedded")], hidden)
    for i in range(layers):
        x = g.layer(f"layer{i}", x, hidden, heads, inner)
    g.weights.append(numpy_helper.from_array(numpy.array(0, dtype=numpy.int64), "first"))
    g.add("Gather", [x, "first"], "pooled", axis=1)
    inputs = [
        helper.make_tensor_value_info(n, TensorProto.INT64, ["batch", "tokens"])
        for n in ("ids", "places")
    ]
    output = helper.make_tensor_value_info("pooled", TensorProto.FLOAT, ["batch", hidden])
    graph = helper.make_graph(g.nodes, "encoder", inputs, [output], g.weights)
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(FUSED, 1)],
        ir_version=8,
    )
    onnx.save(model, path, save_as_external_data=True, location="weights.bin")


def session(path, threads):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])


def time_peer(peer, tokens, repeats=3):
    ids = numpy.random.default_rng(1).integers(5, VOCABULARY, (1, tokens))
    feed = {"ids": ids, "places": numpy.arange(2, tokens + 2)[None]}
    peer.run(None, feed)
    best = min(timed(lambda: peer.run(None, feed)) for _ in range(repeats))
    return tokens / best


def timed(run):
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def time_ours(program, arguments, sequences):
    command = [program, "-1", "-m", arguments.shape, "-t", str(arguments.tokens)]
    command += ["-n", str(sequences), "-j", str(arguments.threads), "-r", "3"]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("bench_encoder")
    parser.add_argument("--shape", choices=SHAPES, default="bge-m3")
    parser.add_argument("--tokens", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = str(pathlib.Path(folder) / "model.onnx")
        build(path, *SHAPES[arguments.shape])
        peer = session(path, arguments.threads)
        ratios = []
        for i in range(arguments.rounds):
            theirs = time_peer(peer, arguments.tokens)
            run = time_ours(arguments.bench_encoder, arguments, arguments.threads)
            ours = run["tokens_per_second"]
            ratios.append(ours / theirs)
            print(
                f"round {i + 1}: ours {ours:.1f} tokens/s "
                f"({100 * run['gflops'] / run['peak']:.1f} % of {run['peak']:.0f} GFLOP/s), "
                f"ONNX Runtime {theirs:.1f}, ratio {ratios[-1]:.3f}",
                flush=True,
            )
    ratios.sort()
    print(
        f"{arguments.shape}, {arguments.tokens} tokens: ratio {ratios[len(ratios) // 2]:.3f} "
        f"(median of {len(ratios)}, {ratios[0]:.3f} to {ratios[-1]:.3f})"
    )


if __name__ == "__main__":
    main()
