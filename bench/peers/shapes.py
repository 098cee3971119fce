"""The shapes that bench/encoder.c knows, for the peers' models with random weights."""
import collections

Shape = collections.namedtuple("Shape", "layers hidden heads inner positions head")

# head: what follows the last layer. "cls" and "mean" pool, "pair" is a cross-encoder's logit.
SHAPES = {
    "bge-m3": Shape(24, 1024, 16, 4096, 8194, "cls"),
    "bge-reranker-base": Shape(12, 768, 12, 3072, 514, "pair"),
    "e5-small": Shape(12, 384, 12, 1536, 514, "mean"),
    "minilm": Shape(6, 384, 12, 1536, 514, "mean"),
}
VOCABULARY = 8192  # the table's size costs no time


def flops_per_token(shape, tokens):
    """Multiplications and additions of the products and of attention, all rows counted."""
    s = SHAPES[shape]
    products = 4 * s.hidden * s.hidden + 2 * s.hidden * s.inner
    return s.layers * (2 * products + 4 * tokens * s.hidden)
