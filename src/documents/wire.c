#include "documents/wire.h"
#include "base/memory.h"
#include "documents/formats.h"

#include <string.h>

enum {
    MAX_MESSAGE = 4096,
    MAX_BLOCKS = 1 << 28,
    MAX_PLACES = 1 << 28,
    MAX_PARTS = 1 << 20,
    MAX_WARNINGS = 1 << 28,
};

/* ---- Requests --------------------------------------------------------------- */

enum channel_result wire_send_request(const struct channel *channel, const char *name,
                                      const char *format, const struct read_options *options,
                                      const void *bytes, size_t size)
{
    size_t format_size = format ? strlen(format) : 0;
    struct wire_request request = {WIRE_MARK, strlen(name), format_size, size,
                                   options->notebook_outputs};
    enum channel_result result = channel_send(channel, &request, sizeof request);
    if (!result)
        result = channel_send(channel, name, request.name_size);
    if (!result)
        result = channel_send(channel, format, format_size);
    return result ? result : channel_send(channel, bytes, size);
}

/* Receives `size` bytes into an empty buffer; false in *ok: more than it may hold, or no
 * memory. */
static enum channel_result receive_buf(const struct channel *channel, struct buf *out,
                                       uint64_t size, bool *ok)
{
    buf_clear(out);
    if (size > out->max || !buf_reserve(out, size)) {
        *ok = false;
        return CHANNEL_OK;
    }
    enum channel_result result = channel_receive(channel, out->data, size);
    if (!result) {
        out->size = size;
        out->data[size] = 0;
    }
    return result;
}

enum channel_result wire_receive_request(const struct channel *channel, struct buf *name,
                                         struct buf *format, struct read_options *options,
                                         struct buf *bytes, bool *ok)
{
    struct wire_request request;
    enum channel_result result = channel_receive(channel, &request, sizeof request);
    *ok = !result && request.mark == WIRE_MARK && request.name_size <= WIRE_MAX_NAME &&
          request.format_size <= WIRE_MAX_FORMAT;
    *options = (struct read_options){.notebook_outputs = *ok && request.notebook_outputs};
    if (*ok)
        result = receive_buf(channel, name, request.name_size, ok);
    if (!result && *ok)
        result = receive_buf(channel, format, request.format_size, ok);
    if (!result && *ok)
        result = receive_buf(channel, bytes, request.size, ok);
    return result;
}

/* ---- Answers ---------------------------------------------------------------- */

enum channel_result wire_send_answer(const struct channel *channel, rag_status status,
                                     const char *message, const struct document *document,
                                     bool text_is_input)
{
    struct wire_answer answer = {.mark = WIRE_MARK, .status = status};
    if (status) {
        answer.message_size = strnlen(message, MAX_MESSAGE);
        enum channel_result result = channel_send(channel, &answer, sizeof answer);
        return result ? result : channel_send(channel, message, answer.message_size);
    }
    answer.text_is_input = text_is_input;
    answer.format_size = strlen(document->format);
    answer.text_size = text_is_input ? 0 : document->text.size;
    answer.block_count = document->block_count;
    answer.place_count = document->place_count;
    answer.part_count = document->part_count;
    answer.names_size = document->names.size;
    answer.metadata_size = document->metadata.size;
    answer.warnings_size = document->warnings.size;
    answer.warning_count = document->warning_count;
    answer.part_bytes_size = document->part_bytes.size;
    const struct {
        const void *data;
        size_t size;
    } pieces[] = {
        {&answer, sizeof answer},
        {document->format, answer.format_size},
        {document->text.data, answer.text_size},
        {document->blocks, document->block_count * sizeof *document->blocks},
        {document->places, document->place_count * sizeof *document->places},
        {document->parts, document->part_count * sizeof *document->parts},
        {document->names.data, document->names.size},
        {document->metadata.data, document->metadata.size},
        {document->warnings.data, document->warnings.size},
        {document->part_bytes.data, document->part_bytes.size},
    };
    enum channel_result result = CHANNEL_OK;
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces && !result; i++)
        result = channel_send(channel, pieces[i].data, pieces[i].size);
    return result;
}

static rag_status fail_answer(rag_error *error)
{
    return fail_with(error, RAG_INTERNAL, "rag-reader gave an answer that makes no sense");
}

