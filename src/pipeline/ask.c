/* ask.c - from a question to an answer with citations. */
#include "base/buf.h"
#include "base/memory.h"
#include "chat/prompt.h"
#include "pipeline/cite.h"
#include "pipeline/search.h"

#include <string.h>

enum { DEFAULT_CONTEXT_TOKENS = 2048, QUOTED_PASSAGES = 3 };

struct rag_answer {
    char *text, *llm;
    size_t text_size, dropped;
    rag_citation *citations;
    size_t citation_count, citation_capacity;
    rag_hits *hits;
};

void rag_answer_free(rag_answer *answer)
{
    if (!answer)
        return;
    free(answer->text);
    free(answer->llm);
    free(answer->citations);
    rag_hits_free(answer->hits);
    free(answer);
}

/* As many of the best hits as fit; the first always. */
static void fit_context(rag_hits *hits, size_t tokens)
{
    size_t used = 0, kept = 0;
    while (kept < hits->count && (kept == 0 || used + hits->items[kept].chunk.tokens <= tokens))
        used += hits->items[kept++].chunk.tokens;
    hits_truncate(hits, kept);
}

static uint32_t count_lines(const char *text, size_t size)
{
    uint32_t lines = 0;
    for (size_t i = 0; i < size; i++)
        lines += text[i] == '\n';
    return lines;
}

/* Adds a citation of hit `hit`, quoting what bears the statement out. A second one of the
 * same quote is not added. */
static rag_status add_citation(rag_answer *answer, size_t hit, rag_text statement,
                               rag_error *error)
{
    const rag_chunk *chunk = &answer->hits->items[hit].chunk;
    size_t begin, end;
    rag_status status = find_quote(chunk->text, statement, &begin, &end, error);
    if (status)
        return status;
    for (size_t i = 0; i < answer->citation_count; i++)
        if (answer->citations[i].hit == hit &&
            answer->citations[i].begin == chunk->begin + begin)
            return RAG_OK;
    if (!array_reserve(&answer->citations, &answer->citation_capacity,
                       answer->citation_count + 1, sizeof *answer->citations))
        return fail_memory(error);
    uint32_t line = chunk->line + count_lines(chunk->text.data, begin);
    answer->citations[answer->citation_count++] = (rag_citation){
        .number = hit + 1,
        .hit = hit,
        .quote = {chunk->text.data + begin, end - begin},
        .begin = chunk->begin + begin,
        .end = chunk->begin + end,
        .line = line,
        .last_line = line + count_lines(chunk->text.data + begin, end - begin),
    };
    return RAG_OK;
}

/* Without a language model the answer is what the best passages say, word for word. */
static rag_status quote_passages(rag_answer *answer, rag_text question,
                                 const rag_chat_options *chat, rag_error *error)
{
    struct buf text = BUF_INIT((size_t)1 << 24);
    rag_status status = RAG_OK;
    hits_truncate(answer->hits, QUOTED_PASSAGES);
    for (size_t i = 0; !status && i < answer->hits->count; i++)
        status = add_citation(answer, i, question, error);
    for (size_t i = 0; !status && i < answer->citation_count; i++) {
        const rag_citation *citation = &answer->citations[i];
        if (!buf_append_text(&text, i ? "\n\n" : "") ||
            !buf_append(&text, citation->quote.data, citation->quote.size) ||
            !buf_printf(&text, " [%zu]", citation->number))
            status = fail_memory(error);
    }
    if (!status && chat->on_text && chat->on_text((rag_text){text.data, text.size}, chat->user))
        status = fail_with(error, RAG_INTERRUPTED, "stopped");
    answer->text_size = text.size;
    answer->text = buf_detach(&text);
    if (!status && !answer->text)
        status = fail_memory(error);
    return status;
}

/* The callbacks of a chat share one user pointer: this stands for the caller's. */
struct relay {
    struct citer *citer;
    const rag_chat_options *wanted;
};

static int relay_text(rag_text piece, void *user)
{
    const struct relay *relay = user;
    return !citer_feed(relay->citer, piece);
}

static int relay_event(const rag_event *event, void *user)
{
    const struct relay *relay = user;
    return relay->wanted->on_event(event, relay->wanted->user);
}

