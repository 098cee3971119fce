"""Embeddings of a server that speaks OpenAI's protocol: POST {base}/embeddings.

What comes from the server is checked before it is used. The key goes into one header and
nowhere else: not into errors, and to no other host (redirects are not followed).
"""
from __future__ import annotations

import email.utils
import http.client
import json
import math
import time
import urllib.error
import urllib.parse
import urllib.request
from typing import Dict, List, NamedTuple, Optional, Sequence

from .errors import AuthError, Error, LimitError, NetworkError, UsageError

RETRIES = 3
LONGEST_WAIT = 60.0  # seconds
TIMEOUT = 120.0  # seconds without a byte
MAX_RESPONSE = 256 << 20  # bytes


class Server(NamedTuple):
    """Where to ask."""

    name: str
    base_url: str
    url_variable: str
    key: str
    key_variable: str


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: object, **kwargs: object) -> None:
        return None


def embed(server: Server, model: str, texts: Sequence[str]) -> List[List[float]]:
    """One request, and again after 429, 5xx or a lost connection: a vector for each text."""
    request = _request(server, {"model": model, "input": list(texts),
                                "encoding_format": "float"})
    for attempt in range(RETRIES + 1):
        try:
            return _vectors(server, _send(request), len(texts))
        except urllib.error.HTTPError as error:
            with error:
                failure = _failure(server, error)
                again = error.code == 429 or error.code >= 500
                wait = _retry_after(error.headers.get("Retry-After"))
        except (OSError, http.client.HTTPException) as error:
            reason = error.reason if isinstance(error, urllib.error.URLError) else error
            failure = NetworkError(f"{_host(server)} could not be asked: "
                                   f"{reason or type(reason).__name__}")
            again, wait = True, None
        if not again or attempt == RETRIES:
            raise failure from None
        time.sleep(min(2.0 ** attempt if wait is None else wait, LONGEST_WAIT))
    raise AssertionError("the last attempt returns or raises")


def _host(server: Server) -> str:
    return urllib.parse.urlsplit(server.base_url).netloc


def _request(server: Server, body: Dict[str, object]) -> urllib.request.Request:
    address = urllib.parse.urlsplit(server.base_url)
    if address.scheme not in ("http", "https") or not address.hostname or address.query \
            or "@" in address.netloc:
        raise UsageError(f"{server.url_variable} must be an address such as "
                         "https://api.openai.com/v1, with no user name or query")
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    if server.key:
        if not server.key.isascii() or not server.key.isprintable() or " " in server.key:
            raise UsageError(f"{server.key_variable} holds characters that no key has")
        headers["Authorization"] = f"Bearer {server.key}"
    return urllib.request.Request(server.base_url.rstrip("/") + "/embeddings",
                                  json.dumps(body).encode("ascii"), headers)


def _send(request: urllib.request.Request) -> bytes:
    opener = urllib.request.build_opener(_NoRedirects())
    with opener.open(request, timeout=TIMEOUT) as response:
        body: bytes = response.read(MAX_RESPONSE + 1)
        return body


def _retry_after(value: Optional[str]) -> Optional[float]:
    """Seconds to wait, from a number or a date; None if it says neither."""
    try:
        seconds = float(value or "")
    except ValueError:
        date = email.utils.parsedate_tz(value or "")
        if date is None:
            return None
        seconds = email.utils.mktime_tz(date) - time.time()
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def _failure(server: Server, error: urllib.error.HTTPError) -> Error:
    """One sentence: what the server said, in the errors' own classes."""
    said = _message(error.read(65536))
    if server.key:
        said = said.replace(server.key, "...")
    text = f"{server.name} at {_host(server)} answered {error.code}" + (f": {said}" if said else "")
    if error.code in (401, 403):
        return AuthError(f"{text}; check {server.key_variable}")
    if error.code == 429:
        return LimitError(f"{text}; wait, or ask for less at once")
    return NetworkError(text)


def _message(body: bytes) -> str:
    """The words of an error response: OpenAI's {"error": {"message"}}, {"message"}, or text."""
    try:
        said = json.loads(body)
        for name in ("error", "message"):
            if isinstance(said, dict) and name in said:
                said = said[name]
    except (ValueError, RecursionError):
        said = body.decode("utf-8", "replace")
    return " ".join("".join(c if c.isprintable() else " " for c in str(said)).split())[:300]


def _vectors(server: Server, body: bytes, count: int) -> List[List[float]]:
    """The vectors of {"data": [{"index", "embedding"}]}, in the order of the texts."""
    try:
        if len(body) > MAX_RESPONSE:
            raise ValueError(f"more than {MAX_RESPONSE >> 20} MiB")
        items = json.loads(body)["data"]
        vectors: Dict[int, List[float]] = {}
        for position, item in enumerate(items):
            vector = [float(value) for value in item["embedding"]]
            if not vector or not all(map(math.isfinite, vector)):
                raise ValueError("a vector with no numbers or with NaN")
            vectors[int(item.get("index", position))] = vector
        if sorted(vectors) != list(range(count)) or len(items) != count:
            raise ValueError(f"{len(items)} vectors for {count} texts")
        if len({len(vector) for vector in vectors.values()}) > 1:
            raise ValueError("vectors of different lengths")
        return [vectors[i] for i in range(count)]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        what = f"no {error}" if isinstance(error, KeyError) else str(error)
        raise NetworkError(f"{server.name} at {_host(server)} sent no embeddings: {what}"
                           ) from None
