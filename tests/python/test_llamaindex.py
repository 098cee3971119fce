"""The adapters for LlamaIndex, in its own indexes, query engines and pipelines, and held against
its in-memory store. Needs llama-index-core, pytest and numpy."""

import asyncio
import os
import subprocess
import sys

from adapter_support import WORDS, main, model, prompted  # noqa: F401  (two are fixtures)
from support import FILES, RERANKER, SOURCE

import pytest
import rag
from llama_index.core import Document, MockEmbedding, StorageContext, VectorStoreIndex
from llama_index.core.ingestion import IngestionPipeline
from llama_index.core.llms import MockLLM
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.schema import (
    ImageNode,
    IndexNode,
    NodeRelationship,
    NodeWithScore,
    QueryBundle,
    RelatedNodeInfo,
    TextNode,
)
from llama_index.core.vector_stores import SimpleVectorStore
from llama_index.core.vector_stores.types import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode as Mode,
)
from rag.llamaindex import RagEmbedding, RagRerank, RagRetriever, RagVectorStore


@pytest.fixture
def embed(model):
    return RagEmbedding(model)


@pytest.fixture
def store(tmp_path, embed):
    store = RagVectorStore(embed, tmp_path / "store.rag")
    yield store
    store.close()


def nodes(embed, count=80):
    """No two of the same text; ten documents of `count` / 10 nodes each."""
    made = [TextNode(id_=f"n{i}", text=" ".join(WORDS[i // 8 ** n % 8] for n in range(3)),
                     metadata={"number": i, "word": WORDS[i % 8], "tags": ["a", f"t{i % 3}"]},
                     relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id=f"d{i % 10}")})
            for i in range(count)]
    vectors = embed.get_text_embedding_batch([node.get_content() for node in made])
    for node, vector in zip(made, vectors):
        node.embedding = vector
    return made


def ask(embed, text, **options):
    return VectorStoreQuery(query_str=text, query_embedding=embed.get_query_embedding(text),
                            **options)


def leaf(key, value, operator=FilterOperator.EQ):
    return MetadataFilter(key=key, value=value, operator=operator)


# ---- Embeddings ----


def test_texts_and_queries_get_the_prefixes_of_the_model(prompted):
    embed = RagEmbedding(prompted)
    passage, query = prompted.embed_lists(["garden oven frost", "water oven frost"])
    assert embed.get_text_embedding("oven frost") == passage
    assert embed.get_text_embedding_batch(["oven frost", "c"])[0] == passage
    assert embed.get_query_embedding("oven frost") == query
    assert passage != query

    async def run():
        return (await embed.aget_text_embedding("oven frost"),
                await embed.aget_query_embedding("oven frost"),
                (await embed.aget_text_embedding_batch(["oven frost", "c"]))[0])

    assert asyncio.run(run()) == (passage, query, passage)
    assert embed.model_name == prompted.info.name


# ---- The vector store ----


def test_nodes_of_every_kind_come_back_as_they_were(store, embed):
    given = [
        TextNode(id_="text", text="  a text\n", metadata={"año": [1, {"b": None}]},
                 excluded_llm_metadata_keys=["año"], start_char_idx=3, end_char_idx=9,
                 relationships={NodeRelationship.SOURCE: RelatedNodeInfo(node_id="d"),
                                NodeRelationship.NEXT: RelatedNodeInfo(node_id="image")}),
        IndexNode(id_="index", text="an index", index_id="other"),
        ImageNode(id_="image", text="", image_url="http://nowhere/a.png"),
        Document(id_="document", text="a document"),
    ]
    for node in given:
        node.embedding = embed.get_text_embedding(node.get_content())
    assert store.add(given) == ["text", "index", "image", "document"]
    back = {node.node_id: node for node in store.get_nodes()}
    for node in given:
        node.embedding = None
        kept = back[node.node_id]
        assert kept.get_content() == node.get_content()
        if not isinstance(node, Document):  # which stores come back as text nodes
            assert type(kept) is type(node)
            assert kept == node
    found = store.query(ask(embed, "a text", similarity_top_k=1)).nodes[0]
    assert found.relationships == given[0].relationships
    assert store.get_nodes(["index", "absent"]) == [given[1]]


def test_it_finds_what_the_simple_store_finds_with_the_same_scores(store, embed):
    theirs, given = SimpleVectorStore(), nodes(embed)
    store.add(given)
    theirs.add(given)
    filters = {
        "none": None,
        "word": MetadataFilters(filters=[leaf("word", "oven")]),
        "late": MetadataFilters(filters=[leaf("number", 70, FilterOperator.GTE),
                                         leaf("tags", "t1", FilterOperator.CONTAINS)]),
        "or": MetadataFilters(filters=[leaf("number", 3), leaf("word", "frost")],
                              condition=FilterCondition.OR),
        "not": MetadataFilters(filters=[leaf("word", "oven")], condition=FilterCondition.NOT),
    }
    for name, chosen in filters.items():
        for options in ({}, {"node_ids": ["n3", "n7", "n71"]}):
            query = ask(embed, "garden", similarity_top_k=6, filters=chosen, **options)
            ours, wanted = store.query(query), theirs.query(query)
            assert ours.ids == wanted.ids, name
            assert ours.similarities == pytest.approx(wanted.similarities, abs=1e-5), name
            assert [node.node_id for node in ours.nodes] == ours.ids
            assert asyncio.run(store.aquery(query)).ids == ours.ids
    mmr = ask(embed, "garden", similarity_top_k=20, mode=Mode.MMR)
    assert store.query(mmr).ids == theirs.query(mmr).ids
    assert store.query(ask(embed, "garden", similarity_top_k=0)).ids == []


