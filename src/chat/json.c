#include "chat/json.h"
#include "chat/characters.h"
#include "text/utf8.h"

json_t *json_document(const char *text, size_t size)
{
    const size_t flags = JSON_DECODE_ANY | JSON_ALLOW_NUL;
    if (size == 0)
        return NULL;
    if (utf8_valid_prefix(text, size) == size)
        return json_loadb(text, size, flags, NULL);
    struct buf escaped = BUF_INIT(4 * size);
    json_t *document = NULL;
    if (characters_escape(text, size, &escaped))
        document = json_loadb(escaped.data, escaped.size, flags, NULL);
    buf_release(&escaped);
    return document;
}

json_t *json_text(rag_text text)
{
    if (utf8_valid_prefix(text.data, text.size) == text.size)
        return json_stringn(text.data ? text.data : "", text.size);
    struct buf repaired = BUF_INIT(3 * text.size);
    json_t *value = NULL;
    if (characters_repair(text.data, text.size, &repaired))
        value = json_stringn(repaired.data, repaired.size);
    buf_release(&repaired);
    return value;
}

static int write_piece(const char *piece, size_t size, void *out)
{
    return buf_append(out, piece, size) ? 0 : -1;
}

bool json_write(json_t *value, struct buf *out)
{
    bool ok = value && json_dump_callback(value, write_piece, out, JSON_COMPACT) == 0;
    json_decref(value);
    return ok;
}

bool json_append(const json_t *value, struct buf *out)
{
    return !json_is_string(value) ||
           buf_append(out, json_string_value(value), json_string_length(value));
}
