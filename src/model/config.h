/* config.h - what a model is: from config.json, sentence-transformers' files beside it, and
 * a table of known models. */
#ifndef RAG_MODEL_CONFIG_H
#define RAG_MODEL_CONFIG_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum model_family { FAMILY_XLM_ROBERTA, FAMILY_BERT };
enum pooling { POOLING_CLS, POOLING_MEAN };
enum activation { ACTIVATION_GELU, ACTIVATION_GELU_TANH, ACTIVATION_RELU };

/* Limits of what a config.json may ask for; anything beyond is RAG_MODEL. */
enum {
    MODEL_MAX_LAYERS = 256,
    MODEL_MAX_HIDDEN = 16384,
    MODEL_MAX_FEED_FORWARD = 65536,
    MODEL_MAX_VOCABULARY = 4 << 20,
    MODEL_MAX_POSITIONS = 1 << 20,
};

struct model_config {
    char name[256]; /* as on the hub where that is known, else the folder's */
    enum model_family family;
    enum activation activation;
    enum pooling pooling;
    bool normalize;  /* the dense vector: always true, as rag.h promises */
    bool classifier; /* a sequence-classification head with one label */
    uint32_t hidden, layers, heads, feed_forward; /* hidden % heads == 0 */
    uint32_t vocabulary, positions, token_types;
    uint32_t padding_id; /* XLM-RoBERTa counts positions from padding_id + 1 */
    uint32_t max_tokens; /* of one text, special tokens included */
    float layer_norm_epsilon;
    char query_prefix[128], passage_prefix[128];
};

/* Reads `folder`. RAG_MODEL names the file and the field.
 *
 * config.json gives the family (model_type, else architectures), shapes and activation.
 * Pooling: what modules.json points to, else the table of known models, else the mean (as
 * sentence-transformers does it). max_tokens: sentence_bert_config.json's max_seq_length,
 * else tokenizer_config.json's model_max_length, else the table, but never more than the
 * positions hold. Prefixes: the prompts of config_sentence_transformers.json, else the table.
 * The table goes by the folder's name, then by config.json's _name_or_path. */
CHECKED rag_status model_config_read(const char *folder, struct model_config *out,
                                     rag_error *error);

/* The position of the first token of a text. */
uint32_t model_config_first_position(const struct model_config *config);

#endif
