/* rag search: the best chunks for a question. */
#include "cli.h"

#include <stdio.h>

static rag_status run(const struct settings *settings, rag_error *error)
{
    struct progress progress;
    rag_index *index;
    rag_hits *hits = NULL;
    rag_text question;
    progress_start(&progress, settings);
    rag_status status = question_of(settings, &question, error);
    if (!status)
        status = open_index(settings, true, &index, error);
    if (status)
        return status;
    rag_search_options options = search_options(settings, &progress);
    status = rag_search(index, question, &options, &hits, error);
    progress_finish(&progress);
    for (size_t i = 0; !status && i < rag_hits_count(hits); i++) {
        if (settings->json)
            status = print_json(json_of_hit(rag_hits_get(hits, i)), error);
        else
            print_hit(rag_hits_get(hits, i));
    }
    if (!status && rag_hits_count(hits) == 0) {
        status = RAG_NOT_FOUND;
        snprintf(error->message, sizeof error->message, "nothing found");
    }
    rag_hits_free(hits);
    rag_index_close(index);
    return status;
}

const struct command search_command = {
    .name = "search",
    .arguments = "QUESTION",
    .summary = "Find the passages that answer a question",
    .options = "index collection path type since until where model models top-k mode "
               "candidates rerank precision threads json quiet",
    .help =
        "With --json each hit is an object {\"rank\", \"score\", \"scores\": {\"dense\", "
        "\"lexical\",\n"
        "\"rerank\", \"sparse\"}, \"document\", \"heading\", \"lines\": [first, last], "
        "\"bytes\":\n"
        "[begin, end], \"place\", \"chunk\", \"collection\", \"metadata\", \"text\"}; a score "
        "is "
        "null where that leg did not\n"
        "see the chunk, and sparse also unless the model is one like bge-m3.\n\n"
        "rag show and rag open take the number of a hit's chunk.\n\n"
        "A \"...\" (or “...”, 「...」) in the question counts as a phrase too, and word* asks "
        "for all\n"
        "words that begin so. With --mode lexical, +\"...\" must be in a passage and -\"...\" "
        "must not.\n\n"
        "examples:\n"
        "  rag search \"How does scaled dot-product attention work?\"\n"
        "  rag search -k 3 --mode lexical DotProductAttention\n"
        "  rag search 'what is \"multi-head attention\"?'\n"
        "  rag search --path 'notes/**/*.md' --since 30d \"open questions\"\n"
        "  rag search --where 'year>=2020' --where tags=physics \"entropy\"\n"
        "  rag search --json 残差连接是什么？ | jq -r .document\n",
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
