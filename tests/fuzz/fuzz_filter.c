/* Any strings as a filter are read or refused, and a document's metadata then pass or do not:
 * condition, pattern, dates and metadata, each ended by a zero byte. */
#include "store/filter.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { PARTS = 5 };
    const char *parts[PARTS];
    char *copy = malloc(size + 1), *at = copy;
    if (!copy)
        return 0;
    if (size)
        memcpy(copy, data, size);
    copy[size] = 0;
    for (size_t i = 0; i < PARTS; i++) {
        parts[i] = at;
        size_t left = size - (size_t)(at - copy), length = strlen(at);
        at += length < left ? length + 1 : length;
    }
    rag_filter given = {.where = &parts[0],
                        .where_count = 1,
                        .paths = &parts[1],
                        .path_count = *parts[1] != 0,
                        .since = *parts[2] ? parts[2] : NULL,
                        .until = *parts[3] ? parts[3] : NULL};
    struct store_filter filter;
    if (filter_parse(&given, &filter, NULL) == RAG_OK) {
        bool passes;
        rag_text metadata = {parts[4], strlen(parts[4])};
        if (filter_metadata(&filter, metadata, &passes, NULL) != RAG_OK)
            abort();
        if (filter.glob_count)
            (void)glob_matches(&filter.globs[0], parts[4], metadata.size);
    }
    filter_release(&filter);
    free(copy);
    return 0;
}
