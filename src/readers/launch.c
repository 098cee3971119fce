#include "readers/launch.h"
#include "documents/reader_program.h"
#include "readers/sandbox.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

/* The paths are where Debian has them: nothing is searched for. */
static const struct {
    const char *name, *path;
    const char *arguments[8];
} programs[] = {
    /* In the order of reading, which keeps columns apart; HTML brings the title and author. */
    {"pdftotext",
     "/usr/bin/pdftotext",
     {"pdftotext", "-q", "-enc", "UTF-8", "-htmlmeta", "-", "-"}},
};

int launch(const char *program)
{
    static const char *const environment[] = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8",
                                              "HOME=/nonexistent", NULL};
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        if (strcmp(programs[i].name, program) != 0)
            continue;
        if (access(programs[i].path, X_OK) != 0)
            return READER_EXIT_NOT_INSTALLED;
        sandbox_exec(programs[i].path, (char *const *)(uintptr_t)programs[i].arguments,
                     (char *const *)(uintptr_t)environment);
        return errno == ENOENT ? READER_EXIT_NOT_INSTALLED : READER_EXIT_FAILED;
    }
    return READER_EXIT_FAILED;
}
