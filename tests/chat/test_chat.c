/* PYTHON FAULT_SERVER: the promises of rag_chat_* against a server that misbehaves. */
#define _XOPEN_SOURCE 700
#include "support/child.h"
#include "support/test.h"

#include "base/buf.h"
#include "base/clock.h"
#include "chat/chat.h"

#include <jansson.h>
#include <stdlib.h>

static const char key[] = "sk-test-0123456789-abcdefghij-KLMNOP";

static struct child server;
static const char *python, *server_script;

/* One call, and all that it said. */
struct call {
    rag_status status;
    rag_error error;
    char *reply;
    struct buf streamed, events;
    size_t pieces, questions; /* of on_text, and whether to go on */
    double seconds, longest_gap, last_question;
    double stop_after; /* seconds; 0: never */
    double start;
    bool stop_on_text;
};

static int on_text(rag_text piece, void *user)
{
    struct call *call = user;
    call->pieces++;
    assert_true(buf_append(&call->streamed, piece.data, piece.size));
    return call->stop_on_text;
}

static int on_event(const rag_event *event, void *user)
{
    struct call *call = user;
    double now = clock_seconds();
    if (event->message)
        assert_true(buf_printf(&call->events, "%s\n", event->message));
    if (event->kind != RAG_EVENT_PROGRESS)
        return 0;
    call->questions++;
    if (now - call->last_question > call->longest_gap)
        call->longest_gap = now - call->last_question;
    call->last_question = now;
    return call->stop_after > 0 && now - call->start > call->stop_after;
}

static void call_release(struct call *call)
{
    rag_free(call->reply);
    buf_release(&call->streamed);
    buf_release(&call->events);
}

/* What every failure promises. */
static void check_manners(const struct call *call)
{
    const char *message = call->status ? call->error.message : "";
    if (call->status) {
        assert_null(call->reply);
        assert_true(*message);
        assert_int_equal(call->error.status, call->status);
    }
    for (const char *c = message; *c; c++)
        assert_true((unsigned char)*c >= ' ' && *c != 0x7f);
    /* The key, and any half of it, appear nowhere. */
    char half[sizeof key];
    for (size_t begin = 0; begin + sizeof key / 2 < sizeof key; begin++) {
        snprintf(half, sizeof half, "%.*s", (int)(sizeof key / 2), key + begin);
        assert_null(strstr(message, half));
        assert_null(call->events.data ? strstr(call->events.data, half) : NULL);
    }
}

enum { WHOLE, STREAM };

/* One model of each protocol. */
static const char *const every[] = {"openai:m", "gemini:m", "anthropic:m", "ollama:m"};
enum { PROTOCOLS = sizeof every / sizeof *every };

static void ask_with(struct call *call, const char *spec, const char *scenario, int stream,
                     rag_chat_options options)
{
    static const rag_message messages[] = {
        {RAG_SYSTEM, {"Be brief.", 9}},
        {RAG_USER, {"What is \"6 x 7\"?", 16}},
        {RAG_ASSISTANT, {"\xe4\xbd\xa0\xe5\xa5\xbd", 6}},
        {RAG_USER, {"Well?", 5}},
    };
    char url[256];
    rag_chat *chat;
    snprintf(url, sizeof url, "http://127.0.0.1:%d/%s%s", server.port, scenario,
             strncmp(spec, "openai", 6) == 0 ? "/v1" : "");
    setenv("OPENAI_BASE_URL", url, 1);
    setenv("GEMINI_BASE_URL", url, 1);
    setenv("ANTHROPIC_BASE_URL", url, 1);
    setenv("OLLAMA_HOST", url, 1);
    rag_llm_options llm = RAG_LLM_OPTIONS_INIT;
    if (strncmp(spec, "ollama", 6) == 0) /* has no variable for one */
        llm.key = key;
    call->streamed = call->events = BUF_INIT(32 << 20);
    call->start = call->last_question = clock_seconds();
    if (stream)
        options.on_text = on_text;
    options.on_event = on_event;
    options.user = call;
    assert_ok(rag_chat_open(spec, &llm, &chat, &call->error), &call->error);
    call->status = rag_chat_complete(chat, messages, 4, &options, &call->reply, &call->error);
    call->seconds = clock_seconds() - call->start;
    rag_chat_close(chat);
    check_manners(call);
    if (!call->status && stream)
        assert_string_equal(call->streamed.data, call->reply);
}

