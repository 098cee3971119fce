"""What can go wrong: a hierarchy under `rag.Error`.

Every message says what went wrong, where, and what to do next. `status` is the name that the C
library gives it ("MODEL_MISSING"), `exit_status` what the program `rag` would end with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Dict, Optional, Type

if TYPE_CHECKING:
    from .documents import AddReport


class Error(Exception):
    """Anything that rag reports as wrong.

    `report` is set by `Index.add` and `Index.put`: what had been done before, which is safe in
    the file.
    """

    status: str = "INTERNAL"
    exit_status: int = 70
    report: Optional[AddReport] = None


class NotFoundError(Error):
    """There is nothing that matches: no passage to answer from."""

    status = "NOT_FOUND"
    exit_status = 1


class UsageError(Error, ValueError):
    """An argument is outside its range, or an object is used after it was closed."""

    status = "USAGE"
    exit_status = 2


class InputError(Error):
    """A file or a text cannot be read: its encoding, its format."""

    status = "INPUT"
    exit_status = 3


class StoreError(Error):
    """The index cannot be used: damaged, of another program, not writable."""

    status = "INDEX"
    exit_status = 4


class StoreBusyError(StoreError):
    """Another process is writing to the index."""

    status = "INDEX_BUSY"


class MismatchError(StoreError):
    """The index was made with another model, or its texts are cut in another way."""

    status = "INDEX_MISMATCH"


class ModelError(Error):
    """A model's files are broken, or of a kind that rag does not know."""

    status = "MODEL"
    exit_status = 5


class ModelMissingError(ModelError):
    """No such model is installed; the message says how to get it."""

    status = "MODEL_MISSING"


class NetworkError(Error):
    """The network or a server failed."""

    status = "NETWORK"
    exit_status = 6


class AuthError(NetworkError):
    """The server refused the key, or there is none."""

    status = "NETWORK_AUTH"


class LimitError(NetworkError):
    """The server asks to slow down."""

    status = "NETWORK_LIMIT"


class OutOfMemoryError(Error, MemoryError):
    """There is not enough memory."""

    status = "MEMORY"
    exit_status = 71


class InternalError(Error):
    """A defect in rag."""


class Interrupted(Error):
    """The call was asked to stop, by a cancelled stream or task, and has stopped."""

    status = "INTERRUPTED"
    exit_status = 130


class RagWarning(UserWarning):
    """Something was skipped or done differently than asked."""


_CLASSES: Dict[str, Type[Error]] = {
    kind.status: kind
    for kind in (
        NotFoundError,
        UsageError,
        InputError,
        StoreError,
        StoreBusyError,
        MismatchError,
        ModelError,
        ModelMissingError,
        NetworkError,
        AuthError,
        LimitError,
        OutOfMemoryError,
        InternalError,
        Interrupted,
    )
}


def error_for(status: str, message: str) -> Error:
    """The exception for a status of the C library."""
    return _CLASSES.get(status, InternalError)(message)
