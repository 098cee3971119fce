"""MODELS: what LangChain's interfaces find with the default model in this folder of models. Needs
langchain-core and pytest."""

import sys

import adapter_support

import rag
from rag.langchain import RagEmbeddings, RagRetriever, RagVectorStore

DEFAULT = "intfloat/multilingual-e5-small"
MODELS = sys.argv[1]


def test_the_default_model_finds_by_meaning_across_languages(tmp_path):
    embedding = RagEmbeddings(DEFAULT, models=MODELS)
    texts = ["The oven has to be hot for ten minutes before the bread goes in.",
             "Cucumbers need water every evening in July.",
             "The deadline of the project was moved to October."]
    questions = ["面包放进去之前烤箱要预热多久？", "Wann brauchen Gurken Wasser?",
                 "Quand le projet doit-il être terminé ?"]
    with RagVectorStore.from_texts(texts, embedding, path=tmp_path / "s.rag") as store:
        retriever = RagRetriever(index=rag.Index(tmp_path / "s.rag", model=embedding.model), k=1)
        for question, text in zip(questions, texts):
            assert store.similarity_search(question, k=1)[0].page_content == text
            assert retriever.invoke(question)[0].page_content == text


if __name__ == "__main__":
    adapter_support.main(__file__)
