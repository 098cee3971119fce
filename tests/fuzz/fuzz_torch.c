/* Any bytes are a file of torch.save whose tensors all lie within it, or are refused. */
#include "model/tensors.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct checkpoint *checkpoint;
    rag_error error;
    if (checkpoint_new(&checkpoint, &error))
        return 0;
    rag_status status = torch_read(checkpoint, "head.", data, size, &error);
    if (status != RAG_OK && status != RAG_MODEL)
        abort();
    for (size_t i = 0; i < checkpoint_count(checkpoint); i++) {
        const struct tensor *tensor = checkpoint_at(checkpoint, i);
        const uint8_t *begin = tensor->data;
        if (begin < data || begin > data + size ||
            tensor->bytes > (size_t)(data + size - begin))
            abort();
    }
    checkpoint_close(checkpoint);
    return 0;
}
