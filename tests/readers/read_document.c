/* read_document [--notebook-outputs] FILE: what rag reads of it, for tests to look at, scans if
 * RAG_OCR says so: a line of JSON with format, metadata and warnings, then each block as KIND,
 * level, place and text. Exit status 3 and the reason: it cannot be read. */
#include "documents/document.h"
#include "documents/worker.h"

#include <stdio.h>
#include <string.h>

static const char *const kinds[BLOCK_KINDS] = {"heading", "paragraph", "item", "code", "table",
                                               "formula", "quote",     "html", "other"};

static int print(const struct document *d)
{
    printf("{\"format\": \"%s\", \"blocks\": %zu, \"sandbox\": %d, \"metadata\": %s}\n",
           d->format, d->block_count, worker_sandbox(),
           d->metadata.size ? d->metadata.data : "{}");
    if (d->warnings.size)
        printf("warnings: %s", d->warnings.data);
    for (size_t i = 0; i < d->block_count; i++) {
        const struct block *b = &d->blocks[i];
        struct buf place = BUF_INIT(1 << 16), title = BUF_INIT(DOCUMENT_MAX_BYTES);
        if (!buf_reserve(&place, 0) || !document_place(d, b->begin, &place) ||
            (b->kind == BLOCK_HEADING && !document_title(d, b, &title)))
            return 1;
        printf("== %s %u [%s] %s\n%.*s\n", kinds[b->kind], b->level, place.data,
               title.size ? title.data : "", (int)(b->end - b->begin), d->text.data + b->begin);
        buf_release(&place);
        buf_release(&title);
    }
    return 0;
}

int main(int argc, char **argv)
{
    struct read_options options;
    rag_error why;
    bool outputs = argc > 1 && strcmp(argv[1], "--notebook-outputs") == 0;
    rag_status usable = read_options_make(NULL, outputs, &options, &why);
    if (usable)
        printf("%s: %s\n", rag_status_text(usable), why.message);
    int status = argc > 1 ? rag_status_exit(usable) : 2;
    for (int i = outputs ? 2 : 1; i < argc && !status; i++) {
        struct document document;
        rag_error error;
        rag_status read = document_read(argv[i], &options, &document, &error);
        if (read) {
            printf("%s: %s\n", rag_status_text(read), error.message);
            status = rag_status_exit(read);
            continue;
        }
        status = print(&document);
        document_release(&document);
    }
    worker_end_all();
    return status;
}
