"""Indexes: one file with documents, chunks, vectors and words."""

from __future__ import annotations

import ctypes
import functools
import threading
from typing import Any, Callable, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple, Union

from . import _native
from ._arguments import (
    UNSIGNED,
    Floats,
    PathLike,
    at_least,
    choice,
    decode,
    encode,
    encode_name,
    names_array,
    paths_of,
    text as native_text,
)
from ._filter import Date, Strings, Where, native_filter
from ._call import Call, Cancel, Progress, warn
from ._handle import Handle
from ._native import lib
from ._stream import Stream
from ._task import Closable, in_thread
from .answer import Answer, AnswerStream, AskWork, AsyncAnswerStream, read_answer
from .chat import Chat, MessageLike, chat_options, listen, messages_array
from .documents import (
    AddReport,
    Change,
    Chunk,
    CompactReport,
    Document,
    Hit,
    IndexInfo,
    Passage,
    Problem,
    ReindexReport,
    Source,
    SourceArray,
    as_source,
    encode_metadata,
    read_change,
    read_chunk,
    read_document,
    read_hits,
    read_passage,
    read_reindex_report,
    read_report,
)
from .errors import Error, InputError, Interrupted, NotFoundError, StoreError, UsageError
from .maintenance import problem_listener
from .model import Model, Tokenizer


def _change_callback(call: Call, on_change: Callable[[Change], object]) -> Any:
    """What `on_change` raises is raised when the call has returned."""

    def each(item: Any, user: Any) -> None:
        on_change(read_change(item.contents))

    guarded = call.guard(each)

    def told(item: Any, user: Any) -> None:
        guarded(item, user)

    return _native.change_fn(told)


class _Stop(Cancel):
    """A wish to stop that is an event of the caller's."""

    def __init__(self, event: threading.Event) -> None:
        super().__init__()
        self._event = event

    @property
    def wanted(self) -> bool:
        return self._event.is_set()


