#include "documents/chunker.h"
#include "base/memory.h"
#include "documents/chunks.h"
#include "documents/structure.h"
#include "documents/window.h"

#include <string.h>

enum { PLACE_MAX = 1 << 16 }; /* bytes of a chunk's place */

void chunk_list_release(struct chunk_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->chunks[i].heading);
        free(list->chunks[i].place);
    }
    free(list->chunks);
    *list = (struct chunk_list){0};
}

static uint32_t count_newlines(const char *text, size_t begin, size_t end)
{
    uint32_t n = 0;
    while (begin < end) {
        const char *newline = memchr(text + begin, '\n', end - begin);
        if (!newline)
            break;
        n++;
        begin = (size_t)(newline - text) + 1;
    }
    return n;
}

/* Where in the file the text was: at its beginning and, if that is elsewhere, at its end. */
static bool find_place(const struct document *document, size_t begin, size_t end, char **out)
{
    struct buf first = BUF_INIT(PLACE_MAX), last = BUF_INIT(PLACE_MAX);
    *out = NULL;
    if (!document->place_count)
        return true;
    bool good =
        document_place(document, begin, &first) && document_place(document, end - 1, &last);
    bool moved = good && last.size &&
                 (first.size != last.size || memcmp(first.data, last.data, last.size) != 0);
    if (moved)
        good = (!first.size || buf_append_text(&first, " to ")) &&
               buf_append(&first, last.data, last.size);
    if (good && first.size)
        good = (*out = buf_detach(&first)) != NULL;
    buf_release(&first);
    buf_release(&last);
    return good;
}

rag_status chunks_add(struct chunks *chunks, size_t begin, size_t end, size_t tokens,
                      size_t section, const struct block *header, rag_error *error)
{
    struct chunk_list *out = chunks->out;
    const char *text = chunks->document->text.data;
    chunks->line += count_newlines(text, chunks->begin, begin);
    chunks->begin = begin;
    /* The last byte's line, were it a newline itself. */
    chunks->last_line += count_newlines(text, chunks->end, end - 1);
    chunks->end = end - 1;
    char *heading = sections_path(&chunks->sections, section), *place = NULL;
    if (!heading || !find_place(chunks->document, begin, end, &place) ||
        !array_reserve(&out->chunks, &out->capacity, out->count + 1, sizeof *out->chunks)) {
        free(heading);
        free(place);
        return fail_memory(error);
    }
    out->chunks[out->count++] = (struct chunk){.begin = begin,
                                               .end = end,
                                               .header_begin = header ? header->begin : 0,
                                               .header_end = header ? header->header_end : 0,
                                               .line = chunks->line,
                                               .last_line = chunks->last_line,
                                               .tokens = tokens,
                                               .heading = heading,
                                               .place = place};
    return RAG_OK;
}

rag_status chunk_document(const struct document *document, const struct tokenizer *tokenizer,
                          const struct chunker_options *options, struct chunk_list *out,
                          rag_error *error)
{
    chunk_list_release(out);
    if (options->max_tokens == 0)
        return fail_with(error, RAG_USAGE, "a chunk must have at least one token");
    struct chunks chunks = {.document = document,
                            .tokenizer = tokenizer,
                            .options = options,
                            .out = out,
                            .line = 1,
                            .last_line = 1};
    rag_status status = sections_read(document, &chunks.sections, error);
    if (!status)
        status = options->chunker == RAG_CHUNKER_WINDOW ? window_chunks(&chunks, error)
                                                        : structure_chunks(&chunks, error);
    free(chunks.contexts);
    sections_release(&chunks.sections);
    if (status)
        chunk_list_release(out);
    return status;
}
