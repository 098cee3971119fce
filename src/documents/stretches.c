#define _XOPEN_SOURCE 700
#include "documents/stretches.h"
#include "base/file.h"
#include "base/memory.h"
#include "documents/lines.h"
#include "documents/sections.h"
#include "text/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    SURVEY_BLOCK = 1 << 20,
    CHARACTER_BYTES = 4, /* at most */
};

struct stretches {
    char *path;
    struct stretch_source source;
    int fd; /* of a file; else -1 */
    struct survey survey;
    size_t bytes;
    char *block;        /* [bytes] */
    struct above above; /* the next stretch */
    struct stretch now;
    size_t read; /* bytes, for `now` */
    bool ready;  /* `now` is the next one */
    bool ended;  /* `now` was the last one */
    uint64_t next;
    uint32_t next_line;
};

/* ---- Reading bytes ----------------------------------------------------------- */

static rag_status open_file(const char *path, int *fd, struct stat *st, rag_error *error)
{
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0 || fstat(*fd, st) != 0) {
        rag_status status = fail_errno(error, RAG_INPUT, "%s", path);
        if (*fd >= 0)
            close(*fd);
        return status;
    }
    if (S_ISREG(st->st_mode))
        return RAG_OK;
    close(*fd);
    return fail_with(error, RAG_INPUT, "%s: not a regular file", path);
}

/* Reads up to `size` bytes from an offset; fewer only at the end of the file. */
static rag_status read_at(int fd, const char *path, uint64_t offset, char *to, size_t size,
                          size_t *got, rag_error *error)
{
    *got = 0;
    while (*got < size) {
        ssize_t count = pread(fd, to + *got, size - *got, (off_t)(offset + *got));
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return fail_errno(error, RAG_INPUT, "%s", path);
        if (count == 0)
            break;
        *got += (size_t)count;
    }
    return RAG_OK;
}

/* ---- Surveying --------------------------------------------------------------- */

/* Whether the block, behind the `kept` bytes of a character that the one before ended in, is
 * valid; what is left of a last character moves to the front, and *kept says how many bytes. */
static bool check_block(char *block, size_t size, bool last, size_t *kept)
{
    size_t valid = utf8_valid_prefix(block, size), left = size - valid;
    if (left >= CHARACTER_BYTES || (last && left))
        return false;
    /* A character that is cut off, not a wrong one: whatever follows decides. */
    memmove(block, block + valid, left);
    *kept = left;
    return true;
}

/* Reads the file once: its hash, and whether it is UTF-8. */
static rag_status survey(const struct stretches *stretches, struct hasher *hasher,
                         bool *is_utf8, rag_error *error)
{
    uint64_t at = 0;
    size_t kept = 0, got;
    char *block = alloc_array(SURVEY_BLOCK + CHARACTER_BYTES, 1);
    rag_status status = block ? RAG_OK : fail_memory(error);
    for (*is_utf8 = true; !status && *is_utf8; at += got) {
        status = read_at(stretches->fd, stretches->path, at, block + kept, SURVEY_BLOCK, &got,
                         error);
        if (status || got == 0)
            break;
        hasher_update(hasher, block + kept, got);
        *is_utf8 = check_block(block, kept + got, got < SURVEY_BLOCK, &kept);
    }
    free(block);
    return status;
}

/* ---- Where a stretch ends ---------------------------------------------------- */

/* FNV-1a of the first bytes of a block: a number that depends on nothing else. */
static uint64_t fingerprint(const char *text, size_t size)
{
    enum { FIRST = 64 };
    uint64_t hash = 0xcbf29ce484222325;
    for (size_t i = 0; i < size && i < FIRST; i++)
        hash = (hash ^ (unsigned char)text[i]) * 0x100000001b3;
    return hash;
}

/* How good it is to begin a stretch with a block: a lower number is better. */
static unsigned rank_of(const struct document *document, const struct block *block)
{
    enum { PROSE = 7, INDENTED = 8 };
    const char *text = document->text.data + block->begin;
    size_t size = block->end - block->begin;
    if (block->kind == BLOCK_HEADING)
        return block->level;
    /* What would be read in another way were it the first of a text. */
    bool front_matter =
        size >= 3 && (memcmp(text, "---", 3) == 0 || memcmp(text, "+++", 3) == 0);
    bool indented = size && (text[0] == ' ' || text[0] == '\t');
    return indented || front_matter || block->kind == BLOCK_LIST_ITEM ? INDENTED : PROSE;
}

