"""What surrounds a notebook: which models stand in for those that it names, keys, devices.

RAG_EMBEDDING_MODEL  the model that BgeEmbedding() and ReadFiles use: a name or a folder
RAG_RERANKER_MODEL   the model that BgeReranker() uses: a name, a folder or "late-interaction"

They take the place of the default names only: a model that the code names is used as named.
"""
from __future__ import annotations

import os
import pathlib
import warnings
import weakref
from typing import Callable, Dict, MutableMapping, Optional, Set, Tuple, TypeVar

from .errors import InputError, ModelMissingError, RagWarning
from .model import Model, Tokenizer, models

EMBEDDING_MODEL = "BAAI/bge-m3"
RERANKER_MODEL = "BAAI/bge-reranker-base"
LATE_INTERACTION = "late-interaction"

EMBEDDING_VARIABLE = "RAG_EMBEDDING_MODEL"
RERANKER_VARIABLE = "RAG_RERANKER_MODEL"

_T = TypeVar("_T", Model, Tokenizer)


class MissingFileError(InputError, FileNotFoundError):
    """A file or folder that was named is not there."""


def embedding_name(path: str) -> str:
    """The model that `path` stands for: RAG_EMBEDDING_MODEL instead of the default, if set."""
    return (path == EMBEDDING_MODEL and os.environ.get(EMBEDDING_VARIABLE)) or path


def reranker_name(path: str) -> str:
    """The reranker that `path` stands for: RAG_RERANKER_MODEL instead of the default, if set."""
    return (path == RERANKER_MODEL and os.environ.get(RERANKER_VARIABLE)) or path


def _open(name: str, variable: str, kind: Callable[[str], _T]) -> _T:
    try:
        return kind(name)
    except ModelMissingError as error:
        others = [model.name for model in models()]
        ways = [f"get it with `rag model pull {name}`"] if name.count("/") == 1 else []
        ways.append(f"set {variable} to another model's name or folder")
        if variable == RERANKER_VARIABLE:
            ways.append(f"set {variable}={LATE_INTERACTION} to rerank with the embedding model")
        raise ModelMissingError(f"the model {name} is not installed: {', or '.join(ways)} "
                                f"(installed: {', '.join(others) or 'none'})") from error


def open_tokenizer() -> Tokenizer:
    """The tokenizer of the configured embedding model."""
    return _open(embedding_name(EMBEDDING_MODEL), EMBEDDING_VARIABLE, Tokenizer)


_models: MutableMapping[Tuple[str, Optional[str]], Model] = weakref.WeakValueDictionary()


def open_model(name: str, variable: str) -> Model:
    """The model, once for all who use it: notebooks make the same embedding again and again."""
    key = name, os.environ.get("RAG_MODELS")
    model = _models.get(key)
    if model is None:
        model = _models[key] = _open(name, variable, Model)
    return model


_warned: Set[str] = set()


def check_device(device: object) -> None:
    """Warns, once for each device, that the work is done by the CPU."""
    name = str(device)
    if name != "cpu" and name not in _warned:
        _warned.add(name)
        warnings.warn(f"device={name!r}: this build of rag computes on the CPU, and does so now",
                      RagWarning, stacklevel=3)


def _read_dotenv(path: pathlib.Path) -> Dict[str, str]:
    """NAME=VALUE lines, with or without `export`, quotes and comments."""
    values = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        name, equals, value = line.partition("=")
        name, value = name.strip(), value.strip()
        if name.startswith("export "):
            name = name[len("export "):].strip()
        if not equals or name.startswith("#"):
            continue
        if value[:1] in ("'", '"') and value.find(value[0], 1) > 0:
            value = value[1:value.index(value[0], 1)]
        else:
            value = value.split(" #")[0].rstrip()
        values[name] = value
    return values


def _dotenv() -> Dict[str, str]:
    """The `.env` of the working folder or the nearest one above it. One that belongs to
    somebody else is not read: it could send documents to that person's server."""
    folder = pathlib.Path.cwd()
    for path in (parent / ".env" for parent in (folder, *folder.parents)):
        try:
            if path.is_file():
                return _read_dotenv(path) if path.stat().st_uid == os.getuid() else {}
        except OSError:
            return {}
    return {}


def credentials(key_variable: str, url_variable: str) -> Tuple[Optional[str], Optional[str]]:
    """The key and the base URL of a provider: the environment's, else those of a `.env` file.

    A key of the environment goes to the environment's URL only, never to that of a file which
    happens to lie in the working folder. None: not set.
    """
    key, url = os.environ.get(key_variable), os.environ.get(url_variable)
    if not key:
        values = _dotenv()
        key = values.get(key_variable)
        url = url or values.get(url_variable)
    return key or None, url or None
