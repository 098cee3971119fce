"""librag by ctypes: its structs and functions, as rag.h declares them.

The library is looked for at RAG_LIBRARY (a path), then beside this package, where a wheel has it,
then where the system keeps its libraries. Functions are bound when they are first used. ctypes
lets go of the interpreter's lock in every call.

Names here are those of rag.h without `rag_`, so that the two can be read side by side;
tests/python/test_native.py holds every size, offset and number of arguments against the header.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import os
from ctypes import (
    CFUNCTYPE,
    POINTER,
    c_char,
    c_char_p,
    c_double,
    c_float,
    c_int,
    c_int32,
    c_int64,
    c_size_t,
    c_uint,
    c_uint32,
    c_uint64,
    c_void_p,
)
from typing import Any, Dict, List, Tuple, Type

VERSION = "0.1.0"

#: RAG_STATUS_MAP, in its order.
STATUS = (
    "OK",
    "NOT_FOUND",
    "USAGE",
    "INPUT",
    "INDEX",
    "INDEX_BUSY",
    "INDEX_MISMATCH",
    "MODEL",
    "MODEL_MISSING",
    "NETWORK",
    "NETWORK_AUTH",
    "NETWORK_LIMIT",
    "MEMORY",
    "INTERNAL",
    "INTERRUPTED",
)

EVENT_PROGRESS, EVENT_WARNING, EVENT_NOTE = range(3)
PRECISION = {"default": 0, "f32": 1, "bf16": 2, "int8": 3, "auto": 4}
HEADS = {"dense": 1, "sparse": 2, "multi": 4, "logit": 8}
ROLE = {"query": 0, "passage": 1, "raw": 2}
CHUNKER = {"auto": 0, "structure": 1, "window": 2}
FORMAT = {"markdown": 0, "html": 1}
CONTEXT = {"auto": 0, "none": 1, "heading": 2, "document": 3}
MEASURES = 6
MODE = {"hybrid": 0, "dense": 1, "lexical": 2}
CHAT_ROLE = {"system": 0, "user": 1, "assistant": 2}
AUTO = c_size_t(-1).value
CHAT_RETRIES = 3


class Error(ctypes.Structure):
    _fields_ = [("status", c_int), ("message", c_char * 1024)]


class Text(ctypes.Structure):
    """`data` is read by `text_bytes`, for it may hold NUL."""

    _fields_ = [("data", c_char_p), ("size", c_size_t)]


class Event(ctypes.Structure):
    _fields_ = [
        ("kind", c_int),
        ("stage", c_char_p),
        ("unit", c_char_p),
        ("message", c_char_p),
        ("done", c_uint64),
        ("total", c_uint64),
    ]


event_fn = CFUNCTYPE(c_int, POINTER(Event), c_void_p)


class Options(ctypes.Structure):
    """Base of the structs that begin with their own size, which `init` sets as _INIT does."""

    @classmethod
    def init(cls, **values: Any) -> Any:
        options = cls()
        setattr(options, "size", ctypes.sizeof(cls))
        for name, value in values.items():
            setattr(options, name, value)
        return options


class ModelOptions(Options):
    _fields_ = [
        ("size", c_size_t),
        ("models", c_char_p),
        ("precision", c_int),
        ("threads", c_uint),
        ("on_event", event_fn),
        ("user", c_void_p),
    ]


class ModelInfo(ctypes.Structure):
    _fields_ = [
        ("name", c_char_p),
        ("folder", c_char_p),
        ("architecture", c_char_p),
        ("tokenizer", c_char_p),
        ("pooling", c_char_p),
        ("query_prefix", c_char_p),
        ("passage_prefix", c_char_p),
        ("weights", c_char_p),
        ("precision", c_char_p),
        ("identity", c_char_p),
        ("heads", c_uint),
        ("dimension", c_uint),
        ("multi_dimension", c_uint),
        ("layers", c_uint),
        ("attention_heads", c_uint),
        ("feed_forward", c_uint),
        ("vocabulary", c_uint),
        ("max_tokens", c_uint),
        ("parameters", c_uint64),
        ("bytes", c_uint64),
        ("agreement", c_double),
    ]


class PullOptions(Options):
    _fields_ = [
        ("size", c_size_t),
        ("models", c_char_p),
        ("hub", c_char_p),
        ("revision", c_char_p),
        ("on_event", event_fn),
        ("user", c_void_p),
    ]


class PackOptions(Options):
    _fields_ = [
        ("size", c_size_t),
        ("models", c_char_p),
        ("precision", c_int),
        ("threads", c_uint),
        ("on_event", event_fn),
        ("user", c_void_p),
    ]


class PackedFile(ctypes.Structure):
    _fields_ = [
        ("path", c_char_p),
        ("variant", c_char_p),
        ("problem", c_char_p),
        ("bytes", c_uint64),
    ]


class Tokens(ctypes.Structure):
    _fields_ = [
        ("ids", POINTER(c_int32)),
        ("begin", POINTER(c_uint32)),
        ("end", POINTER(c_uint32)),
        ("count", c_size_t),
    ]


class Embedding(ctypes.Structure):
    _fields_ = [
        ("dense", POINTER(c_float)),
        ("dimension", c_size_t),
        ("sparse_ids", POINTER(c_uint32)),
        ("sparse_weights", POINTER(c_float)),
        ("sparse_count", c_size_t),
        ("multi", POINTER(c_float)),
        ("multi_ids", POINTER(c_int32)),
        ("multi_count", c_size_t),
        ("multi_dimension", c_size_t),
        ("tokens", c_size_t),
        ("windows", c_size_t),
    ]


class EmbedOptions(Options):
    _fields_ = [
        ("size", c_size_t),
        ("role", c_int),
        ("heads", c_uint),
        ("on_event", event_fn),
        ("user", c_void_p),
    ]


class RerankOptions(Options):
    _fields_ = [("size", c_size_t), ("on_event", event_fn), ("user", c_void_p)]


class ChunkOptions(Options):
    _fields_ = [
        ("size", c_size_t),
        ("chunker", c_int),
        ("max_tokens", c_size_t),
        ("overlap", c_size_t),
        ("on_event", event_fn),
        ("user", c_void_p),
        ("context", c_int),
        ("ocr", c_char_p),
        ("notebook_outputs", c_int),
    ]


class Chunk(ctypes.Structure):
    _fields_ = [
        ("document", c_char_p),
        ("heading", c_char_p),
        ("number", c_size_t),
        ("begin", c_uint64),
        ("end", c_uint64),
        ("line", c_uint32),
        ("last_line", c_uint32),
        ("tokens", c_size_t),
        ("text", Text),
        ("header", Text),
        ("place", c_char_p),
    ]


chunk_fn = CFUNCTYPE(c_int, POINTER(Chunk), c_void_p)


class IndexOptions(Options):
    _fields_ = [
        ("size", c_size_t),
        ("model", c_char_p),
        ("reranker", c_char_p),
        ("models", ModelOptions),
        ("open_model", c_void_p),
        ("dimension", c_size_t),
        ("must_exist", c_int),
        ("chunker", c_int),
        ("max_tokens", c_size_t),
        ("overlap", c_size_t),
        ("collection", c_char_p),
        ("context", c_int),
    ]


CHANGE = ("added", "updated", "renamed", "removed", "skipped", "partial")


class Change(ctypes.Structure):
    _fields_ = [
        ("kind", c_int),
        ("path", c_char_p),
        ("from", c_char_p),
        ("reason", c_char_p),
        ("chunks", c_size_t),
        ("chunks_embedded", c_size_t),
        ("tokens", c_uint64),
    ]


change_fn = CFUNCTYPE(None, POINTER(Change), c_void_p)


class AddOptions(Options):
    _fields_ = [
        ("size", c_size_t),
        ("on_event", event_fn),
        ("user", c_void_p),
        ("on_change", change_fn),
        ("dry_run", c_int),
        ("metadata", c_char_p),
        ("ocr", c_char_p),
        ("notebook_outputs", c_int),
    ]


class AddReport(ctypes.Structure):
    _fields_ = [
        ("added", c_size_t),
        ("updated", c_size_t),
        ("unchanged", c_size_t),
        ("removed", c_size_t),
        ("skipped", c_size_t),
        ("chunks", c_size_t),
        ("chunks_embedded", c_size_t),
        ("tokens", c_uint64),
        ("seconds", c_double),
        ("renamed", c_size_t),
        ("tokens_per_second", c_double),
        ("estimated_seconds", c_double),
        ("speed_from", c_char_p),
        ("warnings", c_size_t),
    ]


class ReindexOptions(Options):
    _fields_ = [
        ("size", c_size_t),
        ("model", c_char_p),
        ("open_model", c_void_p),
        ("chunker", c_int),
        ("max_tokens", c_size_t),
        ("overlap", c_size_t),
        ("context", c_int),
        ("on_event", event_fn),
        ("user", c_void_p),
    ]


class ReindexReport(ctypes.Structure):
    _fields_ = [
        ("documents", c_size_t),
        ("documents_resumed", c_size_t),
        ("chunks", c_size_t),
        ("chunks_embedded", c_size_t),
        ("tokens", c_uint64),
        ("seconds", c_double),
        ("switch_seconds", c_double),
        ("switched", c_int),
    ]


class Source(ctypes.Structure):
    _fields_ = [
        ("name", c_char_p),
        ("text", Text),
        ("format", c_char_p),
        ("metadata", c_char_p),
        ("chunks", POINTER(Chunk)),
        ("chunk_count", c_size_t),
        ("vectors", c_void_p),
    ]


class Document(ctypes.Structure):
    _fields_ = [
        ("name", c_char_p),
        ("format", c_char_p),
        ("metadata", c_char_p),
        ("text", Text),
        ("size", c_uint64),
        ("modified", c_int64),
        ("chunks", c_size_t),
        ("collection", c_char_p),
    ]


document_fn = CFUNCTYPE(c_int, POINTER(Document), c_void_p)
vector_fn = CFUNCTYPE(c_int, POINTER(Chunk), c_int64, c_void_p, c_void_p)


class CollectionInfo(ctypes.Structure):
    _fields_ = [("name", c_char_p), ("documents", c_size_t), ("chunks", c_size_t)]


class IndexInfo(ctypes.Structure):
    _fields_ = [
        ("path", c_char_p),
        ("model", c_char_p),
        ("model_identity", c_char_p),
        ("chunker", c_char_p),
        ("format", c_uint),
        ("dimension", c_size_t),
        ("max_tokens", c_size_t),
        ("overlap", c_size_t),
        ("documents", c_size_t),
        ("chunks", c_size_t),
        ("tokens", c_uint64),
        ("bytes", c_uint64),
        ("collections", POINTER(CollectionInfo)),
        ("collection_count", c_size_t),
    ]


class Problem(ctypes.Structure):
    _fields_ = [
        ("kind", c_char_p),
        ("document", c_char_p),
        ("collection", c_char_p),
        ("chunk", c_int64),
        ("sentence", c_char_p),
    ]


problem_fn = CFUNCTYPE(None, POINTER(Problem), c_void_p)


class CompactOptions(Options):
    _fields_ = [("size", c_size_t), ("on_event", event_fn), ("user", c_void_p)]


class CompactReport(ctypes.Structure):
    _fields_ = [("bytes_before", c_uint64), ("bytes_after", c_uint64), ("seconds", c_double)]


class VerifyOptions(Options):
    _fields_ = [
        ("size", c_size_t),
        ("on_problem", problem_fn),
        ("on_event", event_fn),
        ("user", c_void_p),
        ("vectors", c_size_t),
    ]


class RepairOptions(Options):
    _fields_ = [
        ("size", c_size_t),
        ("dry_run", c_int),
        ("on_problem", problem_fn),
        ("on_action", problem_fn),
        ("on_event", event_fn),
        ("user", c_void_p),
    ]


class RepairReport(ctypes.Structure):
    _fields_ = [
        ("problems", c_size_t),
        ("mended", c_size_t),
        ("lost", c_size_t),
        ("left", c_size_t),
        ("chunks_embedded", c_size_t),
        ("salvaged", c_int),
        ("seconds", c_double),
    ]


class Filter(ctypes.Structure):
    _fields_ = [
        ("collections", POINTER(c_char_p)),
        ("collection_count", c_size_t),
        ("paths", POINTER(c_char_p)),
        ("path_count", c_size_t),
        ("formats", POINTER(c_char_p)),
        ("format_count", c_size_t),
        ("since", c_char_p),
        ("until", c_char_p),
        ("where", POINTER(c_char_p)),
        ("where_count", c_size_t),
    ]


class SearchOptions(Options):
    _fields_ = [
        ("size", c_size_t),
        ("k", c_size_t),
        ("candidates", c_size_t),
        ("mode", c_int),
        ("on_event", event_fn),
        ("user", c_void_p),
        ("vector", c_void_p),
        ("filter", Filter),
    ]


class Hit(ctypes.Structure):
    _fields_ = [
        ("rank", c_size_t),
        ("score", c_double),
        ("dense", c_double),
        ("lexical", c_double),
        ("rerank", c_double),
        ("chunk_id", c_int64),
        ("chunk", Chunk),
        ("metadata", c_char_p),
        ("collection", c_char_p),
        ("sparse", c_double),
    ]


class PassageOptions(Options):
    _fields_ = [("size", c_size_t), ("before", c_size_t), ("after", c_size_t)]


FILE_STATE = (None, "same", "changed", "gone")


class Passage(ctypes.Structure):
    _fields_ = [
        ("chunk_id", c_int64),
        ("chunk", Chunk),
        ("before", Text),
        ("after", Text),
        ("format", c_char_p),
        ("metadata", c_char_p),
        ("collection", c_char_p),
        ("is_text", c_int),
        ("file", c_int),
    ]


class Provider(ctypes.Structure):
    _fields_ = [
        ("name", c_char_p),
        ("protocol", c_char_p),
        ("base_url", c_char_p),
        ("url_variable", c_char_p),
        ("key_variable", c_char_p),
        ("default_model", c_char_p),
        ("ready", c_int),
    ]


class LlmOptions(Options):
    _fields_ = [
        ("size", c_size_t),
        ("base_url", c_char_p),
        ("key", c_char_p),
        ("config", c_char_p),
        ("context_tokens", c_size_t),
    ]


class ChatInfo(ctypes.Structure):
    _fields_ = [
        ("provider", c_char_p),
        ("model", c_char_p),
        ("protocol", c_char_p),
        ("host", c_char_p),
        ("context_tokens", c_size_t),
        ("input_price", c_double),
        ("output_price", c_double),
    ]


class Usage(ctypes.Structure):
    _fields_ = [
        ("requests", c_uint64),
        ("input_tokens", c_uint64),
        ("output_tokens", c_uint64),
        ("estimated", c_int),
        ("cost", c_double),
        ("first_token_seconds", c_double),
        ("seconds", c_double),
    ]


class Message(ctypes.Structure):
    _fields_ = [("role", c_int), ("text", Text)]


text_fn = CFUNCTYPE(c_int, Text, c_void_p)


class ChatOptions(Options):
    _fields_ = [
        ("size", c_size_t),
        ("max_tokens", c_uint),
        ("temperature", c_double),
        ("connect_seconds", c_uint),
        ("first_seconds", c_uint),
        ("idle_seconds", c_uint),
        ("retries", c_uint),
        ("on_text", text_fn),
        ("on_event", event_fn),
        ("user", c_void_p),
    ]


class AskOptions(Options):
    _fields_ = [
        ("size", c_size_t),
        ("search", SearchOptions),
        ("llm", c_char_p),
        ("llm_options", LlmOptions),
        ("open_chat", c_void_p),
        ("context_tokens", c_size_t),
        ("chat", ChatOptions),
        ("history", POINTER(Message)),
        ("history_count", c_size_t),
        ("history_tokens", c_size_t),
        ("min_evidence", c_double),
    ]


class Citation(ctypes.Structure):
    _fields_ = [
        ("number", c_size_t),
        ("hit", c_size_t),
        ("quote", Text),
        ("begin", c_uint64),
        ("end", c_uint64),
        ("line", c_uint32),
        ("last_line", c_uint32),
    ]


class Statement(ctypes.Structure):
    _fields_ = [
        ("text", Text),
        ("support", c_int),
        ("coverage", c_double),
        ("missing", Text),
    ]


class EvalOptions(Options):
    _fields_ = [
        ("size", c_size_t),
        ("model", c_char_p),
        ("reranker", c_char_p),
        ("models", ModelOptions),
        ("search", SearchOptions),
        ("cache", c_char_p),
    ]


class EvalReport(ctypes.Structure):
    _fields_ = [
        ("passages", c_size_t),
        ("queries", c_size_t),
        ("recall_1", c_double),
        ("recall_5", c_double),
        ("recall_10", c_double),
        ("recall_50", c_double),
        ("mrr_10", c_double),
        ("ndcg_10", c_double),
        ("seconds_per_query", c_double),
    ]


class EvalQuery(ctypes.Structure):
    _fields_ = [
        ("id", c_char_p),
        ("relevant", c_size_t),
        ("rank", c_size_t),
        ("measures", c_double * MEASURES),
        ("seconds", c_double),
        ("found", POINTER(c_char_p)),
        ("scores", POINTER(c_double)),
        ("found_count", c_size_t),
    ]


class BootstrapOptions(Options):
    _fields_ = [
        ("size", c_size_t),
        ("samples", c_size_t),
        ("confidence", c_double),
        ("seed", c_uint64),
    ]


class Interval(ctypes.Structure):
    _fields_ = [("low", c_double), ("high", c_double)]


class EvalDifference(ctypes.Structure):
    _fields_ = [
        ("difference", c_double),
        ("low", c_double),
        ("high", c_double),
        ("p_value", c_double),
        ("better", c_size_t),
        ("worse", c_size_t),
        ("same", c_size_t),
    ]


#: Every public struct of rag.h by its name there.
STRUCTS: Dict[str, Type[ctypes.Structure]] = {
    "rag_error": Error,
    "rag_text": Text,
    "rag_event": Event,
    "rag_model_options": ModelOptions,
    "rag_model_info": ModelInfo,
    "rag_pull_options": PullOptions,
    "rag_pack_options": PackOptions,
    "rag_packed_file": PackedFile,
    "rag_tokens": Tokens,
    "rag_embedding": Embedding,
    "rag_embed_options": EmbedOptions,
    "rag_rerank_options": RerankOptions,
    "rag_chunk_options": ChunkOptions,
    "rag_chunk": Chunk,
    "rag_index_options": IndexOptions,
    "rag_change": Change,
    "rag_add_options": AddOptions,
    "rag_add_report": AddReport,
    "rag_reindex_options": ReindexOptions,
    "rag_reindex_report": ReindexReport,
    "rag_source": Source,
    "rag_document": Document,
    "rag_collection_info": CollectionInfo,
    "rag_index_info": IndexInfo,
    "rag_problem": Problem,
    "rag_verify_options": VerifyOptions,
    "rag_repair_options": RepairOptions,
    "rag_repair_report": RepairReport,
    "rag_compact_options": CompactOptions,
    "rag_compact_report": CompactReport,
    "rag_filter": Filter,
    "rag_search_options": SearchOptions,
    "rag_hit": Hit,
    "rag_passage_options": PassageOptions,
    "rag_passage": Passage,
    "rag_provider": Provider,
    "rag_llm_options": LlmOptions,
    "rag_chat_info": ChatInfo,
    "rag_usage": Usage,
    "rag_message": Message,
    "rag_chat_options": ChatOptions,
    "rag_ask_options": AskOptions,
    "rag_citation": Citation,
    "rag_statement": Statement,
    "rag_eval_options": EvalOptions,
    "rag_eval_report": EvalReport,
    "rag_eval_query": EvalQuery,
    "rag_bootstrap_options": BootstrapOptions,
    "rag_interval": Interval,
    "rag_eval_difference": EvalDifference,
}

_handle = c_void_p
_out = POINTER(c_void_p)
_error = POINTER(Error)
_strings = POINTER(c_char_p)
_floats = c_void_p

#: name: (result, arguments). A handle and a `T **` are void pointers.
FUNCTIONS: Dict[str, Tuple[Any, List[Any]]] = {
    "rag_version": (c_char_p, []),
    "rag_status_text": (c_char_p, [c_int]),
    "rag_status_exit": (c_int, [c_int]),
    "rag_status_http": (c_int, [c_int]),
    "rag_model_open": (c_int, [c_char_p, POINTER(ModelOptions), _out, _error]),
    "rag_model_close": (None, [_handle]),
    "rag_model_get_info": (POINTER(ModelInfo), [_handle]),
    "rag_model_list_open": (c_int, [c_char_p, _out, _error]),
    "rag_model_list_count": (c_size_t, [_handle]),
    "rag_model_list_get": (
        c_char_p,
        [_handle, c_size_t, POINTER(c_char_p), POINTER(c_uint64)],
    ),
    "rag_model_list_free": (None, [_handle]),
    "rag_model_add": (c_int, [c_char_p, c_char_p, c_char_p, event_fn, c_void_p, _error]),
    "rag_model_pull": (c_int, [c_char_p, POINTER(PullOptions), _error]),
    "rag_model_pack": (c_int, [c_char_p, POINTER(PackOptions), _error]),
    "rag_packed_list_open": (c_int, [c_char_p, c_char_p, c_int, _out, _error]),
    "rag_packed_list_count": (c_size_t, [_handle]),
    "rag_packed_list_get": (POINTER(PackedFile), [_handle, c_size_t]),
    "rag_packed_list_free": (None, [_handle]),
    "rag_tokenizer_open": (c_int, [c_char_p, c_char_p, _out, _error]),
    "rag_tokenizer_close": (None, [_handle]),
    "rag_tokenize": (c_int, [_handle, Text, POINTER(Tokens), _error]),
    "rag_tokenize_pair": (c_int, [_handle, Text, Text, c_size_t, POINTER(Tokens), _error]),
    "rag_tokens_release": (None, [POINTER(Tokens)]),
    "rag_embed": (
        c_int,
        [_handle, POINTER(Text), c_size_t, POINTER(EmbedOptions), _out, _error],
    ),
    "rag_embeddings_count": (c_size_t, [_handle]),
    "rag_embeddings_get": (POINTER(Embedding), [_handle, c_size_t]),
    "rag_embeddings_free": (None, [_handle]),
    "rag_rerank": (
        c_int,
        [
            _handle,
            Text,
            POINTER(Text),
            c_size_t,
            POINTER(RerankOptions),
            POINTER(c_float),
            _error,
        ],
    ),
    "rag_chunk_paths": (
        c_int,
        [
            _handle,
            _strings,
            c_size_t,
            POINTER(ChunkOptions),
            chunk_fn,
            c_void_p,
            POINTER(c_size_t),
            _error,
        ],
    ),
    "rag_index_open": (c_int, [c_char_p, POINTER(IndexOptions), _out, _error]),
    "rag_index_close": (None, [_handle]),
    "rag_index_add": (
        c_int,
        [_handle, _strings, c_size_t, POINTER(AddOptions), POINTER(AddReport), _error],
    ),
    "rag_index_watch": (
        c_int,
        [_handle, _strings, c_size_t, POINTER(AddOptions), POINTER(AddReport), _error],
    ),
    "rag_index_reindex": (
        c_int,
        [_handle, POINTER(ReindexOptions), POINTER(ReindexReport), _error],
    ),
    "rag_index_put": (
        c_int,
        [_handle, POINTER(Source), c_size_t, POINTER(AddOptions), POINTER(AddReport), _error],
    ),
    "rag_index_put_url": (
        c_int,
        [_handle, c_char_p, c_char_p, POINTER(AddOptions), POINTER(AddReport), _error],
    ),
    "rag_index_each_document": (
        c_int,
        [_handle, _strings, c_size_t, c_int, document_fn, c_void_p, _error],
    ),
    "rag_index_each_chunk": (
        c_int,
        [_handle, c_char_p, c_char_p, vector_fn, c_void_p, _error],
    ),
    "rag_index_remove": (c_int, [_handle, _strings, c_size_t, POINTER(c_size_t), _error]),
    "rag_index_get_info": (c_int, [_handle, POINTER(POINTER(IndexInfo)), _error]),
    "rag_index_verify": (c_int, [_handle, POINTER(VerifyOptions), _error]),
    "rag_index_repair": (
        c_int,
        [
            c_char_p,
            POINTER(IndexOptions),
            POINTER(RepairOptions),
            POINTER(RepairReport),
            _error,
        ],
    ),
    "rag_index_compact": (
        c_int,
        [_handle, POINTER(CompactOptions), POINTER(CompactReport), _error],
    ),
    "rag_search": (c_int, [_handle, Text, POINTER(SearchOptions), _out, _error]),
    "rag_hits_count": (c_size_t, [_handle]),
    "rag_hits_get": (POINTER(Hit), [_handle, c_size_t]),
    "rag_hits_free": (None, [_handle]),
    "rag_index_get_passage": (
        c_int,
        [_handle, c_int64, POINTER(PassageOptions), POINTER(POINTER(Passage)), _error],
    ),
    "rag_index_find_passage": (
        c_int,
        [
            _handle,
            c_char_p,
            c_uint32,
            POINTER(PassageOptions),
            POINTER(POINTER(Passage)),
            _error,
        ],
    ),
    "rag_passage_free": (None, [POINTER(Passage)]),
    "rag_nearest": (
        c_int,
        [
            _floats,
            c_size_t,
            c_size_t,
            _floats,
            c_size_t,
            POINTER(c_size_t),
            POINTER(c_float),
            POINTER(c_size_t),
            _error,
        ],
    ),
    "rag_provider_list_open": (c_int, [c_char_p, _out, _error]),
    "rag_provider_list_count": (c_size_t, [_handle]),
    "rag_provider_list_get": (POINTER(Provider), [_handle, c_size_t]),
    "rag_provider_list_free": (None, [_handle]),
    "rag_chat_open": (c_int, [c_char_p, POINTER(LlmOptions), _out, _error]),
    "rag_chat_close": (None, [_handle]),
    "rag_chat_get_info": (POINTER(ChatInfo), [_handle]),
    "rag_chat_get_usage": (None, [_handle, POINTER(Usage), POINTER(Usage)]),
    "rag_chat_complete": (
        c_int,
        [_handle, POINTER(Message), c_size_t, POINTER(ChatOptions), _out, _error],
    ),
    "rag_free": (None, [c_void_p]),
    "rag_ask": (c_int, [_handle, Text, POINTER(AskOptions), _out, _error]),
    "rag_answer_text": (Text, [_handle]),
    "rag_answer_question": (Text, [_handle]),
    "rag_answer_evidence": (c_double, [_handle]),
    "rag_answer_found": (c_int, [_handle]),
    "rag_answer_get_usage": (None, [_handle, POINTER(Usage)]),
    "rag_answer_llm": (c_char_p, [_handle]),
    "rag_answer_citation_count": (c_size_t, [_handle]),
    "rag_answer_citation": (POINTER(Citation), [_handle, c_size_t]),
    "rag_answer_statement_count": (c_size_t, [_handle]),
    "rag_answer_statement": (POINTER(Statement), [_handle, c_size_t]),
    "rag_support_name": (c_char_p, [c_int]),
    "rag_answer_render": (c_int, [_handle, c_int, POINTER(c_void_p), _error]),
    "rag_answer_dropped": (c_size_t, [_handle]),
    "rag_answer_hits": (c_void_p, [_handle]),
    "rag_answer_free": (None, [_handle]),
    "rag_evaluate": (
        c_int,
        [c_char_p, POINTER(EvalOptions), POINTER(EvalReport), _error],
    ),
    "rag_eval_open": (c_int, [c_char_p, POINTER(EvalOptions), _out, _error]),
    "rag_eval_close": (None, [_handle]),
    "rag_eval_run": (c_int, [_handle, POINTER(SearchOptions), c_char_p, _out, _error]),
    "rag_eval_result_free": (None, [_handle]),
    "rag_eval_result_report": (POINTER(EvalReport), [_handle]),
    "rag_eval_result_query": (POINTER(EvalQuery), [_handle, c_size_t]),
    "rag_eval_intervals": (
        c_int,
        [_handle, POINTER(BootstrapOptions), POINTER(Interval), _error],
    ),
    "rag_eval_compare": (
        c_int,
        [_handle, _handle, POINTER(BootstrapOptions), POINTER(EvalDifference), _error],
    ),
    "rag_measure_name": (c_char_p, [c_int]),
}


def _load() -> ctypes.CDLL:
    chosen = os.environ.get("RAG_LIBRARY")
    if chosen:
        try:
            return ctypes.CDLL(chosen)
        except OSError as error:
            raise ImportError(
                f"RAG_LIBRARY={chosen} cannot be loaded: {error}; set it to the path of "
                "librag.so, or unset it to use the one that is installed"
            ) from None
    beside = os.path.join(os.path.dirname(os.path.abspath(__file__)), "librag.so")
    name = beside if os.path.exists(beside) else ctypes.util.find_library("rag")
    if not name:
        raise ImportError(
            "librag.so is neither beside the package rag nor among the system's libraries; "
            "install the package with `pip install .`, or set RAG_LIBRARY to the library's path"
        )
    try:
        return ctypes.CDLL(name)
    except OSError as error:
        raise ImportError(f"{name} cannot be loaded: {error}") from None


class Library:
    """The functions of librag as attributes, bound when they are first asked for."""

    def __init__(self) -> None:
        self._library = _load()
        version = str(self.rag_version().decode())
        if version != VERSION:
            raise ImportError(
                f"{self._library._name} is version {version} of librag, this package needs "
                f"{VERSION}; set RAG_LIBRARY to the library that belongs to it"
            )

    def __getattr__(self, name: str) -> Any:
        result, arguments = FUNCTIONS[name]
        function = self._library[name]
        function.restype = result
        function.argtypes = arguments
        setattr(self, name, function)
        return function


lib = Library()


def text_bytes(text: Any) -> bytes:
    """The bytes of a Text, NULs too."""
    address = c_void_p.from_buffer(text).value
    return ctypes.string_at(address, text.size) if address and text.size else b""


def text_str(text: Any) -> str:
    """The string of a Text."""
    return text_bytes(text).decode("utf-8", "replace")


def numbers(struct: ctypes.Structure) -> Dict[str, Any]:
    """The fields of a struct that holds numbers alone."""
    return {field[0]: getattr(struct, field[0]) for field in struct._fields_}
