/* output.c - results on stdout, as JSON or for reading. */
#include "cli.h"

#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool use_colour(void)
{
    const char *no_colour = getenv("NO_COLOR");
    return isatty(STDOUT_FILENO) && !(no_colour && *no_colour);
}

static rag_status write_failed(rag_error *error)
{
    error->status = RAG_INPUT;
    snprintf(error->message, sizeof error->message, "standard output: %s", strerror(errno));
    return RAG_INPUT;
}

rag_status flush_output(rag_error *error)
{
    if (fflush(stdout) != 0 || ferror(stdout))
        return write_failed(error);
    return RAG_OK;
}

rag_status print_json(json_t *object, rag_error *error)
{
    if (!object) {
        error->status = RAG_MEMORY;
        snprintf(error->message, sizeof error->message, "out of memory");
        return RAG_MEMORY;
    }
    /* Nine digits give an f32 back exactly. */
    int failed = json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9)) != 0;
    failed |= putchar('\n') == EOF;
    json_decref(object);
    return failed ? write_failed(error) : RAG_OK;
}

json_t *json_text(rag_text text)
{
    return json_stringn(text.data ? text.data : "", text.size);
}

json_t *json_range(uint64_t first, uint64_t last)
{
    return json_pack("[I, I]", (json_int_t)first, (json_int_t)last);
}

json_t *json_number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

json_t *json_of_hit(const rag_hit *hit)
{
    const rag_chunk *chunk = &hit->chunk;
    return json_pack("{s:I, s:o, s:{s:o, s:o, s:o}, s:s, s:s, s:o, s:o, s:o}", "rank",
                     (json_int_t)hit->rank, "score", json_number(hit->score), "scores", "dense",
                     json_number(hit->dense), "lexical", json_number(hit->lexical), "rerank",
                     json_number(hit->rerank), "document", chunk->document, "heading",
                     chunk->heading, "lines", json_range(chunk->line, chunk->last_line),
                     "bytes", json_range(chunk->begin, chunk->end), "text",
                     json_text(chunk->text));
}

const char *display_path(const char *path)
{
    char here[PATH_MAX];
    if (!getcwd(here, sizeof here))
        return path;
    size_t size = strlen(here);
    if (size > 1 && strncmp(path, here, size) == 0 && path[size] == '/')
        return path + size + 1;
    return path;
}

/* Control characters of a document must not reach the terminal. */
static void print_safely(const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        bool c1 = c == 0xc2 && i + 1 < size && (unsigned char)text[i + 1] < 0xa0;
        if (c == '\n')
            fputs("\n    ", stdout);
        else if (c == '\t')
            putchar(' ');
        else if (c >= 0x20 && c != 0x7f && !c1)
            putchar(c);
        i += c1;
    }
}

void print_quote(rag_text quote)
{
    fputs("    ", stdout);
    print_safely(quote.data, quote.size);
    putchar('\n');
}

void print_hit(const rag_hit *hit)
{
    const rag_chunk *chunk = &hit->chunk;
    const char *bold = use_colour() ? "\033[1m" : "", *dim = use_colour() ? "\033[2m" : "";
    const char *plain = use_colour() ? "\033[0m" : "";
    printf("%s%zu. %s:%u-%u%s", bold, hit->rank, display_path(chunk->document), chunk->line,
           chunk->last_line, plain);
    if (*chunk->heading) {
        fputs("  ", stdout);
        print_safely(chunk->heading, strlen(chunk->heading));
    }
    printf("\n    %sscore %.4f", dim, hit->score);
    if (!isnan(hit->dense))
        printf("  dense %.4f", hit->dense);
    if (!isnan(hit->lexical))
        printf("  lexical %.3f", hit->lexical);
    if (!isnan(hit->rerank))
        printf("  rerank %.4f", hit->rerank);
    printf("%s\n    ", plain);
    print_safely(chunk->text.data, chunk->text.size);
    fputs("\n\n", stdout);
}
