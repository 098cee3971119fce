"""Calling into librag: handles, interruption, cancelling, progress, warnings, streams, tasks.

A long call of librag asks `on_event` every few hundred milliseconds whether to go on. That is
where Python gets its turn: pending signals are handled, cancelled calls are stopped, progress is
shown. What is raised meanwhile (KeyboardInterrupt, an exception of a progress function) is kept,
the call is asked to stop, and the exception is raised when it has returned, for an exception
cannot pass through C.
"""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import ctypes
import os
import queue
import signal
import sys
import threading
import warnings
from array import array
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from types import FrameType, TracebackType
from typing import (
    Any,
    AsyncIterator,
    Callable,
    Generic,
    Iterable,
    Iterator,
    List,
    Optional,
    Sequence,
    Tuple,
    Type,
    TypeVar,
    Union,
)

from . import _native
from ._native import lib
from ._progress import StageProgress
from .errors import InputError, Interrupted, RagWarning, UsageError, error_for

T = TypeVar("T")

PathLike = Union[str, "os.PathLike[str]"]


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


# ---- Text ------------------------------------------------------------------


def encode(text: str, what: str) -> bytes:
    """A text for librag; lone surrogates are an InputError that says where."""
    if not isinstance(text, str):
        raise TypeError(f"{what} must be str, not {type(text).__name__}")
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError as error:
        raise InputError(
            f"{what} has a lone surrogate (U+{ord(text[error.start]):04X}) at character "
            f"{error.start}, which no UTF-8 text can hold; replace it, for example with "
            'text.encode("utf-8", "replace").decode()'
        ) from None


def encode_name(name: Optional[PathLike], what: str) -> Optional[bytes]:
    """A name or path for librag, which must not hold NUL; None stays None."""
    if name is None:
        return None
    try:
        data = os.fsencode(name)
    except UnicodeEncodeError:
        raise InputError(f"{what} {name!r} has a lone surrogate; replace it") from None
    if b"\0" in data:
        raise InputError(f"{what} {name!r} holds a NUL character; take it out")
    return data


def decode(data: Optional[bytes]) -> str:
    """A name or path from librag."""
    return os.fsdecode(data) if data else ""


def texts_array(texts: Sequence[str], what: str) -> Tuple[Any, int]:
    """[count] of rag_text, which keeps the bytes alive."""
    if isinstance(texts, str):
        raise TypeError(f"{what}s must be a sequence of str, not one str")
    encoded = [encode(text, f"{what} {i}") for i, text in enumerate(texts)]
    items = (_native.Text * len(encoded))()
    for item, data in zip(items, encoded):
        item.data = data
        item.size = len(data)
    return items, len(encoded)


def text(data: bytes) -> Any:
    return _native.Text(data, len(data))


def names_array(names: Iterable[PathLike], what: str) -> Tuple[Any, int]:
    """[count] of char pointers."""
    encoded = [encode_name(name, what) for name in names]
    return (ctypes.c_char_p * len(encoded))(*encoded), len(encoded)


def paths_of(paths: Union[PathLike, Iterable[PathLike]]) -> List[PathLike]:
    """One path or several."""
    if isinstance(paths, (str, os.PathLike)):
        return [paths]
    return list(paths)


def choice(value: str, known: Any, what: str) -> int:
    """The number of a named value."""
    if value not in known:
        raise UsageError(f"{what} {value!r} is not one of " + ", ".join(map(repr, known)))
    return int(known[value])


def at_least(value: Optional[int], least: int, what: str) -> int:
    """A number, 0 for None: what librag takes as its default."""
    if value is None:
        return 0
    if value < least:
        raise UsageError(f"{what} must be at least {least}, not {value}")
    return int(value)


# ---- Vectors ---------------------------------------------------------------


