#include "chat/failure.h"
#include "chat/characters.h"
#include "chat/json.h"
#include "text/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

void failure_release(struct failure *failure)
{
    buf_release(&failure->words);
}

void failure_clear(struct failure *failure)
{
    struct buf words = failure->words;
    buf_clear(&words);
    *failure = (struct failure){.words = words};
}

rag_status failure_set(struct failure *failure, enum failure_kind kind, const char *words)
{
    failure_clear(failure);
    failure->kind = kind;
    return buf_append_text(&failure->words, words) ? RAG_NETWORK : RAG_MEMORY;
}

/* ---- Reading -------------------------------------------------------------- */

/* Adds a code to those that are there already: "invalid_request_error model_not_found". */
static void add_code(struct failure *failure, const json_t *value)
{
    const char *code = json_string_value(value);
    size_t used = strlen(failure->code);
    if (!code || used + strlen(code) + 2 > sizeof failure->code)
        return;
    if (used)
        failure->code[used++] = ' ';
    strcpy(failure->code + used, code);
}

static void read_number(struct failure *failure, const json_t *value)
{
    json_int_t number = json_integer_value(value);
    if (!failure->http && number >= 400 && number <= 599)
        failure->http = (long)number;
}

/* google.rpc.RetryInfo carries "retryDelay": "34.5s"; Google sends no Retry-After.
 * google.rpc.ErrorInfo carries a "reason" such as API_KEY_INVALID. */
static void read_details(struct failure *failure, const json_t *details)
{
    size_t i;
    json_t *detail;
    json_array_foreach(details, i, detail)
    {
        add_code(failure, json_object_get(detail, "reason"));
        const char *delay = json_string_value(json_object_get(detail, "retryDelay"));
        double seconds = delay ? strtod(delay, NULL) : 0;
        if (seconds > 0)
            failure->wait = seconds;
    }
}

static bool read_words(struct failure *failure, const json_t *value)
{
    if (json_is_object(value))
        value = json_object_get(value, "message");
    if (json_is_array(value)) /* FastAPI: [{"loc":..., "msg":...}] */
        value = json_object_get(json_array_get(value, 0), "msg");
    if (!json_is_string(value))
        return true;
    const char *words = json_string_value(value);
    size_t size = json_string_length(value);
    return buf_append(&failure->words, words, utf8_floor(words, size, FAILURE_MAX_READ));
}

/* Reads the error in a document; kind stays FAILURE_NONE if it holds none. */
static bool read_json(struct failure *failure, const json_t *document)
{
    failure_clear(failure);
    if (json_is_array(document))
        document = json_array_get(document, 0);
    const json_t *holder = document, *words = json_object_get(document, "error");
    if (json_is_object(words)) {
        holder = words;
    } else if (!words || json_is_null(words)) {
        words = json_object_get(document, "detail");
        if (!words && !json_object_get(document, "choices"))
            words = json_object_get(document, "message");
        if (words == json_object_get(document, "message") && !json_is_string(words))
            words = NULL; /* an answer's message (Anthropic, Ollama) */
        if (!words || json_is_null(words))
            return true;
    }
    failure->kind = FAILURE_REFUSED;
    static const char *const codes[] = {"type", "code", "status"};
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
        add_code(failure, json_object_get(holder, codes[i]));
        read_number(failure, json_object_get(holder, codes[i]));
    }
    read_details(failure, json_object_get(holder, "details"));
    return read_words(failure, words);
}

rag_status failure_parse(struct failure *failure, const char *json, size_t size,
                         json_t **document)
{
    failure_clear(failure);
    *document = json_document(json, size);
    if (!*document)
        return failure_set(failure, FAILURE_PROTOCOL, "it is not JSON");
    rag_status status = RAG_OK;
    if (!read_json(failure, *document))
        status = RAG_MEMORY;
    else if (failure->kind != FAILURE_NONE)
        status = RAG_NETWORK;
    if (status) {
        json_decref(*document);
        *document = NULL;
    }
    return status;
}

/* A byte may become the three of U+FFFD. */
enum { MAX_PLAIN = FAILURE_MAX_READ / 3 };

rag_status failure_read(struct failure *failure, const char *body, size_t size)
{
    failure_clear(failure);
    json_t *document = json_document(body, size);
    bool ok = !document || read_json(failure, document);
    bool page = size && memchr(body, '<', size); /* HTML says less than the status does */
    if (!document && !page)
        ok = characters_repair(body, size < MAX_PLAIN ? size : MAX_PLAIN, &failure->words);
    json_decref(document);
    failure->kind = FAILURE_REFUSED;
    return ok ? RAG_NETWORK : RAG_MEMORY;
}

