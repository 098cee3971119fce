/* pickle.h - a state dict out of a Python pickle, which is read as data: no code is run,
 * and what a state dict does not need is refused. */
#ifndef RAG_MODEL_PICKLE_H
#define RAG_MODEL_PICKLE_H

#include "base/error.h"

enum pickle_type {
    PICKLE_F32,
    PICKLE_F16,
    PICKLE_BF16,
    PICKLE_F64,
    PICKLE_I64,
    PICKLE_I32,
    PICKLE_I16,
    PICKLE_I8,
    PICKLE_U8,
    PICKLE_BOOL,
};

enum {
    PICKLE_MAX_DIMENSIONS = 8,
    PICKLE_MAX_VALUES = 2 << 20, /* made on the way: keys, numbers, tuples, tensors */
};

/* A view of a storage. Strings lie in the pickle and are not NUL-terminated. */
struct pickled_tensor {
    const char *name;
    size_t name_size;
    enum pickle_type type;
    const char *storage; /* the key of the storage */
    size_t storage_size;
    uint64_t storage_elements;
    uint64_t offset; /* in elements, as are the strides */
    unsigned dimensions;
    uint64_t shape[PICKLE_MAX_DIMENSIONS], stride[PICKLE_MAX_DIMENSIONS];
};

/* Not RAG_OK stops the reading, and is its status. */
typedef rag_status (*pickle_tensor_fn)(const struct pickled_tensor *tensor, void *user,
                                       rag_error *error);

/* Hands over each tensor of the dict that the pickle holds. RAG_MODEL names the opcode or
 * the class that is refused, and its byte. */
CHECKED rag_status pickle_read(const unsigned char *data, size_t size,
                               pickle_tensor_fn on_tensor, void *user, rag_error *error);

#endif
