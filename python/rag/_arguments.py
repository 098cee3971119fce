"""What goes into librag and comes out of it: texts, names, numbers, vectors."""

from __future__ import annotations

import ctypes
import operator
import os
import sys
from array import array
from typing import Any, Iterable, List, Optional, Sequence, Tuple, Union

from . import _native
from .errors import InputError, UsageError

PathLike = Union[str, "os.PathLike[str]"]


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


#: The greatest number of librag's `unsigned` and `size_t`; ctypes would wrap a greater one.
UNSIGNED = 2**32 - 1
SIZE = sys.maxsize


def at_least(value: Optional[int], least: int, what: str, most: int = SIZE) -> int:
    """A whole number, 0 for None: what librag takes as its default."""
    if value is None:
        return 0
    number = operator.index(value)
    if number < least:
        raise UsageError(f"{what} must be at least {least}, not {number}")
    if number > most:
        raise UsageError(f"{what} must be at most {most}, not {number}")
    return number


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
