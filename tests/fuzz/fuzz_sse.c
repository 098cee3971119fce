/* Any stream of bytes, cut in two ways, gives the same events or the same refusal. The
 * first byte says how long the pieces are. */
#include "chat/sse.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static rag_status collect(const char *data, size_t size, void *user, rag_error *error)
{
    (void)error;
    return buf_append(user, data, size) && buf_append_char(user, '\n') ? RAG_OK : RAG_MEMORY;
}

static rag_status read_events(const char *stream, size_t size, size_t step, struct buf *out)
{
    struct sse sse = SSE_INIT(collect, out);
    rag_status status = RAG_OK;
    for (size_t at = 0; !status && at < size; at += step)
        status = sse_feed(&sse, stream + at, size - at < step ? size - at : step, NULL);
    if (!status)
        status = sse_finish(&sse, NULL);
    sse_release(&sse);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    const char *stream = (const char *)data + 1;
    struct buf whole = BUF_INIT(64 << 20), cut = BUF_INIT(64 << 20);
    rag_status one = read_events(stream, size - 1, size, &whole);
    rag_status other = read_events(stream, size - 1, 1 + data[0] % 16, &cut);
    if (one != other || whole.size != cut.size ||
        (whole.size && memcmp(whole.data, cut.data, whole.size) != 0))
        abort();
    buf_release(&whole);
    buf_release(&cut);
    return 0;
}
