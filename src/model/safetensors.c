/* safetensors.c - the format of https://huggingface.co/docs/safetensors:
 *
 *   offset 0   u64, little-endian: N, the size of the header
 *          8   N bytes of JSON, padded with spaces:
 *                {"__metadata__": {...},
 *                 "NAME": {"dtype": "F32", "shape": [2, 3], "data_offsets": [begin, end]}, ...}
 *      8 + N   the tensors' bytes, row-major and little-endian; offsets count from here
 *
 * The tensors cover this part without a gap and without overlapping, as the format says and
 * its own reader demands: whatever a crafted header claims, there is one reading of a file. */
#include "model/json_file.h"
#include "model/tensors.h"

#include "base/memory.h"

#include <string.h>

static const struct dtype {
    const char *name;
    enum tensor_type type;
    unsigned bytes; /* of an element */
} dtypes[] = {
    {"F32", TENSOR_F32, 4},    {"F16", TENSOR_F16, 2},       {"BF16", TENSOR_BF16, 2},
    {"I64", TENSOR_I64, 8},    {"F64", TENSOR_OTHER, 8},     {"I32", TENSOR_OTHER, 4},
    {"I16", TENSOR_OTHER, 2},  {"I8", TENSOR_OTHER, 1},      {"U64", TENSOR_OTHER, 8},
    {"U32", TENSOR_OTHER, 4},  {"U16", TENSOR_OTHER, 2},     {"U8", TENSOR_OTHER, 1},
    {"BOOL", TENSOR_OTHER, 1}, {"F8_E4M3", TENSOR_OTHER, 1}, {"F8_E5M2", TENSOR_OTHER, 1},
};

struct span {
    uint64_t begin, end;
};

static const struct dtype *find_dtype(const char *name)
{
    for (size_t i = 0; name && i < sizeof dtypes / sizeof *dtypes; i++)
        if (strcmp(dtypes[i].name, name) == 0)
            return &dtypes[i];
    return NULL;
}

/* Reads one entry of the header into a tensor without data, and where its data lies. */
static rag_status read_entry(const char *name, const json_t *entry, uint64_t data_size,
                             struct tensor *tensor, struct span *span, rag_error *error)
{
    /* JSON's numbers are doubles here: whole up to 2^53. */
    const uint64_t whole = (uint64_t)1 << 53;
    *tensor = (struct tensor){0};
    const struct dtype *dtype = find_dtype(json_string_value(json_object_get(entry, "dtype")));
    if (!dtype)
        return fail_with(error, RAG_MODEL, "tensor %s: no dtype, or an unknown one", name);
    tensor->type = dtype->type;
    const json_t *shape = json_object_get(entry, "shape");
    if (!json_is_array(shape) || json_array_size(shape) > TENSOR_MAX_DIMENSIONS)
        return fail_with(error, RAG_MODEL, "tensor %s: no shape, or more than %d dimensions",
                         name, TENSOR_MAX_DIMENSIONS);
    tensor->dimensions = (unsigned)json_array_size(shape);
    for (unsigned i = 0; i < tensor->dimensions; i++)
        if (!json_whole(json_array_get(shape, i), whole, &tensor->shape[i]))
            return fail_with(error, RAG_MODEL, "tensor %s: dimension %u is not a size", name,
                             i);
    const json_t *offsets = json_object_get(entry, "data_offsets");
    if (json_array_size(offsets) != 2 ||
        !json_whole(json_array_get(offsets, 0), whole, &span->begin) ||
        !json_whole(json_array_get(offsets, 1), whole, &span->end) || span->begin > span->end ||
        span->end > data_size)
        return fail_with(error, RAG_MODEL,
                         "tensor %s: its data_offsets lie outside the %llu bytes of data", name,
                         (unsigned long long)data_size);
    if (!tensor_measure(tensor, dtype->bytes) || tensor->bytes != span->end - span->begin)
        return fail_with(error, RAG_MODEL, "tensor %s: its shape does not fit its %llu bytes",
                         name, (unsigned long long)(span->end - span->begin));
    return RAG_OK;
}

static int by_place(const void *a, const void *b)
{
    const struct span *x = a, *y = b;
    if (x->begin != y->begin)
        return x->begin < y->begin ? -1 : 1;
    return x->end < y->end ? -1 : x->end > y->end;
}

static rag_status check_cover(struct span *spans, size_t count, uint64_t data_size,
                              rag_error *error)
{
    qsort(spans, count, sizeof *spans, by_place);
    uint64_t end = 0;
    for (size_t i = 0; i < count; i++) {
        if (spans[i].begin != end)
            return fail_with(error, RAG_MODEL, "tensors %s at byte %llu of the data",
                             spans[i].begin < end ? "overlap" : "leave a gap",
                             (unsigned long long)spans[i].begin);
        end = spans[i].end;
    }
    if (end != data_size)
        return fail_with(error, RAG_MODEL, "%llu bytes behind the last tensor",
                         (unsigned long long)(data_size - end));
    return RAG_OK;
}

static rag_status read_header(struct checkpoint *checkpoint, const json_t *header,
                              const unsigned char *data, uint64_t data_size, rag_error *error)
{
    struct span *spans = alloc_array(json_object_size(header), sizeof *spans);
    if (!spans)
        return fail_memory(error);
    rag_status status = RAG_OK;
    size_t count = 0;
    const char *name;
    json_t *entry;
    json_object_foreach((json_t *)(uintptr_t)header, name, entry)
    {
        if (strcmp(name, "__metadata__") == 0)
            continue;
        struct tensor tensor;
        if ((status = read_entry(name, entry, data_size, &tensor, &spans[count], error)))
            goto out;
        tensor.data = data + spans[count].begin;
        count++;
        status = checkpoint_add(checkpoint, "", name, strlen(name), &tensor, error);
        if (status)
            goto out;
    }
    status = check_cover(spans, count, data_size, error);
out:
    free(spans);
    return status;
}

rag_status safetensors_read(struct checkpoint *checkpoint, const unsigned char *data,
                            size_t size, rag_error *error)
{
    uint64_t header_size;
    if (size < sizeof header_size)
        return fail_with(error, RAG_MODEL, "%zu bytes are no safetensors file", size);
    memcpy(&header_size, data, sizeof header_size);
    size -= sizeof header_size;
    data += sizeof header_size;
    if (header_size > size || header_size > CHECKPOINT_MAX_HEADER)
        return fail_with(error, RAG_MODEL,
                         "not a safetensors file, or cut short: a header of %llu bytes",
                         (unsigned long long)header_size);
    json_error_t where;
    json_t *header = json_loadb((const char *)data, header_size,
                                JSON_REJECT_DUPLICATES | JSON_DECODE_INT_AS_REAL, &where);
    rag_status status;
    if (!json_is_object(header))
        status = fail_with(error, RAG_MODEL, "the header is not a JSON object: byte %d: %s",
                           header ? 0 : where.position, header ? "another type" : where.text);
    else
        status = read_header(checkpoint, header, data + header_size, size - header_size, error);
    json_decref(header);
    return status;
}
