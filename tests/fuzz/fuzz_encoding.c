/* Any bytes become valid UTF-8 or an error; what was UTF-8 stays the same. */
#include "documents/encoding.h"
#include "text/utf8.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf out = BUF_INIT(16 << 20);
    rag_error error;
    const char *name;
    rag_status status = encoding_to_utf8(data, size, &out, &name, &error);
    if (status == RAG_OK) {
        if (out.size && utf8_valid_prefix(out.data, out.size) != out.size)
            abort();
        if (strcmp(name, "UTF-8") == 0 &&
            (out.size != size || (size && memcmp(out.data, data, size) != 0)))
            abort();
    } else if (status != RAG_INPUT || out.size != 0 || !*error.message) {
        abort();
    }
    buf_release(&out);
    return 0;
}
