#include "readers/launch.h"
#include "documents/reader_program.h"
#include "readers/sandbox.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

enum { MAX_ARGUMENTS = 12 };

/* The paths are where Debian has them: nothing is searched for. "%" stands for the parameter.
 */
static const struct {
    const char *name, *path;
    const char *arguments[MAX_ARGUMENTS];
} programs[] = {
    /* In the order of reading, which keeps columns apart; HTML brings the title and author. */
    {"pdftotext",
     "/usr/bin/pdftotext",
     {"pdftotext", "-q", "-enc", "UTF-8", "-htmlmeta", "-", "-"}},
    {"pdftoppm",
     "/usr/bin/pdftoppm",
     {"pdftoppm", "-q", "-gray", "-r", "200", "-f", "%", "-l", "%", "-"}},
    {"tesseract", "/usr/bin/tesseract", {"tesseract", "-", "-", "-l", "%"}},
    {"tesseract-languages", "/usr/bin/tesseract", {"tesseract", "--list-langs"}},
};

static bool is_harmless(const char *parameter)
{
    return parameter[strspn(parameter, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                       "0123456789_+")] == 0;
}

int launch(const char *program, const char *parameter)
{
    static const char *const environment[] = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8",
                                              "HOME=/nonexistent", "OMP_THREAD_LIMIT=1", NULL};
    if (parameter && !is_harmless(parameter))
        return READER_EXIT_FAILED;
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++) {
        if (strcmp(programs[i].name, program) != 0)
            continue;
        const char *arguments[MAX_ARGUMENTS + 1] = {NULL};
        for (size_t k = 0; k < MAX_ARGUMENTS && programs[i].arguments[k]; k++)
            arguments[k] = strcmp(programs[i].arguments[k], "%") == 0
                               ? parameter
                               : programs[i].arguments[k];
        if (access(programs[i].path, X_OK) != 0)
            return READER_EXIT_NOT_INSTALLED;
        sandbox_exec(programs[i].path, (char *const *)(uintptr_t)arguments,
                     (char *const *)(uintptr_t)environment);
        return errno == ENOENT ? READER_EXIT_NOT_INSTALLED : READER_EXIT_FAILED;
    }
    return READER_EXIT_FAILED;
}
