/* SQLite's file layer over the disk. */
#include "support/fault_disk.h"

#include <errno.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>

enum { SECTOR_SIZE = 4096 }; /* as SQLite's own layer says */

static sqlite3_vfs *below;

/* An open file. */
struct handle {
    sqlite3_file base;
    struct inode *inode;
    bool read_only, delete_on_close;
    char name[MAX_NAME];
    int lock;
};

/* ---- An open file ---- */

static int file_close(sqlite3_file *file)
{
    struct handle *handle = (struct handle *)file;
    if (handle->lock >= SQLITE_LOCK_SHARED)
        file->pMethods->xUnlock(file, SQLITE_LOCK_NONE);
    if (handle->delete_on_close)
        disk_set_link(&disk_find_entry(handle->name)->live, NULL);
    disk_inode_drop(handle->inode);
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
    enum fault_kind fault = disk_strike();
    if (fault == FAULT_EIO || fault == FAULT_ENOSPC)
        count = 0;
    else if (fault == FAULT_SHORT_WRITE)
        count /= 2;
    disk_content_write(live, data, count, (size_t)offset);
    if (fault == FAULT_POWER_LOSS)
        disk_lose_power();
    if (fault == FAULT_ENOSPC || fault == FAULT_SHORT_WRITE)
        return SQLITE_FULL;
    return fault ? SQLITE_IOERR_WRITE : SQLITE_OK;
}

static int file_truncate(sqlite3_file *file, sqlite3_int64 size)
{
    enum fault_kind fault = disk_strike();
    if (fault == FAULT_NONE || fault == FAULT_DONE || fault == FAULT_POWER_LOSS)
        disk_content_resize(&((struct handle *)file)->inode->live, (size_t)size);
    if (fault == FAULT_POWER_LOSS)
        disk_lose_power();
    return fault ? SQLITE_IOERR_TRUNCATE : SQLITE_OK;
}

static int file_sync(sqlite3_file *file, int flags)
{
    (void)flags;
    struct inode *inode = ((struct handle *)file)->inode;
    enum fault_kind fault = disk_strike();
    if (fault == FAULT_NONE || fault == FAULT_DONE) {
        disk_content_copy(&inode->durable, &inode->live);
        if (inode->fresh)
            disk_sync_folder();
        inode->fresh = false;
    }
    if (fault == FAULT_POWER_LOSS)
        disk_lose_power();
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
    return SECTOR_SIZE;
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
    struct inode *inode = disk_find_file(handle->name);
    if (!inode) {
        enum fault_kind fault =
            flags & SQLITE_OPEN_CREATE && !disk.dead ? disk_strike() : FAULT_EIO;
        if (fault == FAULT_NONE || fault == FAULT_DONE || fault == FAULT_POWER_LOSS) {
            inode = disk_make_file(handle->name);
            inode->fresh = flags & SQLITE_OPEN_MAIN_JOURNAL;
        }
        if (fault == FAULT_POWER_LOSS)
            disk_lose_power();
        if (fault)
            return SQLITE_CANTOPEN;
    }
    handle->inode = disk_inode_hold(inode);
    file->pMethods = &file_methods;
    if (out_flags)
        *out_flags = flags;
    return SQLITE_OK;
}

static int disk_delete(sqlite3_vfs *vfs, const char *name, int sync)
{
    (void)vfs;
    struct entry *entry = disk_find_entry(name);
    if (!entry || !entry->live)
        return SQLITE_IOERR_DELETE_NOENT;
    enum fault_kind fault = disk_strike();
    if (fault == FAULT_NONE || fault == FAULT_DONE || fault == FAULT_POWER_LOSS)
        disk_set_link(&entry->live, NULL);
    if (fault == FAULT_POWER_LOSS)
        disk_lose_power();
    else if (fault == FAULT_NONE && sync)
        disk_sync_folder();
    return fault ? SQLITE_IOERR_DELETE : SQLITE_OK;
}

static int disk_access(sqlite3_vfs *vfs, const char *name, int flags, int *result)
{
    (void)vfs, (void)flags;
    const struct inode *inode = disk_find_file(name);
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
    return below->xCurrentTime(below, now);
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
    below = sqlite3_vfs_find(NULL);
    sqlite3_vfs_register(&disk_vfs, 1);
}

void fault_disk_uninstall(void)
{
    fault_disk_clear();
    sqlite3_vfs_unregister(&disk_vfs);
}
