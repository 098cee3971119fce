"""Answers with citations, and conversations."""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Callable, List, Optional, Union

from . import _native
from ._arguments import decode, PathLike
from ._call import Call, Cancel
from ._stream import AsyncStream, Stream
from ._native import lib
from .chat import Chat, Message, Usage, known, read_usage
from .documents import Hit, read_hits
from .errors import UsageError

if TYPE_CHECKING:
    from .index import Index


@dataclass(frozen=True)
class Citation:
    """[number] in the text of an answer stands for this hit: `hits[hit]`.

    `quote`: a byte-exact part of the hit's text; `begin`, `end`: its bytes in the document, end
    exclusive; `line`, `last_line`: from 1, both inclusive.
    """

    number: int
    hit: int
    quote: str
    begin: int
    end: int
    line: int
    last_line: int
    document: str


@dataclass(frozen=True)
class Statement:
    """A sentence that a language model wrote, checked against the passages that it cites.

    `support`: "supported"; "weak" (only some of its words are there, or a name is not);
    "unsupported" (a quote or a number is not there, or hardly any of its words); "uncited";
    "unchecked" (written in another script than the passages). `coverage`: the share of its words
    that are there, 0..1; `missing`: the first quote, number or name that is not there, or "".
    """

    text: str
    support: str
    coverage: float
    missing: str


@dataclass(frozen=True)
class Answer:
    """An answer from documents; `str(answer)` is its text.

    `question`: as it was searched for, rewritten if it followed up on the history. `found`: False
    where the evidence is too weak and the text says that the documents do not answer; there are
    then no citations, but the nearest hits. `evidence`: how likely it is, 0..1, that the documents
    answer the question at all; None where it is not calibrated for the models in use. `hits`: the
    passages that the language model was given, best first. `dropped`: markers such as [9] that
    pointed to no passage. `statements`: its sentences, checked; none if no language model wrote
    it. `markdown`: the answer with its sources; `html`: the same as a page of its own. `llm`: "PROVIDER:MODEL", "" if the passages are quoted or nothing was
    found.
    """

    text: str
    question: str
    found: bool
    evidence: Optional[float]
    citations: List[Citation]
    hits: List[Hit]
    dropped: int
    statements: List[Statement]
    markdown: str
    html: str
    llm: str
    usage: Usage

    def __str__(self) -> str:
        return self.text


def read_answer(answer: Any) -> Answer:
    hits = read_hits(lib.rag_answer_hits(answer))
    usage = _native.Usage()
    lib.rag_answer_get_usage(answer, usage)
    count = lib.rag_answer_citation_count(answer)
    return Answer(
        text=_native.text_str(lib.rag_answer_text(answer)),
        question=_native.text_str(lib.rag_answer_question(answer)),
        found=bool(lib.rag_answer_found(answer)),
        evidence=known(lib.rag_answer_evidence(answer)),
        citations=[
            _read_citation(lib.rag_answer_citation(answer, i).contents, hits)
            for i in range(count)
        ],
        hits=hits,
        dropped=lib.rag_answer_dropped(answer),
        statements=[
            _read_statement(lib.rag_answer_statement(answer, i).contents)
            for i in range(lib.rag_answer_statement_count(answer))
        ],
        markdown=_render(answer, "markdown"),
        html=_render(answer, "html"),
        llm=decode(lib.rag_answer_llm(answer)),
        usage=read_usage(usage),
    )


def _render(answer: Any, kind: str) -> str:
    text = ctypes.c_void_p()
    Call().run(lib.rag_answer_render, answer, _native.FORMAT[kind], ctypes.byref(text))
    try:
        assert text.value is not None
        return ctypes.string_at(text.value).decode("utf-8", "replace")
    finally:
        lib.rag_free(text)


def _read_statement(item: Any) -> Statement:
    return Statement(
        text=_native.text_str(item.text),
        support=decode(lib.rag_support_name(item.support)),
        coverage=item.coverage,
        missing=_native.text_str(item.missing),
    )


def _read_citation(item: Any, hits: List[Hit]) -> Citation:
    return Citation(
        number=item.number,
        hit=item.hit,
        quote=_native.text_str(item.quote),
        begin=item.begin,
        end=item.end,
        line=item.line,
        last_line=item.last_line,
        document=hits[item.hit].document,
    )


#: Asks, with pieces of the text to the first argument.
AskWork = Callable[[Callable[[str], object], Cancel], Answer]