/* ---- Meaning -------------------------------------------------------------- */

enum meaning {
    CONTEXT_TOO_LONG,
    KEY_REFUSED,
    QUOTA_USED_UP,
    BUSY,
    NO_SUCH_MODEL,
    NOT_FOUND,
    BROKEN,
    REDIRECTED,
    REFUSED,
};

static bool contains(const char *text, const char *phrase)
{
    size_t size = strlen(phrase);
    for (; *text; text++)
        if (strncasecmp(text, phrase, size) == 0)
            return true;
    return false;
}

static bool says_any(const struct failure *failure, const char *const *phrases)
{
    for (; *phrases; phrases++)
        if (contains(failure->code, *phrases) ||
            (failure->words.data && contains(failure->words.data, *phrases)))
            return true;
    return false;
}

/* In the order of: OpenAI, vLLM and DeepSeek, llama-server twice, Gemini, Anthropic,
 * Mistral, DashScope, SiliconFlow, Groq, Zhipu. */
static const char *const context_phrases[] = {
    "context_length_exceeded",
    "maximum context length",
    "exceed_context_size",
    "context size",
    "exceeds the maximum number of tokens",
    "prompt is too long",
    "too large for model with",
    "range of input length",
    "max_seq_len",
    "reduce the length",
    "prompt \xe8\xb6\x85\xe9\x95\xbf",
    NULL,
};
static const char *const key_phrases[] = {"api_key_invalid", "api key not valid",
                                          "invalid_api_key", "authentication_error", NULL};
static const char *const quota_phrases[] = {"insufficient_quota", "insufficient balance",
                                            "PerDay", NULL};
static const char *const busy_phrases[] = {"rate_limit", "RESOURCE_EXHAUSTED", NULL};
static const char *const broken_phrases[] = {"overloaded", "server_error", "UNAVAILABLE",
                                             "INTERNAL", NULL};
static const char *const model_phrases[] = {"model", NULL};

static enum meaning meaning_of(const struct failure *failure)
{
    long http = failure->http;
    if (http == 413 || (http != 429 && says_any(failure, context_phrases)))
        return CONTEXT_TOO_LONG;
    if (http == 401 || http == 403 || says_any(failure, key_phrases))
        return KEY_REFUSED;
    if (http == 402 || says_any(failure, quota_phrases))
        return QUOTA_USED_UP;
    if (http == 429)
        return BUSY;
    if (http == 404 || contains(failure->code, "model_not_found"))
        return says_any(failure, model_phrases) ? NO_SUCH_MODEL : NOT_FOUND;
    if (http == 408 || http == 425 || (http >= 500 && http != 501 && http != 505))
        return BROKEN;
    if (http >= 300 && http < 400)
        return REDIRECTED;
    if (http == 0 && says_any(failure, busy_phrases))
        return BUSY;
    if (http == 0 && says_any(failure, broken_phrases))
        return BROKEN;
    return REFUSED;
}

bool failure_is_passing(const struct failure *failure)
{
    if (failure->kind != FAILURE_REFUSED)
        return false;
    enum meaning meaning = meaning_of(failure);
    return meaning == BUSY || meaning == BROKEN;
}

void failure_redact(char *text, const char *key)
{
    size_t key_size = strlen(key);
    if (key_size < 8)
        return;
    const size_t least = key_size / 2 > 8 ? key_size / 2 : 8;
    char *to = text;
    while (*text) {
        size_t same = 0;
        while (same < key_size && text[same] == key[same])
            same++;
        if (same >= least) {
            memcpy(to, "[key]", 5);
            to += 5;
            text += same;
        } else {
            *to++ = *text++;
        }
    }
    *to = '\0';
}

/* Control characters (C0, DEL, C1) and runs of spaces to one space. */
static bool append_clean(const char *text, size_t size, struct buf *out)
{
    size_t length;
    for (size_t at = 0; at < size; at += length) {
        int32_t code = utf8_decode(text + at, size - at, &length);
        bool space = code <= ' ' || (code >= 0x7f && code <= 0xa0);
        if (space && (out->size == 0 || out->data[out->size - 1] == ' '))
            continue;
        if (!buf_append(out, space ? " " : text + at, space ? 1 : length))
            return false;
    }
    return true;
}

