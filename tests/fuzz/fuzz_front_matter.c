/* Any text gives metadata that are an object of JSON, or none. */
#include "readers/front_matter.h"

#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf out = BUF_INIT(1 << 20);
    rag_text text = {(const char *)data, size};
    if (size && front_matter_json(text, &out, NULL) == RAG_OK && out.size) {
        json_t *object = json_loadb(out.data, out.size, 0, NULL);
        if (!json_is_object(object) || json_object_size(object) == 0)
            abort();
        json_decref(object);
    }
    buf_release(&out);
    return 0;
}
