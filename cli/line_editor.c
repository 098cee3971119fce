/* line_editor.c - lines from a terminal by libedit, with a history that is kept between
 * sessions; from anything else as they come. */
#include "cli.h"

#include <errno.h>
#include <histedit.h>
#include <langinfo.h>
#include <limits.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    HISTORY_LINES = 1000,
    HISTORY_LINE_BYTES = 4096, /* longer ones are not kept */
    MAX_LINE = 1 << 20,
};

struct line_editor {
    EditLine *terminal; /* NULL: not a terminal */
    History *history;
    char *history_path; /* NULL: not kept */
    const char *prompt, *more_prompt;
    bool more, interrupted;
    char *line;
    size_t size, capacity, number;
};

/* Ctrl-C while editing: as a key, for libedit reads on after a signal. */
static unsigned char on_interrupt(EditLine *terminal, int key)
{
    struct line_editor *editor;
    const LineInfo *line = el_line(terminal);
    int size = (int)(line->lastchar - line->buffer);
    (void)key;
    el_get(terminal, EL_CLIENTDATA, &editor);
    el_cursor(terminal, (int)(line->lastchar - line->cursor));
    el_deletestr(terminal, size);
    editor->interrupted = true;
    return CC_EOF;
}

/* Ctrl-Z, a key like Ctrl-C. libedit has caught the signal and sets the terminal right. */
static unsigned char on_suspend(EditLine *terminal, int key)
{
    (void)terminal;
    (void)key;
    raise(SIGTSTP);
    return CC_REDISPLAY;
}

static char *show_prompt(EditLine *terminal)
{
    static char text[32];
    struct line_editor *editor;
    el_get(terminal, EL_CLIENTDATA, &editor);
    snprintf(text, sizeof text, "%s", editor->more ? editor->more_prompt : editor->prompt);
    return text;
}

/* XDG_STATE_HOME/rag/history, with its folders made; NULL: nowhere. */
static char *find_history(void)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    char path[PATH_MAX];
    int size = -1;
    if (state && *state == '/')
        size = snprintf(path, sizeof path, "%s/rag/history", state);
    else if (home && *home)
        size = snprintf(path, sizeof path, "%s/.local/state/rag/history", home);
    if (size < 0 || (size_t)size >= sizeof path)
        return NULL;
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            return NULL;
        *slash = '/';
    }
    return strdup(path);
}

/* Whatever the locale, what is typed and printed is UTF-8. */
static void use_utf8(void)
{
    if (!setlocale(LC_CTYPE, "") || strcmp(nl_langinfo(CODESET), "UTF-8") != 0)
        setlocale(LC_CTYPE, "C.UTF-8");
}

static bool open_terminal(struct line_editor *editor)
{
    HistEvent event;
    use_utf8();
    editor->terminal = el_init("rag", stdin, stdout, stderr);
    editor->history = history_init();
    if (!editor->terminal || !editor->history)
        return false;
    history(editor->history, &event, H_SETSIZE, HISTORY_LINES);
    history(editor->history, &event, H_SETUNIQUE, 1);
    el_set(editor->terminal, EL_CLIENTDATA, editor);
    el_set(editor->terminal, EL_PROMPT, show_prompt);
    el_set(editor->terminal, EL_SIGNAL, 1); /* a new size, a stop, an end */
    el_set(editor->terminal, EL_EDITOR, "emacs");
    el_set(editor->terminal, EL_SETTY, "-d", "-isig", NULL);
    /* The narrow form would leak its copies of the names. */
    el_wset(editor->terminal, EL_ADDFN, L"rag-interrupt", L"Forget the line", on_interrupt);
    el_set(editor->terminal, EL_BIND, "^C", "rag-interrupt", NULL);
    el_wset(editor->terminal, EL_ADDFN, L"rag-suspend", L"Suspend", on_suspend);
    el_set(editor->terminal, EL_BIND, "^Z", "rag-suspend", NULL);
    el_set(editor->terminal, EL_HIST, history, editor->history);
    editor->history_path = find_history();
    if (editor->history_path)
        history(editor->history, &event, H_LOAD, editor->history_path);
    return true;
}

