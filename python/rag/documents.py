"""What goes into an index and comes out of it: sources, chunks, hits, documents, counts."""

from __future__ import annotations

import ctypes
import json
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Union

from . import _native
from ._arguments import Floats, decode, encode, encode_name
from ._native import lib
from .chat import known
from .errors import InputError, UsageError


class Chunk(str):
    """A piece of a document: the text itself, which also knows where it is from.

    `document`: its path or name; `heading`: "Chapter > Section", "" if none; `number` within its
    document, from 0; `begin`, `end`: bytes of the document's text, end exclusive; `line`,
    `last_line`: from 1, both inclusive; `tokens`: of the text, special ones left out; `header`: the
    first rows of a table, where the text begins behind them; `place`: where in the file it was, of
    formats that are no text, such as "page 3", else "".
    """

    document: str
    heading: str
    number: int
    begin: int
    end: int
    line: int
    last_line: int
    tokens: int
    header: str
    place: str

    def __new__(
        cls,
        text: str = "",
        document: str = "",
        heading: str = "",
        number: int = 0,
        begin: int = 0,
        end: int = 0,
        line: int = 0,
        last_line: int = 0,
        tokens: int = 0,
        header: str = "",
        place: str = "",
    ) -> Chunk:
        chunk = super().__new__(cls, text)
        chunk.document = document
        chunk.heading = heading
        chunk.number = number
        chunk.begin = begin
        chunk.end = end
        chunk.line = line
        chunk.last_line = last_line
        chunk.tokens = tokens
        chunk.header = header
        chunk.place = place
        return chunk


def read_chunk(item: Any) -> Chunk:
    return Chunk(
        _native.text_str(item.text),
        decode(item.document),
        decode(item.heading),
        item.number,
        item.begin,
        item.end,
        item.line,
        item.last_line,
        item.tokens,
        _native.text_str(item.header),
        decode(item.place),
    )


@dataclass(frozen=True)
class Hit:
    """A chunk that was found.

    `rank` from 1; `score` is what the hits are sorted by; `dense`, `lexical` and `rerank` are None
    where that leg did not see the chunk, `sparse` where the index holds no weights of tokens (bge-m3's);
    `metadata` and `collection` of its document.
    """

    rank: int
    score: float
    dense: Optional[float]
    lexical: Optional[float]
    rerank: Optional[float]
    chunk: Chunk
    chunk_id: int
    metadata: Dict[str, Any]
    collection: str = "default"
    sparse: Optional[float] = None

    @property
    def text(self) -> str:
        return str(self.chunk)

    @property
    def document(self) -> str:
        return self.chunk.document

    @property
    def heading(self) -> str:
        return self.chunk.heading


def read_hits(pointer: Any) -> List[Hit]:
    return [
        _read_hit(lib.rag_hits_get(pointer, i).contents)
        for i in range(lib.rag_hits_count(pointer))
    ]


def _read_hit(item: Any) -> Hit:
    return Hit(
        rank=item.rank,
        score=item.score,
        dense=known(item.dense),
        lexical=known(item.lexical),
        rerank=known(item.rerank),
        chunk=read_chunk(item.chunk),
        chunk_id=item.chunk_id,
        metadata=_read_metadata(item.metadata),
        collection=decode(item.collection),
        sparse=known(item.sparse),
    )


@dataclass(frozen=True)
class Passage:
    """A chunk with what stands around it, of the text that is in the index.

    `before` and `after`: lines of the document next to the chunk; the three texts follow each
    other. `file`: "same", "changed" or "gone" since it was indexed; None for what was no file.
    `is_text`: the chunk's lines are those of the file; else `chunk.place` says where it was.
    `format`, `metadata` and `collection` of its document.
    """

    chunk: Chunk
    chunk_id: int
    before: str
    after: str
    file: Optional[str]
    is_text: bool
    format: str
    metadata: Dict[str, Any]
    collection: str

    @property
    def text(self) -> str:
        return str(self.chunk)

    @property
    def document(self) -> str:
        return self.chunk.document

    @property
    def heading(self) -> str:
        return self.chunk.heading


def read_passage(item: Any) -> Passage:
    return Passage(
        chunk=read_chunk(item.chunk),
        chunk_id=item.chunk_id,
        before=_native.text_str(item.before),
        after=_native.text_str(item.after),
        file=_native.FILE_STATE[item.file],
        is_text=bool(item.is_text),
        format=decode(item.format),
        metadata=_read_metadata(item.metadata),
        collection=decode(item.collection),
    )


