#include "model/checkpoint.h"
#include "model/config.h"
#include "model/folder.h"

#include "base/buf.h"
#include "base/hash.h"

#include <string.h>

/* A new number here gives every model a new identity: for when rag computes other vectors
 * from the same files. */
static const char SCHEME[] = "rag model identity 1";

enum { SAMPLE = 4096, MAX_DESCRIPTION = 4096 };

/* Everything of the config that changes a result. Texts end with a NUL, so that no two
 * configs give the same bytes. */
static CHECKED bool describe_config(const struct model_config *config, struct buf *out)
{
    return buf_printf(out,
                      "family %d activation %d pooling %d normalize %d classifier %d "
                      "hidden %u layers %u heads %u feed_forward %u vocabulary %u "
                      "positions %u token_types %u padding %u max_tokens %u epsilon %a",
                      config->family, config->activation, config->pooling, config->normalize,
                      config->classifier, config->hidden, config->layers, config->heads,
                      config->feed_forward, config->vocabulary, config->positions,
                      config->token_types, config->padding_id, config->max_tokens,
                      (double)config->layer_norm_epsilon) &&
           buf_append(out, "", 1) &&
           buf_append(out, config->query_prefix, strlen(config->query_prefix) + 1) &&
           buf_append(out, config->passage_prefix, strlen(config->passage_prefix) + 1);
}

static void hash_tensor(struct hasher *hasher, const struct tensor *tensor)
{
    const uint64_t numbers[] = {tensor->type, tensor->dimensions, tensor->bytes};
    hasher_update(hasher, tensor->name, strlen(tensor->name) + 1);
    hasher_update(hasher, numbers, sizeof numbers);
    hasher_update(hasher, tensor->shape, tensor->dimensions * sizeof *tensor->shape);
    size_t sample = tensor->bytes < SAMPLE ? (size_t)tensor->bytes : SAMPLE;
    const unsigned char *data = tensor->data;
    if (sample == 0)
        return;
    hasher_update(hasher, data, sample);
    hasher_update(hasher, data + tensor->bytes - sample, sample);
}

rag_status model_identity(const struct model_config *config,
                          const struct checkpoint *checkpoint,
                          const struct hash *tokenizer_file, struct hash *out, rag_error *error)
{
    struct hasher *hasher = NULL;
    struct buf description = BUF_INIT(MAX_DESCRIPTION);
    rag_status status = RAG_OK;
    if (!describe_config(config, &description)) {
        status = fail_memory(error);
        goto out;
    }
    if ((status = hasher_new(&hasher, error)))
        goto out;
    hasher_update(hasher, SCHEME, sizeof SCHEME);
    hasher_update(hasher, description.data, description.size);
    hasher_update(hasher, tokenizer_file->bytes, HASH_SIZE);
    for (size_t i = 0; i < checkpoint_count(checkpoint); i++) {
        const struct tensor *tensor = checkpoint_at(checkpoint, i);
        /* Buffers such as position_ids are stored by some versions and not by others. */
        if (tensor->type != TENSOR_I64 && tensor->type != TENSOR_OTHER)
            hash_tensor(hasher, tensor);
    }
    hasher_finish(hasher, out);
out:
    buf_release(&description);
    return status;
}
