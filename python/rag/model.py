"""Models: vectors, relevance scores and tokens, and the folder in which models are installed."""

from __future__ import annotations

import ctypes
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Dict, FrozenSet, Iterator, List, Optional, Sequence, Tuple

from . import _native
from ._arguments import (UNSIGNED, at_least, choice, decode, encode, encode_name, PathLike, text,
                         texts_array)
from ._call import Call, Cancel, Progress
from ._handle import Handle, Owned
from ._task import Closable, in_thread
from ._native import lib
from .errors import UsageError

if TYPE_CHECKING:
    import numpy
    from numpy.typing import NDArray

    from typing import Literal

    Role = Literal["query", "passage", "raw"]
    FloatArray = NDArray[numpy.float32]


@dataclass(frozen=True)
class ModelInfo:
    """What a model is.

    `name` is that of the hub ("BAAI/bge-m3"), or a path; `architecture` "xlm-roberta" or "bert";
    `tokenizer` "unigram" or "wordpiece"; `pooling` "cls" or "mean"; `weights` "f32", "f16" or
    "bf16", as stored; `identity` 64 hex digits that change with anything that changes a vector or
    a score; `heads` what it computes, out of "dense", "sparse", "multi" and "logit"; `dimension`
    of the dense vector; `multi_dimension` of a token's vector (0: none); `max_tokens` of one text,
    special tokens included; `bytes` of the weights on disk.
    """

    name: str
    folder: str
    architecture: str
    tokenizer: str
    pooling: str
    query_prefix: str
    passage_prefix: str
    weights: str
    precision: str
    identity: str
    heads: FrozenSet[str]
    dimension: int
    multi_dimension: int
    layers: int
    attention_heads: int
    feed_forward: int
    vocabulary: int
    max_tokens: int
    parameters: int
    bytes: int
    agreement: float


@dataclass(frozen=True)
class InstalledModel:
    """A model in the folder of models; `bytes` on disk."""

    name: str
    folder: str
    bytes: int


@dataclass(frozen=True)
class Embedding:
    """All that a model says of one text. What was not asked for is None.

    `dense`: f32 [dimension], L2 norm 1. `sparse`: weight by token id. `multi`: f32
    [tokens x multi_dimension], each row of L2 norm 1, and `multi_ids` the tokens of its rows.
    `tokens`: how many the text took, special ones and prefix included. `windows`: 1, or how many
    pieces a text longer than the model's limit was read in; their vectors are averaged.

    The views are read-only and lie where the library has them: `numpy.asarray(e.dense)` copies
    nothing.
    """

    dense: Optional[memoryview[float]]
    sparse: Optional[Dict[int, float]]
    multi: Optional[memoryview[float]]
    multi_ids: Optional[List[int]]
    tokens: int
    windows: int


def _view(pointer: Any, shape: Tuple[int, ...], owner: Optional[Owned]) -> memoryview[float]:
    """f32 [shape] of the library's memory, which the view keeps alive through `owner`; None: the
    caller does."""
    count = 1
    for length in shape:
        count *= length
    if not count:
        return memoryview(b"").cast("f")
    address = ctypes.cast(pointer, ctypes.c_void_p).value
    assert address is not None
    items = (ctypes.c_float * count).from_address(address)
    setattr(items, "owner", owner)
    plain: Any = memoryview(items)
    view: memoryview[float] = plain.cast("B").cast("f", shape).toreadonly()
    return view


def _dense(made: ctypes.c_void_p, count: int, owner: Optional[Owned] = None) -> memoryview[float]:
    """The dense vectors of `count` texts, at least one: their rows follow each other."""
    first = lib.rag_embeddings_get(made, 0).contents
    return _view(first.dense, (count, int(first.dimension)), owner)


def _numpy() -> Any:
    try:
        import numpy
    except ImportError:
        raise UsageError(
            "numpy is not installed, and this call returns an ndarray; install it with "
            "`pip install numpy`, or call embed_lists() for lists of float"
        ) from None
    return numpy


