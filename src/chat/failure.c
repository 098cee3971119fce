#include "chat/failure.h"
#include "chat/characters.h"
#include "chat/json.h"
#include "chat/meaning.h"
#include "text/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
static void add_code(struct failure *failure, const char *code)
{
    size_t used = strlen(failure->code);
    if (!code || used + strlen(code) + 2 > sizeof failure->code)
        return;
    if (used)
        failure->code[used++] = ' ';
    strcpy(failure->code + used, code);
}

/* A number is a status of HTTP, or a code of the provider's own (SiliconFlow: 20012). */
static void read_code(struct failure *failure, const json_t *value)
{
    json_int_t number = json_integer_value(value);
    add_code(failure, json_string_value(value));
    if (number >= 400 && number <= 599 && !failure->http) {
        failure->http = (long)number;
    } else if (number >= 1000) {
        char digits[32];
        snprintf(digits, sizeof digits, "%" JSON_INTEGER_FORMAT, number);
        add_code(failure, digits);
    }
}

/* google.rpc.RetryInfo carries "retryDelay": "34.5s"; Google sends no Retry-After.
 * google.rpc.ErrorInfo carries a "reason" such as API_KEY_INVALID. Anthropic's details are one
 * object with an error_code. */
static void read_details(struct failure *failure, const json_t *details)
{
    size_t i;
    json_t *detail;
    add_code(failure, json_string_value(json_object_get(details, "error_code")));
    json_array_foreach(details, i, detail)
    {
        add_code(failure, json_string_value(json_object_get(detail, "reason")));
        const char *delay = json_string_value(json_object_get(detail, "retryDelay"));
        double seconds = delay ? strtod(delay, NULL) : 0;
        if (seconds > 0)
            failure->wait = seconds;
    }
}

/* FastAPI's {"loc": ["body", "stream"], "msg": ...}: the last of loc is the field. */
static bool read_field(struct failure *failure, const json_t *place)
{
    const json_t *field = json_array_get(place, json_array_size(place) - 1);
    const char *name = json_string_value(field);
    if (!name || json_string_length(field) > 100)
        return true;
    return buf_append_text(&failure->words, name) && buf_append_text(&failure->words, ": ");
}

static bool read_words(struct failure *failure, const json_t *value)
{
    if (json_is_object(value))
        value = json_object_get(value, "message");
    if (json_is_array(value)) {
        const json_t *first = json_array_get(value, 0);
        if (!read_field(failure, json_object_get(first, "loc")))
            return false;
        value = json_object_get(first, "msg");
    }
    if (!json_is_string(value))
        return true;
    const char *words = json_string_value(value);
    size_t size = json_string_length(value);
    return buf_append(&failure->words, words,
                      utf8_floor(words, size, FAILURE_MAX_READ - failure->words.size));
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
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        read_code(failure, json_object_get(holder, codes[i]));
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
    if (ok && json_is_string(document)) /* SiliconFlow: "Invalid token" */
        ok = read_words(failure, document);
    bool page = size && memchr(body, '<', size); /* HTML says less than the status does */
    if (!document && !page)
        ok = characters_repair(body, size < MAX_PLAIN ? size : MAX_PLAIN, &failure->words);
    json_decref(document);
    failure->kind = FAILURE_REFUSED;
    return ok ? RAG_NETWORK : RAG_MEMORY;
}

/* ---- The sentence ---------------------------------------------------------- */

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

static const char filter_blocked[] = "the provider's filter blocked the question or a passage";

/* What sets the server's address. */
static const char *address_of(const struct failure_place *place)
{
    return *place->url_variable ? place->url_variable : "the base URL";
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
        if (!*place->key_variable)
            advise(s, "check the key");
        else
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
        if (strcmp(place->protocol, "ollama") == 0 || failure_says(failure, "pulling it"))
            advise(s, "run \"ollama pull %.100s\"", place->model);
        else
            advise(s, "check the name after \"%s:\"", place->provider);
        return;
    case NOT_FOUND:
        *s = (struct sentence){RAG_NETWORK, "nothing answers at this address", ""};
        advise(s, "check %s (OpenAI-compatible ones mostly end in /v1)", address_of(place));
        return;
    case BROKEN:
        *s = (struct sentence){RAG_NETWORK, "the server failed", ""};
        advise(s, "try again later");
        return;
    case REDIRECTED:
        *s = (struct sentence){RAG_NETWORK, "the server sends elsewhere", ""};
        advise(s, "a key is not sent after a redirect: set %s to the final address",
               address_of(place));
        return;
    case FILTERED:
        *s = (struct sentence){RAG_INPUT, filter_blocked, ""};
        return;
    case PLACE_REFUSED:
        *s = (struct sentence){RAG_NETWORK, "the provider does not serve this country", ""};
        advise(s, "use another provider, or an address of its for your region");
        return;
    case MODEL_TOO_LARGE:
        *s = (struct sentence){RAG_NETWORK, "the model does not fit into its memory", ""};
        advise(s, "use a smaller one");
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
        *s = (struct sentence){RAG_INPUT, filter_blocked, ""};
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
        advise(s, "is %s the address of such a server?", address_of(place));
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
