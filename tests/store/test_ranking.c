/* The lexical leg's shortcuts change nothing: what is found is what BM25 gives when it is
 * summed over every word of every chunk, here from the texts themselves. */
#include "store/fixture.h"

#include "base/memory.h"
#include "store/sqlite.h"

#include <math.h>
#include <stdlib.h>

enum {
    WORDS = 400, /* "w0" to "w399", the first ones frequent */
    DOCUMENTS = 150,
    CHUNKS = 60, /* of a document, at most */
    MAX_CHUNKS = 3 * DOCUMENTS * CHUNKS,
    MAX_QUESTION = 12,
};

static const double K1 = 0.9, B = 0.75;

struct model_chunk {
    int64_t id;
    unsigned document, length;
    uint16_t counts[WORDS];
    bool live;
};

struct model {
    struct model_chunk *chunks;
    size_t count;
    int64_t last_id;
};

static uint32_t seed = 1;

static unsigned below(unsigned bound)
{
    seed = seed * 1664525u + 1013904223u;
    return (unsigned)((uint64_t)(seed >> 4) * bound >> 28);
}

static unsigned draw_word(void)
{
    return (unsigned)pow(WORDS, below(100000) / 100000.0) - 1;
}

static void forget(struct model *model, unsigned document)
{
    for (size_t i = 0; i < model->count; i++)
        if (model->chunks[i].document == document)
            model->chunks[i].live = false;
}

/* A chunk of `length` words, the last of which is its heading. */
static size_t write_chunk(struct model *model, unsigned document, unsigned length, char *text,
                          char *heading)
{
    size_t size = 0;
    assert_true(model->count < MAX_CHUNKS);
    struct model_chunk *chunk = &model->chunks[model->count++];
    *chunk = (struct model_chunk){
        .id = ++model->last_id, .document = document, .length = length, .live = true};
    for (unsigned i = 0; i < length; i++) {
        unsigned word = draw_word();
        chunk->counts[word]++;
        if (i + 1 == length)
            sprintf(heading, "w%u", word);
        else
            size += (size_t)sprintf(text + size, "w%u ", word);
    }
    return size;
}

static void put(struct fixture *f, struct model *model, unsigned number, unsigned words)
{
    static struct store_chunk chunks[CHUNKS];
    static char headings[CHUNKS][8], text[1 << 20];
    static const float vector[DIMENSION] = {1};
    size_t count = 1 + below(CHUNKS), size = 0;
    char path[16];
    forget(model, number);
    for (size_t i = 0; i < count; i++) {
        size_t begin = size;
        size += write_chunk(model, number, i ? 1 + below(30) : words, text + size, headings[i]);
        chunks[i] = (struct store_chunk){.begin = begin,
                                         .end = size,
                                         .line = 1,
                                         .last_line = 1,
                                         .heading = headings[i],
                                         .vector = vector};
    }
    snprintf(path, sizeof path, "/%u", number);
    struct store_document document = {.path = path, .format = "text", .text = {text, size}};
    assert_ok(store_put(f->store, &document, chunks, count, &f->error), &f->error);
}

static void take_out(struct fixture *f, struct model *model, unsigned number)
{
    char path[16];
    const char *paths[] = {path};
    size_t removed;
    snprintf(path, sizeof path, "/%u", number);
    assert_ok(store_remove(f->store, NULL, paths, 1, &removed, &f->error), &f->error);
    forget(model, number);
}

/* ---- The exhaustive sum ---- */

struct statistics {
    double rows, average, idf[MAX_QUESTION];
};

static struct statistics count_all(const struct model *model, const unsigned *words,
                                   size_t count)
{
    struct statistics s = {0};
    double length = 0, df[MAX_QUESTION] = {0};
    for (size_t i = 0; i < model->count; i++) {
        const struct model_chunk *chunk = &model->chunks[i];
        if (!chunk->live)
            continue;
        s.rows++;
        length += chunk->length;
        for (size_t j = 0; j < count; j++)
            df[j] += chunk->counts[words[j]] > 0;
    }
    s.average = length / s.rows;
    for (size_t j = 0; j < count; j++)
        s.idf[j] = log1p((s.rows - df[j] + 0.5) / (df[j] + 0.5));
    return s;
}

static int better(const void *a, const void *b)
{
    const struct scored *x = a, *y = b;
    if (x->score != y->score)
        return x->score < y->score ? 1 : -1;
    return (x->chunk_id > y->chunk_id) - (x->chunk_id < y->chunk_id);
}

/* The rare words are added first. */
static void sort_words(unsigned *words, double *idf, size_t count)
{
    for (size_t i = 1; i < count; i++)
        for (size_t j = i; j && idf[j] > idf[j - 1]; j--) {
            double value = idf[j];
            unsigned word = words[j];
            idf[j] = idf[j - 1];
            words[j] = words[j - 1];
            idf[j - 1] = value;
            words[j - 1] = word;
        }
}

