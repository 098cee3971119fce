/* The disk: files, what of them is durable, and what a power loss leaves. */
#include "support/fault_disk.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SECTOR = 512, BLOCK = 4096 };

struct fault_image {
    struct {
        char name[MAX_NAME];
        struct content content;
    } files[MAX_FILES];
    size_t count;
};

struct fault_disk disk;

void disk_require(bool condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "fault_vfs: %s\n", what);
        abort();
    }
}

static uint32_t next_random(void)
{
    disk.random ^= disk.random << 13;
    disk.random ^= disk.random >> 17;
    disk.random ^= disk.random << 5;
    return disk.random;
}

/* ---- Contents ---- */

void disk_content_resize(struct content *content, size_t size)
{
    if (size > content->capacity) {
        size_t capacity = size > 2 * content->capacity ? size : 2 * content->capacity;
        content->bytes = realloc(content->bytes, capacity);
        disk_require(content->bytes, "out of memory");
        content->capacity = capacity;
    }
    if (size > content->size)
        memset(content->bytes + content->size, 0, size - content->size);
    content->size = size;
}

void disk_content_write(struct content *content, const void *data, size_t size, size_t at)
{
    if (!size)
        return;
    if (at + size > content->size)
        disk_content_resize(content, at + size);
    memcpy(content->bytes + at, data, size);
}

void disk_content_copy(struct content *to, const struct content *from)
{
    to->size = 0;
    disk_content_write(to, from->bytes, from->size, 0);
}

void disk_inode_drop(struct inode *inode)
{
    if (inode && --inode->users == 0) {
        free(inode->live.bytes);
        free(inode->durable.bytes);
        free(inode);
    }
}

struct inode *disk_inode_hold(struct inode *inode)
{
    if (inode)
        inode->users++;
    return inode;
}

/* ---- The folder ---- */

struct entry *disk_find_entry(const char *name)
{
    for (size_t i = 0; i < MAX_FILES; i++)
        if (strcmp(disk.entries[i].name, name) == 0)
            return &disk.entries[i];
    return NULL;
}

struct inode *disk_find_file(const char *name)
{
    const struct entry *entry = disk_find_entry(name);
    return entry ? entry->live : NULL;
}

void disk_set_link(struct inode **link, struct inode *inode)
{
    disk_inode_hold(inode);
    disk_inode_drop(*link);
    *link = inode;
}

struct inode *disk_make_file(const char *name)
{
    struct entry *entry = disk_find_entry(name);
    for (size_t i = 0; !entry && i < MAX_FILES; i++)
        if (!disk.entries[i].live && !disk.entries[i].durable)
            entry = &disk.entries[i];
    struct inode *inode = calloc(1, sizeof *inode);
    disk_require(entry && inode && strlen(name) < MAX_NAME, "no room for another file");
    strcpy(entry->name, name);
    disk_set_link(&entry->live, inode);
    return inode;
}

void disk_sync_folder(void)
{
    for (size_t i = 0; i < MAX_FILES; i++)
        disk_set_link(&disk.entries[i].durable, disk.entries[i].live);
}

/* ---- Power loss ---- */

/* Whether what was not durable is there all the same. */
static bool survives(void)
{
    switch (disk.plan.loss) {
    case LOSS_OF_ALL:
        return false;
    case LOSS_OF_NOTHING:
        return true;
    default:
        return next_random() % 2;
    }
}

/* Makes of the durable form of a stretch what the power loss leaves: nothing, all, or, if it
 * is torn, the beginning or the end of what was written. */
static void lose_stretch(struct inode *inode, size_t begin, size_t end)
{
    if (disk.plan.loss == LOSS_TORN && next_random() % 3 == 0) {
        size_t tear = begin + next_random() % (end - begin);
        if (next_random() % 2)
            begin = tear;
        else
            end = tear;
    } else if (!survives()) {
        return;
    }
    size_t known = inode->live.size < end ? inode->live.size : end;
    if (known > begin)
        memcpy(inode->durable.bytes + begin, inode->live.bytes + begin, known - begin);
}

