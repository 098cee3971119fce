/* put_url.c - a page or file of the network as a document of the index, named by its address.
 */
#include "pipeline/fetch.h"
#include "pipeline/pipeline.h"

rag_status rag_index_put_url(rag_index *index, const char *url, const char *metadata,
                             const rag_add_options *options, rag_add_report *report,
                             rag_error *error)
{
    rag_status status = CHECK_OPTIONS(options, error);
    if (status)
        return status;
    struct events events = {options ? options->on_event : NULL, options ? options->user : NULL};
    struct buf bytes = BUF_INIT(FETCH_MAX_BYTES);
    status = buf_reserve(&bytes, 0) ? fetch(url, fetch_is_public, &events, &bytes, error)
                                    : fail_memory(error);
    if (!status) {
        rag_source source = {.name = url,
                             .format = "file",
                             .metadata = metadata,
                             .text = {bytes.data, bytes.size}};
        status = rag_index_put(index, &source, 1, options, report, error);
    }
    buf_release(&bytes);
    return status;
}
