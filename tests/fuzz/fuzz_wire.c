/* Any bytes as a reader's answer give a sound document or an error. The first two bytes are
 * parts of the header: how many blocks and places it promises. */
#include "documents/wire.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* More would not fit into the socket, and nobody reads at the other end. */
enum { MOST = 100000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int ends[2];
    if (size < 2 || size > MOST || socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0)
        return 0;
    struct channel reader = {ends[1], 0}, caller = {ends[0], 0};
    struct wire_answer header = {.mark = WIRE_MARK, .format_size = 4};
    header.block_count = data[0] % 8;
    header.place_count = data[1] % 8;
    header.part_count = data[0] / 64;
    size_t rest = size - 2, marks = header.block_count * sizeof(struct block) +
                                    header.place_count * sizeof(struct place) +
                                    header.part_count * sizeof(struct part);
    size_t left = rest > marks ? rest - marks : 0;
    header.text_size = left / 2;
    header.names_size = left / 8;
    header.metadata_size = left / 8;
    header.warnings_size = left / 8;
    header.warning_count = left;
    header.part_bytes_size = left / 8;
    if (channel_send(&reader, &header, sizeof header) == CHANNEL_OK &&
        channel_send(&reader, "text", 4) == CHANNEL_OK &&
        channel_send(&reader, data + 2, rest) == CHANNEL_OK) {
        close(ends[1]);
        struct document document = DOCUMENT_INIT;
        rag_status status;
        rag_error error = {0};
        enum channel_result result =
            wire_receive_answer(&caller, (rag_text){"", 0}, NULL, &document, &status, &error);
        if (result == CHANNEL_OK && status != RAG_OK && !*error.message)
            abort();
        document_release(&document);
    } else {
        close(ends[1]);
    }
    close(ends[0]);
    return 0;
}
