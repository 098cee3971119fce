#include "support/fault_vfs.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FILES = 16, MAX_NAME = 512, SECTOR = 512, BLOCK = 4096 };

struct content {
    unsigned char *bytes;
    size_t size, capacity;
};

/* A file, with a name or without: one that was deleted lives on while it is open, and as long
 * as its deletion may be undone. */
struct inode {
    struct content live, durable;
    int users;  /* open handles and entries */
    bool fresh; /* its folder is to be synced with it */
    int readers;
    bool reserved, pending, exclusive;
};

struct entry {
    char name[MAX_NAME];
    struct inode *live, *durable;
};

struct fault_image {
    struct {
        char name[MAX_NAME];
        struct content content;
    } files[MAX_FILES];
    size_t count;
};

/* An open file. */
struct handle {
    sqlite3_file base;
    struct inode *inode;
    bool read_only, delete_on_close;
    char name[MAX_NAME];
    int lock;
};

static struct {
    struct entry entries[MAX_FILES];
    struct fault_plan plan;
    long points;
    bool struck, dead;
    uint32_t random;
    sqlite3_vfs *below;
} disk;

/* The tests cannot go on without memory or room in the tables. */
static void require(bool condition, const char *what)
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

static void content_resize(struct content *content, size_t size)
{
    if (size > content->capacity) {
        size_t capacity = size > 2 * content->capacity ? size : 2 * content->capacity;
        content->bytes = realloc(content->bytes, capacity);
        require(content->bytes, "out of memory");
        content->capacity = capacity;
    }
    if (size > content->size)
        memset(content->bytes + content->size, 0, size - content->size);
    content->size = size;
}

static void content_write(struct content *content, const void *data, size_t size, size_t at)
{
    if (!size)
        return;
    if (at + size > content->size)
        content_resize(content, at + size);
    memcpy(content->bytes + at, data, size);
}

static void content_copy(struct content *to, const struct content *from)
{
    to->size = 0;
    content_write(to, from->bytes, from->size, 0);
}

static void inode_drop(struct inode *inode)
{
    if (inode && --inode->users == 0) {
        free(inode->live.bytes);
        free(inode->durable.bytes);
        free(inode);
    }
}

static struct inode *inode_hold(struct inode *inode)
{
    if (inode)
        inode->users++;
    return inode;
}

/* ---- The folder ---- */

static struct entry *find_entry(const char *name)
{
    for (size_t i = 0; i < MAX_FILES; i++)
        if (strcmp(disk.entries[i].name, name) == 0)
            return &disk.entries[i];
    return NULL;
}

static struct inode *find_file(const char *name)
{
    const struct entry *entry = find_entry(name);
    return entry ? entry->live : NULL;
}

static void set_link(struct inode **link, struct inode *inode)
{
    inode_hold(inode);
    inode_drop(*link);
    *link = inode;
}

static struct inode *make_file(const char *name)
{
    struct entry *entry = find_entry(name);
    for (size_t i = 0; !entry && i < MAX_FILES; i++)
        if (!disk.entries[i].live && !disk.entries[i].durable)
            entry = &disk.entries[i];
    struct inode *inode = calloc(1, sizeof *inode);
    require(entry && inode && strlen(name) < MAX_NAME, "no room for another file");
    strcpy(entry->name, name);
    set_link(&entry->live, inode);
    return inode;
}

static void sync_folder(void)
{
    for (size_t i = 0; i < MAX_FILES; i++)
        set_link(&disk.entries[i].durable, disk.entries[i].live);
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
    content_resize(&inode->durable, size);
    for (size_t i = old; i < size && disk.plan.loss != LOSS_OF_NOTHING; i++)
        inode->durable.bytes[i] = (unsigned char)next_random();
    size_t step = disk.plan.loss == LOSS_OF_BLOCKS ? BLOCK : SECTOR;
    for (size_t at = 0; at < size; at += step)
        lose_stretch(inode, at, at + step < size ? at + step : size);
}