class Index(Closable):
    """An index: one file with documents, chunks, vectors and words.

    `path`: None: RAG_INDEX in the environment, else .rag/index.rag below the current folder.
    `model`: a name or folder, or a Model that is open already (it stays in memory until the index
    is closed); None: the one the index was made with, for a new index the default model.
    `reranker`: a model, "none", or None / "auto" for an installed cross-encoder, else late
    interaction. `chunker`: "structure" or "window", `max_tokens` and `overlap` of a chunk, and
    `context`, what is embedded before its text ("none", "heading", "document"), of a new index.
    `dimension`: of vectors that come from outside; `model` is then a name that rag does not know, and every source and
    question must bring its vectors. `must_exist`: a StoreError if there is no such file.
    `collection`: what is put in belongs to it, and only its documents are searched and taken out;
    None: put into "default", and all are searched. `models`, `threads`, `precision`: as in Model.

    May be shared between threads, and a file by many readers and one writer at a time. Not usable
    after a fork. Models are loaded when first needed.

    >>> with rag.Index("notes.rag") as index:
    ...     index.add(["notes"], progress=True)
    ...     for hit in index.search("How long is a token?", k=3):
    ...         print(hit.score, hit.document, hit.chunk.line)
    """

    def __init__(
        self,
        path: Optional[PathLike] = None,
        *,
        model: Union[PathLike, Model, None] = None,
        reranker: Optional[PathLike] = None,
        chunker: Optional[str] = None,
        max_tokens: Optional[int] = None,
        overlap: Optional[int] = None,
        context: Optional[str] = None,
        dimension: Optional[int] = None,
        must_exist: bool = False,
        collection: Optional[str] = None,
        models: Optional[PathLike] = None,
        threads: int = 0,
        precision: str = "default",
    ) -> None:
        options = _native.IndexOptions.init(
            reranker=encode_name(reranker, "reranker"),
            dimension=at_least(dimension, 1, "dimension"),
            must_exist=int(must_exist),
            chunker=choice(chunker or "auto", _native.CHUNKER, "chunker"),
            max_tokens=at_least(max_tokens, 1, "max_tokens") or _native.AUTO,
            overlap=_native.AUTO if overlap is None else at_least(overlap, 0, "overlap"),
            collection=encode_name(collection, "collection"),
            context=choice(context or "auto", _native.CONTEXT, "context"),
        )
        options.models = _native.ModelOptions.init(
            models=encode_name(models, "models"),
            precision=choice(precision, _native.PRECISION, "precision"),
            threads=at_least(threads, 0, "threads", UNSIGNED),
        )
        self._dimension = dimension
        self._model = model
        self._models = models
        borrowed: Optional[Handle] = None
        if isinstance(model, Model):
            borrowed = model.handle
            options.open_model = borrowed.borrow()
        else:
            options.model = encode_name(model, "model")
        opened = ctypes.c_void_p()
        try:
            Call().run(
                lib.rag_index_open,
                encode_name(path, "path"),
                ctypes.byref(options),
                ctypes.byref(opened),
            )
        except BaseException:
            if borrowed is not None:
                borrowed.give_back()
            raise
        self.handle = Handle(
            opened.value, lib.rag_index_close, "this Index", borrows=borrowed
        )
        self._info_lock = threading.Lock()
        self._columns = 0

    # ---- Documents in and out

    def _run_add(
        self,
        function: Any,
        items: Any,
        count: Any,
        progress: Progress,
        cancel: Optional[Cancel],
        on_change: Optional[Callable[[Change], object]] = None,
        dry_run: bool = False,
        metadata: Optional[Dict[str, Any]] = None,
        reading: Optional[Dict[str, Any]] = None,
    ) -> AddReport:
        call = Call(progress, cancel)
        options = _native.AddOptions.init(
            on_event=call.on_event, dry_run=int(dry_run), **(reading or {})
        )
        if metadata is not None:
            options.metadata = encode_metadata(metadata, "the files")
        if on_change is not None:
            options.on_change = _change_callback(call, on_change)
        report = _native.AddReport()
        try:
            call.run(
                function,
                self.handle,
                items,
                count,
                ctypes.byref(options),
                ctypes.byref(report),
            )
        except Error as error:
            error.report = read_report(report)
            raise
        return read_report(report)

    def add(
        self,
        paths: Union[PathLike, Iterable[PathLike]],
        progress: Progress = None,
        *,
        on_change: Optional[Callable[[Change], object]] = None,
        dry_run: bool = False,
        metadata: Optional[Dict[str, Any]] = None,
        ocr: Optional[str] = None,
        notebook_outputs: bool = False,
    ) -> AddReport:
        """Brings the index up to date with files and folders.

        New and changed files go in, files that are gone from below these paths go out, a renamed
        one keeps its chunks. Only chunks whose text is new are embedded. A file that cannot be read
        is a RagWarning and counts as skipped; a part of one is a RagWarning too, and the rest of the
        file goes in. Raises MismatchError if the index was made with
        another model. What an interrupted call had done is safe in the file.

        `on_change` is called with each Change that is safe in the file; it must not use the index.
        `dry_run`: nothing is changed; the report and `on_change` say what would be done.
        `metadata`: what JSON can hold, kept with each file over what it says of itself (front
        matter of Markdown, a title or author); a file that has not changed gets it without being
        embedded again, and keeps what it has if this is None.
        `ocr`: the languages of scans, as tesseract names them ("eng+chi_sim"): PDFs without text are
        recognised. "none": they are skipped; None: what RAG_OCR in the environment says. Raises
        InputError if tesseract, or a language, is not installed.
        `notebook_outputs`: of Jupyter notebooks the outputs of cells too, as far as they are text.
        A file for which these two make a difference is read again with them; what was indexed with
        them stays, also without, until it changes.
        """
        return self._add(
            paths, progress, None, on_change, dry_run, metadata, _reading(ocr, notebook_outputs)
        )

    def _add(
        self,
        paths: Union[PathLike, Iterable[PathLike]],
        progress: Progress,
        cancel: Optional[Cancel],
        on_change: Optional[Callable[[Change], object]] = None,
        dry_run: bool = False,
        metadata: Optional[Dict[str, Any]] = None,
        reading: Optional[Dict[str, Any]] = None,
    ) -> AddReport:
        items, count = names_array(paths_of(paths), "path")
        return self._run_add(
            lib.rag_index_add,
            items,
            count,
            progress,
            cancel,
            on_change,
            dry_run,
            metadata,
            reading,
        )

    def watch(
        self,
        paths: Union[PathLike, Iterable[PathLike]],
        on_change: Optional[Callable[[Change], object]] = None,
        *,
        stop: Optional[threading.Event] = None,
        progress: Progress = None,
        ocr: Optional[str] = None,
        notebook_outputs: bool = False,
    ) -> AddReport:
        """Brings the index up to date as `add` does, then follows changes of the files, until
        `stop` is set, in another thread, or `on_change` raises something, or Ctrl-C is typed.

        `on_change` is called with each Change that is safe in the file; it must not use the index,
        which may be searched from other threads meanwhile. Returns the sums of all that was done.
        Linux only: a UsageError elsewhere. `ocr`, `notebook_outputs`: as in `add`.
        """
        return self._watch(
            paths, on_change, _Stop(stop or threading.Event()), progress, _reading(ocr, notebook_outputs)
        )

    def _watch(
        self,
        paths: Union[PathLike, Iterable[PathLike]],
        on_change: Optional[Callable[[Change], object]],
        cancel: Cancel,
        progress: Progress,
        reading: Dict[str, Any],
    ) -> AddReport:
        items, count = names_array(paths_of(paths), "path")
        try:
            return self._run_add(
                lib.rag_index_watch,
                items,
                count,
                progress,
                cancel,
                on_change,
                reading=reading,
            )
        except Interrupted as error:
            if not cancel.wanted or error.report is None:
                raise
            return error.report

    def reindex(
        self,
        model: Union[PathLike, Model, None] = None,
        *,
        chunker: Optional[str] = None,
        max_tokens: Optional[int] = None,
        overlap: Optional[int] = None,
        context: Optional[str] = None,
        progress: Progress = None,
    ) -> ReindexReport:
        """Cuts and embeds all documents anew, from the texts in the index, with another model or
        chunker, while it is used.

        What is not named stays as it is, as far as the model allows. Interrupted, the index is as it
        was, and the same call goes on. This index, and others that name no model, go on with the new
        one; ids of chunks from before find nothing. Raises UsageError if the vectors come from
        outside.
        """
        return self._reindex(model, chunker, max_tokens, overlap, context, progress, None)

    def _reindex(
        self,
        model: Union[PathLike, Model, None],
        chunker: Optional[str],
        max_tokens: Optional[int],
        overlap: Optional[int],
        context: Optional[str],
        progress: Progress,
        cancel: Optional[Cancel],
    ) -> ReindexReport:
        call = Call(progress, cancel)
        options = _native.ReindexOptions.init(
            chunker=choice(chunker or "auto", _native.CHUNKER, "chunker"),
            max_tokens=at_least(max_tokens, 1, "max_tokens") or _native.AUTO,
            overlap=_native.AUTO if overlap is None else at_least(overlap, 0, "overlap"),
            context=choice(context or "auto", _native.CONTEXT, "context"),
            on_event=call.on_event,
        )
        report = _native.ReindexReport()
        borrowed: Optional[Handle] = None
        if isinstance(model, Model):
            borrowed = model.handle
            options.open_model = borrowed.borrow()
        else:
            options.model = encode_name(model, "model")
        try:
            call.run(
                lib.rag_index_reindex,
                self.handle,
                ctypes.byref(options),
                ctypes.byref(report),
            )
        finally:
            if borrowed is not None:
                borrowed.give_back()
        self._columns = 0
        return read_reindex_report(report)

    def put(
        self,
        sources: Iterable[Union[Source, str, Tuple[str, str]]],
        progress: Progress = None,
        *,
        ocr: Optional[str] = None,
        notebook_outputs: bool = False,
    ) -> AddReport:
        """Puts in documents that are no files, each in the place of an older one of its name.

        A source is a Source, a (name, text), or a text, which is named "text#0" and so on by its
        place. Raises InputError, which names the source that is wrong. `ocr`, `notebook_outputs`:
        as in `add`, for those of the format "file".
        """
        return self._put(sources, progress, None, _reading(ocr, notebook_outputs))

    def _put(
        self,
        sources: Iterable[Union[Source, str, Tuple[str, str]]],
        progress: Progress,
        cancel: Optional[Cancel],
        reading: Dict[str, Any],
    ) -> AddReport:
        listed = [as_source(source, i) for i, source in enumerate(sources)]
        given = SourceArray(listed, self._known_dimension)
        return self._run_add(
            lib.rag_index_put, given.items, len(listed), progress, cancel, reading=reading
        )

    def put_url(
        self,
        url: str,
        metadata: Optional[Dict[str, Any]] = None,
        progress: Progress = None,
        *,
        ocr: Optional[str] = None,
        notebook_outputs: bool = False,
    ) -> AddReport:
        """Fetches a page or file by http or https and puts it in under its address.

        `metadata` goes over what the page says of itself. Addresses of this machine and of private
        networks are refused, redirects to them too: NetworkError. `ocr`, `notebook_outputs`: as
        in `add`.
        """
        over = None if metadata is None else encode_metadata(metadata, "the page")
        return self._run_add(
            lib.rag_index_put_url,
            encode(url, "address"),
            over,
            progress,
            None,
            reading=_reading(ocr, notebook_outputs),
        )

    def _own_dimension(self) -> int:
        """Of the vectors in the file, 0 while it has none; counted once, for it stays."""
        if not self._columns:
            self._columns = self.info.dimension
        return self._columns

    def _known_dimension(self) -> int:
        found = self._own_dimension() or self._dimension
        if found:
            return found
        if isinstance(self._model, Model):
            return self._model.info.dimension
        with Model(self._model, models=self._models) as model:
            return model.info.dimension

    def remove(self, names: Union[PathLike, Iterable[PathLike], None] = None) -> int:
        """Takes out the documents of these names, and those at or below what is no document's name
        but a path; how many there were. None: all of the collection that the index was opened
        with; without one a UsageError."""
        items, count = (None, 0) if names is None else names_array(paths_of(names), "name")
        removed = ctypes.c_size_t()
        Call().run(lib.rag_index_remove, self.handle, items, count, ctypes.byref(removed))
        return removed.value

    def documents(
        self, names: Optional[Iterable[PathLike]] = None, *, texts: bool = False
    ) -> List[Document]:
        """The documents of these names (None: all), in the order of the names' bytes; a name that
        is not there is passed over. `texts`: read their texts too."""
        listed = None if names is None else paths_of(names)
        if listed is not None and not listed:
            return []
        items, count = (None, 0) if listed is None else names_array(listed, "name")
        found: List[Document] = []

        def each(item: Any, user: Any) -> None:
            found.append(read_document(item.contents, texts))

        call = Call()
        callback = _native.document_fn(call.guard(each))
        call.run(
            lib.rag_index_each_document, self.handle, items, count, int(texts), callback, None
        )
        return found

    def chunks(self, name: Optional[PathLike] = None) -> Iterator[Tuple[Chunk, int, memoryview[float]]]:
        """Each chunk of a document (None: of all, by the documents' names) with its id and its
        vector: float32 [dimension], L2 norm 1, as a memoryview that numpy.asarray takes without a
        copy. The index may be used meanwhile; each document is read at once. Raises NotFoundError if
        there is no document of that name."""
        if name is not None:
            yield from self._chunks_of(name)
            return
        for document in self.documents():
            try:
                found = self._chunks_of(document.name, document.collection)
            except NotFoundError:
                continue  # it has gone meanwhile
            yield from found

    def _chunks_of(
        self, name: PathLike, collection: Optional[str] = None
    ) -> List[Tuple[Chunk, int, memoryview[float]]]:
        size = self._own_dimension() * ctypes.sizeof(ctypes.c_float)
        found: List[Tuple[Chunk, int, memoryview[float]]] = []

        def each(item: Any, chunk_id: int, vector: int, user: Any) -> None:
            copied = memoryview(ctypes.string_at(vector, size)).cast("f")
            found.append((read_chunk(item.contents), chunk_id, copied))

        call = Call()
        callback = _native.vector_fn(call.guard(each))
        call.run(
            lib.rag_index_each_chunk,
            self.handle,
            encode_name(collection, "collection"),
            encode_name(name, "name"),
            callback,
            None,
        )
        return found

    def passage(
        self,
        hit: Union[Hit, int, PathLike],
        line: int = 0,
        *,
        before: Optional[int] = None,
        after: Optional[int] = None,
    ) -> Passage:
        """A chunk with what stands around it, from the text that is in the index, so that it is
        there also if the file has changed or is gone.

        `hit`: a Hit, the `chunk_id` of one, or a document's name or path: then the chunk that has
        this `line`, from 1; 0: the document's first. `before`, `after`: how many lines, blank
        ones not counted; None: 3. Raises NotFoundError if there is no such chunk, document or
        line; a document keeps the ids of its chunks until it changes.
        """
        options = _native.PassageOptions.init(
            before=_native.AUTO if before is None else at_least(before, 0, "before"),
            after=_native.AUTO if after is None else at_least(after, 0, "after"),
        )
        if isinstance(hit, Hit):
            hit = hit.chunk_id
        if isinstance(hit, int):
            if line:
                raise UsageError("a line belongs to a document's name, not to a chunk's id")
            function = lib.rag_index_get_passage
            given: List[Any] = [at_least(hit, 0, "chunk_id")]
        else:
            function = lib.rag_index_find_passage
            given = [encode_name(hit, "name"), at_least(line, 0, "line", UNSIGNED)]
        found = ctypes.POINTER(_native.Passage)()
        try:
            Call().run(
                function, self.handle, *given, ctypes.byref(options), ctypes.byref(found)
            )
            return read_passage(found.contents)
        finally:
            lib.rag_passage_free(found)

    # ---- Questions

    def _search_options(
        self,
        k: Optional[int],
        mode: str,
        candidates: Optional[int],
        vector: Any,
        filter: Dict[str, Any],
    ) -> Tuple[Any, Any]:
        options = _native.SearchOptions.init(
            k=at_least(k, 1, "k"),
            candidates=at_least(candidates, 1, "candidates"),
            mode=choice(mode, _native.MODE, "mode"),
            filter=native_filter(**filter),
        )
        if vector is None:
            return options, None
        floats = Floats(vector, "the question's vector")
        columns = floats.columns * (1 if floats.rows in (None, 1) else 0)
        dimension = self._own_dimension()
        if dimension and columns != dimension:
            raise InputError(
                f"the question's vector must have {dimension} values, as those of the index, "
                f"not {floats.columns}"
            )
        options.vector = floats.address
        return options, floats

    def search(
        self,
        question: str,
        *,
        k: int = 10,
        mode: str = "hybrid",
        candidates: Optional[int] = None,
        vector: Any = None,
        collection: Strings = None,
        path: Strings = None,
        format: Strings = None,
        since: Date = None,
        until: Date = None,
        where: Where = None,
        progress: Progress = None,
    ) -> List[Hit]:
        """The `k` best chunks for a question, best first; none is an empty list.

        `mode`: "hybrid", "dense" or "lexical"; `candidates`: how many of the best are reranked
        (None: 20); `vector`: of the question, float32 [dimension], L2 norm 1, for an index whose
        vectors come from outside.

        Only some documents are searched where these say so, each one value or several, of which
        one must do: `collection`; `path`, a pattern such as "notes/**/*.md" for a trailing part of
        the path, or for all of it from "/" on; `format`, "markdown" or "text". `since`, `until`:
        modified not before and not after a datetime, a date, or text such as "2024-05-01" or "7d"
        (ago). `where`: metadata, {"year": 2024} for those that are equal, or ["year>=2020",
        "tags=tea"], which must all hold, with = != < <= > >=.

        >>> index.search("entropy", path="notes/*.md", since="30d", where=["year>=2020"])
        """
        filter = dict(
            collection=collection, path=path, format=format, since=since, until=until, where=where
        )
        return self._search(question, k, mode, candidates, vector, progress, None, filter)

    def _search(
        self,
        question: str,
        k: int,
        mode: str,
        candidates: Optional[int],
        vector: Any,
        progress: Progress,
        cancel: Optional[Cancel],
        filter: Optional[Dict[str, Any]] = None,
    ) -> List[Hit]:
        data = encode(question, "question")
        if k < 0:
            raise UsageError(f"k must be at least 0, not {k}")
        options, keep = self._search_options(k or 1, mode, candidates, vector, filter or {})
        if not k:
            return []
        call = Call(progress, cancel)
        options.on_event = call.on_event
        found = ctypes.c_void_p()
        try:
            call.run(
                lib.rag_search,
                self.handle,
                native_text(data),
                ctypes.byref(options),
                ctypes.byref(found),
            )
            return read_hits(found)
        finally:
            lib.rag_hits_free(found)
            del keep

    def _ask(
        self,
        question: str,
        on_text: Optional[Callable[[str], object]],
        cancel: Optional[Cancel],
        *,
        llm: Union[str, Chat, None] = None,
        k: Optional[int] = None,
        mode: str = "hybrid",
        candidates: Optional[int] = None,
        vector: Any = None,
        collection: Strings = None,
        path: Strings = None,
        format: Strings = None,
        since: Date = None,
        until: Date = None,
        where: Where = None,
        context_tokens: Optional[int] = None,
        history: Optional[Sequence[MessageLike]] = None,
        history_tokens: Optional[int] = None,
        min_evidence: Optional[float] = None,
        max_tokens: Optional[int] = None,
        temperature: Optional[float] = 0.0,
        connect_timeout: Optional[float] = None,
        first_timeout: Optional[float] = None,
        idle_timeout: Optional[float] = None,
        retries: int = _native.CHAT_RETRIES,
        progress: Progress = None,
    ) -> Answer:
        data = encode(question, "question")
        call = Call(progress, cancel)
        filter = dict(
            collection=collection, path=path, format=format, since=since, until=until, where=where
        )
        search, keep = self._search_options(k, mode, candidates, vector, filter)
        search.on_event = call.on_event
        chat = chat_options(
            max_tokens=max_tokens,
            temperature=temperature,
            connect_timeout=connect_timeout,
            first_timeout=first_timeout,
            idle_timeout=idle_timeout,
            retries=retries,
        )
        listen(chat, call, on_text)
        turns, count = messages_array(list(history or ()))
        options = _native.AskOptions.init(
            search=search,
            llm=None if isinstance(llm, Chat) else encode_name(llm, "llm"),
            llm_options=_native.LlmOptions.init(),
            chat=chat,
            context_tokens=at_least(context_tokens, 1, "context_tokens"),
            history=ctypes.cast(turns, ctypes.POINTER(_native.Message)),
            history_count=count,
            history_tokens=at_least(history_tokens, 1, "history_tokens"),
            min_evidence=_evidence(min_evidence),
        )
        hold: Tuple[Handle, ...] = ()
        if isinstance(llm, Chat):
            options.open_chat = llm.handle.address
            hold = (llm.handle,)
        made = ctypes.c_void_p()
        try:
            call.run(
                lib.rag_ask,
                self.handle,
                native_text(data),
                ctypes.byref(options),
                ctypes.byref(made),
                hold=hold,
            )
            return read_answer(made)
        finally:
            lib.rag_answer_free(made)
            del keep

    def ask(
        self,
        question: str,
        *,
        llm: Union[str, Chat, None] = None,
        on_text: Optional[Callable[[str], object]] = None,
        **options: Any,
    ) -> Answer:
        """Answers a question from the best passages, with citations.

        `llm`: "PROVIDER:MODEL", an open Chat, or "none" to quote the best passages; None: RAG_LLM,
        else none. `on_text`: called with pieces of the answer as they arrive.

        Options:
          k, mode, candidates, vector   as in `search`
          context_tokens    for the passages, by the embedding model's tokenizer (2048)
          history           the turns so far, oldest first: messages as in `Chat.complete`
          history_tokens    the newest turns that fit are kept (1024)
          min_evidence      0..1; below it the answer is that the documents do not say (0.1);
                            0: always answer
          max_tokens        of the answer (1024)
          temperature       0; None: the server's default
          connect_timeout, first_timeout, idle_timeout, retries   as in `Chat.complete`
          progress          True for a bar, or a function called with each Event

        Raises NotFoundError if there is no passage at all, and what `Chat.complete` raises.
        """
        return self._ask(question, on_text, None, llm=llm, **options)

    def ask_work(self, question: str, **options: Any) -> AskWork:
        """What a stream of an answer runs."""

        def work(put: Callable[[str], object], cancel: Cancel) -> Answer:
            return self._ask(question, put, cancel, **options)

        return work

    def ask_stream(
        self, question: str, *, llm: Union[str, Chat, None] = None, **options: Any
    ) -> AnswerStream:
        """As `ask`, piece by piece; `answer` of the stream is the whole after its end. Nothing is
        done before the first piece is asked for."""
        return AnswerStream(self.ask_work(question, llm=llm, **options))

    # ---- The file

    @property
    def info(self) -> IndexInfo:
        """What the index holds now."""
        pointer_to = ctypes.POINTER(_native.IndexInfo)()
        with self.handle.use(), self._info_lock:
            Call().run(lib.rag_index_get_info, self.handle, ctypes.byref(pointer_to))
            info = pointer_to.contents
            return IndexInfo(
                path=decode(info.path),
                model=decode(info.model),
                model_identity=decode(info.model_identity),
                chunker=decode(info.chunker),
                format=info.format,
                dimension=info.dimension,
                max_tokens=info.max_tokens,
                overlap=info.overlap,
                documents=info.documents,
                chunks=info.chunks,
                tokens=info.tokens,
                bytes=info.bytes,
                collections={
                    decode(item.name): item.documents
                    for item in info.collections[: info.collection_count]
                },
            )

    def verify(self, *, vectors: int = 0, progress: Progress = None) -> List[Problem]:
        """Checks the file; each thing that is wrong, none if all is well. `vectors`: of how many
        chunks the vectors are computed again and compared, if the model is installed."""
        return self._verify(vectors, progress, None)

    def _verify(
        self, vectors: int, progress: Progress, cancel: Optional[Cancel]
    ) -> List[Problem]:
        problems: List[Problem] = []
        call = Call(progress, cancel)
        options = _native.VerifyOptions.init(
            on_problem=problem_listener(call, problems),
            on_event=call.on_event,
            vectors=at_least(vectors, 0, "vectors"),
        )
        try:
            call.run(lib.rag_index_verify, self.handle, ctypes.byref(options))
        except StoreError:
            if not problems:
                raise
        return problems

    def compact(self, *, progress: Progress = None) -> CompactReport:
        """Makes the file as small as it can be, in one transaction: gives back the room that
        updates and removals left. Others wait meanwhile, and there are two more copies: one
        beside the file, one in the folder for temporary files."""
        return self._compact(progress, None)

    def _compact(self, progress: Progress, cancel: Optional[Cancel]) -> CompactReport:
        call = Call(progress, cancel)
        options = _native.CompactOptions.init(on_event=call.on_event)
        report = _native.CompactReport()
        call.run(lib.rag_index_compact, self.handle, ctypes.byref(options), ctypes.byref(report))
        return CompactReport(**_native.numbers(report))

    def __len__(self) -> int:
        """How many chunks it holds."""
        return self.info.chunks

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return f"<rag.Index {self.info.path}>" if not self.handle.closed else "<rag.Index closed>"

    # ---- The same in tasks

    async def aadd(
        self,
        paths: Union[PathLike, Iterable[PathLike]],
        progress: Progress = None,
        *,
        ocr: Optional[str] = None,
        notebook_outputs: bool = False,
    ) -> AddReport:
        """`add` in a thread; cancelling the task stops it, and what was done is safe."""
        reading = _reading(ocr, notebook_outputs)
        return await in_thread(
            lambda cancel: self._add(paths, progress, cancel, reading=reading)
        )

    async def awatch(
        self,
        paths: Union[PathLike, Iterable[PathLike]],
        on_change: Optional[Callable[[Change], object]] = None,
        progress: Progress = None,
        *,
        ocr: Optional[str] = None,
        notebook_outputs: bool = False,
    ) -> AddReport:
        """`watch` in a thread, until the task is cancelled. `on_change` is called in that thread."""
        reading = _reading(ocr, notebook_outputs)
        return await in_thread(
            lambda cancel: self._watch(paths, on_change, cancel, progress, reading)
        )

    async def areindex(
        self,
        model: Union[PathLike, Model, None] = None,
        *,
        chunker: Optional[str] = None,
        max_tokens: Optional[int] = None,
        overlap: Optional[int] = None,
        context: Optional[str] = None,
        progress: Progress = None,
    ) -> ReindexReport:
        """`reindex` in a thread; cancelling the task stops it, and calling it again goes on."""
        return await in_thread(
            lambda cancel: self._reindex(
                model, chunker, max_tokens, overlap, context, progress, cancel
            )
        )

    async def aput(
        self,
        sources: Iterable[Union[Source, str, Tuple[str, str]]],
        progress: Progress = None,
        *,
        ocr: Optional[str] = None,
        notebook_outputs: bool = False,
    ) -> AddReport:
        """`put` in a thread; cancelling the task stops it, and what was done is safe."""
        reading = _reading(ocr, notebook_outputs)
        return await in_thread(lambda cancel: self._put(sources, progress, cancel, reading))

    async def asearch(
        self,
        question: str,
        *,
        k: int = 10,
        mode: str = "hybrid",
        candidates: Optional[int] = None,
        vector: Any = None,
        collection: Strings = None,
        path: Strings = None,
        format: Strings = None,
        since: Date = None,
        until: Date = None,
        where: Where = None,
        progress: Progress = None,
    ) -> List[Hit]:
        """`search` in a thread; cancelling the task stops it."""
        filter = dict(
            collection=collection, path=path, format=format, since=since, until=until, where=where
        )
        return await in_thread(
            lambda cancel: self._search(
                question, k, mode, candidates, vector, progress, cancel, filter
            )
        )

    async def aask(
        self,
        question: str,
        *,
        llm: Union[str, Chat, None] = None,
        on_text: Optional[Callable[[str], object]] = None,
        **options: Any,
    ) -> Answer:
        """`ask` in a thread; cancelling the task stops it."""
        return await in_thread(
            lambda cancel: self._ask(question, on_text, cancel, llm=llm, **options)
        )

    def aask_stream(
        self, question: str, *, llm: Union[str, Chat, None] = None, **options: Any
    ) -> AsyncAnswerStream:
        """`ask_stream` for `async for`; cancelling the task stops it."""
        return AsyncAnswerStream(self.ask_work(question, llm=llm, **options))

    async def acompact(self, *, progress: Progress = None) -> CompactReport:
        """`compact` in a thread; cancelling the task stops it, and the file is as it was."""
        return await in_thread(lambda cancel: self._compact(progress, cancel))

    async def averify(self, *, vectors: int = 0, progress: Progress = None) -> List[Problem]:
        """`verify` in a thread; cancelling the task stops it."""
        return await in_thread(lambda cancel: self._verify(vectors, progress, cancel))


