/* chat_session.c - the turns of a conversation, and their transcript. */
#include "chat_session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void forget(struct turn *turn)
{
    free(turn->question);
    rag_answer_free(turn->answer);
}

void chat_session_clear(struct chat_session *session)
{
    for (size_t i = 0; i < session->count; i++)
        forget(&session->turns[i]);
    session->count = 0;
}

rag_status chat_session_remember(struct chat_session *session, const char *question,
                                 rag_answer *answer, rag_error *error)
{
    struct turn turn = {strdup(question), answer};
    if (!turn.question) {
        forget(&turn);
        return out_of_memory(error);
    }
    if (session->count == CHAT_MAX_TURNS) {
        forget(&session->turns[0]);
        session->count--;
        memmove(session->turns, session->turns + 1, session->count * sizeof turn);
    }
    session->turns[session->count++] = turn;
    return RAG_OK;
}

const struct turn *chat_session_last(const struct chat_session *session)
{
    return session->count ? &session->turns[session->count - 1] : NULL;
}

rag_status chat_session_history(const struct chat_session *session, rag_message **out,
                                rag_error *error)
{
    rag_message *messages = calloc(2 * session->count + 1, sizeof *messages);
    *out = messages;
    if (!messages)
        return out_of_memory(error);
    for (size_t i = 0; i < session->count; i++) {
        const struct turn *turn = &session->turns[i];
        messages[2 * i] = (rag_message){RAG_USER, {turn->question, strlen(turn->question)}};
        messages[2 * i + 1] = (rag_message){RAG_ASSISTANT, rag_answer_text(turn->answer)};
    }
    return RAG_OK;
}

static void write_text(FILE *file, const char *text, const char *newline)
{
    print_safely(file, (rag_text){text, strlen(text)}, newline);
}

static void write_source(FILE *file, size_t number, const rag_chunk *chunk, unsigned line,
                         unsigned last_line, rag_text quote)
{
    fprintf(file, "- [%zu] ", number);
    write_text(file, display_path(chunk->document), " ");
    fprintf(file, ":%u", line);
    if (last_line != line)
        fprintf(file, "-%u", last_line);
    fputs(*chunk->heading ? ", " : "", file);
    write_text(file, chunk->heading, " ");
    fputs(quote.size ? "\n\n  > " : "\n", file);
    print_safely(file, quote, "\n  > ");
    fputs(quote.size ? "\n\n" : "", file);
}

/* The sources are those below the answer on the terminal: what it cites, else the passages. */
static void write_turn(FILE *file, const struct turn *turn)
{
    const rag_hits *hits = rag_answer_hits(turn->answer);
    size_t count = rag_answer_citation_count(turn->answer);
    bool quoted = *rag_answer_llm(turn->answer) == '\0';
    fputs("## ", file);
    write_text(file, turn->question, " ");
    fputs("\n\n", file);
    print_safely(file, rag_answer_text(turn->answer), "\n");
    fputs("\n\n", file);
    for (size_t i = 0; i < count; i++) {
        const rag_citation *citation = rag_answer_citation(turn->answer, i);
        write_source(file, citation->number, &rag_hits_get(hits, citation->hit)->chunk,
                     citation->line, citation->last_line,
                     quoted ? (rag_text){NULL, 0} : citation->quote);
    }
    if (count == 0)
        fputs(rag_answer_found(turn->answer) ? "It was given these passages:\n\n"
                                             : "The nearest passages:\n\n",
              file);
    for (size_t i = 0; count == 0 && i < rag_hits_count(hits); i++) {
        const rag_hit *hit = rag_hits_get(hits, i);
        write_source(file, hit->rank, &hit->chunk, hit->chunk.line, hit->chunk.last_line,
                     (rag_text){NULL, 0});
    }
    putc('\n', file);
}

static rag_status fail(const char *path, rag_error *error)
{
    error->status = RAG_INPUT;
    snprintf(error->message, sizeof error->message, "%s: %s", path,
             errno ? strerror(errno) : "not everything could be written");
    return RAG_INPUT;
}

rag_status chat_session_save(const struct chat_session *session, const char *path,
                             rag_error *error)
{
    FILE *file = fopen(path, "wx");
    if (!file)
        return fail(path, error);
    for (size_t i = 0; i < session->count; i++)
        write_turn(file, &session->turns[i]);
    errno = 0;
    bool failed = fflush(file) != 0 || ferror(file);
    rag_status status = failed ? fail(path, error) : RAG_OK;
    if (fclose(file) != 0 && !status)
        status = fail(path, error);
    return status;
}