static size_t rank_all(const struct model *model, unsigned *words, size_t count,
                       const struct id_ranges *within, struct scored *out)
{
    struct statistics s = count_all(model, words, count);
    size_t found = 0;
    sort_words(words, s.idf, count);
    for (size_t i = 0; i < model->count; i++) {
        const struct model_chunk *chunk = &model->chunks[i];
        double score = 0, held = 0, all = 0,
               norm = K1 * (1 - B + B * chunk->length / s.average);
        bool any = false;
        for (size_t j = 0; j < count && chunk->live; j++) {
            unsigned tf = chunk->counts[words[j]];
            any |= tf > 0;
            all += s.idf[j];
            held += tf ? s.idf[j] : 0;
            if (tf)
                score += s.idf[j] * tf * (K1 + 1) / (tf + norm);
        }
        if (any && (!within || id_ranges_have(within, chunk->id)))
            out[found++] = (struct scored){chunk->id, score, held / all};
    }
    qsort(out, found, sizeof *out, better);
    return found;
}

/* Some ranges, narrow ones and wide ones; or NULL. */
static const struct id_ranges *draw_ranges(const struct model *model)
{
    static struct id_range items[200];
    static struct id_ranges ranges;
    int64_t at = 1;
    ranges = (struct id_ranges){.items = items};
    unsigned wanted = below(3) * below(200), width = 1 + below(300);
    while (ranges.count < wanted && at < model->last_id) {
        int64_t first = at + below(200), last = first + below(width);
        items[ranges.count++] = (struct id_range){first, last};
        at = last + 1;
    }
    return below(2) ? &ranges : NULL;
}

static void compare(struct fixture *f, const struct model *model, size_t k)
{
    static struct scored expected[MAX_CHUNKS];
    unsigned words[MAX_QUESTION];
    size_t count = 0, wanted = 1 + below(MAX_QUESTION), size = 0;
    char question[MAX_QUESTION * 8];
    for (size_t i = 0; i < wanted; i++) {
        unsigned word = below(3) ? draw_word() : below(WORDS);
        bool known = false;
        for (size_t j = 0; j < count; j++)
            known |= words[j] == word;
        if (!known)
            words[count++] = word;
        size += (size_t)sprintf(question + size, "w%u ", word);
    }
    const struct id_ranges *within = draw_ranges(model);
    size_t found = rank_all(model, words, count, within, expected);
    struct scored_list list;
    assert_ok(store_search_lexical(f->store, (rag_text){question, size}, k, within, &list, NULL,
                                   &f->error),
              &f->error);
    assert_int_equal(list.count, found < k ? found : k);
    for (size_t i = 0; i < list.count; i++) {
        assert_int_equal(list.items[i].chunk_id, expected[i].chunk_id);
        assert_true(list.items[i].score == expected[i].score);
        assert_true(fabs(list.items[i].share - expected[i].share) < 1e-12);
    }
    scored_list_release(&list);
}

static void compare_many(struct fixture *f, const struct model *model)
{
    static const size_t depths[] = {1, 3, 10, 100, 100000};
    for (unsigned i = 0; i < 40; i++)
        compare(f, model, depths[i % 5]);
}

