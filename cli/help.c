/* help.c - the texts of the commands, as --help for a terminal and as the man page.
 *
 * A command's help is paragraphs of prose between empty lines, filled to the width of a
 * terminal or by roff; the last one, "examples:", is shown as it stands. */
#include "cli.h"

#include <stdio.h>
#include <string.h>

enum { WIDTH = 79, OPTION_COLUMN = 26, NAME_COLUMN = 18 };

static const char tagline[] = "answer questions from your documents, on your own machine";

static const char *const environment[][2] = {
    {"RAG_INDEX", "the index (default: .rag/index.rag)"},
    {"RAG_MODEL",
     "the embedding model of a new index (default: intfloat/multilingual-e5-small)"},
    {"RAG_MODELS", "the folder of models (default: rag/models in XDG_DATA_HOME)"},
    {"RAG_CACHE", "the folder of packed models (default: rag in XDG_CACHE_HOME)"},
    {"RAG_LLM", "the language model that answers, PROVIDER:MODEL (default: none)"},
    {"RAG_PROVIDERS", "the file of providers (default: rag/providers.json in XDG_CONFIG_HOME)"},
    {"XDG_STATE_HOME", "where rag chat keeps rag/history (default: ~/.local/state)"},
    {"OPENAI_API_KEY", "key for the provider openai; rag llm list names the others'"},
    {"OPENAI_BASE_URL", "where a server speaks its protocol, such as http://localhost:8080/v1"},
    {"HF_ENDPOINT", "the hub that models are pulled from"},
    {"HF_TOKEN", "token for private models of the hub"},
    {"NO_COLOR", "if set, no colours"},
};

static const char *const statuses[][2] = {
    {"0", "all is well"},
    {"1", "nothing was found"},
    {"2", "wrong usage"},
    {"3", "an input or output is bad"},
    {"4", "the index cannot be used"},
    {"5", "the model cannot be used"},
    {"6", "the network or a server failed"},
    {"70", "a defect in rag"},
    {"71", "out of memory"},
    {"130", "interrupted"},
};

#define LENGTH(array) (sizeof(array) / sizeof *(array))

/* The size of the paragraph at the beginning of a text. */
static size_t paragraph_size(const char *text)
{
    const char *end = strstr(text, "\n\n");
    return end ? (size_t)(end - text) : strlen(text) - (text[strlen(text) - 1] == '\n');
}

static bool is_verbatim(const char *paragraph)
{
    return strncmp(paragraph, "examples:\n", 10) == 0;
}

/* ---- For a terminal ---- */

/* Prints words, from column `at` on; lines behind the first are indented. */
static void print_filled(FILE *to, const char *text, size_t size, size_t at, size_t indent)
{
    bool first = true;
    for (size_t i = 0; i < size;) {
        size_t word = 0;
        while (i + word < size && text[i + word] != ' ' && text[i + word] != '\n')
            word++;
        if (word && !first && at + 1 + word > WIDTH) {
            fprintf(to, "\n%*s", (int)indent, "");
            at = indent;
        } else if (word && !first) {
            putc(' ', to);
            at++;
        }
        fwrite(text + i, 1, word, to);
        at += word;
        first = first && !word;
        i += word + 1;
    }
    putc('\n', to);
}

static void print_entry(FILE *to, const char *name, const char *text, size_t column)
{
    size_t size = strlen(name);
    fprintf(to, "  %-*s", (int)column - 2, name);
    if (size + 3 > column)
        fprintf(to, "\n%*s", (int)column, "");
    print_filled(to, text, strlen(text), column, column);
}

void help_print_usage(FILE *to)
{
    fprintf(to,
            "rag - %s\n\n"
            "usage: rag COMMAND [OPTION]... [ARGUMENT]...\n\n",
            tagline);
    for (size_t i = 0; i < command_count; i++)
        print_entry(to, commands[i]->name, commands[i]->summary, 12);
    fputs("\nrag COMMAND --help tells more and gives examples. To begin:\n\n"
          "  rag index ~/Documents\n"
          "  rag ask \"What is a residual connection?\"\n\n"
          "environment:\n",
          to);
    for (size_t i = 0; i < LENGTH(environment); i++)
        print_entry(to, environment[i][0], environment[i][1], NAME_COLUMN);
    fputs("\nexit status:\n", to);
    for (size_t i = 0; i < LENGTH(statuses); i++)
        print_entry(to, statuses[i][0], statuses[i][1], 7);
}

