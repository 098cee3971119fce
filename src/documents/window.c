/* Windows of tokens over the whole text, whatever stands in it.
 *
 * Kept for its exact arithmetic, quirks included: the first overlap is twice as long as
 * the others, the last window is pulled back to full length (it may repeat nearly all
 * of the one before), and a text of more than size - overlap but at most size tokens
 * gives the same window twice. */
#include "documents/window.h"
#include "text/utf8.h"

static size_t window_step(size_t size, size_t overlap)
{
    return overlap < size ? size - overlap : 1;
}

size_t window_count(size_t tokens, size_t size, size_t overlap)
{
    size_t step = window_step(size, overlap);
    return tokens / step + (tokens % step != 0);
}

struct window window_at(size_t tokens, size_t size, size_t overlap, size_t i)
{
    size_t step = window_step(size, overlap), back = size - step, at = i * step;
    size_t start = at > back ? at - back : 0;
    if (start > 0 && tokens - start < size)
        return (struct window){tokens > size ? tokens - size : 0, tokens};
    return (struct window){start, tokens - start < size ? tokens : start + size};
}

/* The section whose text the byte lies in; `section` is that of an earlier byte. */
static size_t section_at(const struct sections *sections, size_t section, size_t byte)
{
    const struct document *document = sections->document;
    while (section + 1 < sections->count &&
           document->blocks[sections->list[section + 1].heading].begin <= byte)
        section++;
    return section;
}

rag_status window_chunks(struct chunks *chunks, rag_error *error)
{
    const char *text = chunks->document->text.data;
    size_t size = chunks->document->text.size, section = 0;
    size_t max = chunks->options->max_tokens, overlap = chunks->options->overlap;
    struct token_list tokens = {0};
    rag_status status =
        tokenizer_encode(chunks->tokenizer, (rag_text){text, size}, &tokens, error);
    size_t count = status ? 0 : window_count(tokens.count, max, overlap);
    for (size_t i = 0; i < count && !status; i++) {
        struct window w = window_at(tokens.count, max, overlap, i);
        /* Tokens of a byte-level vocabulary may begin and end inside a character. */
        size_t begin = utf8_floor(text, size, tokens.begin[w.start]);
        size_t end = utf8_floor(text, size, tokens.end[w.end - 1]);
        if (begin >= end)
            continue;
        section = section_at(&chunks->sections, section, begin);
        status = chunks_add(chunks, begin, end, w.end - w.start, section, NULL, error);
    }
    token_list_release(&tokens);
    return status;
}
