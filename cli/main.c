/* main.c - rag COMMAND ...: finds the command, runs it, turns its status into an exit status.
 */
#include "cli.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

static void print_usage(FILE *to)
{
    fputs("rag answers questions from your documents, on your own machine.\n\n"
          "usage: rag COMMAND [OPTION]... [ARGUMENT]...\n\n",
          to);
    for (size_t i = 0; i < command_count; i++)
        fprintf(to, "  %-9s %s\n", commands[i]->name, commands[i]->summary);
    fputs("\n"
          "rag COMMAND --help tells more and gives examples. To begin:\n\n"
          "  rag index ~/Documents\n"
          "  rag ask \"What is a residual connection?\"\n\n"
          "Environment: RAG_INDEX (index file), RAG_MODEL (embedding model), RAG_MODELS\n"
          "(folder of models), RAG_LLM (PROVIDER:MODEL for answers), OPENAI_API_KEY,\n"
          "OPENAI_BASE_URL, GEMINI_API_KEY, GEMINI_BASE_URL, HF_ENDPOINT, HF_TOKEN, NO_COLOR.\n"
          "Exit status: 0 ok, 1 nothing found, 2 usage, 3 input, 4 index, 5 model, 6 network,\n"
          "130 interrupted.\n",
          to);
}

/* The man page: the same texts as --help, as roff. */
static void print_manual(void)
{
    printf(".TH RAG 1 \"\" \"rag %s\" \"User Commands\"\n"
           ".SH NAME\nrag \\- ask your documents, on your own machine\n"
           ".SH SYNOPSIS\n.B rag\n.I COMMAND\n[OPTION]... [ARGUMENT]...\n"
           ".SH DESCRIPTION\n.nf\n",
           rag_version());
    print_usage(stdout);
    puts(".fi");
    for (size_t i = 0; i < command_count; i++)
        options_print_help(commands[i], true);
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < command_count; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static int report(rag_status status, const rag_error *error)
{
    if (status && status != RAG_NOT_FOUND)
        fprintf(stderr, "rag: %s\n", error->message);
    else if (status && *error->message)
        fprintf(stderr, "%s\n", error->message);
    return rag_status_exit(status);
}

static int run_command(const struct command *command, int argc, char **argv)
{
    struct settings settings;
    rag_error error = {RAG_OK, ""};
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            options_print_help(command, false);
            return report(flush_output(&error), &error);
        }
    rag_status status = options_parse(command, argc, argv, &settings, &error);
    if (!status)
        status = command->run(&settings, &error);
    rag_error at_end = {RAG_OK, ""};
    rag_status flushed = flush_output(&at_end);
    if (!status && flushed)
        return report(flushed, &at_end);
    return report(status, &error);
}

int main(int argc, char **argv)
{
    /* A reader that goes away (| head) is a failed write, not a death. */
    signal(SIGPIPE, SIG_IGN);
    if (argc < 2) {
        print_usage(stderr);
        return rag_status_exit(RAG_USAGE);
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0 || strcmp(name, "help") == 0) {
        const struct command *topic = argc > 2 ? find_command(argv[2]) : NULL;
        if (argc > 2 && strcmp(argv[2], "--man") == 0)
            print_manual();
        else if (topic)
            options_print_help(topic, false);
        else
            print_usage(stdout);
        rag_error error;
        return report(flush_output(&error), &error);
    }
    if (strcmp(name, "--version") == 0) {
        printf("rag %s\n", rag_version());
        return 0;
    }
    const struct command *command = find_command(name);
    if (!command) {
        fprintf(stderr, "rag: there is no command \"%s\"; rag --help lists them\n", name);
        return rag_status_exit(RAG_USAGE);
    }
    return run_command(command, argc - 1, argv + 1);
}
