#include "pipeline/mend.h"
#include "base/file.h"
#include "base/memory.h"
#include "pipeline/jobs.h"

#include <string.h>

/* A document on its way back into the index. */
struct patient {
    struct damaged_document *found;
    struct document document; /* only if it is cut anew */
    struct chunk_list cut;
    rag_text text;
    struct store_chunk *chunks; /* [count] to be put in; headings are borrowed */
    size_t count;
    rag_embeddings *embeddings;
    char **weights; /* [count] of tokens; NULL: not made anew */
};

static void patient_release(struct patient *patient)
{
    for (size_t i = 0; patient->weights && i < patient->count; i++)
        free(patient->weights[i]);
    free(patient->weights);
    document_release(&patient->document);
    chunk_list_release(&patient->cut);
    free(patient->chunks);
    rag_embeddings_free(patient->embeddings);
}

static rag_status say(struct buf *how, const char *words, rag_error *error)
{
    return (!how->size || buf_append_text(how, ", ")) && buf_append_text(how, words)
               ? RAG_OK
               : fail_memory(error);
}

/* ---- Its text ---- */

/* The file that it was made of, if it is still the same to the byte. *found false: it is not.
 */
static rag_status read_file_again(struct patient *patient, bool *found, rag_error *error)
{
    static const struct hash unknown;
    struct read_options options;
    struct buf bytes = BUF_INIT((size_t)DOCUMENT_MAX_BYTES);
    const struct damaged_document *stored = patient->found;
    rag_error trouble;
    *found = false;
    if (*stored->path != '/' || memcmp(&stored->hash, &unknown, sizeof unknown) == 0 ||
        file_read(stored->path, &bytes, &trouble)) {
        buf_release(&bytes);
        return RAG_OK;
    }
    rag_status status = read_options_find(stored->path, bytes.data ? bytes.data : "",
                                          bytes.size, &stored->hash, &options, found, error);
    if (!status && *found) {
        status = document_parse(stored->path, bytes.data, bytes.size, &options,
                                &patient->document, error);
        *found = !status;
    }
    buf_release(&bytes);
    return status == RAG_INPUT ? RAG_OK : status;
}

static rag_status find_text(struct patient *patient, bool *found, struct buf *how,
                            rag_error *error)
{
    struct damaged_document *stored = patient->found;
    *found = stored->text != NULL;
    patient->text = (rag_text){stored->text, stored->text_size};
    if (*found)
        return RAG_OK;
    rag_status status = read_file_again(patient, found, error);
    if (status || !*found)
        return status;
    patient->text = (rag_text){patient->document.text.data, patient->document.text.size};
    return say(how, "read again from its file", error);
}

/* ---- Its chunks ---- */

/* What is embedded of a chunk, and its hash. */
static rag_status hash_context(const struct mender *mender, const struct patient *patient,
                               const struct store_chunk *chunk, struct buf *out,
                               struct hash *hash, rag_error *error)
{
    struct chunker_options chunker = index_chunker(mender->target);
    const char *data = patient->text.size ? patient->text.data : "";
    rag_text part = {data + chunk->begin, chunk->end - chunk->begin};
    rag_text header = {data + chunk->header_begin, chunk->header_end - chunk->header_begin};
    if (!chunk_context(&chunker, path_name(patient->found->path), chunk->heading, header, part,
                       out))
        return fail_memory(error);
    return hash_bytes(out->data ? out->data : "", out->size, hash, error);
}

/* Whether each stored chunk is one of the text: then only numbers and vectors are wrong. */
static rag_status chunks_are_of_text(const struct mender *mender, const struct patient *patient,
                                     bool *good, rag_error *error)
{
    const struct damaged_document *stored = patient->found;
    struct buf context = BUF_INIT((size_t)TOKENIZER_MAX_TEXT);
    rag_status status = RAG_OK;
    *good = stored->text && stored->chunks;
    for (size_t i = 0; !status && *good && i < stored->count; i++) {
        struct hash hash;
        buf_clear(&context);
        status = hash_context(mender, patient, &stored->chunks[i], &context, &hash, error);
        *good = !status && memcmp(&hash, &stored->chunks[i].hash, sizeof hash) == 0;
    }
    buf_release(&context);
    return status;
}