static struct call ask(const char *spec, const char *scenario, int stream)
{
    struct call call = {0};
    ask_with(&call, spec, scenario, stream, (rag_chat_options)RAG_CHAT_OPTIONS_INIT);
    return call;
}

static void expect_reply(const char *spec, const char *scenario, int stream, const char *text)
{
    struct call call = ask(spec, scenario, stream);
    assert_ok(call.status, &call.error);
    assert_string_equal(call.reply, text);
    call_release(&call);
}

static void expect_failure(const char *spec, const char *scenario, int stream,
                           rag_status status, const char *says)
{
    struct call call = ask(spec, scenario, stream);
    assert_status(status, call.status, &call.error);
    assert_says(&call.error, says);
    call_release(&call);
}

static void expect_reply_of_every(const char *scenario, int stream, const char *text)
{
    for (size_t i = 0; i < PROTOCOLS; i++)
        expect_reply(every[i], scenario, stream, text);
}

static void expect_failure_of_every(const char *scenario, int stream, rag_status status,
                                    const char *says)
{
    for (size_t i = 0; i < PROTOCOLS; i++)
        expect_failure(every[i], scenario, stream, status, says);
}

/* ---- What goes well ------------------------------------------------------- */

static void replies_come_whole_and_streamed(void **state)
{
    (void)state;
    const char *text = "The answer is 42 [1]. \xe4\xbd\xa0\xe5\xa5\xbd \xf0\x9f\x91\x8b";
    expect_reply_of_every("ok", WHOLE, text);
    expect_reply_of_every("ok", STREAM, text);
    text = "The answer is 42 [1]. \xe4\xbd\xa0\xe5\xa5\xbd";
    expect_reply("gemini:m", "gemini", WHOLE, text);
    expect_reply("gemini:m", "gemini", STREAM, text);
}

static json_t *request_seen(const char *spec, int stream, rag_chat_options options)
{
    struct call call = {0};
    ask_with(&call, spec, "request", stream, options);
    assert_ok(call.status, &call.error);
    json_t *seen = json_loads(call.reply, 0, NULL);
    assert_non_null(seen);
    assert_true(json_is_false(json_object_get(seen, "leak")));
    assert_string_equal(json_string_value(json_object_get(seen, "type")), "application/json");
    assert_string_equal(json_string_value(json_object_get(seen, "agent")), "rag/" RAG_VERSION);
    call_release(&call);
    return seen;
}

static void expect_json(json_t *seen, const char *member, const char *expected)
{
    char *text = json_dumps(json_object_get(seen, member), JSON_COMPACT | JSON_ENCODE_ANY);
    assert_string_equal(text, expected);
    free(text);
}

