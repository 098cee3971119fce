#include "documents/sections.h"
#include "base/memory.h"

#include <string.h>

enum {
    PATH_MAX_BYTES = (HEADING_LEVELS + 1) * (DOCUMENT_MAX_TITLE + 3),
};

void sections_release(struct sections *sections)
{
    free(sections->list);
    *sections = (struct sections){0};
}

static rag_status open_section(struct sections *s, struct section section, rag_error *error)
{
    if (!array_reserve(&s->list, &s->capacity, s->count + 1, sizeof *s->list))
        return fail_memory(error);
    s->list[s->count++] = section;
    return RAG_OK;
}

/* Ends the sections from `open` up to the one that a heading of this level lies in. */
static size_t close_sections(struct sections *s, size_t open, unsigned level, size_t block)
{
    while (open != 0 && s->list[open].level >= level) {
        s->list[open].end_section = s->count;
        s->list[open].end_block = block;
        open = s->list[open].parent;
    }
    return open;
}

static unsigned level_of(const struct block *heading)
{
    return heading->level < 1                ? 1
           : heading->level > HEADING_LEVELS ? HEADING_LEVELS
                                             : heading->level;
}

rag_status sections_read(const struct document *document, struct sections *out,
                         rag_error *error)
{
    *out = (struct sections){.document = document};
    size_t blocks = document->block_count;
    rag_status status = open_section(out, (struct section){.heading = blocks}, error);
    size_t open = 0;
    for (size_t i = 0; i < blocks && !status; i++) {
        const struct block *block = &document->blocks[i];
        if (block->kind != BLOCK_HEADING)
            continue;
        unsigned level = level_of(block);
        open = close_sections(out, open, level, i);
        status = open_section(
            out,
            (struct section){.parent = open, .heading = i, .first_block = i, .level = level},
            error);
        open = out->count - 1;
    }
    if (status) {
        sections_release(out);
        return status;
    }
    close_sections(out, open, 1, blocks);
    out->list[0].end_section = out->count;
    out->list[0].end_block = blocks;
    return RAG_OK;
}

size_t sections_common(const struct sections *sections, size_t a, size_t b)
{
    /* A section stands behind the one it lies in. */
    while (a != b) {
        if (a > b)
            a = sections->list[a].parent;
        else
            b = sections->list[b].parent;
    }
    return a;
}

/* Appends a title to a path; an empty one is passed over. */
static bool append_title(struct buf *path, const char *title, size_t size)
{
    return !size || ((path->size == 0 || buf_append_text(path, SECTION_SEPARATOR)) &&
                     buf_append(path, title, size));
}

/* Those above the document of a higher rank than `level`. */
static bool append_above(struct buf *path, const struct above *above, unsigned level)
{
    for (size_t i = 0; i < above->count && above->headings[i].level < level; i++) {
        const char *title = above->headings[i].title;
        if (!append_title(path, title, strlen(title)))
            return false;
    }
    return true;
}

char *sections_path(const struct sections *sections, size_t section)
{
    size_t chain[HEADING_LEVELS + 1], depth = 0;
    unsigned level = HEADING_LEVELS + 1;
    const struct document *document = sections->document;
    for (; section != 0 && depth <= HEADING_LEVELS; section = sections->list[section].parent) {
        level = sections->list[section].level;
        chain[depth++] = section;
    }
    struct buf path = BUF_INIT(PATH_MAX_BYTES);
    /* A raw title may be longer than the path: it is cut on the way. */
    struct buf title = BUF_INIT(DOCUMENT_MAX_BYTES);
    bool ok = append_above(&path, &document->above, level) && buf_reserve(&path, 0);
    while (ok && depth-- > 0) {
        size_t heading = sections->list[chain[depth]].heading;
        buf_clear(&title);
        ok = document_title(document, &document->blocks[heading], &title) &&
             append_title(&path, title.data, title.size);
    }
    char *text = ok ? buf_detach(&path) : NULL;
    buf_release(&path);
    buf_release(&title);
    return text;
}

/* Takes a heading's place among those above what follows it. */
static bool above_push(struct above *above, unsigned level, char *title)
{
    if (!title)
        return false;
    while (above->count && above->headings[above->count - 1].level >= level)
        free(above->headings[--above->count].title);
    above->headings[above->count].level = level;
    above->headings[above->count++].title = title;
    return true;
}

bool above_behind(const struct document *document, struct above *out)
{
    *out = (struct above){0};
    bool ok = true;
    for (size_t i = 0; ok && i < document->above.count; i++)
        ok = above_push(out, document->above.headings[i].level,
                        strdup(document->above.headings[i].title));
    for (size_t i = 0; ok && i < document->block_count; i++) {
        const struct block *block = &document->blocks[i];
        struct buf title = BUF_INIT(DOCUMENT_MAX_BYTES);
        if (block->kind != BLOCK_HEADING)
            continue;
        ok = document_title(document, block, &title) &&
             above_push(out, level_of(block), buf_detach(&title));
        buf_release(&title);
    }
    if (!ok)
        above_release(out);
    return ok;
}
