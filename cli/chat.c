/* rag chat: a conversation on the documents. */
#include "chat_session.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_QUESTION = 1 << 20 };

struct conversation {
    const struct settings *settings;
    rag_index *index;
    rag_chat *chat; /* NULL: passages are quoted */
    struct line_editor *editor;
    struct chat_session session;
    bool interactive; /* a person sits before it */
};

static void tell(const rag_error *error)
{
    if (!*error->message)
        return;
    fputs(error->status == RAG_NOT_FOUND ? "" : "rag: ", stderr);
    print_safely(stderr, (rag_text){error->message, strlen(error->message)}, " ");
    putc('\n', stderr);
}

/* ---- Commands ---- */

static const rag_answer *last_answer(const struct conversation *talk)
{
    const struct turn *turn = chat_session_last(&talk->session);
    if (turn)
        return turn->answer;
    puts("There is no answer yet.");
    return NULL;
}

static void show_sources(const struct conversation *talk)
{
    const rag_answer *answer = last_answer(talk);
    const rag_hits *hits = answer ? rag_answer_hits(answer) : NULL;
    for (size_t i = 0; answer && i < rag_hits_count(hits); i++) {
        const rag_hit *hit = rag_hits_get(hits, i);
        printf("%s[%zu] ", use_colour() ? "\033[1m" : "", hit->rank);
        print_place(&hit->chunk, hit->chunk_id, hit->chunk.line, hit->chunk.last_line);
        print_quote(hit->chunk.text);
    }
}

static void show_question(const struct conversation *talk)
{
    const rag_answer *answer = last_answer(talk);
    if (!answer)
        return;
    fputs("Searched for: ", stdout);
    print_safely(stdout, rag_answer_question(answer), " ");
    putchar('\n');
}

static void show_usage(const struct conversation *talk)
{
    rag_usage usage;
    if (!talk->chat) {
        puts("There is no language model: passages are quoted.");
        return;
    }
    rag_chat_get_usage(talk->chat, NULL, &usage);
    print_usage(&usage);
}

static void save(const struct conversation *talk, const char *path)
{
    rag_error error;
    size_t count = talk->session.count;
    if (!*path) {
        puts("Give a file: /save FILE");
    } else if (chat_session_save(&talk->session, path, &error)) {
        tell(&error);
    } else {
        printf("%zu turn%s saved in ", count, count == 1 ? "" : "s");
        print_safely(stdout, (rag_text){path, strlen(path)}, " ");
        puts(".");
    }
}

static void show_help(void)
{
    puts("Ask a question. A line that ends in \\ goes on in the next; so does what stands "
         "between\ntwo lines of \"\"\". Ctrl-C stops an answer, Ctrl-D ends.\n"
         "  /sources     the passages of the last answer\n"
         "  /question    the question that was searched for\n"
         "  /save FILE   the conversation as Markdown\n"
         "  /usage       tokens and cost so far\n"
         "  /reset       forget the conversation\n"
         "  /quit");
}

static void refuse_slash(const char *line)
{
    fputs("There is no command ", stdout);
    print_safely(stdout, (rag_text){line, strcspn(line, " \n")}, "");
    puts("; /help lists them.");
}

/* False: the conversation ends. */
static bool run_slash(struct conversation *talk, const char *line)
{
    if (strcmp(line, "/quit") == 0 || strcmp(line, "/exit") == 0)
        return false;
    if (strcmp(line, "/sources") == 0)
        show_sources(talk);
    else if (strcmp(line, "/question") == 0)
        show_question(talk);
    else if (strcmp(line, "/usage") == 0)
        show_usage(talk);
    else if (strcmp(line, "/reset") == 0)
        chat_session_clear(&talk->session);
    else if (strncmp(line, "/save", 5) == 0 && (line[5] == ' ' || !line[5]))
        save(talk, line + 5 + strspn(line + 5, " "));
    else if (strcmp(line, "/help") == 0)
        show_help();
    else
        refuse_slash(line);
    return true;
}

/* ---- A turn ---- */