static void openai_requests_have_the_documented_shape(void **state)
{
    (void)state;
    rag_chat_options options = RAG_CHAT_OPTIONS_INIT;
    options.max_tokens = 7;
    json_t *seen = request_seen("openai:Qwen/m:7b", STREAM, options);
    expect_json(seen, "path", "\"/request/v1/chat/completions\"");
    expect_json(seen, "key", "[\"authorization\"]");
    expect_json(seen, "body",
                "{\"model\":\"Qwen/m:7b\",\"messages\":["
                "{\"role\":\"system\",\"content\":\"Be brief.\"},"
                "{\"role\":\"user\",\"content\":\"What is \\\"6 x 7\\\"?\"},"
                "{\"role\":\"assistant\",\"content\":\"\xe4\xbd\xa0\xe5\xa5\xbd\"},"
                "{\"role\":\"user\",\"content\":\"Well?\"}],"
                "\"stream\":true,\"max_tokens\":7,"
                "\"stream_options\":{\"include_usage\":true},\"temperature\":0.0}");
    json_decref(seen);
    options.temperature = -1;
    seen = request_seen("openai:m", WHOLE, options);
    assert_null(json_object_get(json_object_get(seen, "body"), "temperature"));
    json_decref(seen);
    seen = request_seen("openai:gpt-5-mini", WHOLE, options);
    assert_null(json_object_get(json_object_get(seen, "body"), "max_tokens"));
    expect_json(json_object_get(seen, "body"), "max_completion_tokens", "7");
    json_decref(seen);
}

static void gemini_requests_have_the_documented_shape(void **state)
{
    (void)state;
    rag_chat_options options = RAG_CHAT_OPTIONS_INIT;
    json_t *seen = request_seen("gemini:m", STREAM, options);
    expect_json(seen, "path", "\"/request/v1beta/models/m:streamGenerateContent?alt=sse\"");
    expect_json(seen, "key", "[\"x-goog-api-key\"]");
    expect_json(seen, "body",
                "{\"systemInstruction\":{\"parts\":[{\"text\":\"Be brief.\"}]},\"contents\":["
                "{\"parts\":[{\"text\":\"What is \\\"6 x 7\\\"?\"}],\"role\":\"user\"},"
                "{\"parts\":[{\"text\":\"\xe4\xbd\xa0\xe5\xa5\xbd\"}],\"role\":\"model\"},"
                "{\"parts\":[{\"text\":\"Well?\"}],\"role\":\"user\"}],"
                "\"generationConfig\":{\"maxOutputTokens\":1024,\"temperature\":0.0}}");
    json_decref(seen);
    seen = request_seen("gemini:gemini-2.5-flash", WHOLE, options);
    expect_json(seen, "path", "\"/request/v1beta/models/gemini-2.5-flash:generateContent\"");
    expect_json(json_object_get(json_object_get(seen, "body"), "generationConfig"),
                "thinkingConfig", "{\"thinkingBudget\":0}");
    json_decref(seen);
}

static void anthropic_requests_have_the_documented_shape(void **state)
{
    (void)state;
    rag_chat_options options = RAG_CHAT_OPTIONS_INIT;
    options.temperature = 1.5; /* 1 is the highest there */
    json_t *seen = request_seen("anthropic:m", STREAM, options);
    expect_json(seen, "path", "\"/request/v1/messages\"");
    expect_json(seen, "key", "[\"x-api-key\"]");
    expect_json(seen, "version", "\"2023-06-01\"");
    expect_json(seen, "body",
                "{\"model\":\"m\",\"max_tokens\":1024,\"system\":\"Be brief.\",\"messages\":["
                "{\"role\":\"user\",\"content\":\"What is \\\"6 x 7\\\"?\"},"
                "{\"role\":\"assistant\",\"content\":\"\xe4\xbd\xa0\xe5\xa5\xbd\"},"
                "{\"role\":\"user\",\"content\":\"Well?\"}],"
                "\"stream\":true,\"temperature\":1.0}");
    json_decref(seen);
}

static void ollama_requests_have_the_documented_shape(void **state)
{
    (void)state;
    rag_chat_options options = RAG_CHAT_OPTIONS_INIT;
    options.max_tokens = 7;
    json_t *seen = request_seen("ollama:qwen3:8b", WHOLE, options);
    expect_json(seen, "path", "\"/request/api/chat\"");
    expect_json(seen, "key", "[\"authorization\"]");
    expect_json(seen, "body",
                "{\"model\":\"qwen3:8b\",\"messages\":["
                "{\"role\":\"system\",\"content\":\"Be brief.\"},"
                "{\"role\":\"user\",\"content\":\"What is \\\"6 x 7\\\"?\"},"
                "{\"role\":\"assistant\",\"content\":\"\xe4\xbd\xa0\xe5\xa5\xbd\"},"
                "{\"role\":\"user\",\"content\":\"Well?\"}],\"stream\":false,"
                "\"options\":{\"num_predict\":7,\"num_ctx\":4096,\"temperature\":0.0}}");
    json_decref(seen);
}