void help_print(const struct command *command)
{
    printf("usage: rag %s %s%s[OPTION]...\n\n%s.\n\n", command->name, command->arguments,
           *command->arguments ? " " : "", command->summary);
    for (size_t i = 0; i < option_text_count; i++) {
        const struct option_text *option = &option_texts[i];
        if (!option_is_of(option, command))
            continue;
        char left[64];
        snprintf(left, sizeof left, "%c%c%s --%s%s%s", option->letter ? '-' : ' ',
                 option->letter ? option->letter : ' ', option->letter ? "," : " ",
                 option->name, option->value ? " " : "", option->value ? option->value : "");
        print_entry(stdout, left, option->help, OPTION_COLUMN);
    }
    for (const char *text = command->help; *text;) {
        size_t size = paragraph_size(text);
        putchar('\n');
        if (is_verbatim(text))
            printf("%.*s\n", (int)size, text);
        else
            print_filled(stdout, text, size, 0, 0);
        text += size;
        text += strspn(text, "\n");
    }
}

/* ---- As roff (groff_man(7)) ---- */

/* Text that roff shows as it is: pure ASCII, no line that looks like a request. */
static void print_roff(const char *text, size_t size)
{
    for (size_t i = 0; i < size;) {
        unsigned char c = (unsigned char)text[i];
        size_t length = c < 0x80 ? 1 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : 4;
        if ((c == '.' || c == '\'') && (i == 0 || text[i - 1] == '\n'))
            fputs("\\&", stdout);
        if (length > 1) {
            unsigned code = c & (0x7fu >> length);
            for (size_t k = 1; k < length; k++)
                code = code << 6 | ((unsigned char)text[i + k] & 0x3f);
            printf("\\[u%04X]", code);
        } else if (c == '\\') {
            fputs("\\e", stdout);
        } else if (c == '"') {
            fputs("\\(dq", stdout);
        } else if (c == '\'') {
            fputs("\\(aq", stdout);
        } else if (c == '-') {
            fputs("\\-", stdout);
        } else if (c == '~') {
            fputs("\\(ti", stdout);
        } else if (c == '^') {
            fputs("\\(ha", stdout);
        } else {
            putchar(c);
        }
        i += length;
    }
}

static void print_roff_text(const char *text)
{
    print_roff(text, strlen(text));
}

static void print_roff_entries(const char *const (*entries)[2], size_t count)
{
    for (size_t i = 0; i < count; i++) {
        printf(".TP\n.B ");
        print_roff_text(entries[i][0]);
        putchar('\n');
        print_roff_text(entries[i][1]);
        putchar('\n');
    }
}

static void print_roff_option(const struct option_text *option)
{
    printf(".TP\n");
    if (option->letter)
        printf("\\fB\\-%c\\fR, ", option->letter);
    printf("\\fB\\-\\-");
    print_roff_text(option->name);
    printf("\\fR");
    if (option->value)
        printf(" \\fI%s\\fR", option->value);
    putchar('\n');
    print_roff_text(option->help);
    putchar('\n');
}

static void print_roff_command(const struct command *command)
{
    printf(".SS rag %s %s\n", command->name, command->arguments);
    print_roff_text(command->summary);
    puts(".");
    for (size_t i = 0; i < option_text_count; i++)
        if (option_is_of(&option_texts[i], command))
            print_roff_option(&option_texts[i]);
    for (const char *text = command->help; *text;) {
        size_t size = paragraph_size(text);
        bool verbatim = is_verbatim(text);
        puts(verbatim ? ".PP\n.nf" : ".PP");
        print_roff(text, size);
        puts(verbatim ? "\n.fi" : "");
        text += size;
        text += strspn(text, "\n");
    }
}

void help_print_manual(void)
{
    printf(".TH RAG 1 \"\" \"rag %s\" \"User Commands\"\n.SH NAME\nrag \\- %s\n", rag_version(),
           tagline);
    puts(
        ".SH SYNOPSIS\n"
        "\\fBrag\\fR \\fICOMMAND\\fR [\\fIOPTION\\fR]... [\\fIARGUMENT\\fR]...\n"
        ".SH DESCRIPTION\n"
        "Files and folders go into an index; questions are answered from it, with citations\n"
        "of file and lines. Results go to standard output, everything else to standard error.\n"
        "Options may stand before and behind arguments; \\fB\\-\\-\\fR ends them.\n"
        ".SH COMMANDS");
    for (size_t i = 0; i < command_count; i++)
        print_roff_command(commands[i]);
    puts(".SH ENVIRONMENT");
    print_roff_entries(environment, LENGTH(environment));
    puts(".SH EXIT STATUS");
    print_roff_entries(statuses, LENGTH(statuses));
}
