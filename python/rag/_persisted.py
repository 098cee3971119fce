"""The files of `VectorStore`.

`{file}.rag` is an index of rag. Consecutive chunks of one document are one source of it, named
as the document, whose text is theirs joined by newlines: chunks of a notebook overlap, and
their document's text is not at hand. Other texts that follow each other are a source too, named
"{file}-{number of the first}": one each would be a transaction each.
What the source's own chunks can't say (the document's name where it comes again, and the
chunks' places in the document) is in the source's metadata:

    {"document": NAME, "chunks": [[number, begin, end, tokens], ...]}

`{file}_doc.json` and `{file}_vec.json`, [text, ...] and [[number, ...], ...], come from the
system that the notebook was written for, `doecment.json` and `vectors.json` from an older one.
"""
from __future__ import annotations

import array
import contextlib
import json
import math
import os
import pathlib
import shutil
import sqlite3
import tempfile
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

from ._arguments import encode
from ._settings import EMBEDDING_VARIABLE, open_model
from .errors import InputError, MismatchError, StoreBusyError, StoreError
from .documents import Chunk, Source
from .index import Index
from .model import Model


class Origin(NamedTuple):
    """Who made the vectors: a name for people, what differs between models, and whether it is a
    model of rag."""

    name: str
    identity: str
    local: bool


class Found(NamedTuple):
    """A store on disk: one index, or the file of texts and that of vectors."""

    files: Tuple[pathlib.Path, ...]
    modified: int  # nanoseconds


#: Names of what is no model of rag have a colon, as no name on the hub has.
_UNKNOWN = Origin("unknown:", "unknown:", False)
_WAIT = 10.0  # seconds, for a writer of the old index
_MOST_LINES = 1 << 20  # put after a text
_MOST = 8192  # chunks of one source, whose metadata is bounded


def find(folder: pathlib.Path, file: str) -> Optional[Found]:
    """The store of this name in the folder, if there is one."""
    candidates = [(folder / f"{file}.rag",),
                  (folder / f"{file}_doc.json", folder / f"{file}_vec.json")]
    if file == "file":
        candidates.append((folder / "doecment.json", folder / "vectors.json"))
    for files in candidates:
        if files[0].is_file():
            return Found(files, max(f.stat().st_mtime_ns for f in files if f.is_file()))
    return None


def read(found: Found) -> Tuple[List[str], List[List[float]], Optional[Origin]]:
    """Texts, vectors, and who made them: None where the files don't say."""
    if len(found.files) == 1:
        return _read_index(found.files[0])
    texts, vectors = _read_json(*found.files)
    return texts, vectors, None


def matrix(vectors: Sequence[Sequence[float]]) -> Any:
    """[n x dimension] float32, which `nearest` reads where it lies; numpy is not needed."""
    flat = array.array("f")
    for vector in vectors:
        flat.extend(vector)
    return memoryview(flat).cast("B").cast("f", (len(vectors), len(vectors[0])))


# ---- JSON ---------------------------------------------------------------------------------------