static void lose_writes(struct inode *inode)
{
    size_t old = inode->durable.size, size = inode->live.size;
    if (disk.plan.loss != LOSS_OF_NOTHING) {
        size_t least = old < size ? old : size, most = old < size ? size : old;
        size = disk.plan.loss == LOSS_OF_ALL ? old
               : next_random() % 2           ? (next_random() % 2 ? old : size)
                                             : least + next_random() % (most - least + 1);
    }
    disk_content_resize(&inode->durable, size);
    for (size_t i = old; i < size && disk.plan.loss != LOSS_OF_NOTHING; i++)
        inode->durable.bytes[i] = (unsigned char)next_random();
    size_t step = disk.plan.loss == LOSS_OF_BLOCKS ? BLOCK : SECTOR;
    for (size_t at = 0; at < size; at += step)
        lose_stretch(inode, at, at + step < size ? at + step : size);
}

void disk_lose_power(void)
{
    disk.dead = true;
    for (size_t i = 0; i < MAX_FILES; i++) {
        struct entry *entry = &disk.entries[i];
        if (entry->live != entry->durable && survives())
            disk_set_link(&entry->durable, entry->live);
    }
    for (size_t i = 0; i < MAX_FILES; i++)
        if (disk.entries[i].durable)
            lose_writes(disk.entries[i].durable);
}

/* ---- Faults ---- */

enum fault_kind disk_strike(void)
{
    long point = disk.points++;
    if (disk.dead)
        return FAULT_EIO;
    bool now = disk.plan.kind != FAULT_NONE &&
               (point == disk.plan.at || (disk.plan.lasting && point > disk.plan.at));
    disk.struck |= now;
    return now ? disk.plan.kind : FAULT_NONE;
}

/* ---- Plans ---- */

void fault_disk_clear(void)
{
    for (size_t i = 0; i < MAX_FILES; i++) {
        struct entry *entry = &disk.entries[i];
        disk_set_link(&entry->live, NULL);
        disk_set_link(&entry->durable, NULL);
        *entry->name = '\0';
    }
    fault_disk_plan(NULL);
}

void fault_disk_plan(const struct fault_plan *plan)
{
    disk.plan = plan ? *plan : (struct fault_plan){.kind = FAULT_NONE};
    disk.random = 2 * disk.plan.seed + 1; /* never 0 */
    disk.points = 0;
    disk.struck = disk.dead = false;
}

long fault_disk_points(void)
{
    return disk.points;
}

bool fault_disk_struck(void)
{
    return disk.struck;
}

void fault_disk_power_up(void)
{
    for (size_t i = 0; i < MAX_FILES; i++) {
        struct entry *entry = &disk.entries[i];
        disk_set_link(&entry->live, entry->durable);
        if (!entry->live)
            *entry->name = '\0';
        else
            disk_content_copy(&entry->live->live, &entry->live->durable);
    }
    fault_disk_plan(NULL);
}

void fault_disk_write(const char *name, const void *bytes, size_t size)
{
    struct inode *inode = disk_make_file(name);
    disk_content_write(&inode->live, bytes, size, 0);
    disk_content_write(&inode->durable, bytes, size, 0);
    disk_sync_folder();
}

const unsigned char *fault_disk_read(const char *name, size_t *size)
{
    const struct inode *inode = disk_find_file(name);
    *size = inode ? inode->live.size : 0;
    return inode ? inode->live.bytes : NULL;
}

/* ---- Copies ---- */

struct fault_image *fault_disk_save(void)
{
    struct fault_image *image = calloc(1, sizeof *image);
    disk_require(image, "out of memory");
    for (size_t i = 0; i < MAX_FILES; i++) {
        if (!disk.entries[i].live)
            continue;
        strcpy(image->files[image->count].name, disk.entries[i].name);
        disk_content_copy(&image->files[image->count++].content, &disk.entries[i].live->live);
    }
    return image;
}

void fault_disk_load(const struct fault_image *image)
{
    fault_disk_clear();
    for (size_t i = 0; i < image->count; i++) {
        struct inode *inode = disk_make_file(image->files[i].name);
        disk_content_copy(&inode->live, &image->files[i].content);
        disk_content_copy(&inode->durable, &image->files[i].content);
    }
    disk_sync_folder();
}

void fault_image_free(struct fault_image *image)
{
    for (size_t i = 0; image && i < image->count; i++)
        free(image->files[i].content.bytes);
    free(image);
}
