/* What a caller keeps with a document. */
#include "store/store.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

rag_status metadata_check(const char *metadata, rag_error *error)
{
    size_t size = strnlen(metadata, METADATA_MAX_BYTES + 1);
    if (size > METADATA_MAX_BYTES)
        return fail_with(error, RAG_INPUT, "its metadata have more than %d bytes",
                         METADATA_MAX_BYTES);
    /* The text itself is kept, so that numbers that no double holds are no loss. */
    json_error_t why;
    json_t *value = json_loadb(
        metadata, size, JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &why);
    if (!value && json_error_code(&why) == json_error_out_of_memory)
        return fail_memory(error);
    if (!value)
        return fail_with(error, RAG_INPUT, "its metadata are not JSON: %s (byte %d)", why.text,
                         why.position);
    bool object = json_is_object(value);
    json_decref(value);
    return object ? RAG_OK
                  : fail_with(error, RAG_INPUT,
                              "its metadata are not a JSON object, such as {\"year\": 2024}");
}

static json_t *load(const char *metadata)
{
    return metadata && *metadata ? json_loads(metadata, JSON_ALLOW_NUL, NULL) : json_object();
}

/* A copy of one where the other says nothing: numbers that jansson cannot hold stay as they
 * are. */
static rag_status copy_text(const char *metadata, char **out, rag_error *error)
{
    *out = strdup(metadata && *metadata ? metadata : METADATA_NONE);
    return *out ? RAG_OK : fail_memory(error);
}

static bool says_nothing(const char *metadata)
{
    return !metadata || !*metadata || strcmp(metadata, METADATA_NONE) == 0;
}

rag_status metadata_merge(const char *metadata, const char *over, char **out, rag_error *error)
{
    *out = NULL;
    if (says_nothing(over))
        return copy_text(metadata, out, error);
    if (says_nothing(metadata))
        return copy_text(over, out, error);
    json_t *below = load(metadata), *above = load(over);
    rag_status status = RAG_OK;
    if (!json_is_object(below) || !json_is_object(above))
        status = fail_with(error, RAG_INPUT,
                           "metadata that are to be put together must be JSON objects with "
                           "numbers of at most 64 bits");
    else if (json_object_update(below, above) || !(*out = json_dumps(below, JSON_COMPACT)))
        status = fail_memory(error);
    else if (strlen(*out) > METADATA_MAX_BYTES)
        status = fail_with(error, RAG_INPUT, "its metadata have more than %d bytes",
                           METADATA_MAX_BYTES);
    if (status) {
        free(*out);
        *out = NULL;
    }
    json_decref(below);
    json_decref(above);
    return status;
}
