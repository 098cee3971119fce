#include "readers/sandbox.h"
#include "documents/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    MEMORY_BASE = 1 << 30, /* bytes of addresses for any file, and so many times its size: */
    MEMORY_FACTOR = 6,
    PROCESSOR_SECONDS = 120, /* for any file, and a second more for each so many bytes: */
    BYTES_A_SECOND = 1 << 20,
    LAUNCHED_SECONDS = 600, /* processor time of a program */
    OPEN_FILES = 64,
};
#define MEMORY_MOST     ((rlim_t)8 << 30)
#define LAUNCHED_MEMORY ((rlim_t)2 << 30)

/* ---- Limits ----------------------------------------------------------------- */

static bool limit(int what, rlim_t soft, rlim_t hard)
{
    struct rlimit now;
    if (getrlimit((unsigned)what, &now) != 0)
        return false;
    if (now.rlim_max != RLIM_INFINITY && (hard == RLIM_INFINITY || hard > now.rlim_max))
        hard = now.rlim_max;
    if (hard != RLIM_INFINITY && (soft == RLIM_INFINITY || soft > hard))
        soft = hard;
    struct rlimit wanted = {soft, hard};
    return setrlimit((unsigned)what, &wanted) == 0;
}

static bool limit_memory(rlim_t soft, rlim_t hard)
{
#ifdef RAG_SANITIZED /* which takes terabytes of addresses for its shadow */
    (void)soft, (void)hard;
    return true;
#else
    return limit(RLIMIT_AS, soft, hard);
#endif
}

static bool limit_common(void)
{
    bool ok = limit(RLIMIT_CORE, 0, 0);
    ok &= limit(RLIMIT_FSIZE, 0, 0);
    ok &= limit(RLIMIT_NOFILE, OPEN_FILES, OPEN_FILES);
    ok &= prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0;
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    return ok;
}

void sandbox_next_file(size_t size)
{
    rlim_t memory = MEMORY_BASE + (rlim_t)MEMORY_FACTOR * size;
    limit_memory(memory < MEMORY_MOST ? memory : MEMORY_MOST, MEMORY_MOST);
    struct timespec used;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) == 0)
        limit(RLIMIT_CPU,
              (rlim_t)used.tv_sec + PROCESSOR_SECONDS + (rlim_t)size / BYTES_A_SECOND,
              RLIM_INFINITY);
}

/* ---- System calls ----------------------------------------------------------- */

/* Memory, time, threads' locks, the end: what any computation needs. */
static const int harmless[] = {
    SCMP_SYS(brk),           SCMP_SYS(clock_getres),
    SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep),
    SCMP_SYS(close),         SCMP_SYS(exit),
    SCMP_SYS(exit_group),    SCMP_SYS(futex),
    SCMP_SYS(getcpu),        SCMP_SYS(getpid),
    SCMP_SYS(getrandom),     SCMP_SYS(getrusage),
    SCMP_SYS(gettid),        SCMP_SYS(gettimeofday),
    SCMP_SYS(lseek),         SCMP_SYS(madvise),
    SCMP_SYS(mremap),        SCMP_SYS(munmap),
    SCMP_SYS(nanosleep),     SCMP_SYS(poll),
    SCMP_SYS(ppoll),         SCMP_SYS(read),
    SCMP_SYS(readv),         SCMP_SYS(restart_syscall),
    SCMP_SYS(rt_sigaction),  SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),  SCMP_SYS(sched_getaffinity),
    SCMP_SYS(sched_yield),   SCMP_SYS(sigaltstack),
    SCMP_SYS(time),          SCMP_SYS(write),
    SCMP_SYS(writev),        SCMP_SYS(uname),
    SCMP_SYS(fstat),         SCMP_SYS(newfstatat),
    SCMP_SYS(fcntl),         SCMP_SYS(getrlimit),
    SCMP_SYS(setrlimit),     SCMP_SYS(sysinfo),
};

/* Libraries try these, for locales and configurations, and go on without. */
static const int refused[] = {
    SCMP_SYS(access),   SCMP_SYS(faccessat),  SCMP_SYS(faccessat2), SCMP_SYS(getcwd),
    SCMP_SYS(ioctl),    SCMP_SYS(lstat),      SCMP_SYS(open),       SCMP_SYS(openat),
    SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(stat),       SCMP_SYS(statfs),
    SCMP_SYS(statx),    SCMP_SYS(getdents64), SCMP_SYS(openat2),
};

/* The socket that it was started with, no other: there is none to be had. */
static const int of_socket[] = {SCMP_SYS(recvfrom), SCMP_SYS(sendto), SCMP_SYS(recvmsg),
                                SCMP_SYS(sendmsg)};

/* What loading and running a program needs besides. */
static const int of_program[] = {
    SCMP_SYS(arch_prctl),
    SCMP_SYS(fadvise64),
    SCMP_SYS(getdents64),
    SCMP_SYS(getegid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getuid),
    SCMP_SYS(pread64),
    SCMP_SYS(prlimit64),
    SCMP_SYS(rseq),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(set_tid_address),
    SCMP_SYS(dup),
    SCMP_SYS(mmap),
    SCMP_SYS(mprotect),
};

