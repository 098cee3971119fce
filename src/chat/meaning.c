#include "chat/meaning.h"

#include <string.h>
#include <strings.h>

static bool contains(const char *text, const char *phrase)
{
    size_t size = strlen(phrase);
    for (; *text; text++)
        if (strncasecmp(text, phrase, size) == 0)
            return true;
    return false;
}

bool failure_says(const struct failure *failure, const char *phrase)
{
    return contains(failure->code, phrase) ||
           (failure->words.size && contains(failure->words.data, phrase));
}

static bool says_any(const struct failure *failure, const char *const *phrases)
{
    for (; *phrases; phrases++)
        if (failure_says(failure, *phrases))
            return true;
    return false;
}

/* ---- Codes ---------------------------------------------------------------- */

/* Codes that mean one thing whatever the status: it is often another's (SiliconFlow says 403
 * to an empty account, Zhipu 429). */
static const struct {
    const char *code;
    enum meaning meaning;
} codes[] = {
    /* OpenAI and those like it */
    {"context_length_exceeded", CONTEXT_TOO_LONG},
    {"invalid_api_key", KEY_REFUSED},
    {"authentication_error", KEY_REFUSED},
    {"insufficient_quota", QUOTA_USED_UP},
    {"insufficient_user_quota", QUOTA_USED_UP},
    {"model_not_found", NO_SUCH_MODEL},
    {"invalid_model", NO_SUCH_MODEL},
    {"model_decommissioned", NO_SUCH_MODEL},
    {"content_filter", FILTERED},
    {"content_policy_violation", FILTERED},
    {"unsupported_country_region_territory", PLACE_REFUSED},
    {"exceeded_current_quota_error", QUOTA_USED_UP}, /* Moonshot */
    /* Google */
    {"API_KEY_INVALID", KEY_REFUSED},
    /* Anthropic */
    {"billing_error", QUOTA_USED_UP},
    {"enforced_spend_limit_reached", QUOTA_USED_UP},
    /* DashScope */
    {"InvalidApiKey", KEY_REFUSED},
    {"Arrearage", QUOTA_USED_UP},
    {"data_inspection_failed", FILTERED},
    {"DataInspectionFailed", FILTERED},
    /* SiliconFlow */
    {"20012", NO_SUCH_MODEL},
    {"30001", QUOTA_USED_UP},
    {"30003", NO_SUCH_MODEL},
    /* Zhipu: https://docs.z.ai/api-reference/api-code */
    {"1113", QUOTA_USED_UP},
    {"1120", BROKEN},
    {"1211", NO_SUCH_MODEL},
    {"1230", BROKEN},
    {"1234", BROKEN},
    {"1261", CONTEXT_TOO_LONG},
    {"1301", FILTERED},
    {"1302", BUSY},
    {"1303", BUSY},
    {"1304", QUOTA_USED_UP},
    {"1305", BUSY},
    {"1308", QUOTA_USED_UP},
    {"1309", QUOTA_USED_UP},
};

/* failure->code is a row of codes with a space between them. */
static bool has_code(const struct failure *failure, const char *code)
{
    size_t size = strlen(code), length;
    for (const char *at = failure->code; *at; at += length + (at[length] == ' ')) {
        length = strcspn(at, " ");
        if (length == size && strncasecmp(at, code, size) == 0)
            return true;
    }
    return false;
}

static enum meaning meaning_of_code(const struct failure *failure)
{
    for (size_t i = 0; i < sizeof codes / sizeof *codes; i++)
        if (has_code(failure, codes[i].code))
            return codes[i].meaning;
    return REFUSED;
}

/* ---- Words ---------------------------------------------------------------- */

/* In the order of: vLLM and DeepSeek, llama-server twice, Gemini, Anthropic twice, Mistral,
 * DashScope, SiliconFlow, Groq, Zhipu. */
static const char *const context_phrases[] = {
    "maximum context length",
    "exceed_context_size",
    "context size",
    "exceeds the maximum number of tokens",
    "prompt is too long",
    "exceed context limit",
    "too large for model with",
    "range of input length",
    "max_seq_len",
    "reduce the length",
    "prompt \xe8\xb6\x85\xe9\x95\xbf",
    NULL,
};
static const char *const key_phrases[] = {"api key not valid", NULL};
/* DeepSeek, SiliconFlow, Anthropic twice, Gemini. */
static const char *const quota_phrases[] = {"insufficient balance",
                                            "balance is insufficient",
                                            "credit balance is too low",
                                            "reached your specified API usage limits",
                                            "PerDay",
                                            NULL};
/* SiliconFlow, DeepSeek, Mistral, OpenRouter. */
static const char *const no_model_phrases[] = {"model does not exist", "model not exist",
                                               "invalid model", "not a valid model", NULL};
/* DeepSeek, Moonshot. */
static const char *const filter_phrases[] = {"content exists risk", "considered high risk",
                                             NULL};
static const char *const place_phrases[] = {"location is not supported", NULL}; /* Gemini */
static const char *const memory_phrases[] = {"more system memory", NULL};       /* Ollama */
static const char *const busy_phrases[] = {"rate_limit", "RESOURCE_EXHAUSTED", NULL};
static const char *const broken_phrases[] = {"overloaded", "server_error", "UNAVAILABLE",
                                             "INTERNAL",   "api_error",    "timeout_error",
                                             NULL};

static enum meaning meaning_of_words(const struct failure *failure)
{
    static const struct {
        const char *const *phrases;
        enum meaning meaning;
    } rules[] = {
        {quota_phrases, QUOTA_USED_UP},    {key_phrases, KEY_REFUSED},
        {filter_phrases, FILTERED},        {place_phrases, PLACE_REFUSED},
        {memory_phrases, MODEL_TOO_LARGE},
    };
    long http = failure->http;
    if (http != 429 && says_any(failure, context_phrases))
        return CONTEXT_TOO_LONG;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        if (says_any(failure, rules[i].phrases))
            return rules[i].meaning;
    if (http != 429 && http < 500 && says_any(failure, no_model_phrases))
        return NO_SUCH_MODEL;
    return REFUSED;
}

/* ---- Status --------------------------------------------------------------- */

static enum meaning meaning_of_status(const struct failure *failure)
{
    long http = failure->http;
    if (http == 413)
        return CONTEXT_TOO_LONG;
    if (http == 401 || http == 403)
        return KEY_REFUSED;
    if (http == 402)
        return QUOTA_USED_UP;
    if (http == 429)
        return BUSY;
    if (http == 404)
        return failure_says(failure, "model") ? NO_SUCH_MODEL : NOT_FOUND;
    if (http == 408 || http == 425 || (http >= 500 && http != 501 && http != 505))
        return BROKEN;
    if (http >= 300 && http < 400)
        return REDIRECTED;
    /* In a stream there is none. */
    if (http == 0 && says_any(failure, busy_phrases))
        return BUSY;
    if (http == 0 && says_any(failure, broken_phrases))
        return BROKEN;
    return REFUSED;
}

enum meaning meaning_of(const struct failure *failure)
{
    enum meaning meaning = meaning_of_code(failure);
    if (meaning == REFUSED)
        meaning = meaning_of_words(failure);
    return meaning == REFUSED ? meaning_of_status(failure) : meaning;
}
