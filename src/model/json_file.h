/* json_file.h - JSON files of a model's folder. Every number is read as a double, since some
 * of them (a tokenizer's model_max_length of 10^30) pass every integer type. */
#ifndef RAG_MODEL_JSON_FILE_H
#define RAG_MODEL_JSON_FILE_H

#include "base/error.h"

#include <jansson.h>
#include <stdbool.h>

/* Reads FOLDER/NAME, which must hold a JSON object or array of at most `max` bytes.
 * A missing file gives a NULL *json and RAG_OK. RAG_MODEL names the path, line and column. */
CHECKED rag_status json_file_read(const char *folder, const char *name, size_t max,
                                  json_t **json, rag_error *error);

/* A whole number within 0..max. False: absent, or something else. */
CHECKED bool json_whole(const json_t *value, uint64_t max, uint64_t *out);

#endif
