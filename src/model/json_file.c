#include "model/json_file.h"

#include "base/file.h"

#include <math.h>
#include <stdlib.h>

rag_status json_file_read(const char *folder, const char *name, size_t max, json_t **json,
                          rag_error *error)
{
    *json = NULL;
    struct buf text = BUF_INIT(max);
    rag_status status = RAG_OK;
    char *path = path_join(folder, name);
    if (!path)
        return fail_memory(error);
    if (!path_is_file(path))
        goto out;
    status = file_read(path, &text, error);
    if (status == RAG_INPUT)
        status = fail_within(error, RAG_MODEL, "model");
    if (status)
        goto out;
    json_error_t where;
    *json = json_loadb(text.data ? text.data : "", text.size,
                       JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &where);
    if (!*json)
        status = fail_with(error, RAG_MODEL, "%s: line %d, column %d: %s", path, where.line,
                           where.column, where.text);
out:
    buf_release(&text);
    free(path);
    return status;
}

bool json_whole(const json_t *value, uint64_t max, uint64_t *out)
{
    if (!json_is_number(value))
        return false;
    double number = json_number_value(value);
    if (!(number >= 0 && number <= (double)max) || number != floor(number))
        return false;
    *out = (uint64_t)number;
    return true;
}
