/* rag ask: an answer with citations. */
#include "cli.h"

#include <stdio.h>

static rag_status run(const struct settings *settings, rag_error *error)
{
    rag_index *index;
    rag_answer *answer = NULL;
    rag_text question;
    rag_status status = question_of(settings, &question, error);
    if (!status)
        status = open_index(settings, true, &index, error);
    if (status)
        return status;
    rag_ask_options options = RAG_ASK_OPTIONS_INIT;
    options.llm = settings->llm;
    status = answer_ask(settings, index, question, &options, &answer, error);
    if (!status)
        status = answer_print(settings, question, answer, error);
    if (!status && !rag_answer_found(answer)) {
        status = RAG_NOT_FOUND; /* which has been said */
        *error->message = '\0';
    }
    rag_answer_free(answer);
    rag_index_close(index);
    return status;
}

const struct command ask_command = {
    .name = "ask",
    .arguments = "QUESTION",
    .summary = "Answer a question from the documents, with citations",
    .options = "index collection path type since until where model models top-k mode "
               "candidates rerank llm context min-evidence no-stream format "
               "precision threads json quiet",
    .help =
        "With a language model the answer is streamed as it is written; nothing leaves the\n"
        "machine unless --llm or RAG_LLM names one elsewhere. Without one the best passages\n"
        "are quoted. Each [n] is listed below the answer with file, lines and quote.\n\n"
        "What a language model wrote is checked against the passages that it cites: quotes, "
        "numbers, names and words. Sentences that they do not bear out are listed (!), and "
        "those "
        "that they bear out in part (?); in --json each has its \"support\".\n\n"
        "--format html writes a page of its own: its markers lead to the passages, formulas "
        "are "
        "rendered, and it loads nothing from elsewhere.\n\n"
        "rag llm list shows the providers. Where the passages hardly speak for an answer, it "
        "is\n"
        "that the documents do not say, with exit status 1; --min-evidence sets the bar.\n\n"
        "examples:\n"
        "  rag ask \"What is a residual connection?\"\n"
        "  rag ask --llm gemini:gemini-2.5-flash 残差连接是什么？\n"
        "  rag ask --format html \"What is a residual connection?\" > answer.html\n"
        "  OPENAI_BASE_URL=http://localhost:8080/v1 rag ask --llm openai:local \"...\"\n",
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
