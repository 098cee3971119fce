/* How long a tokenizer takes to open, parsed from its file and from its packed form:
 *
 *   bench_open TOKENIZER [REPEATS]
 *
 * TOKENIZER is a file or a model's folder. The packed form is written below TMPDIR and
 * removed again. A line of JSON goes to stdout: the median in milliseconds of REPEATS (20) of
 * each, files in the page cache; opened, and opened and used for one short text; bytes packed.
 */
#include "base/clock.h"
#include "base/file.h"
#include "text/tokenizer.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { MAX_REPEATS = 1000 };

static const rag_text text = {"The first frost of the year came in October.", 44};
static const struct hash source = {{0}};

static rag_status open_parsed(const char *path, struct tokenizer **out, rag_error *error)
{
    return tokenizer_open(path, out, error);
}

static rag_status open_packed(const char *path, struct tokenizer **out, rag_error *error)
{
    struct packed *packed;
    rag_status status = packed_open(path, &source, TOKENIZER_PACKED, &packed, error);
    if (status)
        return status;
    status = tokenizer_unpack(packed, path, out, error);
    if (status)
        packed_close(packed);
    return status;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

struct times {
    double opened, used; /* ms */
};

static rag_status measure(rag_status (*open)(const char *, struct tokenizer **, rag_error *),
                          const char *path, size_t repeats, struct times *out, rag_error *error)
{
    static double opened[MAX_REPEATS], used[MAX_REPEATS];
    for (size_t i = 0; i < repeats; i++) {
        struct tokenizer *tokenizer;
        struct token_list tokens = {0};
        double start = clock_seconds();
        rag_status status = open(path, &tokenizer, error);
        if (status)
            return status;
        opened[i] = 1e3 * (clock_seconds() - start);
        status = tokenizer_encode_single(tokenizer, text, &tokens, error);
        used[i] = 1e3 * (clock_seconds() - start);
        token_list_release(&tokens);
        tokenizer_free(tokenizer);
        if (status)
            return status;
    }
    qsort(opened, repeats, sizeof *opened, ascending);
    qsort(used, repeats, sizeof *used, ascending);
    *out = (struct times){opened[repeats / 2], used[repeats / 2]};
    return RAG_OK;
}

static rag_status pack(const char *from, const char *to, rag_error *error)
{
    struct tokenizer *tokenizer;
    struct packed_writer *writer;
    rag_status status = tokenizer_open(from, &tokenizer, error);
    if (status)
        return status;
    status = packed_writer_new(to, &source, TOKENIZER_PACKED, &writer, error);
    if (status)
        goto out;
    if ((status = tokenizer_pack(tokenizer, writer, error)))
        packed_writer_abort(writer);
    else
        status = packed_writer_commit(writer, error);
out:
    tokenizer_free(tokenizer);
    return status;
}

static uint64_t bytes_of(const char *path)
{
    struct packed *packed;
    struct packed_info info = {0};
    if (!packed_open(path, NULL, NULL, &packed, NULL)) {
        packed_get_info(packed, &info);
        packed_close(packed);
    }
    return info.bytes;
}

int main(int argc, char **argv)
{
    size_t repeats = argc > 2 ? strtoul(argv[2], NULL, 10) : 20;
    if (argc < 2 || repeats < 1 || repeats > MAX_REPEATS) {
        fprintf(stderr, "usage: bench_open TOKENIZER [REPEATS]\n");
        return 2;
    }
    const char *temporary = getenv("TMPDIR");
    char path[4096];
    struct times parsed, packed;
    rag_error error;
    snprintf(path, sizeof path, "%s/rag-bench-%ld.ragpack", temporary ? temporary : "/tmp",
             (long)getpid());
    rag_status status = pack(argv[1], path, &error);
    if (!status)
        status = measure(open_parsed, argv[1], repeats, &parsed, &error);
    if (!status)
        status = measure(open_packed, path, repeats, &packed, &error);
    if (!status)
        printf("{\"parsed_ms\": %.2f, \"parsed_used_ms\": %.2f, \"packed_ms\": %.2f, "
               "\"packed_used_ms\": %.2f, \"packed_bytes\": %llu}\n",
               parsed.opened, parsed.used, packed.opened, packed.used,
               (unsigned long long)bytes_of(path));
    else
        fprintf(stderr, "bench_open: %s\n", error.message);
    unlink(path);
    return rag_status_exit(status);
}
