#include "support/child.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

int child_start(struct child *child, const char *const *argv)
{
    int input[2], output[2];
    if (pipe(input) || pipe(output))
        return -1;
    child->pid = fork();
    if (child->pid == 0) {
        dup2(input[0], STDIN_FILENO);
        dup2(output[1], STDOUT_FILENO);
        close(input[0]);
        close(input[1]);
        close(output[0]);
        close(output[1]);
        execvp(argv[0], (char *const *)(uintptr_t)argv);
        _exit(127);
    }
    close(input[0]);
    close(output[1]);
    child->input = input[1];
    child->port = 0;
    FILE *lines = fdopen(output[0], "r");
    char line[256];
    while (lines && !child->port && fgets(line, sizeof line, lines))
        if (sscanf(line, "%d", &child->port) != 1)
            child->port = 0;
    if (lines)
        fclose(lines);
    return child->pid > 0 && child->port ? 0 : -1;
}

void child_stop(struct child *child)
{
    close(child->input);
    if (child->pid > 0) {
        kill(child->pid, SIGTERM);
        waitpid(child->pid, NULL, 0);
    }
}
