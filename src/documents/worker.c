#define _GNU_SOURCE
#include "documents/worker.h"
#include "base/clock.h"
#include "base/memory.h"
#include "documents/reader_program.h"
#include "documents/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    PATIENCE = 60,            /* seconds for any file */
    BYTES_A_SECOND = 1 << 20, /* and a second more for each so many bytes */
    DYING_SECONDS = 2,        /* for a process that has closed its socket */
    GREETING_SECONDS = 30,    /* a loaded machine starts programs slowly */
    IDLE_WORKERS = 16,        /* that are kept */
    RUN_MAX_OUTPUT = 1 << 28, /* bytes that a program may print */
};

struct worker {
    pid_t pid;
    int fd;
    bool used; /* has read a file before */
};

static struct {
    pthread_mutex_t lock;
    struct worker idle[IDLE_WORKERS];
    size_t count;
    pid_t owner; /* the process that started them: after a fork they are not ours */
    int sandbox;
    double patience;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER, .sandbox = -1, .patience = PATIENCE};

/* ---- Starting and ending ---------------------------------------------------- */

/* Waits for a process that is ending, and ends it if it does not. The status is waitpid's; -1
 * if someone else has waited for it. */
static int reap(pid_t pid)
{
    double until = clock_seconds() + DYING_SECONDS;
    for (;;) {
        int status;
        bool late = clock_seconds() > until;
        if (late)
            kill(pid, SIGKILL);
        pid_t ended = waitpid(pid, &status, late ? 0 : WNOHANG);
        if (ended == pid)
            return status;
        if (ended < 0 && errno != EINTR)
            return -1;
        if (ended == 0)
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
}

static int end(struct worker *worker)
{
    kill(worker->pid, SIGKILL);
    close(worker->fd);
    return reap(worker->pid);
}

static rag_status start(struct worker *worker, rag_error *error)
{
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
        return fail_errno(error, RAG_INTERNAL, "no socket for rag-reader");
    *worker = (struct worker){.fd = ends[0]};
    rag_status status = reader_program_start(NULL, NULL, (struct reader_ends){ends[1], -1},
                                             &worker->pid, error);
    close(ends[1]);
    if (status) {
        close(ends[0]);
        return status;
    }
    struct wire_greeting greeting;
    struct channel channel = {worker->fd, clock_seconds() + GREETING_SECONDS};
    if (channel_receive(&channel, &greeting, sizeof greeting) != CHANNEL_OK ||
        greeting.mark != WIRE_MARK) {
        (void)end(worker);
        return fail_with(error, RAG_INTERNAL,
                         "rag-reader does not answer as this rag expects; is it of another "
                         "version? RAG_READER names the one to use");
    }
    pthread_mutex_lock(&pool.lock);
    pool.sandbox = (int)(greeting.sandbox & 0xFF);
    pthread_mutex_unlock(&pool.lock);
    return RAG_OK;
}

/* Those of the parent of a fork are left to it. */
static void forget_inherited(void)
{
    if (pool.owner == getpid())
        return;
    for (size_t i = 0; i < pool.count; i++)
        close(pool.idle[i].fd);
    pool.count = 0;
    pool.owner = getpid();
}

static bool take_idle(struct worker *worker)
{
    pthread_mutex_lock(&pool.lock);
    forget_inherited();
    bool found = pool.count > 0;
    if (found)
        *worker = pool.idle[--pool.count];
    pthread_mutex_unlock(&pool.lock);
    return found;
}

static void give_back(struct worker *worker)
{
    worker->used = true;
    pthread_mutex_lock(&pool.lock);
    forget_inherited();
    bool kept = pool.count < IDLE_WORKERS;
    if (kept)
        pool.idle[pool.count++] = *worker;
    pthread_mutex_unlock(&pool.lock);
    if (!kept)
        (void)end(worker);
}

void worker_end_all(void)
{
    struct worker worker;
    while (take_idle(&worker))
        (void)end(&worker);
}

int worker_sandbox(void)
{
    pthread_mutex_lock(&pool.lock);
    int sandbox = pool.sandbox;
    pthread_mutex_unlock(&pool.lock);
    return sandbox;
}

void worker_set_patience(double seconds)
{
    pthread_mutex_lock(&pool.lock);
    pool.patience = seconds > 0 ? seconds : PATIENCE;
    pthread_mutex_unlock(&pool.lock);
}

static double seconds_for(size_t size)
{
    pthread_mutex_lock(&pool.lock);
    double seconds = pool.patience;
    pthread_mutex_unlock(&pool.lock);
    return seconds + (double)size / BYTES_A_SECOND;
}

/* ---- One file --------------------------------------------------------------- */

static rag_status fail_late(double seconds, rag_error *error)
{
    return fail_with(error, RAG_INPUT, "it was not read within %.0f seconds, and given up",
                     seconds);
}

/* Says what ended a process while it read. */
static rag_status fail_dead(int status, rag_error *error)
{
    if (status != -1 && WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS)
        return fail_with(error, RAG_INPUT,
                         "its reader tried what readers may not do, and was stopped");
    if (status != -1 && WIFSIGNALED(status))
        return fail_with(error, RAG_INPUT, "its reader was ended by signal %d (%s)",
                         WTERMSIG(status), strsignal(WTERMSIG(status)));
    return fail_with(error, RAG_INPUT, "its reader ended while it read it");
}

static enum channel_result exchange(const struct channel *channel, const char *name,
                                    const char *format, const struct read_options *options,
                                    rag_text bytes, struct buf *owner, struct document *out,
                                    rag_status *status, rag_error *error)
{
    *out = DOCUMENT_INIT;
    enum channel_result result =
        wire_send_request(channel, name, format, options, bytes.data, bytes.size);
    return result ? result : wire_receive_answer(channel, bytes, owner, out, status, error);
}

/* A death is told from one before by *again: then the file is not to blame. */
static rag_status read_once(const char *name, const char *format,
                            const struct read_options *options, rag_text bytes,
                            struct buf *owner, struct document *out, bool *again,
                            rag_error *error)
{
    struct worker worker;
    *again = false;
    rag_status status = RAG_OK;
    if (!take_idle(&worker)) {
        status = start(&worker, error);
        if (status)
            return status;
    }
    double seconds = seconds_for(bytes.size);
    struct channel channel = {worker.fd, clock_seconds() + seconds};
    enum channel_result result =
        exchange(&channel, name, format, options, bytes, owner, out, &status, error);
    if (!result && status != RAG_INTERNAL) {
        give_back(&worker);
        return status == RAG_MEMORY ? fail_with(error, RAG_INPUT, "%s",
                                                "reading it takes more memory than a reader "
                                                "may have")
                                    : status;
    }
    *again = result == CHANNEL_CLOSED && worker.used;
    if (result == CHANNEL_CLOSED) {
        close(worker.fd);
        return fail_dead(reap(worker.pid), error);
    }
    (void)end(&worker);
    return result == CHANNEL_LATE ? fail_late(seconds, error) : status;
}

rag_status worker_read(const char *name, const char *format, const struct read_options *options,
                       rag_text bytes, struct buf *owner, struct document *out,
                       rag_error *error)
{
    *out = DOCUMENT_INIT;
    if (strlen(name) > WIRE_MAX_NAME)
        return fail_with(error, RAG_INPUT, "its name is too long");
    for (;;) {
        bool again;
        rag_status status = read_once(name, format, options, bytes, owner, out, &again, error);
        if (!status)
            return RAG_OK;
        /* The bytes are still needed, and the caller's. */
        if (owner && out->text.data && out->text.data == bytes.data) {
            *owner = out->text;
            out->text = BUF_INIT(owner->max);
        }
        document_release(out);
        if (!again)
            return status;
    }
}

/* ---- Programs --------------------------------------------------------------- */

/* A file in memory that holds the bytes, to be read from its start. */
static int memory_file(rag_text bytes)
{
    int fd = memfd_create("rag-reader", MFD_CLOEXEC);
    for (size_t at = 0; fd >= 0 && at < bytes.size;) {
        ssize_t put = write(fd, bytes.data + at, bytes.size - at);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0) {
            close(fd);
            return -1;
        }
        at += (size_t)put;
    }
    if (fd >= 0)
        lseek(fd, 0, SEEK_SET);
    return fd;
}

