"""The notebook's readers: files in, pieces of text out.

    docs = ReadFiles("../data/1").get_content(max_token_len=1024, cover_content=256)
"""
from __future__ import annotations

import json
import os
import pathlib
import tempfile
from typing import Any, List, Union

from ._arguments import encode
from ._call import warn
from ._settings import MissingFileError, open_tokenizer
from .errors import InputError, UsageError
from .documents import Chunk
from .index import chunk_paths
from .model import Tokenizer


def _windows(path: str, tokenizer: Tokenizer, max_token_len: int, cover_content: int
             ) -> List[Chunk]:
    if max_token_len < 1:
        raise UsageError(f"max_token_len is {max_token_len}; it must be 1 or more")
    cover = min(max(cover_content, 0), max_token_len - 1)
    if cover != cover_content:
        warn(f"cover_content is {cover_content}, taken as {cover}: pieces of {max_token_len} tokens "
             f"share from 0 to {max_token_len - 1}")
    return list(chunk_paths([path], tokenizer=tokenizer, chunker="window",
                            max_tokens=max_token_len, overlap=cover))


class ReadFiles:
    """Reads a file, or a folder with all below it, and cuts it into windows of tokens.

    Args:
        path: of the file or folder. Which files of a folder are read, docs/d2l.md says; one
            that can't be read gives a warning and is passed over.

    Raises:
        rag.InputError: there is no such file (it is a FileNotFoundError too).
    """

    def __init__(self, path: Union[str, os.PathLike[str]]) -> None:
        self.path = os.fspath(path)
        if not os.path.exists(self.path):
            raise MissingFileError(f"there is no file or folder {self.path} (from "
                                   f"{os.getcwd()})")

    def get_content(self, max_token_len: int = 600, cover_content: int = 150) -> List[Chunk]:
        """The pieces, in order of path.

        Args:
            max_token_len: tokens of a piece, by the tokenizer of the configured embedding model
                (RAG_EMBEDDING_MODEL, else BAAI/bge-m3), without special tokens.
            cover_content: tokens that a piece shares with the one before; what is not within 0
                and max_token_len - 1 is taken as the nearer of them, with a warning.

        Returns:
            Strings that also know their document, lines and heading (`rag.Chunk`).

        Raises:
            rag.ModelMissingError: the model whose tokenizer counts is not installed.
        """
        with open_tokenizer() as tokenizer:
            return _windows(self.path, tokenizer, max_token_len, cover_content)

    @classmethod
    def get_chunk(cls, text: str, max_token_len: int = 600, cover_content: int = 150
                  ) -> List[Chunk]:
        """The pieces of one text; as `get_content`."""
        with tempfile.TemporaryDirectory(prefix="rag-") as folder, open_tokenizer() as tokenizer:
            path = os.path.join(folder, "text.txt")
            pathlib.Path(path).write_bytes(encode(text, "the text"))
            return _windows(path, tokenizer, max_token_len, cover_content)


class Documents:
    """A JSON file with documents, as older notebooks keep them.

    Args:
        path: of the file.
    """

    def __init__(self, path: Union[str, os.PathLike[str]] = "") -> None:
        self.path = os.fspath(path)

    def get_content(self) -> Any:
        """What the file holds.

        Raises:
            rag.InputError: there is no such file (then a FileNotFoundError too), or it is no
                JSON.
        """
        try:
            return json.loads(pathlib.Path(self.path).read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise MissingFileError(f"there is no file {self.path}") from error
        except OSError as error:
            raise InputError(f"{self.path} can't be read: {error.strerror}") from error
        except (ValueError, RecursionError) as error:
            raise InputError(f"{self.path} is not JSON: {error}") from error
