"""What the stores of rag.langchain and rag.llamaindex share: an index of texts, found by cosine."""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass
from typing import Any, Callable, Dict, Iterable, List, Optional, Sequence

from ._arguments import encode, PathLike
from ._call import Cancel
from ._task import in_thread
from .errors import InputError
from .documents import Chunk, Document, Hit, Source
from .index import Index
from .model import Model

#: What one search gives at most.
MOST_HITS = 10000

#: How many hits a filter is shown first.
_FIRST_LOOK = 64

Keep = Callable[[Hit], bool]


@dataclass(frozen=True)
class Entry:
    """A text under a name; `vector` None: embedded by the index."""

    name: str
    text: str
    metadata: Dict[str, Any]
    vector: Optional[Sequence[float]] = None


def unit(vector: Iterable[float], what: str) -> List[float]:
    """A vector of L2 norm 1, as an index wants it."""
    values = [float(value) for value in vector]
    norm = math.hypot(*values)
    if not 0 < norm < math.inf:
        raise InputError(
            f"{what} has no direction: its values must be finite and not all 0; "
            "see what the embedding model returns"
        )
    return [value / norm for value in values]


def _as_source(entry: Entry) -> Source:
    size = len(encode(entry.text, f"the text of {entry.name!r}"))
    vectors = None
    if entry.vector is not None:
        vectors = [unit(entry.vector, f"the vector of {entry.name!r}")]
    whole = Chunk(entry.text, entry.name, end=size)
    return Source(entry.name, entry.text, entry.metadata, chunks=[whole], vectors=vectors)


class Entries:
    """An index file in which each document is one chunk, and nothing is reranked.

    `model`: rag's own, open. None: the vectors come from outside, `name` says what makes them, and
    the first of them decides the dimension of a new file.
    """

    def __init__(self, path: Optional[PathLike], model: Optional[Model], name: str) -> None:
        self._path, self._name = path, name
        self._external = model is None
        self._opening = threading.Lock()
        self.index = Index(path, model=name if model is None else model, reranker="none")

    def _prepare(self, sources: Sequence[Source]) -> None:
        """A new file of vectors from outside is opened again, now that their dimension is known."""
        if not self._external or not sources:
            return
        with self._opening:
            if not self.index.info.dimension:
                # The index so far stays open for those who have it: it sees what comes in.
                dimension = len(sources[0].vectors[0])
                self.index = Index(
                    self._path, model=self._name, dimension=dimension, reranker="none"
                )

    def put(self, entries: Iterable[Entry]) -> None:
        sources = [_as_source(entry) for entry in entries]
        self._prepare(sources)
        self.index.put(sources)

    async def aput(self, entries: Iterable[Entry]) -> None:
        sources = [_as_source(entry) for entry in entries]
        self._prepare(sources)
        await self.index.aput(sources)

    def search(
        self,
        question: str,
        k: int,
        mode: str,
        vector: Optional[Sequence[float]],
        keep: Optional[Keep] = None,
        cancel: Optional[Cancel] = None,
    ) -> List[Hit]:
        """The `k` best of those that `keep` lets through: it is shown ever more hits until there
        are k, or all of them, or MOST_HITS."""
        direction = None if vector is None else unit(vector, "the question's vector")

        def find(depth: int) -> List[Hit]:
            return self.index._search(question, depth, mode, None, direction, None, cancel)

        if keep is None or k <= 0:
            return find(k)
        depth = max(_FIRST_LOOK, 4 * k)
        while True:
            depth = min(depth, MOST_HITS)
            hits = find(depth)
            kept = [hit for hit in hits if keep(hit)]
            if len(kept) >= k or len(hits) < depth or depth == MOST_HITS:
                return kept[:k]
            depth *= 8

    async def asearch(
        self,
        question: str,
        k: int,
        mode: str,
        vector: Optional[Sequence[float]],
        keep: Optional[Keep] = None,
    ) -> List[Hit]:
        return await in_thread(
            lambda cancel: self.search(question, k, mode, vector, keep, cancel)
        )

    def vectors(self, hits: Iterable[Hit]) -> List[List[float]]:
        """Those of the hits' chunks."""
        return [
            list(vector)
            for hit in hits
            for _, chunk_id, vector in self.index.chunks(hit.document)
            if chunk_id == hit.chunk_id
        ]

    def documents(self, names: Optional[Iterable[str]] = None) -> List[Document]:
        """Those of these names (None: all), with their texts."""
        return self.index.documents(names, texts=True)

    def remove(self, names: Iterable[str]) -> None:
        """Takes out what is there of these names, and nothing else."""
        known = [document.name for document in self.index.documents(names)]
        if known:
            self.index.remove(known)