def test_groups_of_filters_nest_and_documents_can_be_chosen(store, embed):
    store.add(nodes(embed))
    inner = MetadataFilters(filters=[leaf("number", 5), leaf("number", 13), leaf("number", 6)],
                            condition=FilterCondition.OR)
    chosen = MetadataFilters(filters=[leaf("word", "deadline"), inner])
    assert sorted(store.query(ask(embed, "x", similarity_top_k=9, filters=chosen)).ids) == [
        "n13", "n5"]
    found = store.query(ask(embed, "x", similarity_top_k=99, doc_ids=["d4"]))
    assert sorted(found.ids) == [f"n{i}" for i in (14, 24, 34, 4, 44, 54, 64, 74)]


def test_words_and_both_together_are_query_modes(store, embed):
    given = nodes(embed)
    given.append(TextNode(id_="name", text="Cucumbers", embedding=given[0].embedding))
    store.add(given)
    for mode in (Mode.TEXT_SEARCH, Mode.SPARSE):
        query = VectorStoreQuery(query_str="cucumbers", similarity_top_k=3, mode=mode)
        assert store.query(query).ids == ["name"]
    for mode in (Mode.HYBRID, Mode.SEMANTIC_HYBRID):
        assert "name" in store.query(ask(embed, "cucumbers", similarity_top_k=3, mode=mode)).ids
        top = ask(embed, "cucumbers", similarity_top_k=3, hybrid_top_k=7, mode=mode)
        assert len(store.query(top).ids) == 7


def test_what_a_query_asks_and_rag_cannot_do_is_refused(store, embed):
    store.add(nodes(embed, 3))
    vector = embed.get_query_embedding("a")
    for query, why in (
            (VectorStoreQuery(query_embedding=vector, mode=Mode.SVM), "'svm' is not one of"),
            (ask(embed, "a", mode=Mode.HYBRID, alpha=0.5), "alpha"),
            (VectorStoreQuery(query_str="a"), "needs query_embedding"),
            (VectorStoreQuery(query_embedding=vector, mode=Mode.HYBRID), "needs query_str")):
        with pytest.raises(rag.UsageError, match=why):
            store.query(query)


def test_nodes_are_deleted_by_document_by_id_and_by_filter(store, embed):
    store.add(nodes(embed))
    store.delete("d3")
    assert len(store.client) == 72
    store.delete_nodes(["n1", "absent"])
    store.delete_nodes(filters=MetadataFilters(filters=[leaf("word", "oven")]))
    left = {node.metadata["number"] for node in store.get_nodes()}
    assert left == {i for i in range(80) if i % 10 != 3 and i != 1 and i % 8 != 0}
    store.delete_nodes(["n2", "n10"], MetadataFilters(filters=[leaf("number", 10)]))
    assert left - {node.metadata["number"] for node in store.get_nodes()} == {10}
    store.delete_nodes()
    assert len(store.client) == len(left) - 1
    store.clear()
    assert store.get_nodes() == []
    assert store.query(ask(embed, "a")).ids == []


def test_vectors_of_other_models_are_kept_apart(tmp_path, embed):
    other, path = MockEmbedding(embed_dim=5), tmp_path / "other.rag"
    store = RagVectorStore(other, path)
    assert store.query(ask(other, "a")).ids == []
    asyncio.run(store.async_add([TextNode(id_="n", text="a", embedding=[3.0, 4, 0, 0, 0])]))
    assert store.query(ask(other, "a")).ids == ["n"]
    store.close()
    again = RagVectorStore("MockEmbedding:unknown", path)
    assert again.get_nodes()[0].text == "a"
    assert again.client.info.dimension == 5
    with pytest.raises(rag.InputError, match="5\\]"):
        again.add([TextNode(text="b", embedding=[1.0, 0.0])])
    again.close()
    with pytest.raises(rag.MismatchError):
        RagVectorStore(embed, path).query(ask(embed, "a"))


# ---- In LlamaIndex ----


