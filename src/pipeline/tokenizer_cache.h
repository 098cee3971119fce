/* tokenizer_cache.h - tokenizers out of packed files. */
#ifndef RAG_PIPELINE_TOKENIZER_CACHE_H
#define RAG_PIPELINE_TOKENIZER_CACHE_H

#include "text/tokenizer.h"

/* tokenizer_open through the cache: the packed tokenizer where there is one of this file,
 * else the file is parsed, and packed for the next time (unless it is small, which is as
 * quick to parse). That this failed, for want of space or permission, is not an error. The
 * source of the packed one is the file's size, time of change, and first, middle and last 4
 * KiB, which take microseconds where the whole would take longer than everything else. */
CHECKED rag_status tokenizer_open_cached(const char *path, struct tokenizer **out,
                                         rag_error *error);

/* Packs the tokenizer of a model's folder, small or not, unless that has been done; *path (to
 * be freed) is where it lies. RAG_INPUT: it cannot be written. */
CHECKED rag_status tokenizer_pack_cached(const char *model_folder, char **path,
                                         rag_error *error);

#endif
