/* input.c - texts from standard input, one a line. */
#include "cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static rag_status refuse(rag_error *error, rag_status status, size_t number, const char *why)
{
    error->status = status;
    snprintf(error->message, sizeof error->message, "standard input, line %zu: %s", number,
             why);
    return status;
}

static bool push(struct text_lines *lines, char *text, size_t size)
{
    if (lines->count == lines->capacity) {
        size_t capacity = lines->capacity ? 2 * lines->capacity : 64;
        char **texts = realloc(lines->texts, capacity * sizeof *texts);
        if (!texts)
            return false;
        lines->texts = texts;
        size_t *sizes = realloc(lines->sizes, capacity * sizeof *sizes);
        if (!sizes)
            return false;
        lines->sizes = sizes;
        lines->capacity = capacity;
    }
    lines->texts[lines->count] = text;
    lines->sizes[lines->count++] = size;
    return true;
}

/* The string of a JSON text, as a new buffer. */
static rag_status decode(const char *line, size_t size, size_t number, char **text,
                         size_t *text_size, rag_error *error)
{
    json_error_t trouble;
    json_t *json = json_loadb(line, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, &trouble);
    if (!json)
        return refuse(error, RAG_INPUT, number, trouble.text);
    rag_status status = RAG_OK;
    if (!json_is_string(json)) {
        status = refuse(error, RAG_INPUT, number, "with --jsonl each line is a JSON string");
    } else {
        *text_size = json_string_length(json);
        *text = malloc(*text_size + 1);
        if (*text)
            memcpy(*text, json_string_value(json), *text_size + 1);
        else
            status = refuse(error, RAG_MEMORY, number, "out of memory");
    }
    json_decref(json);
    return status;
}

rag_status text_lines_read(struct text_lines *lines, size_t most, size_t most_bytes, bool jsonl,
                           size_t *number, rag_error *error)
{
    text_lines_clear(lines);
    size_t bytes = 0;
    while (lines->count < most && bytes < most_bytes) {
        char *line = NULL;
        size_t capacity = 0;
        errno = 0;
        ssize_t got = getline(&line, &capacity, stdin);
        if (got < 0) {
            free(line);
            if (ferror(stdin))
                return refuse(error, RAG_INPUT, *number + 1, strerror(errno));
            return RAG_OK;
        }
        ++*number;
        size_t size = (size_t)got;
        if (size && line[size - 1] == '\n')
            size--;
        char *text = line;
        if (!jsonl && !is_utf8((rag_text){line, size})) {
            free(line);
            return refuse(error, RAG_INPUT, *number, "not UTF-8");
        }
        if (jsonl) {
            rag_status status = decode(line, size, *number, &text, &size, error);
            free(line);
            if (status)
                return status;
        }
        if (!push(lines, text, size)) {
            free(text);
            return refuse(error, RAG_MEMORY, *number, "out of memory");
        }
        bytes += size;
    }
    return RAG_OK;
}

void text_lines_clear(struct text_lines *lines)
{
    for (size_t i = 0; i < lines->count; i++)
        free(lines->texts[i]);
    lines->count = 0;
}

void text_lines_release(struct text_lines *lines)
{
    text_lines_clear(lines);
    free(lines->texts);
    free(lines->sizes);
    *lines = (struct text_lines){0};
}
