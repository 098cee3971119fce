/* cli.h - what the commands of the program share. They use include/rag.h alone.
 *
 * Results go to stdout, everything else to stderr. The exit status is that of the
 * rag_status a command returns. */
#ifndef RAG_CLI_CLI_H
#define RAG_CLI_CLI_H

#include "rag.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>

/* How rag ask prints an answer. */
enum answer_format { AS_TEXT, AS_MARKDOWN, AS_HTML, AS_JSON };

/* The values of an option that may be given several times. */
enum { MOST_VALUES = 256 };
struct option_values {
    const char *items[MOST_VALUES];
    size_t count;
};

/* Every option of every command; a command says which of them it takes. */
struct settings {
    const char *index, *model, *models, *rerank, *llm, *tokenizer, *hub, *revision, *name;
    const char *cache, *versus, *per_query;
    const char *collection, *since, *until, *input_name, *ocr;
    struct option_values paths, types, where, meta, urls;
    rag_chunker chunker;
    rag_context chunk_context;
    size_t max_tokens, overlap, k, candidates, context, seed, vectors;
    size_t around, lines_before, lines_after;
    rag_mode mode;
    bool mode_named;
    rag_role role;
    unsigned heads, threads;
    rag_precision precision;
    double min_evidence;
    enum answer_format format; /* of ask; json stands for JSON */
    bool json, jsonl, no_stream, quiet, show_question, dry_run, print, notebook_outputs;
    char **arguments;
    size_t argument_count;
};

struct command {
    const char *name;
    const char *arguments; /* such as "PATH..." */
    const char *summary;   /* one line */
    const char *options;   /* long names it takes, separated by spaces */
    const char *help;      /* paragraphs, see help.c; the last is the examples */
    size_t min_arguments, max_arguments;
    rag_status (*run)(const struct settings *settings, rag_error *error);
};

/* commands.c */
extern const struct command *const commands[];
extern const size_t command_count;

/* options.c */
enum option_kind {
    FLAG,
    TEXT,
    VALUES,
    COUNT,
    POSITIVE,
    CHUNKER,
    FORMAT,
    CONTEXT,
    MODE,
    ROLE,
    HEADS,
    PRECISION,
    SHARE
};

struct option_text {
    const char *name;
    char letter; /* 0: none */
    enum option_kind kind;
    size_t offset;     /* of the member of struct settings */
    size_t most;       /* COUNT, POSITIVE: the greatest value */
    const char *value; /* its name in the help; NULL: takes none */
    const char *help;
};

extern const struct option_text option_texts[];
extern const size_t option_text_count;

bool option_is_of(const struct option_text *option, const struct command *command);
rag_status options_parse(const struct command *command, int argc, char **argv,
                         struct settings *settings, rag_error *error);
/* Sets one of the command's options that takes a value, by its long name. */
rag_status option_set(const struct command *command, const char *name, const char *value,
                      struct settings *settings, rag_error *error);

/* help.c */
void help_print_usage(FILE *to);
void help_print(const struct command *command);
void help_print_manual(void);

/* progress.c: events to stderr, and Ctrl-C. */
struct progress {
    bool quiet, terminal, interactive_line;
    bool hidden; /* the answer is being printed: no bar is drawn over it */
    double started, shown, stage_started;
    uint64_t stage_first, stage_total;
    char stage[64];
};
void progress_start(struct progress *progress, const struct settings *settings);
int progress_event(const rag_event *event, void *progress); /* a rag_event_fn */
/* Removes what is left of the bar. */
void progress_finish(struct progress *progress);
/* From now on Ctrl-C asks long calls to stop; a second one ends the program at once. For
 * commands that leave something behind: the others just end. */
void interrupt_catch(void);
bool interrupt_came(void);
/* Ends that: SIGTERM ends the program as before, and Ctrl-C too unless it is to be ignored.
 * The number of the signal that came in between, or 0. */
int interrupt_release(bool ignore_ctrl_c);

/* input.c */
struct text_lines {
    char **texts;
    size_t *sizes;
    size_t count, capacity;
};
/* Reads up to `most` lines, or until their bytes pass `most_bytes`; with jsonl each is a JSON
 * string. *number counts lines for messages. Count 0: the end. */
rag_status text_lines_read(struct text_lines *lines, size_t most, size_t most_bytes, bool jsonl,
                           size_t *number, rag_error *error);
void text_lines_clear(struct text_lines *lines);
void text_lines_release(struct text_lines *lines);

/* output.c */
bool use_colour(void); /* stdout is a terminal and NO_COLOR is not set */
/* One object on a line; takes the reference. RAG_INPUT when stdout cannot be written. */
rag_status print_json(json_t *object, rag_error *error);
rag_status flush_output(rag_error *error);
rag_status out_of_memory(rag_error *error);
/* Strings of any bytes: what is not UTF-8 becomes U+FFFD. */
json_t *json_text(rag_text text);
json_t *json_string_of(const char *text);
json_t *json_range(uint64_t first, uint64_t last);
json_t *json_number(double value); /* null for NaN */
json_t *json_of_hit(const rag_hit *hit);
void print_hit(const rag_hit *hit);
bool is_utf8(rag_text text);
/* Without the control characters that a document, a path or a language model may bring to
 * the terminal; a newline is printed as `newline`. */
void print_safely(FILE *to, rag_text text, const char *newline);
void print_quote(rag_text quote); /* indented */
/* "FILE:LINE-LAST, PLACE  HEADING  (chunk ID)"; a colour that was begun ends behind the place.
 */
