"""LlamaIndex on rag: embeddings, a vector store, a retriever and a reranker.

Needs llama-index-core (the extra `llamaindex`).

>>> from rag.llamaindex import RagRetriever
>>> retriever = RagRetriever(rag.Index("notes.rag"), k=5)
>>> retriever.retrieve("How long is a token?")
"""

from __future__ import annotations

from typing import Any, Callable, Dict, List, Mapping, NamedTuple, Optional, Sequence, Union

try:
    from llama_index.core.base.base_retriever import BaseRetriever
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.bridge.pydantic import PrivateAttr
    from llama_index.core.callbacks import CallbackManager
    from llama_index.core.indices.query.embedding_utils import get_top_k_mmr_embeddings
    from llama_index.core.postprocessor.types import BaseNodePostprocessor
    from llama_index.core.schema import (
        BaseNode,
        MetadataMode,
        NodeWithScore,
        QueryBundle,
        TextNode,
    )
    from llama_index.core.vector_stores.types import (
        BasePydanticVectorStore,
        FilterCondition,
        MetadataFilter,
        MetadataFilters,
        VectorStoreQuery,
        VectorStoreQueryMode,
        VectorStoreQueryResult,
    )
    from llama_index.core.vector_stores.utils import (
        build_metadata_filter_fn,
        metadata_dict_to_node,
        node_to_metadata_dict,
    )
except ModuleNotFoundError as error:
    if (error.name or "").split(".")[0] != "llama_index":
        raise
    raise ImportError(
        "rag.llamaindex needs llama-index-core, which is not installed; "
        "install it with `pip install llama-index-core`",
        name=error.name,
    ) from None

from ._arguments import PathLike
from ._entries import Entries, Entry, Keep, unit
from .errors import UsageError
from .documents import Document, Hit
from .index import Index
from .model import Model

__all__ = ["RagEmbedding", "RagRerank", "RagRetriever", "RagVectorStore"]


class RagEmbedding(BaseEmbedding):
    """The dense vectors of a model of rag's.

    `model`: a name, a folder or an open rag.Model; None: the default model. `options`: those of
    rag.Model. Texts and queries get the prefixes that the model was trained with.
    """

    _model: Model = PrivateAttr()

    def __init__(self, model: Union[PathLike, Model, None] = None, **options: Any) -> None:
        opened = model if isinstance(model, Model) else Model(model, **options)
        super().__init__(model_name=opened.info.name)
        self._model = opened

    @classmethod
    def class_name(cls) -> str:
        return "RagEmbedding"

    @property
    def model(self) -> Model:
        """The open model."""
        return self._model

    def _get_query_embedding(self, query: str) -> List[float]:
        return self._model.embed_lists([query], role="query")[0]

    async def _aget_query_embedding(self, query: str) -> List[float]:
        return (await self._model.aembed_lists([query], role="query"))[0]

    def _get_text_embedding(self, text: str) -> List[float]:
        return self._model.embed_lists([text], role="passage")[0]

    async def _aget_text_embedding(self, text: str) -> List[float]:
        return (await self._model.aembed_lists([text], role="passage"))[0]

    def _get_text_embeddings(self, texts: List[str]) -> List[List[float]]:
        return self._model.embed_lists(texts, role="passage")

    async def _aget_text_embeddings(self, texts: List[str]) -> List[List[float]]:
        return await self._model.aembed_lists(texts, role="passage")


# ---- The vector store

_Metadata = Mapping[str, Any]


def _filter(filters: Optional[MetadataFilters]) -> Callable[[_Metadata], bool]:
    """Whether metadata pass; groups of filters within groups too."""
    if filters is None or not filters.filters:
        return lambda metadata: True
    parts = [
        _filter(part) if isinstance(part, MetadataFilters) else _leaf(part)
        for part in filters.filters
    ]
    if filters.condition == FilterCondition.OR:
        return lambda metadata: any(part(metadata) for part in parts)
    if filters.condition == FilterCondition.NOT:
        return lambda metadata: not any(part(metadata) for part in parts)
    return lambda metadata: all(part(metadata) for part in parts)


