"""Language models behind HTTP protocols."""

from __future__ import annotations

import ctypes
import math
from dataclasses import dataclass
from typing import Any, Callable, Dict, List, Optional, Sequence, Tuple, Union

from . import _native
from ._arguments import UNSIGNED, at_least, choice, decode, encode, encode_name, PathLike
from ._call import Call, Cancel, Progress
from ._handle import Handle
from ._stream import AsyncStream, Stream
from ._task import Closable, in_thread
from ._native import lib
from .errors import UsageError


@dataclass(frozen=True)
class Message:
    """A turn of a conversation; `role` is "system", "user" or "assistant"."""

    role: str
    text: str


#: A Message, {"role": ..., "content": ...} as OpenAI's clients have it, or (role, text).
MessageLike = Union[Message, Dict[str, Any], Tuple[str, str]]


@dataclass(frozen=True)
class Usage:
    """What requests took.

    `requests` with retries; `estimated`: the server did not count tokens, so they are reckoned
    from the texts; `cost` in US dollars, None where a price is not known; `first_token_seconds` of
    the last exchange, None if it was not streamed.
    """

    requests: int
    input_tokens: int
    output_tokens: int
    estimated: bool
    cost: Optional[float]
    first_token_seconds: Optional[float]
    seconds: float


@dataclass(frozen=True)
class ChatInfo:
    """A language model as it was opened: `context_tokens` that it takes, prompt and answer, None
    if not known; prices in US dollars for a million tokens, None if not known, 0 for a server of
    this machine."""

    provider: str
    model: str
    protocol: str
    host: str
    context_tokens: Optional[int]
    input_price: Optional[float]
    output_price: Optional[float]


@dataclass(frozen=True)
class Provider:
    """Who can be asked: the PROVIDER of "PROVIDER:MODEL". `url_variable` and `key_variable` are
    environment variables ("" if none), `default_model` "" if it must be named; `ready`: its key is
    set, or it needs none."""

    name: str
    protocol: str
    base_url: str
    url_variable: str
    key_variable: str
    default_model: str
    ready: bool


def providers(config: Optional[PathLike] = None) -> List[Provider]:
    """The presets and what the file of providers adds.

    `config`: that file; "": none; None: RAG_PROVIDERS, else rag/providers.json in
    XDG_CONFIG_HOME.
    """
    found = ctypes.c_void_p()
    try:
        Call().run(
            lib.rag_provider_list_open, encode_name(config, "config"), ctypes.byref(found)
        )
        return [
            _read_provider(lib.rag_provider_list_get(found, i).contents)
            for i in range(lib.rag_provider_list_count(found))
        ]
    finally:
        lib.rag_provider_list_free(found)


def _read_provider(item: Any) -> Provider:
    return Provider(
        name=decode(item.name),
        protocol=decode(item.protocol),
        base_url=decode(item.base_url),
        url_variable=decode(item.url_variable),
        key_variable=decode(item.key_variable),
        default_model=decode(item.default_model),
        ready=bool(item.ready),
    )


def known(value: float) -> Optional[float]:
    """A number, or None for NaN."""
    return None if math.isnan(value) else value


def read_usage(usage: Any) -> Usage:
    return Usage(
        requests=usage.requests,
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        estimated=bool(usage.estimated),
        cost=known(usage.cost),
        first_token_seconds=known(usage.first_token_seconds),
        seconds=usage.seconds,
    )


def as_message(message: MessageLike) -> Message:
    """A message in any of its forms."""
    if isinstance(message, Message):
        return message
    if isinstance(message, dict):
        if not isinstance(message.get("role"), str) or not isinstance(message.get("content"), str):
            raise UsageError('a message must be {"role": str, "content": str}')
        return Message(message["role"], message["content"])
    role, text = message
    return Message(role, text)


def messages_array(messages: Sequence[MessageLike]) -> Tuple[Any, int]:
    """[count] of rag_message, which keeps the bytes alive."""
    items = (_native.Message * len(messages))()
    for i, (item, given) in enumerate(zip(items, messages)):
        message = as_message(given)
        data = encode(message.text, f"message {i}")
        item.role = choice(message.role, _native.CHAT_ROLE, "role")
        item.text.data = data
        item.text.size = len(data)
    return items, len(items)


