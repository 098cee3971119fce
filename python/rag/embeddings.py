"""The notebook's embeddings: text to a vector, by a local model or a server.

    embedding = BgeEmbedding()
    vector = embedding.get_embedding("缩放点积注意力的原理？")   # list of floats, L2 norm 1

An embedding of your own derives from `BaseEmbeddings` and has `get_embedding(text)`.
"""
from __future__ import annotations

import math
import warnings
from typing import Callable, List, Optional, Sequence

from . import _http, _settings
from ._architecture import Architecture
from .errors import AuthError, RagWarning, UsageError
from .model import Embedding

#: Told how many of the texts are done.
Progress = Callable[[int], None]


class BaseEmbeddings:
    """What embeddings have in common.

    Args:
        path: the model's name or folder.
        is_api: whether a server computes.
    """

    def __init__(self, path: str = "", is_api: bool = False) -> None:
        self.path = path
        self.is_api = is_api

    @property
    def identity(self) -> str:
        """Differs between models whose vectors can't be compared. A store keeps it, and refuses
        questions with another one."""
        return f"{type(self).__name__}:{getattr(self, 'path', '')}"

    def get_embedding(self, text: str) -> List[float]:
        """The vector of a question: [dimension] floats."""
        raise NotImplementedError

    def get_embeddings(self, texts: Sequence[str], progress: Optional[Progress] = None
                       ) -> List[List[float]]:
        """The vectors of documents: [texts][dimension] floats."""
        vectors = []
        for text in texts:
            vectors.append(self.get_embedding(text))
            if progress:
                progress(len(vectors))
        return vectors

    @classmethod
    def cosine_similarity(cls, vector1: Sequence[float], vector2: Sequence[float]) -> float:
        """The cosine of two vectors, -1 to 1; 0 if one of them is all zeros.

        Raises:
            rag.UsageError: they differ in length.
        """
        if len(vector1) != len(vector2):
            raise UsageError(f"vectors of {len(vector1)} and {len(vector2)} numbers can't be "
                             "compared: they come from different models")
        norms = math.hypot(*vector1) * math.hypot(*vector2)
        return math.fsum(a * b for a, b in zip(vector1, vector2)) / norms if norms else 0.0


