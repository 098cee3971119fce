/* The weights of tokens as a leg of hybrid search: what hits say of it is what the model gives,
 * and it follows the documents. */
#include "pipeline/fixture.h"

#include <math.h>
#include <stdlib.h>

static rag_error error;

static const char *const texts[] = {
    "the small river reads the stone", "a river and a question",  "河流 注意力 机制 检索 文档",
    "naïve café of the morning",       "a child writes a letter",
};
enum { TEXTS = sizeof texts / sizeof *texts };

static rag_index *open_texts(const char *model)
{
    char name[32];
    rag_index_options options = index_options(model);
    options.reranker = "none";
    for (unsigned i = 0; i < TEXTS; i++) {
        snprintf(name, sizeof name, "docs/%u.txt", i);
        write_text(name, texts[i]);
    }
    rag_index *index = open_index("x.rag", &options);
    add_path(index, "docs");
    return index;
}

static rag_hits *search(rag_index *index, const char *question, rag_mode mode)
{
    rag_hits *hits;
    rag_search_options options = RAG_SEARCH_OPTIONS_INIT;
    options.mode = mode;
    assert_ok(rag_search(index, text_of(question), &options, &hits, &error), &error);
    return hits;
}

/* The sum of the products of the weights that two texts share. */
static double shared_weight(rag_model *model, const char *question, rag_text passage)
{
    rag_embed_options options = RAG_EMBED_OPTIONS_INIT;
    rag_embeddings *made[2];
    const rag_text both[] = {text_of(question), passage};
    options.heads = RAG_SPARSE;
    for (int i = 0; i < 2; i++) {
        options.role = i ? RAG_PASSAGE : RAG_QUERY;
        assert_ok(rag_embed(model, &both[i], 1, &options, &made[i], &error), &error);
    }
    const rag_embedding *a = rag_embeddings_get(made[0], 0),
                        *b = rag_embeddings_get(made[1], 0);
    double sum = 0;
    for (size_t i = 0; i < a->sparse_count; i++)
        for (size_t j = 0; j < b->sparse_count; j++)
            if (a->sparse_ids[i] == b->sparse_ids[j])
                sum += (double)a->sparse_weights[i] * (double)b->sparse_weights[j];
    rag_embeddings_free(made[0]);
    rag_embeddings_free(made[1]);
    return sum;
}

static void check_hits(rag_index *index, const char *question)
{
    rag_model *model = open_model(small_model("bge-m3-like"));
    rag_hits *hits = search(index, question, RAG_HYBRID);
    assert_true(rag_hits_count(hits) >= TEXTS);
    double greatest = 0;
    for (size_t i = 0; i < rag_hits_count(hits); i++) {
        const rag_hit *hit = rag_hits_get(hits, i);
        double expected = shared_weight(model, question, hit->chunk.text);
        assert_true(fabs(hit->sparse - expected) < 1e-5);
        greatest = fmax(greatest, expected);
    }
    assert_true(greatest > 0);
    rag_hits_free(hits);
    rag_model_close(model);
}

static void a_hit_has_the_weight_that_it_shares_with_the_question(void **state)
{
    (void)state;
    rag_index *index = open_texts(small_model("bge-m3-like"));
    for (size_t i = 0; i < TEXTS; i++)
        check_hits(index, texts[i]);
    assert_sound(index);
    rag_index_close(index);
}

static void weights_follow_their_documents(void **state)
{
    (void)state;
    rag_index *index = open_texts(small_model("bge-m3-like"));
    write_text("docs/0.txt", "another river of the morning");
    write_text("docs/copy.txt", texts[1]); /* known: not embedded again */
    write_text("docs/new1.txt", "the letter of a child");
    write_text("docs/new2.txt", "the letter of a child"); /* twice at once */
    rag_add_report report = add_path(index, "docs");
    assert_int_equal(report.chunks_embedded, 2);
    check_hits(index, "the river reads a letter");
    assert_sound(index);
    rag_index_close(index);
}

static void the_other_modes_and_models_know_no_such_leg(void **state)
{
    (void)state;
    static const rag_mode modes[] = {RAG_MODE_DENSE, RAG_MODE_LEXICAL};
    rag_index *index = open_texts(small_model("bge-m3-like"));
    for (size_t i = 0; i < 2; i++) {
        rag_hits *hits = search(index, "the river", modes[i]);
        assert_true(rag_hits_count(hits) > 0);
        assert_true(isnan(rag_hits_get(hits, 0)->sparse));
        rag_hits_free(hits);
    }
    rag_index_close(index);
    assert_int_equal(remove(in_sandbox("x.rag")), 0);
    char plain[4096];
    snprintf(plain, sizeof plain, "%s", make_model("plain", "bge-m3-like", 0, NULL));
    assert_int_equal(remove(in_sandbox("plain/sparse_linear.pt")), 0);
    index = open_texts(plain);
    rag_hits *hits = search(index, "the river", RAG_HYBRID);
    assert_int_equal(rag_hits_count(hits), TEXTS);
    assert_true(isnan(rag_hits_get(hits, 0)->sparse));
    rag_hits_free(hits);
    rag_index_close(index);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SANDBOX(a_hit_has_the_weight_that_it_shares_with_the_question),
        IN_SANDBOX(weights_follow_their_documents),
        IN_SANDBOX(the_other_modes_and_models_know_no_such_leg),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