/* One object a turn, also where there is no answer. */
static rag_status print_nothing_found(const char *question, rag_error *error)
{
    return print_json(json_pack("{s:o, s:n, s:b, s:[], s:[]}", "question",
                                json_string_of(question), "answer", "found", 0, "citations",
                                "hits"),
                      error);
}

static rag_status show_last(const struct conversation *talk, rag_error *error)
{
    const struct turn *turn = chat_session_last(&talk->session);
    rag_text question = {turn->question, strlen(turn->question)};
    rag_status status = answer_print(talk->settings, question, turn->answer, error);
    if (!talk->settings->json) {
        if (talk->settings->show_question)
            show_question(talk);
        putchar('\n');
    }
    return status;
}

/* Asks, with Ctrl-C as a wish to stop. */
static rag_status ask(struct conversation *talk, const char *question, rag_answer **answer,
                      rag_error *error)
{
    rag_ask_options options = RAG_ASK_OPTIONS_INIT;
    rag_message *history;
    rag_status status = chat_session_history(&talk->session, &history, error);
    if (status)
        return status;
    options.llm = talk->chat ? NULL : "none";
    options.open_chat = talk->chat;
    options.history = history;
    options.history_count = 2 * talk->session.count;
    status = answer_ask(talk->settings, talk->index, (rag_text){question, strlen(question)},
                        &options, answer, error);
    free(history);
    return status;
}

/* *go_on: whether the conversation goes on after what is returned. */
static rag_status take_turn(struct conversation *talk, const char *question, bool *go_on,
                            rag_error *error)
{
    rag_answer *answer = NULL;
    interrupt_catch();
    rag_status status = ask(talk, question, &answer, error);
    int number = interrupt_release(talk->interactive);
    if (!status)
        status = chat_session_remember(&talk->session, question, answer, error);
    if (!status)
        status = show_last(talk, error);
    if (status == RAG_NOT_FOUND && talk->settings->json)
        status = print_nothing_found(question, error);
    rag_error unwritten;
    if (flush_output(&unwritten)) {
        *error = unwritten;
        *go_on = false;
        return unwritten.status;
    }
    if (number == SIGTERM || (number && !talk->interactive)) {
        *go_on = false;
        if (!status)
            *error = (rag_error){RAG_INTERRUPTED, ""};
        return RAG_INTERRUPTED;
    }
    *go_on = !status || status == RAG_NOT_FOUND || talk->interactive;
    return status;
}

/* ---- The loop ---- */

struct question {
    char *text; /* NULL: none */
    size_t size;
};

static rag_status append_line(struct question *question, const char *line, size_t size,
                              rag_error *error)
{
    if (question->size + size + 2 > MAX_QUESTION) {
        error->status = RAG_INPUT;
        snprintf(error->message, sizeof error->message,
                 "the question is too long: at most 1 MiB");
        return RAG_INPUT;
    }
    char *text = realloc(question->text, question->size + size + 2);
    if (!text)
        return out_of_memory(error);
    question->text = text;
    if (question->size)
        text[question->size++] = '\n';
    memcpy(text + question->size, line, size);
    question->size += size;
    text[question->size] = '\0';
    return RAG_OK;
}

/* A question of one line or more; at the end of the input its text is NULL. A program that
 * asks (--json) has one question a line, whatever stands in it. */
static rag_status read_question(struct conversation *talk, struct question *question,
                                rag_error *error)
{
    bool block = false, more = false;
    do {
        const char *line;
        rag_status status = line_editor_read(talk->editor, more, &line, error);
        if (status || !line)
            return status;
        size_t size = strlen(line);
        bool quotes = !talk->settings->json && strcmp(line, "\"\"\"") == 0;
        bool joined = !talk->settings->json && !block && size && line[size - 1] == '\\';
        if (quotes)
            block = !block;
        if (!quotes || !question->text)
            status = append_line(question, line, quotes ? 0 : size - joined, error);
        if (status)
            return status;
        more = block || joined;
    } while (more);
    return RAG_OK;
}

static bool is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n")] == '\0';
}