rag_status line_editor_open(bool terminal, const char *prompt, const char *more_prompt,
                            struct line_editor **out, rag_error *error)
{
    struct line_editor *editor = calloc(1, sizeof *editor);
    *out = editor;
    if (editor) {
        editor->prompt = prompt;
        editor->more_prompt = more_prompt;
        if (!terminal || open_terminal(editor))
            return RAG_OK;
    }
    line_editor_close(editor);
    *out = NULL;
    return out_of_memory(error);
}

static rag_status read_terminal(struct line_editor *editor, const char **line, rag_error *error)
{
    int size = 0;
    editor->interrupted = false;
    errno = 0;
    const char *typed = el_gets(editor->terminal, &size);
    if (!typed || size <= 0) {
        bool signalled = size < 0 && errno == EINTR; /* Ctrl-C before it was a key */
        putchar('\n');
        if (!editor->interrupted && !signalled)
            return RAG_OK;
        error->status = RAG_INTERRUPTED;
        *error->message = '\0';
        return RAG_INTERRUPTED;
    }
    free(editor->line);
    editor->line = strndup(typed, strcspn(typed, "\n"));
    *line = editor->line;
    return editor->line ? RAG_OK : out_of_memory(error);
}

static rag_status refuse(const struct line_editor *editor, const char *why, rag_error *error)
{
    error->status = RAG_INPUT;
    snprintf(error->message, sizeof error->message, "standard input, line %zu: %s",
             editor->number, why);
    return RAG_INPUT;
}

/* Room for one more byte and the NUL. */
static bool reserve(struct line_editor *editor)
{
    if (editor->size + 2 <= editor->capacity)
        return true;
    size_t capacity = editor->capacity ? 2 * editor->capacity : 256;
    char *line = realloc(editor->line, capacity);
    if (!line)
        return false;
    editor->line = line;
    editor->capacity = capacity;
    return true;
}

static rag_status read_pipe(struct line_editor *editor, const char **line, rag_error *error)
{
    int c = 0;
    editor->size = 0;
    editor->number++;
    errno = 0;
    while ((c = getc(stdin)) != EOF && c != '\n') {
        if (editor->size == MAX_LINE)
            return refuse(editor, "longer than a question may be (1 MiB)", error);
        if (!reserve(editor))
            return out_of_memory(error);
        editor->line[editor->size++] = (char)c;
    }
    if (ferror(stdin))
        return refuse(editor, strerror(errno), error);
    if (c == EOF && editor->size == 0)
        return RAG_OK;
    if (!reserve(editor))
        return out_of_memory(error);
    editor->size -= editor->size && editor->line[editor->size - 1] == '\r';
    editor->line[editor->size] = '\0';
    if (!is_utf8((rag_text){editor->line, editor->size}))
        return refuse(editor, "not UTF-8", error);
    if (memchr(editor->line, '\0', editor->size))
        return refuse(editor, "a NUL byte", error);
    *line = editor->line;
    return RAG_OK;
}

rag_status line_editor_read(struct line_editor *editor, bool more, const char **line,
                            rag_error *error)
{
    *line = NULL;
    editor->more = more;
    return editor->terminal ? read_terminal(editor, line, error)
                            : read_pipe(editor, line, error);
}

/* A new file in the old one's place: an end at any moment leaves one of them whole, and others
 * must not read what was asked. */
static void save_history(struct line_editor *editor)
{
    HistEvent event;
    char path[PATH_MAX];
    int size = snprintf(path, sizeof path, "%s.%ld", editor->history_path, (long)getpid());
    if (size < 0 || (size_t)size >= sizeof path)
        return;
    mode_t mask = umask(0077);
    if (history(editor->history, &event, H_SAVE, path) < 0 ||
        rename(path, editor->history_path) != 0)
        unlink(path);
    umask(mask);
}

void line_editor_remember(struct line_editor *editor, const char *text)
{
    HistEvent event;
    char line[HISTORY_LINE_BYTES];
    size_t size = strlen(text);
    if (!editor->history || size >= sizeof line)
        return;
    /* The editor has one line. */
    for (size_t i = 0; i <= size; i++)
        line[i] = (char)(text[i] == '\n' ? ' ' : text[i]);
    history(editor->history, &event, H_ENTER, line);
    if (editor->history_path)
        save_history(editor);
}

void line_editor_close(struct line_editor *editor)
{
    if (!editor)
        return;
    if (editor->history)
        history_end(editor->history);
    if (editor->terminal)
        el_end(editor->terminal);
    free(editor->history_path);
    free(editor->line);
    free(editor);
}
