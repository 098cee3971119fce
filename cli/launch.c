/* launch.c - which program opens what, and at the line or page.
 *
 * A file's name comes from whoever wrote the file, so no shell sees it: the program gets its
 * arguments as they are, and paths are absolute, so none looks like an option. */
#include "cli.h"

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_WORDS = sizeof((struct launch *)0)->words / sizeof(char *) };

/* How programs are told where to open a file: words in which %f is the file and %n the number.
 * Names are separated by blanks. */
struct way {
    const char *names, *words;
};

static const struct way editors[] = {
    {"vi vim vim.basic vim.tiny vim.gtk3 nvim gvim view ex elvis vile nano pico emacs "
     "emacsclient mg zile jed joe jmacs ne kak micro gedit xed pluma mousepad editor "
     "sensible-editor",
     "+%n %f"},
    {"code code-insiders code-oss codium vscodium", "--goto %f:%n"},
    {"subl sublime_text hx helix zed zeditor geany", "%f:%n"},
    {"kate kwrite", "-l %n %f"},
};

/* Viewers of PDF, in the order in which they are looked for. */
static const struct way pdf_viewers[] = {
    {"evince atril xreader", "--page-index=%n %f"},
    {"okular", "-p %n %f"},
    {"zathura", "-P %n %f"},
    {"mupdf", "%f %n"},
};

#define LENGTH(array) (sizeof(array) / sizeof *(array))

static const char *const usual_editors[] = {"editor", "nano", "vi"};

static rag_status fail(rag_error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static rag_status fail(rag_error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->message, sizeof error->message, format, arguments);
    va_end(arguments);
    return error->status = RAG_INPUT;
}

/* ---- Putting a command together ---- */

/* Takes over `word`; NULL: out of memory. */
static rag_status add_word(struct launch *launch, char *word, rag_error *error)
{
    if (!word)
        return out_of_memory(error);
    if (launch->count == MOST_WORDS - 1) { /* the last one stays NULL */
        free(word);
        return fail(error, "a command of more than %d words is not run", MOST_WORDS - 1);
    }
    launch->words[launch->count++] = word;
    return RAG_OK;
}

/* One word of a way, filled in. */
static char *fill_word(const char *word, size_t size, const char *path, const char *number)
{
    char *filled = NULL;
    size_t filled_size;
    FILE *to = open_memstream(&filled, &filled_size);
    for (size_t i = 0; to && i < size; i++)
        if (word[i] == '%')
            fputs(word[++i] == 'f' ? path : number, to);
        else
            putc(word[i], to);
    if (to && fclose(to) == 0)
        return filled;
    free(filled);
    return NULL;
}

static rag_status add_way(struct launch *launch, const struct way *way, const char *path,
                          unsigned number, rag_error *error)
{
    char digits[16];
    rag_status status = RAG_OK;
    snprintf(digits, sizeof digits, "%u", number);
    launch->at_place = way && number;
    if (!launch->at_place)
        return add_word(launch, strdup(path), error);
    for (const char *at = way->words; *at && !status;) {
        size_t size = strcspn(at, " ");
        status = add_word(launch, fill_word(at, size, path, digits), error);
        at += size + (at[size] == ' ');
    }
    return status;
}

/* Splits the value of a variable as a shell would, but for all that it would expand. */
static rag_status add_words_of(struct launch *launch, const char *value, rag_error *error)
{
    rag_status status = RAG_OK;
    while (*(value += strspn(value, " \t\n")) && !status) {
        char *word = malloc(strlen(value) + 1), quote = 0;
        size_t size = 0;
        for (; word && *value && (quote || !strchr(" \t\n", *value)); value++) {
            if (*value == quote)
                quote = 0;
            else if (!quote && (*value == '"' || *value == '\''))
                quote = *value;
            else
                word[size++] = *value;
        }
        if (word)
            word[size] = '\0';
        status = add_word(launch, word, error);
    }
    return status;
}

/* ---- Finding a program ---- */

/* Its path, to be freed; NULL: there is none of this name. */
static char *find_program(const char *name)
{
    const char *at = getenv("PATH");
    if (strchr(name, '/'))
        return access(name, X_OK) == 0 ? strdup(name) : NULL;
    while (*name && at && *at) {
        size_t size = strcspn(at, ":");
        char *path = malloc(size + strlen(name) + 2);
        if (!path)
            return NULL;
        sprintf(path, "%.*s/%s", (int)size, at, name);
        if (size && access(path, X_OK) == 0)
            return path;
        free(path);
        at += size + (at[size] == ':');
    }
    return NULL;
}

