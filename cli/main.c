/* main.c - rag COMMAND ...: finds the command, runs it, turns its status into an exit status.
 */
#include "cli.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < command_count; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

/* That nothing was found is no error. A message is empty where there is nothing to say. */
static int report(rag_status status, const rag_error *error)
{
    if (status && *error->message) {
        fputs(status == RAG_NOT_FOUND ? "" : "rag: ", stderr);
        print_safely(stderr, (rag_text){error->message, strlen(error->message)}, " ");
        putc('\n', stderr);
    }
    return rag_status_exit(status);
}

/* The end of a program that has printed its results. */
static int finish(rag_status status, const rag_error *error)
{
    rag_error at_end = {RAG_OK, ""};
    rag_status flushed = flush_output(&at_end);
    return status || !flushed ? report(status, error) : report(flushed, &at_end);
}

static int run_command(const struct command *command, int argc, char **argv)
{
    struct settings settings;
    rag_error error = {RAG_OK, ""};
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            help_print(command);
            return finish(RAG_OK, &error);
        }
    rag_status status = options_parse(command, argc, argv, &settings, &error);
    if (!status)
        status = command->run(&settings, &error);
    return finish(status, &error);
}

static rag_status no_such_command(const char *name, rag_error *error)
{
    error->status = RAG_USAGE;
    snprintf(error->message, sizeof error->message,
             "there is no command \"%s\"; rag --help lists them", name);
    return RAG_USAGE;
}

/* rag help [COMMAND], rag help --man */
static rag_status print_help(const char *topic, rag_error *error)
{
    const struct command *command = topic ? find_command(topic) : NULL;
    if (command)
        help_print(command);
    else if (!topic)
        help_print_usage(stdout);
    else if (strcmp(topic, "--man") == 0)
        help_print_manual();
    else
        return no_such_command(topic, error);
    return RAG_OK;
}

int main(int argc, char **argv)
{
    /* A reader that goes away (| head) is a failed write, not a death. */
    signal(SIGPIPE, SIG_IGN);
    if (argc < 2) {
        help_print_usage(stderr);
        return rag_status_exit(RAG_USAGE);
    }
    rag_error error = {RAG_OK, ""};
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0)
        return finish(print_help(argc > 2 ? argv[2] : NULL, &error), &error);
    if (strcmp(name, "--version") == 0) {
        printf("rag %s\n", rag_version());
        return finish(RAG_OK, &error);
    }
    const struct command *command = find_command(name);
    if (!command)
        return finish(no_such_command(name, &error), &error);
    return run_command(command, argc - 1, argv + 1);
}
