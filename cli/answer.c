/* answer.c - how an answer is shown, as it arrives and when it is whole. */
#include "cli.h"

#include <math.h>
#include <stdio.h>

int answer_print_piece(rag_text piece, void *user)
{
    struct answer_printer *printer = user;
    if (!printer->started)
        progress_finish(&printer->progress);
    printer->started = printer->progress.hidden = true;
    print_safely(stdout, piece, "\n");
    return fflush(stdout) != 0 || interrupt_came();
}

int answer_ask_whether_to_stop(const rag_event *event, void *user)
{
    struct answer_printer *printer = user;
    return progress_event(event, &printer->progress);
}

json_t *json_of_usage(const rag_usage *usage)
{
    return json_pack(
        "{s:I, s:I, s:I, s:b, s:o, s:o, s:o}", "requests", (json_int_t)usage->requests,
        "input_tokens", (json_int_t)usage->input_tokens, "output_tokens",
        (json_int_t)usage->output_tokens, "estimated", usage->estimated, "cost",
        json_number(usage->cost), "first_token_seconds",
        json_number(usage->first_token_seconds), "seconds", json_number(usage->seconds));
}

void print_usage(const rag_usage *usage)
{
    printf("%llu tokens in, %llu out%s", (unsigned long long)usage->input_tokens,
           (unsigned long long)usage->output_tokens, usage->estimated ? " (estimated)" : "");
    if (isnan(usage->cost))
        printf(", price not known");
    else if (usage->cost > 0)
        printf(", about $%.*f", usage->cost < 0.01 ? 6 : 4, usage->cost);
    printf(", %.1f s\n", usage->seconds);
}

static json_t *json_of_citation(const rag_citation *citation, const rag_hits *hits)
{
    const rag_hit *hit = rag_hits_get(hits, citation->hit);
    const rag_chunk *chunk = &hit->chunk;
    return json_pack("{s:I, s:I, s:o, s:o, s:o, s:o, s:o, s:o}", "number",
                     (json_int_t)citation->number, "chunk", (json_int_t)hit->chunk_id,
                     "document", json_string_of(chunk->document), "heading",
                     json_string_of(chunk->heading), "lines",
                     json_range(citation->line, citation->last_line), "bytes",
                     json_range(citation->begin, citation->end), "place",
                     json_string_of(chunk->place), "quote", json_text(citation->quote));
}

static json_t *json_of_statement(const rag_statement *statement, const rag_answer *answer)
{
    size_t begin = (size_t)(statement->text.data - rag_answer_text(answer).data);
    return json_pack("{s:o, s:o, s:s, s:o, s:o}", "text", json_text(statement->text), "bytes",
                     json_range(begin, begin + statement->text.size), "support",
                     rag_support_name(statement->support), "coverage",
                     json_number(statement->coverage), "missing",
                     statement->missing.size ? json_text(statement->missing) : json_null());
}

static rag_status print_whole(const rag_answer *answer, rag_text question, rag_error *error)
{
    const rag_hits *hits = rag_answer_hits(answer);
    json_t *citations = json_array(), *passages = json_array(), *statements = json_array();
    for (size_t i = 0; i < rag_answer_citation_count(answer); i++)
        json_array_append_new(citations,
                              json_of_citation(rag_answer_citation(answer, i), hits));
    for (size_t i = 0; i < rag_answer_statement_count(answer); i++)
        json_array_append_new(statements,
                              json_of_statement(rag_answer_statement(answer, i), answer));
    for (size_t i = 0; i < rag_hits_count(hits); i++)
        json_array_append_new(passages, json_of_hit(rag_hits_get(hits, i)));
    rag_usage usage;
    rag_answer_get_usage(answer, &usage);
    return print_json(json_pack("{s:o, s:o, s:o, s:b, s:o, s:o, s:o, s:I, s:o, s:o, s:o}",
                                "question", json_text(question), "searched",
                                json_text(rag_answer_question(answer)), "answer",
                                json_text(rag_answer_text(answer)), "found",
                                rag_answer_found(answer), "evidence",
                                json_number(rag_answer_evidence(answer)), "llm",
                                json_string_of(rag_answer_llm(answer)), "citations", citations,
                                "dropped", (json_int_t)rag_answer_dropped(answer), "statements",
                                statements, "usage", json_of_usage(&usage), "hits", passages),
                      error);
}

