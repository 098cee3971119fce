/* reference.h - reading what the reference tokenizer said about texts. */
#ifndef RAG_TESTS_TEXT_REFERENCE_H
#define RAG_TESTS_TEXT_REFERENCE_H

#include "support/test.h"
#include "text/tokenizer.h"

#include <jansson.h>

/* Calls `each` for the object on each line of a .jsonl or .jsonl.gz file; returns how many
 * there were. A file that cannot be read fails the test. */
size_t reference_lines(const char *path, void (*each)(const json_t *line, void *user),
                       void *user);

rag_text reference_text(const json_t *line, const char *name);

/* Where they differ from an array of ids: the position, or -1. */
long reference_difference(const struct token_list *tokens, const json_t *ids);

#endif
