/* PYTHON FAULT_SERVER: answers and their citations, with a language model and without. */
#define _XOPEN_SOURCE 700
#include "pipeline/fixture.h"
#include "support/child.h"

#include "base/buf.h"
#include "base/file.h"

#include <math.h>
#include <stdlib.h>

static rag_error error;
static struct child server;
static const char *python, *server_script;

static const char chapters[] =
    "# Rivers\n\nA river is water that reads the stone. It is a large one.\n"
    "The small river\nwrites a letter to the mountain.\n\n"
    "# 水\n\n河流是水。山是石头。向量 检索 文档。\n\n"
    "# Models\n\nThe model answers the question. Tokens are small.\n";

static rag_index *open_chapters(void)
{
    rag_index_options options = index_options(small_model("bge-m3-like"));
    options.max_tokens = 40;
    write_text("docs/a.md", chapters);
    write_text("docs/b.txt", "\n\n\nthe evening of the child\n");
    rag_index *index = open_index("x.rag", &options);
    assert_true(add_path(index, "docs").chunks >= 4);
    return index;
}

static uint32_t line_of(const char *file, uint64_t offset)
{
    uint32_t line = 1;
    for (uint64_t i = 0; i < offset; i++)
        line += file[i] == '\n';
    return line;
}

/* A citation is of a hit, and its quote stands at its place in the file itself. */
static void check_citations(const rag_answer *answer)
{
    const rag_hits *hits = rag_answer_hits(answer);
    assert_null(rag_answer_citation(answer, rag_answer_citation_count(answer)));
    for (size_t i = 0; i < rag_answer_citation_count(answer); i++) {
        const rag_citation *citation = rag_answer_citation(answer, i);
        const rag_hit *hit = rag_hits_get(hits, citation->hit);
        assert_non_null(hit);
        assert_int_equal(citation->number, hit->rank);
        size_t size;
        char *file = read_file(hit->chunk.document, &size);
        assert_true(citation->quote.size > 0 && citation->end <= size);
        assert_int_equal(citation->end - citation->begin, citation->quote.size);
        assert_memory_equal(citation->quote.data, file + citation->begin, citation->quote.size);
        assert_true(citation->begin >= hit->chunk.begin && citation->end <= hit->chunk.end);
        assert_int_equal(citation->line, line_of(file, citation->begin));
        assert_int_equal(citation->last_line, line_of(file, citation->end));
        free(file);
    }
}

static char *copy_text(rag_text text)
{
    char *copy = strndup(text.data, text.size);
    assert_non_null(copy);
    return copy;
}

/* ---- Without a language model ---- */

static void without_a_language_model_passages_are_quoted_word_for_word(void **state)
{
    (void)state;
    rag_index *index = open_chapters();
    static const char *const questions[] = {"small river", "河流是什么？", "child"};
    for (size_t q = 0; q < 3; q++) {
        rag_answer *answer;
        rag_ask_options options = RAG_ASK_OPTIONS_INIT;
        options.llm = "none";
        assert_ok(rag_ask(index, text_of(questions[q]), &options, &answer, &error), &error);
        check_citations(answer);
        assert_string_equal(rag_answer_llm(answer), "");
        assert_int_equal(rag_answer_dropped(answer), 0);
        assert_int_equal(rag_answer_citation_count(answer), 3);
        assert_int_equal(rag_hits_count(rag_answer_hits(answer)), 3);
        /* QUOTE [1], an empty line, QUOTE [2] ... */
        struct buf expected = BUF_INIT(1 << 16);
        for (size_t i = 0; i < 3; i++) {
            rag_text quote = rag_answer_citation(answer, i)->quote;
            assert_true(buf_printf(&expected, "%s%.*s [%zu]", i ? "\n\n" : "", (int)quote.size,
                                   quote.data, i + 1));
        }
        char *text = copy_text(rag_answer_text(answer));
        assert_string_equal(text, expected.data);
        free(text);
        buf_release(&expected);
        rag_answer_free(answer);
    }
    assert_sound(index);
    rag_index_close(index);
}

static void the_variable_is_asked_for_a_language_model(void **state)
{
    (void)state;
    rag_index *index = open_chapters();
    rag_answer *answer;
    unsetenv("RAG_LLM");
    assert_ok(rag_ask(index, text_of("river"), NULL, &answer, &error), &error);
    assert_string_equal(rag_answer_llm(answer), "");
    rag_answer_free(answer);
    setenv("RAG_LLM", "nobody:x", 1);
    assert_status(RAG_USAGE, rag_ask(index, text_of("river"), NULL, &answer, &error), &error);
    assert_null(answer);
    assert_says(&error, "nobody");
    unsetenv("RAG_LLM");
    rag_index_close(index);
}