class Tokenizer(Closable):
    """The tokenizer of a model, without its weights.

    `name_or_file`: a model's name or folder, or a tokenizer.json, sentencepiece.bpe.model,
    vocab.txt or *.tiktoken; None: the default model's. `models`: the folder of models.

    May be shared between threads. Not usable after a fork.

    >>> with rag.Tokenizer("BAAI/bge-m3") as tokenizer:
    ...     tokenizer.count("Wie viele?")
    """

    def __init__(
        self, name_or_file: Optional[PathLike] = None, *, models: Optional[PathLike] = None
    ) -> None:
        opened = ctypes.c_void_p()
        Call().run(
            lib.rag_tokenizer_open,
            encode_name(name_or_file, "tokenizer"),
            encode_name(models, "models"),
            ctypes.byref(opened),
        )
        self.handle = Handle(opened.value, lib.rag_tokenizer_close, "this Tokenizer")
        self._special: Optional[int] = None

    def _tokens(self, given: str) -> Tuple[List[int], List[Tuple[int, int]]]:
        data = encode(given, "text")
        tokens = _native.Tokens()
        Call().run(lib.rag_tokenize, self.handle, text(data), ctypes.byref(tokens))
        try:
            count = tokens.count
            ids = tokens.ids[:count] if count else []
            begin = tokens.begin[:count] if count else []
            end = tokens.end[:count] if count else []
        finally:
            lib.rag_tokens_release(ctypes.byref(tokens))
        return ids, list(zip(begin, end))

    def encode(self, text: str) -> List[int]:
        """The ids of a text with the model's special tokens around them, never cut."""
        return self._tokens(text)[0]

    def spans(self, text: str) -> List[Tuple[int, int]]:
        """For each id of `encode`, the characters it stands for: begin, end (exclusive); (0, 0)
        for special tokens."""
        spans = self._tokens(text)[1]
        if text.isascii():
            return spans
        places = [0]
        for character in text:
            size = len(character.encode("utf-8"))
            places.extend([places[-1]] * (size - 1))
            places.append(places[-1] + 1)
        return [(places[begin], places[end]) for begin, end in spans]

    def count(self, text: str) -> int:
        """How many tokens a text has, special ones left out."""
        if self._special is None:
            self._special = len(self.encode(""))
        return len(self.encode(text)) - self._special


