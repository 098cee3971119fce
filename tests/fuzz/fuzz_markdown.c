/* Any text as Markdown gives blocks in order that lose no line, whatever the pieces. The
 * first byte is the size of the pieces. */
#include "documents/encoding.h"
#include "documents/lines.h"
#include "documents/markdown.h"
#include "text/utf8.h"

#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct document *d)
{
    const char *text = d->text.data;
    size_t at = byte_order_mark(text, d->text.size);
    for (size_t i = 0; i < d->block_count; i++) {
        const struct block *b = &d->blocks[i];
        if (b->begin < at || b->end <= b->begin || b->end > d->text.size ||
            !is_blank(text, at, b->begin))
            abort();
        at = b->end;
        if (b->kind != BLOCK_HEADING)
            continue;
        struct buf title = BUF_INIT(DOCUMENT_MAX_BYTES);
        if (b->name_begin < b->begin || b->name_end < b->name_begin || b->name_end > b->end ||
            !document_title(d, b, &title) || title.size > DOCUMENT_MAX_TITLE ||
            (title.size && utf8_valid_prefix(title.data, title.size) != title.size))
            abort();
        buf_release(&title);
    }
    if (!is_blank(text, at, d->text.size))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct document d;
    if (document_parse("x.md", data + 1, size - 1, NULL, &d, NULL) != RAG_OK)
        return 0;
    check(&d);
    d.block_count = 0;
    if (markdown_read(&d, 1 + (size_t)data[0], NULL) != RAG_OK)
        abort();
    check(&d);
    document_release(&d);
    return 0;
}
