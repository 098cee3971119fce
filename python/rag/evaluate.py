"""Measuring retrieval."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Optional

from . import _native
from ._arguments import UNSIGNED, at_least, choice, encode_name, PathLike
from ._call import Call, Progress
from ._native import lib


@dataclass(frozen=True)
class EvalReport:
    """Means over the queries, each within 0..1: recall among the first 1, 5, 10 and 50, reciprocal
    rank and nDCG among the first 10."""

    passages: int
    queries: int
    recall_1: float
    recall_5: float
    recall_10: float
    recall_50: float
    mrr_10: float
    ndcg_10: float
    seconds_per_query: float


def evaluate(
    folder: PathLike,
    *,
    model: Optional[PathLike] = None,
    reranker: Optional[PathLike] = None,
    mode: str = "hybrid",
    candidates: Optional[int] = None,
    cache: Optional[PathLike] = None,
    models: Optional[PathLike] = None,
    threads: int = 0,
    precision: str = "default",
    progress: Progress = None,
) -> EvalReport:
    """Measures retrieval on a folder with passages.jsonl ({"id", "text"} and perhaps "title"),
    queries.jsonl ({"id", "text"}) and qrels.tsv (query, passage, grade).

    `cache`: an index file to keep the passages in; None: temporary. Everything else as in Index
    and `Index.search`.
    """
    call = Call(progress)
    options = _native.EvalOptions.init(
        model=encode_name(model, "model"),
        reranker=encode_name(reranker, "reranker"),
        models=_native.ModelOptions.init(
            models=encode_name(models, "models"),
            precision=choice(precision, _native.PRECISION, "precision"),
            threads=at_least(threads, 0, "threads", UNSIGNED),
        ),
        search=_native.SearchOptions.init(
            candidates=at_least(candidates, 1, "candidates"),
            mode=choice(mode, _native.MODE, "mode"),
            on_event=call.on_event,
        ),
        cache=encode_name(cache, "cache"),
    )
    report = _native.EvalReport()
    call.run(
        lib.rag_evaluate,
        encode_name(folder, "folder"),
        ctypes.byref(options),
        ctypes.byref(report),
    )
    return EvalReport(**_native.numbers(report))
