/* What a caller keeps with a document. */
#include "store/store.h"

#include <jansson.h>
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
