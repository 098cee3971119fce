/* ask.c - from a question to an answer with citations:
 *
 *   question, turns before it -> stand-alone question -> hits -> enough evidence?
 *     -> passages that fit the model -> answer -> citations */
#include "base/buf.h"
#include "base/memory.h"
#include "chat/prompt.h"
#include "chat/usage.h"
#include "pipeline/answer.h"
#include "pipeline/cite.h"
#include "pipeline/conversation.h"
#include "pipeline/evidence.h"

#include <math.h>
#include <string.h>

enum {
    DEFAULT_CONTEXT_TOKENS = 2048,
    DEFAULT_ANSWER_TOKENS = 1024,
    PROMPT_TOKENS = 400, /* what the prompt says besides the passages and their places */
    LEAST_CONTEXT_TOKENS = 256,
};

/* One call of rag_ask. */
struct asking {
    const rag_ask_options *options;
    rag_chat *chat; /* NULL: passages are quoted */
    struct turns turns;
    rag_answer *answer;
};

/* As many of the best hits as fit; the first always. */
static void fit_context(rag_hits *hits, size_t tokens)
{
    size_t used = 0, kept = 0;
    while (kept < hits->count && (kept == 0 || used + hits->items[kept].chunk.tokens <= tokens))
        used += hits->items[kept++].chunk.tokens;
    hits_truncate(hits, kept);
}

/* Tokens of passages: what was asked for, as far as the model's context has room for it
 * beside the turns, the prompt and the answer. */
