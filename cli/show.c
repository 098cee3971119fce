/* rag show: a passage in its surroundings. */
#include "cli.h"

#include <string.h>

static const char *const file_states[] = {
    [RAG_FILE_SAME] = "same", [RAG_FILE_CHANGED] = "changed", [RAG_FILE_GONE] = "gone"};

static rag_passage_options options_of(const struct settings *settings)
{
    rag_passage_options options = RAG_PASSAGE_OPTIONS_INIT;
    options.before = options.after = settings->around;
    if (settings->lines_before != RAG_AUTO)
        options.before = settings->lines_before;
    if (settings->lines_after != RAG_AUTO)
        options.after = settings->lines_after;
    return options;
}

static json_t *json_of_passage(const rag_passage *passage)
{
    const rag_chunk *chunk = &passage->chunk;
    const char *state = file_states[passage->file];
    return json_pack(
        "{s:I, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "chunk",
        (json_int_t)passage->chunk_id, "document", json_string_of(chunk->document),
        "collection", json_string_of(passage->collection), "format",
        json_string_of(passage->format), "file", state ? json_string(state) : json_null(),
        "place", json_string_of(chunk->place), "heading", json_string_of(chunk->heading),
        "lines", json_range(chunk->line, chunk->last_line), "bytes",
        json_range(chunk->begin, chunk->end), "metadata",
        json_loads(passage->metadata, JSON_ALLOW_NUL, NULL), "header", json_text(chunk->header),
        "before", json_text(passage->before), "text", json_text(chunk->text), "after",
        json_text(passage->after));
}

static uint32_t newlines_in(rag_text text)
{
    uint32_t count = 0;
    for (size_t i = 0; i < text.size; i++)
        count += text.data[i] == '\n';
    return count;
}

/* The lines of a part of the text, of which the first is number *line (0: they have none), each
 * behind a margin; afterwards *line is that of what follows. */
static void print_lines(rag_text text, char mark, const char *colour, uint32_t *line)
{
    for (size_t at = 0; at < text.size;) {
        const char *newline = memchr(text.data + at, '\n', text.size - at);
        size_t end = newline ? (size_t)(newline - text.data) : text.size;
        printf("%s%c", use_colour() ? colour : "", mark);
        if (*line)
            printf(" %6u", *line);
        fputs(end > at ? *line ? "  " : " " : "", stdout);
        print_safely(stdout, (rag_text){text.data + at, end - at}, "");
        puts(use_colour() ? "\033[0m" : "");
        *line += *line && newline;
        at = end + 1;
    }
}

/* What follows a part that did not end its line begins with that line's end. */
static rag_text without_newline(rag_text text, uint32_t *line)
{
    bool has = text.size && *text.data == '\n';
    *line += *line && has;
    return (rag_text){text.data + has, text.size - has};
}

static void print_passage(const rag_passage *passage)
{
    static const char *const dim = "\033[2m";
    const rag_chunk *chunk = &passage->chunk;
    uint32_t line = 0, none = 0, above = newlines_in(passage->before);
    if (passage->is_text && chunk->line > above)
        line = chunk->line - above;
    fputs(use_colour() ? "\033[1m" : "", stdout);
    print_place(chunk, passage->chunk_id, chunk->line, chunk->last_line);
    if (passage->file == RAG_FILE_CHANGED)
        puts("The file has changed since it was indexed.");
    if (passage->file == RAG_FILE_GONE)
        puts("The file is not there any more.");
    putchar('\n');
    print_lines(chunk->header, '|', dim, &none);
    print_lines(passage->before, ' ', dim, &line);
    print_lines(chunk->text, '>', "", &line);
    bool ended = chunk->text.size && chunk->text.data[chunk->text.size - 1] == '\n';
    print_lines(ended ? passage->after : without_newline(passage->after, &line), ' ', dim,
                &line);
}

static rag_status run(const struct settings *settings, rag_error *error)
{
    rag_index *index;
    rag_passage *passage;
    uint32_t line;
    rag_passage_options options = options_of(settings);
    rag_status status = open_index(settings, true, &index, error);
    if (status)
        return status;
    status = passage_of_hit(settings, index, &options, &passage, &line, error);
    if (!status && settings->json)
        status = print_json(json_of_passage(passage), error);
    else if (!status)
        print_passage(passage);
    rag_passage_free(passage);
    rag_index_close(index);
    return status;
}

const struct command show_command = {
    .name = "show",
    .arguments = "HIT",
    .summary = "Show a passage with what stands around it",
    .options = "index collection around before after json",
    .help =
        "HIT is the number of a chunk, as rag search and rag ask print it; or a document, or "
        "DOCUMENT:LINE, for the passage that has that line. A file may be named from the "
        "current folder; one whose name is a number as ./NAME.\n\n"
        "The passage is marked with >. It and its surroundings are those that were indexed, "
        "so they are there also if the file has changed or is gone, which is said. Lines are "
        "numbered where they are those of the file.\n\n"
        "With --json it is an object {\"chunk\", \"document\", \"collection\", \"format\", "
        "\"file\": \"same\", \"changed\", \"gone\" or null, \"place\", \"heading\", \"lines\", "
        "\"bytes\", \"metadata\", \"header\", \"before\", \"text\", \"after\"}: the three "
        "texts "
        "follow each other in the document, and bytes are those of \"text\". file is null for "
        "what was no file.\n\n"
        "examples:\n"
        "  rag show 17\n"
        "  rag show -C 10 notes/plan.md:120\n"
        "  rag show --before 0 --after 20 notes/plan.md\n"
        "  rag show --json 17 | jq -r .text\n",
    .min_arguments = 1,
    .max_arguments = 1,
    .run = run,
};
