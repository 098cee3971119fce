/* source.h - a caller's text, as rag_index_put takes it: checked, and made a document. */
#ifndef RAG_PIPELINE_SOURCE_H
#define RAG_PIPELINE_SOURCE_H

#include "pipeline/jobs.h"

enum { SOURCE_MAX_NAME = 4096, SOURCE_MAX_HEADING = 4096 };

/* RAG_INPUT: what is wrong with it. `external`: the vectors of the index come from outside. */
CHECKED rag_status source_check(const rag_source *source, size_t dimension, bool external,
                                rag_error *error);

/* A hash of all that it is made of: with the same one again there is nothing to do. */
CHECKED rag_status source_hash(const rag_source *source, size_t dimension,
                               const struct read_options *options, struct hash *out,
                               rag_error *error);

/* Its text is a file's bytes, which have to be read first. */
bool source_is_file(const rag_source *source);

/* Fills the job's document and chunks. tokenizer: NULL where chunks need no tokens counted. */
CHECKED rag_status source_read(const rag_source *source, const struct tokenizer *tokenizer,
                               const struct chunker_options *chunker,
                               const struct read_options *options, struct job *job,
                               rag_error *error);

#endif