/* Merges some pages of segments, so that these are left behind in part. */
static void merge_some(struct fixture *f)
{
    assert_int_equal(sqlite3_exec(f->store->db,
                                  "INSERT INTO words(words, rank) VALUES('usermerge', 2);"
                                  "INSERT INTO words(words, rank) VALUES('merge', 2)",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
}

static void what_is_found_is_what_the_whole_sum_gives(void **state)
{
    struct fixture *f = *state;
    struct model model = {.chunks = alloc_zeroed(MAX_CHUNKS, sizeof *model.chunks)};
    assert_non_null(model.chunks);
    assert_ok(store_set_volatile(f->store, &f->error), &f->error);
    for (unsigned i = 0; i < DOCUMENTS; i++)
        put(f, &model, i, 10);
    put(f, &model, DOCUMENTS, 60000); /* one word's positions in it fill several pages */
    compare_many(f, &model);
    for (unsigned i = 0; i < DOCUMENTS; i++) {
        if (below(3) == 0)
            take_out(f, &model, i);
        else if (below(2))
            put(f, &model, i, 1 + below(50));
        if (i % 10 == 0)
            merge_some(f);
        if (i % 10 == 0)
            compare_many(f, &model);
    }
    compare_many(f, &model);
    tamper(f, "PRAGMA user_version"); /* another connection leaves all as it is */
    compare_many(f, &model);
    free(model.chunks);
}

/* ---- What a question asks for besides words ---- */

static void put_texts(struct fixture *f, const char *texts)
{
    assert_ok(put_lines(f->store, "/texts", texts, 1, &f->error), &f->error);
}

/* The ids of what is found, in order, as digits. */
static void assert_found(struct fixture *f, const char *query, const char *expected)
{
    struct scored_list list;
    char ids[16] = "";
    assert_ok(store_search_query(f->store, (rag_text){query, strlen(query)}, 9, NULL, &list,
                                 NULL, &f->error),
              &f->error);
    for (size_t i = 0; i < list.count; i++)
        ids[i] = (char)('0' + list.items[i].chunk_id);
    assert_string_equal(ids, expected);
    scored_list_release(&list);
}

static void the_words_in_a_row_rank_higher(void **state)
{
    struct fixture *f = *state;
    put_texts(f, "mechanism attention\nattention mechanism\nattention of this mechanism\n");
    assert_found(f, "attention mechanism", "123");
    assert_found(f, "\"attention mechanism\"", "213");
}

static void a_chinese_phrase_is_its_characters_in_a_row(void **state)
{
    struct fixture *f = *state;
    put_texts(f, "力意注，注意，意力\n自注意力机制\n注意力\nGPU加速\n加速GPU\n注意 力\n");
    assert_found(f, "+「注意力」", "32");
    assert_found(f, "+\"GPU加速\"", "4");
    assert_found(f, "+\"力\"", "1362");
    assert_found(f, "+\"意力\" -\"注意力\"", "1");
}

static void identifiers_take_one_place_in_a_phrase(void **state)
{
    struct fixture *f = *state;
    put_texts(f, "uses dot_product attention\nuses dot product attention\nnn.Linear layer\n"
                 "nn layer Linear\nthe C++ code\nthe C code\n");
    assert_found(f, "+\"dot_product attention\"", "1");
    assert_found(f, "+\"product attention\"", "12");
    assert_found(f, "+\"nn.Linear\"", "3");
    assert_found(f, "+\"C++\"", "5");
}

static void required_and_excluded_phrases_decide(void **state)
{
    struct fixture *f = *state;
    put_texts(f, "red fish\nblue fish\nred bird\n");
    assert_found(f, "+\"red\" fish", "13");
    assert_found(f, "fish -\"red\"", "2");
    assert_found(f, "-\"red\"", "");
    assert_found(f, "+\"green\" fish", "");
    assert_found(f, "+\"red\" +\"bird\" -\"fish\"", "3");
}

static void a_star_finds_all_that_begin_so(void **state)
{
    struct fixture *f = *state;
    put_texts(f, "attention\nattentive\nattend\nDotProductAttention\nother\n");
    assert_found(f, "attent*", "124");
    assert_found(f, "DotProd* x", "4");
    assert_found(f, "zzz*", "");
}

/* ---- Damage ---- */

static void damaged_pages_are_told(void **state)
{
    struct fixture *f = *state;
    struct model model = {.chunks = alloc_zeroed(MAX_CHUNKS, sizeof *model.chunks)};
    assert_non_null(model.chunks);
    for (unsigned i = 0; i < 5; i++)
        put(f, &model, i, i ? 10 : 20000);
    free(model.chunks);
    size_t failed = 0;
    tamper(f, "CREATE TABLE good AS SELECT * FROM words_data");
    for (unsigned i = 0; i < 60; i++) {
        static const char question[] = "w0 w1 w2 w3 w5 w8 w13 w21 w34 w200 w300 w399";
        struct scored_list list;
        char sql[256];
        unsigned at = below(i % 2 ? 8 : 400);
        snprintf(sql, sizeof sql,
                 "UPDATE words_data SET block=CAST(substr(block, 1, %u) || x'%02x' || "
                 "substr(block, %u) AS BLOB) WHERE id<>%d AND length(block)>%u",
                 at, below(256), at + (below(2) ? 1 : 2), i % 7 ? 10 : 0, at);
        tamper(f, sql);
        rag_status status = store_search_lexical(f->store, (rag_text){question, 44}, 10, NULL,
                                                 &list, NULL, &f->error);
        if (status)
            assert_status(RAG_INDEX, status, &f->error);
        failed += status != RAG_OK;
        scored_list_release(&list);
        tamper(f, "DELETE FROM words_data; INSERT INTO words_data SELECT * FROM good");
    }
    assert_in_range(failed, 10, 59);
    tamper(f, "DROP TABLE good");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_found_is_what_the_whole_sum_gives),
        TEST(the_words_in_a_row_rank_higher),
        TEST(a_chinese_phrase_is_its_characters_in_a_row),
        TEST(identifiers_take_one_place_in_a_phrase),
        TEST(required_and_excluded_phrases_decide),
        TEST(a_star_finds_all_that_begin_so),
        TEST(damaged_pages_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