static void streams_may_be_cut_anywhere(void **state)
{
    (void)state;
    expect_reply("openai:m", "bytes", STREAM, "one \xe4\xbd\xa0 two \xe5\xa5\xbd");
    /* Halves of characters are joined; what lacks its rest is U+FFFD. */
    expect_reply_of_every("half", STREAM,
                          "a\xe4\xbd\xa0"
                          "bc\xef\xbf\xbd"
                          "d\xef\xbf\xbd"
                          "e\xef\xbf\xbd");
}

static void pieces_are_whole_characters(void **state)
{
    (void)state;
    struct call call = ask("openai:m", "half", STREAM);
    assert_ok(call.status, &call.error);
    assert_true(call.pieces > 4);
    call_release(&call);
}

static void unusual_but_whole_replies_are_accepted(void **state)
{
    (void)state;
    expect_reply("openai:m", "no_done", STREAM, "whole");
    expect_reply("openai:m", "no_last_blank_line", STREAM, "whole");
    expect_reply("openai:m", "after_end", STREAM, "whole");
    expect_reply_of_every("json_for_stream", STREAM, "not streamed");
    expect_reply("openai:m", "parts", WHOLE, "in parts");
    expect_reply("gemini:m", "gemini_stops", STREAM, "one two");
}

static void a_stream_that_has_ended_need_not_be_closed(void **state)
{
    (void)state;
    struct call call = ask("openai:m", "linger", STREAM);
    assert_ok(call.status, &call.error);
    assert_string_equal(call.reply, "all of it");
    assert_true(call.seconds < CHAT_AFTER_END_SECONDS + 2);
    call_release(&call);
}

static void an_answer_cut_by_its_limit_is_kept_and_said(void **state)
{
    (void)state;
    for (size_t i = 0; i < PROTOCOLS; i++) {
        struct call call = ask(every[i], "length", STREAM);
        assert_ok(call.status, &call.error);
        assert_string_equal(call.reply, "The begin");
        assert_non_null(strstr(call.events.data, "stops at 1024 tokens"));
        call_release(&call);
    }
    expect_failure("openai:m", "length_no_text", WHOLE, RAG_NETWORK, "used up its 1024 tokens");
    expect_failure("gemini:m", "gemini_all_thought", WHOLE, RAG_NETWORK, "used up its");
}

/* ---- What passes ---------------------------------------------------------- */

static void a_busy_server_is_asked_again_when_it_said(void **state)
{
    (void)state;
    for (size_t i = 0; i < PROTOCOLS; i++) {
        struct call call = ask(every[i], "busy", STREAM);
        assert_ok(call.status, &call.error);
        assert_string_equal(call.reply, "try 2");
        assert_true(call.seconds >= 1);
        assert_non_null(strstr(call.events.data, "slow down"));
        assert_non_null(strstr(call.events.data, "(1 of 3)"));
        call_release(&call);
    }
    struct call call = ask("openai:m", "busy_until_date", WHOLE);
    assert_string_equal(call.reply, "try 2");
    assert_true(call.seconds >= 0.9);
    call_release(&call);
    call = ask("gemini:m", "gemini_busy", WHOLE);
    assert_string_equal(call.reply, "try 2");
    assert_true(call.seconds >= 1.2);
    call_release(&call);
}

