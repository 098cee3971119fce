/* files.h - a temporary folder for a test, and files in it. All fail the test on an error. */
#ifndef RAG_TESTS_MODEL_FILES_H
#define RAG_TESTS_MODEL_FILES_H

#include <stdbool.h>
#include <stddef.h>

/* A new folder below TMPDIR, to be given to folder_drop. */
char *folder_make(void);
void folder_drop(char *folder);

/* FOLDER/NAME in a static buffer, good until the eighth call after this one. */
const char *in(const char *folder, const char *name);

/* Writes FOLDER/NAME, making the folders on the way. */
void put_bytes(const char *folder, const char *name, const void *data, size_t size);
void put(const char *folder, const char *name, const char *text);
void put_copy(const char *folder, const char *name, const char *from);

bool has(const char *folder, const char *name);

/* A whole small model in FOLDER: BERT's config, a tokenizer file and the weights of
 * tests/data/model/f32. */
void put_model(const char *folder);

#endif
