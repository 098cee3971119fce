"""Measuring retrieval."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Tuple

from . import _native
from ._arguments import SIZE, UNSIGNED, PathLike, at_least, choice, decode, encode_name
from ._call import Call, Progress
from ._handle import Handle
from ._native import lib
from ._task import Closable
from .errors import UsageError


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


@dataclass(frozen=True)
class EvalQuery:
    """A query's figures. `rank`: the place of the first relevant passage from 1, None if it is not
    among the first 50. `measures`: by name, such as "nDCG@10". `found`: ids of passages and the
    scores they are sorted by, best first."""

    id: str
    relevant: int
    rank: Optional[int]
    measures: Dict[str, float]
    seconds: float
    found: List[Tuple[str, float]]


@dataclass(frozen=True)
class EvalDifference:
    """The mean of one way of searching less that of another. `low`, `high`: its confidence
    interval. `p_value`: how often samples differ so much by chance alone. `better`, `worse` and
    `same` count queries."""

    difference: float
    low: float
    high: float
    p_value: float
    better: int
    worse: int
    same: int


def _measure_names() -> List[str]:
    return [decode(lib.rag_measure_name(i)) for i in range(_native.MEASURES)]


def _bootstrap(samples: Optional[int], confidence: float, seed: int) -> Any:
    if not 0 < confidence < 1:
        raise UsageError(f"confidence must be between 0 and 1, not {confidence}")
    return _native.BootstrapOptions.init(
        samples=at_least(samples, 1, "samples"),
        confidence=confidence,
        seed=at_least(seed, 0, "seed", SIZE),
    )


class EvalResult(Closable):
    """What a way of searching gave on a set, from `Evaluation.run`.

    `report`: the means. Its evaluation is kept open until it is closed or gone.
    """

    def __init__(self, handle: Handle) -> None:
        self.handle = handle
        with handle.use() as pointer:
            report = lib.rag_eval_result_report(pointer).contents
            self.report = EvalReport(**_native.numbers(report))

    def queries(self) -> List[EvalQuery]:
        """Every query that has a relevant passage, in the order of their ids' bytes."""
        names = _measure_names()
        with self.handle.use() as pointer:
            items = [
                lib.rag_eval_result_query(pointer, i).contents for i in range(self.report.queries)
            ]
            return [
                EvalQuery(
                    decode(item.id),
                    int(item.relevant),
                    int(item.rank) or None,
                    dict(zip(names, item.measures)),
                    float(item.seconds),
                    [(decode(item.found[i]), item.scores[i]) for i in range(item.found_count)],
                )
                for item in items
            ]

    def intervals(
        self, *, samples: Optional[int] = None, confidence: float = 0.95, seed: int = 0
    ) -> Dict[str, Tuple[float, float]]:
        """Each measure's confidence interval, by bootstrap over the queries."""
        options = _bootstrap(samples, confidence, seed)
        intervals = (_native.Interval * _native.MEASURES)()
        Call().run(lib.rag_eval_intervals, self.handle, ctypes.byref(options), intervals)
        return {name: (one.low, one.high) for name, one in zip(_measure_names(), intervals)}

    def compare(
        self,
        other: EvalResult,
        *,
        samples: Optional[int] = None,
        confidence: float = 0.95,
        seed: int = 0,
    ) -> Dict[str, EvalDifference]:
        """How much better this way does than the other on the same queries, for each measure."""
        options = _bootstrap(samples, confidence, seed)
        differences = (_native.EvalDifference * _native.MEASURES)()
        Call().run(
            lib.rag_eval_compare, other.handle, self.handle, ctypes.byref(options), differences
        )
        return {
            name: EvalDifference(**_native.numbers(one))
            for name, one in zip(_measure_names(), differences)
        }


def _options(
    call: Call,
    model: Optional[PathLike],
    cache: Optional[PathLike],
    models: Optional[PathLike],
    threads: int,
    precision: str,
    **more: Any,
) -> Any:
    return _native.EvalOptions.init(
        model=encode_name(model, "model"),
        models=_native.ModelOptions.init(
            models=encode_name(models, "models"),
            precision=choice(precision, _native.PRECISION, "precision"),
            threads=at_least(threads, 0, "threads", UNSIGNED),
            on_event=call.on_event,
        ),
        cache=encode_name(cache, "cache"),
        **more,
    )


def _search(call: Call, mode: str, candidates: Optional[int]) -> Any:
    return _native.SearchOptions.init(
        candidates=at_least(candidates, 1, "candidates"),
        mode=choice(mode, _native.MODE, "mode"),
        on_event=call.on_event,
    )


class Evaluation(Closable):
    """A set whose passages are embedded once, to be searched in several ways.

    Arguments as in `evaluate`.

    >>> with rag.Evaluation("sets/mine") as evaluation:
    ...     dense = evaluation.run(mode="dense", reranker="none")
    ...     both = evaluation.run(reranker="none")
    ...     print(both.report.ndcg_10, both.compare(dense)["nDCG@10"].p_value)
    """

    def __init__(
        self,
        folder: PathLike,
        *,
        model: Optional[PathLike] = None,
        cache: Optional[PathLike] = None,
        models: Optional[PathLike] = None,
        threads: int = 0,
        precision: str = "default",
        progress: Progress = None,
    ) -> None:
        call = Call(progress)
        options = _options(
            call, model, cache, models, threads, precision, search=_search(call, "hybrid", None)
        )
        opened = ctypes.c_void_p()
        call.run(
            lib.rag_eval_open,
            encode_name(folder, "folder"),
            ctypes.byref(options),
            ctypes.byref(opened),
        )
        self.handle = Handle(opened.value, lib.rag_eval_close, "this Evaluation")

    def run(
        self,
        *,
        reranker: Optional[PathLike] = None,
        mode: str = "hybrid",
        candidates: Optional[int] = None,
        progress: Progress = None,
    ) -> EvalResult:
        """Asks every query that has a relevant passage. Arguments as in `Index` and
        `Index.search`."""
        call = Call(progress)
        options = _search(call, mode, candidates)
        made = ctypes.c_void_p()
        call.run(
            lib.rag_eval_run,
            self.handle,
            ctypes.byref(options),
            encode_name(reranker, "reranker"),
            ctypes.byref(made),
        )
        self.handle.borrow()
        return EvalResult(
            Handle(made.value, lib.rag_eval_result_free, "this EvalResult", borrows=self.handle)
        )


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
    options = _options(
        call,
        model,
        cache,
        models,
        threads,
        precision,
        reranker=encode_name(reranker, "reranker"),
        search=_search(call, mode, candidates),
    )
    report = _native.EvalReport()
    call.run(
        lib.rag_evaluate,
        encode_name(folder, "folder"),
        ctypes.byref(options),
        ctypes.byref(report),
    )
    return EvalReport(**_native.numbers(report))