def _load(path: pathlib.Path) -> List[Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON: {error}") from error
    if not isinstance(value, list):
        raise InputError(f"{path} holds no list")
    return value


def _is_vector(value: object) -> bool:
    return (isinstance(value, list) and bool(value) and
            all(type(v) in (int, float) and abs(v) < 3e38 for v in value))  # also false for NaN


def _read_json(doc: pathlib.Path, vec: pathlib.Path) -> Tuple[List[str], List[List[float]]]:
    texts, vectors = _load(doc), _load(vec)
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise InputError(f"{doc}: item {i} is no text")
    if len(texts) != len(vectors):
        raise InputError(f"{doc} has {len(texts)} texts and {vec} has {len(vectors)} vectors: "
                         "they don't belong together")
    for i, vector in enumerate(vectors):
        if not _is_vector(vector):
            raise InputError(f"{vec}: item {i} is no list of finite numbers")
        if len(vector) != len(vectors[0]):
            raise InputError(f"{vec}: item {i} has {len(vector)} numbers, item 0 has "
                             f"{len(vectors[0])}")
    return texts, [[float(v) for v in vector] for vector in vectors]


# ---- the index ----------------------------------------------------------------------------------

def write(target: pathlib.Path, file: str, texts: Sequence[str],
          vectors: Sequence[Sequence[float]], origin: Optional[Origin], model: Optional[Model]
          ) -> None:
    """Writes an index beside the target and moves it there.

    origin: who made the vectors, None if that is not known. model: if it is a model of rag that
    is open.
    """
    origin = origin or _UNKNOWN
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        fresh = folder / target.name
        if model is None and origin.local:
            model = _same_model(origin)
        with Index(fresh, model=model or origin.name,
                   dimension=None if model else len(vectors[0])) as index:
            index.put(_sources(file, texts, vectors))
        with _locked(target):
            os.replace(fresh, target)
        _sync(target.parent)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _same_model(origin: Origin) -> Model:
    """The model that made the vectors of a store that was loaded."""
    model = open_model(origin.name, EMBEDDING_VARIABLE)
    if model.info.identity != origin.identity:
        raise MismatchError(f"the store was made with another version of {origin.name} than is "
                            "installed: call get_vector before persist")
    return model


@contextlib.contextmanager
def _locked(target: pathlib.Path) -> Iterator[None]:
    """Keeps writers away from the old index while the new one takes its place, and has SQLite
    play back the journal of a writer that was killed: it would be taken for the new file's."""
    if not target.exists():
        yield
        return
    with contextlib.closing(sqlite3.connect(target, timeout=_WAIT, isolation_level=None)) as old:
        try:
            old.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            raise StoreBusyError(f"{target} can't be replaced, for another process is using it "
                                 f"({error}); try again") from error
        except sqlite3.DatabaseError as error:
            raise StoreError(f"{target} is no index of rag ({error}) and is left as it is; name "
                             "another file") from error
        yield


def _sync(folder: pathlib.Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _unit(vector: Sequence[float], number: int) -> List[float]:
    norm = math.hypot(*vector)
    if not math.isfinite(norm) or norm == 0:
        raise InputError(f"the vector of document {number} has no direction (its norm is "
                         f"{norm}), so that nothing can be near it; leave the document out")
    return list(vector) if abs(norm - 1) < 1e-5 else [v / norm for v in vector]


def _groups(texts: Sequence[str]) -> Iterator[Tuple[str, int, int]]:
    """(document, from, to): stretches of chunks of one document, "" for any other texts."""
    begin = 0
    while begin < len(texts):
        name, end = _document(texts[begin]), begin + 1
        most = min(len(texts), begin + _MOST)
        while end < most and _document(texts[end]) == name:
            end += 1
        yield name, begin, end
        begin = end


def _document(text: str) -> str:
    return text.document if isinstance(text, Chunk) else ""


def _sources(file: str, texts: Sequence[str], vectors: Sequence[Sequence[float]]
             ) -> Iterator[Source]:
    names = {_document(text) for text in texts}
    used: Set[str] = set()
    for document, begin, end in _groups(texts):
        name = document
        number = begin + 1
        while not name or name in used or (name != document and name in names):
            name = f"{document or file}-{number}"
            number += 1
        used.add(name)
        yield _source(name, document, begin, texts[begin:end],
                      [_unit(vectors[i], i) for i in range(begin, end)])


def _source(name: str, document: str, first: int, texts: Sequence[str],
            vectors: List[List[float]]) -> Source:
    """One document of the index from the texts number `first` and following."""
    chunks, places, at = [], [], 0
    for number, text in enumerate(texts):
        end = at + len(encode(text, f"document {first + number}"))
        if isinstance(text, Chunk):
            places.append([text.number, text.begin, text.end, text.tokens])
            chunks.append(Chunk(text, document=name, heading=text.heading, number=number,
                                begin=at, end=end, line=text.line, last_line=text.last_line,
                                tokens=text.tokens))
        else:
            chunks.append(Chunk(text, document=name, begin=at, end=end))
        at = end + 1
    text = "\n".join(texts)
    # The lines are those of the document, and must be lines of the source too.
    missing = max(chunk.last_line for chunk in chunks) - 1 - text.count("\n") - text.count("\r")
    text += "\n" * min(max(missing, 0), _MOST_LINES)
    metadata = {"document": document, "chunks": places} if document else {}
    return Source(name, text, metadata=metadata, chunks=chunks, vectors=vectors)


def _read_index(path: pathlib.Path) -> Tuple[List[str], List[List[float]], Optional[Origin]]:
    with Index(path, must_exist=True) as index:
        info = index.info
        metadata = {document.name: document.metadata for document in index.documents()}
        rows = [(number, _restored(chunk, metadata.get(chunk.document, {})), list(vector))
                for chunk, number, vector in index.chunks()]
    rows.sort(key=lambda row: row[0])  # the order in which they were put in
    texts: List[str] = [text for _, text, _ in rows]
    vectors = [vector for _, _, vector in rows]
    if info.model == _UNKNOWN.name:
        return texts, vectors, None
    local = info.model.startswith("/") or ":" not in info.model
    return texts, vectors, Origin(info.model, info.model_identity, local)


def _restored(chunk: Chunk, metadata: Dict[str, Any]) -> Chunk:
    """The chunk with its place in the document that it was cut from."""
    try:
        number, begin, end, tokens = map(int, metadata["chunks"][chunk.number])
        return Chunk(chunk, document=str(metadata["document"]), heading=chunk.heading,
                     number=number, begin=begin, end=end, line=chunk.line,
                     last_line=chunk.last_line, tokens=tokens)
    except (KeyError, IndexError, TypeError, ValueError):
        return chunk  # of an index that VectorStore did not write