static void a_server_that_breaks_before_any_text_is_asked_again(void **state)
{
    (void)state;
    expect_reply_of_every("broken_twice", WHOLE, "try 3");
    expect_reply_of_every("lost_once", STREAM, "try 2");
    expect_reply_of_every("cut_before_text", STREAM, "try 2");
    expect_reply("openai:m", "busy_in_stream", STREAM, "try 2");
    expect_reply("gemini:m", "busy_in_stream", STREAM, "try 2");
    expect_reply("anthropic:m", "busy_in_stream", STREAM, "try 2");
    expect_reply("openai:m", "gave_up", STREAM, "try 2");
}

static void retries_end(void **state)
{
    (void)state;
    struct call call = {0};
    rag_chat_options options = RAG_CHAT_OPTIONS_INIT;
    options.retries = 1;
    ask_with(&call, "openai:m", "busy_on", WHOLE, options);
    assert_status(RAG_NETWORK_LIMIT, call.status, &call.error);
    assert_says(&call.error, "slow down");
    assert_non_null(strstr(call.events.data, "(1 of 1)"));
    assert_null(strstr(call.events.data, "(2 of"));
    call_release(&call);
    call = (struct call){0};
    options.retries = 0;
    ask_with(&call, "openai:m", "broken_page", STREAM, options);
    assert_status(RAG_NETWORK, call.status, &call.error);
    assert_says(&call.error, "the server failed (HTTP 502)");
    assert_null(strstr(call.error.message, "script"));
    call_release(&call);
}

static void what_will_not_pass_is_not_tried_again(void **state)
{
    (void)state;
    struct call call = ask("openai:m", "busy_for_an_hour", WHOLE);
    assert_status(RAG_NETWORK_LIMIT, call.status, &call.error);
    assert_says(&call.error, "try again in 3600 seconds");
    assert_null(call.events.data);
    call_release(&call);
    call = ask("openai:m", "no_quota", WHOLE);
    assert_status(RAG_NETWORK_LIMIT, call.status, &call.error);
    assert_says(&call.error, "quota is used up");
    assert_null(call.events.data);
    call_release(&call);
}

static void nothing_is_tried_again_once_text_was_shown(void **state)
{
    (void)state;
    static const char *const scenarios[] = {"cut", "cut_cleanly", "cut_in_character",
                                            "error_in_stream"};
    for (size_t i = 0; i < PROTOCOLS * sizeof scenarios / sizeof *scenarios; i++) {
        struct call call = ask(every[i % PROTOCOLS], scenarios[i / PROTOCOLS], STREAM);
        assert_status(RAG_NETWORK, call.status, &call.error);
        assert_string_equal(call.streamed.data, "The begin");
        assert_null(call.events.data);
        call_release(&call);
    }
}

/* ---- What fails ----------------------------------------------------------- */

static void a_cut_stream_says_so(void **state)
{
    (void)state;
    expect_failure_of_every("cut", STREAM, RAG_NETWORK, "connection was lost");
    expect_failure_of_every("cut_cleanly", STREAM, RAG_NETWORK, "was cut off");
    expect_failure_of_every("error_in_stream", STREAM, RAG_NETWORK, "engine died");
    expect_failure("openai:m", "gave_up_in_text", STREAM, RAG_NETWORK, "upstream disconnected");
    expect_failure("gemini:m", "gemini_safety", STREAM, RAG_NETWORK, "SAFETY");
}

static void a_silent_server_is_given_up(void **state)
{
    (void)state;
    rag_chat_options options = RAG_CHAT_OPTIONS_INIT;
    options.first_seconds = options.idle_seconds = 1;
    struct call call = {0};
    ask_with(&call, "openai:m", "stall", STREAM, options);
    assert_status(RAG_NETWORK, call.status, &call.error);
    assert_says(&call.error, "no byte of a reply came within 1 seconds");
    assert_true(call.seconds < 15); /* of the 30 that the server would take */
    call_release(&call);
    for (size_t i = 0; i < PROTOCOLS; i++) {
        call = (struct call){0};
        ask_with(&call, every[i], "stall_in_stream", STREAM, options);
        assert_status(RAG_NETWORK, call.status, &call.error);
        assert_says(&call.error, "fell silent for 1 seconds");
        assert_string_equal(call.streamed.data, "The begin");
        assert_true(call.seconds < 15); /* of the 30 that the server would take */
        call_release(&call);
    }
}