/* Appends what comes until the other end is closed. CHANNEL_OK: it is too much. */
static enum channel_result receive_all(const struct channel *channel, struct buf *out)
{
    size_t before = out->size;
    while (out->size - before <= RUN_MAX_OUTPUT) {
        char block[65536];
        size_t got;
        enum channel_result result = channel_receive_some(channel, block, sizeof block, &got);
        if (result)
            return result;
        if (!buf_append(out, block, got))
            break;
    }
    return CHANNEL_OK;
}

static rag_status start_program(const char *program, const char *parameter, rag_text bytes,
                                struct worker *worker, rag_error *error)
{
    int ends[2], input = memory_file(bytes);
    if (input < 0)
        return fail_errno(error, RAG_INTERNAL, "no memory file for rag-reader");
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        close(input);
        return fail_errno(error, RAG_INTERNAL, "no socket for rag-reader");
    }
    *worker = (struct worker){.fd = ends[0]};
    rag_status status = reader_program_start(
        program, parameter, (struct reader_ends){input, ends[1]}, &worker->pid, error);
    close(input);
    close(ends[1]);
    if (status)
        close(ends[0]);
    return status;
}

rag_status worker_run(const char *program, const char *parameter, rag_text bytes,
                      struct buf *out, rag_error *error)
{
    struct worker worker;
    rag_status status = start_program(program, parameter, bytes, &worker, error);
    if (status)
        return status;
    double seconds = seconds_for(bytes.size);
    struct channel channel = {worker.fd, clock_seconds() + seconds};
    enum channel_result result = receive_all(&channel, out);
    if (result == CHANNEL_LATE) {
        (void)end(&worker);
        return fail_late(seconds, error);
    }
    if (result == CHANNEL_OK) {
        (void)end(&worker);
        return fail_with(error, RAG_INPUT, "its text is longer than %d bytes", RUN_MAX_OUTPUT);
    }
    close(worker.fd);
    int how = reap(worker.pid);
    if (how == -1 || (WIFEXITED(how) && WEXITSTATUS(how) == 0))
        return RAG_OK; /* -1: someone else has its status; the text decides */
    return WIFEXITED(how) ? reader_program_fail(program, WEXITSTATUS(how), error)
                          : fail_dead(how, error);
}
