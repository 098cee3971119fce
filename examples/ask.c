/* ask.c - an index and an answer with the public interface of librag.
 *
 *   cc ask.c $(pkg-config --cflags --libs rag) -o ask
 *   ./ask notes/ "What did we decide about the deadline?"
 */
#include <rag.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    rag_error error = {RAG_OK, ""};
    rag_index *index = NULL;
    rag_answer *answer = NULL;
    if (argc != 3) {
        fprintf(stderr, "usage: ask FOLDER QUESTION\n");
        return 2;
    }
    rag_text question = {argv[2], strlen(argv[2])};
    const char *paths[] = {argv[1]};

    rag_status status = rag_index_open("ask.rag", NULL, &index, &error);
    if (!status)
        status = rag_index_add(index, paths, 1, NULL, NULL, &error);
    if (!status)
        status = rag_ask(index, question, NULL, &answer, &error);
    if (status)
        fprintf(stderr, "ask: %s\n", error.message);
    else
        printf("%s\n\n", rag_answer_text(answer).data);
    for (size_t i = 0; !status && i < rag_answer_citation_count(answer); i++) {
        const rag_citation *citation = rag_answer_citation(answer, i);
        const rag_hit *hit = rag_hits_get(rag_answer_hits(answer), citation->hit);
        printf("[%zu] %s, line %u\n", citation->number, hit->chunk.document, citation->line);
    }
    rag_answer_free(answer);
    rag_index_close(index);
    return rag_status_exit(status);
}
