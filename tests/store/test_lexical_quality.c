/* The lexical leg finds at least as much as a plain BM25 on the retrieval sets in the folder
 * that is named on the command line (baselines.json there: "bm25_cjk_uni+bigram"). */
#include "store/fixture.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>

static const char *folder;

enum { MAX_LINE = 1 << 20, FOUND = 10 };

static json_t *next_line(FILE *file)
{
    static char line[MAX_LINE];
    if (!fgets(line, sizeof line, file))
        return NULL;
    json_error_t error;
    json_t *json = json_loads(line, 0, &error);
    assert_non_null(json);
    return json;
}

static FILE *open_in(const char *set, const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s/%s", folder, set, name);
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    return file;
}

/* Puts the passages in; *ids gets their chunks' ids, which go from 1 in their order. */
static void put_passages(struct store *store, const char *set, json_t *ids)
{
    FILE *file = open_in(set, "passages.jsonl");
    int count = 0;
    for (json_t *line; (line = next_line(file)); json_decref(line)) {
        const char *text = json_string_value(json_object_get(line, "text"));
        float vector[DIMENSION];
        unit_vector((unsigned)count, vector);
        struct store_chunk chunk = {.end = strlen(text),
                                    .line = 1,
                                    .last_line = 1,
                                    .heading = "",
                                    .hash = text_hash(text, strlen(text)),
                                    .vector = vector};
        struct store_document document = {
            .path = json_string_value(json_object_get(line, "id")),
            .format = "text",
            .hash = chunk.hash,
            .text = {text, strlen(text)},
        };
        rag_error error;
        assert_ok(store_put(store, &document, &chunk, 1, &error), &error);
        assert_int_equal(json_object_set_new(ids, document.path, json_integer(++count)), 0);
    }
    fclose(file);
}

static json_t *read_answers(const char *set)
{
    FILE *file = open_in(set, "qrels.tsv");
    json_t *answers = json_object();
    char query[256], passage[256], grade[32];
    while (fscanf(file, "%255s %255s %31s", query, passage, grade) == 3)
        assert_int_equal(json_object_set_new(answers, query, json_string(passage)), 0);
    fclose(file);
    return answers;
}

struct quality {
    size_t queries;
    double first, ndcg, strength;
};

/* Where `passage` stands behind the `count` that were found, when those without any word of
 * the question follow in their order: so the baselines count them. 0: found already. */
static size_t rank_of_unfound(const struct scored_list *found, int64_t passage)
{
    size_t before = 0;
    for (size_t i = 0; i < found->count; i++) {
        if (found->items[i].chunk_id == passage)
            return 0;
        before += found->items[i].chunk_id < passage;
    }
    return found->count + (size_t)passage - before;
}

/* The rank of the right passage from 1; 0: not among the first ten. */
static size_t rank_of(struct store *store, const char *question, int64_t passage,
                      double *strength)
{
    struct scored_list found;
    rag_error error;
    double ceiling;
    size_t rank = 0;
    assert_ok(store_search_lexical(store, (rag_text){question, strlen(question)}, FOUND, NULL,
                                   &found, &ceiling, &error),
              &error);
    *strength = found.count ? found.items[0].score / ceiling : 0;
    assert_true(*strength >= 0);
    for (size_t i = 0; i < found.count && !rank; i++)
        if (found.items[i].chunk_id == passage)
            rank = i + 1;
    if (!rank && found.count < FOUND)
        rank = rank_of_unfound(&found, passage);
    if (rank > FOUND)
        rank = 0;
    scored_list_release(&found);
    return rank;
}

static struct quality measure(struct store *store, const char *set, json_t *ids)
{
    struct quality quality = {0};
    json_t *answers = read_answers(set);
    FILE *file = open_in(set, "queries.jsonl");
    for (json_t *line; (line = next_line(file)); quality.queries++) {
        const char *id = json_string_value(json_object_get(line, "id"));
        const char *answer = json_string_value(json_object_get(answers, id));
        double strength;
        size_t rank = rank_of(store, json_string_value(json_object_get(line, "text")),
                              json_integer_value(json_object_get(ids, answer)), &strength);
        quality.first += rank == 1;
        quality.ndcg += rank ? 1 / log2((double)rank + 1) : 0;
        quality.strength += strength;
        json_decref(line);
    }
    fclose(file);
    json_decref(answers);
    quality.first /= (double)quality.queries;
    quality.ndcg /= (double)quality.queries;
    quality.strength /= (double)quality.queries;
    return quality;
}

static double baseline(json_t *baselines, const char *set, const char *measure_name)
{
    json_t *bm25 = json_object_get(json_object_get(baselines, set), "bm25_cjk_uni+bigram");
    return json_real_value(json_object_get(bm25, measure_name));
}

static void words_find_what_a_plain_bm25_finds(void **state)
{
    (void)state;
    static const char *const sets[] = {"xquad-zh",    "xquad-en",       "xquad-zh2en",
                                       "xquad-en2zh", "cmrc2018-trial", "drcd-dev"};
    char path[512];
    snprintf(path, sizeof path, "%s/baselines.json", folder);
    json_t *baselines = json_load_file(path, 0, NULL);
    assert_non_null(baselines);
    bool worse = false;
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        void *opened;
        fixture_open(&opened);
        struct fixture *fixture = opened;
        assert_ok(store_set_volatile(fixture->store, &fixture->error), &fixture->error);
        json_t *ids = json_object();
        put_passages(fixture->store, sets[i], ids);
        struct quality quality = measure(fixture->store, sets[i], ids);
        json_decref(ids);
        double first = baseline(baselines, sets[i], "R@1");
        double ndcg = baseline(baselines, sets[i], "nDCG@10");
        print_message("%-15s R@1 %.4f (%.4f)  nDCG@10 %.4f (%.4f)  best/ceiling %.3f\n",
                      sets[i], quality.first, first, quality.ndcg, ndcg, quality.strength);
        worse |= quality.first < first - 0.001 || quality.ndcg < ndcg - 0.001;
        fixture_close(&opened);
    }
    json_decref(baselines);
    assert_false(worse);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        fprintf(stderr, "usage: %s FOLDER_OF_RETRIEVAL_SETS\n", argv[0]);
        return 2;
    }
    folder = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_find_what_a_plain_bm25_finds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
