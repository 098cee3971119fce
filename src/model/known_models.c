/* known_models.c - pooling, length and prefixes as each model's card on the hub gives them. */
#include "model/known_models.h"

#include "base/file.h"

#include <string.h>
#include <strings.h>

#define E5_QUERY   "query: "
#define E5_PASSAGE "passage: "
#define E5_TASK                                                                                \
    "Instruct: Given a web search query, retrieve relevant passages that answer the query\n"   \
    "Query: "
#define BGE_EN "Represent this sentence for searching relevant passages: "
#define BGE_ZH "为这个句子生成表示以用于检索相关文章："

static const struct known_model known_models[] = {
    {"BAAI/bge-m3", POOLING_CLS, 8192, "", ""},
    {"BAAI/bge-reranker-base", POOLING_CLS, 512, "", ""},
    {"BAAI/bge-reranker-large", POOLING_CLS, 512, "", ""},
    {"BAAI/bge-reranker-v2-m3", POOLING_CLS, 8192, "", ""},
    {"BAAI/bge-small-zh", POOLING_CLS, 512, BGE_ZH, ""},
    {"BAAI/bge-base-zh", POOLING_CLS, 512, BGE_ZH, ""},
    {"BAAI/bge-large-zh", POOLING_CLS, 512, BGE_ZH, ""},
    {"BAAI/bge-small-zh-v1.5", POOLING_CLS, 512, BGE_ZH, ""},
    {"BAAI/bge-base-zh-v1.5", POOLING_CLS, 512, BGE_ZH, ""},
    {"BAAI/bge-large-zh-v1.5", POOLING_CLS, 512, BGE_ZH, ""},
    {"BAAI/bge-small-en", POOLING_CLS, 512, BGE_EN, ""},
    {"BAAI/bge-base-en", POOLING_CLS, 512, BGE_EN, ""},
    {"BAAI/bge-large-en", POOLING_CLS, 512, BGE_EN, ""},
    {"BAAI/bge-small-en-v1.5", POOLING_CLS, 512, BGE_EN, ""},
    {"BAAI/bge-base-en-v1.5", POOLING_CLS, 512, BGE_EN, ""},
    {"BAAI/bge-large-en-v1.5", POOLING_CLS, 512, BGE_EN, ""},
    {"intfloat/multilingual-e5-small", POOLING_MEAN, 512, E5_QUERY, E5_PASSAGE},
    {"intfloat/multilingual-e5-base", POOLING_MEAN, 512, E5_QUERY, E5_PASSAGE},
    {"intfloat/multilingual-e5-large", POOLING_MEAN, 512, E5_QUERY, E5_PASSAGE},
    {"intfloat/multilingual-e5-large-instruct", POOLING_MEAN, 512, E5_TASK, ""},
    {"intfloat/e5-small", POOLING_MEAN, 512, E5_QUERY, E5_PASSAGE},
    {"intfloat/e5-base", POOLING_MEAN, 512, E5_QUERY, E5_PASSAGE},
    {"intfloat/e5-large", POOLING_MEAN, 512, E5_QUERY, E5_PASSAGE},
    {"intfloat/e5-small-v2", POOLING_MEAN, 512, E5_QUERY, E5_PASSAGE},
    {"intfloat/e5-base-v2", POOLING_MEAN, 512, E5_QUERY, E5_PASSAGE},
    {"intfloat/e5-large-v2", POOLING_MEAN, 512, E5_QUERY, E5_PASSAGE},
    {"thenlper/gte-small", POOLING_MEAN, 512, "", ""},
    {"thenlper/gte-base", POOLING_MEAN, 512, "", ""},
    {"thenlper/gte-large", POOLING_MEAN, 512, "", ""},
    {"thenlper/gte-small-zh", POOLING_CLS, 512, "", ""},
    {"thenlper/gte-base-zh", POOLING_CLS, 512, "", ""},
    {"thenlper/gte-large-zh", POOLING_CLS, 512, "", ""},
    {"sentence-transformers/all-MiniLM-L6-v2", POOLING_MEAN, 256, "", ""},
    {"sentence-transformers/all-MiniLM-L12-v2", POOLING_MEAN, 128, "", ""},
    {"sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2", POOLING_MEAN, 128, "", ""},
};

const struct known_model *known_model_find(const char *name)
{
    const char *last = path_name(name);
    for (size_t i = 0; i < sizeof known_models / sizeof *known_models; i++)
        if (strcasecmp(path_name(known_models[i].name), last) == 0)
            return &known_models[i];
    return NULL;
}
