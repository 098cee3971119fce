/* fixture.h - a temporary folder with documents and small models.
 *
 * The models are those of tests/data/encoder that have a tokenizer: bge-m3-like (CLS, all
 * three heads) and xlmr-reranker (a cross-encoder). Their weights are random, so that which
 * passage is near to which question means nothing, but everything computed is exact. */
#ifndef RAG_TESTS_PIPELINE_FIXTURE_H
#define RAG_TESTS_PIPELINE_FIXTURE_H

#include "support/test.h"

/* cmocka's setup and teardown: an empty folder, and its removal. */
int sandbox_make(void **state);
int sandbox_remove(void **state);
#define IN_SANDBOX(name) cmocka_unit_test_setup_teardown(name, sandbox_make, sandbox_remove)

/* The absolute path of a name in the folder ("": the folder itself); valid for the next
 * fifteen calls. */
const char *in_sandbox(const char *name);

/* Folders on the way are made. A file that is written again has a new modification time. */
void write_bytes(const char *name, const void *data, size_t size);
void write_text(const char *name, const char *text);

/* A whole file, NUL-terminated, to be freed. */
char *read_file(const char *path, size_t *size);

rag_text text_of(const char *text);

/* The folder of a model of tests/data/encoder; valid for the next seven calls. */
const char *small_model(const char *name);

#define E5_PROMPTS "{\"prompts\": {\"query\": \"question: \", \"passage\": \"passage: \"}}"

/* Makes the folder NAME in the sandbox: the files of a small model, but with a limit on its
 * tokens (0: its own) and prompts (NULL: none). Valid as in_sandbox. */
const char *make_model(const char *name, const char *small, unsigned max_tokens,
                       const char *prompts);

/* With two threads. */
rag_model *open_model(const char *folder);

/* An index in the sandbox, with two threads. NULL options: with bge-m3-like. */
rag_index *open_index(const char *name, const rag_index_options *options);
rag_index_options index_options(const char *model_folder);

/* Adds a path of the sandbox. */
rag_add_report add_path(rag_index *index, const char *name);

/* rag_index_verify finds nothing. */
void assert_sound(rag_index *index);

#endif