static void lose_power(void)
{
    disk.dead = true;
    for (size_t i = 0; i < MAX_FILES; i++) {
        struct entry *entry = &disk.entries[i];
        if (entry->live != entry->durable && survives())
            set_link(&entry->durable, entry->live);
    }
    for (size_t i = 0; i < MAX_FILES; i++)
        if (disk.entries[i].durable)
            lose_writes(disk.entries[i].durable);
}

/* ---- Faults ---- */

/* What befalls the write point in hand. */
static enum fault_kind strike(void)
{
    long point = disk.points++;
    if (disk.dead)
        return FAULT_EIO;
    bool now = disk.plan.kind != FAULT_NONE &&
               (point == disk.plan.at || (disk.plan.lasting && point > disk.plan.at));
    disk.struck |= now;
    return now ? disk.plan.kind : FAULT_NONE;
}

/* ---- An open file ---- */

static int file_close(sqlite3_file *file)
{
    struct handle *handle = (struct handle *)file;
    if (handle->lock >= SQLITE_LOCK_SHARED)
        file->pMethods->xUnlock(file, SQLITE_LOCK_NONE);
    if (handle->delete_on_close)
        set_link(&find_entry(handle->name)->live, NULL);
    inode_drop(handle->inode);
    handle->inode = NULL;
    return SQLITE_OK;
}

static int file_read(sqlite3_file *file, void *data, int size, sqlite3_int64 offset)
{
    const struct content *live = &((struct handle *)file)->inode->live;
    if (disk.dead)
        return SQLITE_IOERR_READ;
    size_t at = (size_t)offset, wanted = (size_t)size;
    size_t there = at < live->size ? live->size - at : 0;
    size_t count = there < wanted ? there : wanted;
    if (count)
        memcpy(data, live->bytes + at, count);
    memset((char *)data + count, 0, wanted - count);
    return count == wanted ? SQLITE_OK : SQLITE_IOERR_SHORT_READ;
}

static int file_write(sqlite3_file *file, const void *data, int size, sqlite3_int64 offset)
{
    struct content *live = &((struct handle *)file)->inode->live;
    size_t count = (size_t)size;
    enum fault_kind fault = strike();
    if (fault == FAULT_EIO || fault == FAULT_ENOSPC)
        count = 0;
    else if (fault == FAULT_SHORT_WRITE)
        count /= 2;
    content_write(live, data, count, (size_t)offset);
    if (fault == FAULT_POWER_LOSS)
        lose_power();
    if (fault == FAULT_ENOSPC || fault == FAULT_SHORT_WRITE)
        return SQLITE_FULL;
    return fault ? SQLITE_IOERR_WRITE : SQLITE_OK;
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    enum fault_kind fault = strike();
    if (fault == FAULT_NONE || fault == FAULT_DONE || fault == FAULT_POWER_LOSS)
        content_resize(&((struct handle *)file)->inode->live, (size_t)size);
    if (fault == FAULT_POWER_LOSS)
        lose_power();
    return fault ? SQLITE_IOERR_TRUNCATE : SQLITE_OK;
}

static int file_sync(sqlite3_file *file, int flags)
{
    (void)flags;
    struct inode *inode = ((struct handle *)file)->inode;
    enum fault_kind fault = strike();
    if (fault == FAULT_NONE || fault == FAULT_DONE) {
        content_copy(&inode->durable, &inode->live);
        if (inode->fresh)
            sync_folder();
        inode->fresh = false;
    }
    if (fault == FAULT_POWER_LOSS)
        lose_power();
    return fault ? SQLITE_IOERR_FSYNC : SQLITE_OK;
}

static int file_size(sqlite3_file *file, sqlite3_int64 *size)
{
    *size = (sqlite3_int64)((struct handle *)file)->inode->live.size;
    return SQLITE_OK;
}

