#include "pipeline/speed.h"
#include "base/clock.h"
#include "base/file.h"
#include "model/packed_files.h"
#include "pipeline/sample_texts.h"
#include "text/utf8.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SPEED_MAX_FILE = 64, /* bytes */
    SAMPLE_TEXTS = 16,   /* of about the size of a chunk */
    SAMPLE_TEXT_BYTES = 1200,
};
static const double SAMPLE_SECONDS = 0.5;

static const char *precision_name(const rag_model *model)
{
    return model->info.precision;
}

/* To be freed; NULL: there is no such folder. */
static char *speed_path(const rag_model *model, unsigned threads)
{
    char name[64], *path;
    snprintf(name, sizeof name, "speed-%.16s-%u", precision_name(model), threads);
    return packed_path(model->folder, name, &path, NULL) ? NULL : path;
}

void speed_note(const rag_model *model, unsigned threads, uint64_t tokens, double seconds)
{
    if (tokens < SPEED_LEAST_TOKENS || seconds <= 0)
        return;
    char *path = speed_path(model, threads), text[SPEED_MAX_FILE];
    snprintf(text, sizeof text, "%.1f\n", (double)tokens / seconds);
    rag_error error;
    if (path && !directory_make_parent(path, &error) &&
        file_write(path, text, strlen(text), &error))
        error.status = RAG_OK; /* the next run may write it */
    free(path);
}

double speed_known(const rag_model *model, unsigned threads)
{
    struct buf text = BUF_INIT(SPEED_MAX_FILE);
    char *path = speed_path(model, threads);
    double speed = 0;
    if (path && file_read(path, &text, NULL) == RAG_OK && text.size)
        speed = strtod(text.data, NULL);
    buf_release(&text);
    free(path);
    return isfinite(speed) && speed > 0 ? speed : 0;
}

/* All samples, one behind the other, over and over. */
static rag_status make_samples(struct buf *out, rag_error *error)
{
    struct sample_texts samples = sample_texts_to_measure();
    for (size_t i = 0; out->size < SAMPLE_TEXTS * SAMPLE_TEXT_BYTES; i++)
        if (!buf_append_text(out, samples.texts[i % samples.count]) ||
            !buf_append_char(out, ' '))
            return fail_memory(error);
    return RAG_OK;
}

static rag_status embed_samples(rag_model *model, const struct buf *samples,
                                const struct events *events, uint64_t *tokens, rag_error *error)
{
    rag_text texts[SAMPLE_TEXTS];
    rag_embeddings *embeddings;
    for (size_t i = 0; i < SAMPLE_TEXTS; i++) {
        size_t begin = utf8_floor(samples->data, samples->size, i * SAMPLE_TEXT_BYTES);
        size_t end = utf8_floor(samples->data, samples->size, (i + 1) * SAMPLE_TEXT_BYTES);
        texts[i] = (rag_text){samples->data + begin, end - begin};
    }
    rag_status status = embed_texts(model, texts, SAMPLE_TEXTS, RAG_PASSAGE, RAG_DENSE, events,
                                    &embeddings, error);
    if (status)
        return status;
    for (size_t i = 0; i < SAMPLE_TEXTS; i++)
        *tokens += rag_embeddings_get(embeddings, i)->tokens;
    rag_embeddings_free(embeddings);
    return RAG_OK;
}

rag_status speed_measure(rag_model *model, const struct events *events,
                         double *tokens_per_second, rag_error *error)
{
    struct buf samples = BUF_INIT(1 << 20);
    uint64_t tokens = 0;
    double start = 0, seconds = 0;
    rag_status status = make_samples(&samples, error);
    if (!status) /* weights are read on their first use */
        status = embed_samples(model, &samples, events, &tokens, error);
    tokens = 0;
    start = clock_seconds();
    while (!status && seconds < SAMPLE_SECONDS) {
        status = embed_samples(model, &samples, events, &tokens, error);
        seconds = clock_seconds() - start;
    }
    buf_release(&samples);
    if (!status)
        *tokens_per_second = (double)tokens / seconds;
    return status;
}
