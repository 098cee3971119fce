"""The adapters for LangChain: its own conformance tests (langchain-tests), its in-memory store as
the reference, its indexing. Needs langchain-core, langchain-tests, pytest and numpy."""

import asyncio
import os
import subprocess
import sys

from adapter_support import WORDS, main, model, prompted  # noqa: F401  (two are fixtures)
from support import EMBEDDER, FILES, RERANKER, SOURCE

import pytest
import rag
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.indexing import InMemoryRecordManager, index as index_documents
from langchain_core.vectorstores import InMemoryVectorStore
from langchain_tests.integration_tests import (
    EmbeddingsIntegrationTests,
    RetrieversIntegrationTests,
    VectorStoreIntegrationTests,
)
from langchain_tests.unit_tests import EmbeddingsUnitTests
from rag.langchain import RagEmbeddings, RagReranker, RagRetriever, RagVectorStore


@pytest.fixture
def outside():
    return DeterministicFakeEmbedding(size=6)


@pytest.fixture
def files(tmp_path, model):
    """An index of files, open."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    with rag.Index(tmp_path / "files.rag", model=model) as index:
        index.add([tmp_path / name for name in FILES])
        yield index


def documents(count=200):
    """No two of the same text."""
    return [Document(page_content=" ".join(WORDS[i // 8 ** n % 8] for n in range(4)), id=f"n{i}",
                     metadata={"number": i, "word": WORDS[i % 8], "tags": ["a", {"b": None}]})
            for i in range(count)]


# ---- LangChain's own tests ----


class TestStandardEmbeddings(EmbeddingsIntegrationTests):
    @property
    def embeddings_class(self):
        return RagEmbeddings

    @property
    def embedding_model_params(self):
        return {"model": str(EMBEDDER)}


class TestStandardEmbeddingsUnit(EmbeddingsUnitTests):
    @property
    def embeddings_class(self):
        return RagEmbeddings

    @property
    def embedding_model_params(self):
        return {"model": str(EMBEDDER)}


class TestStandardStoreOfOtherVectors(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self, tmp_path):
        with RagVectorStore(self.get_embeddings(), tmp_path / "store.rag") as store:
            yield store


class TestStandardStoreOfOwnVectors(VectorStoreIntegrationTests):
    @staticmethod
    def get_embeddings():
        return RagEmbeddings(EMBEDDER)

    @pytest.fixture
    def vectorstore(self, tmp_path):
        with RagVectorStore(self.get_embeddings(), tmp_path / "store.rag") as store:
            yield store


class TestStandardRetriever(RetrieversIntegrationTests):
    @pytest.fixture(autouse=True)
    def _index(self, files):
        self.files = files

    @property
    def retriever_constructor(self):
        return RagRetriever

    @property
    def retriever_constructor_params(self):
        return {"index": self.files}

    @property
    def retriever_query_example(self):
        return "When are tomatoes planted?"


# ---- Embeddings ----


def test_documents_and_queries_get_the_prefixes_of_the_model(prompted):
    embeddings = RagEmbeddings(prompted)
    passage, query = prompted.embed_lists(["garden oven frost", "water oven frost"])
    assert embeddings.embed_documents(["oven frost"]) == [passage]
    assert embeddings.embed_query("oven frost") == query
    assert asyncio.run(embeddings.aembed_documents(["oven frost"])) == [passage]
    assert asyncio.run(embeddings.aembed_query("oven frost")) == query
    assert passage != query
    assert embeddings.embed_documents([]) == []


# ---- The vector store, against LangChain's own ----


def both(path, embedding, docs):
    ours, theirs = RagVectorStore(embedding, path), InMemoryVectorStore(embedding)
    assert ours.add_documents(docs) == theirs.add_documents(docs)
    return ours, theirs


def assert_same(ours, theirs):
    assert [found.id for found, _ in ours] == [found.id for found, _ in theirs]
    assert [score for _, score in ours] == pytest.approx([score for _, score in theirs], abs=1e-5)
    assert [found for found, _ in ours] == [found for found, _ in theirs]


@pytest.mark.parametrize("own", [True, False])
def test_it_finds_what_the_in_memory_store_finds_with_the_same_scores(
        own, tmp_path, model, outside):
    embedding = RagEmbeddings(model) if own else outside
    ours, theirs = both(tmp_path / "s.rag", embedding, documents())
    with ours:
        for question in ("garden of frost", "frost", "厨房"):
            assert_same(ours.similarity_search_with_score(question, k=9),
                        theirs.similarity_search_with_score(question, k=9))
            vector = embedding.embed_query(question)
            assert (ours.similarity_search_by_vector(vector, k=5)
                    == theirs.similarity_search_by_vector(vector, k=5))
            for weight in (0.0, 0.5, 1.0):
                assert (ours.max_marginal_relevance_search(question, 4, 12, weight)
                        == theirs.max_marginal_relevance_search(question, 4, 12, weight))
        assert len(ours.similarity_search("frost", k=1000)) == 200
        assert ours.similarity_search("frost", k=0) == []


def test_filters_give_k_documents_however_far_behind_they_are(tmp_path, outside):
    ours, theirs = both(tmp_path / "s.rag", outside, documents(300))
    with ours:
        ranked = theirs.similarity_search("frost", k=300)
        last = [found.metadata["number"] for found in ranked[-3:]]

        def late(document):
            return document.metadata["number"] in last

        assert_same(ours.similarity_search_with_score("frost", k=3, filter=late),
                    theirs.similarity_search_with_score("frost", k=3, filter=late))
        found = ours.similarity_search("frost", k=5, filter={"word": "oven", "number": 8})
        assert [document.id for document in found] == ["n8"]
        assert ours.similarity_search("frost", filter={"absent": None}) == []
        chosen = ours.max_marginal_relevance_search("frost", k=2, filter={"word": "oven"})
        assert [document.metadata["word"] for document in chosen] == ["oven"] * 2


def test_what_is_in_the_file_is_there_for_the_next_who_opens_it(tmp_path, outside, model):
    path = tmp_path / "s.rag"
    RagVectorStore.from_documents(documents(3), outside, path=path).close()
    with RagVectorStore(outside, path) as store:
        assert store.get_by_ids(["n1"]) == [documents(3)[1]]
        assert len(store.similarity_search("frost", k=9)) == 3
        assert store.index.verify() == []
    with pytest.raises(rag.MismatchError, match="DeterministicFakeEmbedding"):
        with RagVectorStore(RagEmbeddings(model), path) as store:
            store.similarity_search("frost")
    with pytest.raises(rag.MismatchError):
        with RagVectorStore(outside, path, model_name="another") as store:
            store.similarity_search("frost")


def test_async_calls_give_the_same(tmp_path, outside):
    async def run(store):
        ids = await store.aadd_documents(documents(20))
        found = await store.asimilarity_search_with_score("frost", k=3, filter={"word": "oven"})
        diverse = await store.amax_marginal_relevance_search("frost", k=3)
        await store.adelete(ids[:10])
        return ids, found, diverse, await store.asimilarity_search("frost", k=20)

    with RagVectorStore(outside, tmp_path / "a.rag") as store:
        ids, found, diverse, rest = asyncio.run(run(store))
    ours, _ = both(tmp_path / "b.rag", outside, documents(20))
    with ours:
        assert found == ours.similarity_search_with_score("frost", k=3, filter={"word": "oven"})
        assert diverse == ours.max_marginal_relevance_search("frost", k=3)
        ours.delete(ids[:10])
        assert rest == ours.similarity_search("frost", k=20)
        assert len(rest) == 10


def test_deleting_takes_the_documents_of_the_ids_and_no_others(tmp_path, outside):
    here = os.getcwd()
    ids = ["docs", f"{here}/docs/a", f"{here}/docs", "/", "a/b", "a"]
    with RagVectorStore(outside, tmp_path / "s.rag") as store:
        store.add_texts(ids, ids=ids)
        assert store.delete(["docs", "/", "a", "absent", ".", "/nowhere"])
        left = [f"{here}/docs", f"{here}/docs/a", "a/b"]
        assert sorted(found.id for found in store.get_by_ids(ids)) == left
        store.delete([f"{here}/docs"])
        assert sorted(found.id for found in store.get_by_ids(ids)) == left[1:]
        store.delete([])
        assert len(store.index) == 2
        store.delete()
        assert len(store.index) == 0
        assert store.similarity_search("docs") == []


def test_ids_are_made_where_there_are_none_and_counts_must_agree(tmp_path, outside):
    with RagVectorStore(outside, tmp_path / "s.rag") as store:
        made = store.add_documents([Document(page_content="one", id="x"),
                                    Document(page_content="two"), Document(page_content="")])
        assert made[0] == "x" and len(set(made)) == 3
        assert {found.page_content for found in store.get_by_ids(made)} == {"one", "two", ""}
        assert store.add_texts(iter(["three"])) != made[:1]
        assert store.add_texts([]) == []
        for arguments in ({"ids": ["1"]}, {"metadatas": [{}]}):
            with pytest.raises(ValueError, match="2 texts"):
                store.add_texts(["a", "b"], **arguments)


def test_what_a_file_cannot_hold_is_refused_by_name(tmp_path, outside):
    with RagVectorStore(outside, tmp_path / "s.rag") as store:
        for metadata in ({"when": object()}, {"x": float("nan")}):
            with pytest.raises(rag.InputError, match="'bad'.*JSON"):
                store.add_texts(["t"], [metadata], ids=["bad"])
        for vector in ([0.0] * 6, [float("nan")] * 6, [float("inf")] + [0.0] * 5):
            with pytest.raises(rag.InputError, match="no direction"):
                store.similarity_search_by_vector(vector)
        assert len(store.index) == 0
    with RagVectorStore(RagEmbeddings(EMBEDDER), tmp_path / "own.rag") as store:
        with pytest.raises(rag.InputError, match="'bad'.*surrogate"):
            store.add_texts(["good", "\ud800"], ids=["good", "bad"])
        assert len(store.index) == 0


def test_relevance_lies_within_0_and_1(tmp_path, outside):
    with RagVectorStore.from_texts([str(i) for i in range(50)], outside,
                                   path=tmp_path / "s.rag") as store:
        scored = store.similarity_search_with_score("17", k=50)
        assert min(score for _, score in scored) < 0  # so that there is something to mend
        relevant = store.similarity_search_with_relevance_scores("17", k=50)
        assert [found for found, _ in relevant] == [found for found, _ in scored]
        assert [value for _, value in relevant] == [min(1, max(0, score)) for _, score in scored]
        retriever = store.as_retriever(search_type="similarity_score_threshold",
                                       search_kwargs={"score_threshold": 0.99})
        assert [found.page_content for found in retriever.invoke("17")] == ["17"]


def test_langchains_indexing_keeps_the_store_up_to_date(tmp_path, model):
    records = InMemoryRecordManager("test")
    records.create_schema()

    def bring(docs):
        done = index_documents(docs, records, store, cleanup="full", source_id_key="source",
                               key_encoder="sha256")
        return done["num_added"], done["num_skipped"], done["num_deleted"]

    def doc(text):
        return Document(page_content=text, metadata={"source": text})

    with RagVectorStore(RagEmbeddings(model), tmp_path / "s.rag") as store:
        assert bring([doc("one"), doc("two")]) == (2, 0, 0)
        assert bring([doc("two"), doc("three")]) == (1, 1, 1)
        found = store.similarity_search("x", k=9)
        assert sorted(document.page_content for document in found) == ["three", "two"]


# ---- The retriever ----


def test_the_retriever_gives_the_hits_of_the_index_with_their_places(files):
    hits = files.search("Cucumbers in July", k=2)
    found = RagRetriever(index=files, k=2).invoke("Cucumbers in July")
    assert [document.page_content for document in found] == [hit.text for hit in hits]
    assert found == asyncio.run(RagRetriever(index=files, k=2).ainvoke("Cucumbers in July"))
    (only,) = RagRetriever(index=files, mode="lexical").invoke("烤箱")
    assert only.metadata["document"].endswith("厨房.md")
    assert only.metadata["heading"] == "厨房"
    first, last = only.metadata["lines"]
    assert "烤箱需要预热十分钟，然后放入面包。" in FILES["厨房.md"].split("\n")[first - 1:last]
    assert only.metadata["score"] > 0


def test_the_retriever_searches_a_store_of_other_vectors_by_words_too(tmp_path, outside):
    with RagVectorStore(outside, tmp_path / "s.rag") as store:
        retriever = RagRetriever(index=store.index, k=1, embedding=outside, mode="lexical")
        assert retriever.invoke("oven") == []
        store.add_texts([f"{word} text" for word in WORDS], [{"word": word} for word in WORDS])
        for word in WORDS:
            (found,) = retriever.invoke(word)
            assert found.metadata["word"] == word
            assert asyncio.run(retriever.ainvoke(word)) == [found]


# ---- The reranker ----


def test_the_reranker_sorts_by_the_scores_of_its_model():
    with rag.Model(RERANKER) as model:
        given = [Document(page_content=word, metadata={"n": i}) for i, word in enumerate(WORDS)]
        scores = model.rerank("a garden", WORDS)
        best = sorted(range(8), key=lambda i: -scores[i])[:3]
        kept = RagReranker(model=model, top_n=3).compress_documents(given, "a garden")
        assert [document.metadata for document in kept] == [
            {"n": i, "relevance_score": scores[i]} for i in best]
        assert kept == asyncio.run(
            RagReranker(model=model, top_n=3).acompress_documents(given, "a garden"))
        assert [document.metadata for document in given] == [{"n": i} for i in range(8)]
        assert RagReranker(model=model).compress_documents([], "a garden") == []


# ---- Without the package; with a real model ----


def test_without_langchain_the_import_says_what_to_install():
    result = subprocess.run([sys.executable, "-S", "-c", "import rag.langchain"],
                            capture_output=True, text=True,
                            env={**os.environ, "PYTHONPATH": str(SOURCE / "python")})
    last = result.stderr.strip().split("\n")[-1]
    assert last == ("ImportError: rag.langchain needs langchain-core, which is not installed; "
                    "install it with `pip install langchain-core`")


if __name__ == "__main__":
    main(__file__)