/* The byte before which a stretch ends that more text follows: the beginning of the best block
 * in its second half; the last one is left out, since more of it may follow. 0: there is none.
 */
static size_t best_end(const struct document *document)
{
    size_t best = 0;
    unsigned best_rank = 0;
    uint64_t best_print = 0;
    for (size_t i = 1; i + 1 < document->block_count; i++) {
        const struct block *block = &document->blocks[i];
        if (block->begin < document->text.size / 2)
            continue;
        unsigned rank = rank_of(document, block);
        uint64_t print =
            fingerprint(document->text.data + block->begin, block->end - block->begin);
        if (best && (rank > best_rank || (rank == best_rank && print >= best_print)))
            continue;
        best = block->begin;
        best_rank = rank;
        best_print = print;
    }
    return best;
}

/* The same where one block fills more than half of it: before its last block, or behind its
 * last line, or its last character. */
static size_t forced_end(const struct document *document)
{
    const char *text = document->text.data;
    size_t size = document->text.size, count = document->block_count;
    if (count > 1 && document->blocks[count - 1].begin > 0)
        return document->blocks[count - 1].begin;
    for (size_t i = size; i > 0; i--)
        if (text[i - 1] == '\n')
            return i;
    return size;
}

/* Leaves the bytes before `end`, and their blocks. */
static void cut_off(struct document *document, size_t end)
{
    while (document->block_count && document->blocks[document->block_count - 1].begin >= end)
        document->block_count--;
    document->text.size = end;
    document->text.data[end] = 0;
    if (!document->block_count)
        return;
    struct block *last = &document->blocks[document->block_count - 1];
    if (last->end > end)
        last->end = trim_end(document->text.data, last->begin, end);
    if (last->header_end > last->end)
        last->header_end = 0;
}

/* ---- The row ----------------------------------------------------------------- */

void stretches_close(struct stretches *stretches)
{
    if (!stretches)
        return;
    if (stretches->fd >= 0)
        close(stretches->fd);
    document_release(&stretches->now.document);
    above_release(&stretches->above);
    free(stretches->block);
    free(stretches->path);
    free(stretches);
}

const struct survey *stretches_survey(const struct stretches *stretches)
{
    return &stretches->survey;
}

static rag_status fail_changing(const struct stretches *stretches, rag_error *error)
{
    return fail_with(error, RAG_INPUT, "%s: it is being changed", stretches->path);
}

static rag_status check_same(const struct stretches *stretches, rag_error *error)
{
    struct stat st;
    if (stretches->fd < 0)
        return RAG_OK;
    return fstat(stretches->fd, &st) == 0 && (uint64_t)st.st_size == stretches->survey.size &&
                   file_modified(&st) == stretches->survey.modified
               ? RAG_OK
               : fail_changing(stretches, error);
}

static rag_status read_file(void *user, uint64_t offset, char *to, size_t size,
                            rag_error *error)
{
    const struct stretches *stretches = user;
    size_t got;
    rag_status status = read_at(stretches->fd, stretches->path, offset, to, size, &got, error);
    return status || got == size ? status : fail_changing(stretches, error);
}

/* Reads what begins at stretches->next into now.document. */
static rag_status read_next(struct stretches *stretches, rag_error *error)
{
    struct stretch *now = &stretches->now;
    uint64_t left = stretches->survey.text_size - stretches->next;
    rag_text text = {stretches->block,
                     left < stretches->bytes ? (size_t)left : stretches->bytes};
    rag_status status = stretches->source.read(stretches->source.user, stretches->next,
                                               stretches->block, text.size, error);
    if (status)
        return status;
    now->begin = stretches->next;
    now->line = stretches->next_line;
    now->last = text.size == left;
    if (!now->last) /* its last character may be cut off */
        text.size = utf8_floor(text.data, text.size, text.size - CHARACTER_BYTES);
    stretches->read = text.size;
    return stretches->survey.format
               ? document_of_text(stretches->path, stretches->survey.format, text,
                                  &now->document, error)
               : document_parse(stretches->path, text.data, text.size, NULL, &now->document,
                                error);
}

static bool is_text_of_bytes(const struct stretches *stretches)
{
    const struct buf *text = &stretches->now.document.text;
    return text->size == stretches->read &&
           memcmp(text->data, stretches->block, text->size) == 0;
}

