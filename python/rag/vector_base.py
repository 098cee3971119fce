"""The notebook's store: documents, their vectors, and the nearest to a question.

    store = VectorStore(docs)
    store.get_vector(embedding)
    store.persist(file="d2l")           # storage/d2l.rag
    ...
    store = VectorStore()
    store.load_vector(file="d2l")
    store.query("...?", EmbeddingModel=embedding, k=3)

What it writes is an index of rag: `rag search -i storage/d2l.rag` searches it too, by meaning
and by words.
"""
from __future__ import annotations

import os
import pathlib
from typing import Any, List, Optional, Sequence, Tuple, Union

from . import _persisted
from ._progress import ProgressBar
from ._settings import MissingFileError
from .embeddings import BaseEmbeddings, LocalEmbedding
from .errors import InputError, MismatchError, UsageError
from .index import nearest
from .model import Model

_Path = Union[str, "os.PathLike[str]"]


class VectorStore:
    """Documents with their vectors.

    Args:
        document: the texts, such as `ReadFiles.get_content` gives.

    Attributes:
        document: the texts.
        vectors: [documents][dimension] floats, in the order of the texts. To change them,
            assign a new list.
    """

    def __init__(self, document: Sequence[str] = ("",)) -> None:
        self.document: List[str] = list(document)
        self._model: Optional[Model] = None
        self._origin: Optional[_persisted.Origin] = None
        self.vectors = []

    @property
    def vectors(self) -> List[List[float]]:
        return self._vectors

    @vectors.setter
    def vectors(self, vectors: List[List[float]]) -> None:
        self._vectors = vectors
        self._matrix: Any = None

    def get_vector(self, EmbeddingModel: BaseEmbeddings) -> List[List[float]]:
        """Embeds all documents, with a progress bar.

        Args:
            EmbeddingModel: one of `rag.embeddings`, or any object with
                `get_embedding(text) -> list of floats`.

        Returns:
            [documents][dimension] floats, which the store keeps too.
        """
        bar = ProgressBar("Calculating embeddings", total=len(self.document))

        def show(done: int) -> None:
            bar.update_to(done)
            if done == len(self.document):
                bar.close()  # before a warning is written into its line

        try:
            if isinstance(EmbeddingModel, BaseEmbeddings):
                vectors = EmbeddingModel.get_embeddings(self.document, show)
            else:
                vectors = []
                for text in self.document:
                    vectors.append(EmbeddingModel.get_embedding(text))
                    show(len(vectors))
        finally:
            bar.close()
        for i, vector in enumerate(vectors):
            if len(vector) != len(vectors[0]):
                raise InputError(f"the vector of document {i} has {len(vector)} numbers, that of "
                                 f"document 0 has {len(vectors[0])}")
        self.vectors = vectors
        self._origin = _origin(EmbeddingModel)
        self._model = EmbeddingModel.model if isinstance(EmbeddingModel, LocalEmbedding) else None
        return self.vectors

    def persist(self, path: _Path = "storage", file: str = "file") -> None:
        """Writes the store to `{path}/{file}.rag`, in the place of an older one at once: whoever
        reads, or a crash, finds the old store or the new one, whole.

        Raises:
            rag.UsageError: there are no vectors yet.
            rag.StoreError: the file can't be written, or somebody is writing to it.
        """
        if not self.document or len(self.vectors) != len(self.document):
            raise UsageError(f"{len(self.vectors)} vectors for {len(self.document)} documents: "
                             "call get_vector first")
        _persisted.write(pathlib.Path(path) / f"{file}.rag", file, self.document, self.vectors,
                         self._origin, self._model)

    def load_vector(self, path: Optional[_Path] = None, file: str = "file") -> None:
        """Reads a store: `{file}.rag`, else the files of the system that the notebook comes
        from (`{file}_doc.json` and `{file}_vec.json`).

        Args:
            path: the folder. None: "../storage" or "storage", the newer if both have it.
            file: the name that was given to `persist`.

        Raises:
            rag.InputError: there is no such store (then a FileNotFoundError too), or its parts
                don't fit together.
            rag.StoreError: the index is damaged, or no index of rag.
        """
        folders = [pathlib.Path(p) for p in (("../storage", "storage") if path is None else (path,))]
        found = [store for store in (_persisted.find(folder, file) for folder in folders) if store]
        if not found:
            raise MissingFileError(
                f"there is no store {file!r} in {' or '.join(map(str, folders))} (from "
                f"{os.getcwd()}): make one with persist(path, file)")
        newest = max(found, key=lambda store: store.modified)
        self.document, self.vectors, self._origin = _persisted.read(newest)
        self._model = None

    def query(self, query: str, EmbeddingModel: BaseEmbeddings, k: int = 1) -> List[str]:
        """The documents whose vectors have the greatest cosine with the question's, exactly.

        Args:
            query: the question.
            EmbeddingModel: the one that embedded the documents.
            k: how many; 0 gives none, more than there are gives all.

        Returns:
            The texts, best first; chunks of files know their document, lines and heading.

        Raises:
            rag.MismatchError: the documents were embedded by another model.
        """
        if k < 0:
            raise UsageError(f"k is {k}; it must be 0 or more")
        if len(self.vectors) not in (0, len(self.document)):
            raise UsageError(f"{len(self.vectors)} vectors for {len(self.document)} documents: "
                             "call get_vector again")
        if k == 0 or len(self.vectors) == 0:
            return []
        self._check(EmbeddingModel)
        vector = EmbeddingModel.get_embedding(query)
        if len(vector) != len(self.vectors[0]):
            raise MismatchError(
                f"the question's vector has {len(vector)} numbers, the store's have "
                f"{len(self.vectors[0])}: ask with the model that the store was made with, or "
                "call get_vector and persist with this one")
        return [self.document[i] for i, _ in nearest(self._as_matrix(), vector, k)]

    def get_similarity(self, vector1: Sequence[float], vector2: Sequence[float]) -> float:
        """The cosine of two vectors, -1 to 1; 0 if one of them is all zeros."""
        return BaseEmbeddings.cosine_similarity(vector1, vector2)

    def _check(self, embedding: BaseEmbeddings) -> None:
        asked, made = _origin(embedding), self._origin
        if made and asked.identity not in (made.identity, made.name):
            raise MismatchError(
                f"the store was made with {made.name}, the question comes with {asked.name}"
                f"{' in another version' if made.name == asked.name else ''}, and their vectors "
                "can't be compared: ask with the former, or call get_vector and persist with "
                "the latter")

    def _as_matrix(self) -> Any:
        """The vectors in the form in which they are searched, made once."""
        if self._matrix is None or len(self._matrix) != len(self.vectors):
            self._matrix = _persisted.matrix(self.vectors)
        return self._matrix


def _origin(embedding: BaseEmbeddings) -> _persisted.Origin:
    """Who makes these vectors."""
    if isinstance(embedding, LocalEmbedding):
        return _persisted.Origin(embedding.model.info.name, embedding.identity, True)
    identity = getattr(embedding, "identity", f"{type(embedding).__name__}:")
    return _persisted.Origin(identity, identity, False)
