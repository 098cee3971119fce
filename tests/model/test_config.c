/* The promises of config.h: known models are what their cards say, others what their files
 * say, and a file that asks for nonsense is named. The config files are those of the hub,
 * reduced to the fields that are read. */
#include "support/test.h"

#include "model/config.h"
#include "model/files.h"

#include <stdlib.h>

#define SHAPE(hidden, layers, heads, inner, vocabulary, positions)                             \
    "\"hidden_size\": " #hidden ", \"num_hidden_layers\": " #layers                            \
    ", \"num_attention_heads\": " #heads ", \"intermediate_size\": " #inner                    \
    ", \"vocab_size\": " #vocabulary ", \"max_position_embeddings\": " #positions

#define BERT                                                                                   \
    "{\"architectures\": [\"BertModel\"], \"model_type\": \"bert\", \"hidden_act\": \"gelu\"," \
    " \"layer_norm_eps\": 1e-12, \"type_vocab_size\": 2, \"pad_token_id\": 0,"
#define XLMR                                                                                   \
    "{\"architectures\": [\"XLMRobertaModel\"], \"model_type\": \"xlm-roberta\","              \
    " \"hidden_act\": \"gelu\", \"layer_norm_eps\": 1e-05, \"type_vocab_size\": 1,"            \
    " \"pad_token_id\": 1, "
#define RERANKER                                                                               \
    "{\"architectures\": [\"XLMRobertaForSequenceClassification\"],"                           \
    " \"model_type\": \"xlm-roberta\", \"hidden_act\": \"gelu\", \"layer_norm_eps\": 1e-05,"   \
    " \"id2label\": {\"0\": \"LABEL_0\"}, \"pad_token_id\": 1, \"type_vocab_size\": 1, "

#define SMALL BERT SHAPE(4, 1, 2, 8, 8, 512)

static rag_status read_files(const char *name, const char *const (*files)[2], size_t count,
                             struct model_config *config, rag_error *error)
{
    char *root = folder_make();
    const char *folder = in(root, name);
    for (size_t i = 0; i < count; i++)
        put(folder, files[i][0], files[i][1]);
    rag_status status = model_config_read(folder, config, error);
    folder_drop(root);
    return status;
}

#define READ(name, config, error, ...)                                                         \
    read_files(name, (const char *const[][2]){__VA_ARGS__},                                    \
               sizeof((const char *const[][2]){__VA_ARGS__}) / sizeof(char *[2]), config,      \
               error)