static int file_lock(sqlite3_file *file, int lock)
{
    struct handle *handle = (struct handle *)file;
    struct inode *inode = handle->inode;
    if (handle->lock >= lock)
        return SQLITE_OK;
    if (lock == SQLITE_LOCK_SHARED) {
        if (inode->pending || inode->exclusive)
            return SQLITE_BUSY;
        inode->readers++;
    } else if (lock == SQLITE_LOCK_RESERVED) {
        if (inode->reserved)
            return SQLITE_BUSY;
        inode->reserved = true;
    } else {
        if (handle->lock < SQLITE_LOCK_PENDING && inode->pending)
            return SQLITE_BUSY;
        inode->pending = true;
        handle->lock = SQLITE_LOCK_PENDING;
        if (inode->readers > 1)
            return SQLITE_BUSY;
        inode->exclusive = true;
    }
    handle->lock = lock;
    return SQLITE_OK;
}

static int file_unlock(sqlite3_file *file, int lock)
{
    struct handle *handle = (struct handle *)file;
    struct inode *inode = handle->inode;
    if (handle->lock >= SQLITE_LOCK_PENDING)
        inode->pending = inode->exclusive = inode->reserved = false;
    else if (handle->lock == SQLITE_LOCK_RESERVED)
        inode->reserved = false;
    if (lock == SQLITE_LOCK_NONE && handle->lock >= SQLITE_LOCK_SHARED)
        inode->readers--;
    handle->lock = lock;
    return SQLITE_OK;
}

static int file_check_reserved(sqlite3_file *file, int *reserved)
{
    *reserved = ((struct handle *)file)->inode->reserved;
    return SQLITE_OK;
}

static int file_control(sqlite3_file *file, int operation, void *argument)
{
    (void)file, (void)operation, (void)argument;
    return SQLITE_NOTFOUND;
}

static int file_sector_size(sqlite3_file *file)
{
    (void)file;
    return BLOCK; /* as SQLite's own layer says */
}

static int file_characteristics(sqlite3_file *file)
{
    (void)file;
    return SQLITE_IOCAP_POWERSAFE_OVERWRITE;
}

static const sqlite3_io_methods file_methods = {
    .iVersion = 1,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
};

/* ---- The disk ---- */

static int disk_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                     int *out_flags)
{
    (void)vfs;
    static unsigned unnamed;
    struct handle *handle = (struct handle *)file;
    *handle = (struct handle){.read_only = flags & SQLITE_OPEN_READONLY,
                              .delete_on_close = flags & SQLITE_OPEN_DELETEONCLOSE};
    if (name)
        snprintf(handle->name, sizeof handle->name, "%s", name);
    else
        snprintf(handle->name, sizeof handle->name, "/temporary/%u", unnamed++);
    struct inode *inode = find_file(handle->name);
    if (!inode) {
        enum fault_kind fault = flags & SQLITE_OPEN_CREATE && !disk.dead ? strike() : FAULT_EIO;
        if (fault == FAULT_NONE || fault == FAULT_DONE || fault == FAULT_POWER_LOSS) {
            inode = make_file(handle->name);
            inode->fresh = flags & SQLITE_OPEN_MAIN_JOURNAL;
        }
        if (fault == FAULT_POWER_LOSS)
            lose_power();
        if (fault)
            return SQLITE_CANTOPEN;
    }
    handle->inode = inode_hold(inode);
    file->pMethods = &file_methods;
    if (out_flags)
        *out_flags = flags;
    return SQLITE_OK;
}

static int disk_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    (void)vfs;
    struct entry *entry = find_entry(name);
    if (!entry || !entry->live)
        return SQLITE_IOERR_DELETE_NOENT;
    enum fault_kind fault = strike();
    if (fault == FAULT_NONE || fault == FAULT_DONE || fault == FAULT_POWER_LOSS)
        set_link(&entry->live, NULL);
    if (fault == FAULT_POWER_LOSS)
        lose_power();
    else if (fault == FAULT_NONE && sync)
        sync_folder();
    return fault ? SQLITE_IOERR_DELETE : SQLITE_OK;
}