class Model(Closable):
    """A model of the XLM-RoBERTa or BERT family: an embedding model or a cross-encoder.

    `name`: as on the hub ("BAAI/bge-m3") if it is installed, or a folder; None: RAG_MODEL in the
    environment, else intfloat/multilingual-e5-small. `models`: the folder of models. `precision`:
    "f32", "bf16", "int8", or "auto" for the fastest that agrees with f32; "default" is
    RAG_PRECISION in the environment, else "auto". `threads`: 0 for all cores.

    Raises ModelMissingError, which says how to get the model, or ModelError, which names the
    broken file. May be shared between threads: calls take turns where they must. Not usable after
    a fork.

    >>> with rag.Model() as model:
    ...     vectors = model.embed(["What is attention?"], role="query")   # [1 x 384]
    """

    def __init__(
        self,
        name: Optional[PathLike] = None,
        *,
        models: Optional[PathLike] = None,
        precision: str = "default",
        threads: int = 0,
    ) -> None:
        call = Call()
        options = _native.ModelOptions.init(
            models=encode_name(models, "models"),
            precision=choice(precision, _native.PRECISION, "precision"),
            threads=at_least(threads, 0, "threads", UNSIGNED),
            on_event=call.on_event,
        )
        opened = ctypes.c_void_p()
        call.run(
            lib.rag_model_open,
            encode_name(name, "model"),
            ctypes.byref(options),
            ctypes.byref(opened),
        )
        self.handle = Handle(opened.value, lib.rag_model_close, "this Model")
        self.info = _read_info(opened.value)
        self._lock = threading.Lock()
        self._tokenizer: Optional[Tokenizer] = None

    def _embed(
        self,
        made: ctypes.c_void_p,
        texts: Sequence[str],
        role: str,
        heads: Sequence[str],
        progress: Progress,
        cancel: Optional[Cancel],
    ) -> int:
        """Embeds into `made`; how many texts."""
        items, count = texts_array(texts, "text")
        call = Call(progress, cancel)
        bits = 0
        for head in heads:
            bits |= choice(head, _native.HEADS, "head")
        if not bits:
            raise UsageError("heads must name at least one of 'dense', 'sparse', 'multi'")
        options = _native.EmbedOptions.init(
            role=choice(role, _native.ROLE, "role"), heads=bits, on_event=call.on_event
        )
        call.run(
            lib.rag_embed,
            self.handle,
            items,
            count,
            ctypes.byref(options),
            ctypes.byref(made),
        )
        return count

    def _lists(
        self, texts: Sequence[str], role: str, progress: Progress, cancel: Optional[Cancel] = None
    ) -> List[List[float]]:
        made = ctypes.c_void_p()
        try:
            count = self._embed(made, texts, role, ("dense",), progress, cancel)
            return _dense(made, count).tolist() if count else []  # type: ignore[return-value]
        finally:
            lib.rag_embeddings_free(made)

    def embed(
        self, texts: Sequence[str], *, role: Role = "raw", progress: Progress = None
    ) -> FloatArray:
        """The dense vectors of texts: float32 [texts x dimension], each row of L2 norm 1.

        `role`: "query" or "passage" puts the model's prefix for it before each text, "raw" none.
        `progress`: True for a bar, or a function that is called with each Event.

        The array is read-only and lies where the library has it: nothing is copied. A vector
        depends on its text and the model alone. Needs numpy (`embed_lists` does not). Lone
        surrogates are an InputError; a model without a dense head (a
        cross-encoder) is a UsageError.
        """
        return self._embed_array(texts, role, progress, None)

    def _embed_array(
        self, texts: Sequence[str], role: str, progress: Progress, cancel: Optional[Cancel]
    ) -> FloatArray:
        numpy = _numpy()
        made = Owned(lib.rag_embeddings_free)
        count = self._embed(made.pointer, texts, role, ("dense",), progress, cancel)
        if not count:
            return numpy.empty((0, self.info.dimension), numpy.float32)  # type: ignore[no-any-return]
        array: FloatArray = numpy.asarray(_dense(made.pointer, count, made))
        return array

    def embed_lists(
        self, texts: Sequence[str], *, role: Role = "raw", progress: Progress = None
    ) -> List[List[float]]:
        """As `embed`, as lists of float."""
        return self._lists(texts, role, progress)

    def embed_all(
        self,
        texts: Sequence[str],
        *,
        role: Role = "raw",
        heads: Sequence[str] = ("dense",),
        progress: Progress = None,
    ) -> List[Embedding]:
        """All that the model can say of texts; `heads` out of "dense", "sparse", "multi"."""
        made = Owned(lib.rag_embeddings_free)
        count = self._embed(made.pointer, texts, role, heads, progress, None)
        return [
            _read_embedding(lib.rag_embeddings_get(made.pointer, i).contents, heads, made)
            for i in range(count)
        ]

    def rerank(
        self, query: str, passages: Sequence[str], *, progress: Progress = None
    ) -> List[float]:
        """How relevant each passage is to the query, higher is better, in the passages' order.

        A cross-encoder gives its raw logit, an embedding model late interaction (within -1..1).
        """
        return self._rerank(query, passages, progress, None)

    def _rerank(
        self, query: str, passages: Sequence[str], progress: Progress, cancel: Optional[Cancel]
    ) -> List[float]:
        items, count = texts_array(passages, "passage")
        data = encode(query, "query")
        call = Call(progress, cancel)
        options = _native.RerankOptions.init(on_event=call.on_event)
        scores = (ctypes.c_float * count)()
        call.run(
            lib.rag_rerank, self.handle, text(data), items, count, ctypes.byref(options), scores
        )
        return list(scores)

    @property
    def tokenizer(self) -> Tokenizer:
        """The model's tokenizer, opened when it is first asked for and closed with the model."""
        with self._lock, self.handle.use():
            if self._tokenizer is None:
                self._tokenizer = Tokenizer(self.info.folder)
            return self._tokenizer

    def tokenize(self, text: str) -> List[int]:
        """The ids of a text with the model's special tokens around them, never cut."""
        return self.tokenizer.encode(text)

    def count_tokens(self, text: str) -> int:
        """How many tokens a text has, special ones left out."""
        return self.tokenizer.count(text)

    async def aembed(
        self, texts: Sequence[str], *, role: Role = "raw", progress: Progress = None
    ) -> FloatArray:
        """`embed` in a thread; cancelling the task stops it."""
        return await in_thread(lambda cancel: self._embed_array(texts, role, progress, cancel))

    async def aembed_lists(
        self, texts: Sequence[str], *, role: Role = "raw", progress: Progress = None
    ) -> List[List[float]]:
        """`embed_lists` in a thread; cancelling the task stops it."""
        return await in_thread(lambda cancel: self._lists(texts, role, progress, cancel))

    async def arerank(
        self, query: str, passages: Sequence[str], *, progress: Progress = None
    ) -> List[float]:
        """`rerank` in a thread; cancelling the task stops it."""
        return await in_thread(lambda cancel: self._rerank(query, passages, progress, cancel))

    def close(self) -> None:
        """Frees the model; waits for calls that run in other threads. An index that was given it
        can still be used, and vectors that came from it stay valid."""
        super().close()
        with self._lock:
            if self._tokenizer is not None:
                self._tokenizer.close()

    def __repr__(self) -> str:
        return f"<rag.Model {self.info.name}>"


