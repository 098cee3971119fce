/* rag-reader: reads documents for rag, in a process without rights.
 *
 *   rag-reader           a worker: files come in through the socket that is its input
 *   rag-reader PROGRAM [PARAMETER]   runs one of the programs that launch.c knows
 *   rag-reader try DEED  shuts itself in and tries what it may not: for tests */
#include "documents/wire.h"
#include "readers/charset.h"
#include "readers/launch.h"
#include "readers/reader.h"
#include "readers/sandbox.h"
#include "readers/trial.h"

#include <linux/close_range.h>
#include <locale.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifdef RAG_SANITIZED
/* Looking for leaks at the end takes another process, which a worker may not have; they are
 * found where the fuzz targets run the readers. Seen by the sanitizer's library, too. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0";
}
#endif

enum {
    KEPT_MEMORY = 1 << 26, /* bytes of a buffer that stay for the next file */
};

/* Reads one file and answers. */
static bool serve(const struct channel *channel, struct buf *name, struct buf *format,
                  struct buf *bytes)
{
    bool ok;
    struct read_options options;
    if (wire_receive_request(channel, name, format, &options, bytes, &ok) != CHANNEL_OK || !ok)
        return false;
    sandbox_next_file(bytes->size);
    struct document document;
    bool text_is_input;
    rag_error error = {0};
    rag_status status = readers_read(name->data, format->size ? format->data : NULL, &options,
                                     bytes, &document, &text_is_input, &error);
    enum channel_result result =
        wire_send_answer(channel, status, error.message, &document, text_is_input);
    if (!status)
        document_release(&document);
    if (bytes->capacity > KEPT_MEMORY)
        buf_release(bytes);
    malloc_trim(KEPT_MEMORY);
    return result == CHANNEL_OK;
}

static int work(void)
{
    struct channel channel = {STDIN_FILENO, 0};
    struct buf name = BUF_INIT(WIRE_MAX_NAME), format = BUF_INIT(WIRE_MAX_FORMAT);
    struct buf bytes = BUF_INIT(DOCUMENT_MAX_BYTES);
    charset_load();
    struct wire_greeting greeting = {.mark = WIRE_MARK, .sandbox = sandbox_worker()};
    if (channel_send(&channel, &greeting, sizeof greeting) != CHANNEL_OK)
        return 1;
    while (serve(&channel, &name, &format, &bytes))
        ;
    buf_release(&name);
    buf_release(&format);
    buf_release(&bytes);
    return 0;
}

int main(int argc, char **argv)
{
    /* Nothing of the caller's but what it was given; Ctrl-C is the caller's business. */
    syscall(SYS_close_range, 3, ~0U, 0);
    signal(SIGINT, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    setlocale(LC_CTYPE, "C.UTF-8");
    if (argc == 1)
        return work();
    if (argc == 3 && strcmp(argv[1], "try") == 0)
        return trial(argv[2]);
    return launch(argv[1], argc > 2 ? argv[2] : NULL);
}
