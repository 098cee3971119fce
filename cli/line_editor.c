/* line_editor.c - lines from a terminal by libedit, with a history that is kept between
 * sessions; from anything else by getline. */
#include "cli.h"

#include <errno.h>
#include <histedit.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HISTORY_LINES = 1000 };

struct line_editor {
    EditLine *terminal; /* NULL: not a terminal */
    History *history;
    char *history_path; /* NULL: not kept */
    const char *prompt, *more_prompt;
    bool more, stopped;
    char *line;
    size_t capacity;
};

/* Ctrl-C while editing: as a key, since libedit reads on after a signal. */
static unsigned char on_interrupt(EditLine *terminal, int key)
{
    struct line_editor *editor;
    const LineInfo *line = el_line(terminal);
    int size = (int)(line->lastchar - line->buffer);
    (void)key;
    el_get(terminal, EL_CLIENTDATA, &editor);
    el_cursor(terminal, (int)(line->lastchar - line->cursor));
    el_deletestr(terminal, size);
    editor->stopped = true;
    return CC_EOF;
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
    char path[4096];
    int size = state && *state == '/' ? snprintf(path, sizeof path, "%s/rag", state)
               : home && *home        ? snprintf(path, sizeof path, "%s/.local/state/rag", home)
                                      : -1;
    if (size < 0 || (size_t)size + 16 > sizeof path)
        return NULL;
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0755) != 0 && errno != EEXIST)
            return NULL;
        *slash = '/';
    }
    if (mkdir(path, 0700) != 0 && errno != EEXIST)
        return NULL;
    strcat(path, "/history");
    return strdup(path);
}

static bool open_terminal(struct line_editor *editor)
{
    HistEvent event;
    setlocale(LC_CTYPE, "");
    editor->terminal = el_init("rag", stdin, stdout, stderr);
    editor->history = history_init();
    if (!editor->terminal || !editor->history)
        return false;
    history(editor->history, &event, H_SETSIZE, HISTORY_LINES);
    history(editor->history, &event, H_SETUNIQUE, 1);
    el_set(editor->terminal, EL_CLIENTDATA, editor);
    el_set(editor->terminal, EL_PROMPT, show_prompt);
    el_set(editor->terminal, EL_EDITOR, "emacs");
    el_set(editor->terminal, EL_SETTY, "-d", "intr=", NULL);
    el_set(editor->terminal, EL_ADDFN, "rag-interrupt", "Forget the line", on_interrupt);
    el_set(editor->terminal, EL_BIND, "^C", "rag-interrupt", NULL);
    el_set(editor->terminal, EL_HIST, history, editor->history);
    editor->history_path = find_history();
    if (editor->history_path)
        history(editor->history, &event, H_LOAD, editor->history_path);
    return true;
}

rag_status line_editor_open(const char *prompt, const char *more_prompt,
                            struct line_editor **out, rag_error *error)
{
    struct line_editor *editor = calloc(1, sizeof *editor);
    *out = editor;
    if (editor) {
        editor->prompt = prompt;
        editor->more_prompt = more_prompt;
        if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO) || open_terminal(editor))
            return RAG_OK;
    }
    line_editor_close(editor);
    *out = NULL;
    error->status = RAG_MEMORY;
    snprintf(error->message, sizeof error->message, "out of memory");
    return RAG_MEMORY;
}

static const char *read_terminal(struct line_editor *editor, bool *stopped)
{
    int size = 0;
    editor->stopped = false;
    const char *line = el_gets(editor->terminal, &size);
    *stopped = editor->stopped;
    if (editor->stopped)
        putchar('\n');
    if (editor->stopped || !line || size <= 0)
        return NULL;
    free(editor->line);
    editor->line = strndup(line, strcspn(line, "\n"));
    return editor->line;
}

const char *line_editor_read(struct line_editor *editor, bool more, bool *stopped)
{
    *stopped = false;
    editor->more = more;
    if (editor->terminal)
        return read_terminal(editor, stopped);
    ssize_t size = getline(&editor->line, &editor->capacity, stdin);
    if (size < 0)
        return NULL;
    editor->line[strcspn(editor->line, "\r\n")] = '\0';
    return editor->line;
}

void line_editor_remember(struct line_editor *editor, const char *text)
{
    HistEvent event;
    if (editor->history)
        history(editor->history, &event, H_ENTER, text);
}

/* Others must not read what was asked. */
static void save_history(struct line_editor *editor)
{
    HistEvent event;
    mode_t mask = umask(0077);
    history(editor->history, &event, H_SAVE, editor->history_path);
    umask(mask);
}

void line_editor_close(struct line_editor *editor)
{
    if (!editor)
        return;
    if (editor->history && editor->history_path)
        save_history(editor);
    if (editor->history)
        history_end(editor->history);
    if (editor->terminal)
        el_end(editor->terminal);
    free(editor->history_path);
    free(editor->line);
    free(editor);
}
