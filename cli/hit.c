/* hit.c - a passage by what a search prints of it. */
#include "cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* "4711", or "#4711". */
static bool chunk_number(const char *hit, int64_t *id)
{
    char *end;
    hit += *hit == '#';
    if (*hit < '0' || *hit > '9')
        return false;
    errno = 0;
    *id = strtoll(hit, &end, 10);
    return !*end && !errno;
}

/* The size of the name in "NAME:LINE" or "NAME:LINE-LAST"; 0: it is not that. */
static size_t name_before_line(const char *hit, uint32_t *line)
{
    char *end;
    const char *colon = strrchr(hit, ':');
    if (!colon || colon[1] < '1' || colon[1] > '9')
        return 0;
    errno = 0;
    unsigned long value = strtoul(colon + 1, &end, 10);
    if (*end == '-' && end[1] >= '1' && end[1] <= '9')
        end += 1 + strspn(end + 1, "0123456789");
    if (errno || *end || value > UINT32_MAX)
        return 0;
    *line = (uint32_t)value;
    return (size_t)(colon - hit);
}

rag_status passage_of_hit(const struct settings *settings, rag_index *index,
                          const rag_passage_options *options, rag_passage **passage,
                          uint32_t *line, rag_error *error)
{
    const char *hit = settings->arguments[0];
    int64_t id;
    *line = 0;
    if (chunk_number(hit, &id))
        return rag_index_get_passage(index, id, options, passage, error);
    rag_status status = rag_index_find_passage(index, hit, 0, options, passage, error);
    size_t size = status == RAG_NOT_FOUND ? name_before_line(hit, line) : 0;
    if (!size)
        return status;
    char *name = strndup(hit, size);
    if (!name)
        return out_of_memory(error);
    status = rag_index_find_passage(index, name, *line, options, passage, error);
    free(name);
    return status;
}