static void the_first_byte_is_the_replys_not_its_headers(void **state)
{
    (void)state;
    rag_chat_options options = RAG_CHAT_OPTIONS_INIT;
    options.first_seconds = 10;
    options.idle_seconds = 1;
    struct call call = {0};
    ask_with(&call, "openai:m", "slow_after_headers", STREAM, options);
    assert_ok(call.status, &call.error);
    assert_string_equal(call.reply, "worth the wait");
    call_release(&call);
    options.first_seconds = 1;
    options.idle_seconds = 10;
    call = (struct call){0};
    ask_with(&call, "openai:m", "slow_after_headers", STREAM, options);
    assert_status(RAG_NETWORK, call.status, &call.error);
    assert_says(&call.error, "no byte of a reply came within 1 seconds");
    call_release(&call);
}

static void a_wait_can_be_interrupted_at_any_time(void **state)
{
    (void)state;
    static const char *const scenarios[] = {"stall", "comments_forever", "busy_on"};
    for (size_t i = 0; i < sizeof scenarios / sizeof *scenarios; i++) {
        struct call call = {.stop_after = 0.7};
        ask_with(&call, "openai:m", scenarios[i], STREAM,
                 (rag_chat_options)RAG_CHAT_OPTIONS_INIT);
        assert_status(RAG_INTERRUPTED, call.status, &call.error);
        assert_true(call.seconds < 1.4);
        assert_true(call.longest_gap < 0.5);
        call_release(&call);
    }
    for (size_t i = 0; i < PROTOCOLS; i++) {
        struct call call = {.stop_on_text = true};
        ask_with(&call, every[i], "ok", STREAM, (rag_chat_options)RAG_CHAT_OPTIONS_INIT);
        assert_status(RAG_INTERRUPTED, call.status, &call.error);
        assert_int_equal(call.pieces, 1);
        call_release(&call);
        call = (struct call){.stop_after = 0.4};
        ask_with(&call, every[i], "stall_in_stream", STREAM,
                 (rag_chat_options)RAG_CHAT_OPTIONS_INIT);
        assert_status(RAG_INTERRUPTED, call.status, &call.error);
        assert_string_equal(call.streamed.data, "The begin");
        assert_true(call.seconds < 1.1);
        call_release(&call);
    }
}

static void oversized_replies_are_refused(void **state)
{
    (void)state;
    expect_failure_of_every("long_line", STREAM, RAG_NETWORK, "longer than 1048576 bytes");
    expect_failure_of_every("long_reply", WHOLE, RAG_NETWORK, "longer than 16777216 bytes");
}

static void replies_that_are_none_are_refused(void **state)
{
    (void)state;
    expect_failure_of_every("not_json", WHOLE, RAG_NETWORK, "not JSON");
    expect_failure_of_every("not_json_in_stream", STREAM, RAG_NETWORK, "not JSON");
    expect_failure("openai:m", "other_json", WHOLE, RAG_NETWORK, "no choices");
    expect_failure("gemini:m", "other_json", WHOLE, RAG_NETWORK, "no candidates");
    expect_failure("anthropic:m", "other_json", WHOLE, RAG_NETWORK, "no content");
    expect_failure("ollama:m", "other_json", WHOLE, RAG_NETWORK, "no message");
    expect_failure_of_every("empty", WHOLE, RAG_NETWORK, "not JSON");
    expect_failure("gemini:m", "empty", STREAM, RAG_NETWORK, "GEMINI_BASE_URL");
}