static void the_best_passages_that_fit_are_given(void **state)
{
    (void)state;
    rag_index *index = open_chapters();
    size_t before = 0;
    for (size_t tokens = 1; tokens < 100; tokens += 14) {
        rag_answer *answer;
        rag_ask_options options = RAG_ASK_OPTIONS_INIT;
        options.llm = "none";
        options.context_tokens = tokens;
        assert_ok(rag_ask(index, text_of("river"), &options, &answer, &error), &error);
        const rag_hits *hits = rag_answer_hits(answer);
        size_t count = rag_hits_count(hits), used = 0;
        assert_true(count >= 1 && count >= before);
        for (size_t i = 0; i < count; i++)
            used += rag_hits_get(hits, i)->chunk.tokens;
        assert_true(count == 1 || used <= tokens);
        before = count;
        rag_answer_free(answer);
    }
    assert_int_equal(before, 3);
    rag_index_close(index);
}

static void an_empty_index_has_no_answer(void **state)
{
    (void)state;
    rag_index *index = open_index("x.rag", NULL);
    rag_answer *answer;
    assert_status(RAG_NOT_FOUND, rag_ask(index, text_of("river"), NULL, &answer, &error),
                  &error);
    assert_null(answer);
    rag_index_close(index);
}

/* ---- With one ---- */

struct stream {
    struct buf text;
    size_t pieces, stop_at;
};

static int on_text(rag_text piece, void *user)
{
    struct stream *stream = user;
    assert_true(buf_append(&stream->text, piece.data, piece.size));
    return ++stream->pieces == stream->stop_at;
}

static rag_ask_options ask_options(const char *scenario)
{
    char url[128];
    snprintf(url, sizeof url, "http://127.0.0.1:%d/%s/v1", server.port, scenario);
    setenv("OPENAI_BASE_URL", url, 1);
    rag_ask_options options = RAG_ASK_OPTIONS_INIT;
    options.llm = "openai:test";
    options.chat.retries = 0;
    return options;
}

static void markers_of_an_answer_are_citations_and_invented_ones_are_dropped(void **state)
{
    (void)state;
    static const char expected[] = "One claim [1]. 二[2]. `code[1]` And a third one [1].";
    rag_index *index = open_chapters();
    for (size_t streamed = 0; streamed < 2; streamed++) {
        rag_answer *answer;
        struct stream stream = {.text = BUF_INIT(1 << 16)};
        rag_ask_options options = ask_options("citing");
        options.chat.on_text = streamed ? on_text : NULL;
        options.chat.user = &stream;
        assert_ok(rag_ask(index, text_of("small river"), &options, &answer, &error), &error);
        char *text = copy_text(rag_answer_text(answer));
        assert_string_equal(text, expected);
        if (streamed) {
            assert_string_equal(stream.text.data, expected);
            assert_true(stream.pieces > 10);
        }
        assert_string_equal(rag_answer_llm(answer), "openai:test");
        assert_int_equal(rag_answer_dropped(answer), 2);
        assert_true(rag_hits_count(rag_answer_hits(answer)) >= 4);
        assert_true(rag_answer_citation_count(answer) >= 2);
        assert_int_equal(rag_answer_citation(answer, 0)->number, 1);
        assert_int_equal(rag_answer_citation(answer, 1)->number, 2);
        check_citations(answer);
        free(text);
        buf_release(&stream.text);
        rag_answer_free(answer);
    }
    assert_sound(index);
    rag_index_close(index);
}

static void the_model_is_given_the_passages_with_their_numbers(void **state)
{
    (void)state;
    rag_index *index = open_chapters();
    rag_answer *answer;
    rag_ask_options options = ask_options("request");
    assert_ok(rag_ask(index, text_of("small river"), &options, &answer, &error), &error);
    char *text = copy_text(rag_answer_text(answer)); /* the request as JSON */
    const rag_hits *hits = rag_answer_hits(answer);
    for (size_t i = 0; i < rag_hits_count(hits); i++) {
        char words[64];
        snprintf(words, sizeof words, "<passage %zu>", i + 1);
        assert_non_null(strstr(text, words));
        assert_non_null(strstr(text, path_name(rag_hits_get(hits, i)->chunk.document)));
    }
    assert_non_null(strstr(text, "Question: small river"));
    free(text);
    rag_answer_free(answer);
    rag_index_close(index);
}

static void a_reader_who_stops_an_answer_is_heeded(void **state)
{
    (void)state;
    rag_index *index = open_chapters();
    rag_answer *answer;
    struct stream stream = {.text = BUF_INIT(1 << 16), .stop_at = 3};
    rag_ask_options options = ask_options("citing");
    options.chat.on_text = on_text;
    options.chat.user = &stream;
    assert_status(RAG_INTERRUPTED,
                  rag_ask(index, text_of("small river"), &options, &answer, &error), &error);
    assert_null(answer);
    assert_int_equal(stream.pieces, 3);
    buf_release(&stream.text);
    rag_index_close(index);
}

static rag_message message_of(rag_chat_role role, const char *text)
{
    return (rag_message){role, text_of(text)};
}

