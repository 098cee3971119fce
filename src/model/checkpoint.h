/* checkpoint.h - a model's weights by name, wherever they are stored.
 *
 * One file a format: safetensors.c (single file, or shards with model.safetensors.index.json),
 * torch.c (pytorch_model.bin and *.pt: a zip with a pickle that is read as data). Files are
 * memory-mapped; a tensor's bytes stay valid until the checkpoint is closed. */
#ifndef RAG_MODEL_CHECKPOINT_H
#define RAG_MODEL_CHECKPOINT_H

#include "base/error.h"

#include <stdint.h>

enum tensor_type { TENSOR_F32, TENSOR_F16, TENSOR_BF16, TENSOR_I64, TENSOR_OTHER };

enum { TENSOR_MAX_DIMENSIONS = 4 };

struct tensor {
    const char *name;
    enum tensor_type type;
    unsigned dimensions;
    uint64_t shape[TENSOR_MAX_DIMENSIONS]; /* row-major, contiguous */
    uint64_t elements;
    const void *data; /* little-endian, may be unaligned */
    uint64_t bytes;
};

struct checkpoint;

/* Opens what `folder` has: model.safetensors, its shards, or pytorch_model.bin, and
 * bge-m3's sparse_linear.pt and colbert_linear.pt beside it (as "sparse_linear.weight"
 * and so on). Every offset is checked against its file. RAG_MODEL. */
CHECKED rag_status checkpoint_open(const char *folder, struct checkpoint **out,
                                   rag_error *error);
void checkpoint_close(struct checkpoint *checkpoint);

size_t checkpoint_count(const struct checkpoint *checkpoint);
const struct tensor *checkpoint_at(const struct checkpoint *checkpoint, size_t i);
/* By exact name; NULL if there is none. */
const struct tensor *checkpoint_find(const struct checkpoint *checkpoint, const char *name);

/* Elements [first, first+count) as f32 into out. The type must be a float type. */
void tensor_read_f32(const struct tensor *tensor, uint64_t first, uint64_t count, float *out);

#endif
