"""LangChain on rag: embeddings, a vector store, a retriever and a reranker.

Needs langchain-core (the extra `langchain`).

>>> from rag.langchain import RagRetriever
>>> retriever = RagRetriever(index=rag.Index("notes.rag"), k=5)
>>> retriever.invoke("How long is a token?")
"""

from __future__ import annotations

import uuid
from typing import Any, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple, Union

try:
    from langchain_core.callbacks import (
        AsyncCallbackManagerForRetrieverRun,
        CallbackManagerForRetrieverRun,
        Callbacks,
    )
    from langchain_core.documents import BaseDocumentCompressor, Document
    from langchain_core.embeddings import Embeddings
    from langchain_core.retrievers import BaseRetriever
    from langchain_core.vectorstores import VectorStore
    from langchain_core.vectorstores.utils import maximal_marginal_relevance
except ModuleNotFoundError as error:
    if (error.name or "").split(".")[0] != "langchain_core":
        raise
    raise ImportError(
        "rag.langchain needs langchain-core, which is not installed; "
        "install it with `pip install langchain-core`",
        name=error.name,
    ) from None

from pydantic import ConfigDict

from ._arguments import PathLike
from ._entries import Entries, Entry, Keep, unit
from .documents import Hit
from .index import Index
from .model import Model

__all__ = ["Filter", "RagEmbeddings", "RagReranker", "RagRetriever", "RagVectorStore"]

#: Of metadata: values that must be equal, or a function that is given the Document.
Filter = Union[Mapping[str, Any], Callable[[Document], bool]]


class RagEmbeddings(Embeddings):
    """The dense vectors of a model of rag's.

    `model`: a name, a folder or an open rag.Model; None: the default model. `options`: those of
    rag.Model. Documents and queries get the prefixes that the model was trained with.
    """

    def __init__(self, model: Union[PathLike, Model, None] = None, **options: Any) -> None:
        self.model = model if isinstance(model, Model) else Model(model, **options)

    def embed_documents(self, texts: List[str]) -> List[List[float]]:
        """The vectors of passages: [texts x dimension], each of L2 norm 1."""
        return self.model.embed_lists(texts, role="passage")

    def embed_query(self, text: str) -> List[float]:
        """The vector of a question: [dimension], L2 norm 1."""
        return self.model.embed_lists([text], role="query")[0]

    async def aembed_documents(self, texts: List[str]) -> List[List[float]]:
        """`embed_documents` in a thread; cancelling the task stops it."""
        return await self.model.aembed_lists(texts, role="passage")

    async def aembed_query(self, text: str) -> List[float]:
        """`embed_query` in a thread; cancelling the task stops it."""
        return (await self.model.aembed_lists([text], role="query"))[0]


def _name_of(embedding: Embeddings) -> str:
    """What an index calls the vectors of other embeddings."""
    for attribute in ("model", "model_name"):
        name = getattr(embedding, attribute, None)
        if isinstance(name, str) and name:
            return f"{type(embedding).__name__}:{name}"
    return type(embedding).__name__


def _to_document(hit: Hit) -> Document:
    return Document(id=hit.document, page_content=hit.text, metadata=hit.metadata)


_MISSING = object()


def _keep(chosen: Optional[Filter]) -> Optional[Keep]:
    if chosen is None:
        return None
    if callable(chosen):
        function = chosen
        return lambda hit: bool(function(_to_document(hit)))
    wanted = dict(chosen)
    return lambda hit: all(
        hit.metadata.get(key, _MISSING) == value for key, value in wanted.items()
    )


