#include "pipeline/eval_index.h"
#include "base/file.h"
#include "base/memory.h"

#include <string.h>

enum { PASSAGES_A_BATCH = 64 };

static rag_status put_passage(rag_index *index, const struct eval_text *passage,
                              const rag_embedding *item, rag_error *error)
{
    struct store_document document = {.path = passage->id,
                                      .format = "text",
                                      .size = passage->size,
                                      .text = {passage->text, passage->size}};
    rag_status status = hash_bytes(passage->text, passage->size, &document.hash, error);
    if (status)
        return status;
    struct store_chunk chunk = {.end = passage->size,
                                .line = 1,
                                .last_line = 1,
                                .tokens = item->tokens,
                                .heading = "",
                                .hash = document.hash,
                                .vector = item->dense};
    for (size_t i = 0; i < passage->size; i++)
        chunk.last_line += passage->text[i] == '\n';
    return store_put(index->store, &document, &chunk, passage->size != 0, error);
}

static rag_status fill(rag_index *index, const struct eval_texts *passages,
                       const struct events *events, rag_error *error)
{
    const struct eval_text *batch[PASSAGES_A_BATCH];
    rag_text texts[PASSAGES_A_BATCH];
    size_t count = 0;
    struct chunker_options whole = {RAG_CHUNKER_STRUCTURE, STORE_MAX_TEXT, 0,
                                    RAG_CONTEXT_HEADING};
    rag_status status = index_need_recipe(index, &whole, error);
    for (size_t i = 0; !status && i < passages->count; i++) {
        struct store_file known;
        struct hash hash;
        const struct eval_text *passage = &passages->items[i];
        if ((status = store_find_document(index->store, NULL, passage->id, &known, error)) ||
            (status = hash_bytes(passage->text, passage->size, &hash, error)))
            break;
        if (!known.present || memcmp(&known.hash, &hash, sizeof hash) != 0) {
            batch[count] = passage;
            texts[count++] = (rag_text){passage->text, passage->size};
        }
        if (count < PASSAGES_A_BATCH && i + 1 < passages->count)
            continue;
        if (event_progress(events, "embedding", "passages", i + 1, passages->count, NULL))
            return fail_with(error, RAG_INTERRUPTED, "stopped while embedding the passages");
        rag_embeddings *embeddings = NULL;
        status = embed_texts(index->model, texts, count, RAG_PASSAGE, RAG_DENSE, NULL,
                             &embeddings, error);
        for (size_t j = 0; !status && j < count; j++)
            status = put_passage(index, batch[j], rag_embeddings_get(embeddings, j), error);
        rag_embeddings_free(embeddings);
        count = 0;
    }
    return status;
}

struct strangers {
    const struct eval_texts *passages;
    char *first;
};

static int find_stranger(const char *path, void *user)
{
    struct strangers *strangers = user;
    if (eval_find(strangers->passages, path) != SIZE_MAX)
        return 0;
    strangers->first = strdup(path);
    return 1;
}

/* Other documents would be found among the passages, as if they were wrong. */
static rag_status refuse_strangers(rag_index *index, const struct eval_texts *passages,
                                   rag_error *error)
{
    struct strangers strangers = {passages, NULL};
    rag_status status =
        store_each_document(index->store, NULL, NULL, find_stranger, &strangers, error);
    if (!status && strangers.first)
        status = fail_with(error, RAG_INDEX_MISMATCH,
                           "%s holds \"%s\", which is no passage of this set; keep the "
                           "passages of each set in a file of its own",
                           index->path, strangers.first);
    free(strangers.first);
    return status;
}

rag_status eval_index_fill(rag_index *index, const struct eval_texts *passages, bool temporary,
                           const struct events *events, rag_error *error)
{
    rag_status status = index_need_store(index, error);
    if (!status && temporary)
        status = store_set_volatile(index->store, error);
    if (!status)
        status = refuse_strangers(index, passages, error);
    return status ? status : fill(index, passages, events, error);
}
