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

/* The bytes of the character that begins here; 0: it is no UTF-8. */
static size_t character_size(const char *text, size_t size)
{
    unsigned char c = (unsigned char)*text;
    size_t length = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
    return length <= size && is_utf8((rag_text){text, length}) ? length : 0;
}

bool is_utf8(rag_text text)
{
    json_t *json = json_stringn(text.data, text.size);
    json_decref(json);
    return json;
}

/* A reader that went away, as head does, has seen what it wanted: nothing is said. */
static rag_status write_failed(rag_error *error)
{
    error->status = RAG_INPUT;
    *error->message = '\0';
    if (errno != EPIPE)
        snprintf(error->message, sizeof error->message, "standard output: %s",
                 errno ? strerror(errno) : "not everything could be written");
    return RAG_INPUT;
}

rag_status flush_output(rag_error *error)
{
    /* A write that failed earlier has left its mark on the stream, not in errno. */
    errno = 0;
    if (fflush(stdout) != 0 || ferror(stdout))
        return write_failed(error);
    return RAG_OK;
}

rag_status out_of_memory(rag_error *error)
{
    error->status = RAG_MEMORY;
    snprintf(error->message, sizeof error->message, "out of memory");
    return RAG_MEMORY;
}

rag_status print_json(json_t *object, rag_error *error)
{
    if (!object)
        return out_of_memory(error);
    /* Nine digits give an f32 back exactly. */
    errno = 0;
    int failed = json_dumpf(object, stdout, JSON_COMPACT | JSON_REAL_PRECISION(9)) != 0;
    failed |= putchar('\n') == EOF;
    json_decref(object);
    return failed ? write_failed(error) : RAG_OK;
}

json_t *json_text(rag_text text)
{
    json_t *json = json_stringn(text.data ? text.data : "", text.size);
    if (json)
        return json;
    /* Not UTF-8, as the names of files may be: each byte that is not becomes U+FFFD. */
    char *copy = malloc(3 * text.size + 1);
    size_t size = 0;
    for (size_t i = 0; copy && i < text.size;) {
        size_t length = character_size(text.data + i, text.size - i);
        memcpy(copy + size, length ? text.data + i : "\xef\xbf\xbd", length ? length : 3);
        size += length ? length : 3;
        i += length ? length : 1;
    }
    json = copy ? json_stringn(copy, size) : NULL;
    free(copy);
    return json;
}

json_t *json_string_of(const char *text)
{
    return json_text((rag_text){text, strlen(text)});
}

json_t *json_range(uint64_t first, uint64_t last)
{
    return json_pack("[I, I]", (json_int_t)first, (json_int_t)last);
}

json_t *json_number(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

/* A JSON object, as the index has it. */
static json_t *json_of_metadata(const char *metadata)
{
    return json_loads(metadata, JSON_ALLOW_NUL, NULL);
}

json_t *json_of_hit(const rag_hit *hit)
{
    const rag_chunk *chunk = &hit->chunk;
    return json_pack(
        "{s:I, s:o, s:{s:o, s:o, s:o, s:o}, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}",
        "rank", (json_int_t)hit->rank, "score", json_number(hit->score), "scores", "dense",
        json_number(hit->dense), "lexical", json_number(hit->lexical), "rerank",
        json_number(hit->rerank), "sparse", json_number(hit->sparse), "document",
        json_string_of(chunk->document), "heading", json_string_of(chunk->heading), "lines",
        json_range(chunk->line, chunk->last_line), "bytes",
        json_range(chunk->begin, chunk->end), "place", json_string_of(chunk->place), "chunk",
        json_integer(hit->chunk_id), "collection", json_string_of(hit->collection), "metadata",
        json_of_metadata(hit->metadata), "text", json_text(chunk->text));
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

void print_safely(FILE *to, rag_text text, const char *newline)
{
    for (size_t i = 0; i < text.size; i++) {
        unsigned char c = (unsigned char)text.data[i];
        bool c1 = c == 0xc2 && i + 1 < text.size && (unsigned char)text.data[i + 1] < 0xa0;
        if (c == '\n')
            fputs(newline, to);
        else if (c == '\t')
            putc(' ', to);
        else if (c >= 0x20 && c != 0x7f && !c1)
            putc(c, to);
        i += c1;
    }
}

void print_quote(rag_text quote)
{
    while (quote.size &&
           (quote.data[quote.size - 1] == '\n' || quote.data[quote.size - 1] == ' '))
        quote.size--;
    for (const char *at = quote.data, *end = at + quote.size; at < end;) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t size = (size_t)((newline ? newline : end) - at);
        fputs(size ? "    " : "", stdout);
        print_safely(stdout, (rag_text){at, size}, "");
        putchar('\n');
        at += size + 1;
    }
}

void print_place(const rag_chunk *chunk, int64_t id, unsigned line, unsigned last_line)
{
    const char *path = display_path(chunk->document);
    print_safely(stdout, (rag_text){path, strlen(path)}, " ");
    printf(":%u", line);
    if (last_line != line)
        printf("-%u", last_line);
    if (*chunk->place) {
        fputs(", ", stdout);
        print_safely(stdout, (rag_text){chunk->place, strlen(chunk->place)}, " ");
    }
    fputs(use_colour() ? "\033[0m" : "", stdout);
    if (*chunk->heading)
        fputs("  ", stdout);
    print_safely(stdout, (rag_text){chunk->heading, strlen(chunk->heading)}, " ");
    printf("  %s(chunk %lld)%s\n", use_colour() ? "\033[2m" : "", (long long)id,
           use_colour() ? "\033[0m" : "");
}

void print_hit(const rag_hit *hit)
{
    const char *bold = use_colour() ? "\033[1m" : "", *dim = use_colour() ? "\033[2m" : "";
    printf("%s%zu. ", bold, hit->rank);
    print_place(&hit->chunk, hit->chunk_id, hit->chunk.line, hit->chunk.last_line);
    printf("    %sscore %.4f", dim, hit->score);
    if (!isnan(hit->dense))
        printf("  dense %.4f", hit->dense);
    if (!isnan(hit->sparse))
        printf("  sparse %.4f", hit->sparse);
    if (!isnan(hit->lexical))
        printf("  lexical %.3f", hit->lexical);
    if (!isnan(hit->rerank))
        printf("  rerank %.4f", hit->rerank);
    puts(use_colour() ? "\033[0m" : "");
    print_quote(hit->chunk.text);
    putchar('\n');
}
