#include "readers/trial.h"
#include "readers/sandbox.h"

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <unistd.h>

static bool open_file(void)
{
    return open("/etc/passwd", O_RDONLY) >= 0;
}

static bool write_file(void)
{
    return open("rag-reader-was-here", O_WRONLY | O_CREAT, 0666) >= 0;
}

static bool use_network(void)
{
    return socket(AF_INET, SOCK_STREAM, 0) >= 0;
}

static bool run_program(void)
{
    char *const arguments[] = {(char[]){"true"}, NULL};
    execv("/bin/true", arguments);
    return false;
}

static bool make_process(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    return pid > 0;
}

static bool trace_process(void)
{
    return ptrace(PTRACE_TRACEME, 0, NULL, NULL) == 0;
}

static bool make_code(void)
{
    return mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                0) != MAP_FAILED;
}

static bool take_memory(void)
{
    sandbox_next_file(0);
    return mmap(NULL, (size_t)16 << 30, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0) != MAP_FAILED;
}

static bool kill_parent(void)
{
    return kill(getppid(), 0) == 0;
}

/* What it may do: the trial itself works. */
static bool compute(void)
{
    void *memory = malloc(1 << 20);
    free(memory);
    return memory != NULL;
}

int trial(const char *deed)
{
    static const struct {
        const char *name;
        bool (*act)(void);
    } deeds[] = {{"open", open_file},   {"write", write_file},   {"network", use_network},
                 {"exec", run_program}, {"fork", make_process},  {"ptrace", trace_process},
                 {"code", make_code},   {"memory", take_memory}, {"kill", kill_parent},
                 {"compute", compute}};
    for (size_t i = 0; i < sizeof deeds / sizeof *deeds; i++) {
        if (strcmp(deeds[i].name, deed) != 0)
            continue;
        sandbox_worker();
        return deeds[i].act() ? 0 : 1;
    }
    return 2;
}