void print_place(const rag_chunk *chunk, int64_t id, unsigned line, unsigned last_line);
/* A path as the user would write it from here; valid until the next call. */
const char *display_path(const char *path);

/* changes.c: what became of documents, for rag index, rag watch and rag reindex. */
struct change_list {
    json_t *skipped; /* of path and reason */
    json_t *partial; /* likewise */
    json_t *changes; /* all; NULL: only those two kinds are gathered */
    bool failed;     /* out of memory */
};
const char *change_name(rag_change_kind kind);
json_t *json_of_change(const rag_change *change);
void change_list_take(struct change_list *list, const rag_change *change);
void change_list_release(struct change_list *list);
void print_add_report(const rag_add_report *report);
/* The members of a report, for an object of its own; NULL: out of memory. */
json_t *json_of_report(const rag_add_report *report);

/* answer.c */
struct answer_printer {
    struct progress progress;
    bool started;
};
int answer_print_piece(rag_text piece, void *printer);                 /* a rag_text_fn */
int answer_ask_whether_to_stop(const rag_event *event, void *printer); /* a rag_event_fn */
/* rag_ask by the settings; `options` has the language model and the turns before. Prints the
 * answer as it is written, where it is to be streamed; answer_print prints the rest. */
rag_status answer_ask(const struct settings *settings, rag_index *index, rag_text question,
                      rag_ask_options *options, rag_answer **answer, rag_error *error);
rag_status answer_print(const struct settings *settings, rag_text question,
                        const rag_answer *answer, rag_error *error);
json_t *json_of_usage(const rag_usage *usage);
void print_usage(const rag_usage *usage);

/* line_editor.c: lines from a terminal, with history, by libedit; or from a pipe. */
struct line_editor;
rag_status line_editor_open(bool terminal, const char *prompt, const char *more_prompt,
                            struct line_editor **editor, rag_error *error);
/* The next line without its end, UTF-8, valid until the next call; `more`: it goes on one
 * before. NULL: the end. RAG_INTERRUPTED: Ctrl-C was typed instead. RAG_INPUT says which line
 * of a pipe is bad. */
rag_status line_editor_read(struct line_editor *editor, bool more, const char **line,
                            rag_error *error);
/* Into the history, which is kept between sessions: at once, in case this one is killed. */
void line_editor_remember(struct line_editor *editor, const char *text);
void line_editor_close(struct line_editor *editor);

/* eval_table.c: what rag eval prints of one way of searching, or of two. */
#define EVAL_LABEL 17 /* columns */
void eval_print_heading(const char *set, const rag_eval_report *report, bool first);
rag_status eval_print_result(const struct settings *settings, const char *set,
                             const char *label, const rag_eval_result *result,
                             rag_error *error);
rag_status eval_print_comparison(const struct settings *settings, const char *set,
                                 const char *const labels[2], const rag_eval_result *a,
                                 const rag_eval_result *b, rag_error *error);
/* A line of JSON for each query. */
rag_status eval_write_queries(FILE *file, const char *set, const char *label,
                              const rag_eval_result *result, rag_error *error);

/* hit.c: the passage that the first argument names, as a search prints it: the number of its
 * chunk, a document, or DOCUMENT:LINE. *line: LINE, or 0. */
rag_status passage_of_hit(const struct settings *settings, rag_index *index,
                          const rag_passage_options *options, rag_passage **passage,
                          uint32_t *line, rag_error *error);

/* launch.c: a program that opens something, found and put together, and run. */
struct launch {
    char *program; /* its path */
    char *words[32];
    size_t count;
    bool at_place; /* it opens it at the number that it was given */
};
/* number: of the line, 0: not known. RAG_INPUT: VISUAL or EDITOR names what cannot be run, or
 * there is no editor. */
rag_status launch_editor(const char *path, unsigned number, struct launch *launch,
                         rag_error *error);
/* What opens a file or an address on the desktop; number: of a PDF's page, 0: it is none, or
 * not known. */
rag_status launch_viewer(const char *path, unsigned number, struct launch *launch,
                         rag_error *error);
/* Becomes the program: returns only if that fails. */
rag_status launch_run(const struct launch *launch, rag_error *error);
/* As a line that a shell would take. */
void launch_print(const struct launch *launch);
void launch_release(struct launch *launch);

/* index_options.c: settings as the library's options. */
rag_model_options model_options(const struct settings *settings);
rag_search_options search_options(const struct settings *settings, struct progress *progress);
/* The first argument. */
rag_status question_of(const struct settings *settings, rag_text *question, rag_error *error);
rag_index_options index_options_of(const struct settings *settings, bool must_exist);
/* Whether there is something to index, and indexing it: files and folders, standard input, and
 * addresses (index_sources.c). The report sums up. */
bool index_has_sources(const struct settings *settings);
rag_status index_sources(rag_index *index, const struct settings *settings,
                         const rag_add_options *options, rag_add_report *report,
                         rag_error *error);

/* The values of --meta as one JSON object, to be freed with free(); NULL if there are none. */
rag_status metadata_of(const struct settings *settings, char **metadata, rag_error *error);
rag_status open_index(const struct settings *settings, bool must_exist, rag_index **index,
                      rag_error *error);

extern const struct command index_command, watch_command, reindex_command, search_command,
    show_command, open_command, ask_command, chat_command, llm_command, chunk_command,
    tokenize_command, embed_command, rerank_command, model_command, info_command,
    verify_command, repair_command, compact_command, remove_command, eval_command;

#endif