def _leaf(part: MetadataFilter) -> Callable[[_Metadata], bool]:
    alone = MetadataFilters(filters=[part])
    return lambda metadata: build_metadata_filter_fn(lambda _: metadata, alone)("")


def _to_entry(node: BaseNode) -> Entry:
    return Entry(
        node.node_id,
        node.get_content(metadata_mode=MetadataMode.NONE),
        node_to_metadata_dict(node, remove_text=True),
        node.get_embedding(),
    )


def _to_node(name: str, metadata: Dict[str, Any], text: str) -> BaseNode:
    if "_node_content" in metadata:
        return metadata_dict_to_node(metadata, text)
    return TextNode(id_=name, text=text, metadata=metadata)


class _Plan(NamedTuple):
    """What a query asks of the index."""

    question: str
    k: int
    mode: str
    vector: Optional[List[float]]
    keep: Optional[Keep]


_MODES = {
    VectorStoreQueryMode.DEFAULT: "dense",
    VectorStoreQueryMode.MMR: "dense",
    VectorStoreQueryMode.HYBRID: "hybrid",
    VectorStoreQueryMode.SEMANTIC_HYBRID: "hybrid",
    VectorStoreQueryMode.TEXT_SEARCH: "lexical",
    VectorStoreQueryMode.SPARSE: "lexical",
}


