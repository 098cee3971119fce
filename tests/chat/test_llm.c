/* PYTHON SERVE_LLM MODEL.gguf: the promises of rag_chat_* against a real language model
 * behind a server that nobody here wrote. */
#define _XOPEN_SOURCE 700
#include "support/child.h"
#include "support/test.h"

#include "base/buf.h"
#include "chat/prompt.h"

#include <stdlib.h>

static struct child server;
static const char *server_argv[4];

struct heard {
    struct buf text;
    size_t pieces, stop_after; /* 0: never */
    bool warned;
};

static int on_text(rag_text piece, void *user)
{
    struct heard *heard = user;
    assert_true(buf_append(&heard->text, piece.data, piece.size));
    return ++heard->pieces == heard->stop_after;
}

static int on_event(const rag_event *event, void *user)
{
    struct heard *heard = user;
    heard->warned |= event->kind == RAG_EVENT_WARNING;
    return 0;
}

static rag_chat *open_chat(void)
{
    rag_chat *chat;
    rag_error error;
    assert_ok(rag_chat_open("openai:smollm2", NULL, &chat, &error), &error);
    return chat;
}

static rag_message user_says(const char *text)
{
    return (rag_message){RAG_USER, {text, strlen(text)}};
}

static void answers_come_whole_and_streamed(void **state)
{
    (void)state;
    const rag_message message = user_says("Repeat this sentence: Paris is in France.");
    struct heard heard = {.text = {.max = 1 << 20}};
    rag_chat_options options = RAG_CHAT_OPTIONS_INIT;
    options.max_tokens = 48;
    options.user = &heard;
    rag_chat *chat = open_chat();
    char *whole, *streamed;
    rag_error error;
    assert_ok(rag_chat_complete(chat, &message, 1, &options, &whole, &error), &error);
    options.on_text = on_text;
    assert_ok(rag_chat_complete(chat, &message, 1, &options, &streamed, &error), &error);
    print_message("%s\n%s\n", whole, streamed);
    assert_non_null(strstr(whole, "Paris"));
    assert_non_null(strstr(streamed, "Paris"));
    assert_string_equal(heard.text.data, streamed);
    assert_true(heard.pieces > 3);
    rag_free(whole);
    rag_free(streamed);
    buf_release(&heard.text);
    rag_chat_close(chat);
}

static void an_answer_comes_from_the_passages(void **state)
{
    (void)state;
    const char *question = "When was the lighthouse of Hare Island built?";
    const char *first = "The lighthouse of Hare Island was built in 1874 by Ada Brook.";
    const char *second = "Hare Island has 31 inhabitants and one shop.";
    const struct prompt_passage passages[] = {
        {1, {"island.md", 9}, {"Buildings", 9}, {first, strlen(first)}},
        {2, {"island.md", 9}, {"People", 6}, {second, strlen(second)}},
    };
    struct prompt prompt;
    rag_message messages[PROMPT_MESSAGES];
    rag_chat_options options = RAG_CHAT_OPTIONS_INIT;
    rag_error error;
    char *reply;
    options.max_tokens = 64;
    assert_ok(
        prompt_build((rag_text){question, strlen(question)}, passages, 2, &prompt, &error),
        &error);
    prompt_messages(&prompt, messages);
    rag_chat *chat = open_chat();
    assert_ok(rag_chat_complete(chat, messages, PROMPT_MESSAGES, &options, &reply, &error),
              &error);
    print_message("%s\n", reply);
    assert_non_null(strstr(reply, "1874"));
    rag_free(reply);
    rag_chat_close(chat);
    prompt_release(&prompt);
}

static void a_limit_of_tokens_is_kept_and_said(void **state)
{
    (void)state;
    const rag_message message = user_says("Count from one to one hundred in words.");
    struct heard heard = {0};
    rag_chat_options options = RAG_CHAT_OPTIONS_INIT;
    rag_error error;
    char *reply;
    options.max_tokens = 5;
    options.on_event = on_event;
    options.user = &heard;
    rag_chat *chat = open_chat();
    assert_ok(rag_chat_complete(chat, &message, 1, &options, &reply, &error), &error);
    assert_true(heard.warned);
    assert_in_range(strlen(reply), 1, 80);
    rag_free(reply);
    rag_chat_close(chat);
}

static void a_conversation_too_long_says_what_to_do(void **state)
{
    (void)state;
    struct buf text = BUF_INIT(1 << 20);
    for (int i = 0; i < 4000; i++)
        assert_true(buf_append_text(&text, "many words "));
    const rag_message message = user_says(text.data);
    rag_error error;
    char *reply;
    rag_chat *chat = open_chat();
    assert_status(RAG_INPUT, rag_chat_complete(chat, &message, 1, NULL, &reply, &error),
                  &error);
    assert_says(&error, "fewer context tokens");
    rag_chat_close(chat);
    buf_release(&text);
}

static void an_interrupted_chat_can_go_on(void **state)
{
    (void)state;
    const rag_message message = user_says("Tell me a long story about the sea.");
    struct heard heard = {.text = {.max = 1 << 20}, .stop_after = 3};
    rag_chat_options options = RAG_CHAT_OPTIONS_INIT;
    rag_error error;
    char *reply;
    options.max_tokens = 500;
    options.on_text = on_text;
    options.user = &heard;
    rag_chat *chat = open_chat();
    assert_status(RAG_INTERRUPTED,
                  rag_chat_complete(chat, &message, 1, &options, &reply, &error), &error);
    assert_null(reply);
    assert_int_equal(heard.pieces, 3);
    options.max_tokens = 8;
    heard.stop_after = 0;
    assert_ok(rag_chat_complete(chat, &message, 1, &options, &reply, &error), &error);
    rag_free(reply);
    rag_chat_close(chat);
    buf_release(&heard.text);
}

static int start(void **state)
{
    (void)state;
    char url[64];
    if (child_start(&server, server_argv))
        return -1;
    snprintf(url, sizeof url, "http://127.0.0.1:%d/v1", server.port);
    setenv("OPENAI_BASE_URL", url, 1);
    unsetenv("OPENAI_API_KEY");
    setenv("NO_PROXY", "127.0.0.1", 1);
    setenv("no_proxy", "127.0.0.1", 1);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    child_stop(&server);
    return 0;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: test_llm PYTHON SERVE_LLM MODEL.gguf\n");
        return 2;
    }
    for (int i = 0; i < 3; i++)
        server_argv[i] = argv[i + 1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_come_whole_and_streamed),
        cmocka_unit_test(an_answer_comes_from_the_passages),
        cmocka_unit_test(a_limit_of_tokens_is_kept_and_said),
        cmocka_unit_test(a_conversation_too_long_says_what_to_do),
        cmocka_unit_test(an_interrupted_chat_can_go_on),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
