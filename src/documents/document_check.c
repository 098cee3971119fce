/* What document.h promises, checked of a document that came from elsewhere. */
#include "documents/document.h"
#include "documents/lines.h"
#include "text/utf8.h"

#include <jansson.h>

enum {
    MAX_HEADING_LEVEL = 6,
    MAX_LEVEL = 1 << 16,
};

static bool is_boundary(const struct buf *text, size_t at)
{
    return at == text->size ||
           (at < text->size && ((unsigned char)text->data[at] & 0xC0) != 0x80);
}

static bool block_is_sound(const struct buf *text, const struct block *b, size_t after)
{
    if ((unsigned)b->kind >= BLOCK_KINDS || (unsigned)b->markup >= TITLE_MARKUPS ||
        b->begin < after || b->end <= b->begin || b->end > text->size || b->level > MAX_LEVEL)
        return false;
    if (b->kind == BLOCK_HEADING && (b->level < 1 || b->level > MAX_HEADING_LEVEL))
        return false;
    if (b->kind == BLOCK_HEADING
            ? b->name_begin < b->begin || b->name_end < b->name_begin || b->name_end > b->end ||
                  !is_boundary(text, b->name_begin) || !is_boundary(text, b->name_end)
            : b->name_begin || b->name_end)
        return false;
    if (b->header_end && (b->kind != BLOCK_TABLE || b->header_end <= b->begin ||
                          b->header_end > b->end || !is_boundary(text, b->header_end)))
        return false;
    /* Whole lines, and nothing but blank ones before. */
    return (b->begin == byte_order_mark(text->data, text->size) ||
            text->data[b->begin - 1] == '\n') &&
           is_white(text->data, after, b->begin) &&
           is_white(text->data, b->end, line_end(text->data, text->size, b->end));
}

static bool blocks_are_sound(const struct document *d)
{
    size_t after = byte_order_mark(d->text.data, d->text.size);
    for (size_t i = 0; i < d->block_count; i++) {
        if (!block_is_sound(&d->text, &d->blocks[i], after))
            return false;
        after = d->blocks[i].end;
    }
    return is_white(d->text.data, after, d->text.size);
}

/* UTF-8 in which nothing can steer a terminal. */
static bool is_clean(const struct buf *strings, const char *allowed)
{
    if (strings->size == 0)
        return true;
    if (utf8_valid_prefix(strings->data, strings->size) != strings->size)
        return false;
    for (size_t i = 0; i < strings->size; i++) {
        unsigned char c = (unsigned char)strings->data[i];
        if ((c < ' ' && !memchr(allowed, c, strlen(allowed) + 1)) || c == 0x7F)
            return false;
    }
    return true;
}

static bool places_are_sound(const struct document *d)
{
    if (d->names.size && (d->names.data[0] || d->names.data[d->names.size - 1]))
        return false;
    size_t after = 0;
    for (size_t i = 0; i < d->place_count; i++) {
        const struct place *p = &d->places[i];
        if ((unsigned)p->kind >= PLACE_KINDS || p->begin < after || p->begin > d->text.size ||
            !is_boundary(&d->text, p->begin) || (p->name && p->name >= d->names.size) ||
            p->parent > i || (p->parent && d->places[p->parent - 1].kind >= p->kind))
            return false;
        after = p->begin;
    }
    return is_clean(&d->names, "");
}

static bool parts_are_sound(const struct document *d)
{
    const struct buf *bytes = &d->part_bytes;
    size_t after = 0;
    for (size_t i = 0; i < d->part_count; i++) {
        const struct part *p = &d->parts[i];
        if (p->at < after || p->at > d->text.size || p->level > MAX_HEADING_LEVEL ||
            p->name > p->begin || p->begin > p->end || p->end > bytes->size ||
            !memchr(bytes->data + p->name, 0, p->begin - p->name))
            return false;
        /* It goes between two lines. */
        if (p->at && d->text.data[p->at - 1] != '\n')
            return false;
        for (const char *c = bytes->data + p->name; *c; c++)
            if ((unsigned char)*c < ' ' || *c == 0x7F)
                return false;
        after = p->at;
    }
    return true;
}

static bool metadata_is_sound(const struct buf *metadata)
{
    if (metadata->size == 0)
        return true;
    json_t *json = json_loadb(metadata->data, metadata->size, 0, NULL);
    bool sound = json_is_object(json);
    json_decref(json);
    return sound;
}

static bool warnings_are_counted(const struct document *d)
{
    rag_text line;
    size_t at = 0, count = 0;
    while (document_next_warning(d, &at, &line))
        count++;
    return count <= d->warning_count;
}

rag_status document_check(const struct document *d, rag_error *error)
{
    const char *what = NULL;
    if (!d->text.data || utf8_valid_prefix(d->text.data, d->text.size) != d->text.size)
        what = "its text is not UTF-8";
    else if (!blocks_are_sound(d))
        what = "its blocks do not fit the text";
    else if (!places_are_sound(d))
        what = "its places do not fit the text";
    else if (!parts_are_sound(d))
        what = "its parts do not fit the text";
    else if (!metadata_is_sound(&d->metadata))
        what = "its metadata are no object of JSON";
    else if (!is_clean(&d->warnings, "\n") || !warnings_are_counted(d))
        what = "its warnings are no text";
    return what ? fail_with(error, RAG_INTERNAL, "what the reader made is unsound: %s", what)
                : RAG_OK;
}