static void print_passages(const rag_hits *hits, const char *title)
{
    puts(title);
    for (size_t i = 0; i < rag_hits_count(hits); i++) {
        const rag_hit *hit = rag_hits_get(hits, i);
        fputs("    ", stdout);
        print_place(&hit->chunk, hit->chunk_id, hit->chunk.line, hit->chunk.last_line);
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
        const rag_hit *hit = rag_hits_get(rag_answer_hits(answer), citation->hit);
        printf("%s[%zu] ", use_colour() ? "\033[1m" : "", citation->number);
        print_place(&hit->chunk, hit->chunk_id, citation->line, citation->last_line);
        if (!quoted)
            print_quote(citation->quote);
    }
    /* A small model may cite nothing: then this is where its answer must come from. */
    if (!rag_answer_found(answer))
        print_passages(rag_answer_hits(answer), "The nearest passages:");
    else if (count == 0)
        print_passages(rag_answer_hits(answer),
                       "The answer cites no passage. It was given these:");
    if (rag_answer_dropped(answer))
        printf("(%zu citations of passages that do not exist were dropped.)\n",
               rag_answer_dropped(answer));
}

/* What the passages do not bear out, as far as that can be told. */
static void print_doubts(const rag_answer *answer)
{
    size_t doubts = 0, uncited = 0;
    for (size_t i = 0; i < rag_answer_statement_count(answer); i++) {
        const rag_statement *statement = rag_answer_statement(answer, i);
        uncited += statement->support == RAG_UNCITED;
        if (statement->support != RAG_UNSUPPORTED && statement->support != RAG_WEAK)
            continue;
        if (!doubts++)
            puts("Not borne out by the passages cited:");
        printf("  %s%s%s ", use_colour() ? "\033[33m" : "",
               statement->support == RAG_WEAK ? "?" : "!", use_colour() ? "\033[0m" : "");
        print_safely(stdout, statement->text, " ");
        if (statement->missing.size) {
            fputs(" (not there: ", stdout);
            print_safely(stdout, statement->missing, " ");
            putchar(')');
        }
        putchar('\n');
    }
    if (uncited && rag_answer_citation_count(answer))
        printf("(%zu sentence%s without a citation.)\n", uncited, uncited == 1 ? "" : "s");
}

static bool is_streamed(const struct settings *settings)
{
    return !settings->no_stream && !settings->json && settings->format == AS_TEXT;
}

rag_status answer_ask(const struct settings *settings, rag_index *index, rag_text question,
                      rag_ask_options *options, rag_answer **answer, rag_error *error)
{
    struct answer_printer printer = {0};
    progress_start(&printer.progress, settings);
    options->search = search_options(settings, &printer.progress);
    options->context_tokens = settings->context;
    options->min_evidence = settings->min_evidence;
    options->chat.on_text = is_streamed(settings) ? answer_print_piece : NULL;
    options->chat.on_event = answer_ask_whether_to_stop;
    options->chat.user = &printer;
    rag_status status = rag_ask(index, question, options, answer, error);
    progress_finish(&printer.progress);
    if (status && printer.started)
        putchar('\n');
    rag_error unwritten;
    if (status == RAG_INTERRUPTED && flush_output(&unwritten)) { /* print_piece stopped it */
        *error = unwritten;
        status = unwritten.status;
    }
    return status;
}

static rag_status print_rendered(const rag_answer *answer, rag_format format, rag_error *error)
{
    char *text;
    rag_status status = rag_answer_render(answer, format, &text, error);
    if (status)
        return status;
    fputs(text, stdout);
    rag_free(text);
    return flush_output(error);
}

rag_status answer_print(const struct settings *settings, rag_text question,
                        const rag_answer *answer, rag_error *error)
{
    if (settings->json)
        return print_whole(answer, question, error);
    if (settings->format == AS_MARKDOWN)
        return print_rendered(answer, RAG_FORMAT_MARKDOWN, error);
    if (settings->format == AS_HTML)
        return print_rendered(answer, RAG_FORMAT_HTML, error);
    if (!is_streamed(settings))
        print_safely(stdout, rag_answer_text(answer), "\n");
    print_sources(answer);
    print_doubts(answer);
    return RAG_OK;
}
