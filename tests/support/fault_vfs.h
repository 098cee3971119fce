/* fault_vfs.h - a disk in memory, under SQLite, that fails where it is told to.
 *
 * The disk keeps of each file what processes see and what would be left of it after a power
 * loss: what the last sync of the file made durable. The same of the folder's entries, which
 * are durable when a created journal is synced for the first time, or when a deletion is asked
 * to be, as in SQLite's own layer for POSIX. At a power loss, of what was not durable
 *
 *   - sectors of a file are there in their new or old form, or torn: a part of each;
 *   - a file that grew has any size between, and bytes that were never written are anything;
 *   - files that were made or deleted are there or not.
 *
 * A sector that was written several times since the last sync is there in its last form or in
 * its durable one: forms between are not simulated.
 *
 * Write points are the calls that change something: writing, truncating, syncing, deleting,
 * and opening a file that is not there yet. One disk, for one thread. */
#ifndef RAG_TESTS_SUPPORT_FAULT_VFS_H
#define RAG_TESTS_SUPPORT_FAULT_VFS_H

#include <stdbool.h>
#include <stddef.h>

enum fault_kind {
    FAULT_NONE,
    FAULT_EIO,         /* the call fails, and nothing is done */
    FAULT_ENOSPC,      /* the same, for want of room */
    FAULT_SHORT_WRITE, /* a part is written, and then there is no room */
    FAULT_DONE,        /* all is done, and reported as failed */
    FAULT_POWER_LOSS,  /* in the middle of the call; no call after it does anything */
};

/* What a power loss leaves of what was not durable. */
enum fault_loss {
    LOSS_OF_ALL,
    LOSS_OF_NOTHING,
    LOSS_OF_SECTORS, /* of 512 bytes, any of them */
    LOSS_OF_BLOCKS,  /* of 4096 bytes */
    LOSS_TORN,       /* of sectors, some of which are torn */
    LOSS_KINDS,
};

struct fault_plan {
    enum fault_kind kind;
    long at;      /* the write point, counted from 0 since the plan was set */
    bool lasting; /* it and all that follow; a power loss always is */
    enum fault_loss loss;
    unsigned seed; /* of the choices that a power loss makes */
};

/* Makes the disk, empty, SQLite's default VFS; and takes it out again. */
void fault_disk_install(void);
void fault_disk_uninstall(void);

/* No file may be open. */
void fault_disk_clear(void);

/* Replaces the plan and begins to count; NULL: nothing fails. */
void fault_disk_plan(const struct fault_plan *plan);
long fault_disk_points(void); /* since the plan was set */
bool fault_disk_struck(void); /* the plan's fault has happened */

/* The machine starts again, on what the power loss left, with no plan. No file may be open. */
void fault_disk_power_up(void);

/* Puts a file on the disk, durable, or gives its bytes, which stay until the next call on the
 * disk. No file may be open. */
void fault_disk_write(const char *name, const void *bytes, size_t size);
const unsigned char *fault_disk_read(const char *name, size_t *size);

/* A copy of the disk, and back to it: its files as they are, all of them durable. No file may
 * be open. */
struct fault_image;
struct fault_image *fault_disk_save(void);
void fault_disk_load(const struct fault_image *image);
void fault_image_free(struct fault_image *image);

#endif
