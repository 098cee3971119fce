/* What must be true of metadata. */
#include "base/date.h"
#include "base/memory.h"
#include "store/filter.h"

#include <jansson.h>
#include <string.h>

enum { MAX_CONDITION = 4096 }; /* bytes */

/* ---- Reading ---- */

/* A number as JSON writes it, whatever the locale. */
static bool parse_number(const char *text, double *number)
{
    json_t *value = json_loads(text, JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL, NULL);
    bool is_number = json_is_number(value);
    if (is_number)
        *number = json_number_value(value);
    json_decref(value);
    return is_number;
}

static rag_status fail_condition(const char *text, rag_error *error)
{
    return fail_with(error, RAG_USAGE,
                     "\"%.200s\" is no condition: write a key, one of = != < <= > >=, and a "
                     "value, such as year>=2020",
                     text);
}

static const struct {
    const char *sign;
    enum comparison comparison;
} signs[] = {
    /* Those of two characters before those that they begin with. */
    {"!=", NOT_EQUAL}, {"<=", AT_MOST}, {">=", AT_LEAST}, {"==", EQUAL},
    {"=", EQUAL},      {"<", LESS},     {">", GREATER},
};

static rag_status parse_condition(const char *text, struct condition *out, rag_error *error)
{
    size_t size = strnlen(text, MAX_CONDITION + 1), end = strcspn(text, "!<>="), begin = 0;
    const char *sign = NULL;
    for (size_t i = 0; i < sizeof signs / sizeof *signs && !sign; i++)
        if (strncmp(text + end, signs[i].sign, strlen(signs[i].sign)) == 0) {
            sign = signs[i].sign;
            out->comparison = signs[i].comparison;
        }
    size_t value = end + (sign ? strlen(sign) : 0);
    while (begin < end && text[begin] == ' ')
        begin++;
    while (end > begin && text[end - 1] == ' ')
        end--;
    while (text[value] == ' ')
        value++;
    if (size > MAX_CONDITION || !sign || begin == end)
        return fail_condition(text, error);
    out->key = strndup(text + begin, end - begin);
    out->value = strdup(text + value);
    if (!out->key || !out->value)
        return fail_memory(error);
    out->is_number = parse_number(out->value, &out->number);
    return RAG_OK;
}

static rag_status parse_conditions(const rag_filter *filter, struct store_filter *out,
                                   rag_error *error)
{
    rag_status status = RAG_OK;
    out->conditions = alloc_zeroed(filter->where_count, sizeof *out->conditions);
    if (!out->conditions)
        return fail_memory(error);
    for (size_t i = 0; i < filter->where_count && !status; i++)
        status =
            parse_condition(filter->where[i], &out->conditions[out->condition_count++], error);
    return status;
}

static rag_status parse_globs(const rag_filter *filter, struct store_filter *out,
                              rag_error *error)
{
    rag_status status = RAG_OK;
    out->globs = alloc_zeroed(filter->path_count, sizeof *out->globs);
    if (!out->globs)
        return fail_memory(error);
    for (size_t i = 0; i < filter->path_count && !status; i++)
        status = glob_parse(filter->paths[i], &out->globs[out->glob_count++], error);
    return status;
}

bool filter_is_empty(const rag_filter *filter)
{
    return !filter->collection_count && !filter->path_count && !filter->format_count &&
           !filter->where_count && !filter->since && !filter->until;
}

static bool counts_fit(const rag_filter *filter)
{
    return filter->collection_count <= FILTER_MAX_ITEMS &&
           filter->path_count <= FILTER_MAX_ITEMS && filter->format_count <= FILTER_MAX_ITEMS &&
           filter->where_count <= FILTER_MAX_ITEMS;
}

rag_status filter_parse(const rag_filter *filter, struct store_filter *out, rag_error *error)
{
    *out = (struct store_filter){.collections = filter->collections,
                                 .collection_count = filter->collection_count,
                                 .formats = filter->formats,
                                 .format_count = filter->format_count,
                                 .since = INT64_MIN,
                                 .until = INT64_MAX};
    if (!counts_fit(filter))
        return fail_with(error, RAG_USAGE, "a filter has at most %d items of a kind",
                         FILTER_MAX_ITEMS);
    int64_t now = date_now();
    rag_status status = RAG_OK;
    if (filter->since)
        status = date_parse(filter->since, now, 0, &out->since, error);
    if (!status && filter->until)
        status = date_parse(filter->until, now, 1, &out->until, error);
    if (!status)
        status = parse_globs(filter, out, error);
    return status ? status : parse_conditions(filter, out, error);
}

void filter_release(struct store_filter *filter)
{
    for (size_t i = 0; i < filter->glob_count; i++)
        glob_release(&filter->globs[i]);
    for (size_t i = 0; i < filter->condition_count; i++) {
        free(filter->conditions[i].key);
        free(filter->conditions[i].value);
    }
    free(filter->globs);
    free(filter->conditions);
    *filter = (struct store_filter){0};
}

/* ---- Deciding ---- */

/* The member of this name; where there is none, "a.b" is the member b of the member a. */
static const json_t *member(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    for (const char *dot = strchr(key, '.'); dot && !value; dot = strchr(dot + 1, '.')) {
        const json_t *part = json_object_getn(object, key, (size_t)(dot - key));
        if (json_is_object(part))
            value = member(part, dot + 1);
    }
    return value;
}

static bool holds(enum comparison comparison, int order)
{
    switch (comparison) {
    case EQUAL:
        return order == 0;
    case NOT_EQUAL:
        return order != 0;
    case LESS:
        return order < 0;
    case AT_MOST:
        return order <= 0;
    case GREATER:
        return order > 0;
    case AT_LEAST:
        return order >= 0;
    }
    return false;
}

/* Numbers are compared as numbers, strings by their bytes, which puts dates in order too.
 * Between the two there is no order, but they differ. */
static bool scalar_meets(const json_t *value, const struct condition *condition)
{
    bool differs = condition->comparison == NOT_EQUAL;
    if (json_is_number(value)) {
        double x = json_number_value(value), y = condition->number;
        return condition->is_number ? holds(condition->comparison, (x > y) - (x < y)) : differs;
    }
    const char *text = json_is_string(value)  ? json_string_value(value)
                       : json_is_true(value)  ? "true"
                       : json_is_false(value) ? "false"
                                              : NULL;
    return text ? holds(condition->comparison, strcmp(text, condition->value)) : differs;
}

/* Of a list one element must do; for != all of them. What is not there is not equal. */
static bool meets(const json_t *object, const struct condition *condition)
{
    const json_t *value = member(object, condition->key);
    bool differs = condition->comparison == NOT_EQUAL;
    if (!json_is_array(value))
        return scalar_meets(value, condition);
    for (size_t i = 0; i < json_array_size(value); i++)
        if (scalar_meets(json_array_get(value, i), condition) != differs)
            return !differs;
    return differs;
}

rag_status filter_metadata(const struct store_filter *filter, rag_text metadata, bool *passes,
                           rag_error *error)
{
    *passes = true;
    if (!filter->condition_count)
        return RAG_OK;
    json_error_t why;
    json_t *object = json_loadb(metadata.data, metadata.size,
                                JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &why);
    if (!object && json_error_code(&why) == json_error_out_of_memory)
        return fail_memory(error);
    for (size_t i = 0; i < filter->condition_count && *passes; i++)
        *passes = meets(object, &filter->conditions[i]);
    json_decref(object);
    return RAG_OK;
}
