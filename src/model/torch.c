/* torch.c - what torch.save writes since torch 1.6: a zip (torch/serialization.py and
 * caffe2/serialize/inline_container.h in PyTorch's source) of
 *
 *   NAME/data.pkl     a pickle of the state dict; its tensors refer to storages by key
 *   NAME/data/KEY     the bytes of a storage, stored as they are, at a multiple of 64 bytes
 *   NAME/byteorder    "little" or "big" (newer files only)
 *   NAME/version      and others that say nothing about the weights
 *
 * NAME is any folder. Storages are used where they lie in the mapped file. Tensors may share
 * a storage (tied weights), but must be contiguous in it. */
#include "model/pickle.h"
#include "model/tensors.h"
#include "model/zip_directory.h"

#include "base/buf.h"

#include <stdbool.h>
#include <string.h>

enum { MAX_KEY = 64, MAX_ENTRY_NAME = 512 };

static const struct element {
    enum tensor_type type;
    unsigned bytes;
} elements[] = {
    [PICKLE_F32] = {TENSOR_F32, 4},   [PICKLE_F16] = {TENSOR_F16, 2},
    [PICKLE_BF16] = {TENSOR_BF16, 2}, [PICKLE_F64] = {TENSOR_OTHER, 8},
    [PICKLE_I64] = {TENSOR_I64, 8},   [PICKLE_I32] = {TENSOR_OTHER, 4},
    [PICKLE_I16] = {TENSOR_OTHER, 2}, [PICKLE_I8] = {TENSOR_OTHER, 1},
    [PICKLE_U8] = {TENSOR_OTHER, 1},  [PICKLE_BOOL] = {TENSOR_OTHER, 1},
};

struct reading {
    struct checkpoint *checkpoint;
    const char *prefix; /* of the tensors' names */
    const struct zip_directory *zip;
    const char *folder; /* NAME, of the zip's entries */
    size_t folder_size;
};

static const struct zip_entry *find_entry(const struct reading *reading, const char *inner,
                                          size_t inner_size)
{
    char name[MAX_ENTRY_NAME];
    if (inner_size > sizeof name - 1 || reading->folder_size > sizeof name - 1 - inner_size)
        return NULL;
    memcpy(name, reading->folder, reading->folder_size);
    name[reading->folder_size] = '/';
    memcpy(name + reading->folder_size + 1, inner, inner_size);
    return zip_directory_find(reading->zip, name, reading->folder_size + 1 + inner_size);
}

static const struct zip_entry *find_storage(const struct reading *reading, const char *key,
                                            size_t key_size)
{
    static const char data[] = "data/";
    char name[sizeof data + MAX_KEY];
    if (key_size > MAX_KEY)
        return NULL;
    memcpy(name, data, sizeof data - 1);
    memcpy(name + sizeof data - 1, key, key_size);
    return find_entry(reading, name, sizeof data - 1 + key_size);
}

/* Row-major without gaps; the stride of a dimension of size 1 means nothing. */
static bool is_contiguous(const struct pickled_tensor *tensor)
{
    uint64_t expected = 1;
    for (unsigned i = tensor->dimensions; i-- > 0;) {
        if (tensor->shape[i] != 1 && tensor->stride[i] != expected)
            return false;
        expected *= tensor->shape[i]; /* checked not to overflow by tensor_measure */
    }
    return true;
}

static rag_status add_tensor(const struct pickled_tensor *found, void *user, rag_error *error)
{
    const struct reading *reading = user;
    const struct element element = elements[found->type];
    int name_size =
        found->name_size < CHECKPOINT_MAX_NAME ? (int)found->name_size : CHECKPOINT_MAX_NAME;
    if (found->dimensions > TENSOR_MAX_DIMENSIONS)
        return fail_with(error, RAG_MODEL, "tensor %.*s has more than %d dimensions", name_size,
                         found->name, TENSOR_MAX_DIMENSIONS);
    struct tensor tensor = {.type = element.type, .dimensions = found->dimensions};
    memcpy(tensor.shape, found->shape, found->dimensions * sizeof *tensor.shape);
    if (!tensor_measure(&tensor, element.bytes))
        return fail_with(error, RAG_MODEL, "tensor %.*s has an impossible shape", name_size,
                         found->name);
    if (tensor.elements && !is_contiguous(found))
        return fail_with(error, RAG_MODEL,
                         "tensor %.*s is stored transposed or with gaps; save the model again "
                         "with contiguous tensors, best as safetensors",
                         name_size, found->name);
    const struct zip_entry *storage =
        find_storage(reading, found->storage, found->storage_size);
    if (!storage)
        return fail_with(error, RAG_MODEL, "the storage of tensor %.*s is missing", name_size,
                         found->name);
    uint64_t available = storage->size / element.bytes;
    if (found->offset > available || tensor.elements > available - found->offset)
        return fail_with(error, RAG_MODEL, "tensor %.*s lies outside its storage", name_size,
                         found->name);
    tensor.data = storage->data + found->offset * element.bytes;
    return checkpoint_add(reading->checkpoint, reading->prefix, found->name, found->name_size,
                          &tensor, error);
}

/* The one entry that is named NAME/data.pkl. */
static const struct zip_entry *find_pickle(struct reading *reading)
{
    static const char pickle[] = "/data.pkl";
    const size_t size = sizeof pickle - 1;
    for (size_t i = 0; i < reading->zip->count; i++) {
        const struct zip_entry *entry = &reading->zip->entries[i];
        if (entry->name_size <= size ||
            memcmp(entry->name + entry->name_size - size, pickle, size) != 0)
            continue;
        reading->folder = entry->name;
        reading->folder_size = entry->name_size - size;
        return entry;
    }
    return NULL;
}

static rag_status read_archive(struct reading *reading, rag_error *error)
{
    const struct zip_entry *pickle = find_pickle(reading);
    if (!pickle)
        return fail_with(error, RAG_MODEL, "a zip without data.pkl is not made by torch.save");
    if (pickle->size > CHECKPOINT_MAX_HEADER)
        return fail_with(error, RAG_MODEL, "a pickle of %zu bytes, more than %d", pickle->size,
                         CHECKPOINT_MAX_HEADER);
    static const char little[] = "little", order_name[] = "byteorder";
    const struct zip_entry *order = find_entry(reading, order_name, sizeof order_name - 1);
    if (order &&
        (order->size != sizeof little - 1 || memcmp(order->data, little, order->size) != 0))
        return fail_with(error, RAG_MODEL, "its numbers are not in little-endian order");
    return pickle_read(pickle->data, pickle->size, add_tensor, reading, error);
}

rag_status torch_read(struct checkpoint *checkpoint, const char *prefix,
                      const unsigned char *data, size_t size, rag_error *error)
{
    /* PROTO 2, LONG1: the magic number that files of torch before 1.6 begin with. */
    static const unsigned char legacy[] = {0x80, 0x02, 0x8a, 0x0a, 0x6c, 0xfc, 0x9c,
                                           0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19};
    if (size >= sizeof legacy && memcmp(data, legacy, sizeof legacy) == 0)
        return fail_with(
            error, RAG_MODEL,
            "written in the format of torch before 1.6, which is a bare pickle; "
            "write it anew: torch.save(torch.load(FILE, weights_only=True), FILE)");
    struct zip_directory zip;
    rag_status status = zip_directory_read(data, size, &zip, error);
    if (status)
        return status;
    struct reading reading = {.checkpoint = checkpoint, .prefix = prefix, .zip = &zip};
    status = read_archive(&reading, error);
    zip_directory_release(&zip);
    return status;
}
