/* How fast files are read: reading READER_FILE...
 *
 * For each file the time in the reader alone (in this process, the bytes being in memory), from
 * the file through a worker (read, sent, the answer received and checked), and what that costs
 * more; then the time a file takes at least, with one of few bytes. */
#include "base/clock.h"
#include "base/file.h"
#include "documents/document.h"
#include "documents/worker.h"
#include "readers/reader.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROUNDS = 5, SMALL_FILES = 2000 };

static void fail(const rag_error *error)
{
    fprintf(stderr, "%s\n", error->message);
    exit(1);
}

/* The least time of some rounds, in seconds. */
static double here(const char *path, const struct buf *file)
{
    const struct read_options options = {0};
    double best = 1e9;
    for (int i = 0; i < ROUNDS; i++) {
        struct buf bytes = BUF_INIT(DOCUMENT_MAX_BYTES);
        struct document document;
        rag_error error;
        bool same;
        if (!buf_append(&bytes, file->data, file->size))
            exit(1);
        double begin = clock_seconds();
        if (readers_read(path, NULL, &options, &bytes, &document, &same, &error) != RAG_OK)
            fail(&error);
        double time = clock_seconds() - begin;
        best = time < best ? time : best;
        document_release(&document);
        buf_release(&bytes);
    }
    return best;
}

static double there(const char *path)
{
    double best = 1e9;
    for (int i = 0; i < ROUNDS; i++) {
        struct document document;
        rag_error error;
        double begin = clock_seconds();
        if (document_read(path, NULL, &document, &error) != RAG_OK)
            fail(&error);
        double time = clock_seconds() - begin;
        best = time < best ? time : best;
        document_release(&document);
    }
    return best;
}

int main(int argc, char **argv)
{
    static const char small[] = "# Title\n\nA few words.\n";
    struct buf file = BUF_INIT(DOCUMENT_MAX_BYTES);
    rag_error error;
    for (int i = 1; i < argc; i++) {
        buf_clear(&file);
        if (file_read(argv[i], &file, &error) != RAG_OK)
            fail(&error);
        double alone = here(argv[i], &file), worker = there(argv[i]);
        double size = (double)file.size / 1e6;
        printf("%s: %.1f MB, reader alone %.1f MB/s, through the worker %.1f MB/s (+%.0f%%)\n",
               argv[i], size, size / alone, size / worker, 100 * (worker / alone - 1));
    }
    buf_clear(&file);
    if (!buf_append(&file, small, sizeof small - 1))
        return 1;
    double begin = clock_seconds();
    for (int i = 0; i < SMALL_FILES; i++) {
        struct document document;
        if (document_parse("small.md", file.data, file.size, NULL, &document, &error) != RAG_OK)
            fail(&error);
        document_release(&document);
    }
    printf("a small file: %.0f microseconds\n", (clock_seconds() - begin) / SMALL_FILES * 1e6);
    worker_end_all();
    buf_release(&file);
    return 0;
}