class Floats:
    """f32 values in memory for librag: [rows x columns], or [columns] where rows is None.

    A C-contiguous float32 ndarray or memoryview is used where it lies; anything else is copied.
    """

    def __init__(self, values: Any, what: str) -> None:
        self.rows: Optional[int]
        self.columns: int
        numpy = sys.modules.get("numpy")
        if numpy is not None and isinstance(values, numpy.ndarray):
            self._keep: Any = numpy.ascontiguousarray(values, dtype=numpy.float32)
            self._shape(self._keep.shape, what)
            self.address = int(self._keep.__array_interface__["data"][0])
            return
        if isinstance(values, memoryview) and values.format == "f" and values.c_contiguous:
            self._shape(values.shape or (), what)
            flat = values.cast("B")
            if flat.readonly or not flat.nbytes:
                self._keep = flat.tobytes()
                self.address = ctypes.cast(self._keep, ctypes.c_void_p).value or 0
            else:
                self._keep = ctypes.c_char.from_buffer(flat)
                self.address = ctypes.addressof(self._keep)
            return
        self._keep = self._flatten(values, what)
        self.address = self._keep.buffer_info()[0]

    def _shape(self, shape: Tuple[int, ...], what: str) -> None:
        if len(shape) not in (1, 2):
            raise InputError(f"{what} must have one or two dimensions, not {len(shape)}")
        self.rows = shape[0] if len(shape) == 2 else None
        self.columns = shape[-1]

    def _flatten(self, values: Any, what: str) -> array[float]:
        rows = list(values)
        if not rows or isinstance(rows[0], (int, float)):
            self.rows, self.columns = None, len(rows)
            return array("f", rows)
        flat = array("f")
        self.rows, self.columns = len(rows), len(rows[0])
        for i, row in enumerate(rows):
            if len(row) != self.columns:
                raise InputError(
                    f"{what}: row {i} has {len(row)} values, row 0 has {self.columns}"
                )
            flat.extend(row)
        return flat


# ---- Handles ---------------------------------------------------------------

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
        with _Signals() as signals:
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


class Closable:
    """What has a handle is closed by `close`, or by leaving its `with` or `async with` block."""

    handle: Handle

    def close(self) -> None:
        """Frees it; waits for calls that run in other threads."""
        self.handle.close()

    def __enter__(self: C) -> C:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    async def __aenter__(self: C) -> C:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await in_thread(lambda cancel: self.close())


C = TypeVar("C", bound=Closable)


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


# ---- Calls -----------------------------------------------------------------


class Cancel:
    """A wish to stop, from another thread."""

    def __init__(self) -> None:
        self._wanted = False

    def set(self) -> None:
        self._wanted = True

    @property
    def wanted(self) -> bool:
        return self._wanted


#: The signals whose Python handlers may raise: KeyboardInterrupt, timeouts, shutdown.
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM, signal.SIGHUP)

_Handler = Callable[[int, Optional[FrameType]], Any]


class _Signals:
    """Puts off Python's signal handlers, in the main thread, until `run`.

    A handler runs wherever the interpreter happens to be, so its exception may come up before the
    first instruction of a callback from C, where nothing can catch it and it is lost.
    """

    def __init__(self) -> None:
        self._handlers: List[Tuple[int, _Handler]] = []
        self._pending: List[Tuple[int, Optional[FrameType]]] = []

    def __enter__(self) -> _Signals:
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
def _warnings_to(tell: Callable[[str], None]) -> Iterator[None]:
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
        self._signals = _Signals()
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


# ---- Streams ---------------------------------------------------------------


class _StreamCancel(Cancel):
    """A stream that nobody reads any more, for the program is at its end, stops too."""

    @property
    def wanted(self) -> bool:
        return self._wanted or not threading.main_thread().is_alive()


class _Warning:
    """A warning in a stream's queue."""

    def __init__(self, message: str) -> None:
        self.message = message


class _End:
    """The last thing in a stream's queue: how it ended."""

    def __init__(self, failure: Optional[BaseException]) -> None:
        self.failure = failure


Work = Callable[[Callable[[T], None], Cancel], None]


def _produce(work: Work[T], put: Callable[[Any], None], cancel: Cancel) -> None:
    failure: Optional[BaseException] = None
    try:
        with _warnings_to(lambda message: put(_Warning(message))):
            work(put, cancel)
    except BaseException as error:
        failure = error
    put(_End(failure))