/* The server's words, fit to be shown: valid, in one line, without the key, bounded. */
static bool quote_words(const struct failure *failure, const char *key, struct buf *out)
{
    struct buf whole = BUF_INIT(3 * FAILURE_MAX_READ);
    struct characters characters = {0};
    bool ok = characters_feed(&characters, failure->words.data, failure->words.size, &whole) &&
              characters_finish(&characters, &whole) && buf_reserve(&whole, 0) &&
              append_clean(whole.data, whole.size, out) && buf_reserve(out, 3);
    buf_release(&whole);
    if (!ok)
        return false;
    failure_redact(out->data, key);
    out->size = strlen(out->data);
    if (out->size > FAILURE_MAX_SHOWN) {
        out->size = utf8_floor(out->data, out->size, FAILURE_MAX_SHOWN);
        out->data[out->size] = '\0';
        ok = buf_append_text(out, "...");
    }
    return ok;
}

struct sentence {
    rag_status status;
    const char *what;
    char advice[256];
};

static void advise(struct sentence *sentence, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void advise(struct sentence *sentence, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(sentence->advice, sizeof sentence->advice, format, arguments);
    va_end(arguments);
}

static void describe_refusal(const struct failure *failure, const struct failure_place *place,
                             struct sentence *s)
{
    switch (meaning_of(failure)) {
    case CONTEXT_TOO_LONG:
        *s = (struct sentence){RAG_INPUT, "the question and its passages are too long", ""};
        advise(s, "give the model fewer context tokens, or a model with a longer context");
        return;
    case KEY_REFUSED:
        *s = (struct sentence){RAG_NETWORK_AUTH, "the key was refused", ""};
        advise(s, *place->key ? "check %s" : "set %s, which is empty", place->key_variable);
        return;
    case QUOTA_USED_UP:
        *s = (struct sentence){RAG_NETWORK_LIMIT, "the account's quota is used up", ""};
        advise(s, "see the provider's billing page, or use another model");
        return;
    case BUSY:
        *s = (struct sentence){RAG_NETWORK_LIMIT, "the server asks to slow down", ""};
        if (failure->wait > 0)
            advise(s, "try again in %.0f seconds", failure->wait);
        else
            advise(s, "try again later");
        return;
    case NO_SUCH_MODEL:
        *s = (struct sentence){RAG_MODEL_MISSING, "there is no such model", ""};
        advise(s, "check the name after \"%s:\"", place->provider);
        return;
    case NOT_FOUND:
        *s = (struct sentence){RAG_NETWORK, "nothing answers at this address", ""};
        advise(s, "check %s (OpenAI-compatible ones mostly end in /v1)", place->url_variable);
        return;
    case BROKEN:
        *s = (struct sentence){RAG_NETWORK, "the server failed", ""};
        advise(s, "try again later");
        return;
    case REDIRECTED:
        *s = (struct sentence){RAG_NETWORK, "the server sends elsewhere", ""};
        advise(s, "a key is not sent after a redirect: set %s to the final address",
               place->url_variable);
        return;
    case REFUSED:
        *s = (struct sentence){RAG_NETWORK, "the request was refused", ""};
        return;
    }
}

static void describe(const struct failure *failure, const struct failure_place *place,
                     struct sentence *s)
{
    switch (failure->kind) {
    case FAILURE_PROMPT_BLOCKED:
        *s = (struct sentence){RAG_INPUT,
                               "the provider's filter blocked the question or a "
                               "passage",
                               ""};
        return;
    case FAILURE_REPLY_BLOCKED:
        *s = (struct sentence){RAG_NETWORK, "the provider's filter stopped the answer", ""};
        return;
    case FAILURE_REFUSED:
        describe_refusal(failure, place, s);
        return;
    case FAILURE_PROTOCOL:
    case FAILURE_NONE:
        *s = (struct sentence){RAG_NETWORK, "the reply is not what the protocol says", ""};
        advise(s, "is %s the address of such a server?", place->url_variable);
        return;
    }
}

rag_status failure_explain(const struct failure *failure, const struct failure_place *place,
                           rag_error *error)
{
    struct sentence s = {RAG_INTERNAL, "", ""};
    describe(failure, place, &s);
    struct buf words = BUF_INIT(3 * FAILURE_MAX_READ + 4);
    rag_status status;
    if (quote_words(failure, place->key, &words)) {
        char http[32] = "";
        if (failure->http)
            snprintf(http, sizeof http, " (HTTP %ld)", failure->http);
        bool quoted = words.size > 0, advised = *s.advice;
        status = fail_with(error, s.status, "%s:%.100s at %.200s: %s%s%s%s%s%s%s",
                           place->provider, place->model, place->host, s.what, http,
                           quoted ? ": \"" : "", quoted ? words.data : "", quoted ? "\"" : "",
                           advised ? "; " : "", s.advice);
    } else {
        status = fail_memory(error);
    }
    buf_release(&words);
    return status;
}