static rag_status use_stored_chunks(struct patient *patient, rag_error *error)
{
    const struct damaged_document *stored = patient->found;
    patient->count = stored->count;
    patient->chunks = alloc_array(stored->count, sizeof *patient->chunks);
    if (!patient->chunks)
        return fail_memory(error);
    if (stored->count)
        memcpy(patient->chunks, stored->chunks, stored->count * sizeof *patient->chunks);
    return RAG_OK;
}

/* Cuts the text as the index's chunker does. */
static rag_status cut_again(const struct mender *mender, struct patient *patient,
                            rag_error *error)
{
    const struct damaged_document *stored = patient->found;
    struct chunker_options options = index_chunker(mender->target);
    const char *format = stored->format ? stored->format : "text";
    rag_status status = RAG_OK;
    if (!patient->document.path) {
        status =
            document_of_text(stored->path, format, patient->text, &patient->document, error);
        if (status == RAG_INPUT) /* no reader of this format is known here */
            status = document_of_text(stored->path, "text", patient->text, &patient->document,
                                      error);
    }
    if (!status)
        status = chunk_document(&patient->document, mender->target->model->tokenizer, &options,
                                &patient->cut, error);
    patient->count = patient->cut.count;
    if (!status && !(patient->chunks = alloc_zeroed(patient->count, sizeof *patient->chunks)))
        status = fail_memory(error);
    for (size_t i = 0; !status && i < patient->count; i++)
        patient->chunks[i] = store_chunk_of(&patient->cut.chunks[i]);
    return status;
}

/* ---- Its vectors ---- */

/* What was embedded takes the place of the chunks' vectors and weights. */
static rag_status take_embedded(struct patient *patient, bool weighted, rag_error *error)
{
    patient->weights = weighted ? alloc_zeroed(patient->count, sizeof *patient->weights) : NULL;
    if (weighted && !patient->weights)
        return fail_memory(error);
    for (size_t i = 0; i < patient->count; i++) {
        struct store_chunk *chunk = &patient->chunks[i];
        const rag_embedding *item = rag_embeddings_get(patient->embeddings, i);
        chunk->vector = item->dense;
        chunk->weights = (rag_text){0};
        if (!weighted)
            continue;
        struct token_weights made = {item->sparse_ids, item->sparse_weights,
                                     item->sparse_count};
        patient->weights[i] = token_weights_pack(&made, &chunk->weights.size);
        chunk->weights.data = patient->weights[i];
        if (!patient->weights[i])
            return fail_memory(error);
    }
    return RAG_OK;
}

/* Embeds all of its chunks: which of its vectors is wrong the hash over all does not say. */
static rag_status embed(struct mender *mender, struct patient *patient, rag_error *error)
{
    size_t count = patient->count;
    struct buf *contexts = alloc_zeroed(count, sizeof *contexts);
    rag_text *texts = alloc_array(count, sizeof *texts);
    rag_status status = contexts && texts ? RAG_OK : fail_memory(error);
    for (size_t i = 0; !status && i < count; i++) {
        contexts[i] = BUF_INIT((size_t)TOKENIZER_MAX_TEXT);
        status = hash_context(mender, patient, &patient->chunks[i], &contexts[i],
                              &patient->chunks[i].hash, error);
        texts[i] = (rag_text){contexts[i].data, contexts[i].size};
    }
    bool weighted = index_gives_weights(mender->target);
    if (!status)
        status = embed_texts(mender->target->model, texts, count, RAG_PASSAGE,
                             weighted ? RAG_DENSE | RAG_SPARSE : RAG_DENSE, mender->events,
                             &patient->embeddings, error);
    if (!status)
        status = take_embedded(patient, weighted, error);
    if (!status)
        mender->embedded += count;
    for (size_t i = 0; contexts && i < count; i++)
        buf_release(&contexts[i]);
    free(contexts);
    free(texts);
    return status;
}

