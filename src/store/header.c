#include "store/header.h"
#include "base/file.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

/* Reads up to `size` bytes; what the file does not have is zero. The code is SQLite's. */
static int read_start(sqlite3_vfs *vfs, const char *name, int kind, unsigned char *bytes,
                      int size, sqlite3_int64 *file_size)
{
    sqlite3_file *file = calloc(1, (size_t)vfs->szOsFile);
    if (!file)
        return SQLITE_NOMEM;
    memset(bytes, 0, (size_t)size);
    int code = vfs->xOpen(vfs, name, file, SQLITE_OPEN_READONLY | kind, NULL);
    if (code == SQLITE_OK)
        code = file->pMethods->xFileSize(file, file_size);
    if (code == SQLITE_OK)
        code = file->pMethods->xRead(file, bytes, size, 0);
    if (file->pMethods)
        file->pMethods->xClose(file);
    free(file);
    return code == SQLITE_IOERR_SHORT_READ ? SQLITE_OK : code;
}

rag_status header_read(const char *path, unsigned char header[SCHEMA_HEADER_SIZE],
                       uint64_t *size, bool *missing, rag_error *error)
{
    rag_status status = RAG_OK;
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    const char *name = sqlite3_create_filename(path, "", "", 0, NULL);
    int exists = 0;
    sqlite3_int64 bytes = 0;
    memset(header, 0, SCHEMA_HEADER_SIZE);
    *missing = false;
    if (!vfs || !name) {
        status = fail_memory(error);
        goto out;
    }
    if (vfs->xAccess(vfs, name, SQLITE_ACCESS_EXISTS, &exists) == SQLITE_OK && !exists &&
        !path_is_file(path)) {
        *missing = true;
        goto out;
    }
    if (read_start(vfs, name, SQLITE_OPEN_MAIN_DB, header, SCHEMA_HEADER_SIZE, &bytes) !=
        SQLITE_OK)
        status = fail_errno(error, RAG_INDEX, "%s: cannot be read", path);
out:
    sqlite3_free_filename((char *)(uintptr_t)name);
    *size = bytes > 0 ? (uint64_t)bytes : 0;
    return status;
}

bool header_is_of_a_creation(const char *path)
{
    static const unsigned char magic[] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};
    enum { PAGES_BEFORE = 16, HEADER = 28 };
    unsigned char header[HEADER];
    sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
    char *journal = sqlite3_mprintf("%s-journal", path);
    const char *name = journal ? sqlite3_create_filename(path, journal, "", 0, NULL) : NULL;
    sqlite3_int64 size = 0;
    bool found = vfs && name &&
                 read_start(vfs, sqlite3_filename_journal(name), SQLITE_OPEN_MAIN_JOURNAL,
                            header, HEADER, &size) == SQLITE_OK &&
                 memcmp(header, magic, sizeof magic) == 0 &&
                 memcmp(header + PAGES_BEFORE, "\0\0\0", 4) == 0;
    sqlite3_free_filename((char *)(uintptr_t)name);
    sqlite3_free(journal);
    return found;
}