def test_a_vector_store_index_is_built_on_it_asked_and_found_again(tmp_path, store, embed):
    given = [Document(id_=name, text=text) for name, text in FILES.items()]
    context = StorageContext.from_defaults(vector_store=store)
    index = VectorStoreIndex.from_documents(given, storage_context=context, embed_model=embed)
    for mode in ("default", "hybrid", "text_search", "mmr"):
        found = index.as_retriever(similarity_top_k=1, vector_store_query_mode=mode).retrieve("烤箱")
        if mode in ("hybrid", "text_search"):
            assert found[0].node.ref_doc_id == "厨房.md"
        assert len(found) == 1, mode
    index.insert(Document(id_="new", text="Bees sleep in winter."))
    index.delete_ref_doc("plan.txt")
    store.close()
    again = RagVectorStore(embed, tmp_path / "store.rag")
    opened = VectorStoreIndex.from_vector_store(again, embed_model=embed)
    found = opened.as_retriever(similarity_top_k=9).retrieve("bees")
    assert {hit.node.ref_doc_id for hit in found} == {"garden.md", "厨房.md", "new"}
    answer = opened.as_query_engine(llm=MockLLM(), similarity_top_k=9).query("bees?")
    assert "Bees sleep in winter." in str(answer)
    again.close()


def test_an_ingestion_pipeline_writes_into_it(store, embed):
    pipeline = IngestionPipeline(vector_store=store,
                                 transformations=[SentenceSplitter(chunk_size=16, chunk_overlap=0),
                                                  embed])
    made = pipeline.run(documents=[Document(id_="d", text=FILES["garden.md"])])
    assert len(made) > 1
    assert {node.node_id: node.text for node in store.get_nodes()} == {
        node.node_id: node.text for node in made}


# ---- The retriever and the reranker ----


@pytest.fixture
def files(tmp_path, model):
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    with rag.Index(tmp_path / "files.rag", model=model) as index:
        index.add([tmp_path / name for name in FILES])
        yield index


def test_the_retriever_gives_the_hits_of_the_index_with_their_places(files):
    hits = files.search("Cucumbers in July", k=2)
    retriever = RagRetriever(files, k=2)
    found = retriever.retrieve("Cucumbers in July")
    assert [hit.node.text for hit in found] == [hit.text for hit in hits]
    assert [hit.score for hit in found] == [hit.score for hit in hits]
    assert asyncio.run(retriever.aretrieve("Cucumbers in July")) == found
    (only,) = RagRetriever(files, mode="lexical").retrieve("烤箱")
    assert only.node.metadata["document"].endswith("厨房.md")
    assert only.node.metadata["heading"] == "厨房"
    first, last = only.node.metadata["lines"]
    assert "烤箱需要预热十分钟，然后放入面包。" in FILES["厨房.md"].split("\n")[first - 1:last]
    assert only.node.metadata["score"] == only.score > 0


def test_the_retriever_gives_back_the_nodes_of_a_store(tmp_path):
    other = MockEmbedding(embed_dim=5)
    store = RagVectorStore(other, tmp_path / "other.rag")
    given = [TextNode(id_=word, text=f"the {word}", metadata={"word": word}) for word in WORDS]
    VectorStoreIndex(given, storage_context=StorageContext.from_defaults(vector_store=store),
                     embed_model=other)
    retriever = RagRetriever(store.client, k=1, embed_model=other)
    for node in given:
        (found,) = retriever.retrieve(node.metadata["word"])
        assert (found.node.node_id, found.node.metadata) == (node.node_id, node.metadata)
        assert asyncio.run(retriever.aretrieve(node.metadata["word"])) == [found]
    store.close()


def test_the_reranker_sorts_by_the_scores_of_its_model():
    with rag.Model(RERANKER) as model:
        given = [NodeWithScore(node=TextNode(text=word), score=1 - i / 10)
                 for i, word in enumerate(WORDS)]
        scores = model.rerank("a garden", WORDS)
        best = sorted(range(8), key=lambda i: -scores[i])[:3]
        rerank = RagRerank(model, top_n=3)
        kept = rerank.postprocess_nodes(given, query_str="a garden")
        assert [(hit.node.text, hit.score) for hit in kept] == [
            (WORDS[i], scores[i]) for i in best]
        assert asyncio.run(
            rerank.apostprocess_nodes(given, query_bundle=QueryBundle("a garden"))) == kept
        assert [hit.score for hit in given] == [1 - i / 10 for i in range(8)]
        assert rerank.postprocess_nodes([], query_str="a garden") == []
        with pytest.raises(rag.UsageError, match="question"):
            rerank.postprocess_nodes(given)


def test_a_query_engine_of_both_answers_from_the_index(files, model):
    engine = RetrieverQueryEngine.from_args(
        RagRetriever(files, k=3), llm=MockLLM(),
        node_postprocessors=[RagRerank(model, top_n=1)])
    answer = engine.query("烤箱需要预热")
    (source,) = answer.source_nodes
    assert source.node.text in str(answer)
    assert "document: " in str(answer) and "score: " not in str(answer)


def test_without_llamaindex_the_import_says_what_to_install():
    result = subprocess.run([sys.executable, "-S", "-c", "import rag.llamaindex"],
                            capture_output=True, text=True,
                            env={**os.environ, "PYTHONPATH": str(SOURCE / "python")})
    last = result.stderr.strip().split("\n")[-1]
    assert last == ("ImportError: rag.llamaindex needs llama-index-core, which is not installed; "
                    "install it with `pip install llama-index-core`")


if __name__ == "__main__":
    main(__file__)