/* *there false: there is no model here that makes these vectors. */
static rag_status need_model(struct mender *mender, bool *there, rag_error *error)
{
    *there = mender->target->model != NULL;
    if (*there || mender->no_model.status)
        return RAG_OK;
    rag_status status = index_need_model(mender->target, &mender->no_model);
    *there = !status;
    if (status && status != RAG_MODEL && status != RAG_MODEL_MISSING && status != RAG_USAGE &&
        status != RAG_INDEX_MISMATCH)
        return fail_with(error, status, "%s", mender->no_model.message);
    mender->no_model.status = status;
    return RAG_OK;
}

/* ---- The whole ---- */

static rag_status fill_chunks(struct mender *mender, struct patient *patient, bool *done,
                              struct buf *how, rag_error *error)
{
    bool known = false;
    *done = true;
    if (patient->found->whole)
        return use_stored_chunks(patient, error);
    rag_status status = need_model(mender, done, error);
    if (!status && !*done)
        return say(how, mender->no_model.message, error);
    if (!status)
        status = chunks_are_of_text(mender, patient, &known, error);
    if (!status)
        status = known ? use_stored_chunks(patient, error) : cut_again(mender, patient, error);
    if (!status)
        status = embed(mender, patient, error);
    return status ? status
                  : say(how, known ? "embedded again" : "cut and embedded again", error);
}

/* Without its metadata a file is to be read again by the next run: no file has this hash. */
static rag_status put_in(const struct mender *mender, const struct patient *patient,
                         struct buf *how, rag_error *error)
{
    static const struct hash no_file;
    const struct damaged_document *found = patient->found;
    struct store_document document = {
        .collection = found->collection,
        .path = found->path,
        .format = found->format ? found->format : "text",
        .hash = found->metadata ? found->hash : no_file,
        .size = found->size,
        .modified = found->metadata ? found->modified : 0,
        .text = patient->text,
        .metadata = found->metadata,
    };
    rag_status status =
        store_put(mender->target->store, &document, patient->chunks, patient->count, error);
    if (!status && !found->metadata)
        status = say(how, "without its metadata, which are lost", error);
    if (!status && !found->noted && !how->size)
        status = say(how, "hashes and counts corrected", error);
    return status;
}

static rag_status mend(struct mender *mender, struct patient *patient, enum mend_result *result,
                       struct buf *how, rag_error *error)
{
    const struct damaged_document *found = patient->found;
    bool there = false, done = false;
    *result = MEND_WHOLE;
    if (found->noted && found->metadata && !mender->copying)
        return RAG_OK;
    rag_status status = find_text(patient, &there, how, error);
    if (!status && !there) {
        *result = MEND_LOST;
        return say(how, "its text is lost, and no file has what it was made of", error);
    }
    if (!status)
        status = fill_chunks(mender, patient, &done, how, error);
    if (!status && !done) {
        *result = MEND_NO_MODEL;
        return RAG_OK;
    }
    if (!status)
        status = put_in(mender, patient, how, error);
    if (!status && how->size)
        *result = MEND_MENDED;
    return status;
}

rag_status mend_document(struct mender *mender, int64_t id, struct damaged_document *document,
                         enum mend_result *result, struct buf *how, rag_error *error)
{
    struct patient patient = {.found = document};
    *result = MEND_LOST;
    rag_status status = store_read_damaged(mender->source, id, mender->target->recipe.dimension,
                                           document, error);
    if (!status)
        status = mend(mender, &patient, result, how, error);
    patient_release(&patient);
    return status;
}