class _Ask:
    """The work of a stream, and the answer that it ends with."""

    def __init__(self, ask: AskWork, keep: Optional[Callable[[Answer], None]] = None) -> None:
        self._ask = ask
        self._keep = keep
        self.answer: Optional[Answer] = None

    def __call__(self, put: Callable[[str], None], cancel: Cancel) -> None:
        answer = self._ask(put, cancel)
        if self._keep is not None:
            self._keep(answer)
        self.answer = answer

    def result(self) -> Answer:
        if self.answer is None:
            raise UsageError(
                "the answer is there when its stream has been read to the end; this one has not"
            )
        return self.answer


class AnswerStream(Stream[str]):
    """An answer as it is written: an iterator of str, with the whole of it in `answer` after its
    end. `close`, or leaving its `with` block, cancels it."""

    def __init__(self, ask: AskWork, keep: Optional[Callable[[Answer], None]] = None) -> None:
        self._result = _Ask(ask, keep)
        super().__init__(self._result)

    @property
    def answer(self) -> Answer:
        """The whole answer; a UsageError before the stream's end."""
        return self._result.result()


class AsyncAnswerStream(AsyncStream[str]):
    """As AnswerStream, for `async for`."""

    def __init__(self, ask: AskWork, keep: Optional[Callable[[Answer], None]] = None) -> None:
        self._result = _Ask(ask, keep)
        super().__init__(self._result)

    @property
    def answer(self) -> Answer:
        """The whole answer; a UsageError before the stream's end."""
        return self._result.result()


class Conversation:
    """Questions that follow up on each other.

    `ask` keeps the history, and gives it with each question; what a question answers is kept only
    if the question was answered. `llm` and `options` as in `Index.ask`. An `llm` that is named is
    opened once, and closed by `close`.

    >>> conversation = rag.Conversation(index, "ollama:qwen3")
    >>> print(conversation.ask("What is attention?"))
    >>> print(conversation.ask("Who invented it?"))
    """

    def __init__(
        self, index: Index, llm: Union[str, Chat, None] = None, **options: Any
    ) -> None:
        self._index = index
        self._own: Optional[Chat] = None
        if llm is None:
            llm = os.environ.get("RAG_LLM") or "none"
        if isinstance(llm, str) and llm != "none":
            llm = self._own = Chat(llm)
        self._llm: Union[str, Chat] = llm
        self._options = options
        self._answers: List[Answer] = []
        self.history: List[Message] = []

    def _given(self, options: Any) -> Any:
        return {"llm": self._llm, **self._options, **options, "history": list(self.history)}

    def _keep(self, question: str, answer: Answer) -> None:
        self.history += [Message("user", question), Message("assistant", answer.text)]
        self._answers.append(answer)

    def ask(self, question: str, **options: Any) -> Answer:
        """Answers a question; `options` of this one as in `Index.ask`."""
        answer = self._index.ask(question, **self._given(options))
        self._keep(question, answer)
        return answer

    def ask_stream(self, question: str, **options: Any) -> AnswerStream:
        """As `ask`, piece by piece; the history grows when the stream is at its end."""
        work = self._index.ask_work(question, **self._given(options))
        return AnswerStream(work, lambda answer: self._keep(question, answer))

    async def aask(self, question: str, **options: Any) -> Answer:
        """`ask` in a thread; cancelling the task stops it and leaves the history as it was."""
        answer = await self._index.aask(question, **self._given(options))
        self._keep(question, answer)
        return answer

    def aask_stream(self, question: str, **options: Any) -> AsyncAnswerStream:
        """`ask_stream` for `async for`."""
        work = self._index.ask_work(question, **self._given(options))
        return AsyncAnswerStream(work, lambda answer: self._keep(question, answer))

    def reset(self) -> None:
        """Forgets the history."""
        self.history.clear()
        self._answers.clear()

    def save(self, path: PathLike) -> None:
        """Writes the conversation, with the sources of each answer, as Markdown."""
        turns = []
        for question, answer in zip(self.history[::2], self._answers):
            heading = " ".join(question.text.split())
            turns.append(f"## {heading}\n\n{answer.text.strip()}\n{_sources(answer)}")
        with open(path, "w", encoding="utf-8") as file:
            file.write("\n".join(turns))

    def close(self) -> None:
        """Closes the language model if this conversation opened it."""
        if self._own is not None:
            self._own.close()

    def __enter__(self) -> Conversation:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _sources(answer: Answer) -> str:
    if not answer.citations:
        return ""
    lines = [
        f"- [{citation.number}] {citation.document}, lines {citation.line}-{citation.last_line}\n"
        for citation in answer.citations
    ]
    return "\n" + "".join(lines)
