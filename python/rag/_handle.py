"""Objects of librag: who uses them, who frees them, and signals meanwhile."""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Callable, Iterator, List, Optional, Tuple, Type

from .errors import UsageError

#: The signals whose Python handlers may raise: KeyboardInterrupt, timeouts, shutdown.
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM, signal.SIGHUP)

_Handler = Callable[[int, Optional[FrameType]], Any]


class Signals:
    """Puts off Python's signal handlers, in the main thread, until `run`.

    A handler runs wherever the interpreter happens to be, so its exception may come up before the
    first instruction of a callback from C, where nothing can catch it and it is lost.
    """

    def __init__(self) -> None:
        self._handlers: List[Tuple[int, _Handler]] = []
        self._pending: List[Tuple[int, Optional[FrameType]]] = []

    def __enter__(self) -> Signals:
        if threading.current_thread() is threading.main_thread():
            for number in _SIGNALS:
                handler = signal.getsignal(number)
                if callable(handler):
                    self._handlers.append((number, handler))
                    signal.signal(number, self._note)
        return self

    def _note(self, number: int, frame: Optional[FrameType]) -> None:
        self._pending.append((number, frame))

    def run(self) -> None:
        """Runs the handlers of what has come in."""
        handlers = dict(self._handlers)
        while self._pending:
            number, frame = self._pending.pop(0)
            handlers[number](number, frame)

    def __exit__(
        self,
        kind: Optional[Type[BaseException]],
        error: Optional[BaseException],
        traceback: Optional[TracebackType],
    ) -> None:
        for number, handler in self._handlers:
            signal.signal(number, handler)
        self.run()


#: Seconds between two looks at whether to go on waiting for another thread.
_PATIENCE = 0.1


class Handle:
    """An object of librag and those who use it.

    It may be used from several threads at once (`exclusive`: they take turns). `close` waits for
    calls that are running. An object that others borrow (an index the model it was given) is
    freed when the last of them is closed.
    """

    def __init__(
        self,
        pointer: Optional[int],
        free: Callable[[Any], Any],
        name: str,
        *,
        exclusive: bool = False,
        borrows: Optional[Handle] = None,
    ) -> None:
        self._pointer = pointer
        self._free = free
        self._name = name
        self._pid = os.getpid()
        self._closed = False
        self._borrowers = 0
        self._users: List[int] = []
        self._changed = threading.Condition()
        self._turn = threading.Lock() if exclusive else None
        self._borrows = borrows

    def enter(self, run_signals: Callable[[], None]) -> int:
        """The pointer, until `leave`; while signal handlers are put off, for what they raise would
        leave the count of users wrong."""
        self._check()
        me = threading.get_ident()
        if self._turn is not None:
            if me in self._users:
                raise UsageError(f"{self._name} is in use by the call that called this function")
            while not self._turn.acquire(timeout=_PATIENCE):
                run_signals()
        try:
            with self._changed:
                self._check()
                self._users.append(me)
        except BaseException:
            if self._turn is not None:
                self._turn.release()
            raise
        assert self._pointer is not None
        return self._pointer

    def leave(self) -> None:
        with self._changed:
            self._users.remove(threading.get_ident())
            self._changed.notify_all()
        if self._turn is not None:
            self._turn.release()

    @contextlib.contextmanager
    def use(self) -> Iterator[int]:
        """The pointer, for something short."""
        with Signals() as signals:
            pointer = self.enter(signals.run)
            try:
                yield pointer
            finally:
                self.leave()

    def _check(self) -> None:
        if os.getpid() != self._pid:
            raise UsageError(
                f"{self._name} was opened before this process was forked; open it again here, "
                'or start processes with multiprocessing\'s "spawn"'
            )
        if self._closed:
            raise UsageError(f"{self._name} is closed; open it again to use it")

    @property
    def closed(self) -> bool:
        return self._closed

    @property
    def address(self) -> int:
        """The pointer, for an options struct; valid while the handle is held by a call."""
        self._check()
        assert self._pointer is not None
        return self._pointer

    def borrow(self) -> int:
        """The pointer, valid until `give_back` even if it is closed meanwhile."""
        with self._changed:
            self._check()
            self._borrowers += 1
            assert self._pointer is not None
            return self._pointer

    def give_back(self) -> None:
        with self._changed:
            self._borrowers -= 1
            freeing = self._closed and not self._borrowers
        if freeing:
            self._release()

    def close(self) -> None:
        """Waits for running calls and frees; a second time, nothing."""
        if os.getpid() != self._pid:
            self._pointer = None  # it belongs to the parent
            self._closed = True
            return
        with self._changed:
            if threading.get_ident() in self._users:
                raise UsageError(f"{self._name} cannot be closed by a call of its own")
            if self._closed:
                return
            self._closed = True
            while self._users:
                self._changed.wait()
            freeing = not self._borrowers
        if freeing:
            self._release()

    def _release(self) -> None:
        pointer, self._pointer = self._pointer, None
        if pointer is not None:
            self._free(pointer)
            if self._borrows is not None:
                self._borrows.give_back()

    def __del__(self) -> None:
        if getattr(self, "_pointer", None) is not None and os.getpid() == self._pid:
            self._closed = True
            if not self._borrowers:
                self._release()


class Owned:
    """A result of librag that views lie in, freed when nothing refers to it any more.

    A result that is read at once is freed at once instead, by librag's function itself: a signal's
    handler may run as `__del__` begins, and what it raises is lost there.
    """

    def __init__(self, free: Callable[[Any], Any]) -> None:
        self.pointer = ctypes.c_void_p()
        self._free = free
        self._pid = os.getpid()

    def __del__(self) -> None:
        if self.pointer and os.getpid() == self._pid:
            self._free(self.pointer)
