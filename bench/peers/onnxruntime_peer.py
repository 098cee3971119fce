"""ONNX Runtime: f32, and int8 with activations quantised dynamically, weights per channel.

The graph uses its own fused operators for attention, bias + GELU and residual + LayerNorm,
which is what its optimiser makes of an exported model. See worker.py.
"""
import concurrent.futures
import pathlib

import worker
from shapes import SHAPES, VOCABULARY

FUSED = "com.microsoft"


class Graph:
    def __init__(self):
        import numpy
        from onnx import helper, numpy_helper

        self.helper, self.from_array, self.numpy = helper, numpy_helper.from_array, numpy
        self.random = numpy.random.default_rng(0)
        self.nodes, self.weights = [], []

    def constant(self, name, values):
        self.weights.append(self.from_array(values, name))
        return name

    def weight(self, name, *shape, mean=0.0):
        values = mean + 0.03 * self.random.standard_normal(shape, dtype="float32")
        return self.constant(name, values.astype("float32"))

    def add(self, operator, inputs, output, fused=False, **attributes):
        domain = FUSED if fused else ""
        self.nodes.append(
            self.helper.make_node(operator, inputs, [output], domain=domain, **attributes)
        )
        return output

    def linear(self, x, name, rows, columns):
        return self.add("MatMul", [x, self.weight(name, rows, columns)], name + ".product")

    def norm(self, name, inputs, size):
        scale = self.weight(name + ".scale", size, mean=1.0)
        shift = self.weight(name + ".shift", size)
        if len(inputs) == 1:
            return self.add("LayerNormalization", inputs + [scale, shift], name, epsilon=1e-5)
        bias = self.weight(name + ".bias", size)
        return self.add(
            "SkipLayerNormalization", inputs + [scale, shift, bias], name, True, epsilon=1e-5
        )

    def layer(self, name, x, s):
        qkv = [self.linear(x, name + part, s.hidden, s.hidden) for part in (".q", ".k", ".v")]
        qkv.append(self.weight(name + ".qkv_bias", 3 * s.hidden))
        context = self.add(
            "MultiHeadAttention", qkv, name + ".context", True, num_heads=s.heads
        )
        out = self.linear(context, name + ".out", s.hidden, s.hidden)
        x = self.norm(name + ".norm1", [out, x], s.hidden)
        up = self.linear(x, name + ".up", s.hidden, s.inner)
        bias = self.weight(name + ".up_bias", s.inner)
        gelu = self.add("BiasGelu", [up, bias], name + ".gelu", True)
        down = self.linear(gelu, name + ".down", s.inner, s.hidden)
        return self.norm(name + ".norm2", [down, x], s.hidden)

    def head(self, x, s):
        if s.head == "mean":
            return self.add("ReduceMean", [x], "mean", axes=[1], keepdims=0)
        first = self.constant("first", self.numpy.array(0, dtype="int64"))
        x = self.add("Gather", [x, first], "cls", axis=1)
        if s.head == "pair":
            x = self.add("Tanh", [self.linear(x, "dense", s.hidden, s.hidden)], "tanh")
            x = self.linear(x, "logit", s.hidden, 1)
        return x


def build(path, s):
    import onnx
    from onnx import TensorProto, helper

    g = Graph()
    words = g.add("Gather", [g.weight("words", VOCABULARY, s.hidden), "ids"], "word")
    places = g.add("Gather", [g.weight("positions", s.positions, s.hidden), "places"], "place")
    x = g.norm("norm0", [g.add("Add", [words, places], "embedded")], s.hidden)
    for i in range(s.layers):
        x = g.layer(f"layer{i}", x, s)
    out = g.head(x, s)
    inputs = [
        helper.make_tensor_value_info(n, TensorProto.INT64, ["batch", "tokens"])
        for n in ("ids", "places")
    ]
    width = 1 if s.head == "pair" else s.hidden
    output = helper.make_tensor_value_info(out, TensorProto.FLOAT, ["batch", width])
    graph = helper.make_graph(g.nodes, "encoder", inputs, [output], g.weights)
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid(FUSED, 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(path), save_as_external_data=True, location=path.name + ".data")


def quantize(source, path):
    from onnx import TensorProto
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(
        str(source),
        str(path),
        weight_type=QuantType.QInt8,
        per_channel=True,
        use_external_data_format=True,
        op_types_to_quantize=["MatMul", "Attention"],
        extra_options={"DefaultTensorType": TensorProto.FLOAT},
    )


class OnnxRuntime:
    def __init__(self, arguments):
        import numpy
        import onnxruntime

        if arguments.precision == "bf16":
            raise worker.Unavailable("ONNX Runtime has no bf16 on a CPU")
        self.numpy, self.runtime, self.threads = numpy, onnxruntime, arguments.threads
        onnxruntime.set_default_logger_severity(3)
        self.system = f"ONNX Runtime {onnxruntime.__version__}"
        folder = pathlib.Path(arguments.models)
        self.path = folder / f"{arguments.shape}.onnx"
        if not self.path.exists():
            build(self.path, SHAPES[arguments.shape])
        if arguments.precision == "int8":
            source, self.path = self.path, folder / f"{arguments.shape}.int8.onnx"
            if not self.path.exists():
                quantize(source, self.path)
        self.sessions = {}

    def session(self, threads):
        if threads not in self.sessions:
            options = self.runtime.SessionOptions()
            options.intra_op_num_threads = threads
            options.inter_op_num_threads = 1
            self.sessions[threads] = self.runtime.InferenceSession(
                str(self.path), options, providers=["CPUExecutionProvider"]
            )
        return self.sessions[threads]

    def feed(self, batch, tokens):
        ids = self.numpy.random.default_rng(1).integers(5, VOCABULARY, (batch, tokens))
        places = self.numpy.arange(2, tokens + 2)[None].repeat(batch, 0)
        return {"ids": ids, "places": places}

    def prepare(self, tokens, count, streams, batch):
        session = self.session(self.threads // streams)
        feeds = [self.feed(batch, tokens)] * (count // batch)
        if streams == 1:
            return lambda: [session.run(None, feed) for feed in feeds]
        pool = concurrent.futures.ThreadPoolExecutor(streams)
        return lambda: list(pool.map(lambda feed: session.run(None, feed), feeds))


if __name__ == "__main__":
    worker.serve(OnnxRuntime)