static void a_follow_up_is_searched_for_as_the_model_rewrites_it(void **state)
{
    (void)state;
    const rag_message history[] = {message_of(RAG_USER, "What writes?"),
                                   message_of(RAG_ASSISTANT, "The small river [1].")};
    rag_index *index = open_chapters();
    rag_answer *answer;
    rag_usage usage;
    rag_ask_options options = ask_options("citing");
    options.history = history;
    options.history_count = 2;
    assert_ok(rag_ask(index, text_of("and to whom?"), &options, &answer, &error), &error);
    /* What the server says to everything; its second line is the model's talk. */
    char *question = copy_text(rag_answer_question(answer));
    assert_string_equal(question,
                        "One claim [1]. 二【2, 9】. `code[1]` And a third one [77][1].");
    rag_answer_get_usage(answer, &usage);
    assert_int_equal(usage.requests, 2);
    free(question);
    rag_answer_free(answer);
    rag_index_close(index);
}

static void only_turns_that_fit_are_kept_and_the_model_sees_them(void **state)
{
    (void)state;
    const rag_message history[] = {
        message_of(RAG_USER, "an old question that is long enough to be left out here"),
        message_of(RAG_ASSISTANT, "an old answer"),
        message_of(RAG_USER, "What writes?"),
        message_of(RAG_ASSISTANT, "The small river"),
    };
    rag_index *index = open_chapters();
    rag_answer *answer;
    rag_ask_options options = ask_options("request");
    options.history = history;
    options.history_count = 4;
    options.history_tokens =
        12; /* the last two turns, and the old answer without its question */
    assert_ok(rag_ask(index, text_of("to whom?"), &options, &answer, &error), &error);
    char *text = copy_text(rag_answer_text(answer)); /* the request as JSON */
    assert_non_null(strstr(text, "What writes?"));
    assert_non_null(strstr(text, "The small river"));
    assert_null(strstr(text, "an old"));
    free(text);
    rag_answer_free(answer);
    rag_index_close(index);
}

static void a_history_of_other_roles_is_refused(void **state)
{
    (void)state;
    const rag_message history[] = {message_of(RAG_SYSTEM, "Obey.")};
    rag_index *index = open_chapters();
    rag_answer *answer;
    rag_ask_options options = RAG_ASK_OPTIONS_INIT;
    options.llm = "none";
    options.history = history;
    options.history_count = 1;
    assert_status(RAG_USAGE, rag_ask(index, text_of("x"), &options, &answer, &error), &error);
    assert_says(&error, "turn 1");
    rag_index_close(index);
}

static void an_uncalibrated_model_always_answers(void **state)
{
    (void)state;
    rag_index *index = open_chapters();
    rag_answer *answer;
    rag_ask_options options = RAG_ASK_OPTIONS_INIT;
    options.llm = "none";
    options.min_evidence = 1;
    assert_ok(rag_ask(index, text_of("zebra"), &options, &answer, &error), &error);
    assert_true(isnan(rag_answer_evidence(answer)));
    assert_true(rag_answer_found(answer));
    rag_answer_free(answer);
    options.min_evidence = 1.5;
    assert_status(RAG_USAGE, rag_ask(index, text_of("x"), &options, &answer, &error), &error);
    rag_index_close(index);
}

static void what_the_server_refuses_is_the_status_of_the_answer(void **state)
{
    (void)state;
    static const struct {
        const char *scenario, *words;
        rag_status status;
    } cases[] = {
        {"busy_on", "slow down", RAG_NETWORK_LIMIT},
        {"no_model", "there is no such model", RAG_MODEL_MISSING},
        {"cut", "", RAG_NETWORK},
    };
    rag_index *index = open_chapters();
    for (size_t i = 0; i < 3; i++) {
        rag_answer *answer;
        rag_ask_options options = ask_options(cases[i].scenario);
        assert_status(cases[i].status,
                      rag_ask(index, text_of("river"), &options, &answer, &error), &error);
        assert_null(answer);
        assert_says(&error, cases[i].words);
    }
    rag_index_close(index);
}

static int start_server(void **state)
{
    (void)state;
    setenv("OPENAI_API_KEY", "sk-test-0123456789", 1);
    return child_start(&server,
                       (const char *const[]){python, server_script, "sk-test-0123456789",
                                             TEST_DATA "/chat/untrusted.pem", NULL});
}

static int stop_server(void **state)
{
    (void)state;
    child_stop(&server);
    return 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        IN_SANDBOX(without_a_language_model_passages_are_quoted_word_for_word),
        IN_SANDBOX(the_variable_is_asked_for_a_language_model),
        IN_SANDBOX(the_best_passages_that_fit_are_given),
        IN_SANDBOX(an_empty_index_has_no_answer),
        IN_SANDBOX(markers_of_an_answer_are_citations_and_invented_ones_are_dropped),
        IN_SANDBOX(the_model_is_given_the_passages_with_their_numbers),
        IN_SANDBOX(a_reader_who_stops_an_answer_is_heeded),
        IN_SANDBOX(a_follow_up_is_searched_for_as_the_model_rewrites_it),
        IN_SANDBOX(only_turns_that_fit_are_kept_and_the_model_sees_them),
        IN_SANDBOX(a_history_of_other_roles_is_refused),
        IN_SANDBOX(an_uncalibrated_model_always_answers),
        IN_SANDBOX(what_the_server_refuses_is_the_status_of_the_answer),
    };
    if (argc != 3)
        return 2;
    python = argv[1];
    server_script = argv[2];
    return cmocka_run_group_tests(tests, start_server, stop_server);
}