/* What the next stretch begins with follows from this one. */
static rag_status settle(struct stretches *stretches, rag_error *error)
{
    struct stretch *now = &stretches->now;
    struct document *document = &now->document;
    if (!is_text_of_bytes(stretches))
        return fail_with(error, RAG_INPUT, "%s: byte %llu and on are read as another text",
                         stretches->path, (unsigned long long)now->begin);
    if (!now->last) {
        size_t end = best_end(document);
        cut_off(document, end ? end : forced_end(document));
    }
    stretches->next = now->begin + document->text.size;
    for (size_t at = 0;
         (at = line_end(document->text.data, document->text.size, at)) < document->text.size;
         at++)
        stretches->next_line++;
    document->above = stretches->above;
    stretches->above = (struct above){0};
    return above_behind(document, &stretches->above) ? RAG_OK : fail_memory(error);
}

/* Whether what was read first can go on in stretches: its text is the bytes. */
static bool is_suited(const struct stretches *stretches)
{
    const struct document *document = &stretches->now.document;
    return is_text_of_bytes(stretches) && !document->place_count &&
           (strcmp(document->format, "text") == 0 || strcmp(document->format, "markdown") == 0);
}

void stretches_rewind(struct stretches *stretches)
{
    above_release(&stretches->above);
    stretches->next = 0;
    stretches->next_line = 1;
    stretches->ready = stretches->ended = false;
}

/* *suited: it can be read in stretches. */
static rag_status begin(struct stretches *stretches, bool *suited, rag_error *error)
{
    struct hasher *hasher;
    rag_status status = hasher_new(&hasher, error);
    if (status)
        return status;
    status = survey(stretches, hasher, suited, error);
    hasher_finish(hasher, status ? NULL : &stretches->survey.hash);
    if (status || !*suited)
        return status;
    if ((status = check_same(stretches, error)) || (status = read_next(stretches, error)))
        return status;
    *suited = is_suited(stretches);
    stretches->survey.format = stretches->now.document.format;
    stretches->ready = true;
    return *suited ? settle(stretches, error) : RAG_OK;
}

static size_t stretch_bytes = STRETCH_BYTES;

void stretches_set_bytes(size_t bytes)
{
    stretch_bytes = bytes ? bytes : STRETCH_BYTES;
}

bool stretches_suit(uint64_t size)
{
    return size / stretch_bytes >= STRETCHES_FROM;
}

static struct stretches *new_stretches(const char *path, const struct stretch_source *source)
{
    struct stretches *stretches = alloc_zeroed(1, sizeof *stretches);
    if (!stretches)
        return NULL;
    stretches->fd = -1;
    stretches->source = source ? *source : (struct stretch_source){read_file, stretches};
    stretches->bytes = stretch_bytes;
    stretches->path = strdup(path);
    stretches->block = alloc_array(stretch_bytes, 1);
    stretches_rewind(stretches);
    if (stretches->path && stretches->block)
        return stretches;
    stretches_close(stretches);
    return NULL;
}

rag_status stretches_open(const char *path, struct stretches **out, rag_error *error)
{
    struct stat st;
    int fd;
    *out = NULL;
    rag_status status = open_file(path, &fd, &st, error);
    if (status)
        return status;
    bool suited = stretches_suit((uint64_t)st.st_size);
    struct stretches *stretches = suited ? new_stretches(path, NULL) : NULL;
    if (!stretches) {
        close(fd);
        return suited ? fail_memory(error) : RAG_OK;
    }
    stretches->fd = fd;
    stretches->survey.size = stretches->survey.text_size = (uint64_t)st.st_size;
    stretches->survey.modified = file_modified(&st);
    status = begin(stretches, &suited, error);
    if (status || !suited)
        stretches_close(stretches);
    else
        *out = stretches;
    return status;
}

rag_status stretches_open_source(const char *path, const struct survey *survey,
                                 const struct stretch_source *source, struct stretches **out,
                                 rag_error *error)
{
    *out = new_stretches(path, source);
    if (!*out)
        return fail_memory(error);
    (*out)->survey = *survey;
    return RAG_OK;
}

rag_status stretches_next(struct stretches *stretches, struct stretch **out, rag_error *error)
{
    struct stretch *now = &stretches->now;
    *out = NULL;
    rag_status status = check_same(stretches, error);
    if (status || stretches->ended)
        return status;
    if (!stretches->ready) {
        document_release(&now->document);
        if (!(status = read_next(stretches, error)))
            status = settle(stretches, error);
    }
    if (status)
        return status;
    stretches->ready = false;
    stretches->ended = now->last;
    *out = now;
    return RAG_OK;
}