static void the_known_models_are_what_their_cards_say(void **state)
{
    (void)state;
    static const struct {
        const char *folder, *config, *name;
        enum model_family family;
        enum pooling pooling;
        bool classifier;
        uint32_t max_tokens, first_position;
        const char *query_prefix, *passage_prefix;
    } cases[] = {
        {"multilingual-e5-small", BERT SHAPE(384, 12, 12, 1536, 250037, 512) "}",
         "intfloat/multilingual-e5-small", FAMILY_BERT, POOLING_MEAN, false, 512, 0,
         "query: ", "passage: "},
        {"multilingual-e5-large", XLMR SHAPE(1024, 24, 16, 4096, 250002, 514) "}",
         "intfloat/multilingual-e5-large", FAMILY_XLM_ROBERTA, POOLING_MEAN, false, 512, 2,
         "query: ", "passage: "},
        {"bge-m3", XLMR SHAPE(1024, 24, 16, 4096, 250002, 8194) "}", "BAAI/bge-m3",
         FAMILY_XLM_ROBERTA, POOLING_CLS, false, 8192, 2, "", ""},
        {"bge-reranker-base", RERANKER SHAPE(768, 12, 12, 3072, 250002, 514) "}",
         "BAAI/bge-reranker-base", FAMILY_XLM_ROBERTA, POOLING_CLS, true, 512, 2, "", ""},
        {"bge-reranker-v2-m3",
         RERANKER SHAPE(1024, 24, 16, 4096, 250002, 8194) ", \"_name_or_path\": "
                                                          "\"BAAI/bge-m3\"}",
         "BAAI/bge-reranker-v2-m3", FAMILY_XLM_ROBERTA, POOLING_CLS, true, 8192, 2, "", ""},
        {"bge-small-zh-v1.5", BERT SHAPE(512, 4, 8, 2048, 21128, 512) "}",
         "BAAI/bge-small-zh-v1.5", FAMILY_BERT, POOLING_CLS, false, 512, 0,
         "为这个句子生成表示以用于检索相关文章：", ""},
        {"bge-base-en-v1.5", BERT SHAPE(768, 12, 12, 3072, 30522, 512) "}",
         "BAAI/bge-base-en-v1.5", FAMILY_BERT, POOLING_CLS, false, 512, 0,
         "Represent this sentence for searching relevant passages: ", ""},
        {"all-MiniLM-L6-v2",
         BERT SHAPE(384, 6, 12, 1536, 30522, 512) ", \"_name_or_path\": "
                                                  "\"nreimers/MiniLM-L6-H384-uncased\"}",
         "sentence-transformers/all-MiniLM-L6-v2", FAMILY_BERT, POOLING_MEAN, false, 256, 0, "",
         ""},
        {"paraphrase-multilingual-minilm-l12-v2",
         BERT SHAPE(384, 12, 12, 1536, 250037, 512) "}",
         "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2", FAMILY_BERT,
         POOLING_MEAN, false, 128, 0, "", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct model_config config;
        rag_error error;
        assert_ok(READ(cases[i].folder, &config, &error, {"config.json", cases[i].config}),
                  &error);
        assert_string_equal(config.name, cases[i].name);
        assert_int_equal(config.family, cases[i].family);
        assert_int_equal(config.pooling, cases[i].pooling);
        assert_int_equal(config.classifier, cases[i].classifier);
        assert_int_equal(config.max_tokens, cases[i].max_tokens);
        assert_int_equal(model_config_first_position(&config), cases[i].first_position);
        assert_string_equal(config.query_prefix, cases[i].query_prefix);
        assert_string_equal(config.passage_prefix, cases[i].passage_prefix);
        assert_true(config.normalize);
    }
}

static void the_shapes_are_those_of_config_json(void **state)
{
    (void)state;
    struct model_config config;
    rag_error error;
    assert_ok(READ("a", &config, &error,
                   {"config.json", XLMR SHAPE(1024, 24, 16, 4096, 250002, 8194) "}"}),
              &error);
    assert_int_equal(config.hidden, 1024);
    assert_int_equal(config.layers, 24);
    assert_int_equal(config.heads, 16);
    assert_int_equal(config.feed_forward, 4096);
    assert_int_equal(config.vocabulary, 250002);
    assert_int_equal(config.positions, 8194);
    assert_int_equal(config.token_types, 1);
    assert_int_equal(config.padding_id, 1);
    assert_float_equal(config.layer_norm_epsilon, 1e-5f, 0);
    assert_int_equal(config.activation, ACTIVATION_GELU);
    assert_int_equal(config.max_tokens, 8192);
}

static void a_fine_tuned_model_inherits_from_its_parent(void **state)
{
    (void)state;
    struct model_config config;
    rag_error error;
    assert_ok(READ("our-own", &config, &error,
                   {"config.json", SMALL ", \"_name_or_path\": \"intfloat/e5-base-v2\"}"}),
              &error);
    assert_string_equal(config.name, "our-own");
    assert_string_equal(config.query_prefix, "query: ");
    assert_int_equal(config.pooling, POOLING_MEAN);
}

static void a_name_with_an_organisation_comes_from_the_config(void **state)
{
    (void)state;
    struct model_config config;
    rag_error error;
    assert_ok(READ("encoder", &config, &error,
                   {"config.json", SMALL ", \"_name_or_path\": \"someone/encoder\"}"}),
              &error);
    assert_string_equal(config.name, "someone/encoder");
    assert_ok(READ("encoder", &config, &error,
                   {"config.json", SMALL ", \"_name_or_path\": \"/root/cache/encoder\"}"}),
              &error);
    assert_string_equal(config.name, "encoder");
}

#define MODULES(path, more)                                                                    \
    "[{\"path\": \"\", \"type\": \"sentence_transformers.models.Transformer\"},"               \
    " {\"path\": \"" path "\", \"type\": \"sentence_transformers.models.Pooling\"}" more "]"

static void the_folders_own_pooling_beats_the_table(void **state)
{
    (void)state;
    struct model_config config;
    rag_error error;
    assert_ok(READ("bge-small-en", &config, &error, {"config.json", SMALL "}"},
                   {"modules.json", MODULES("1_Pooling", "")},
                   {"1_Pooling/config.json", "{\"word_embedding_dimension\": 4,"
                                             " \"pooling_mode_cls_token\": false,"
                                             " \"pooling_mode_mean_tokens\": true}"}),
              &error);
    assert_int_equal(config.pooling, POOLING_MEAN);
    assert_ok(READ("e5-small", &config, &error, {"config.json", SMALL "}"},
                   {"modules.json", MODULES("1_Pooling", "")},
                   {"1_Pooling/config.json", "{\"pooling_mode\": \"cls\"}"}),
              &error);
    assert_int_equal(config.pooling, POOLING_CLS);
}

static void pooling_that_rag_cannot_do_is_refused(void **state)
{
    (void)state;
    static const char *const poolings[] = {
        "{}", "{\"pooling_mode_max_tokens\": true}", "{\"pooling_mode\": \"lasttoken\"}",
        "{\"pooling_mode_cls_token\": true, \"pooling_mode_mean_tokens\": true}"};
    struct model_config config;
    rag_error error;
    for (size_t i = 0; i < sizeof poolings / sizeof *poolings; i++) {
        assert_status(RAG_MODEL,
                      READ("a", &config, &error, {"config.json", SMALL "}"},
                           {"modules.json", MODULES("1_Pooling", "")},
                           {"1_Pooling/config.json", poolings[i]}),
                      &error);
        assert_says(&error, "1_Pooling/config.json");
    }
    assert_status(RAG_MODEL,
                  READ("a", &config, &error, {"config.json", SMALL "}"},
                       {"modules.json", MODULES("../1_Pooling", "")},
                       {"../1_Pooling/config.json", "{\"pooling_mode_cls_token\": true}"}),
                  &error);
    assert_says(&error, "not beside this file");
    assert_status(RAG_MODEL,
                  READ("a", &config, &error, {"config.json", SMALL "}"},
                       {"modules.json",
                        MODULES("1_Pooling", ", {\"path\": \"2\", \"type\": \"x.Dense\"}")},
                       {"1_Pooling/config.json", "{\"pooling_mode_cls_token\": true}"}),
                  &error);
    assert_says(&error, "Dense");
}

static void the_length_comes_from_the_most_particular_file(void **state)
{
    (void)state;
    struct model_config config;
    rag_error error;
    assert_ok(READ("a", &config, &error, {"config.json", SMALL "}"},
                   {"tokenizer_config.json",
                    "{\"model_max_length\": 1000000000000000019884624838656}"}),
              &error);
    assert_int_equal(config.max_tokens, 512);
    assert_ok(READ("a", &config, &error, {"config.json", SMALL "}"},
                   {"tokenizer_config.json", "{\"model_max_length\": 384}"}),
              &error);
    assert_int_equal(config.max_tokens, 384);
    assert_ok(READ("a", &config, &error, {"config.json", SMALL "}"},
                   {"tokenizer_config.json", "{\"model_max_length\": 384}"},
                   {"sentence_bert_config.json", "{\"max_seq_length\": 128}"}),
              &error);
    assert_int_equal(config.max_tokens, 128);
    assert_ok(READ("a", &config, &error, {"config.json", SMALL "}"},
                   {"sentence_bert_config.json", "{\"max_seq_length\": 4096}"}),
              &error);
    assert_int_equal(config.max_tokens, 512);
    assert_ok(READ("a", &config, &error, {"config.json", SMALL "}"},
                   {"sentence_bert_config.json", "{\"max_seq_length\": null}"}),
              &error);
    assert_int_equal(config.max_tokens, 512);
}

static void prompts_of_the_folder_beat_the_table_unless_empty(void **state)
{
    (void)state;
    struct model_config config;
    rag_error error;
    assert_ok(READ("e5-small", &config, &error, {"config.json", SMALL "}"},
                   {"config_sentence_transformers.json",
                    "{\"prompts\": {\"query\": \"Q: \", \"document\": \"\"}}"}),
              &error);
    assert_string_equal(config.query_prefix, "Q: ");
    assert_string_equal(config.passage_prefix, "passage: ");
}

static void a_config_that_asks_for_nonsense_names_the_field(void **state)
{
    (void)state;
    static const char *const cases[][2] = {
        {"", "line 1"},
        {"{", "line 1"},
        {"[]", "model_type"},
        {"{}", "model_type"},
        {"{\"model_type\": \"llama\"}", "llama"},
        {"{\"model_type\": \"bert\"}", "hidden_size"},
        {BERT SHAPE(0, 1, 2, 8, 8, 512) "}", "hidden_size"},
        {BERT SHAPE(99999, 1, 2, 8, 8, 512) "}", "hidden_size"},
        {BERT SHAPE(4, 257, 2, 8, 8, 512) "}", "num_hidden_layers"},
        {BERT SHAPE(4, 1, 3, 8, 8, 512) "}", "num_attention_heads"},
        {BERT SHAPE(4, 1, 2, 1e9, 8, 512) "}", "intermediate_size"},
        {BERT SHAPE(4, 1, 2, 8, -8, 512) "}", "vocab_size"},
        {BERT SHAPE(4, 1, 2, 8, 4194305, 512) "}", "vocab_size"},
        {BERT SHAPE(4, 1, 2, 8, 8, 0.5) "}", "max_position_embeddings"},
        {BERT SHAPE(4, 1, 2, 8, 8, "512") "}", "max_position_embeddings"},
        {XLMR SHAPE(4, 1, 2, 8, 8, 2) "}", "max_position_embeddings"},
        {XLMR SHAPE(4, 1, 2, 8, 8, 4) "}", "too short"},
        {"{\"model_type\": \"bert\", \"hidden_act\": \"swish\"}", "hidden_act"},
        {"{\"model_type\": \"bert\", \"layer_norm_eps\": 0, " SHAPE(4, 1, 2, 8, 8, 512) "}",
         "layer_norm_eps"},
        {SMALL ", \"position_embedding_type\": \"relative_key\"}", "position_embedding_type"},
        {SMALL ", \"is_decoder\": true}", "is_decoder"},
        {"{\"model_type\": \"bert\", \"architectures\": "
         "[\"BertForSequenceClassification\"], " SHAPE(4, 1, 2, 8, 8, 512) "}",
         "num_labels"},
        {"{\"model_type\": \"bert\", \"architectures\": [\"BertForSequenceClassification\"],"
         " \"id2label\": {\"0\": \"a\", \"1\": \"b\", \"2\": \"c\"}, " SHAPE(4, 1, 2, 8, 8,
                                                                             512) "}",
         "num_labels"},
    };
    struct model_config config;
    rag_error error;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rag_status status = READ("a", &config, &error, {"config.json", cases[i][0]});
        if (status != RAG_MODEL)
            print_error("%s\n", cases[i][0]);
        assert_int_equal(status, RAG_MODEL);
        assert_says(&error, cases[i][1]);
    }
    assert_status(RAG_MODEL, READ("a", &config, &error, {"other.json", "{}"}), &error);
    assert_says(&error, "config.json");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_known_models_are_what_their_cards_say),
        cmocka_unit_test(the_shapes_are_those_of_config_json),
        cmocka_unit_test(a_fine_tuned_model_inherits_from_its_parent),
        cmocka_unit_test(a_name_with_an_organisation_comes_from_the_config),
        cmocka_unit_test(the_folders_own_pooling_beats_the_table),
        cmocka_unit_test(pooling_that_rag_cannot_do_is_refused),
        cmocka_unit_test(the_length_comes_from_the_most_particular_file),
        cmocka_unit_test(prompts_of_the_folder_beat_the_table_unless_empty),
        cmocka_unit_test(a_config_that_asks_for_nonsense_names_the_field),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