class Stream(Generic[T]):
    """Pieces of a result as they arrive: an iterator.

    The call runs in a thread of its own, which begins with the first piece that is asked for.
    `close`, leaving its `with` block, and an exception while waiting (KeyboardInterrupt) cancel the
    call and wait until it has stopped.
    """

    def __init__(self, work: Work[T]) -> None:
        self._work: Optional[Work[T]] = work
        self._queue: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._cancel = _StreamCancel()
        self._thread: Optional[threading.Thread] = None
        self._ended = False

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        if self._ended:
            raise StopIteration
        try:
            self._start()
            item = self._queue.get()
            while isinstance(item, _Warning):
                warn(item.message)
                item = self._queue.get()
        except BaseException:
            self.close()
            raise
        if not isinstance(item, _End):
            return item  # type: ignore[no-any-return]
        self._finish()
        if item.failure is not None:
            raise item.failure
        raise StopIteration

    def _start(self) -> None:
        if self._work is not None:
            work, self._work = self._work, None
            self._thread = threading.Thread(
                target=contextvars.copy_context().run,
                args=(_produce, work, self._queue.put, self._cancel),
                name="rag-stream",
            )
            self._thread.start()

    def _finish(self) -> None:
        self._ended = True
        if self._thread is not None and self._thread.ident is not None:
            self._thread.join()

    def close(self) -> None:
        """Cancels what is still running and waits for its end; a second time, nothing."""
        self._cancel.set()
        self._finish()

    def __enter__(self: S) -> S:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_cancel"):
            self._cancel.set()


S = TypeVar("S", bound=Stream[Any])


class AsyncStream(Generic[T]):
    """As Stream, for `async for`: `aclose`, leaving its `async with` block and cancelling the
    task that waits for a piece cancel the call and wait until it has stopped."""

    def __init__(self, work: Work[T]) -> None:
        self._work: Optional[Work[T]] = work
        self._cancel = _StreamCancel()
        self._queue: Optional[asyncio.Queue[Any]] = None
        self._ended = False

    def __aiter__(self) -> AsyncIterator[T]:
        return self

    async def __anext__(self) -> T:
        if self._ended:
            raise StopAsyncIteration
        try:
            item = await self._start().get()
            while isinstance(item, _Warning):
                warn(item.message)
                item = await self._start().get()
        except BaseException:
            await self.aclose()
            raise
        if not isinstance(item, _End):
            return item  # type: ignore[no-any-return]
        self._ended = True
        if item.failure is not None:
            raise item.failure
        raise StopAsyncIteration

    def _start(self) -> asyncio.Queue[Any]:
        if self._queue is not None:
            return self._queue
        assert self._work is not None
        work, self._work = self._work, None
        found: asyncio.Queue[Any] = asyncio.Queue()
        loop = asyncio.get_running_loop()

        def put(item: Any) -> None:
            try:
                loop.call_soon_threadsafe(found.put_nowait, item)
            except RuntimeError:  # the loop is closed: nobody will read it
                pass

        threading.Thread(
            target=contextvars.copy_context().run,
            args=(_produce, work, put, self._cancel),
            name="rag-stream",
        ).start()
        self._queue = found
        return found

    async def aclose(self) -> None:
        """Cancels what is still running and waits for its end; a second time, nothing."""
        self._cancel.set()
        if self._ended or self._queue is None:
            self._ended = True
            return
        cancelled: Optional[asyncio.CancelledError] = None
        while not self._ended:
            try:
                self._ended = isinstance(await self._queue.get(), _End)
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled

    async def __aenter__(self: A) -> A:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    def __del__(self) -> None:
        if hasattr(self, "_cancel"):
            self._cancel.set()


A = TypeVar("A", bound=AsyncStream[Any])


# ---- Tasks -----------------------------------------------------------------

_threads: Optional[ThreadPoolExecutor] = None
_threads_pid = 0
_threads_lock = threading.Lock()

#: Calls that may wait at the same time: most of them for a server.
_MOST_THREADS = 32


def _executor() -> ThreadPoolExecutor:
    global _threads, _threads_pid
    with _threads_lock:
        if _threads is None or _threads_pid != os.getpid():
            _threads = ThreadPoolExecutor(_MOST_THREADS, thread_name_prefix="rag")
            _threads_pid = os.getpid()
        return _threads


async def in_thread(work: Callable[[Cancel], T]) -> T:
    """Runs `work` in a thread. Cancelling the task cancels the call, and waits for its end: when
    CancelledError comes out, nothing is left running."""
    cancel = Cancel()
    context = contextvars.copy_context()
    told: List[str] = []

    def run() -> T:
        with _warnings_to(told.append):
            return context.run(work, cancel)

    running = _executor().submit(run)
    future = asyncio.wrap_future(running)
    try:
        result = await asyncio.shield(future)
        for message in told:
            warn(message)
        return result
    except asyncio.CancelledError:
        cancel.set()
        running.cancel()
        while not future.done():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.wait([future])
        if not future.cancelled():
            future.exception()
        raise