static enum channel_result receive_failure(const struct channel *channel,
                                           const struct wire_answer *answer, rag_status *status,
                                           rag_error *error)
{
    char message[MAX_MESSAGE + 1];
    if (answer->message_size > MAX_MESSAGE ||
        (answer->status != RAG_INPUT && answer->status != RAG_MEMORY &&
         answer->status != RAG_INTERNAL)) {
        *status = fail_answer(error);
        return CHANNEL_OK;
    }
    enum channel_result result = channel_receive(channel, message, answer->message_size);
    if (result)
        return result;
    message[answer->message_size] = 0;
    /* It may quote the file: nothing of that is to steer a terminal. */
    for (char *c = message; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7F)
            *c = ' ';
    *status = fail_with(error, answer->status, "%s", message);
    return CHANNEL_OK;
}

/* Receives an array of `count` items of `size` bytes. */
static enum channel_result receive_array(const struct channel *channel, void *items_pointer,
                                         size_t *item_count, size_t *capacity, uint64_t count,
                                         size_t size, bool *ok)
{
    void **items = items_pointer;
    if (count == 0)
        return CHANNEL_OK;
    if (!array_reserve(items, capacity, count, size)) {
        *ok = false;
        return CHANNEL_OK;
    }
    enum channel_result result = channel_receive(channel, *items, count * size);
    if (!result)
        *item_count = count;
    return result;
}

static enum channel_result receive_text(const struct channel *channel,
                                        const struct wire_answer *answer, rag_text bytes,
                                        struct buf *owner, struct document *document, bool *ok)
{
    if (!answer->text_is_input)
        return receive_buf(channel, &document->text, answer->text_size, ok);
    if (owner) {
        document->text = *owner;
        *owner = BUF_INIT(owner->max);
    } else {
        *ok = buf_append(&document->text, bytes.data, bytes.size);
    }
    return CHANNEL_OK;
}

static enum channel_result receive_document(const struct channel *channel,
                                            const struct wire_answer *answer, rag_text bytes,
                                            struct buf *owner, struct document *d, bool *ok)
{
    struct buf format = BUF_INIT(WIRE_MAX_FORMAT);
    *ok = answer->block_count <= MAX_BLOCKS && answer->place_count <= MAX_PLACES &&
          answer->part_count <= MAX_PARTS && answer->warning_count <= MAX_WARNINGS;
    if (*ok)
        d->warning_count = answer->warning_count;
    enum channel_result result = CHANNEL_OK;
    if (*ok)
        result = receive_buf(channel, &format, answer->format_size, ok);
    if (!result && *ok) {
        d->format = format_named(format.data);
        *ok = d->format != NULL;
    }
    buf_release(&format);
    if (!result && *ok)
        result = receive_text(channel, answer, bytes, owner, d, ok);
    if (!result && *ok)
        result = receive_array(channel, &d->blocks, &d->block_count, &d->block_capacity,
                               answer->block_count, sizeof *d->blocks, ok);
    if (!result && *ok)
        result = receive_array(channel, &d->places, &d->place_count, &d->place_capacity,
                               answer->place_count, sizeof *d->places, ok);
    if (!result && *ok)
        result = receive_array(channel, &d->parts, &d->part_count, &d->part_capacity,
                               answer->part_count, sizeof *d->parts, ok);
    if (!result && *ok)
        result = receive_buf(channel, &d->names, answer->names_size, ok);
    if (!result && *ok)
        result = receive_buf(channel, &d->metadata, answer->metadata_size, ok);
    if (!result && *ok)
        result = receive_buf(channel, &d->warnings, answer->warnings_size, ok);
    if (!result && *ok)
        result = receive_buf(channel, &d->part_bytes, answer->part_bytes_size, ok);
    return result;
}

enum channel_result wire_receive_answer(const struct channel *channel, rag_text bytes,
                                        struct buf *owner, struct document *document,
                                        rag_status *status, rag_error *error)
{
    struct wire_answer answer;
    *status = RAG_OK;
    enum channel_result result = channel_receive(channel, &answer, sizeof answer);
    if (result)
        return result;
    if (answer.mark != WIRE_MARK) {
        *status = fail_answer(error);
        return CHANNEL_OK;
    }
    if (answer.status != RAG_OK)
        return receive_failure(channel, &answer, status, error);
    bool ok;
    result = receive_document(channel, &answer, bytes, owner, document, &ok);
    if (!result && !ok)
        *status = fail_answer(error);
    else if (!result)
        *status = document_check(document, error);
    return result;
}