static bool add(scmp_filter_ctx filter, uint32_t action, const int *calls, size_t count)
{
    bool ok = true;
    for (size_t i = 0; i < count; i++) {
        int failed = seccomp_rule_add(filter, action, calls[i], 0);
        /* -EEXIST: an earlier list has it; -EDOM: not on this architecture. */
        ok &= failed == 0 || failed == -EEXIST || failed == -EDOM;
    }
    return ok;
}
#define ADD(filter, action, calls) add(filter, action, calls, sizeof calls / sizeof *calls)

/* No memory that can be executed: nothing here compiles. */
static bool allow_memory(scmp_filter_ctx filter)
{
    static const int calls[] = {SCMP_SYS(mmap), SCMP_SYS(mprotect)};
    bool ok = true;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        ok &= seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 1,
                               SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) == 0;
        ok &= seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), calls[i], 1,
                               SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, PROT_EXEC)) == 0;
    }
    return ok;
}

static bool filter_worker(void)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!filter)
        return false;
    bool ok = ADD(filter, SCMP_ACT_ALLOW, harmless) && ADD(filter, SCMP_ACT_ALLOW, of_socket) &&
              ADD(filter, SCMP_ACT_ERRNO(EACCES), refused) && allow_memory(filter);
    /* Limits of its own process alone. */
    ok = ok && seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(prlimit64), 1,
                                SCMP_A0(SCMP_CMP_EQ, 0, 0)) == 0;
    ok = ok && seccomp_load(filter) == 0;
    seccomp_release(filter);
    return ok;
}

/* Opening is for reading; execve is for the program, whose path is at this address: afterwards
 * another program's memory is there. */
static bool filter_program(const char *program)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    if (!filter)
        return false;
    const uint64_t writing = O_WRONLY | O_RDWR | O_CREAT | O_TRUNC | O_APPEND;
    static const int looking[] = {
        SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(getcwd),
        SCMP_SYS(lstat),  SCMP_SYS(readlink),  SCMP_SYS(readlinkat), SCMP_SYS(stat),
        SCMP_SYS(statfs), SCMP_SYS(statx),     SCMP_SYS(fstatfs)};
    static const int failing[] = {SCMP_SYS(ioctl),  SCMP_SYS(openat2), SCMP_SYS(socket),
                                  SCMP_SYS(unlink), SCMP_SYS(mkdir),   SCMP_SYS(clone),
                                  SCMP_SYS(clone3), SCMP_SYS(rename),  SCMP_SYS(chmod)};
    bool ok = ADD(filter, SCMP_ACT_ALLOW, harmless) &&
              ADD(filter, SCMP_ACT_ALLOW, of_program) && ADD(filter, SCMP_ACT_ALLOW, looking) &&
              ADD(filter, SCMP_ACT_ERRNO(EACCES), failing);
    ok = ok &&
         seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat), 1,
                          SCMP_A2(SCMP_CMP_MASKED_EQ, writing, 0)) == 0 &&
         seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(execve), 1,
                          SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)(uintptr_t)program, 0)) == 0;
#if defined __x86_64__
    ok = ok && seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(open), 1,
                                SCMP_A1(SCMP_CMP_MASKED_EQ, writing, 0)) == 0;
#endif
    ok = ok && seccomp_load(filter) == 0;
    seccomp_release(filter);
    return ok;
}

unsigned sandbox_worker(void)
{
    unsigned done = limit_common() ? SANDBOX_LIMITS : 0;
    return filter_worker() ? done | SANDBOX_SYSCALLS : done;
}

/* ---- Files ------------------------------------------------------------------ */

/* Lets the process read below these folders alone. Without Landlock in the kernel nothing
 * changes: seccomp still forbids writing and the network. */
static void allow_system_files(void)
{
    static const char *const folders[] = {
        "/usr",     "/lib", "/lib64", "/etc/fonts", "/etc/ld.so.cache", "/var/cache/fontconfig",
        "/dev/null"};
    struct landlock_ruleset_attr all = {
        .handled_access_fs = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_WRITE_FILE |
                             LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR |
                             LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |
                             LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_DIR |
                             LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK |
                             LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_BLOCK |
                             LANDLOCK_ACCESS_FS_MAKE_SYM};
    int rules = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof all, 0);
    if (rules < 0)
        return;
    for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
        struct landlock_path_beneath_attr below = {
            .allowed_access = LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE,
            .parent_fd = open(folders[i], O_PATH | O_CLOEXEC)};
        if (below.parent_fd < 0)
            continue;
        if (i < 4) /* folders may be listed as well */
            below.allowed_access |= LANDLOCK_ACCESS_FS_READ_DIR;
        syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &below, 0);
        close(below.parent_fd);
    }
    syscall(SYS_landlock_restrict_self, rules, 0);
    close(rules);
}

void sandbox_exec(const char *program, char *const *arguments, char *const *environment)
{
    limit_common();
    limit_memory(LAUNCHED_MEMORY, LAUNCHED_MEMORY);
    limit(RLIMIT_CPU, LAUNCHED_SECONDS, LAUNCHED_SECONDS);
    allow_system_files();
    filter_program(program);
    execve(program, arguments, environment);
}
