#define _GNU_SOURCE
#include "documents/reader_program.h"
#include "base/buf.h"
#include "base/file.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

/* ---- Finding it ------------------------------------------------------------- */

/* Looks for the program from the folder of `file`, a library or program. */
static bool find_from(const char *file, struct buf *out)
{
    static const char *const places[] = {"rag-reader", "../libexec/rag/rag-reader",
                                         "../../libexec/rag/rag-reader"};
    int folder = (int)(path_name(file) - file);
    for (size_t i = 0; folder && i < sizeof places / sizeof *places; i++) {
        buf_clear(out);
        if (buf_printf(out, "%.*s%s", folder, file, places[i]) &&
            access(out->data, X_OK) == 0 && path_is_file(out->data))
            return true;
    }
    return false;
}

static bool find(struct buf *out)
{
    const char *named = getenv("RAG_READER");
    if (named && *named)
        return buf_append_text(out, named);
    Dl_info library;
    static const char here = 0;
    if (dladdr(&here, &library) && library.dli_fname && find_from(library.dli_fname, out))
        return true;
    char program[PATH_MAX];
    ssize_t size = readlink("/proc/self/exe", program, sizeof program - 1);
    program[size > 0 ? size : 0] = 0;
    if (find_from(program, out))
        return true;
    /* A program of someone else's that the static library is in. */
    buf_clear(out);
    return buf_append_text(out, RAG_INSTALLED_READER) && access(out->data, X_OK) == 0;
}

/* ---- Starting it ------------------------------------------------------------ */

enum { MAX_ENVIRONMENT = 16 };

/* Keys and other secrets in the environment are none of a reader's business. */
static void reduce_environment(const char *reduced[MAX_ENVIRONMENT])
{
    static const char *const kept[] = {"LD_LIBRARY_PATH=", "ASAN_OPTIONS=", "UBSAN_OPTIONS=",
                                       "LSAN_OPTIONS=",    "TSAN_OPTIONS=", "TESSDATA_PREFIX="};
    size_t count = 0;
    reduced[count++] = "PATH=/usr/local/bin:/usr/bin:/bin";
    reduced[count++] = "LC_ALL=C.UTF-8";
    /* A large file costs fewer page faults. */
    reduced[count++] = "GLIBC_TUNABLES=glibc.malloc.hugetlb=1";
    for (char **variable = environ; variable && *variable; variable++)
        for (size_t i = 0; i < sizeof kept / sizeof *kept; i++)
            if (count + 1 < MAX_ENVIRONMENT &&
                strncmp(*variable, kept[i], strlen(kept[i])) == 0)
                reduced[count++] = *variable;
    reduced[count] = NULL;
}

static int prepare_actions(posix_spawn_file_actions_t *actions, struct reader_ends ends)
{
    int failed = posix_spawn_file_actions_adddup2(actions, ends.input, STDIN_FILENO);
    if (!failed && ends.output >= 0)
        failed = posix_spawn_file_actions_adddup2(actions, ends.output, STDOUT_FILENO);
    else if (!failed)
        failed =
            posix_spawn_file_actions_addopen(actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
#ifndef RAG_SANITIZED /* whose reports are wanted */
    if (!failed)
        failed =
            posix_spawn_file_actions_addopen(actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
#endif
    return failed;
}

static int spawn(const char *path, const char *program, const char *parameter,
                 struct reader_ends ends, pid_t *pid)
{
    const char *reduced[MAX_ENVIRONMENT];
    reduce_environment(reduced);
    const char *arguments[] = {"rag-reader", program, parameter, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    int failed = posix_spawn_file_actions_init(&actions);
    if (failed)
        return failed;
    failed = posix_spawnattr_init(&attributes);
    if (failed) {
        posix_spawn_file_actions_destroy(&actions);
        return failed;
    }
    failed = prepare_actions(&actions, ends);
    if (!failed) {
        posix_spawnattr_setsigmask(&attributes, &none);
        posix_spawnattr_setsigdefault(&attributes, &all);
        posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
        failed =
            posix_spawn(pid, path, &actions, &attributes, (char *const *)(uintptr_t)arguments,
                        (char *const *)(uintptr_t)reduced);
    }
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return failed;
}

rag_status reader_program_start(const char *program, const char *parameter,
                                struct reader_ends ends, pid_t *pid, rag_error *error)
{
    struct buf path = BUF_INIT(PATH_MAX);
    rag_status status = RAG_OK;
    if (!find(&path)) {
        status = fail_with(error, RAG_INTERNAL,
                           "rag-reader, which reads documents, is not installed beside rag; "
                           "RAG_READER names it where it is elsewhere");
    } else {
        int failed = spawn(path.data, program, parameter, ends, pid);
        errno = failed;
        if (failed)
            status = fail_errno(error, RAG_INTERNAL, "%s cannot be started", path.data);
    }
    buf_release(&path);
    return status;
}

rag_status reader_program_fail(const char *program, int exit_status, rag_error *error)
{
    bool recognises = strncmp(program, "tesseract", 9) == 0;
    if (exit_status == READER_EXIT_NOT_INSTALLED)
        return fail_with(error, RAG_INPUT, "%s is not installed (it is in Debian's package %s)",
                         recognises ? "tesseract" : program,
                         recognises ? "tesseract-ocr" : "poppler-utils");
    if (recognises)
        return fail_with(error, RAG_INPUT, "tesseract cannot read it (exit status %d)",
                         exit_status);
    return fail_with(error, RAG_INPUT, "%s cannot read it: it is damaged (exit status %d)",
                     program, exit_status);
}
