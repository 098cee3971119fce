"""Answers from documents, on the machine they are asked on.

>>> import rag
>>> with rag.Index("notes.rag") as index:
...     index.add(["notes"], progress=True)
...     print(index.ask("How long is a token?"))

`Index` holds documents and answers questions, `Model` makes vectors and scores, `Chat` speaks to a
language model, `Conversation` keeps a history. Long calls can be interrupted (Ctrl-C), show
progress and let other threads run; those that begin with `a` are for asyncio. Everything that goes
wrong is an `Error`. Objects of this package cannot be used after a fork: open them again in the
child, or start processes with "spawn".
"""

from __future__ import annotations

from ._call import Event
from ._native import VERSION as __version__
from ._progress import ProgressBar
from ._stream import AsyncStream, Stream
from .answer import Answer, AnswerStream, AsyncAnswerStream, Citation, Conversation
from .chat import (
    AsyncTextStream,
    Chat,
    ChatInfo,
    Message,
    Provider,
    TextStream,
    Usage,
    providers,
)
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
    RepairReport,
    Source,
)
from .errors import (
    AuthError,
    Error,
    InputError,
    InternalError,
    Interrupted,
    LimitError,
    MismatchError,
    ModelError,
    ModelMissingError,
    NetworkError,
    NotFoundError,
    OutOfMemoryError,
    RagWarning,
    StoreBusyError,
    StoreError,
    UsageError,
)
from .evaluate import (
    EvalDifference,
    EvalQuery,
    EvalReport,
    EvalResult,
    Evaluation,
    evaluate,
)
from .index import Index, chunk_paths, nearest
from .maintenance import repair
from .model import Embedding, InstalledModel, Model, ModelInfo, Tokenizer, add, models, pull

__all__ = [
    "AddReport",
    "Answer",
    "AnswerStream",
    "AsyncAnswerStream",
    "AsyncStream",
    "AsyncTextStream",
    "AuthError",
    "Change",
    "Chat",
    "ChatInfo",
    "Chunk",
    "Citation",
    "CompactReport",
    "Conversation",
    "Document",
    "Embedding",
    "Error",
    "EvalDifference",
    "EvalQuery",
    "EvalReport",
    "EvalResult",
    "Evaluation",
    "Event",
    "Hit",
    "Index",
    "IndexInfo",
    "InputError",
    "InstalledModel",
    "InternalError",
    "Interrupted",
    "LimitError",
    "Message",
    "MismatchError",
    "Model",
    "ModelError",
    "ModelInfo",
    "ModelMissingError",
    "NetworkError",
    "NotFoundError",
    "OutOfMemoryError",
    "Passage",
    "Problem",
    "ProgressBar",
    "Provider",
    "RagWarning",
    "ReindexReport",
    "RepairReport",
    "Source",
    "StoreBusyError",
    "StoreError",
    "Stream",
    "TextStream",
    "Tokenizer",
    "Usage",
    "UsageError",
    "__version__",
    "add",
    "chunk_paths",
    "evaluate",
    "models",
    "nearest",
    "providers",
    "pull",
    "repair",
]
