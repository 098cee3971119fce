/* answer.h - an answer as it is put together: text, citations, hits. */
#ifndef RAG_PIPELINE_ANSWER_H
#define RAG_PIPELINE_ANSWER_H

#include "pipeline/cite.h"
#include "pipeline/search.h"
#include "pipeline/support.h"

struct rag_answer {
    char *text, *llm, *question;
    size_t text_size, question_size, dropped;
    struct marker *markers; /* in the text, in order */
    size_t marker_count, marker_capacity;
    rag_citation *citations;
    size_t citation_count, citation_capacity;
    struct statements statements;
    rag_hits *hits;
    double evidence;
    bool found;
    rag_usage usage;
};

/* Copies a text into *out, NUL-terminated for the debugger's sake alone. */
CHECKED rag_status answer_copy_text(rag_text text, char **out, size_t *size, rag_error *error);

/* Adds a citation of hit `hit`, quoting what bears the statement out. A second one of the
 * same quote is not added. */
CHECKED rag_status answer_cite(rag_answer *answer, size_t hit, rag_text statement,
                               rag_error *error);

/* Checks what a language model wrote against its hits. */
CHECKED rag_status answer_check(rag_answer *answer, rag_error *error);

/* Without a language model the answer is what the best passages say, word for word. */
CHECKED rag_status answer_quote(rag_answer *answer, const rag_chat_options *chat,
                                rag_error *error);

/* That the documents do not answer the question, in the language that its script tells. */
CHECKED rag_status answer_refuse(rag_answer *answer, const rag_chat_options *chat,
                                 rag_error *error);

#endif
