#include "readers/blocks.h"

#include <string.h>
#include <strings.h>

struct blocks blocks_of(const struct input *input, struct document *document)
{
    return (struct blocks){.document = document, .text = input->bytes, .size = input->size};
}

rag_status blocks_finish(const struct blocks *b, rag_error *error)
{
    return b->failed ? fail_memory(error) : RAG_OK;
}

size_t blocks_next_line(const struct blocks *b, size_t at)
{
    size_t end = line_end(b->text, b->size, at);
    return end < b->size ? end + 1 : b->size;
}

bool blocks_line_is_blank(const struct blocks *b, size_t at)
{
    return is_blank(b->text, at, line_end(b->text, b->size, at));
}

/* The lines in [begin, end) without the blank ones around them; false: none is left. */
static bool trim(const struct blocks *b, size_t *begin, size_t *end)
{
    *end = trim_end(b->text, *begin, *end);
    while (*begin < *end && blocks_line_is_blank(b, *begin))
        *begin = blocks_next_line(b, *begin);
    return *begin < *end;
}

static void push(struct blocks *b, struct block block)
{
    if (!b->failed && !document_push(b->document, block))
        b->failed = true;
}

void blocks_push(struct blocks *b, enum block_kind kind, unsigned level, size_t begin,
                 size_t end)
{
    if (trim(b, &begin, &end))
        push(b, (struct block){.kind = kind, .level = level, .begin = begin, .end = end});
}

void blocks_push_table(struct blocks *b, size_t begin, size_t header, size_t end)
{
    if (!trim(b, &begin, &end))
        return;
    struct block table = {.kind = BLOCK_TABLE, .begin = begin, .end = end};
    header = header < end ? header : end;
    header = header > begin ? trim_end(b->text, begin, header) : begin;
    if (header > begin)
        table.header_end = header;
    push(b, table);
}

void blocks_push_heading(struct blocks *b, unsigned level, size_t begin, size_t end,
                         size_t name, size_t name_end, enum title_markup markup)
{
    if (!trim(b, &begin, &end))
        return;
    name = skip_blanks(b->text, name, name_end);
    name_end = trim_end(b->text, name, name_end);
    level = level < 1 ? 1 : level > 6 ? 6 : level;
    push(b, (struct block){.kind = BLOCK_HEADING,
                           .level = level,
                           .begin = begin,
                           .end = end,
                           .name_begin = name,
                           .name_end = name_end,
                           .markup = markup});
}

bool blocks_line_begins(const struct blocks *b, size_t at, const char *words)
{
    size_t end = line_end(b->text, b->size, at), n = strlen(words);
    at = skip_blanks(b->text, at, end);
    return end - at >= n && memcmp(b->text + at, words, n) == 0;
}

bool blocks_line_begins_any_case(const struct blocks *b, size_t at, const char *words)
{
    size_t end = line_end(b->text, b->size, at), n = strlen(words);
    at = skip_blanks(b->text, at, end);
    return end - at >= n && strncasecmp(b->text + at, words, n) == 0;
}

size_t blocks_indent(const struct blocks *b, size_t at)
{
    size_t columns = 0;
    for (; at < b->size && (b->text[at] == ' ' || b->text[at] == '\t'); at++)
        columns = b->text[at] == '\t' ? (columns | 7) + 1 : columns + 1;
    return columns;
}

size_t blocks_indented_end(const struct blocks *b, size_t at, size_t indent)
{
    size_t end = at;
    while (at < b->size) {
        bool blank = blocks_line_is_blank(b, at);
        if (!blank && blocks_indent(b, at) <= indent)
            break;
        at = blocks_next_line(b, at);
        if (!blank)
            end = at;
    }
    return end;
}

size_t blocks_paragraph_end(const struct blocks *b, size_t at)
{
    while (at < b->size && !blocks_line_is_blank(b, at))
        at = blocks_next_line(b, at);
    return at;
}

bool blocks_is_item(const struct blocks *b, size_t at)
{
    size_t end = line_end(b->text, b->size, at);
    at = skip_blanks(b->text, at, end);
    if (at >= end)
        return false;
    char c = b->text[at];
    size_t mark = at + 1;
    if (c >= '0' && c <= '9') {
        while (mark < end && mark - at < 9 && b->text[mark] >= '0' && b->text[mark] <= '9')
            mark++;
        if (mark == end || (b->text[mark] != '.' && b->text[mark] != ')'))
            return false;
        mark++;
    } else if (c != '-' && c != '*' && c != '+') {
        return false;
    }
    return mark < end && is_blank_byte(b->text[mark]);
}