static void refusals_say_what_to_do(void **state)
{
    (void)state;
    expect_failure("openai:m", "no_model", WHOLE, RAG_MODEL_MISSING, "after \"openai:\"");
    expect_failure("gemini:m", "gemini_no_model", STREAM, RAG_MODEL_MISSING,
                   "after \"gemini:\"");
    expect_failure("openai:m", "no_page", STREAM, RAG_NETWORK, "OPENAI_BASE_URL");
    expect_failure("openai:m", "context", STREAM, RAG_INPUT, "fewer context tokens");
    expect_failure("openai:m", "context_llama", WHOLE, RAG_INPUT, "fewer context tokens");
    expect_failure("openai:m", "context_vllm", WHOLE, RAG_INPUT, "fewer context tokens");
    expect_failure("gemini:m", "gemini_context", WHOLE, RAG_INPUT, "fewer context tokens");
    expect_failure("gemini:m", "gemini_bad_key", WHOLE, RAG_NETWORK_AUTH,
                   "check GEMINI_API_KEY");
    expect_failure("gemini:m", "gemini_prompt_blocked", WHOLE, RAG_INPUT, "PROHIBITED_CONTENT");
    expect_failure("gemini:m", "gemini_prompt_blocked", STREAM, RAG_INPUT, "filter blocked");
    expect_failure("openai:m", "gemini_error_list", WHOLE, RAG_NETWORK, "nonsense");
    expect_failure("openai:m", "filter", WHOLE, RAG_NETWORK, "filter stopped the answer");
}

static void the_key_is_not_repeated(void **state)
{
    (void)state;
    expect_failure_of_every("key_echo", WHOLE, RAG_NETWORK_AUTH, "API key: [key] ([key])");
    expect_failure_of_every("key_echo_as_text", WHOLE, RAG_NETWORK, "header [key]");
    expect_failure("openai:m", "key_echo_in_stream", STREAM, RAG_NETWORK_AUTH, "bad key [key]");
    expect_failure("ollama:m", "key_echo_in_stream", STREAM, RAG_NETWORK, "bad key [key]");
    /* ... nor in what is said of a retry. */
    rag_chat_options options = RAG_CHAT_OPTIONS_INIT;
    options.retries = 1;
    for (size_t i = 1; i < 3; i++) {
        struct call call = {0};
        ask_with(&call, every[i], "key_echo_in_stream", STREAM, options);
        assert_status(RAG_NETWORK, call.status, &call.error);
        assert_says(&call.error, "bad key [key]");
        assert_non_null(strstr(call.events.data, "bad key [key]"));
        call_release(&call);
    }
}

static void a_redirect_does_not_get_the_key(void **state)
{
    (void)state;
    expect_failure("openai:m", "redirect", WHOLE, RAG_NETWORK, "http://127.0.0.1\"; a key");
    expect_reply("openai:m", "count_elsewhere", WHOLE, "asked 0 times");
}

static void an_untrusted_server_does_not_get_the_key(void **state)
{
    (void)state;
    struct call call = ask("openai:m", "untrusted_port", WHOLE);
    const rag_message message = {RAG_USER, {"Well?", 5}};
    rag_chat *chat;
    rag_error error;
    char url[64], *reply;
    snprintf(url, sizeof url, "https://127.0.0.1:%s/v1", call.reply);
    call_release(&call);
    setenv("OPENAI_BASE_URL", url, 1);
    assert_ok(rag_chat_open("openai:m", NULL, &chat, &error), &error);
    assert_status(RAG_NETWORK, rag_chat_complete(chat, &message, 1, NULL, &reply, &error),
                  &error);
    assert_says(&error, "no trusted connection");
    assert_says(&error, "certificate");
    rag_chat_close(chat);
    expect_reply("openai:m", "count_elsewhere", WHOLE, "asked 0 times");
}