class LocalEmbedding(BaseEmbeddings):
    """A model on this machine. A text longer than the model takes is embedded in windows whose
    vectors are averaged, with one warning; nothing is cut.

    Attributes:
        model: the `rag.Model`.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path, is_api=False)
        self.model = _settings.open_model(_settings.embedding_name(path),
                                          _settings.EMBEDDING_VARIABLE)
        info = self.model.info
        self._model = Architecture(info.folder, info.architecture)
        self._warned = False

    @property
    def identity(self) -> str:
        return self.model.info.identity

    def get_embedding(self, text: str) -> List[float]:
        """The vector of a question (the model's prefix for questions is put before it)."""
        found = self.model.embed_all([text], role="query")
        return self._lists(found)[0]

    def get_embeddings(self, texts: Sequence[str], progress: Optional[Progress] = None
                       ) -> List[List[float]]:
        """The vectors of documents (with the model's prefix for passages), in one go."""
        if type(self).get_embedding is not LocalEmbedding.get_embedding:
            return super().get_embeddings(texts, progress)  # a class of the user's
        count = len(texts)

        def tell(done: int, total: int) -> None:
            if progress and done < total:  # the end is told below, once
                progress(count * done // total)
        found = self.model.embed_all(
            texts, role="passage", progress=lambda event: tell(event.done, event.total))
        if progress:
            progress(count)
        return self._lists(found)

    def _lists(self, found: Sequence[Embedding]) -> List[List[float]]:
        long = sum(item.windows > 1 for item in found)
        if long and not self._warned:
            self._warned = True
            info = self.model.info
            warnings.warn(
                f"{long} of {len(found)} texts are longer than {info.name} takes at once "
                f"({info.max_tokens} tokens): they are embedded in windows and averaged. Smaller "
                "chunks, such as get_content(max_token_len=400), are found better",
                RagWarning, stacklevel=3)
        return [list(item.dense) for item in found if item.dense is not None]


class BgeEmbedding(LocalEmbedding):
    """bge-m3, or another embedding model of the BERT and XLM-RoBERTa families.

    Args:
        path: the model's name or folder. The default is replaced by RAG_EMBEDDING_MODEL, if
            that is set: a name or a folder.
        is_api: must be False; `BgeWithAPIEmbedding` asks a server.
        device: the work is done on the CPU; any other device gives one warning.

    Raises:
        rag.ModelMissingError: the model is not installed; the message says how to get it.
    """

    def __init__(self, path: str = _settings.EMBEDDING_MODEL, is_api: bool = False,
                 device: str = "cpu") -> None:
        if is_api:
            raise UsageError("BgeEmbedding computes here; BgeWithAPIEmbedding asks a server")
        _settings.check_device(device)
        super().__init__(path)


class JinaEmbedding(LocalEmbedding):
    """A Jina model on this machine, if it is of a family that rag reads.

    Raises:
        rag.ModelMissingError: the model is not installed.
        rag.ModelError: rag does not read its architecture, such as the ALiBi positions of
            jina-embeddings-v2.
    """

    def __init__(self, path: str = "jinaai/jina-embeddings-v2-base-zh") -> None:
        super().__init__(path)


class ApiEmbedding(BaseEmbeddings):
    """A server that speaks OpenAI's protocol. Texts go there in batches; 429, 5xx and lost
    connections are tried again, as long as Retry-After says.

    Args:
        path: the server's name of the model.
    """

    provider = ""
    key_variable = ""
    url_variable = ""
    base_url = ""
    batch = 32  # texts of one request; providers refuse more than they say

    def __init__(self, path: str = "", is_api: bool = True) -> None:
        if not is_api:
            raise UsageError(f"{type(self).__name__} asks a server; BgeEmbedding computes here")
        super().__init__(path, is_api=True)

    def get_embedding(self, text: str, model: Optional[str] = None) -> List[float]:
        """The vector of a text.

        Args:
            text: of at least one character.
            model: another one than `path`, for this text.

        Raises:
            rag.AuthError: there is no key, or the server refused it.
            rag.LimitError: the server still asks to slow down after the retries.
            rag.NetworkError: it could not be reached, or did not answer as it should.
        """
        return _http.embed(self._server(), model or self.path, [text])[0]

    def get_embeddings(self, texts: Sequence[str], progress: Optional[Progress] = None
                       ) -> List[List[float]]:
        if type(self).get_embedding is not ApiEmbedding.get_embedding:
            return super().get_embeddings(texts, progress)  # a class of the user's
        server, vectors = self._server(), []
        for at in range(0, len(texts), self.batch):
            vectors += _http.embed(server, self.path, texts[at:at + self.batch])
            if progress:
                progress(len(vectors))
        return vectors

    def _server(self) -> _http.Server:
        key, url = _settings.credentials(self.key_variable, self.url_variable)
        if not key and not url:
            raise AuthError(f"no key for {self.provider}: set {self.key_variable}, or "
                            f"{self.url_variable} to a server that needs none")
        return _http.Server(self.provider, url or self.base_url, self.url_variable, key or "",
                            self.key_variable)


class BgeWithAPIEmbedding(ApiEmbedding):
    """bge-m3 by SiliconFlow: SILICONFLOW_API_KEY, SILICONFLOW_BASE_URL."""

    provider = "siliconflow"
    key_variable, url_variable = "SILICONFLOW_API_KEY", "SILICONFLOW_BASE_URL"
    base_url = "https://api.siliconflow.cn/v1"

    def __init__(self, path: str = _settings.EMBEDDING_MODEL, is_api: bool = True) -> None:
        super().__init__(path or _settings.EMBEDDING_MODEL, is_api)


class OpenAIEmbedding(ApiEmbedding):
    """OpenAI, and servers that speak its protocol: OPENAI_API_KEY, OPENAI_BASE_URL."""

    provider, key_variable, url_variable = "openai", "OPENAI_API_KEY", "OPENAI_BASE_URL"
    base_url = "https://api.openai.com/v1"

    def __init__(self, path: str = "text-embedding-3-large", is_api: bool = True) -> None:
        super().__init__(path or "text-embedding-3-large", is_api)


class ZhipuEmbedding(ApiEmbedding):
    """Zhipu: ZHIPUAI_API_KEY, ZHIPUAI_BASE_URL."""

    provider, key_variable, url_variable = "zhipu", "ZHIPUAI_API_KEY", "ZHIPUAI_BASE_URL"
    base_url = "https://open.bigmodel.cn/api/paas/v4"

    def __init__(self, path: str = "embedding-2", is_api: bool = True) -> None:
        super().__init__(path or "embedding-2", is_api)


class DashscopeEmbedding(ApiEmbedding):
    """Alibaba's DashScope: DASHSCOPE_API_KEY, DASHSCOPE_BASE_URL."""

    provider, key_variable, url_variable = "dashscope", "DASHSCOPE_API_KEY", "DASHSCOPE_BASE_URL"
    base_url = "https://dashscope.aliyuncs.com/compatible-mode/v1"
    batch = 10

    def __init__(self, path: str = "text-embedding-v1", is_api: bool = True) -> None:
        super().__init__(path or "text-embedding-v1", is_api)
