"""The notebook's rerankers: the best of a few passages for a question."""
from __future__ import annotations

import warnings
from typing import List, Sequence

from ._architecture import Architecture
from ._settings import (EMBEDDING_MODEL, EMBEDDING_VARIABLE, LATE_INTERACTION, RERANKER_MODEL,
                        RERANKER_VARIABLE, check_device, embedding_name, open_model, reranker_name)
from .errors import RagWarning, UsageError

_SPECIAL_TOKENS = 4  # of a pair: <s> question </s></s> passage </s>


class BaseRanker:
    """What rerankers have in common; one of your own derives from it.

    Args:
        path: the model's name or folder.
    """

    def __init__(self, path: str = "") -> None:
        self.path = path

    def rerank(self, text: str, content: Sequence[str], k: int) -> List[str]:
        """The `k` texts of `content` that answer `text` best, best first."""
        raise NotImplementedError


class BgeReranker(BaseRanker):
    """Scores each passage together with the question.

    A cross-encoder gives its logit for the pair, and reads as much of a pair as it takes: one
    warning says it when passages are longer. An embedding model scores by late interaction
    (MaxSim), over the whole passage.

    Args:
        path: the model's name or folder. The default is replaced by RAG_RERANKER_MODEL, if that
            is set: a name, a folder, or "late-interaction" for the embedding model's.
        device: the work is done on the CPU; any other device gives one warning.

    Attributes:
        model: the `rag.Model`.

    Raises:
        rag.ModelMissingError: the model is not installed.
    """

    def __init__(self, path: str = RERANKER_MODEL, device: str = "cpu") -> None:
        super().__init__(path)
        check_device(device)
        name, variable = reranker_name(path), RERANKER_VARIABLE
        if name == LATE_INTERACTION:
            name, variable = embedding_name(EMBEDDING_MODEL), EMBEDDING_VARIABLE
        self.model = open_model(name, variable)
        info = self.model.info
        self._warned = False
        self._model = Architecture(info.folder, info.architecture,
                                   classifier="logit" in info.heads)

    def rerank(self, text: str, content: Sequence[str], k: int) -> List[str]:
        """The best passages for a question.

        Args:
            text: the question.
            content: the passages.
            k: how many to give back; 0 gives none, more than there are gives all.

        Returns:
            The passages themselves, best first, equal ones in the order given.
        """
        if k < 0:
            raise UsageError(f"k is {k}; it must be 0 or more")
        passages = list(content)
        if not passages or k == 0:
            return []
        self._check_lengths(text, passages)
        scores = self.model.rerank(text, passages)
        order = sorted(range(len(passages)), key=lambda i: -scores[i])
        return [passages[i] for i in order[:k]]

    def _check_lengths(self, text: str, passages: Sequence[str]) -> None:
        info = self.model.info
        if self._warned or "logit" not in info.heads:
            return
        room = info.max_tokens - _SPECIAL_TOKENS - self.model.count_tokens(text)
        long = sum(self.model.count_tokens(passage) > room for passage in passages)
        if long:
            self._warned = True
            warnings.warn(f"{long} of {len(passages)} passages are longer than {info.name} reads "
                          f"({info.max_tokens} tokens with the question): their ends don't count",
                          RagWarning, stacklevel=3)
