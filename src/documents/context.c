#include "documents/context.h"
#include "base/memory.h"
#include "text/utf8.h"

#include <string.h>

enum { HEADING_SHARE = 4, TITLE_SHARE = 8 };

static bool append_line(struct buf *out, const char *text, size_t size)
{
    return !size || (buf_append(out, text, size) && buf_append_char(out, '\n'));
}

/* The innermost titles of a path that have at most so many bytes. */
static const char *innermost(const char *heading, size_t most)
{
    while (strlen(heading) > most) {
        const char *next = strstr(heading, SECTION_SEPARATOR);
        if (!next)
            return "";
        heading = next + strlen(SECTION_SEPARATOR);
    }
    return heading;
}

bool context_append(rag_context context, size_t max_tokens, const char *title,
                    const char *heading, rag_text header, struct buf *out)
{
    size_t size = strlen(title), most = max_tokens / TITLE_SHARE;
    if (context == RAG_CONTEXT_DOCUMENT &&
        !append_line(out, title, size > most ? utf8_floor(title, size, most) : size))
        return false;
    heading = innermost(heading, max_tokens / HEADING_SHARE);
    return (context == RAG_CONTEXT_NONE || append_line(out, heading, strlen(heading))) &&
           append_line(out, header.data, header.size);
}

static rag_status count(const struct chunks *chunks, size_t section, struct token_list *tokens,
                        rag_error *error)
{
    const struct chunker_options *options = chunks->options;
    struct buf text = BUF_INIT((size_t)DOCUMENT_MAX_BYTES);
    char *heading = sections_path(&chunks->sections, section);
    rag_status status = RAG_OK;
    token_list_clear(tokens);
    if (!heading ||
        !context_append(options->context, options->max_tokens, document_name(chunks->document),
                        heading, (rag_text){0}, &text))
        status = fail_memory(error);
    else if (text.size)
        status = tokenizer_encode(chunks->tokenizer, (rag_text){text.data, text.size}, tokens,
                                  error);
    free(heading);
    buf_release(&text);
    return status;
}

rag_status section_contexts(const struct chunks *chunks, size_t **out, rag_error *error)
{
    size_t sections = chunks->sections.count;
    struct token_list tokens = {0};
    *out = alloc_zeroed(sections, sizeof **out);
    if (!*out)
        return fail_memory(error);
    rag_status status = RAG_OK;
    if (chunks->options->context == RAG_CONTEXT_NONE)
        return RAG_OK;
    for (size_t i = 0; !status && i < sections; i++) {
        status = count(chunks, i, &tokens, error);
        (*out)[i] = tokens.count;
    }
    token_list_release(&tokens);
    return status;
}
