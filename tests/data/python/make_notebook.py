#!/usr/bin/env python3
"""Writes tinyrag.ipynb, the notebook that rag's names come from, beside this file: its cells,
none of its outputs. test_notebook.py runs it.

    python3 make_notebook.py
"""
import json
import pathlib

CODE, TEXT = "code", "markdown"
CELLS = [
    (CODE, """\
from rag.vector_base import VectorStore
from rag.utils import ReadFiles
from rag.embeddings import BgeEmbedding
from rag.llm import GeminiChat"""),
    (TEXT, "## 构建向量数据库"),
    (CODE, """\
reader = ReadFiles('../data/1')
docs = reader.get_content(max_token_len=1024, cover_content=256)
len(docs)"""),
    (CODE, """\
embedding = BgeEmbedding(device='mps')
vector_store = VectorStore(docs)
vectors = vector_store.get_vector(embedding)
vector_store.persist(file='d2l')"""),
    (TEXT, "## 加载向量数据库并测试"),
    (CODE, """\
vector_store = VectorStore()
vector_store.load_vector(file='d2l')
embedding = BgeEmbedding(device='mps')
question = '缩放点积注意力的原理？'
content = vector_store.query(question, EmbeddingModel=embedding, k=1)[0]
content"""),
    (CODE, """\
chat = GeminiChat(model='gemini-2.5-flash')
res = chat.chat(question, [], content)
from IPython.display import Markdown, display
display(Markdown(res))"""),
    (TEXT, "## 召回的RAG"),
    (CODE, """\
from rag.reranker import BgeReranker

reranker = BgeReranker()
vector_store = VectorStore()
vector_store.load_vector(file='stochastic_process')

question = '残差连接是什么？'
# 从向量数据库中查询出最相似的3个文档
content = vector_store.query(question, EmbeddingModel=embedding, k=3)
# 从一阶段查询结果中用Reranker再次筛选出最相似的2个文档
rerank_content = reranker.rerank(question, content, k=2)
# 最后选择最相似的文档, 交给LLM作为可参考上下文
best_content = rerank_content[0]

chat = GeminiChat(model='gemini-2.5-flash')
res = chat.chat(question, [], best_content)
from IPython.display import Markdown, display
display(Markdown(res))"""),
    (CODE, "embedding._model"),
    (CODE, "reranker._model"),
]


def cell(number, kind, source):
    more = {"execution_count": None, "outputs": []} if kind == CODE else {}
    return {"cell_type": kind, "id": f"cell-{number:02}", "metadata": {}, **more,
            "source": source.splitlines(keepends=True)}


notebook = {
    "cells": [cell(number, *each) for number, each in enumerate(CELLS, 1)],
    "metadata": {"kernelspec": {"display_name": "Python 3", "language": "python",
                                "name": "python3"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}
pathlib.Path(__file__).with_name("tinyrag.ipynb").write_text(
    json.dumps(notebook, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
