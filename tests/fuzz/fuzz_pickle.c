/* Any bytes are a pickled state dict or are refused; what is handed over lies in them. */
#include "model/pickle.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    const char *data;
    size_t size;
};

static void check_within(const struct input *input, const char *text, size_t size)
{
    if (text < input->data || text > input->data + input->size ||
        size > (size_t)(input->data + input->size - text))
        abort();
}

static rag_status check(const struct pickled_tensor *tensor, void *user, rag_error *error)
{
    (void)error;
    check_within(user, tensor->name, tensor->name_size);
    check_within(user, tensor->storage, tensor->storage_size);
    if (tensor->dimensions > PICKLE_MAX_DIMENSIONS)
        abort();
    return RAG_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input input = {(const char *)data, size};
    rag_error error;
    rag_status status = pickle_read(data, size, check, &input, &error);
    if (status != RAG_OK && status != RAG_MODEL)
        abort();
    return 0;
}
