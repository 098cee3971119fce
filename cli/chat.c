/* rag chat: a conversation on the documents. */
#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_QUESTION = 1 << 20 };

struct turn {
    char *question;
    rag_answer *answer;
};

struct session {
    const struct settings *settings;
    rag_index *index;
    rag_chat *chat; /* NULL: passages are quoted */
    struct line_editor *editor;
    struct turn *turns;
    size_t count, capacity;
    bool interactive;
};

static void forget(struct session *session)
{
    for (size_t i = 0; i < session->count; i++) {
        free(session->turns[i].question);
        rag_answer_free(session->turns[i].answer);
    }
    session->count = 0;
}

static rag_status no_memory(rag_error *error)
{
    error->status = RAG_MEMORY;
    snprintf(error->message, sizeof error->message, "out of memory");
    return RAG_MEMORY;
}

/* ---- Commands ---- */

static const rag_answer *last_answer(const struct session *session)
{
    if (session->count)
        return session->turns[session->count - 1].answer;
    puts("There is no answer yet.");
    return NULL;
}

static void show_sources(const struct session *session)
{
    const rag_answer *answer = last_answer(session);
    const rag_hits *hits = answer ? rag_answer_hits(answer) : NULL;
    for (size_t i = 0; answer && i < rag_hits_count(hits); i++) {
        const rag_hit *hit = rag_hits_get(hits, i);
        printf("[%zu] ", hit->rank);
        print_place(&hit->chunk, hit->chunk.line, hit->chunk.last_line);
        print_quote(hit->chunk.text);
    }
}

static void show_question(const struct session *session)
{
    const rag_answer *answer = last_answer(session);
    if (!answer)
        return;
    fputs("Searched for: ", stdout);
    print_safely(stdout, rag_answer_question(answer), " ");
    putchar('\n');
}

static void show_usage(const struct session *session)
{
    rag_usage usage;
    if (!session->chat) {
        puts("There is no language model: passages are quoted.");
        return;
    }
    rag_chat_get_usage(session->chat, NULL, &usage);
    print_usage(&usage);
}

static void write_turn(FILE *file, const struct turn *turn)
{
    rag_text text = rag_answer_text(turn->answer);
    const rag_hits *hits = rag_answer_hits(turn->answer);
    fprintf(file, "## %s\n\n%.*s\n\n", turn->question, (int)text.size, text.data);
    for (size_t i = 0; i < rag_answer_citation_count(turn->answer); i++) {
        const rag_citation *citation = rag_answer_citation(turn->answer, i);
        const rag_chunk *chunk = &rag_hits_get(hits, citation->hit)->chunk;
        fprintf(file, "- [%zu] %s:%u-%u %s\n", citation->number, chunk->document,
                citation->line, citation->last_line, chunk->heading);
    }
    putc('\n', file);
}

