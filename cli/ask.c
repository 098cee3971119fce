/* rag ask: an answer with citations. */
#include "cli.h"

#include <stdio.h>

struct printer {
    struct progress *progress;
    bool stream;
    bool started;
};

static int print_piece(rag_text piece, void *user)
{
    struct printer *printer = user;
    if (!printer->started)
        progress_finish(printer->progress);
    printer->started = true;
    print_safely(stdout, piece, "\n");
    return fflush(stdout) != 0;
}

static int ask_whether_to_stop(const rag_event *event, void *user)
{
    struct printer *printer = user;
    return progress_event(event, printer->progress);
}

static json_t *json_of_citation(const rag_citation *citation, const rag_hits *hits)
{
    const rag_chunk *chunk = &rag_hits_get(hits, citation->hit)->chunk;
    return json_pack(
        "{s:I, s:o, s:o, s:o, s:o, s:o}", "number", (json_int_t)citation->number, "document",
        json_string_of(chunk->document), "heading", json_string_of(chunk->heading), "lines",
        json_range(citation->line, citation->last_line), "bytes",
        json_range(citation->begin, citation->end), "quote", json_text(citation->quote));
}

static rag_status print_answer_json(const rag_answer *answer, rag_text question,
                                    rag_error *error)
{
    const rag_hits *hits = rag_answer_hits(answer);
    json_t *citations = json_array(), *passages = json_array();
    for (size_t i = 0; i < rag_answer_citation_count(answer); i++)
        json_array_append_new(citations,
                              json_of_citation(rag_answer_citation(answer, i), hits));
    for (size_t i = 0; i < rag_hits_count(hits); i++)
        json_array_append_new(passages, json_of_hit(rag_hits_get(hits, i)));
    return print_json(json_pack("{s:o, s:o, s:s, s:o, s:I, s:o}", "question",
                                json_text(question), "answer",
                                json_text(rag_answer_text(answer)), "llm",
                                rag_answer_llm(answer), "citations", citations, "dropped",
                                (json_int_t)rag_answer_dropped(answer), "hits", passages),
                      error);
}

/* A small model may cite nothing: then this is where its answer must come from. */
static void print_passages(const rag_hits *hits)
{
    puts("The answer cites no passage. It was given these:");
    for (size_t i = 0; i < rag_hits_count(hits); i++) {
        const rag_chunk *chunk = &rag_hits_get(hits, i)->chunk;
        fputs("    ", stdout);
        print_place(chunk, chunk->line, chunk->last_line);
    }
}

/* The sources that the answer cites, each once per place. */
static void print_sources(const rag_answer *answer)
{
    size_t count = rag_answer_citation_count(answer);
    bool quoted = *rag_answer_llm(answer) == '\0';
    printf("\n\n");
    for (size_t i = 0; i < count; i++) {
        const rag_citation *citation = rag_answer_citation(answer, i);
        const rag_chunk *chunk = &rag_hits_get(rag_answer_hits(answer), citation->hit)->chunk;
        printf("%s[%zu] ", use_colour() ? "\033[1m" : "", citation->number);
        print_place(chunk, citation->line, citation->last_line);
        if (!quoted)
            print_quote(citation->quote);
    }
    if (count == 0)
        print_passages(rag_answer_hits(answer));
    if (rag_answer_dropped(answer))
        printf("(%zu citations of passages that do not exist were dropped.)\n",
               rag_answer_dropped(answer));
}

static rag_status run(const struct settings *settings, rag_error *error)
{
    struct progress progress;
    rag_index *index;
    rag_answer *answer = NULL;
    rag_text question;
    progress_start(&progress, settings);
    rag_status status = question_of(settings, &question, error);
    if (!status)
        status = open_index(settings, true, &index, error);
    if (status)
        return status;
    struct printer printer = {.progress = &progress,
                              .stream = !settings->no_stream && !settings->json};
    rag_ask_options options = RAG_ASK_OPTIONS_INIT;
    options.search = search_options(settings, &progress);
    options.llm = settings->llm;
    options.context_tokens = settings->context;
    options.chat.on_text = printer.stream ? print_piece : NULL;
    options.chat.on_event = ask_whether_to_stop;
    options.chat.user = &printer;
    status = rag_ask(index, question, &options, &answer, error);
    progress_finish(&progress);
    rag_error unwritten;
    if (status == RAG_INTERRUPTED && flush_output(&unwritten)) { /* print_piece stopped it */
        *error = unwritten;
        status = unwritten.status;
    }
    if (!status && settings->json) {
        status = print_answer_json(answer, question, error);
    } else if (!status) {
        if (!printer.stream)
            print_safely(stdout, rag_answer_text(answer), "\n");
        print_sources(answer);
    } else if (printer.started) {
        putchar('\n');
    }
    rag_answer_free(answer);
    rag_index_close(index);
    return status;
}

const struct command ask_command = {
    .name = "ask",
    .arguments = "QUESTION",
    .summary = "Answer a question from the documents, with citations",
    .options = "index model models top-k mode candidates rerank llm context no-stream "
               "precision threads json quiet",
    .help =
        "With a language model the answer is streamed as it is written; nothing leaves the\n"
        "machine unless --llm or RAG_LLM names one elsewhere. Without one the best passages\n"
        "are quoted. Each [n] is listed below the answer with file, lines and quote.\n\n"
        "Providers: openai:MODEL speaks chat completions with OPENAI_API_KEY and\n"
        "OPENAI_BASE_URL (OpenAI, llama-server, Ollama, vLLM, DeepSeek and others);\n"
        "gemini:MODEL with GEMINI_API_KEY and GEMINI_BASE_URL.\n\n"
        "examples:\n"
        "  rag ask \"What is a residual connection?\"\n"
        "  rag ask --llm gemini:gemini-2.5-flash 残差连接是什么？\n"
        "  OPENAI_BASE_URL=http://localhost:8080/v1 rag ask --llm openai:local \"...\"\n",
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