class RagVectorStore(VectorStore):
    """A vector store in one index file of rag's.

    `embedding`: RagEmbeddings, or any other Embeddings; an index holds the vectors of one of them
    and refuses those of another (MismatchError). `path`: of the file, as in rag.Index.
    `model_name`: what the file calls the vectors of other Embeddings; None: their class and their
    `model`.

    Each Document is one document of the index, not cut any further, under its id. Metadata are
    what JSON can hold. Scores are cosines, higher is better. `filter` in searches is a dict of
    metadata that must be equal, or a function of the Document. It is applied to what was found: the
    search fetches more until k have passed, but 10,000 at most.

    The file is an index as any other: `RagRetriever(index=rag.Index(path))` searches it by vectors
    and words with reranking, and `rag ask` answers from it.
    """

    def __init__(
        self,
        embedding: Embeddings,
        path: Optional[PathLike] = None,
        *,
        model_name: Optional[str] = None,
    ) -> None:
        self._embedding = embedding
        own = embedding.model if isinstance(embedding, RagEmbeddings) else None
        self._own = own is not None
        self._entries = Entries(path, own, model_name or _name_of(embedding))

    @property
    def embeddings(self) -> Embeddings:
        """What makes the vectors."""
        return self._embedding

    @property
    def index(self) -> Index:
        """The index that holds the documents."""
        return self._entries.index

    # ---- Documents in and out

    def _named(
        self,
        texts: List[str],
        metadatas: Optional[List[Dict[str, Any]]],
        ids: Optional[Sequence[Optional[str]]],
    ) -> List[str]:
        for what, given in (("metadatas", metadatas), ("ids", ids)):
            if given and len(given) != len(texts):
                raise ValueError(f"{len(given)} {what} were given for {len(texts)} texts")
        return [id_ or str(uuid.uuid4()) for id_ in ids or [None] * len(texts)]

    def _to_put(
        self,
        texts: List[str],
        metadatas: Optional[List[Dict[str, Any]]],
        names: List[str],
        vectors: Optional[List[List[float]]],
    ) -> List[Entry]:
        return [
            Entry(
                name,
                texts[i],
                metadatas[i] if metadatas else {},
                vectors[i] if vectors is not None else None,
            )
            for i, name in enumerate(names)
        ]

    def add_texts(
        self,
        texts: Iterable[str],
        metadatas: Optional[List[Dict[str, Any]]] = None,
        *,
        ids: Optional[List[str]] = None,
        **kwargs: Any,
    ) -> List[str]:
        """Puts in texts, each in the place of an older one of its id; one without gets a new id.
        Returns the ids."""
        listed = list(texts)
        names = self._named(listed, metadatas, ids)
        vectors = None if self._own else self._embedding.embed_documents(listed)
        self._entries.put(self._to_put(listed, metadatas, names, vectors))
        return names

    async def aadd_texts(
        self,
        texts: Iterable[str],
        metadatas: Optional[List[Dict[str, Any]]] = None,
        *,
        ids: Optional[List[str]] = None,
        **kwargs: Any,
    ) -> List[str]:
        """`add_texts`; cancelling the task stops it."""
        listed = list(texts)
        names = self._named(listed, metadatas, ids)
        vectors = None if self._own else await self._embedding.aembed_documents(listed)
        await self._entries.aput(self._to_put(listed, metadatas, names, vectors))
        return names

    def delete(self, ids: Optional[List[str]] = None, **kwargs: Any) -> bool:
        """Takes out the documents of these ids (None: all); an id that is not there is passed
        over."""
        if ids is None:
            ids = [document.name for document in self.index.documents()]
        self._entries.remove(ids)
        return True

    def get_by_ids(self, ids: Sequence[str], /) -> List[Document]:
        """The documents of these ids; one that is not there is passed over."""
        return [
            Document(
                id=document.name, page_content=document.text or "", metadata=document.metadata
            )
            for document in self._entries.documents(ids)
        ]

    # ---- Search

    def _scored(self, hits: List[Hit]) -> List[Tuple[Document, float]]:
        return [(_to_document(hit), hit.score) for hit in hits]

    def similarity_search_with_score_by_vector(
        self, embedding: List[float], k: int = 4, filter: Optional[Filter] = None
    ) -> List[Tuple[Document, float]]:
        """The `k` nearest documents with their cosines, best first."""
        return self._scored(self._find(embedding, k, filter))

    def _find(self, vector: List[float], k: int, filter: Optional[Filter]) -> List[Hit]:
        return self._entries.search("?", k, "dense", vector, _keep(filter))

    def similarity_search_with_score(
        self, query: str, k: int = 4, filter: Optional[Filter] = None
    ) -> List[Tuple[Document, float]]:
        """The `k` documents nearest to a question with their cosines, best first."""
        vector = self._embedding.embed_query(query)
        return self.similarity_search_with_score_by_vector(vector, k, filter)

    async def asimilarity_search_with_score(
        self, query: str, k: int = 4, filter: Optional[Filter] = None
    ) -> List[Tuple[Document, float]]:
        """`similarity_search_with_score`; cancelling the task stops it."""
        vector = await self._embedding.aembed_query(query)
        hits = await self._entries.asearch("?", k, "dense", vector, _keep(filter))
        return self._scored(hits)

    def similarity_search(self, query: str, k: int = 4, **kwargs: Any) -> List[Document]:
        """The `k` documents nearest to a question; `filter` as the class says."""
        return [found for found, _ in self.similarity_search_with_score(query, k, **kwargs)]

    async def asimilarity_search(self, query: str, k: int = 4, **kwargs: Any) -> List[Document]:
        """`similarity_search`; cancelling the task stops it."""
        scored = await self.asimilarity_search_with_score(query, k, **kwargs)
        return [found for found, _ in scored]

    def similarity_search_by_vector(
        self, embedding: List[float], k: int = 4, **kwargs: Any
    ) -> List[Document]:
        """The `k` documents nearest to a vector; `filter` as the class says."""
        scored = self.similarity_search_with_score_by_vector(embedding, k, **kwargs)
        return [found for found, _ in scored]

    def _select_relevance_score_fn(self) -> Callable[[float], float]:
        """The cosine, within 0..1: what points away is not relevant."""
        return lambda cosine: min(1.0, max(0.0, cosine))

    def max_marginal_relevance_search_by_vector(
        self,
        embedding: List[float],
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        *,
        filter: Optional[Filter] = None,
        **kwargs: Any,
    ) -> List[Document]:
        """Out of the `fetch_k` nearest documents, `k` that are near but unlike each other;
        `lambda_mult` 1: only nearness counts, 0: only unlikeness. Needs numpy."""
        import numpy

        hits = self._find(embedding, fetch_k, filter)
        chosen = maximal_marginal_relevance(
            numpy.asarray(unit(embedding, "the vector")),
            self._entries.vectors(hits),
            lambda_mult,
            k,
        )
        return [_to_document(hits[i]) for i in chosen]

    def max_marginal_relevance_search(
        self,
        query: str,
        k: int = 4,
        fetch_k: int = 20,
        lambda_mult: float = 0.5,
        **kwargs: Any,
    ) -> List[Document]:
        """As `max_marginal_relevance_search_by_vector`, for a question."""
        vector = self._embedding.embed_query(query)
        return self.max_marginal_relevance_search_by_vector(
            vector, k, fetch_k, lambda_mult, **kwargs
        )

    @classmethod
    def from_texts(
        cls,
        texts: List[str],
        embedding: Embeddings,
        metadatas: Optional[List[Dict[str, Any]]] = None,
        *,
        ids: Optional[List[str]] = None,
        path: Optional[PathLike] = None,
        **kwargs: Any,
    ) -> RagVectorStore:
        """A store with these texts in it; a file that is there already is added to. `path` and
        further arguments as in the class."""
        store = cls(embedding, path, **kwargs)
        store.add_texts(texts, metadatas, ids=ids)
        return store

    # ---- The file

    def close(self) -> None:
        """Closes the index; the model of RagEmbeddings stays open."""
        self.index.close()

    def __enter__(self) -> RagVectorStore:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


