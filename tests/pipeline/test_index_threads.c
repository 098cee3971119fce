/* Threads that share an index, and one that works beside them with its own. */
#include "pipeline/fixture.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

enum { SEARCHERS = 2, ROUNDS = 6, TEXTS = 4 };

static const char *const texts[TEXTS] = {
    "the small river reads the stone",
    "a child writes a letter in the evening",
    "河流 注意力 机制 检索 文档",
    "naïve café of the morning",
};

/* A thread's own failure, told to the test when it is over: cmocka's checks belong to the
 * thread that runs the test. */
struct worker {
    rag_index *index;
    char failure[1200];
    char beside[4096]; /* a folder of its own to add and remove */
    char path[4096];   /* of the index that it opens */
    rag_index_options options;
};

static void note(struct worker *worker, const char *what, const rag_error *error)
{
    if (!*worker->failure)
        snprintf(worker->failure, sizeof worker->failure, "%s: %s", what,
                 error ? error->message : "");
}

/* The question is a text of the index: it comes first, with a cosine of 1, whatever else is
 * going on. */
static void search_for(struct worker *worker, rag_index *index, const char *text)
{
    rag_error error;
    rag_hits *hits;
    static const rag_mode modes[] = {RAG_MODE_DENSE, RAG_HYBRID};
    for (size_t m = 0; m < 2; m++) {
        rag_search_options options = RAG_SEARCH_OPTIONS_INIT;
        options.mode = modes[m];
        if (rag_search(index, text_of(text), &options, &hits, &error)) {
            note(worker, "search", &error);
            return;
        }
        const rag_hit *best = rag_hits_get(hits, 0);
        if (!best || best->chunk.text.size != strlen(text) ||
            memcmp(best->chunk.text.data, text, strlen(text)) != 0)
            note(worker, "another text is first", NULL);
        else if (!(best->dense > 0.99999 && best->rerank > 0.9999))
            note(worker, "its scores are not those of the text itself", NULL);
        rag_hits_free(hits);
    }
}

static void *search_shared(void *argument)
{
    struct worker *worker = argument;
    for (size_t i = 0; i < ROUNDS * TEXTS; i++)
        search_for(worker, worker->index, texts[i % TEXTS]);
    return NULL;
}

static void *write_beside(void *argument)
{
    struct worker *worker = argument;
    rag_error error;
    rag_index *index;
    const char *path = worker->beside;
    if (rag_index_open(worker->path, &worker->options, &index, &error)) {
        note(worker, "open", &error);
        return NULL;
    }
    for (size_t i = 0; i < ROUNDS; i++) {
        size_t removed = 0;
        if (rag_index_add(index, &path, 1, NULL, NULL, &error))
            note(worker, "add", &error);
        search_for(worker, index, texts[i % TEXTS]);
        if (rag_index_remove(index, &path, 1, &removed, &error) || removed != 2)
            note(worker, "remove", &error);
    }
    rag_index_close(index);
    return NULL;
}

static void one_index_serves_threads_while_another_handle_writes(void **state)
{
    (void)state;
    char name[32];
    for (unsigned i = 0; i < TEXTS; i++) {
        snprintf(name, sizeof name, "docs/%u.txt", i);
        write_text(name, texts[i]);
    }
    write_text("beside/a.md", "# Answer\n\nthe mountain\n");
    write_text("beside/b.txt", "another question");
    rag_index_options options = index_options(small_model("bge-m3-like"));
    options.models.threads = 1; /* the threads of this test are enough */
    rag_index *index = open_index("x.rag", &options);
    add_path(index, "docs");

    struct worker workers[SEARCHERS + 1] = {0};
    pthread_t threads[SEARCHERS + 1];
    for (size_t i = 0; i <= SEARCHERS; i++) {
        workers[i].index = index;
        workers[i].options = options;
        snprintf(workers[i].beside, sizeof workers[i].beside, "%s", in_sandbox("beside"));
        snprintf(workers[i].path, sizeof workers[i].path, "%s", in_sandbox("x.rag"));
        assert_int_equal(pthread_create(&threads[i], NULL,
                                        i < SEARCHERS ? search_shared : write_beside,
                                        &workers[i]),
                         0);
    }
    for (size_t i = 0; i <= SEARCHERS; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i <= SEARCHERS; i++)
        assert_string_equal(workers[i].failure, "");
    assert_sound(index);
    rag_index_close(index);
}

struct embedder {
    rag_model *model;
    const char *text;
    float vector[32];
    rag_status status;
};

static void *embed_often(void *argument)
{
    struct embedder *embedder = argument;
    rag_text text = text_of(embedder->text);
    for (size_t i = 0; i < ROUNDS && !embedder->status; i++) {
        rag_embeddings *embeddings = NULL;
        embedder->status = rag_embed(embedder->model, &text, 1, NULL, &embeddings, NULL);
        if (!embedder->status)
            memcpy(embedder->vector, rag_embeddings_get(embeddings, 0)->dense,
                   sizeof embedder->vector);
        rag_embeddings_free(embeddings);
    }
    return NULL;
}

static void threads_that_share_a_model_get_the_bits_of_one_alone(void **state)
{
    (void)state;
    rag_error error;
    rag_model *model;
    rag_model_options options = RAG_MODEL_OPTIONS_INIT;
    options.threads = 1;
    assert_ok(rag_model_open(small_model("bge-m3-like"), &options, &model, &error), &error);
    struct embedder alone[TEXTS], together[TEXTS];
    pthread_t threads[TEXTS];
    for (size_t i = 0; i < TEXTS; i++) {
        alone[i] = together[i] = (struct embedder){.model = model, .text = texts[i]};
        embed_often(&alone[i]);
        assert_int_equal(alone[i].status, RAG_OK);
    }
    for (size_t i = 0; i < TEXTS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, embed_often, &together[i]), 0);
    for (size_t i = 0; i < TEXTS; i++)
        pthread_join(threads[i], NULL);
    for (size_t i = 0; i < TEXTS; i++) {
        assert_int_equal(together[i].status, RAG_OK);
        assert_memory_equal(together[i].vector, alone[i].vector, sizeof alone[i].vector);
    }
    rag_model_close(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SANDBOX(one_index_serves_threads_while_another_handle_writes),
        cmocka_unit_test(threads_that_share_a_model_get_the_bits_of_one_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
