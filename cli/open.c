/* rag open: the file of a passage in an editor or viewer, at its place. */
#include "cli.h"

#include <string.h>
#include <strings.h>

/* Formats that are text to an editor, but whose passages have lines of their own. */
static bool is_edited(const rag_passage *passage)
{
    static const char *const formats[] = {"json", "jsonl", "srt", "vtt"};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strcmp(formats[i], passage->format) == 0)
            return true;
    return passage->is_text;
}

static bool is_address(const char *name)
{
    return strncasecmp(name, "http://", 7) == 0 || strncasecmp(name, "https://", 8) == 0;
}

/* Of a PDF; 0: it is none. */
static unsigned page_of(const rag_passage *passage)
{
    unsigned page;
    if (strcmp(passage->format, "pdf") != 0 ||
        sscanf(passage->chunk.place, "page %9u", &page) != 1)
        return 0;
    return page;
}

static rag_status check_file(const rag_passage *passage, rag_error *error)
{
    const char *name = passage->chunk.document;
    error->status = RAG_INPUT;
    if (passage->file == RAG_FILE_GONE)
        snprintf(error->message, sizeof error->message,
                 "%.400s is not there any more; rag show %lld shows what was indexed", name,
                 (long long)passage->chunk_id);
    else if (passage->file == RAG_FILE_NONE)
        snprintf(error->message, sizeof error->message,
                 "%.400s is no file and no address, so there is nothing to open; rag show %lld "
                 "shows what was indexed",
                 name, (long long)passage->chunk_id);
    else
        error->status = RAG_OK;
    return error->status;
}

static rag_status find_launch(const rag_passage *passage, uint32_t line, struct launch *launch,
                              rag_error *error)
{
    const char *name = passage->chunk.document;
    if (is_address(name))
        return launch_viewer(name, 0, launch, error);
    rag_status status = check_file(passage, error);
    if (status)
        return status;
    if (is_edited(passage))
        return launch_editor(name, passage->is_text ? line : 0, launch, error);
    return launch_viewer(name, page_of(passage), launch, error);
}

/* Where to look, if the program is not told, and that it may be elsewhere. */
static void say_where(const rag_passage *passage, uint32_t line, const struct launch *launch)
{
    const rag_chunk *chunk = &passage->chunk;
    char words[32];
    snprintf(words, sizeof words, "line %u", line);
    const char *where = passage->is_text ? words
                        : *chunk->place  ? chunk->place
                                         : chunk->heading;
    if (passage->file == RAG_FILE_CHANGED)
        fputs("The file has changed since it was indexed: the passage may be elsewhere.\n",
              stderr);
    if (launch->at_place || !*where)
        return;
    fputs("The passage is at: ", stderr);
    print_safely(stderr, (rag_text){where, strlen(where)}, " ");
    putc('\n', stderr);
}

static rag_status print_launch(const struct settings *settings, const struct launch *launch,
                               rag_error *error)
{
    if (!settings->json) {
        launch_print(launch);
        return RAG_OK;
    }
    json_t *words = json_array();
    for (size_t i = 0; i < launch->count; i++)
        json_array_append_new(words, json_string_of(launch->words[i]));
    return print_json(json_pack("{s:o, s:b}", "command", words, "at_place", launch->at_place),
                      error);
}

static rag_status run(const struct settings *settings, rag_error *error)
{
    rag_index *index;
    rag_passage *passage;
    uint32_t line;
    struct launch launch = {0};
    rag_status status = open_index(settings, true, &index, error);
    if (status)
        return status;
    status = passage_of_hit(settings, index, NULL, &passage, &line, error);
    rag_index_close(index);
    if (!status && !line)
        line = passage->chunk.line;
    if (!status)
        status = find_launch(passage, line, &launch, error);
    if (!status && !settings->quiet)
        say_where(passage, line, &launch);
    rag_passage_free(passage);
    if (!status)
        status = settings->print ? print_launch(settings, &launch, error)
                                 : launch_run(&launch, error);
    launch_release(&launch);
    return status;
}

const struct command open_command = {
    .name = "open",
    .arguments = "HIT",
    .summary = "Open the file of a passage at its place",
    .options = "index collection print json quiet",
    .help =
        "HIT as in rag show. Text is opened at the line by VISUAL or EDITOR, which may have "
        "arguments (EDITOR='code --wait'), else by editor, nano or vi; a PDF at the page by "
        "evince, atril, xreader, okular, zathura or mupdf; the rest, and addresses, by "
        "xdg-open. Where the program cannot be told the place, it is said: the page, or where "
        "in an archive. rag becomes the program, whose exit status is its own; no shell is in "
        "between.\n\n"
        "With --json, --print prints {\"command\": [...], \"at_place\"}.\n\n"
        "examples:\n"
        "  rag open 17\n"
        "  rag open notes/plan.md:120\n"
        "  EDITOR='emacsclient -nw' rag open 17\n"
        "  rag open --print 17\n",
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
