/* chunk_checks.h - what holds for the chunks of every document. */
#ifndef RAG_TESTS_DOCUMENTS_CHUNK_CHECKS_H
#define RAG_TESTS_DOCUMENTS_CHUNK_CHECKS_H

#include "support/test.h"

#include "documents/context.h"
#include "documents/lines.h"
#include "text/utf8.h"

static inline size_t count_tokens(const struct tokenizer *tokenizer, const char *text,
                                  size_t size)
{
    struct token_list tokens = {0};
    rag_error error;
    assert_ok(tokenizer_encode(tokenizer, (rag_text){text, size}, &tokens, &error), &error);
    size_t count = tokens.count;
    token_list_release(&tokens);
    return count;
}

/* Order, whole characters, lines, and nothing but white space outside every chunk. */
static inline void check_chunks(const struct document *d, const struct chunk_list *list)
{
    const char *text = d->text.data;
    size_t size = d->text.size, covered = byte_order_mark(text, size), counted = 0;
    uint32_t line = 1;
    for (size_t i = 0; i <= list->count; i++) {
        size_t begin = i < list->count ? list->chunks[i].begin : size;
        for (size_t k = covered; k < begin; k++)
            if (!is_blank_byte(text[k]))
                fail_msg("%s: byte %zu is in no chunk", d->path, k);
        if (i == list->count)
            break;
        const struct chunk *c = &list->chunks[i];
        if (i > 0) {
            assert_true(c->begin >= c[-1].begin);
            assert_true(c->end >= c[-1].end);
        }
        assert_true(c->begin < c->end && c->end <= size);
        assert_int_equal(utf8_valid_prefix(text + c->begin, c->end - c->begin),
                         c->end - c->begin);
        for (; counted < c->begin; counted++)
            line += text[counted] == '\n';
        assert_int_equal(c->line, line);
        uint32_t last = line;
        for (size_t k = c->begin; k + 1 < c->end; k++)
            last += text[k] == '\n';
        assert_int_equal(c->last_line, last);
        assert_non_null(c->heading);
        if (c->end > covered)
            covered = c->end;
    }
}

/* The tokens of a chunk with what is embedded before it. */
static inline size_t count_embedded(const struct document *d, const struct tokenizer *tokenizer,
                                    const struct chunk *c, rag_context context,
                                    size_t max_tokens)
{
    struct buf text = BUF_INIT(1 << 24);
    rag_text header = {d->text.data + c->header_begin, c->header_end - c->header_begin};
    assert_true(
        context_append(context, max_tokens, document_name(d), c->heading, header, &text));
    assert_true(buf_append(&text, d->text.data + c->begin, c->end - c->begin));
    size_t count = count_tokens(tokenizer, text.data, text.size);
    buf_release(&text);
    return count;
}

/* What the structure chunker promises besides: exact sizes within the limit. */
static inline void check_sizes(const struct document *d, const struct tokenizer *tokenizer,
                               const struct chunk_list *list, rag_context context,
                               size_t max_tokens)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct chunk *c = &list->chunks[i];
        assert_int_equal(c->tokens,
                         count_tokens(tokenizer, d->text.data + c->begin, c->end - c->begin));
        assert_true(c->tokens <= max_tokens);
        size_t embedded = count_embedded(d, tokenizer, c, context, max_tokens);
        if (embedded > max_tokens)
            fail_msg("%s: chunk %zu has %zu tokens with its context", d->path, i, embedded);
        assert_false(is_blank(d->text.data, c->begin, c->end));
    }
}

#endif
