"""Calls in threads, for tasks; and what tasks and others close."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Callable, List, Optional, TypeVar

from ._call import Cancel, warn, warnings_to
from ._handle import Handle

T = TypeVar("T")


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
        with warnings_to(told.append):
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
