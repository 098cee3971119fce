"""Results that arrive in pieces, for loops and for tasks."""

from __future__ import annotations

import asyncio
import contextvars
import queue
import threading
from typing import Any, AsyncIterator, Callable, Generic, Iterator, Optional, TypeVar

from ._call import Cancel, warn, warnings_to

T = TypeVar("T")


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
        with warnings_to(lambda message: put(_Warning(message))):
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
