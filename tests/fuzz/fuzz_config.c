/* Any files make a configuration within its limits, or are refused. The input's lines that
 * are "--- NUMBER" begin the file of that number. */
#define _XOPEN_SOURCE 700
#include "model/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const files[] = {
    "config.json",
    "modules.json",
    "1_Pooling/config.json",
    "tokenizer_config.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
};
enum { FILES = sizeof files / sizeof *files };

static char folder[64];

static const char *path_of(const char *file)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/%s", folder, file);
    return path;
}

static void remove_folder(void)
{
    for (size_t i = 0; i < FILES; i++)
        remove(path_of(files[i]));
    rmdir(path_of("1_Pooling"));
    rmdir(folder);
}

static void make_folder(void)
{
    const char *parent = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%.40s/rag-fuzz-XXXXXX", parent ? parent : "/tmp");
    if (!mkdtemp(folder) || mkdir(path_of("1_Pooling"), 0777) != 0)
        abort();
    atexit(remove_folder);
}

static void write_files(const uint8_t *data, size_t size)
{
    FILE *out = NULL;
    while (size) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t line = end ? (size_t)(end - data) + 1 : size;
        if (line > 4 && memcmp(data, "--- ", 4) == 0 && data[4] >= '0' &&
            data[4] < '0' + FILES) {
            if (out)
                fclose(out);
            out = fopen(path_of(files[data[4] - '0']), "wb");
        } else if (out) {
            fwrite(data, 1, line, out);
        }
        data += line;
        size -= line;
    }
    if (out)
        fclose(out);
}

static void check(const struct model_config *config)
{
    if (config->hidden == 0 || config->hidden > MODEL_MAX_HIDDEN || config->heads == 0 ||
        config->hidden % config->heads || config->layers == 0 ||
        config->layers > MODEL_MAX_LAYERS || config->feed_forward == 0 ||
        config->feed_forward > MODEL_MAX_FEED_FORWARD || config->vocabulary == 0 ||
        config->vocabulary > MODEL_MAX_VOCABULARY || config->token_types == 0 ||
        config->positions > MODEL_MAX_POSITIONS || config->max_tokens == 0 ||
        config->max_tokens + model_config_first_position(config) > config->positions ||
        !(config->layer_norm_epsilon > 0))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!*folder)
        make_folder();
    for (size_t i = 0; i < FILES; i++)
        remove(path_of(files[i]));
    write_files(data, size);
    struct model_config config;
    rag_error error;
    rag_status status = model_config_read(folder, &config, &error);
    if (status != RAG_OK && status != RAG_MODEL)
        abort();
    if (!status)
        check(&config);
    return 0;
}