static int disk_access(sqlite3_vfs *vfs, const char *name, int flags, int *result)
{
    (void)vfs, (void)flags;
    const struct inode *inode = find_file(name);
    /* As SQLite's own layer: an empty file does not exist. */
    *result = inode && (flags != SQLITE_ACCESS_EXISTS || inode->live.size > 0);
    return SQLITE_OK;
}

static int disk_full_path(sqlite3_vfs *vfs, const char *name, int size, char *out)
{
    (void)vfs;
    return snprintf(out, (size_t)size, "%s", name) < size ? SQLITE_OK : SQLITE_CANTOPEN;
}

static int disk_randomness(sqlite3_vfs *vfs, int size, char *out)
{
    (void)vfs;
    for (int i = 0; i < size; i++) /* the same in every run */
        out[i] = (char)(i * 37 + 11);
    return size;
}

static int disk_sleep(sqlite3_vfs *vfs, int microseconds)
{
    (void)vfs;
    return microseconds;
}

static int disk_time(sqlite3_vfs *vfs, double *now)
{
    (void)vfs;
    return disk.below->xCurrentTime(disk.below, now);
}

static int disk_last_error(sqlite3_vfs *vfs, int size, char *out)
{
    (void)vfs, (void)size, (void)out;
    return EIO;
}

static sqlite3_vfs disk_vfs = {
    .iVersion = 1,
    .szOsFile = sizeof(struct handle),
    .mxPathname = MAX_NAME - 1,
    .zName = "fault",
    .xOpen = disk_open,
    .xDelete = disk_delete,
    .xAccess = disk_access,
    .xFullPathname = disk_full_path,
    .xRandomness = disk_randomness,
    .xSleep = disk_sleep,
    .xCurrentTime = disk_time,
    .xGetLastError = disk_last_error,
};

void fault_disk_install(void)
{
    disk.below = sqlite3_vfs_find(NULL);
    sqlite3_vfs_register(&disk_vfs, 1);
}

void fault_disk_uninstall(void)
{
    fault_disk_clear();
    sqlite3_vfs_unregister(&disk_vfs);
}

void fault_disk_clear(void)
{
    for (size_t i = 0; i < MAX_FILES; i++) {
        struct entry *entry = &disk.entries[i];
        set_link(&entry->live, NULL);
        set_link(&entry->durable, NULL);
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
        set_link(&entry->live, entry->durable);
        if (!entry->live)
            *entry->name = '\0';
        else
            content_copy(&entry->live->live, &entry->live->durable);
    }
    fault_disk_plan(NULL);
}

void fault_disk_write(const char *name, const void *bytes, size_t size)
{
    struct inode *inode = make_file(name);
    content_write(&inode->live, bytes, size, 0);
    content_write(&inode->durable, bytes, size, 0);
    sync_folder();
}

const unsigned char *fault_disk_read(const char *name, size_t *size)
{
    const struct inode *inode = find_file(name);
    *size = inode ? inode->live.size : 0;
    return inode ? inode->live.bytes : NULL;
}

/* ---- Copies ---- */

struct fault_image *fault_disk_save(void)
{
    struct fault_image *image = calloc(1, sizeof *image);
    require(image, "out of memory");
    for (size_t i = 0; i < MAX_FILES; i++) {
        if (!disk.entries[i].live)
            continue;
        strcpy(image->files[image->count].name, disk.entries[i].name);
        content_copy(&image->files[image->count++].content, &disk.entries[i].live->live);
    }
    return image;
}

void fault_disk_load(const struct fault_image *image)
{
    fault_disk_clear();
    for (size_t i = 0; i < image->count; i++) {
        struct inode *inode = make_file(image->files[i].name);
        content_copy(&inode->live, &image->files[i].content);
        content_copy(&inode->durable, &image->files[i].content);
    }
    sync_folder();
}

void fault_image_free(struct fault_image *image)
{
    for (size_t i = 0; image && i < image->count; i++)
        free(image->files[i].content.bytes);
    free(image);
}