def _read_info(pointer: Optional[int]) -> ModelInfo:
    info = lib.rag_model_get_info(pointer).contents
    return ModelInfo(
        name=decode(info.name),
        folder=decode(info.folder),
        architecture=decode(info.architecture),
        tokenizer=decode(info.tokenizer),
        pooling=decode(info.pooling),
        query_prefix=decode(info.query_prefix),
        passage_prefix=decode(info.passage_prefix),
        weights=decode(info.weights),
        precision=decode(info.precision),
        identity=decode(info.identity),
        heads=frozenset(name for name, bit in _native.HEADS.items() if info.heads & bit),
        dimension=info.dimension,
        multi_dimension=info.multi_dimension,
        layers=info.layers,
        attention_heads=info.attention_heads,
        feed_forward=info.feed_forward,
        vocabulary=info.vocabulary,
        max_tokens=info.max_tokens,
        parameters=info.parameters,
        bytes=info.bytes,
        agreement=info.agreement,
    )


def _read_embedding(item: Any, heads: Sequence[str], owner: Owned) -> Embedding:
    sparse, count = None, item.sparse_count
    if "sparse" in heads:
        sparse = dict(zip(item.sparse_ids[:count], item.sparse_weights[:count])) if count else {}
    multi, multi_ids, rows = None, None, item.multi_count
    if "multi" in heads:
        multi = _view(item.multi, (rows, item.multi_dimension), owner)
        multi_ids = item.multi_ids[:rows] if rows else []
    return Embedding(
        dense=_view(item.dense, (item.dimension,), owner) if "dense" in heads else None,
        sparse=sparse,
        multi=multi,
        multi_ids=multi_ids,
        tokens=item.tokens,
        windows=item.windows,
    )


def models(folder: Optional[PathLike] = None) -> List[InstalledModel]:
    """The installed models, sorted by name; `folder` of models, None: RAG_MODELS, else XDG's."""
    found = ctypes.c_void_p()
    try:
        Call().run(
            lib.rag_model_list_open, encode_name(folder, "folder"), ctypes.byref(found)
        )
        return list(_each_model(found))
    finally:
        lib.rag_model_list_free(found)


def _each_model(found: ctypes.c_void_p) -> Iterator[InstalledModel]:
    folder, size = ctypes.c_char_p(), ctypes.c_uint64()
    for i in range(lib.rag_model_list_count(found)):
        name = lib.rag_model_list_get(found, i, ctypes.byref(folder), ctypes.byref(size))
        yield InstalledModel(decode(name), decode(folder.value), size.value)


def pull(
    name: str,
    *,
    models: Optional[PathLike] = None,
    hub: Optional[str] = None,
    revision: Optional[str] = None,
    progress: Progress = True,
) -> None:
    """Downloads a model of the hub, such as "BAAI/bge-m3", into the folder of models.

    A broken download is resumed, sizes and SHA-256 sums are checked. `hub`: base URL, None:
    HF_ENDPOINT, else the public hub; HF_TOKEN for private models; `revision`: None is "main".
    Raises NetworkError, AuthError, or ModelError if rag cannot read such a model.
    """
    call = Call(progress)
    options = _native.PullOptions.init(
        models=encode_name(models, "models"),
        hub=encode_name(hub, "hub"),
        revision=encode_name(revision, "revision"),
        on_event=call.on_event,
    )
    call.run(lib.rag_model_pull, encode_name(name, "name"), ctypes.byref(options))


def add(
    folder: PathLike,
    name: Optional[str] = None,
    *,
    models: Optional[PathLike] = None,
    progress: Progress = None,
) -> None:
    """Checks the model in `folder` and copies it into the folder of models under `name` (None:
    the name that its config.json carries, else the folder's own)."""
    call = Call(progress)
    call.run(
        lib.rag_model_add,
        encode_name(folder, "folder"),
        encode_name(name, "name"),
        encode_name(models, "models"),
        call.on_event,
        None,
    )
