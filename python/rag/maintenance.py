"""Mending indexes that were damaged."""

from __future__ import annotations

import ctypes
from typing import Any, Callable, List, Optional

from . import _native
from ._arguments import UNSIGNED, PathLike, at_least, choice, encode_name
from ._call import Call, Progress
from ._native import lib
from .documents import Problem, RepairReport, read_problem
from .errors import StoreError


def problem_listener(call: Call, found: List[Problem]) -> Any:
    """A callback that appends each problem to a list."""

    def note(item: Any, user: Any) -> None:
        found.append(read_problem(item.contents))

    listener: Callable[..., Any] = call.guard(note)
    return _native.problem_fn(lambda *arguments: listener(*arguments) and None)


def repair(
    path: Optional[PathLike] = None,
    *,
    model: Optional[PathLike] = None,
    models: Optional[PathLike] = None,
    threads: int = 0,
    precision: str = "default",
    dry_run: bool = False,
    progress: Progress = None,
) -> RepairReport:
    """Mends what can be computed from what is whole of a damaged index, which nobody should use
    meanwhile.

    Counts, indexes and words are made anew from the texts, vectors by the model, a damaged text
    from its file if that has not changed; a document of which neither is left is taken out. Where
    the structure of the file itself is damaged, all that can be read goes into a new one, and the
    damaged one is kept beside it as NAME.rag.damaged. `model` is only needed if the index does not
    know any more which it was made with. `dry_run`: say what is wrong, and change nothing. What
    is left is in the report; raises StoreError if nothing can be read at all.

    >>> report = rag.repair("notes.rag")
    >>> report.left
    0
    """
    options = _native.IndexOptions.init(
        model=encode_name(model, "model"),
        max_tokens=_native.AUTO,
        overlap=_native.AUTO,
    )
    options.models = _native.ModelOptions.init(
        models=encode_name(models, "models"),
        precision=choice(precision, _native.PRECISION, "precision"),
        threads=at_least(threads, 0, "threads", UNSIGNED),
    )
    call = Call(progress)
    problems: List[Problem] = []
    actions: List[Problem] = []
    repair_options = _native.RepairOptions.init(
        dry_run=int(dry_run),
        on_problem=problem_listener(call, problems),
        on_action=problem_listener(call, actions),
        on_event=call.on_event,
    )
    report = _native.RepairReport()
    try:
        call.run(
            lib.rag_index_repair,
            encode_name(path, "path"),
            ctypes.byref(options),
            ctypes.byref(repair_options),
            ctypes.byref(report),
        )
    except StoreError:
        if not report.left:
            raise
    return RepairReport(
        problems=problems,
        actions=actions,
        mended=report.mended,
        lost=report.lost,
        left=report.left,
        chunks_embedded=report.chunks_embedded,
        salvaged=bool(report.salvaged),
        seconds=report.seconds,
    )