class RagVectorStore(BasePydanticVectorStore):
    """A vector store in one index file of rag's, which keeps texts and nodes too.

    `embed_model`: what makes the vectors: RagEmbedding, any other embedding, or a name for it. An
    index holds the vectors of one of them and refuses those of another (MismatchError). `path`: of
    the file, as in rag.Index.

    Query modes: default and mmr (vectors), text_search and sparse (words), hybrid and
    semantic_hybrid (both; rag weighs them itself, so `alpha` is refused). Filters, `node_ids` and
    `doc_ids` are applied to what was found: the search fetches more until k have passed, but
    10,000 at most. Each node is one document of the index, under its id.
    """

    stores_text: bool = True
    is_embedding_query: bool = True
    _entries: Entries = PrivateAttr()

    def __init__(
        self, embed_model: Union[BaseEmbedding, str], path: Optional[PathLike] = None
    ) -> None:
        super().__init__(stores_text=True)
        own = embed_model.model if isinstance(embed_model, RagEmbedding) else None
        if isinstance(embed_model, BaseEmbedding):
            name = f"{embed_model.class_name()}:{embed_model.model_name}"
        else:
            name = embed_model
        self._entries = Entries(path, own, name)

    @classmethod
    def class_name(cls) -> str:
        return "RagVectorStore"

    @property
    def client(self) -> Index:
        """The index that holds the nodes."""
        return self._entries.index

    # ---- Nodes in and out

    def add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> List[str]:
        """Puts in nodes with their embeddings, each in the place of an older one of its id.
        Returns the ids."""
        self._entries.put(map(_to_entry, nodes))
        return [node.node_id for node in nodes]

    async def async_add(self, nodes: Sequence[BaseNode], **kwargs: Any) -> List[str]:
        """`add` in a thread; cancelling the task stops it."""
        await self._entries.aput(map(_to_entry, nodes))
        return [node.node_id for node in nodes]

    def _select(
        self, node_ids: Optional[List[str]], filters: Optional[MetadataFilters], texts: bool
    ) -> List[Document]:
        passes = _filter(filters)
        found = self.client.documents(node_ids, texts=texts)
        return [document for document in found if passes(document.metadata)]

    def get_nodes(
        self,
        node_ids: Optional[List[str]] = None,
        filters: Optional[MetadataFilters] = None,
    ) -> List[BaseNode]:
        """The nodes of these ids (None: all) that the filters let through."""
        return [
            _to_node(document.name, document.metadata, document.text or "")
            for document in self._select(node_ids, filters, texts=True)
        ]

    def delete(self, ref_doc_id: str, **delete_kwargs: Any) -> None:
        """Takes out the nodes of a document; looks at the metadata of all nodes."""
        self._entries.remove(
            document.name
            for document in self.client.documents()
            if document.metadata.get("ref_doc_id") == ref_doc_id
        )

    def delete_nodes(
        self,
        node_ids: Optional[List[str]] = None,
        filters: Optional[MetadataFilters] = None,
        **delete_kwargs: Any,
    ) -> None:
        """Takes out the nodes of these ids (None: all) that the filters let through; with
        neither, nothing."""
        if node_ids is None and filters is None:
            return
        found = self._select(node_ids, filters, texts=False)
        self._entries.remove(document.name for document in found)

    def clear(self) -> None:
        """Takes out all nodes."""
        self._entries.remove(document.name for document in self.client.documents())

    # ---- Queries

    def _keep(self, query: VectorStoreQuery) -> Optional[Keep]:
        # A VectorStoreIndex over a store of texts knows no ids and asks for none of them.
        names = set(query.node_ids) if query.node_ids else None
        parents = set(query.doc_ids) if query.doc_ids else None
        if query.filters is None and names is None and parents is None:
            return None
        passes = _filter(query.filters)
        return lambda hit: (
            (names is None or hit.document in names)
            and (parents is None or hit.metadata.get("ref_doc_id") in parents)
            and passes(hit.metadata)
        )

    def _plan(self, query: VectorStoreQuery) -> _Plan:
        mode = _MODES.get(query.mode)
        if mode is None:
            known = ", ".join(repr(str(known.value)) for known in _MODES)
            raise UsageError(f"query mode {query.mode.value!r} is not one of {known}")
        if query.alpha is not None and mode == "hybrid":
            raise UsageError("alpha is not supported: rag weighs vectors and words itself")
        vector = None if mode == "lexical" else query.query_embedding
        if mode != "lexical" and vector is None:
            raise UsageError(f"query mode {query.mode.value!r} needs query_embedding")
        if mode != "dense" and not query.query_str:
            raise UsageError(f"query mode {query.mode.value!r} needs query_str")
        k = query.similarity_top_k
        if mode == "hybrid" and query.hybrid_top_k is not None:
            k = query.hybrid_top_k
        elif query.mode == VectorStoreQueryMode.SPARSE and query.sparse_top_k is not None:
            k = query.sparse_top_k
        elif query.mode == VectorStoreQueryMode.MMR:
            k = max(20, 4 * k)
        # In dense mode the words are not looked at, but there must be some.
        question = "?" if mode == "dense" else query.query_str or ""
        return _Plan(question, k, mode, vector, self._keep(query))

    def _result(self, query: VectorStoreQuery, hits: List[Hit]) -> VectorStoreQueryResult:
        similarities = [hit.score for hit in hits]
        if query.mode == VectorStoreQueryMode.MMR and hits:
            assert query.query_embedding is not None
            similarities, chosen = get_top_k_mmr_embeddings(
                unit(query.query_embedding, "the question's vector"),
                self._entries.vectors(hits),
                similarity_top_k=query.similarity_top_k,
                mmr_threshold=query.mmr_threshold,
            )
            hits = [hits[i] for i in chosen]
        return VectorStoreQueryResult(
            nodes=[_to_node(hit.document, hit.metadata, hit.text) for hit in hits],
            similarities=similarities,
            ids=[hit.document for hit in hits],
        )

    def query(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """The best nodes: similarities are cosines in default mode, else what the nodes are sorted
        by."""
        return self._result(query, self._entries.search(*self._plan(query)))

    async def aquery(self, query: VectorStoreQuery, **kwargs: Any) -> VectorStoreQueryResult:
        """`query` in a thread; cancelling the task stops it."""
        return self._result(query, await self._entries.asearch(*self._plan(query)))

    def close(self) -> None:
        """Closes the index; the model of RagEmbedding stays open."""
        self.client.close()


# ---- The retriever


class RagRetriever(BaseRetriever):
    """The best chunks of an index, by vectors and words together, reranked.

    `index`: open; `k`, `mode`, `candidates`: as in rag.Index.search. `embed_model`: for an index
    whose vectors come from outside.

    The nodes carry the metadata of their document, and over these `document` (its path or name),
    `heading`, and, unseen by language models, `lines` ([first, last], from 1) and `score`. Nodes
    that a RagVectorStore put into the index come back as they were.
    """

    def __init__(
        self,
        index: Index,
        *,
        k: int = 10,
        mode: str = "hybrid",
        candidates: Optional[int] = None,
        embed_model: Optional[BaseEmbedding] = None,
        callback_manager: Optional[CallbackManager] = None,
        verbose: bool = False,
    ) -> None:
        self._index = index
        self._options: Dict[str, Any] = {"k": k, "mode": mode, "candidates": candidates}
        self._embed_model = None if mode == "lexical" else embed_model
        super().__init__(callback_manager=callback_manager, verbose=verbose)

    def _retrieve(self, query_bundle: QueryBundle) -> List[NodeWithScore]:
        question, vector = query_bundle.query_str, None
        if self._embed_model is not None:
            made = self._embed_model.get_query_embedding(question)
            vector = unit(made, "the question's vector")
        hits = self._index.search(question, vector=vector, **self._options)
        return [_from_hit(hit) for hit in hits]

    async def _aretrieve(self, query_bundle: QueryBundle) -> List[NodeWithScore]:
        question, vector = query_bundle.query_str, None
        if self._embed_model is not None:
            made = await self._embed_model.aget_query_embedding(question)
            vector = unit(made, "the question's vector")
        hits = await self._index.asearch(question, vector=vector, **self._options)
        return [_from_hit(hit) for hit in hits]


def _from_hit(hit: Hit) -> NodeWithScore:
    if "_node_content" in hit.metadata:
        stored = _to_node(hit.document, hit.metadata, hit.text)
        return NodeWithScore(node=stored, score=hit.score)
    unseen = ["lines", "score"]
    node = TextNode(
        id_=f"{hit.document}#{hit.chunk.number}",
        text=hit.text,
        metadata={
            **hit.metadata,
            "document": hit.document,
            "heading": hit.heading,
            "lines": [hit.chunk.line, hit.chunk.last_line],
            "score": hit.score,
        },
        excluded_llm_metadata_keys=unseen,
        excluded_embed_metadata_keys=unseen,
    )
    return NodeWithScore(node=node, score=hit.score)


# ---- The reranker


class RagRerank(BaseNodePostprocessor):
    """Sorts nodes by their relevance to the question and keeps the best.

    `model`: open; a cross-encoder, or an embedding model, which compares by late interaction.
    `top_n`: how many stay. Nodes are read with the metadata that are meant for embedding; their
    scores become those of the model.
    """

    top_n: int = 5
    _model: Model = PrivateAttr()

    def __init__(self, model: Model, *, top_n: int = 5, **options: Any) -> None:
        super().__init__(**options)
        self.top_n = top_n
        self._model = model

    @classmethod
    def class_name(cls) -> str:
        return "RagRerank"

    def _question(self, query_bundle: Optional[QueryBundle]) -> str:
        if query_bundle is None:
            raise UsageError("reranking needs the question: give query_str or query_bundle")
        return query_bundle.query_str

    def _texts(self, nodes: List[NodeWithScore]) -> List[str]:
        return [found.node.get_content(metadata_mode=MetadataMode.EMBED) for found in nodes]

    def _best(self, nodes: List[NodeWithScore], scores: List[float]) -> List[NodeWithScore]:
        order = sorted(range(len(nodes)), key=lambda i: -scores[i])
        return [
            NodeWithScore(node=nodes[i].node, score=scores[i])
            for i in order[: max(0, self.top_n)]
        ]

    def _postprocess_nodes(
        self, nodes: List[NodeWithScore], query_bundle: Optional[QueryBundle] = None
    ) -> List[NodeWithScore]:
        question = self._question(query_bundle)
        return self._best(nodes, self._model.rerank(question, self._texts(nodes)))

    async def _apostprocess_nodes(
        self, nodes: List[NodeWithScore], query_bundle: Optional[QueryBundle] = None
    ) -> List[NodeWithScore]:
        question = self._question(query_bundle)
        return self._best(nodes, await self._model.arerank(question, self._texts(nodes)))
