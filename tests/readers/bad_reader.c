/* A rag-reader that has been taken over: it greets like the real one, then does what the file's
 * name says. For test_worker. */
#include "base/clock.h"
#include "documents/wire.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef RAG_SANITIZED
/* It ends in the middle of its work on purpose. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}
#endif

static struct document sound_document(struct buf *bytes)
{
    struct document d = DOCUMENT_INIT;
    d.format = "text";
    if (!buf_append(&d.text, bytes->data, bytes->size) ||
        !document_push(&d, (struct block){.kind = BLOCK_PARAGRAPH, .end = bytes->size}) ||
        !document_push_place(&d, 0, PLACE_PAGE, 1, "name"))
        abort();
    return d;
}

static void answer(const struct channel *channel, const char *deed, struct buf *bytes)
{
    struct document d = sound_document(bytes);
    struct part part = {.at = 0, .name = 0, .begin = 1, .end = 1 << 20};
    bool ok = true;
    if (strcmp(deed, "lie-utf8") == 0)
        d.text.data[0] = (char)0xFF;
    else if (strcmp(deed, "lie-end") == 0)
        d.blocks[0].end = (size_t)1 << 40;
    else if (strcmp(deed, "lie-kind") == 0)
        d.blocks[0].kind = (enum block_kind)77;
    else if (strcmp(deed, "lie-name") == 0)
        d.places[0].name = 1 << 20;
    else if (strcmp(deed, "lie-parent") == 0)
        d.places[0].parent = 9;
    else if (strcmp(deed, "lie-metadata") == 0)
        ok = buf_append_text(&d.metadata, "[1");
    else if (strcmp(deed, "lie-escape") == 0)
        ok = document_push_warning(&d, "", "\x1B[2J", 4);
    else if (strcmp(deed, "lie-count") == 0)
        ok = buf_append_text(&d.warnings, "one\ntwo\n");
    else if (strcmp(deed, "lie-format") == 0)
        d.format = "no-such-format";
    else if (strcmp(deed, "lie-part") == 0) {
        d.parts = &part;
        d.part_count = 1;
        ok = buf_append(&d.part_bytes, "x", 2);
    }
    if (!ok)
        abort();
    (void)!wire_send_answer(channel, RAG_OK, "", &d, false);
}

/* A header that promises more than there is, or than may be. */
static void promise(const struct channel *channel, const char *deed)
{
    struct wire_answer header = {.mark = WIRE_MARK, .format_size = 4};
    if (strcmp(deed, "promise-text") == 0)
        header.text_size = (uint64_t)1 << 60;
    else if (strcmp(deed, "promise-blocks") == 0)
        header.block_count = UINT64_MAX / 8;
    else
        header.mark = 42;
    if (channel_send(channel, &header, sizeof header) == CHANNEL_OK)
        (void)!channel_send(channel, "text", 4);
}

int main(void)
{
    struct channel channel = {STDIN_FILENO, 0};
    struct wire_greeting greeting = {.mark = WIRE_MARK};
    struct buf name = BUF_INIT(WIRE_MAX_NAME), format = BUF_INIT(WIRE_MAX_FORMAT);
    struct buf bytes = BUF_INIT(DOCUMENT_MAX_BYTES);
    if (channel_send(&channel, &greeting, sizeof greeting) != CHANNEL_OK)
        return 1;
    bool ok;
    struct read_options options;
    while (wire_receive_request(&channel, &name, &format, &options, &bytes, &ok) ==
               CHANNEL_OK &&
           ok) {
        const char *deed = name.data;
        if (strcmp(deed, "crash") == 0)
            raise(SIGKILL); /* sanitizers leave it alone */
        if (strcmp(deed, "leave") == 0)
            return 0;
        if (strcmp(deed, "hang") == 0)
            pause();
        if (strncmp(deed, "promise", 7) == 0)
            promise(&channel, deed);
        else
            answer(&channel, deed, &bytes);
    }
    return 0;
}
