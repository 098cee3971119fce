/* E5_FOLDER [VECTORS.jsonl.gz]: the whole chain with the default model, a real one. Vectors
 * of texts agree with the independent implementation's where these are given. */
#include "pipeline/fixture.h"

#include "base/buf.h"

#include <jansson.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

static const char *model_folder, *vectors_file;
static rag_error error;

static bool holds(rag_text text, const char *words)
{
    size_t size = strlen(words);
    for (size_t i = 0; i + size <= text.size; i++)
        if (memcmp(text.data + i, words, size) == 0)
            return true;
    return false;
}

static const char *const documents[][2] = {
    {"bread.md", "# Bread\n\nSourdough is baked at 240 degrees for forty minutes. The dough "
                 "rests overnight in a cool place before that.\n"},
    {"河流.md", "# 河流\n\n这条河全长三百二十公里，发源于北方的雪山，最后流入东海。\n"},
    {"bicycle.txt",
     "Oil the chain of the bicycle every two hundred kilometres, and wipe it dry "
     "before. The tyres want four bars of pressure.\n"},
    {"茶.txt", "绿茶要用八十度的水冲泡，两分钟就够了；红茶则可以用刚烧开的水。\n"},
};

static const struct {
    const char *question, *document, *quoted;
} questions[] = {
    {"How hot must the oven be for bread?", "bread.md", "240 degrees"},
    {"When should I oil a bicycle chain?", "bicycle.txt", "every two hundred kilometres"},
    {"绿茶应该用多热的水？", "茶.txt", "八十度"},
    {"这条河有多长？", "河流.md", "三百二十公里"},
    {"How long is the river?", "河流.md", "三百二十公里"}, /* across languages */
    {"自行车的轮胎要多大的气压？", "bicycle.txt", "four bars"},
};

static void questions_in_two_languages_find_their_passage_and_quote_it(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
        char name[64];
        snprintf(name, sizeof name, "docs/%s", documents[i][0]);
        write_text(name, documents[i][1]);
    }
    rag_index_options options = index_options(model_folder);
    rag_index *index = open_index("x.rag", &options);
    assert_int_equal(add_path(index, "docs").added, 4);
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++) {
        rag_answer *answer;
        rag_ask_options ask = RAG_ASK_OPTIONS_INIT;
        ask.llm = "none";
        assert_ok(rag_ask(index, text_of(questions[i].question), &ask, &answer, &error),
                  &error);
        const rag_citation *first = rag_answer_citation(answer, 0);
        const rag_hit *hit = rag_hits_get(rag_answer_hits(answer), first->hit);
        if (!strstr(hit->chunk.document, questions[i].document))
            fail_msg("\"%s\" found %s", questions[i].question, hit->chunk.document);
        assert_true(holds(first->quote, questions[i].quoted));
        rag_answer_free(answer);
    }
    assert_sound(index);
    rag_index_close(index);
}

static void a_text_is_read_to_its_end_however_long(void **state)
{
    (void)state;
    struct buf text = BUF_INIT(1 << 20);
    for (size_t i = 0; i < 200; i++)
        assert_true(buf_append_text(&text, "Nothing of this matters. "));
    rag_model *model = open_model(model_folder);
    rag_text texts[2] = {{text.data, text.size}};
    struct buf other = BUF_INIT(1 << 20);
    assert_true(buf_append(&other, text.data, text.size) &&
                buf_append_text(&other, "Green tea wants water of eighty degrees."));
    texts[1] = (rag_text){other.data, other.size};
    rag_embeddings *got;
    assert_ok(rag_embed(model, texts, 2, NULL, &got, &error), &error);
    const rag_embedding *a = rag_embeddings_get(got, 0), *b = rag_embeddings_get(got, 1);
    assert_true(a->windows >= 2 && a->tokens == a->windows * 512);
    double cosine = 0;
    for (size_t i = 0; i < a->dimension; i++)
        cosine += (double)a->dense[i] * (double)b->dense[i];
    assert_true(cosine < 0.9999 && cosine > 0.8);
    rag_embeddings_free(got);
    rag_model_close(model);
    buf_release(&text);
    buf_release(&other);
}

