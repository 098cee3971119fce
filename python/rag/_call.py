"""Calling into librag: interruption, cancelling, progress, warnings.

A long call of librag asks `on_event` every few hundred milliseconds whether to go on. That is
where Python gets its turn: pending signals are handled, cancelled calls are stopped, progress is
shown. What is raised meanwhile (KeyboardInterrupt, an exception of a progress function) is kept,
the call is asked to stop, and the exception is raised when it has returned, for an exception
cannot pass through C.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
import threading
import warnings
from dataclasses import dataclass
from types import FrameType
from typing import Any, Callable, Iterator, List, Optional, Sequence, Union

from . import _native
from ._arguments import decode
from ._handle import Handle, Signals
from ._progress import StageProgress
from .errors import Interrupted, RagWarning, error_for


@dataclass(frozen=True)
class Event:
    """How far a long call is.

    `stage` is such as "embedding", `unit` such as "tokens", "bytes" or "files" (None if there is
    none), `total` is 0 where it is not known, `message` is the file in hand or None.
    """

    stage: str
    unit: Optional[str]
    done: int
    total: int
    message: Optional[str]


#: None or False: silent; True: a bar on stderr; a function: called with each Event.
Progress = Union[Callable[[Event], None], bool, None]


class Cancel:
    """A wish to stop, from another thread."""

    def __init__(self) -> None:
        self._wanted = False

    def set(self) -> None:
        self._wanted = True

    @property
    def wanted(self) -> bool:
        return self._wanted


def _caller_level() -> int:
    """The stacklevel of the first frame outside of this package, for warnings."""
    level = 1
    frame: Optional[FrameType] = sys._getframe(1)
    package = __name__.partition(".")[0]
    while frame is not None:
        name = frame.f_globals.get("__name__", "")
        if name != package and not name.startswith(package + "."):
            return level
        frame = frame.f_back
        level += 1
    return 1


_thread = threading.local()


def warn(message: str) -> None:
    """A RagWarning at the line that called into this package; in a thread of a stream or a task,
    for those who read it."""
    tell: Optional[Callable[[str], None]] = getattr(_thread, "tell", None)
    if tell is not None:
        tell(message)
    else:
        warnings.warn(message, RagWarning, stacklevel=_caller_level())


@contextlib.contextmanager
def warnings_to(tell: Callable[[str], None]) -> Iterator[None]:
    """Hands warnings of this thread to `tell`."""
    _thread.tell = tell
    try:
        yield
    finally:
        _thread.tell = None


class Call:
    """One call of librag.

    `on_event` goes into its options, `guard` wraps further callbacks, `run` makes the call and
    raises what went wrong.
    """

    def __init__(
        self,
        progress: Progress = None,
        cancel: Optional[Cancel] = None,
        on_warning: Callable[[str], None] = warn,
    ) -> None:
        self._bar: Optional[StageProgress] = None
        self._progress: Optional[Callable[[Event], None]] = None
        if progress is True:
            self._bar = StageProgress()
        elif callable(progress):
            self._progress = progress
        elif progress not in (None, False):
            raise TypeError("progress must be a function, True, False or None")
        self._cancel = cancel
        self._on_warning = on_warning
        self._signals = Signals()
        self._failure: Optional[BaseException] = None
        self.on_event = _native.event_fn(self.guard(self._event))

    def guard(self, function: Callable[..., Optional[bool]]) -> Callable[..., int]:
        """A callback for C that keeps what `function` raises; True from it stops the call."""

        def guarded(*arguments: Any) -> int:
            try:
                self._signals.run()
                if self._failure is not None or (self._cancel and self._cancel.wanted):
                    return 1
                return 1 if function(*arguments) else 0
            except BaseException as error:
                if self._failure is None:
                    self._failure = error
                return 1

        return guarded

    def _event(self, pointer: Any, user: Any) -> None:
        event = pointer.contents
        if event.kind == _native.EVENT_WARNING:
            self._on_warning(decode(event.message))
        elif event.kind == _native.EVENT_PROGRESS and (self._bar or self._progress):
            seen = Event(
                decode(event.stage),
                decode(event.unit) or None,
                int(event.done),
                int(event.total),
                decode(event.message) or None,
            )
            if self._bar is not None:
                self._bar.show(seen.stage, seen.unit, seen.done, seen.total)
            elif self._progress is not None:
                self._progress(seen)

    def run(self, function: Any, *arguments: Any, hold: Sequence[Handle] = ()) -> None:
        """Calls `function(*arguments, error)`, and raises if it or a callback failed. Handles among
        the arguments, and in `hold`, are in use meanwhile."""
        error = _native.Error()
        try:
            with self._signals:
                status = self._run(function, arguments, hold, error)
        finally:
            if self._bar is not None:
                self._bar.close()
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure
        if status:
            raise error_for(_native.STATUS[status], error.message.decode("utf-8", "replace"))

    def _run(
        self, function: Any, arguments: Sequence[Any], hold: Sequence[Handle], error: Any
    ) -> int:
        entered: List[Handle] = []
        given: List[Any] = []
        try:
            for handle in hold:
                handle.enter(self._heed)
                entered.append(handle)
            for argument in arguments:
                if isinstance(argument, Handle):
                    given.append(argument.enter(self._heed))
                    entered.append(argument)
                else:
                    given.append(argument)
            self._heed()
            return int(function(*given, ctypes.byref(error)))
        finally:
            for handle in reversed(entered):
                handle.leave()

    def _heed(self) -> None:
        """Raises if the call is not wanted any more, before it begins."""
        self._signals.run()
        if self._cancel and self._cancel.wanted:
            raise Interrupted("cancelled before it began")