def chat_options(
    *,
    max_tokens: Optional[int],
    temperature: Optional[float],
    connect_timeout: Optional[float],
    first_timeout: Optional[float],
    idle_timeout: Optional[float],
    retries: int,
) -> Any:
    """rag_chat_options; seconds are rounded up to whole ones."""
    if temperature is not None and not temperature >= 0:
        raise UsageError(f"temperature must be at least 0, not {temperature}")
    return _native.ChatOptions.init(
        max_tokens=at_least(max_tokens, 1, "max_tokens", UNSIGNED),
        temperature=-1.0 if temperature is None else float(temperature),
        connect_seconds=_seconds(connect_timeout, "connect_timeout"),
        first_seconds=_seconds(first_timeout, "first_timeout"),
        idle_seconds=_seconds(idle_timeout, "idle_timeout"),
        retries=at_least(retries, 0, "retries", UNSIGNED),
    )


def _seconds(value: Optional[float], what: str) -> int:
    if value is None:
        return 0
    if not 0 < value < 2**31:
        raise UsageError(f"{what} must be a number of seconds above 0, not {value}")
    return math.ceil(value)


def listen(options: Any, call: Call, on_text: Optional[Callable[[str], object]]) -> None:
    """Has pieces of the answer go to `on_text`; None: not streamed."""
    options.on_event = call.on_event
    if on_text is None:
        return
    tell = on_text

    def piece(text: Any, user: Any) -> None:
        tell(_native.text_str(text))

    options.on_text = _native.text_fn(call.guard(piece))


class TextStream(Stream[str]):
    """An answer as it is written: an iterator of str. `close`, or leaving its `with` block,
    cancels it."""


class AsyncTextStream(AsyncStream[str]):
    """An answer as it is written, for `async for`. `aclose`, or leaving its `async with` block,
    cancels it."""


