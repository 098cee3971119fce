"""Which documents are searched, as librag takes it."""

from __future__ import annotations

import ctypes
import datetime
import json
from typing import Any, Iterable, Mapping, Optional, Tuple, Union

from . import _native
from ._arguments import PathLike, encode_name, paths_of

Strings = Union[PathLike, Iterable[PathLike], None]
Date = Union[str, datetime.date, None]
Where = Union[str, Iterable[str], Mapping[str, Any], None]


def _array(values: Strings, what: str) -> Tuple[Any, int]:
    if values is None:
        return None, 0
    encoded = [encode_name(value, what) for value in paths_of(values)]
    items = (ctypes.c_char_p * len(encoded))(*encoded)
    return ctypes.cast(items, ctypes.POINTER(ctypes.c_char_p)), len(encoded)


def _date(value: Date, what: str) -> Optional[bytes]:
    """A datetime without a zone is one of this machine's; a date is one of UTC, as in text."""
    if isinstance(value, datetime.datetime):
        value = value.astimezone(datetime.timezone.utc).replace(tzinfo=None).isoformat() + "Z"
    elif isinstance(value, datetime.date):
        value = value.isoformat()
    return encode_name(value, what)


def _conditions(where: Where) -> Union[str, Iterable[str], None]:
    if not isinstance(where, Mapping):
        return where
    return [f"{key}={_value(value)}" for key, value in where.items()]


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def native_filter(
    collection: Strings = None,
    path: Strings = None,
    format: Strings = None,
    since: Date = None,
    until: Date = None,
    where: Where = None,
) -> Any:
    """A rag_filter, which keeps alive what it points to."""
    made = _native.Filter()
    made.collections, made.collection_count = _array(collection, "collection")
    made.paths, made.path_count = _array(path, "path")
    made.formats, made.format_count = _array(format, "format")
    made.since, made.until = _date(since, "since"), _date(until, "until")
    made.where, made.where_count = _array(_conditions(where), "where")
    return made