static void save(const struct session *session, const char *path)
{
    if (!*path) {
        puts("Give a file: /save FILE");
        return;
    }
    FILE *file = fopen(path, "wx");
    if (!file) {
        perror(path);
        return;
    }
    for (size_t i = 0; i < session->count; i++)
        write_turn(file, &session->turns[i]);
    bool failed = ferror(file);
    if (fclose(file) != 0 || failed)
        perror(path);
    else
        printf("%zu turn%s saved in %s.\n", session->count, session->count == 1 ? "" : "s",
               path);
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

/* False: the session ends. */
static bool run_slash(struct session *session, const char *line)
{
    if (strcmp(line, "/quit") == 0 || strcmp(line, "/exit") == 0)
        return false;
    if (strcmp(line, "/sources") == 0)
        show_sources(session);
    else if (strcmp(line, "/question") == 0)
        show_question(session);
    else if (strcmp(line, "/usage") == 0)
        show_usage(session);
    else if (strcmp(line, "/reset") == 0)
        forget(session);
    else if (strncmp(line, "/save", 5) == 0 && (line[5] == ' ' || !line[5]))
        save(session, line + 5 + strspn(line + 5, " "));
    else
        show_help();
    return true;
}

/* ---- A turn ---- */

/* The conversation so far as messages: [2 x count], borrowed from the turns. */
static rag_message *history_of(const struct session *session)
{
    rag_message *messages = calloc(2 * session->count + 1, sizeof *messages);
    for (size_t i = 0; messages && i < session->count; i++) {
        const struct turn *turn = &session->turns[i];
        messages[2 * i] = (rag_message){RAG_USER, {turn->question, strlen(turn->question)}};
        messages[2 * i + 1] = (rag_message){RAG_ASSISTANT, rag_answer_text(turn->answer)};
    }
    return messages;
}

/* Takes the answer and a copy of the question. */
static bool remember(struct session *session, const char *question, rag_answer *answer)
{
    if (session->count == session->capacity) {
        size_t capacity = session->capacity ? 2 * session->capacity : 16;
        struct turn *turns = realloc(session->turns, capacity * sizeof *turns);
        if (!turns)
            return false;
        session->turns = turns;
        session->capacity = capacity;
    }
    struct turn *turn = &session->turns[session->count];
    turn->answer = answer;
    turn->question = strdup(question);
    session->count += turn->question != NULL;
    return turn->question != NULL;
}

static rag_status show(const struct session *session, const struct turn *turn,
                       const struct answer_printer *printer, rag_error *error)
{
    const struct settings *settings = session->settings;
    rag_text question = {turn->question, strlen(turn->question)};
    if (settings->json)
        return answer_print_json(turn->answer, question, error);
    if (!printer->stream)
        print_safely(stdout, rag_answer_text(turn->answer), "\n");
    answer_print_sources(turn->answer);
    if (settings->show_question)
        show_question(session);
    putchar('\n');
    return flush_output(error);
}

static rag_status ask(struct session *session, const char *question, rag_error *error)
{
    const struct settings *settings = session->settings;
    struct progress progress;
    progress_start(&progress, settings);
    struct answer_printer printer = {.progress = &progress,
                                     .stream = !settings->no_stream && !settings->json};
    rag_ask_options options = RAG_ASK_OPTIONS_INIT;
    rag_answer *answer = NULL;
    rag_message *history = history_of(session);
    if (!history)
        return no_memory(error);
    options.search = search_options(settings, &progress);
    options.llm = session->chat ? NULL : "none";
    options.open_chat = session->chat;
    options.context_tokens = settings->context;
    options.min_evidence = settings->min_evidence;
    options.history = history;
    options.history_count = 2 * session->count;
    options.chat.on_text = printer.stream ? answer_print_piece : NULL;
    options.chat.on_event = answer_ask_whether_to_stop;
    options.chat.user = &printer;
    rag_status status = rag_ask(session->index, (rag_text){question, strlen(question)},
                                &options, &answer, error);
    progress_finish(&progress);
    free(history);
    if (status && printer.started)
        putchar('\n');
    if (!status && !remember(session, question, answer)) {
        rag_answer_free(answer);
        status = no_memory(error);
    }
    return status ? status
                  : show(session, &session->turns[session->count - 1], &printer, error);
}

/* ---- The loop ---- */

/* A question of one line or more, the caller's to free; NULL: the end, or *again: nothing was
 * asked. */
static char *read_question(struct session *session, bool *again)
{
    size_t size = 0;
    char *text = calloc(1, 1);
    bool block = false, more = false;
    *again = false;
    while (text) {
        bool stopped;
        const char *line = line_editor_read(session->editor, more, &stopped);
        *again = stopped;
        if (stopped || (!line && !size)) {
            free(text);
            return NULL;
        }
        if (!line)
            return text;
        bool quotes = strcmp(line, "\"\"\"") == 0;
        if (quotes && block)
            return text;
        block |= quotes;
        size_t length = quotes ? 0 : strlen(line);
        bool joined = !block && length && line[length - 1] == '\\';
        length -= joined;
        if (size + length + 2 > MAX_QUESTION) {
            fputs("rag: that is too long for a question\n", stderr);
            *again = true;
            free(text);
            return NULL;
        }
        char *grown = realloc(text, size + length + 2);
        if (!grown)
            free(text);
        text = grown;
        if (!text)
            return NULL;
        if (size)
            text[size++] = '\n';
        memcpy(text + size, line, length);
        size += length;
        text[size] = '\0';
        more = block || joined;
        if (!more)
            return text;
    }
    return NULL;
}

static bool is_blank(const char *text)
{
    return text[strspn(text, " \t\r\n")] == '\0';
}

/* A failure of one turn is told; the session goes on where a person sits before it. */
static rag_status take(struct session *session, const char *question, bool *go_on,
                       rag_error *error)
{
    rag_text text = {question, strlen(question)};
    rag_status status = RAG_OK;
    if (*question == '/') {
        *go_on = run_slash(session, question);
        return RAG_OK;
    }
    if (is_utf8(text)) {
        status = ask(session, question, error);
    } else {
        status = RAG_INPUT;
        snprintf(error->message, sizeof error->message, "the question is not UTF-8");
    }
    if (!status || !session->interactive)
        return status;
    interrupt_clear();
    if (*error->message) {
        fputs("rag: ", stderr);
        print_safely(stderr, (rag_text){error->message, strlen(error->message)}, " ");
        putc('\n', stderr);
    }
    return RAG_OK;
}

static rag_status talk(struct session *session, rag_error *error)
{
    rag_status status = RAG_OK;
    bool go_on = true;
    while (!status && go_on) {
        bool again;
        char *question = read_question(session, &again);
        if (!question && !again)
            break;
        if (question && !is_blank(question)) {
            line_editor_remember(session->editor, question);
            status = take(session, question, &go_on, error);
        }
        free(question);
    }
    return status;
}

/* The language model, if there is to be one. */
static rag_status open_chat(struct session *session, rag_error *error)
{
    const char *llm = session->settings->llm ? session->settings->llm : getenv("RAG_LLM");
    if (!llm || !*llm || strcmp(llm, "none") == 0)
        return RAG_OK;
    return rag_chat_open(llm, NULL, &session->chat, error);
}

static void greet(const struct session *session)
{
    const rag_chat_info *info = session->chat ? rag_chat_get_info(session->chat) : NULL;
    if (info)
        printf("%s:%s answers from %s. /help tells more.\n", info->provider, info->model,
               info->host);
    else
        puts(
            "Without a language model (--llm) the best passages are quoted. /help tells more.");
}

static rag_status run(const struct settings *settings, rag_error *error)
{
    struct session session = {.settings = settings,
                              .interactive = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO)};
    rag_status status = open_index(settings, true, &session.index, error);
    if (!status)
        status = open_chat(&session, error);
    if (!status)
        status = line_editor_open("> ", ". ", &session.editor, error);
    if (!status) {
        interrupt_catch();
        if (session.interactive)
            greet(&session);
        status = talk(&session, error);
    }
    line_editor_close(session.editor);
    forget(&session);
    free(session.turns);
    rag_chat_close(session.chat);
    rag_index_close(session.index);
    return status;
}

const struct command chat_command = {
    .name = "chat",
    .arguments = "",
    .summary = "Talk with the documents: follow-up questions, sources, history",
    .options = "index model models top-k mode candidates rerank llm context min-evidence "
               "show-question no-stream precision threads json quiet",
    .help =
        "A question that follows up on the conversation (\"and in convolutional networks?\") "
        "is\n"
        "rewritten by the language model into one that stands alone, which is searched for;\n"
        "/question shows it. /sources shows the passages, /save FILE keeps the conversation,\n"
        "/help lists the rest. Ctrl-C stops an answer and keeps the session.\n\n"
        "Where standard input is no terminal each line is a question, and with --json each\n"
        "answer is one object.\n\n"
        "examples:\n"
        "  rag chat --llm gemini:gemini-2.5-flash\n"
        "  rag chat\n"
        "  printf '%s\\n' \"What is attention?\" \"And self-attention?\" | rag chat --json\n",
    .min_arguments = 0,
    .max_arguments = 0,
    .run = run,
};