def _evidence(value: Optional[float]) -> float:
    """0 is the default in rag.h, and "always answer" here."""
    if value is None:
        return 0.0
    if not 0 <= value <= 1:
        raise UsageError(f"min_evidence must be within 0..1, not {value}")
    return float(value) if value > 0 else -1.0


def _reading(ocr: Optional[str], notebook_outputs: bool) -> Dict[str, Any]:
    """How files are read, as librag's options."""
    return {"ocr": encode_name(ocr, "ocr"), "notebook_outputs": int(notebook_outputs)}


def chunk_paths(
    paths: Union[PathLike, Iterable[PathLike]],
    *,
    tokenizer: Union[Tokenizer, Model, PathLike, None] = None,
    chunker: str = "structure",
    max_tokens: Optional[int] = None,
    overlap: Optional[int] = None,
    context: str = "heading",
    progress: Progress = None,
    on_skip: str = "warn",
    ocr: Optional[str] = None,
    notebook_outputs: bool = False,
) -> Stream[Chunk]:
    """Reads files and folders: an iterator of their chunks, in order of path.

    `tokenizer` counts: a Tokenizer, a Model, a name or file, None for the default model's.
    `chunker`: "structure" or "window"; `max_tokens` of a chunk (None: 400); `overlap` in tokens
    (None: none for structure, a quarter for window). `context`: what is embedded before a chunk's
    text and counts in it, "none", "heading" (the heading path) or "document" (its name too).
    `on_skip`: a file, or a part of one, that cannot be read is a
    RagWarning ("warn"), an InputError ("raise") or nothing ("ignore"). `ocr`,
    `notebook_outputs`: as in `Index.add`.
    """
    if on_skip not in ("warn", "raise", "ignore"):
        raise UsageError(f"on_skip {on_skip!r} is not one of 'warn', 'raise', 'ignore'")
    items, count = names_array(paths_of(paths), "path")
    options = _native.ChunkOptions.init(
        chunker=choice(chunker, _native.CHUNKER, "chunker"),
        max_tokens=at_least(max_tokens, 1, "max_tokens") or _native.AUTO,
        overlap=_native.AUTO if overlap is None else at_least(overlap, 0, "overlap"),
        context=choice(context, _native.CONTEXT, "context"),
        **_reading(ocr, notebook_outputs),
    )
    own: Optional[Tokenizer] = None
    if isinstance(tokenizer, Model):
        tokenizer = tokenizer.tokenizer
    elif not isinstance(tokenizer, Tokenizer):
        tokenizer = own = Tokenizer(tokenizer)
    handle = tokenizer.handle
    skip = functools.partial(_skip, on_skip)

    def work(put: Callable[[Chunk], None], cancel: Cancel) -> None:
        call = Call(progress, cancel, skip)
        options.on_event = call.on_event

        def each(item: Any, user: Any) -> None:
            put(read_chunk(item.contents))

        callback = _native.chunk_fn(call.guard(each))
        try:
            call.run(
                lib.rag_chunk_paths,
                handle,
                items,
                count,
                ctypes.byref(options),
                callback,
                None,
                None,
            )
        finally:
            if own is not None:
                own.close()

    return Stream(work)