class RagRetriever(BaseRetriever):
    """The best chunks of an index, by vectors and words together, reranked.

    `index`: open; `k`, `mode`, `candidates`: as in rag.Index.search, and `invoke(..., k=3)` asks
    for another number. `embedding`: for an index whose vectors come from outside.

    The Documents carry the metadata of their document, and over these `document` (its path or
    name), `heading`, `lines` ([first, last], from 1) and `score`.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    index: Index
    k: int = 10
    mode: str = "hybrid"
    candidates: Optional[int] = None
    embedding: Optional[Embeddings] = None

    def _get_relevant_documents(
        self,
        query: str,
        *,
        run_manager: CallbackManagerForRetrieverRun,
        k: Optional[int] = None,
    ) -> List[Document]:
        vector = None
        if self.embedding is not None and self.mode != "lexical":
            vector = unit(self.embedding.embed_query(query), "the question's vector")
        hits = self.index.search(
            query,
            k=self.k if k is None else k,
            mode=self.mode,
            candidates=self.candidates,
            vector=vector,
        )
        return [_from_hit(hit) for hit in hits]

    async def _aget_relevant_documents(
        self,
        query: str,
        *,
        run_manager: AsyncCallbackManagerForRetrieverRun,
        k: Optional[int] = None,
    ) -> List[Document]:
        vector = None
        if self.embedding is not None and self.mode != "lexical":
            vector = unit(await self.embedding.aembed_query(query), "the question's vector")
        hits = await self.index.asearch(
            query,
            k=self.k if k is None else k,
            mode=self.mode,
            candidates=self.candidates,
            vector=vector,
        )
        return [_from_hit(hit) for hit in hits]


def _from_hit(hit: Hit) -> Document:
    return Document(
        id=f"{hit.document}#{hit.chunk.number}",
        page_content=hit.text,
        metadata={
            **hit.metadata,
            "document": hit.document,
            "heading": hit.heading,
            "lines": [hit.chunk.line, hit.chunk.last_line],
            "score": hit.score,
        },
    )


class RagReranker(BaseDocumentCompressor):
    """Sorts documents by their relevance to a question and keeps the best.

    `model`: open; a cross-encoder, or an embedding model, which compares by late interaction.
    `top_n`: how many stay. Each that stays has `relevance_score` in its metadata.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    model: Model
    top_n: int = 5

    def _best(self, documents: Sequence[Document], scores: List[float]) -> List[Document]:
        order = sorted(range(len(documents)), key=lambda i: -scores[i])
        return [
            documents[i].model_copy(
                update={"metadata": {**documents[i].metadata, "relevance_score": scores[i]}}
            )
            for i in order[: max(0, self.top_n)]
        ]

    def compress_documents(
        self,
        documents: Sequence[Document],
        query: str,
        callbacks: Optional[Callbacks] = None,
    ) -> List[Document]:
        """The `top_n` most relevant documents, best first; those given are not changed."""
        texts = [document.page_content for document in documents]
        return self._best(documents, self.model.rerank(query, texts))

    async def acompress_documents(
        self,
        documents: Sequence[Document],
        query: str,
        callbacks: Optional[Callbacks] = None,
    ) -> List[Document]:
        """`compress_documents` in a thread; cancelling the task stops it."""
        texts = [document.page_content for document in documents]
        return self._best(documents, await self.model.arerank(query, texts))