class Chat(Closable):
    """A language model behind an HTTP protocol.

    `spec`: "PROVIDER:MODEL", or "PROVIDER" for its default model (`providers()` lists them); None:
    RAG_LLM. `base_url` and `key` instead of those of the provider's environment variables.
    `config`: the file of providers. `context_tokens`: what the model takes, prompt and answer;
    None: as is known.

    Nothing is sent before the first request. A missing key is an AuthError at once. Threads take
    turns. Not usable after a fork.

    >>> with rag.Chat("ollama:qwen3") as chat:
    ...     for piece in chat.stream("Why is the sky blue?"):
    ...         print(piece, end="", flush=True)
    """

    def __init__(
        self,
        spec: Optional[str] = None,
        *,
        base_url: Optional[str] = None,
        key: Optional[str] = None,
        config: Optional[PathLike] = None,
        context_tokens: Optional[int] = None,
    ) -> None:
        options = _native.LlmOptions.init(
            base_url=encode_name(base_url, "base_url"),
            key=encode_name(key, "key"),
            config=encode_name(config, "config"),
            context_tokens=at_least(context_tokens, 1, "context_tokens"),
        )
        opened = ctypes.c_void_p()
        Call().run(
            lib.rag_chat_open,
            encode_name(spec, "spec"),
            ctypes.byref(options),
            ctypes.byref(opened),
        )
        self.handle = Handle(opened.value, lib.rag_chat_close, "this Chat", exclusive=True)
        info = lib.rag_chat_get_info(opened.value).contents
        self.info = ChatInfo(
            provider=decode(info.provider),
            model=decode(info.model),
            protocol=decode(info.protocol),
            host=decode(info.host),
            context_tokens=info.context_tokens or None,
            input_price=known(info.input_price),
            output_price=known(info.output_price),
        )

    def _complete(
        self,
        messages: Union[str, Sequence[MessageLike]],
        options: Any,
        on_text: Optional[Callable[[str], object]],
        progress: Progress,
        cancel: Optional[Cancel],
    ) -> str:
        if isinstance(messages, str):
            messages = [Message("user", messages)]
        items, count = messages_array(messages)
        call = Call(progress, cancel)
        listen(options, call, on_text)
        reply = ctypes.c_void_p()
        try:
            call.run(
                lib.rag_chat_complete,
                self.handle,
                items,
                count,
                ctypes.byref(options),
                ctypes.byref(reply),
            )
            assert reply.value is not None
            return ctypes.string_at(reply.value).decode("utf-8", "replace")
        finally:
            lib.rag_free(reply)

    def _work(
        self, messages: Union[str, Sequence[MessageLike]], options: Any
    ) -> Callable[[Callable[[str], None], Cancel], None]:
        """What a stream of an answer runs."""

        def work(put: Callable[[str], None], cancel: Cancel) -> None:
            self._complete(messages, options, put, None, cancel)

        return work

    def complete(
        self,
        messages: Union[str, Sequence[MessageLike]],
        *,
        max_tokens: Optional[int] = None,
        temperature: Optional[float] = 0.0,
        connect_timeout: Optional[float] = None,
        first_timeout: Optional[float] = None,
        idle_timeout: Optional[float] = None,
        retries: int = _native.CHAT_RETRIES,
        progress: Progress = None,
    ) -> str:
        """The model's answer to a question or a conversation.

        `max_tokens` of the answer (None: 1024); `temperature` (None: the server's default);
        timeouts in seconds for connecting (10), until the first byte (600) and between two bytes
        (60); `retries` after 429, 5xx or a lost connection.

        Raises NetworkError, AuthError or LimitError.
        """
        options = chat_options(
            max_tokens=max_tokens,
            temperature=temperature,
            connect_timeout=connect_timeout,
            first_timeout=first_timeout,
            idle_timeout=idle_timeout,
            retries=retries,
        )
        return self._complete(messages, options, None, progress, None)

    def stream(
        self,
        messages: Union[str, Sequence[MessageLike]],
        *,
        max_tokens: Optional[int] = None,
        temperature: Optional[float] = 0.0,
        connect_timeout: Optional[float] = None,
        first_timeout: Optional[float] = None,
        idle_timeout: Optional[float] = None,
        retries: int = _native.CHAT_RETRIES,
    ) -> TextStream:
        """As `complete`, piece by piece (whole characters); 300 seconds until the first byte.
        Nothing is sent before the first piece is asked for."""
        options = chat_options(
            max_tokens=max_tokens,
            temperature=temperature,
            connect_timeout=connect_timeout,
            first_timeout=first_timeout,
            idle_timeout=idle_timeout,
            retries=retries,
        )
        return TextStream(self._work(messages, options))

    async def acomplete(
        self,
        messages: Union[str, Sequence[MessageLike]],
        *,
        max_tokens: Optional[int] = None,
        temperature: Optional[float] = 0.0,
        connect_timeout: Optional[float] = None,
        first_timeout: Optional[float] = None,
        idle_timeout: Optional[float] = None,
        retries: int = _native.CHAT_RETRIES,
        progress: Progress = None,
    ) -> str:
        """`complete` in a thread; cancelling the task stops it."""
        options = chat_options(
            max_tokens=max_tokens,
            temperature=temperature,
            connect_timeout=connect_timeout,
            first_timeout=first_timeout,
            idle_timeout=idle_timeout,
            retries=retries,
        )
        return await in_thread(
            lambda cancel: self._complete(messages, options, None, progress, cancel)
        )

    def astream(
        self,
        messages: Union[str, Sequence[MessageLike]],
        *,
        max_tokens: Optional[int] = None,
        temperature: Optional[float] = 0.0,
        connect_timeout: Optional[float] = None,
        first_timeout: Optional[float] = None,
        idle_timeout: Optional[float] = None,
        retries: int = _native.CHAT_RETRIES,
    ) -> AsyncTextStream:
        """`stream` for `async for`; cancelling the task stops it."""
        options = chat_options(
            max_tokens=max_tokens,
            temperature=temperature,
            connect_timeout=connect_timeout,
            first_timeout=first_timeout,
            idle_timeout=idle_timeout,
            retries=retries,
        )
        return AsyncTextStream(self._work(messages, options))

    def _usages(self) -> Tuple[Usage, Usage]:
        last, total = _native.Usage(), _native.Usage()
        with self.handle.use() as pointer:
            lib.rag_chat_get_usage(pointer, ctypes.byref(last), ctypes.byref(total))
        return read_usage(last), read_usage(total)

    @property
    def usage(self) -> Usage:
        """Of all requests since it was opened."""
        return self._usages()[1]

    @property
    def last_usage(self) -> Usage:
        """Of the last request, whether it succeeded or not."""
        return self._usages()[0]

    def __repr__(self) -> str:
        return f"<rag.Chat {self.info.provider}:{self.info.model}>"