static size_t context_tokens(const struct asking *asking)
{
    const rag_ask_options *options = asking->options;
    size_t wanted = options->context_tokens ? options->context_tokens : DEFAULT_CONTEXT_TOKENS;
    size_t room = asking->chat ? rag_chat_get_info(asking->chat)->context_tokens : 0;
    if (!room)
        return wanted;
    size_t taken = PROMPT_TOKENS + (options->chat.max_tokens ? options->chat.max_tokens
                                                             : DEFAULT_ANSWER_TOKENS);
    for (size_t i = 0; i < asking->turns.count; i++)
        taken += usage_estimate(asking->turns.messages[i].text);
    room = room > taken + LEAST_CONTEXT_TOKENS ? room - taken : LEAST_CONTEXT_TOKENS;
    return wanted < room ? wanted : room;
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

/* The prompt's messages with the turns between them. */
static rag_message *with_turns(const struct prompt *prompt, struct turns turns)
{
    rag_message own[PROMPT_MESSAGES];
    rag_message *messages = alloc_array(turns.count + PROMPT_MESSAGES, sizeof *messages);
    if (!messages)
        return NULL;
    prompt_messages(prompt, own);
    messages[0] = own[0];
    for (size_t i = 0; i < turns.count; i++)
        messages[1 + i] = turns.messages[i];
    messages[1 + turns.count] = own[1];
    return messages;
}

static rag_status cite_markers(rag_answer *answer, struct citer *citer, rag_error *error)
{
    rag_text whole = {citer->text.data, citer->text.size};
    for (size_t i = 0; i < citer->marker_count; i++) {
        const struct marker *marker = &citer->markers[i];
        rag_status status = answer_cite(answer, marker->number - 1,
                                        statement_before(whole, marker->position), error);
        if (status)
            return status;
    }
    answer->dropped = citer->dropped;
    answer->markers = citer->markers;
    answer->marker_count = citer->marker_count;
    citer->markers = NULL;
    answer->text_size = citer->text.size;
    answer->text = buf_detach(&citer->text);
    return answer->text ? RAG_OK : fail_memory(error);
}

static rag_status ask_model(const struct asking *asking, rag_text question, rag_error *error)
{
    rag_answer *answer = asking->answer;
    const rag_chat_options *options = &asking->options->chat;
    struct prompt prompt = {0};
    struct citer citer;
    rag_message *messages = NULL;
    size_t count = answer->hits->count;
    citer_init(&citer, count, options->on_text, options->user);
    struct prompt_passage *passages = alloc_array(count, sizeof *passages);
    rag_status status = passages ? RAG_OK : fail_memory(error);
    for (size_t i = 0; !status && i < count; i++) {
        const rag_chunk *chunk = &answer->hits->items[i].chunk;
        passages[i] = (struct prompt_passage){
            .number = i + 1,
            .document = {chunk->document, strlen(chunk->document)},
            .heading = {chunk->heading, strlen(chunk->heading)},
            .text = chunk->text,
        };
    }
    if (!status)
        status = prompt_build(question, passages, count, &prompt, error);
    if (!status && !(messages = with_turns(&prompt, asking->turns)))
        status = fail_memory(error);
    if (!status)
        status = complete(asking->chat, messages, asking->turns.count + PROMPT_MESSAGES,
                          options, &citer, error);
    if (!status)
        status = cite_markers(answer, &citer, error);
    if (!status)
        status = answer_check(answer, error);
    prompt_release(&prompt);
    citer_release(&citer);
    free(messages);
    free(passages);
    return status;
}

/* Adds what the last exchange took. */
static void note_usage(const struct asking *asking)
{
    rag_usage last;
    rag_chat_get_usage(asking->chat, &last, NULL);
    usage_add(&asking->answer->usage, &last);
}

/* The question to search for into the answer. */
static rag_status find_question(const struct asking *asking, rag_text question,
                                rag_error *error)
{
    rag_answer *answer = asking->answer;
    if (!asking->chat || !asking->turns.count)
        return answer_copy_text(question, &answer->question, &answer->question_size, error);
    rag_status status = standalone_question(asking->chat, question, asking->turns,
                                            &asking->options->chat, &answer->question, error);
    note_usage(asking);
    answer->question_size = status ? 0 : strlen(answer->question);
    return status;
}

/* The model's name as "PROVIDER:MODEL". */
static rag_status note_model(const struct asking *asking, rag_error *error)
{
    const rag_chat_info *info = rag_chat_get_info(asking->chat);
    struct buf name = BUF_INIT(4096);
    if (!buf_printf(&name, "%s:%s", info->provider, info->model))
        return fail_memory(error);
    free(asking->answer->llm);
    asking->answer->llm = buf_detach(&name);
    return asking->answer->llm ? RAG_OK : fail_memory(error);
}

static rag_status answer_question(struct asking *asking, rag_index *index, rag_text question,
                                  rag_error *error)
{
    const rag_ask_options *options = asking->options;
    rag_answer *answer = asking->answer;
    double least = options->min_evidence != 0 ? options->min_evidence : EVIDENCE_THRESHOLD;
    rag_status status = find_question(asking, question, error);
    if (!status)
        status = rag_search(index, rag_answer_question(answer), &options->search, &answer->hits,
                            error);
    if (status)
        return status;
    if (answer->hits->count == 0)
        return fail_with(error, RAG_NOT_FOUND, "the index has nothing on this");
    answer->evidence = answer->hits->evidence;
    fit_context(answer->hits, context_tokens(asking));
    if (answer->evidence < least) /* false for NaN */
        return answer_refuse(answer, &options->chat, error);
    if (!asking->chat)
        return answer_quote(answer, &options->chat, error);
    status = note_model(asking, error);
    if (status)
        return status;
    status = ask_model(asking, question, error);
    note_usage(asking);
    return status;
}

static rag_status check_evidence(const rag_ask_options *options, rag_error *error)
{
    if (isnan(options->min_evidence) || options->min_evidence > 1)
        return fail_with(error, RAG_USAGE,
                         "min_evidence is a probability, at most 1 (negative: always answer)");
    return RAG_OK;
}

rag_status rag_ask(rag_index *index, rag_text question, const rag_ask_options *options,
                   rag_answer **out, rag_error *error)
{
    static const rag_ask_options defaults = RAG_ASK_OPTIONS_INIT;
    if (!options)
        options = &defaults;
    *out = NULL;
    rag_status status = CHECK_OPTIONS(options, error);
    if (!status)
        status = check_evidence(options, error);
    if (status)
        return status;
    const char *llm = options->llm ? options->llm : getenv("RAG_LLM");
    bool quoted = !options->open_chat && (!llm || !*llm || strcmp(llm, "none") == 0);
    rag_chat *opened = NULL;
    struct asking asking = {.options = options, .answer = alloc_zeroed(1, sizeof(rag_answer))};
    if (!asking.answer)
        return fail_memory(error);
    asking.answer->found = true;
    asking.answer->evidence = asking.answer->usage.first_token_seconds = NAN;
    status = turns_keep(options->history, options->history_count, options->history_tokens,
                        &asking.turns, error);
    if (!status && !quoted && !options->open_chat)
        status = rag_chat_open(llm, &options->llm_options, &opened, error);
    asking.chat = options->open_chat ? options->open_chat : opened;
    if (!status && !(asking.answer->llm = strdup("")))
        status = fail_memory(error);
    if (!status)
        status = answer_question(&asking, index, question, error);
    rag_chat_close(opened);
    if (status)
        rag_answer_free(asking.answer);
    else
        *out = asking.answer;
    return status;
}
