/* child.h - a server as a child of a test: started, asked for its port, stopped. */
#ifndef RAG_TESTS_SUPPORT_CHILD_H
#define RAG_TESTS_SUPPORT_CHILD_H

#include <sys/types.h>

struct child {
    pid_t pid;
    int input; /* closing it, as the end of the test does, ends the server */
    int port;
};

/* Runs argv (NULL at its end) and waits until it prints a port. 0: it did. */
int child_start(struct child *child, const char *const *argv);
void child_stop(struct child *child);

#endif
