/* fault_disk.h - the disk behind fault_vfs.c. */
#ifndef RAG_TESTS_SUPPORT_FAULT_DISK_H
#define RAG_TESTS_SUPPORT_FAULT_DISK_H

#include "support/fault_vfs.h"

#include <stdint.h>

enum { MAX_FILES = 16, MAX_NAME = 512 };

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

struct fault_disk {
    struct entry entries[MAX_FILES];
    struct fault_plan plan;
    long points;
    bool struck, dead;
    uint32_t random;
};
extern struct fault_disk disk;

/* The tests cannot go on without memory or room in the tables. */
void disk_require(bool condition, const char *what);

void disk_content_resize(struct content *content, size_t size);
void disk_content_write(struct content *content, const void *data, size_t size, size_t at);
void disk_content_copy(struct content *to, const struct content *from);

void disk_inode_drop(struct inode *inode);
struct inode *disk_inode_hold(struct inode *inode);

struct entry *disk_find_entry(const char *name); /* NULL: there is none */
struct inode *disk_find_file(const char *name);
struct inode *disk_make_file(const char *name);
void disk_set_link(struct inode **link, struct inode *inode);
void disk_sync_folder(void);

/* What befalls the write point in hand; a power loss is to be carried out in its middle. */
enum fault_kind disk_strike(void);
void disk_lose_power(void);

#endif