def _skip(on_skip: str, message: str) -> None:
    if on_skip == "raise":
        raise InputError(message)
    if on_skip == "warn":
        warn(message)


def nearest(vectors: Any, query: Any, k: int) -> List[Tuple[int, float]]:
    """The `k` of `vectors` with the greatest cosine with `query`, exactly: (position, cosine), best
    first, equal ones by position.

    `vectors`: float32 [n x dimension], `query`: [dimension], of any norm; ndarrays that are float32
    and C-contiguous are not copied, lists of lists of float are. A vector of norm 0 or with a value
    that is not finite has cosine 0. `k` = 0 gives nothing, more than there are gives all.
    """
    if k < 0:
        raise UsageError(f"k must be at least 0, not {k}")
    table, one = Floats(vectors, "vectors"), Floats(query, "query")
    rows = table.rows or 0
    if table.rows is None and table.columns:
        raise InputError("vectors must be a list of vectors, not one")
    if not rows or not k:
        return []
    if one.rows is not None or one.columns != table.columns:
        raise InputError(
            f"query must be one vector of {table.columns} values, as the others, not "
            f"{one.columns}"
        )
    count = min(k, rows)
    positions, scores = (ctypes.c_size_t * count)(), (ctypes.c_float * count)()
    found = ctypes.c_size_t()
    Call().run(
        lib.rag_nearest,
        table.address,
        rows,
        table.columns,
        one.address,
        count,
        positions,
        scores,
        ctypes.byref(found),
    )
    return list(zip(positions[: found.value], scores[: found.value]))