static void a_server_that_does_not_run_is_said_to(void **state)
{
    (void)state;
    struct child gone;
    const char *argv[] = {python, server_script, key, TEST_DATA "/chat/untrusted.pem", NULL};
    assert_int_equal(child_start(&gone, argv), 0);
    child_stop(&gone);
    struct child running = server;
    server = gone;
    struct call call = ask("openai:m", "ok", WHOLE);
    server = running;
    assert_status(RAG_NETWORK, call.status, &call.error);
    assert_says(&call.error, "is the server running?");
    assert_true(call.seconds < 1);
    call_release(&call);
}

static void a_conversation_needs_a_question(void **state)
{
    (void)state;
    rag_chat *chat;
    rag_error error;
    char *reply;
    setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1", 1);
    assert_ok(rag_chat_open("openai:m", NULL, &chat, &error), &error);
    const rag_message system = {RAG_SYSTEM, {"x", 1}};
    assert_status(RAG_USAGE, rag_chat_complete(chat, &system, 1, NULL, &reply, &error), &error);
    const rag_message endless = {RAG_USER, {"x", (size_t)CHAT_MAX_MESSAGES + 1}};
    assert_status(RAG_INPUT, rag_chat_complete(chat, &endless, 1, NULL, &reply, &error),
                  &error);
    rag_chat_close(chat);
}

static int start(void **state)
{
    (void)state;
    setenv("OPENAI_API_KEY", key, 1);
    setenv("GEMINI_API_KEY", key, 1);
    setenv("ANTHROPIC_API_KEY", key, 1);
    setenv("RAG_PROVIDERS", "", 1);
    setenv("NO_PROXY", "127.0.0.1", 1);
    setenv("no_proxy", "127.0.0.1", 1);
    const char *argv[] = {python, server_script, key, TEST_DATA "/chat/untrusted.pem", NULL};
    return child_start(&server, argv);
}

static int stop(void **state)
{
    (void)state;
    child_stop(&server);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: test_chat PYTHON FAULT_SERVER\n");
        return 2;
    }
    python = argv[1];
    server_script = argv[2];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies_come_whole_and_streamed),
        cmocka_unit_test(openai_requests_have_the_documented_shape),
        cmocka_unit_test(gemini_requests_have_the_documented_shape),
        cmocka_unit_test(anthropic_requests_have_the_documented_shape),
        cmocka_unit_test(ollama_requests_have_the_documented_shape),
        cmocka_unit_test(streams_may_be_cut_anywhere),
        cmocka_unit_test(pieces_are_whole_characters),
        cmocka_unit_test(unusual_but_whole_replies_are_accepted),
        cmocka_unit_test(a_stream_that_has_ended_need_not_be_closed),
        cmocka_unit_test(an_answer_cut_by_its_limit_is_kept_and_said),
        cmocka_unit_test(a_busy_server_is_asked_again_when_it_said),
        cmocka_unit_test(a_server_that_breaks_before_any_text_is_asked_again),
        cmocka_unit_test(retries_end),
        cmocka_unit_test(what_will_not_pass_is_not_tried_again),
        cmocka_unit_test(nothing_is_tried_again_once_text_was_shown),
        cmocka_unit_test(a_cut_stream_says_so),
        cmocka_unit_test(a_silent_server_is_given_up),
        cmocka_unit_test(the_first_byte_is_the_replys_not_its_headers),
        cmocka_unit_test(a_wait_can_be_interrupted_at_any_time),
        cmocka_unit_test(oversized_replies_are_refused),
        cmocka_unit_test(replies_that_are_none_are_refused),
        cmocka_unit_test(refusals_say_what_to_do),
        cmocka_unit_test(the_key_is_not_repeated),
        cmocka_unit_test(a_redirect_does_not_get_the_key),
        cmocka_unit_test(an_untrusted_server_does_not_get_the_key),
        cmocka_unit_test(a_server_that_does_not_run_is_said_to),
        cmocka_unit_test(a_conversation_needs_a_question),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
