#define _XOPEN_SOURCE 700
#include "pipeline/reading.h"
#include "base/file.h"

#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum {
    ATTEMPTS = 3,                      /* of a file that changes meanwhile */
    CLOCK_TICK_NANOSECONDS = 20000000, /* file systems tell times apart that are this far */
};

void reading_release(struct reading *reading)
{
    buf_release(&reading->bytes);
    document_release(&reading->document);
    chunk_list_release(&reading->chunks);
    *reading = (struct reading){0};
}

/* ---- Bytes ------------------------------------------------------------------- */

static bool same_state(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev && a->st_size == b->st_size &&
           file_modified(a) == file_modified(b);
}

/* Whoever writes twice within a tick of the clock leaves one and the same time: a file that was
 * written just now is looked at when the tick is over. */
static void wait_for_tick(const struct stat *st)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t age = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec - file_modified(st);
    if (age < 0 || age >= CLOCK_TICK_NANOSECONDS)
        return;
    struct timespec rest = {.tv_nsec = CLOCK_TICK_NANOSECONDS - (long)age};
    nanosleep(&rest, NULL);
}

static void note_state(struct reading *reading, const struct stat *st)
{
    reading->size = (uint64_t)st->st_size;
    reading->modified = file_modified(st);
}

/* Reads a file as it was at one moment; *st is of that moment. */
static rag_status read_steadily(struct reading *reading, struct stat *st)
{
    const char *path = reading->path;
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        struct stat after;
        wait_for_tick(st);
        if (stat(path, st) != 0)
            return fail_errno(&reading->error, RAG_INPUT, "%s", path);
        note_state(reading, st);
        buf_clear(&reading->bytes);
        rag_status status = file_read(path, &reading->bytes, &reading->error);
        if (status)
            return status;
        if (stat(path, &after) == 0 && same_state(st, &after) &&
            reading->size == reading->bytes.size)
            return RAG_OK;
        *st = after;
    }
    return fail_with(&reading->error, RAG_INPUT, "%s: it is being changed", path);
}

/* ---- Document and chunks ----------------------------------------------------- */

rag_status reading_need_model(struct reading_rules *rules, rag_error *error)
{
    pthread_mutex_lock(&rules->loading);
    rag_status status = index_need_model(rules->index, error);
    pthread_mutex_unlock(&rules->loading);
    return status;
}

void reading_cut(struct reading_rules *rules, struct reading *reading)
{
    reading->fate = READING_CUT;
    if (!reading->status)
        reading->status = reading_need_model(rules, &reading->error);
    if (!reading->status && !reading->document.path)
        reading->status = document_take(reading->path, &reading->bytes, &rules->read,
                                        &reading->document, &reading->error);
    if (!reading->status)
        reading->status = chunk_document(&reading->document, rules->index->model->tokenizer,
                                         &rules->chunker, &reading->chunks, &reading->error);
    buf_release(&reading->bytes);
}

/* What is not to be cut, but may have other metadata. */
static void read_metadata(const struct reading_rules *rules, struct reading *reading)
{
    if (rules->metadata)
        reading->status = document_take(reading->path, &reading->bytes, &rules->read,
                                        &reading->document, &reading->error);
}

/* Whether its hash is one that the index has: then it is READING_SAME or READING_GONE. */
static bool is_known(const struct reading_rules *rules, struct reading *reading)
{
    const struct known_document *known = reading->known;
    if (known && memcmp(&known->file.hash, &reading->hash, sizeof reading->hash) == 0)
        reading->fate = READING_SAME;
    else if (!known && known_has_gone(rules->known, &reading->hash))
        reading->fate = READING_GONE;
    else
        return false;
    return true;
}

static void read_file(struct reading_rules *rules, struct reading *reading, struct stat *st)
{
    reading->bytes = BUF_INIT((size_t)DOCUMENT_MAX_BYTES);
    reading->status = read_steadily(reading, st);
    if (!reading->status)
        reading->status = hash_bytes(reading->bytes.data, reading->bytes.size, &reading->hash,
                                     &reading->error);
    if (!reading->status)
        reading->status =
            read_options_mix(&rules->read, reading->path, &reading->hash, &reading->error);
    if (reading->status)
        return;
    if (is_known(rules, reading))
        read_metadata(rules, reading);
    else
        reading_cut(rules, reading);
}

static void run(struct reading_rules *rules, struct reading *reading, bool whole)
{
    struct stat st;
    reading->fate = READING_UNREADABLE;
    if (stat(reading->path, &st) != 0) {
        reading->status = fail_errno(&reading->error, RAG_INPUT, "%s", reading->path);
        return;
    }
    note_state(reading, &st);
    if (!whole && rules->chunker.chunker == RAG_CHUNKER_STRUCTURE &&
        stretches_suit(reading->size))
        reading->fate = READING_LARGE;
    else
        read_file(rules, reading, &st);
}

void reading_run(struct reading_rules *rules, struct reading *reading)
{
    run(rules, reading, false);
}

void reading_run_whole(struct reading_rules *rules, struct reading *reading)
{
    run(rules, reading, true);
}

rag_status reading_survey(struct reading_rules *rules, struct reading *reading,
                          struct stretches *stretches, rag_error *error)
{
    const struct survey *survey = stretches_survey(stretches);
    struct stretch *first;
    reading->hash = survey->hash;
    reading->size = survey->size;
    reading->modified = survey->modified;
    if (!is_known(rules, reading) || !rules->metadata)
        return RAG_OK;
    rag_status status = stretches_next(stretches, &first, error);
    if (status)
        return status;
    const struct buf *metadata = &first->document.metadata;
    reading->document.metadata = BUF_INIT(metadata->max);
    return buf_append(&reading->document.metadata, metadata->data, metadata->size)
               ? RAG_OK
               : fail_memory(error);
}
