#include "documents/compose.h"
#include "base/memory.h"

#include <string.h>

/* The document that is put together: the source's own text in stretches, parts in between. */
struct composition {
    struct document *source;
    struct document made;
    size_t text, block, place; /* of the source: those before are taken */
    uint32_t *places;          /* [source's]: 1 + where each is in `made` */
};

/* Appends blocks from `block` on that lie before the byte `end`, their text being at `from` in
 * one document and at `to` in the other. */
static bool append_blocks(struct document *to_document, const struct document *d, size_t *block,
                          size_t end, size_t from, size_t to, unsigned level)
{
    for (; *block < d->block_count && d->blocks[*block].begin < end; (*block)++) {
        struct block b = d->blocks[*block];
        b.begin = b.begin - from + to;
        b.end = b.end - from + to;
        if (b.name_end) {
            b.name_begin = b.name_begin - from + to;
            b.name_end = b.name_end - from + to;
        }
        if (b.header_end)
            b.header_end = b.header_end - from + to;
        if (b.kind == BLOCK_HEADING)
            b.level = b.level + level > HEADING_LEVELS ? HEADING_LEVELS : b.level + level;
        if (!document_push(to_document, b))
            return false;
    }
    return true;
}

/* Appends a place as one that lies in the place number `parent` - 1. */
static bool append_place(struct document *to, const struct document *from,
                         const struct place *place, size_t begin, uint32_t parent)
{
    const char *name = place->name ? from->names.data + place->name : NULL;
    if (!document_push_place(to, begin, place->kind, place->number, name))
        return false;
    to->places[to->place_count - 1].parent = parent;
    return true;
}

static bool append_own_places(struct composition *c, size_t end, size_t from, size_t to)
{
    const struct document *d = c->source;
    for (;
         c->place < d->place_count && (d->places[c->place].begin < end || end == d->text.size);
         c->place++) {
        const struct place *place = &d->places[c->place];
        uint32_t parent = place->parent ? c->places[place->parent - 1] : 0;
        if (!append_place(&c->made, d, place, place->begin - from + to, parent))
            return false;
        c->places[c->place] = (uint32_t)c->made.place_count;
    }
    return true;
}

/* Those of a part, in the source's last one. */
static bool append_part_places(struct composition *c, const struct document *part, size_t from,
                               size_t to)
{
    uint32_t around = c->place ? c->places[c->place - 1] : 0;
    uint32_t base = (uint32_t)c->made.place_count;
    for (size_t i = 0; i < part->place_count; i++) {
        const struct place *place = &part->places[i];
        uint32_t parent = place->parent ? base + place->parent : around;
        if (!append_place(&c->made, part, place, place->begin - from + to, parent))
            return false;
    }
    return true;
}

/* The source's own text up to `end`. */
static bool append_own(struct composition *c, size_t end)
{
    struct document *d = c->source;
    size_t to = c->made.text.size, from = c->text;
    c->text = end;
    return buf_append(&c->made.text, d->text.data + from, end - from) &&
           append_blocks(&c->made, d, &c->block, end, from, to, 0) &&
           append_own_places(c, end, from, to);
}

/* A part's text, with empty lines around it. */
static bool append_part(struct composition *c, const struct document *part, unsigned level)
{
    struct buf *text = &c->made.text;
    size_t block = 0;
    size_t mark =
        part->text.size >= 3 && memcmp(part->text.data, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    size_t to = text->size;
    return buf_append(text, part->text.data + mark, part->text.size - mark) &&
           buf_append_text(text, "\n\n") &&
           append_blocks(&c->made, part, &block, part->text.size, mark, to, level) &&
           append_part_places(c, part, mark, to);
}

/* Those of a part, named; or the source's own, name "". */
static bool take_warnings(struct document *to, const char *name, const struct document *from)
{
    rag_text line;
    size_t at = 0, kept = 0;
    for (; document_next_warning(from, &at, &line); kept++)
        if (!document_push_warning(to, name, line.data, line.size))
            return false;
    to->warning_count += from->warning_count - kept;
    return true;
}

static rag_status read_part(struct composition *c, const struct part *part,
                            struct composing *composing, rag_error *error)
{
    const struct buf *bytes = &c->source->part_bytes;
    const char *name = bytes->data + part->name;
    struct document read;
    rag_error trouble;
    if (composing->parts++ >= COMPOSE_MAX_PARTS)
        return fail_with(error, RAG_INPUT, "more than %d files in it", COMPOSE_MAX_PARTS);
    composing->bytes += part->end - part->begin;
    if (composing->bytes > DOCUMENT_MAX_BYTES)
        return fail_with(error, RAG_INPUT, "the files in it have more than %d bytes",
                         DOCUMENT_MAX_BYTES);
    composing->depth++;
    rag_status status =
        compose_read(name, (rag_text){bytes->data + part->begin, part->end - part->begin}, NULL,
                     composing, &read, &trouble);
    composing->depth--;
    bool ok;
    if (status == RAG_INPUT) {
        ok = document_push_warning(&c->made, name, trouble.message, strlen(trouble.message));
    } else if (status) {
        return fail_with(error, status, "%s: %s", name, trouble.message);
    } else {
        ok = append_part(c, &read, part->level) && take_warnings(&c->made, name, &read);
        document_release(&read);
    }
    return ok ? RAG_OK : fail_memory(error);
}

rag_status compose_parts(struct document *document, struct composing *composing,
                         rag_error *error)
{
    if (document->part_count == 0)
        return RAG_OK;
    struct composition c = {.source = document, .made = DOCUMENT_INIT};
    c.places = alloc_array(document->place_count, sizeof *c.places);
    rag_status status = c.places && buf_reserve(&c.made.text, 0) ? RAG_OK : fail_memory(error);
    for (size_t i = 0; i < document->part_count && !status; i++) {
        const struct part *part = &document->parts[i];
        status = append_own(&c, part->at) ? read_part(&c, part, composing, error)
                                          : fail_memory(error);
    }
    if (!status &&
        (!append_own(&c, document->text.size) || !take_warnings(&c.made, "", document)))
        status = fail_memory(error);
    free(c.places);
    if (status) {
        document_release(&c.made);
        return status;
    }
    c.made.format = document->format;
    struct buf metadata = document->metadata;
    document->metadata = c.made.metadata;
    c.made.metadata = metadata;
    document_release(document);
    *document = c.made;
    return RAG_OK;
}
