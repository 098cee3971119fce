#include "pipeline/evalset.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <string.h>

enum { EVAL_MAX_FILE = 1 << 30 };

static void texts_release(struct eval_texts *texts)
{
    for (size_t i = 0; i < texts->count; i++) {
        free(texts->items[i].id);
        free(texts->items[i].text);
    }
    free(texts->items);
    *texts = (struct eval_texts){0};
}

void eval_set_release(struct eval_set *set)
{
    texts_release(&set->passages);
    texts_release(&set->queries);
    free(set->qrels);
    *set = (struct eval_set){0};
}

/* Takes the next line off *rest, cut at its newline. NULL at the end. */
static char *next_line(char **rest, const char *end)
{
    if (*rest >= end)
        return NULL;
    char *line = *rest, *newline = memchr(line, '\n', (size_t)(end - line));
    if (newline)
        *newline = '\0';
    *rest = newline ? newline + 1 : (char *)(uintptr_t)end;
    return line;
}

static rag_status parse_text(const char *line, struct eval_text *out, rag_error *error)
{
    json_error_t trouble;
    json_t *json = json_loads(line, JSON_ALLOW_NUL, &trouble);
    if (!json)
        return fail_with(error, RAG_INPUT, "not JSON: %s", trouble.text);
    rag_status status = RAG_OK;
    const json_t *id = json_object_get(json, "id"), *text = json_object_get(json, "text");
    if (!json_is_string(id) || !json_is_string(text)) {
        status = fail_with(error, RAG_INPUT, "needs the strings \"id\" and \"text\"");
        goto out;
    }
    out->size = json_string_length(text);
    out->id = strdup(json_string_value(id));
    out->text = malloc(out->size + 1);
    if (!out->id || !out->text) {
        free(out->id);
        free(out->text);
        status = fail_memory(error);
        goto out;
    }
    memcpy(out->text, json_string_value(text), out->size + 1);
out:
    json_decref(json);
    return status;
}

static int by_id(const void *a, const void *b)
{
    return strcmp(((const struct eval_text *)a)->id, ((const struct eval_text *)b)->id);
}

size_t eval_find(const struct eval_texts *texts, const char *id)
{
    struct eval_text key = {.id = (char *)(uintptr_t)id};
    const struct eval_text *found =
        bsearch(&key, texts->items, texts->count, sizeof *texts->items, by_id);
    return found ? (size_t)(found - texts->items) : SIZE_MAX;
}

static rag_status read_texts(const char *folder, const char *name, struct eval_texts *out,
                             rag_error *error)
{
    rag_status status;
    struct buf bytes = BUF_INIT((size_t)EVAL_MAX_FILE);
    char *path = path_join(folder, name);
    if (!path)
        return fail_memory(error);
    if ((status = file_read(path, &bytes, error)))
        goto out;
    size_t number = 0;
    char *rest = bytes.data;
    for (char *line; (line = next_line(&rest, bytes.data + bytes.size));) {
        number++;
        if (strspn(line, " \t\r") == strlen(line))
            continue;
        struct eval_text text = {0};
        if ((status = parse_text(line, &text, error))) {
            status = fail_within(error, status, "%s:%zu", path, number);
            goto out;
        }
        if (!array_reserve(&out->items, &out->capacity, out->count + 1, sizeof *out->items)) {
            free(text.id);
            free(text.text);
            status = fail_memory(error);
            goto out;
        }
        out->items[out->count++] = text;
    }
    if (!out->count) {
        status = fail_with(error, RAG_INPUT, "%s: has no lines", path);
        goto out;
    }
    qsort(out->items, out->count, sizeof *out->items, by_id);
    for (size_t i = 1; i < out->count; i++)
        if (by_id(&out->items[i - 1], &out->items[i]) == 0) {
            status = fail_with(error, RAG_INPUT, "%s: the id \"%s\" occurs twice", path,
                               out->items[i].id);
            break;
        }
out:
    free(path);
    buf_release(&bytes);
    return status;
}

static rag_status parse_qrel(const struct eval_set *set, char *line, struct eval_qrel *out,
                             rag_error *error)
{
    char *fields[3] = {line}, *end;
    for (size_t i = 1; i < 3; i++) {
        char *tab = strchr(fields[i - 1], '\t');
        if (!tab)
            return fail_with(error, RAG_INPUT, "needs query-id, passage-id and grade");
        *tab = '\0';
        fields[i] = tab + 1;
    }
    errno = 0;
    out->grade = strtod(fields[2], &end);
    if (errno || end == fields[2] || end[strspn(end, " \r")] != '\0' || !isfinite(out->grade) ||
        out->grade < 0)
        return fail_with(error, RAG_INPUT, "\"%s\" is no grade", fields[2]);
    out->query = eval_find(&set->queries, fields[0]);
    out->passage = eval_find(&set->passages, fields[1]);
    if (out->query == SIZE_MAX)
        return fail_with(error, RAG_INPUT, "there is no query \"%s\"", fields[0]);
    if (out->passage == SIZE_MAX)
        return fail_with(error, RAG_INPUT, "there is no passage \"%s\"", fields[1]);
    return RAG_OK;
}

static int by_query_then_grade(const void *a, const void *b)
{
    const struct eval_qrel *x = a, *y = b;
    if (x->query != y->query)
        return x->query < y->query ? -1 : 1;
    if (x->grade != y->grade)
        return x->grade > y->grade ? -1 : 1;
    return x->passage < y->passage ? -1 : x->passage > y->passage;
}

static rag_status read_qrels(const char *folder, struct eval_set *set, rag_error *error)
{
    rag_status status;
    struct buf bytes = BUF_INIT((size_t)EVAL_MAX_FILE);
    char *path = path_join(folder, "qrels.tsv");
    if (!path)
        return fail_memory(error);
    if ((status = file_read(path, &bytes, error)))
        goto out;
    size_t number = 0;
    char *rest = bytes.data;
    for (char *line; (line = next_line(&rest, bytes.data + bytes.size));) {
        number++;
        if (!*line || (number == 1 && strncmp(line, "query-id\t", 9) == 0))
            continue;
        struct eval_qrel qrel;
        if ((status = parse_qrel(set, line, &qrel, error))) {
            status = fail_within(error, status, "%s:%zu", path, number);
            goto out;
        }
        if (!array_reserve(&set->qrels, &set->qrel_capacity, set->qrel_count + 1,
                           sizeof *set->qrels)) {
            status = fail_memory(error);
            goto out;
        }
        set->qrels[set->qrel_count++] = qrel;
    }
    if (set->qrel_count)
        qsort(set->qrels, set->qrel_count, sizeof *set->qrels, by_query_then_grade);
    else
        status = fail_with(error, RAG_INPUT, "%s: has no lines", path);
out:
    free(path);
    buf_release(&bytes);
    return status;
}

rag_status eval_set_read(const char *folder, struct eval_set *out, rag_error *error)
{
    *out = (struct eval_set){0};
    rag_status status = read_texts(folder, "passages.jsonl", &out->passages, error);
    if (!status)
        status = read_texts(folder, "queries.jsonl", &out->queries, error);
    if (!status)
        status = read_qrels(folder, out, error);
    if (status)
        eval_set_release(out);
    return status;
}