def _read_metadata(data: Optional[bytes]) -> Dict[str, Any]:
    metadata: Dict[str, Any] = json.loads(data) if data else {}
    return metadata


@dataclass(frozen=True)
class Document:
    """A document of an index.

    `name`: the absolute path of a file, or the name of a source; `text` None unless asked for;
    `size` in bytes; `modified` in nanoseconds since 1970; `chunks`: how many.
    """

    name: str
    format: str
    metadata: Dict[str, Any]
    text: Optional[str]
    size: int
    modified: int
    chunks: int
    collection: str = "default"


@dataclass
class Source:
    """A document that is no file: a text under a name.

    `name`: unique in the index, not empty. `metadata`: what JSON can hold; it comes back with
    hits. `format`: "text" or "markdown"; or "file": `text` is the bytes of a file of any format that
    rag reads, found by them and by the name's ending. `chunks`: cut by the caller; `begin`, `end` (bytes of the
    text), `line`, `last_line` (0: counted) and `heading` are read, and they may overlap. `vectors`:
    float32 [chunks x dimension] of these chunks, of the index's own model, each row of L2 norm 1;
    a C-contiguous ndarray is not copied. None: embedded by the index.
    """

    name: str
    text: Union[str, bytes]
    metadata: Optional[Dict[str, Any]] = None
    format: str = "text"
    chunks: Optional[Sequence[Chunk]] = None
    vectors: Any = field(default=None, repr=False)


@dataclass(frozen=True)
class Change:
    """What became of a document.

    `kind`: "added", "updated", "renamed" (from `before`), "removed", "skipped", or "partial" (a part
    of it cannot be read); `reason` in words; `chunks` of it, how many of these had to be embedded,
    and their tokens.
    """

    kind: str
    path: str
    before: Optional[str]
    reason: str
    chunks: int
    chunks_embedded: int
    tokens: int


def read_change(item: Any) -> Change:
    return Change(
        kind=_native.CHANGE[item.kind],
        path=decode(item.path),
        before=decode(getattr(item, "from")) or None,
        reason=decode(item.reason),
        chunks=item.chunks,
        chunks_embedded=item.chunks_embedded,
        tokens=item.tokens,
    )


