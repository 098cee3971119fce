/* Runs a fuzz target in an ordinary test: replay FOLDER [ROUNDS].
 *
 * Each file of the folder goes through LLVMFuzzerTestOneInput whole, cut off at many
 * places, and ROUNDS times (200) with a few bytes changed, the same at every run. A
 * target aborts when a promise is broken; the sanitizers do the rest. */
#define _XOPEN_SOURCE 700
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_FILE = 1 << 24, ROUNDS = 200, CUTS = 64, MAX_CHANGES = 8 };

static uint32_t state = 1;

static uint32_t next_random(void)
{
    state ^= state << 13;
    state ^= state >> 17;
    state ^= state << 5;
    return state;
}

/* A copy of exactly this size, so that reading behind its end is noticed. */
static void run(const uint8_t *data, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    if (!copy)
        abort();
    memcpy(copy, data, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void change(uint8_t *data, size_t size)
{
    static const uint8_t telling[] = {0, 1, 0x7F, 0x80, 0xFF, '"', '{', '[', '\n', ' '};
    size_t at = next_random() % size;
    switch (next_random() % 4) {
    case 0:
        data[at] ^= (uint8_t)(1u << next_random() % 8);
        break;
    case 1:
        data[at] = telling[next_random() % sizeof telling];
        break;
    case 2:
        data[at] = (uint8_t)next_random();
        break;
    default: { /* a stretch from elsewhere */
        size_t from = next_random() % size, last = at > from ? at : from;
        size_t length = next_random() % 16;
        if (length > size - last)
            length = size - last;
        memmove(data + at, data + from, length);
    }
    }
}

static void replay(uint8_t *data, size_t size, unsigned rounds)
{
    uint8_t *changed = malloc(size ? size : 1);
    if (!changed)
        abort();
    run(data, size);
    for (size_t i = 0; i < CUTS && i < size; i++)
        run(data, size * i / (size < CUTS ? size : CUTS));
    for (unsigned i = 0; size && i < rounds; i++) {
        memcpy(changed, data, size);
        for (unsigned j = next_random() % MAX_CHANGES + 1; j; j--)
            change(changed, size);
        run(changed, size);
    }
    free(changed);
}

static int replay_file(const char *path, unsigned rounds)
{
    FILE *file = fopen(path, "rb");
    uint8_t *data = malloc(MAX_FILE);
    if (!file || !data) {
        fprintf(stderr, "%s cannot be read\n", path);
        if (file)
            fclose(file);
        free(data);
        return 1;
    }
    size_t size = fread(data, 1, MAX_FILE, file);
    fclose(file);
    replay(data, size, rounds);
    free(data);
    return 0;
}

/* In order of name: directories have none, and the changes depend on the order. */
static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

int main(int argc, char **argv)
{
    struct dirent **entries;
    unsigned rounds = argc > 2 ? (unsigned)strtoul(argv[2], NULL, 10) : ROUNDS;
    int count = argc > 1 ? scandir(argv[1], &entries, visible, alphasort) : -1;
    int failed = 0;
    if (count < 1) {
        fprintf(stderr, "usage: replay FOLDER [ROUNDS], a folder with files\n");
        return 2;
    }
    for (int i = 0; i < count; i++) {
        char path[4096];
        snprintf(path, sizeof path, "%s/%s", argv[1], entries[i]->d_name);
        failed |= replay_file(path, rounds);
        free(entries[i]);
    }
    free(entries);
    return failed;
}
