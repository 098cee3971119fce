"""OpenVINO: f32, bf16, and int8 as NNCF makes it (static, SmoothQuant). See worker.py."""
import pathlib

import worker
from shapes import SHAPES, VOCABULARY


class Graph:
    def __init__(self, s):
        import numpy
        from openvino import opset13

        self.numpy, self.op, self.s = numpy, opset13, s
        self.random = numpy.random.default_rng(0)

    def weight(self, *shape, mean=0.0):
        values = mean + 0.03 * self.random.standard_normal(shape, dtype="float32")
        return self.op.constant(values.astype("float32"))

    def integers(self, *values):
        return self.op.constant(self.numpy.array(values, dtype="int64"))

    def linear(self, x, rows, columns):
        product = self.op.matmul(x, self.weight(columns, rows), False, True)
        return self.op.add(product, self.weight(1, 1, columns))

    def norm(self, x):
        size = self.s.hidden
        x = self.op.mvn(x, self.integers(-1), True, 1e-5, "inside_sqrt")
        x = self.op.multiply(x, self.weight(1, 1, size, mean=1.0))
        return self.op.add(x, self.weight(1, 1, size))

    def split(self, x):
        """[batch, tokens, hidden] -> [batch, heads, tokens, hidden of a head]"""
        size = self.s.hidden // self.s.heads
        x = self.op.reshape(x, self.integers(0, 0, self.s.heads, size), True)
        return self.op.transpose(x, self.integers(0, 2, 1, 3))

    def layer(self, x):
        s = self.s
        q, k, v = (self.split(self.linear(x, s.hidden, s.hidden)) for _ in range(3))
        context = self.op.scaled_dot_product_attention(q, k, v)
        context = self.op.transpose(context, self.integers(0, 2, 1, 3))
        context = self.op.reshape(context, self.integers(0, 0, s.hidden), True)
        x = self.norm(self.op.add(self.linear(context, s.hidden, s.hidden), x))
        wide = self.op.gelu(self.linear(x, s.hidden, s.inner), "erf")
        return self.norm(self.op.add(self.linear(wide, s.inner, s.hidden), x))

    def head(self, x):
        if self.s.head == "mean":
            return self.op.reduce_mean(x, self.integers(1))
        x = self.op.gather(x, self.integers(0), self.integers(1))
        if self.s.head == "pair":
            x = self.op.tanh(self.linear(x, self.s.hidden, self.s.hidden))
            x = self.linear(x, self.s.hidden, 1)
        return x


def build(path, s):
    import openvino

    g = Graph(s)
    ids, places = (
        g.op.parameter([-1, -1], g.numpy.int64, name=name) for name in ("ids", "places")
    )
    words = g.op.gather(g.weight(VOCABULARY, s.hidden), ids, g.integers(0))
    x = g.op.add(words, g.op.gather(g.weight(s.positions, s.hidden), places, g.integers(0)))
    x = g.norm(x)
    for _ in range(s.layers):
        x = g.layer(x)
    path.parent.mkdir(parents=True, exist_ok=True)
    model = openvino.Model([g.head(x)], [ids, places], "encoder")
    openvino.save_model(model, str(path), compress_to_fp16=False)


def feed(numpy, batch, tokens, seed=1):
    ids = numpy.random.default_rng(seed).integers(5, VOCABULARY, (batch, tokens))
    return {"ids": ids, "places": numpy.arange(2, tokens + 2)[None].repeat(batch, 0)}


def quantize(source, path):
    import logging

    import nncf
    import numpy
    import openvino

    nncf.set_log_level(logging.ERROR)
    samples = nncf.Dataset([feed(numpy, 1, 64, seed) for seed in range(4)])
    model = nncf.quantize(
        openvino.Core().read_model(str(source)),
        samples,
        model_type=nncf.ModelType.TRANSFORMER,
        preset=nncf.QuantizationPreset.MIXED,
        subset_size=4,
        advanced_parameters=nncf.AdvancedQuantizationParameters(disable_bias_correction=True),
    )
    openvino.save_model(model, str(path), compress_to_fp16=False)


class OpenVino:
    def __init__(self, arguments):
        import numpy
        import openvino

        self.numpy, self.openvino, self.threads = numpy, openvino, arguments.threads
        self.core = openvino.Core()
        self.system = f"OpenVINO {openvino.__version__.split('-')[0]}"
        folder = pathlib.Path(arguments.models)
        self.path = folder / f"{arguments.shape}.xml"
        if not self.path.exists():
            build(self.path, SHAPES[arguments.shape])
        if arguments.precision == "int8":
            source, self.path = self.path, folder / f"{arguments.shape}.int8.xml"
            if not self.path.exists():
                quantize(source, self.path)
        self.precision = arguments.precision

    def hint(self):
        """What is not quantised runs in bf16 where the machine has it."""
        if self.precision == "f32":
            return "f32"
        able = "BF16" in self.core.get_property("CPU", "OPTIMIZATION_CAPABILITIES")
        if self.precision == "bf16" and not able:
            raise worker.Unavailable("OpenVINO has no bf16 on this machine")
        return "bf16" if able else "f32"

    def compile(self, tokens, streams, batch):
        """For this one size: 3 to 5 % faster here than a model of any size."""
        model = self.core.read_model(str(self.path))
        model.reshape({name: [batch, tokens] for name in ("ids", "places")})
        settings = {
            "INFERENCE_NUM_THREADS": self.threads,
            "NUM_STREAMS": streams,
            "PERFORMANCE_HINT": "LATENCY" if streams == 1 else "THROUGHPUT",
            "INFERENCE_PRECISION_HINT": self.hint(),
        }
        return self.core.compile_model(model, "CPU", settings)

    def prepare(self, tokens, count, streams, batch):
        texts = feed(self.numpy, batch, tokens)
        queue = self.openvino.AsyncInferQueue(self.compile(tokens, streams, batch), streams)

        def run():
            for _ in range(count // batch):
                queue.start_async(texts)
            queue.wait_all()

        return run


if __name__ == "__main__":
    worker.serve(OpenVino)