@dataclass(frozen=True)
class AddReport:
    """What was done: documents, `chunks` of the added and updated ones, how many of these had to be
    embedded, the tokens embedded, seconds, the speed of embedding, and in `warnings` how many parts
    of documents (attachments, entries of archives) cannot be read. Of a dry run what would be
    done, how long that would take, and where the speed is from: "earlier runs" or "a sample"."""

    added: int
    updated: int
    unchanged: int
    removed: int
    skipped: int
    chunks: int
    chunks_embedded: int
    tokens: int
    seconds: float
    renamed: int = 0
    tokens_per_second: float = 0.0
    estimated_seconds: float = 0.0
    speed_from: Optional[str] = None
    warnings: int = 0


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with an index (`kind`: "pages", "indexes", "references", "recipe",
    "state", "removals", "document", "text", "metadata", "chunks", "vector", "words", "cache", "model"), or
    that was done about it ("mended", "lost", "left", "kept"). `chunk`: an id, None for none."""

    kind: str
    sentence: str
    document: Optional[str] = None
    collection: Optional[str] = None
    chunk: Optional[int] = None

    def __str__(self) -> str:
        return self.sentence


@dataclass(frozen=True)
class RepairReport:
    """What was wrong, what was done about it, the documents `mended` and `lost`, the problems that
    are `left`, the chunks embedded, whether the index was written anew (`salvaged`) because its
    structure was damaged, and seconds."""

    problems: List[Problem]
    actions: List[Problem]
    mended: int
    lost: int
    left: int
    chunks_embedded: int
    salvaged: bool
    seconds: float


@dataclass(frozen=True)
class CompactReport:
    """The size of the file before and after, and seconds."""

    bytes_before: int
    bytes_after: int
    seconds: float


@dataclass(frozen=True)
class ReindexReport:
    """What was done: documents in the new index, and how many of them an earlier call had made
    ready; chunks made by this one, how many were embedded, and their tokens; how long it took, and
    how long of that the index was locked. `switched`: False if there was nothing to do."""

    documents: int
    documents_resumed: int
    chunks: int
    chunks_embedded: int
    tokens: int
    seconds: float
    switch_seconds: float
    switched: bool


def read_reindex_report(report: Any) -> ReindexReport:
    values = _native.numbers(report)
    values["switched"] = bool(report.switched)
    return ReindexReport(**values)


@dataclass(frozen=True)
class IndexInfo:
    """What an index holds. `model` and `chunker` are "" while it is empty; `format`: version of
    the file's schema; `bytes` on disk; `collections`: each by its name, with how many documents it
    has."""

    path: str
    model: str
    model_identity: str
    chunker: str
    format: int
    dimension: int
    max_tokens: int
    overlap: int
    documents: int
    chunks: int
    tokens: int
    bytes: int
    collections: Dict[str, int] = field(default_factory=dict)


def read_report(report: Any) -> AddReport:
    values = _native.numbers(report)
    values["speed_from"] = decode(report.speed_from) or None
    return AddReport(**values)


class SourceArray:
    """[count] of rag_source, and what they point to."""

    def __init__(self, sources: List[Source], dimension: Callable[[], int]) -> None:
        self.items = (_native.Source * len(sources))()
        self._keep: List[Any] = []
        for item, source in zip(self.items, sources):
            self._fill(item, source, dimension)

    def _fill(self, item: Any, source: Source, dimension: Callable[[], int]) -> None:
        what = f"source {source.name!r}"
        if isinstance(source.text, bytes):
            if source.format != "file":
                raise UsageError(f'{what} has bytes for a text: its format has to be "file"')
            data = source.text
        else:
            data = encode(source.text, f"the text of {what}")
        item.name = encode_name(source.name, "name of a source")
        item.text.data = data
        item.text.size = len(data)
        item.format = encode_name(source.format, "format")
        if source.metadata is not None:
            item.metadata = encode_metadata(source.metadata, what)
        if source.chunks is not None:
            item.chunk_count = len(source.chunks)
            item.chunks = self._chunks(source.chunks)
        if source.vectors is not None:
            item.vectors = self._vectors(source, dimension(), what)

    def _chunks(self, chunks: Sequence[Chunk]) -> Any:
        # Never a NULL pointer: that would be "cut it for me".
        items = (_native.Chunk * max(1, len(chunks)))()
        for item, chunk in zip(items, chunks):
            item.heading = encode(chunk.heading, "heading")
            item.begin, item.end = chunk.begin, chunk.end
            item.line, item.last_line = chunk.line, chunk.last_line
        return ctypes.cast(items, ctypes.POINTER(_native.Chunk))

    def _vectors(self, source: Source, dimension: int, what: str) -> Optional[int]:
        if source.chunks is None:
            raise UsageError(f"{what} has vectors but no chunks that they belong to; give both")
        if not len(source.chunks):
            return None
        floats = Floats(source.vectors, f"the vectors of {what}")
        if floats.rows != len(source.chunks) or floats.columns != dimension:
            raise InputError(
                f"{what}: {len(source.chunks)} chunks need vectors "
                f"[{len(source.chunks)} x {dimension}], these are "
                f"[{floats.rows or 1} x {floats.columns}]"
            )
        self._keep.append(floats)
        return floats.address


def encode_metadata(metadata: Dict[str, Any], what: str) -> bytes:
    try:
        return json.dumps(metadata, ensure_ascii=True, allow_nan=False).encode("ascii")
    except (TypeError, ValueError) as error:
        raise InputError(f"the metadata of {what} cannot be written as JSON: {error}") from None


def as_source(source: Union[Source, str, Tuple[str, str]], number: int) -> Source:
    if isinstance(source, Source):
        return source
    if isinstance(source, Chunk):
        return Source(f"{source.document or 'text'}#{number}", str(source))
    if isinstance(source, str):
        return Source(f"text#{number}", source)
    name, text = source
    return Source(name, text)


def read_problem(item: Any) -> Problem:
    return Problem(
        kind=decode(item.kind),
        sentence=decode(item.sentence),
        document=decode(item.document) if item.document else None,
        collection=decode(item.collection) if item.collection else None,
        chunk=item.chunk or None,
    )


def read_document(item: Any, with_text: bool) -> Document:
    return Document(
        name=decode(item.name),
        format=decode(item.format),
        metadata=_read_metadata(item.metadata),
        text=_native.text_str(item.text) if with_text else None,
        size=item.size,
        modified=item.modified,
        chunks=item.chunks,
        collection=decode(item.collection),
    )