static rag_status take(struct conversation *talk, const char *text, bool *go_on,
                       rag_error *error)
{
    if (is_blank(text))
        return RAG_OK;
    line_editor_remember(talk->editor, text);
    if (*text != '/' || talk->settings->json)
        return take_turn(talk, text, go_on, error);
    *go_on = run_slash(talk, text);
    if (flush_output(error) == RAG_OK)
        return RAG_OK;
    *go_on = false;
    return error->status;
}

/* What goes wrong in one turn is told; it ends the conversation where nobody sits before it,
 * unless it is that nothing was found. */
static rag_status converse(struct conversation *talk, rag_error *error)
{
    rag_status status = RAG_OK;
    bool go_on = true, at_end = false;
    while (go_on && !at_end) {
        struct question question = {0};
        *error = (rag_error){RAG_OK, ""};
        status = read_question(talk, &question, error);
        at_end = !status && !question.text;
        if (status)
            go_on = talk->interactive;
        else if (!at_end)
            status = take(talk, question.text, &go_on, error);
        free(question.text);
        if (status && go_on)
            tell(error);
    }
    return go_on ? RAG_OK : status;
}

/* The language model, if there is to be one. */
static rag_status open_chat(struct conversation *talk, rag_error *error)
{
    const char *llm = talk->settings->llm ? talk->settings->llm : getenv("RAG_LLM");
    if (!llm || !*llm || strcmp(llm, "none") == 0)
        return RAG_OK;
    return rag_chat_open(llm, NULL, &talk->chat, error);
}

static void greet(const struct conversation *talk)
{
    if (!talk->chat) {
        puts("Without a language model (--llm) the best passages are quoted. /help tells "
             "more.");
        return;
    }
    const rag_chat_info *info = rag_chat_get_info(talk->chat);
    char text[1024];
    int size = snprintf(text, sizeof text, "%s:%s answers from %s. /help tells more.",
                        info->provider, info->model, info->host);
    print_safely(stdout, (rag_text){text, size < 1024 ? (size_t)size : sizeof text - 1}, " ");
    putchar('\n');
}

static rag_status run(const struct settings *settings, rag_error *error)
{
    struct conversation talk = {.settings = settings,
                                .interactive = !settings->json && isatty(STDIN_FILENO) &&
                                               isatty(STDOUT_FILENO)};
    rag_status status = open_index(settings, true, &talk.index, error);
    if (!status)
        status = open_chat(&talk, error);
    if (!status)
        status = line_editor_open(talk.interactive, "> ", ". ", &talk.editor, error);
    if (!status) {
        if (talk.interactive)
            greet(&talk);
        interrupt_release(talk.interactive);
        status = converse(&talk, error);
    }
    line_editor_close(talk.editor);
    chat_session_clear(&talk.session);
    rag_chat_close(talk.chat);
    rag_index_close(talk.index);
    return status;
}

const struct command chat_command = {
    .name = "chat",
    .arguments = "",
    .summary = "Talk with the documents: follow-up questions, sources, history",
    .options = "index collection path type since until where model models top-k mode "
               "candidates rerank llm context min-evidence "
               "show-question no-stream precision threads json quiet",
    .help =
        "A question that follows up on the conversation (\"and in convolutional networks?\") "
        "is\n"
        "rewritten by the language model into one that stands alone, which is searched for;\n"
        "/question shows it. /sources shows the passages, /save FILE keeps the conversation,\n"
        "/help lists the rest. Ctrl-C stops an answer and keeps the session. A line that ends\n"
        "in a backslash goes on in the next, and so does what stands between two lines of\n"
        "\"\"\". What was typed is kept for the next session in rag/history in\n"
        "XDG_STATE_HOME.\n\n"
        "Where standard input is no terminal each line is a question or a command. With\n"
        "--json each line is a question, whatever stands in it, and each answer one object.\n\n"
        "examples:\n"
        "  rag chat --llm gemini:gemini-2.5-flash\n"
        "  rag chat --show-question --llm ollama:qwen3\n"
        "  printf '%s\\n' \"What is attention?\" \"And self-attention?\" | rag chat --json\n",
    .min_arguments = 0,
    .max_arguments = 0,
    .run = run,
};
