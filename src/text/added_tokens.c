#include "text/added_tokens.h"

#include "base/memory.h"
#include "text/reference_tables.h"
#include "text/utf8.h"

#include <string.h>

void added_tokens_init(struct added_tokens *tokens)
{
    *tokens = (struct added_tokens){.text = BUF_INIT(ADDED_TOKENS_MAX_TEXT), .only_byte = -1};
}

void added_tokens_release(struct added_tokens *tokens)
{
    free(tokens->items);
    free(tokens->raw);
    buf_release(&tokens->text);
    added_tokens_init(tokens);
}

rag_status added_tokens_push(struct added_tokens *tokens, struct added_token token,
                             const char *text, size_t size, rag_error *error)
{
    if (tokens->count == ADDED_TOKENS_MAX || size > ADDED_TOKENS_MAX_TEXT - tokens->text.size)
        return fail_with(error, RAG_MODEL, "more than %d added tokens, or too long ones",
                         ADDED_TOKENS_MAX);
    if (!array_reserve(&tokens->items, &tokens->capacity, tokens->count + 1,
                       sizeof *tokens->items))
        return fail_memory(error);
    token.offset = (uint32_t)tokens->text.size;
    token.size = (uint32_t)size;
    if (!buf_append(&tokens->text, text, size))
        return fail_memory(error);
    tokens->items[tokens->count++] = token;
    return RAG_OK;
}

static const char *token_text(const struct added_tokens *tokens, uint32_t i)
{
    return tokens->text.data + tokens->items[i].offset;
}

static bool sorts_before(const struct added_tokens *tokens, uint32_t a, uint32_t b)
{
    unsigned char x = (unsigned char)*token_text(tokens, a);
    unsigned char y = (unsigned char)*token_text(tokens, b);
    return x != y ? x < y : tokens->items[a].size > tokens->items[b].size;
}

/* Heap sort: qsort gives its comparison no context, and insertion would be quadratic. */
static void sift(struct added_tokens *tokens, size_t root, size_t count)
{
    uint32_t *raw = tokens->raw;
    for (size_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && sorts_before(tokens, raw[child], raw[child + 1]))
            child++;
        if (!sorts_before(tokens, raw[root], raw[child]))
            return;
        uint32_t swapped = raw[root];
        raw[root] = raw[child];
        raw[child] = swapped;
    }
}

rag_status added_tokens_prepare(struct added_tokens *tokens, rag_error *error)
{
    tokens->raw = alloc_array(tokens->count, sizeof *tokens->raw);
    if (!tokens->raw)
        return fail_memory(error);
    for (size_t i = 0; i < tokens->count; i++)
        if (!tokens->items[i].normalized && tokens->items[i].size)
            tokens->raw[tokens->raw_count++] = (uint32_t)i;
    for (size_t i = tokens->raw_count / 2; i-- > 0;)
        sift(tokens, i, tokens->raw_count);
    for (size_t i = tokens->raw_count; i-- > 1;) {
        uint32_t last = tokens->raw[i];
        tokens->raw[i] = tokens->raw[0];
        tokens->raw[0] = last;
        sift(tokens, 0, i);
    }
    size_t distinct = 0;
    for (size_t byte = 0, i = 0; byte < 256; byte++) {
        tokens->raw_first[byte] = (uint32_t)i;
        while (i < tokens->raw_count &&
               (unsigned char)*token_text(tokens, tokens->raw[i]) == byte)
            i++;
        tokens->raw_first[byte + 1] = (uint32_t)i;
        if (i > tokens->raw_first[byte]) {
            distinct++;
            tokens->only_byte = (int)byte;
        }
    }
    if (distinct != 1)
        tokens->only_byte = -1;
    return RAG_OK;
}

static bool is_space(int32_t code)
{
    for (size_t i = 0; i < reference_space.count; i++)
        if (code >= (int32_t)reference_space.items[i].first &&
            code <= (int32_t)reference_space.items[i].last)
            return true;
    return false;
}

static size_t spaces_before(const char *text, size_t end, size_t stop)
{
    while (end > stop) {
        size_t length, start = utf8_floor(text, end, end - 1);
        if (!is_space(utf8_decode(text + start, end - start, &length)))
            break;
        end = start;
    }
    return end > stop ? end : stop;
}

static size_t spaces_behind(const char *text, size_t size, size_t at)
{
    while (at < size) {
        size_t length;
        if (!is_space(utf8_decode(text + at, size - at, &length)))
            break;
        at += length;
    }
    return at;
}

/* Where a token may begin, at or behind `at`. */
static size_t next_candidate(const struct added_tokens *tokens, const char *text, size_t size,
                             size_t at)
{
    if (tokens->only_byte >= 0) {
        const char *found = at < size ? memchr(text + at, tokens->only_byte, size - at) : NULL;
        return found ? (size_t)(found - text) : size;
    }
    for (; at < size; at++) {
        unsigned char byte = (unsigned char)text[at];
        if (tokens->raw_first[byte] != tokens->raw_first[byte + 1])
            break;
    }
    return at;
}

bool added_tokens_next(const struct added_tokens *tokens, const char *text, size_t size,
                       size_t from, struct added_match *match)
{
    if (!tokens->raw_count)
        return false;
    for (size_t at = from; (at = next_candidate(tokens, text, size, at)) < size; at++) {
        unsigned char byte = (unsigned char)text[at];
        for (uint32_t i = tokens->raw_first[byte]; i < tokens->raw_first[byte + 1]; i++) {
            const struct added_token *token = &tokens->items[tokens->raw[i]];
            if (token->size > size - at ||
                memcmp(text + at, token_text(tokens, tokens->raw[i]), token->size) != 0)
                continue;
            size_t end = at + token->size;
            match->token = token;
            match->begin = token->lstrip ? spaces_before(text, at, from) : at;
            match->end = token->rstrip ? spaces_behind(text, size, end) : end;
            return true;
        }
    }
    return false;
}