static const struct way *way_of(const struct way *ways, size_t count, const char *program)
{
    const char *slash = strrchr(program, '/'), *name = slash ? slash + 1 : program;
    size_t size = strlen(name);
    for (size_t i = 0; size && i < count; i++)
        for (const char *at = ways[i].names; *at;) {
            size_t n = strcspn(at, " ");
            if (n == size && memcmp(at, name, n) == 0)
                return &ways[i];
            at += n + (at[n] == ' ');
        }
    return NULL;
}

/* Begins the command with a program of this name, if there is one. */
static rag_status begin_with(struct launch *launch, const char *name, size_t size,
                             rag_error *error)
{
    char *word = strndup(name, size);
    if (!word)
        return out_of_memory(error);
    launch->program = find_program(word);
    if (launch->program)
        return add_word(launch, word, error);
    free(word);
    return RAG_OK;
}

rag_status launch_editor(const char *path, unsigned number, struct launch *launch,
                         rag_error *error)
{
    static const char *const variables[] = {"VISUAL", "EDITOR"};
    rag_status status = RAG_OK;
    *launch = (struct launch){0};
    for (size_t i = 0; !launch->count && !status && i < LENGTH(variables); i++) {
        const char *value = getenv(variables[i]);
        status = value ? add_words_of(launch, value, error) : RAG_OK;
        if (!status && launch->count && !(launch->program = find_program(launch->words[0])))
            status = fail(error,
                          "there is no program %.200s, which %s names; set it to your editor, "
                          "or unset it",
                          launch->words[0], variables[i]);
    }
    for (size_t i = 0; !launch->count && !status && i < LENGTH(usual_editors); i++)
        status = begin_with(launch, usual_editors[i], strlen(usual_editors[i]), error);
    if (!status && !launch->count)
        status = fail(error, "there is no editor: set EDITOR to one, such as EDITOR=nano");
    if (!status)
        status = add_way(launch, way_of(editors, LENGTH(editors), launch->words[0]), path,
                         number, error);
    return status;
}

rag_status launch_viewer(const char *path, unsigned number, struct launch *launch,
                         rag_error *error)
{
    rag_status status = RAG_OK;
    *launch = (struct launch){0};
    for (size_t i = 0; number && !launch->count && !status && i < LENGTH(pdf_viewers); i++)
        for (const char *at = pdf_viewers[i].names; *at && !launch->count && !status;) {
            size_t size = strcspn(at, " ");
            status = begin_with(launch, at, size, error);
            at += size + (at[size] == ' ');
        }
    if (!launch->count && !status)
        status = begin_with(launch, "xdg-open", strlen("xdg-open"), error);
    if (!status && !launch->count)
        status = fail(error, "nothing is there that opens it: install xdg-utils, or look at it "
                             "with rag show");
    if (!status)
        status = add_way(launch, way_of(pdf_viewers, LENGTH(pdf_viewers), launch->words[0]),
                         path, number, error);
    return status;
}

/* ---- Running ---- */

rag_status launch_run(const struct launch *launch, rag_error *error)
{
    rag_status status = flush_output(error);
    if (status)
        return status;
    signal(SIGPIPE, SIG_DFL); /* what main has set would be inherited */
    execv(launch->program, launch->words);
    return fail(error, "%.400s: %s", launch->program, strerror(errno));
}

/* A word as a shell reads it; control characters as escapes, for they may mean something to the
 * terminal. */
static void print_word(const char *word)
{
    bool plain = *word, control = false;
    for (const char *c = word; *c; c++) {
        plain = plain && (isalnum((unsigned char)*c) || strchr("+-./:=@_%,", *c));
        control = control || iscntrl((unsigned char)*c);
    }
    if (plain) {
        fputs(word, stdout);
        return;
    }
    fputs(control ? "$'" : "'", stdout);
    for (; *word; word++)
        if (*word == '\'')
            fputs(control ? "\\'" : "'\\''", stdout);
        else if (control && (*word == '\\' || iscntrl((unsigned char)*word)))
            printf("\\%03o", (unsigned char)*word);
        else
            putchar(*word);
    putchar('\'');
}

void launch_print(const struct launch *launch)
{
    for (size_t i = 0; i < launch->count; i++) {
        fputs(i ? " " : "", stdout);
        print_word(launch->words[i]);
    }
    putchar('\n');
}

void launch_release(struct launch *launch)
{
    for (size_t i = 0; i < launch->count; i++)
        free(launch->words[i]);
    free(launch->program);
    *launch = (struct launch){0};
}