/* ---- The reference ---- */

enum { LINES = 24, DIMENSION = 384 };

/* Base64 (RFC 4648) of little-endian floats. */
static void decode_floats(const char *text, float out[DIMENSION])
{
    static const char digits[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    unsigned char bytes[DIMENSION * 4 + 3];
    size_t count = 0;
    uint32_t bits = 0;
    for (unsigned have = 0; *text && *text != '='; text++) {
        const char *digit = strchr(digits, *text);
        assert_non_null(digit);
        bits = bits << 6 | (uint32_t)(digit - digits);
        have += 6;
        if (have >= 8) {
            have -= 8;
            assert_true(count < sizeof bytes);
            bytes[count++] = (unsigned char)(bits >> have);
        }
    }
    assert_int_equal(count, DIMENSION * 4);
    memcpy(out, bytes, DIMENSION * 4);
}

static void check_line(rag_model *model, const json_t *line)
{
    const json_t *text = json_object_get(line, "text");
    const char *as = json_string_value(json_object_get(line, "as"));
    rag_text one = {json_string_value(text), json_string_length(text)};
    rag_embed_options options = RAG_EMBED_OPTIONS_INIT;
    options.role = strcmp(as, "query") == 0     ? RAG_QUERY
                   : strcmp(as, "passage") == 0 ? RAG_PASSAGE
                                                : RAG_RAW;
    rag_embeddings *got;
    float expected[DIMENSION];
    assert_ok(rag_embed(model, &one, 1, &options, &got, &error), &error);
    const rag_embedding *item = rag_embeddings_get(got, 0);
    assert_int_equal(item->tokens, json_array_size(json_object_get(line, "ids")));
    decode_floats(json_string_value(json_object_get(line, "f32")), expected);
    double cosine = 0, norm = 0;
    for (size_t i = 0; i < DIMENSION; i++) {
        cosine += (double)item->dense[i] * (double)expected[i];
        norm += (double)expected[i] * (double)expected[i];
    }
    assert_true(cosine / sqrt(norm) >= 0.99999);
    rag_embeddings_free(got);
}

static void texts_have_the_vectors_of_the_independent_implementation(void **state)
{
    (void)state;
    char command[4200], *line = NULL;
    size_t capacity = 0, checked = 0, seen = 0;
    rag_model *model = open_model(model_folder);
    snprintf(command, sizeof command, "gzip -dc '%s'", vectors_file);
    FILE *lines = popen(command, "r");
    assert_non_null(lines);
    while (getline(&line, &capacity, lines) > 0) {
        /* Spread over the file; texts that are longer than the model takes are cut by the
         * reference and not by us. */
        json_t *json = seen++ % 8 ? NULL : json_loads(line, JSON_ALLOW_NUL, NULL);
        if (json && checked < LINES && json_array_size(json_object_get(json, "ids")) < 400) {
            check_line(model, json);
            checked++;
        }
        json_decref(json);
    }
    pclose(lines);
    free(line);
    assert_true(checked >= LINES / 2);
    rag_model_close(model);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest always[] = {
        IN_SANDBOX(questions_in_two_languages_find_their_passage_and_quote_it),
        cmocka_unit_test(a_text_is_read_to_its_end_however_long),
    };
    const struct CMUnitTest with_vectors[] = {
        cmocka_unit_test(texts_have_the_vectors_of_the_independent_implementation),
    };
    if (argc != 2 && argc != 3)
        return 2;
    model_folder = argv[1];
    int failed = cmocka_run_group_tests(always, NULL, NULL);
    if (argc == 3) {
        vectors_file = argv[2];
        failed += cmocka_run_group_tests(with_vectors, NULL, NULL);
    }
    return failed;
}