static rag_status complete(rag_chat *chat, const rag_message *messages, size_t count,
                           const rag_chat_options *wanted, struct citer *citer,
                           rag_error *error)
{
    struct relay relay = {citer, wanted};
    rag_chat_options options = *wanted;
    options.on_text = wanted->on_text ? relay_text : NULL;
    options.on_event = wanted->on_event ? relay_event : NULL;
    options.user = &relay;
    char *reply = NULL;
    rag_status status = rag_chat_complete(chat, messages, count, &options, &reply, error);
    bool fed = status || wanted->on_text || citer_feed(citer, (rag_text){reply, strlen(reply)});
    if (!status && !(fed && citer_finish(citer)) && citer->stopped)
        status = fail_with(error, RAG_INTERRUPTED, "stopped while answering");
    if (citer->out_of_memory)
        status = fail_memory(error);
    rag_free(reply);
    return status;
}

static rag_status ask_model(rag_answer *answer, rag_text question,
                            const rag_ask_options *options, rag_error *error)
{
    rag_chat *chat = NULL;
    struct prompt prompt = {0};
    struct citer citer;
    rag_message messages[PROMPT_MESSAGES];
    size_t count = answer->hits->count;
    citer_init(&citer, count, options->chat.on_text, options->chat.user);
    struct prompt_passage *passages = alloc_array(count, sizeof *passages);
    rag_status status =
        passages ? rag_chat_open(answer->llm, &chat, error) : fail_memory(error);
    if (status)
        goto out;
    for (size_t i = 0; i < count; i++) {
        const rag_chunk *chunk = &answer->hits->items[i].chunk;
        passages[i] = (struct prompt_passage){
            .number = i + 1,
            .document = {chunk->document, strlen(chunk->document)},
            .heading = {chunk->heading, strlen(chunk->heading)},
            .text = chunk->text,
        };
    }
    if ((status = prompt_build(question, passages, count, &prompt, error)))
        goto out;
    prompt_messages(&prompt, messages);
    if ((status = complete(chat, messages, PROMPT_MESSAGES, &options->chat, &citer, error)))
        goto out;
    for (size_t i = 0; !status && i < citer.marker_count; i++) {
        rag_text whole = {citer.text.data, citer.text.size};
        status = add_citation(answer, citer.markers[i].number - 1,
                              statement_before(whole, citer.markers[i].position), error);
    }
    answer->dropped = citer.dropped;
    answer->text_size = citer.text.size;
    answer->text = buf_detach(&citer.text);
    if (!status && !answer->text)
        status = fail_memory(error);
out:
    rag_chat_close(chat);
    prompt_release(&prompt);
    citer_release(&citer);
    free(passages);
    return status;
}

rag_status rag_ask(rag_index *index, rag_text question, const rag_ask_options *options,
                   rag_answer **out, rag_error *error)
{
    static const rag_ask_options defaults = RAG_ASK_OPTIONS_INIT;
    if (!options)
        options = &defaults;
    *out = NULL;
    rag_status status = CHECK_OPTIONS(options, error);
    if (status)
        return status;
    const char *llm = options->llm ? options->llm : getenv("RAG_LLM");
    bool quoted = !llm || !*llm || strcmp(llm, "none") == 0;
    rag_answer *answer = alloc_zeroed(1, sizeof *answer);
    if (!answer)
        return fail_memory(error);
    if (!(answer->llm = strdup(quoted ? "" : llm)))
        status = fail_memory(error);
    if (!status)
        status = rag_search(index, question, &options->search, &answer->hits, error);
    if (!status && answer->hits->count == 0)
        status = fail_with(error, RAG_NOT_FOUND, "the index has nothing on this");
    if (!status) {
        fit_context(answer->hits,
                    options->context_tokens ? options->context_tokens : DEFAULT_CONTEXT_TOKENS);
        status = quoted ? quote_passages(answer, question, &options->chat, error)
                        : ask_model(answer, question, options, error);
    }
    if (status)
        rag_answer_free(answer);
    else
        *out = answer;
    return status;
}

rag_text rag_answer_text(const rag_answer *answer)
{
    return (rag_text){answer->text, answer->text_size};
}

const char *rag_answer_llm(const rag_answer *answer)
{
    return answer->llm;
}

size_t rag_answer_citation_count(const rag_answer *answer)
{
    return answer->citation_count;
}

const rag_citation *rag_answer_citation(const rag_answer *answer, size_t i)
{
    return i < answer->citation_count ? &answer->citations[i] : NULL;
}

size_t rag_answer_dropped(const rag_answer *answer)
{
    return answer->dropped;
}

const rag_hits *rag_answer_hits(const rag_answer *answer)
{
    return answer->hits;
}
