/* Any file is a cache of vectors in which rows that it has are found, or is refused: the input
 * is its two headers and what the rest is filled with; as they are, and with checksums made to
 * match. */
#define _XOPEN_SOURCE 700
#include "base/checksum.h"
#include "store/cache_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    DIMENSION = 32,
    WIDTH = 256, /* that codes of 32 dimensions have */
    PAGE = 4096,
    HEADER = 88,
    CENTRE_CHECKSUM = 72,
    CHECKSUM = 80,
    FIRST_SECTION = 2 * PAGE,
    ROOM = 2048, /* rows, more than are all looked at (scan.c) */
    MOST = 1 << 21,
};

static uint8_t file[MOST];
static char path[64];

static void remove_file(void)
{
    unlink(path);
}

/* The bytes of a file with room for ROOM rows (docs/format.md); that of any other room is cut
 * off there, and so refused. */
static size_t file_size(void)
{
    size_t blocks = ROOM / 16 * 2 * (256 + 32), rest = ROOM * 16, lower = ROOM * WIDTH / 8;
    size_t size = FIRST_SECTION + 4096; /* the centre is 1024 */
    size += (blocks + PAGE - 1) / PAGE * PAGE;
    return size + rest + lower + ROOM * 2 * WIDTH + ROOM * 8;
}

static void sign(void)
{
    uint64_t centre = checksum_bytes(file + FIRST_SECTION, WIDTH * sizeof(float));
    for (size_t slot = 0; slot < 2; slot++) {
        uint8_t *header = file + slot * PAGE;
        memcpy(header + CENTRE_CHECKSUM, &centre, sizeof centre);
        uint64_t sum = checksum_bytes(header, CHECKSUM);
        memcpy(header + CHECKSUM, &sum, sizeof sum);
    }
}

static void search(const struct cache_file *cache)
{
    struct coder coder;
    struct scan_room room = {0};
    struct scored_list found;
    rag_error error;
    float query[DIMENSION] = {0.6f, -0.8f};
    const float *centre = (const float *)(const void *)(cache->map + cache->layout.centre);
    if (!coder_init(&coder, DIMENSION, centre))
        abort();
    struct scan_table table = {
        .coder = &coder,
        .kernels = code_kernels_version(0),
        .blocks = (const uint32_t *)(const void *)(cache->map + cache->layout.blocks),
        .rest = (const uint32_t *)(const void *)(cache->map + cache->layout.rest),
        .lower = (const uint32_t *)(const void *)(cache->map + cache->layout.lower),
        .residuals = (const int8_t *)(cache->map + cache->layout.residuals),
        .rows = (size_t)cache->state.rows,
    };
    struct row_range all = {0, table.rows};
    for (size_t v = 0; code_kernels_version(v) && table.rows; v++) {
        table.kernels = code_kernels_version(v);
        if (scan_nearest(&table, &all, 1, query, 10, &room, &found, &error))
            abort();
        for (size_t i = 0; i < found.count; i++)
            if ((uint64_t)found.items[i].chunk_id >= table.rows)
                abort();
        scored_list_release(&found);
    }
    scan_room_release(&room);
    coder_release(&coder);
}

static void try_file(size_t size)
{
    struct cache_file cache;
    rag_error error;
    FILE *out = fopen(path, "wb");
    if (!out || fwrite(file, 1, size, out) != size || fclose(out) != 0)
        abort();
    rag_status status = cache_file_open(&cache, path, DIMENSION, &error);
    if (status && status != RAG_NOT_FOUND)
        abort();
    if (!status) {
        search(&cache);
        cache_file_close(&cache);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint8_t none[1];
    if (!*path) {
        snprintf(path, sizeof path, "/tmp/rag-fuzz-%ld-cache", (long)getpid());
        atexit(remove_file);
    }
    memset(file, 0, sizeof file);
    for (size_t slot = 0; slot < 2 && size >= HEADER; slot++) {
        memcpy(file + slot * PAGE, data, HEADER);
        data += HEADER;
        size -= HEADER;
    }
    if (!size) {
        data = none;
        size = 1;
    }
    for (size_t i = FIRST_SECTION; i < file_size(); i++)
        file[i] = data[(i - FIRST_SECTION) % size];
    try_file(file_size());
    sign();
    try_file(file_size());
    return 0;
}
