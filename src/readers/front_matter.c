#include "readers/front_matter.h"
#include "documents/lines.h"
#include "documents/markdown.h"

#include <jansson.h>
#include <string.h>
#include <yaml.h>

/* ---- Reading it ---- */

enum outcome { GOOD, NO_YAML, NO_MEMORY };

/* Where in the document the next event is. */
struct reading {
    json_t *object;  /* what is read so far */
    json_t *list;    /* the value in hand, if it is a list */
    char *key;       /* whose value comes next */
    size_t depth;    /* of mappings and sequences that are open */
    size_t skipping; /* of these, how many lie within what is left out */
};

/* Strings that JSON would write so are numbers, true, false or null; "007" and "1_000" are
 * not. NULL: no memory. */
static json_t *plain_value(const char *text, size_t size)
{
    json_error_t why;
    if (size == 0 || (size == 1 && *text == '~'))
        return json_null();
    json_t *value = json_loadb(text, size, JSON_DECODE_ANY, &why);
    if (value && !json_is_string(value) && !json_is_object(value) && !json_is_array(value))
        return value;
    json_decref(value);
    return json_stringn(text, size);
}

static json_t *scalar_value(const yaml_event_t *event)
{
    const char *text = (const char *)event->data.scalar.value;
    size_t size = event->data.scalar.length;
    bool plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !event->data.scalar.tag;
    return plain ? plain_value(text, size) : json_stringn(text, size);
}

static enum outcome take_key(struct reading *r, const yaml_event_t *event)
{
    r->key = strdup((const char *)event->data.scalar.value);
    return r->key ? GOOD : NO_MEMORY;
}

/* Takes the value over. */
static enum outcome set_value(struct reading *r, json_t *value)
{
    enum outcome outcome = value ? GOOD : NO_MEMORY;
    if (json_is_null(value))
        json_decref(value);
    else if (value && json_object_set_new(r->object, r->key, value))
        outcome = NO_MEMORY;
    free(r->key);
    r->key = NULL;
    return outcome;
}

static enum outcome take_scalar(struct reading *r, const yaml_event_t *event)
{
    if (r->skipping)
        return GOOD;
    if (r->depth == 0 || memchr(event->data.scalar.value, 0, event->data.scalar.length))
        return NO_YAML;
    if (!r->list && !r->key)
        return take_key(r, event);
    json_t *value = scalar_value(event);
    if (!r->list)
        return set_value(r, value);
    if (json_is_null(value)) {
        json_decref(value);
        return GOOD;
    }
    return value && json_array_append_new(r->list, value) == 0 ? GOOD : NO_MEMORY;
}

static enum outcome open_collection(struct reading *r, bool mapping)
{
    if (++r->depth > FRONT_MATTER_MAX_DEPTH || (r->depth == 1 && !mapping))
        return NO_YAML;
    if (r->depth == 1)
        return GOOD;
    if (!r->skipping && !r->key)
        return NO_YAML; /* a key that is no scalar */
    if (r->skipping || mapping || r->list) {
        r->skipping++;
        return GOOD;
    }
    r->list = json_array();
    return r->list ? GOOD : NO_MEMORY;
}

static enum outcome close_collection(struct reading *r)
{
    r->depth--;
    if (r->skipping && --r->skipping == 0 && !r->list) {
        free(r->key); /* its value has been left out */
        r->key = NULL;
    } else if (r->list && !r->skipping && r->depth == 1) {
        json_t *list = r->list;
        r->list = NULL;
        return set_value(r, list);
    }
    return GOOD;
}

static enum outcome take_event(struct reading *r, const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        return take_scalar(r, event);
    case YAML_MAPPING_START_EVENT:
        return open_collection(r, true);
    case YAML_SEQUENCE_START_EVENT:
        return open_collection(r, false);
    case YAML_MAPPING_END_EVENT:
    case YAML_SEQUENCE_END_EVENT:
        return close_collection(r);
    case YAML_ALIAS_EVENT:
        return NO_YAML;
    default:
        return GOOD;
    }
}

static enum outcome read_events(yaml_parser_t *parser, struct reading *r)
{
    for (;;) {
        yaml_event_t event;
        if (!yaml_parser_parse(parser, &event))
            return parser->error == YAML_MEMORY_ERROR ? NO_MEMORY : NO_YAML;
        yaml_event_type_t type = event.type;
        enum outcome outcome = take_event(r, &event);
        yaml_event_delete(&event);
        if (outcome != GOOD || type == YAML_STREAM_END_EVENT)
            return outcome;
    }
}

static enum outcome append_object(const json_t *object, struct buf *out)
{
    if (json_object_size(object) == 0)
        return GOOD;
    char *text = json_dumps(object, JSON_COMPACT);
    bool fits = text && buf_append_text(out, text);
    free(text);
    return fits ? GOOD : NO_MEMORY;
}

rag_status front_matter_json(rag_text yaml, struct buf *out, rag_error *error)
{
    yaml_parser_t parser;
    struct reading reading = {.object = json_object()};
    enum outcome outcome = NO_MEMORY;
    if (yaml.size > FRONT_MATTER_MAX_BYTES)
        outcome = NO_YAML;
    else if (reading.object && yaml_parser_initialize(&parser)) {
        yaml_parser_set_input_string(&parser, (const unsigned char *)yaml.data, yaml.size);
        yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
        outcome = read_events(&parser, &reading);
        yaml_parser_delete(&parser);
    }
    if (outcome == GOOD)
        outcome = append_object(reading.object, out);
    json_decref(reading.object);
    json_decref(reading.list);
    free(reading.key);
    return outcome == NO_MEMORY ? fail_memory(error) : RAG_OK;
}

rag_status front_matter_read(rag_text text, struct buf *out, rag_error *error)
{
    size_t begin = byte_order_mark(text.data, text.size);
    size_t end = front_matter_end(text.data, text.size, begin);
    if (!end || text.data[begin] != '-')
        return RAG_OK;
    size_t first = line_end(text.data, text.size, begin) + 1, last = end;
    while (last > first && text.data[last - 1] != '\n')
        last--; /* the closing line is not part of it */
    return front_matter_json((rag_text){text.data + first, last - first}, out, error);
}
