/* checkpoint.h - a model's weights by name, wherever they are stored.
 *
 * One file a format: safetensors.c (single file, or shards with model.safetensors.index.json),
 * torch.c (pytorch_model.bin and *.pt: a zip with a pickle that is read as data). Files are
 * memory-mapped; a tensor's bytes stay valid until the checkpoint is closed.
 *
 * Names are those of the bare encoder, whatever the checkpoint was saved from: a leading
 * "roberta.", "bert." or "model." is taken off, LayerNorm's old "gamma" and "beta" become
 * "weight" and "bias". So there are "embeddings.*", "encoder.layer.N.*", "pooler.*",
 * "classifier.*", "sparse_linear.*", "colbert_linear.*"; what else is stored keeps its name.
 *
 * Caveat: a file that someone cuts short while it is mapped raises SIGBUS. */
#ifndef RAG_MODEL_CHECKPOINT_H
#define RAG_MODEL_CHECKPOINT_H

#include "base/error.h"

#include <stdint.h>

enum tensor_type { TENSOR_F32, TENSOR_F16, TENSOR_BF16, TENSOR_I64, TENSOR_OTHER };

enum { TENSOR_MAX_DIMENSIONS = 4 };

/* Limits of what a file may hold; anything beyond is RAG_MODEL. */
enum {
    CHECKPOINT_MAX_TENSORS = 1 << 16,
    CHECKPOINT_MAX_NAME = 256,        /* bytes of a tensor's name */
    CHECKPOINT_MAX_HEADER = 32 << 20, /* bytes of a header, a pickle or an index */
    CHECKPOINT_MAX_FILES = 1024,
};

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

/* In order of names. */
size_t checkpoint_count(const struct checkpoint *checkpoint);
const struct tensor *checkpoint_at(const struct checkpoint *checkpoint, size_t i);
/* By exact name; NULL if there is none. */
const struct tensor *checkpoint_find(const struct checkpoint *checkpoint, const char *name);

/* "f32", "f16", "bf16", "i64" or "other". */
const char *tensor_type_name(enum tensor_type type);

/* Elements [first, first+count) as f32 into out. The type must be a float type and the
 * range within the tensor. f16 and bf16 become f32 exactly. */
void tensor_read_f32(const struct tensor *tensor, uint64_t first, uint64_t count, float *out);

#endif
