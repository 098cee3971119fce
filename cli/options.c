/* options.c - the options of all commands in one table: parsing and checks. */
#include "cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMBER(name) offsetof(struct settings, name)
enum { MANY = 1 << 30, FIRST_LONG = 1000 /* what getopt_long returns for the first */ };

const struct option_text option_texts[] = {
    {"index", 'i', TEXT, MEMBER(index), 0, "FILE",
     "the index (default: RAG_INDEX, else .rag/index.rag)"},
    {"model", 'm', TEXT, MEMBER(model), 0, "M",
     "the model, a name or a folder (default: RAG_MODEL, else multilingual-e5-small)"},
    {"models", 0, TEXT, MEMBER(models), 0, "DIR", "the folder of models (default: RAG_MODELS)"},
    {"collection", 0, TEXT, MEMBER(collection), 0, "NAME",
     "the documents of this collection (default: put into \"default\", search all)"},
    {"path", 0, VALUES, MEMBER(paths), 0, "GLOB",
     "only documents whose path fits: ? * [a-z] within a name, ** across; from the front if "
     "it\n"
     "begins with /, else from any folder on; again for others too"},
    {"type", 0, VALUES, MEMBER(types), 0, "FORMAT",
     "only documents of this format: markdown, pdf, html, python ...; again for others too"},
    {"since", 0, TEXT, MEMBER(since), 0, "DATE",
     "only documents modified then or later: 2024-05-01, 2024-05-01T12:30Z, or 12h, 7d, 2w "
     "ago"},
    {"until", 0, TEXT, MEMBER(until), 0, "DATE", "only documents modified then or before"},
    {"where", 0, VALUES, MEMBER(where), 0, "COND",
     "only documents whose metadata meet this: a key, = != < <= > >=, a value; again for more"},
    {"meta", 0, VALUES, MEMBER(meta), 0, "KEY=VALUE",
     "kept with each file, for --where: over what it says of itself; again for more"},
    {"url", 0, VALUES, MEMBER(urls), 0, "URL",
     "a page or file to fetch, by http or https; again for more"},
    {"input-name", 0, TEXT, MEMBER(input_name), 0, "NAME",
     "the name of what comes from standard input (default: stdin)"},
    {"ocr", 0, TEXT, MEMBER(ocr), 0, "LANGS",
     "recognise the text of scanned PDFs, in these languages as tesseract names them, such as\n"
     "eng+chi_sim; none: do not (default: RAG_OCR, else none)"},
    {"notebook-outputs", 0, FLAG, MEMBER(notebook_outputs), 0, NULL,
     "of Jupyter notebooks the outputs of cells too, as far as they are text"},
    {"chunker", 0, CHUNKER, MEMBER(chunker), 0, "KIND",
     "structure (default): follows headings, paragraphs, code, tables; window: a fixed\n"
     "number of tokens, with overlap"},
    {"max-tokens", 0, POSITIVE, MEMBER(max_tokens), MANY, "N",
     "the most tokens of a chunk (default: what the model takes, at most 400)"},
    {"overlap", 0, COUNT, MEMBER(overlap), MANY, "N",
     "tokens that neighbouring chunks share (default: structure 0, window a quarter)"},
    {"context", 0, CONTEXT, MEMBER(chunk_context), 0, "WHAT",
     "what is embedded before a chunk's text and counts in it: none, heading (the heading "
     "path, "
     "default) or document (the document's name too)"},
    {"tokenizer", 0, TEXT, MEMBER(tokenizer), 0, "M",
     "count by this model's tokenizer, or by a file: tokenizer.json, *.model, vocab.txt, "
     "*.tiktoken"},
    {"top-k", 'k', POSITIVE, MEMBER(k), 10000, "N", "how many hits (default: 10)"},
    {"mode", 0, MODE, MEMBER(mode), 0, "MODE",
     "hybrid (default), dense (by meaning) or lexical (by words)"},
    {"candidates", 0, POSITIVE, MEMBER(candidates), 10000, "N",
     "how many of the best are reranked (default: 20)"},
    {"rerank", 0, TEXT, MEMBER(rerank), 0, "M",
     "a model, none, or auto (default): an installed cross-encoder, else late\n"
     "interaction with the embedding model; in mode lexical: none"},
    {"vs", 0, TEXT, MEMBER(versus), 0, "SPEC",
     "compare with another way of searching, such as mode=dense,rerank=none: keys are mode,\n"
     "candidates, rerank, model and precision; the rest stays as it is"},
    {"cache", 0, TEXT, MEMBER(cache), 0, "DIR",
     "keep the embedded passages of each set in a file in this folder"},
    {"per-query", 0, TEXT, MEMBER(per_query), 0, "FILE",
     "write a line of JSON for each query and way of searching"},
    {"seed", 0, COUNT, MEMBER(seed), MANY, "N", "of the bootstrap (default: 0)"},
    {"llm", 0, TEXT, MEMBER(llm), 0, "P:M",
     "the language model that answers, PROVIDER:MODEL or PROVIDER (rag llm list), or none:\n"
     "passages are quoted (default: RAG_LLM, else none)"},
    {"context", 0, POSITIVE, MEMBER(context), MANY, "N",
     "tokens of passages that the language model is given (default: 2048)"},
    {"min-evidence", 0, SHARE, MEMBER(min_evidence), 0, "P",
     "how likely it must be that the documents answer at all, 0 to 1, where that can be\n"
     "told (default: 0.1; 0: always answer)"},
    {"show-question", 0, FLAG, MEMBER(show_question), 0, NULL,
     "show the stand-alone question that was searched for"},
    {"no-stream", 0, FLAG, MEMBER(no_stream), 0, NULL, "print the answer when it is whole"},
    {"as", 0, ROLE, MEMBER(role), 0, "ROLE",
     "query, passage or raw (default): which of the model's prefixes to use"},
    {"heads", 0, HEADS, MEMBER(heads), 0, "LIST",
     "dense (default), sparse, multi, separated by commas"},
    {"precision", 0, PRECISION, MEMBER(precision), 0, "P",
     "f32, bf16, int8, or auto: the fastest that agrees with f32 (default)"},
    {"hub", 0, TEXT, MEMBER(hub), 0, "URL",
     "the hub (default: HF_ENDPOINT, else the public one)"},
    {"revision", 0, TEXT, MEMBER(revision), 0, "R", "branch, tag or commit (default: main)"},
    {"name", 0, TEXT, MEMBER(name), 0, "NAME", "install under this name, such as BAAI/bge-m3"},
    {"dry-run", 'n', FLAG, MEMBER(dry_run), 0, NULL,
     "only say what would be done, and how long it would take"},
    {"vectors", 0, COUNT, MEMBER(vectors), MANY, "N",
     "of how many chunks the vectors are computed again and compared (default: 0)"},
    {"around", 'C', COUNT, MEMBER(around), 10000, "N",
     "lines before and after the passage, blank ones not counted (default: 3)"},
    {"before", 'B', COUNT, MEMBER(lines_before), 10000, "N", "lines before the passage"},
    {"after", 'A', COUNT, MEMBER(lines_after), 10000, "N", "lines after the passage"},
    {"print", 0, FLAG, MEMBER(print), 0, NULL, "print the command instead of running it"},
    {"jsonl", 0, FLAG, MEMBER(jsonl), 0, NULL,
     "each line of the input is a JSON string, so that a text may hold any character"},
    {"format", 0, FORMAT, MEMBER(format), 0, "FORMAT",
     "text (default), markdown, html (a page of its own) or json"},
    {"json", 0, FLAG, MEMBER(json), 0, NULL, "print JSON, one object a line"},
    {"threads", 0, COUNT, MEMBER(threads), 1024, "N", "how many threads (default: all cores)"},
    {"quiet", 'q', FLAG, MEMBER(quiet), 0, NULL, "no progress, no warnings"},
};

enum { OPTION_COUNT = sizeof option_texts / sizeof *option_texts };

const size_t option_text_count = OPTION_COUNT;

static rag_status usage(const struct command *command, rag_error *error, const char *format,
                        ...) __attribute__((format(printf, 3, 4)));

static rag_status usage(const struct command *command, rag_error *error, const char *format,
                        ...)
{
    char text[800];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    error->status = RAG_USAGE;
    snprintf(error->message, sizeof error->message, "%s; see rag %s --help", text,
             command->name);
    return RAG_USAGE;
}

/* What the list of a command's options says for it: `ask` has another --context. */
static const char *word_of(const struct option_text *option)
{
    return option->kind == CONTEXT ? "chunk-context" : option->name;
}

bool option_is_of(const struct option_text *option, const struct command *command)
{
    const char *list = command->options, *word = word_of(option);
    size_t size = strlen(word);
    for (const char *at = list; (at = strstr(at, word)); at += size)
        if ((at == list || at[-1] == ' ') && (at[size] == ' ' || at[size] == '\0'))
            return true;
    return false;
}

struct choice {
    const char *name;
    int value;
};

static bool choose(const struct choice *choices, const char *text, int *value)
{
    for (; choices->name; choices++)
        if (strcmp(choices->name, text) == 0) {
            *value = choices->value;
            return true;
        }
    return false;
}

static bool parse_heads(const char *text, unsigned *heads)
{
    static const struct choice names[] = {
        {"dense", RAG_DENSE}, {"sparse", RAG_SPARSE}, {"multi", RAG_MULTI}, {NULL, 0}};
    char copy[64];
    if (strlen(text) >= sizeof copy)
        return false;
    strcpy(copy, text);
    *heads = 0;
    char *rest = NULL;
    for (char *part = strtok_r(copy, ",", &rest); part; part = strtok_r(NULL, ",", &rest)) {
        int value;
        if (!choose(names, part, &value))
            return false;
        *heads |= (unsigned)value;
    }
    return *heads != 0;
}

static bool parse_count(const char *text, size_t most, size_t *count)
{
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || *end || value > most)
        return false;
    *count = (size_t)value;
    return true;
}

static bool parse_share(const char *text, double *share)
{
    char *end;
    *share = strtod(text, &end);
    return end != text && !*end && *share >= 0 && *share <= 1;
}

static rag_status set_option(const struct command *command, const struct option_text *option,
                             const char *text, struct settings *settings, rag_error *error)
{
    static const struct choice chunkers[] = {
        {"structure", RAG_CHUNKER_STRUCTURE}, {"window", RAG_CHUNKER_WINDOW}, {NULL, 0}};
    static const struct choice modes[] = {{"hybrid", RAG_HYBRID},
                                          {"dense", RAG_MODE_DENSE},
                                          {"lexical", RAG_MODE_LEXICAL},
                                          {NULL, 0}};
    static const struct choice roles[] = {
        {"query", RAG_QUERY}, {"passage", RAG_PASSAGE}, {"raw", RAG_RAW}, {NULL, 0}};
    static const struct choice precisions[] = {{"f32", RAG_PRECISION_F32},
                                               {"bf16", RAG_PRECISION_BF16},
                                               {"int8", RAG_PRECISION_INT8},
                                               {"auto", RAG_PRECISION_AUTO},
                                               {NULL, 0}};
    static const struct choice formats[] = {{"text", AS_TEXT},
                                            {"markdown", AS_MARKDOWN},
                                            {"html", AS_HTML},
                                            {"json", AS_JSON},
                                            {NULL, 0}};
    static const struct choice contexts[] = {{"none", RAG_CONTEXT_NONE},
                                             {"heading", RAG_CONTEXT_HEADING},
                                             {"document", RAG_CONTEXT_DOCUMENT},
                                             {NULL, 0}};
    void *member = (char *)settings + option->offset;
    bool good = true;
    size_t count;
    int value = 0;
    switch (option->kind) {
    case FLAG:
        *(bool *)member = true;
        break;
    case TEXT:
        good = *text != '\0';
        *(const char **)member = text;
        break;
    case VALUES: {
        struct option_values *values = member;
        if (values->count == MOST_VALUES)
            return usage(command, error, "--%s can be given %d times", option->name,
                         MOST_VALUES);
        good = *text != '\0';
        values->items[values->count++] = text;
        break;
    }
    case COUNT:
    case POSITIVE:
        good = parse_count(text, option->most, &count) && (count || option->kind == COUNT);
        if (good && member == (void *)&settings->threads)
            settings->threads = (unsigned)count;
        else if (good)
            *(size_t *)member = count;
        break;
    case CHUNKER:
        good = choose(chunkers, text, &value);
        settings->chunker = (rag_chunker)value;
        break;
    case FORMAT:
        good = choose(formats, text, &value);
        settings->format = (enum answer_format)value;
        settings->json = value == AS_JSON;
        break;
    case CONTEXT:
        good = choose(contexts, text, &value);
        settings->chunk_context = (rag_context)value;
        break;
    case MODE:
        good = choose(modes, text, &value);
        settings->mode = (rag_mode)value;
        settings->mode_named = true;
        break;
    case ROLE:
        good = choose(roles, text, &value);
        settings->role = (rag_role)value;
        break;
    case HEADS:
        good = parse_heads(text, &settings->heads);
        break;
    case SHARE:
        good = parse_share(text, member);
        if (good && settings->min_evidence == 0)
            settings->min_evidence = -1; /* rag.h's "always"; its 0 is the default */
        break;
    case PRECISION:
        good = choose(precisions, text, &value);
        settings->precision = (rag_precision)value;
        break;
    }
    if (!good)
        return usage(command, error, "--%s does not take \"%s\"", option->name, text);
    return RAG_OK;
}

rag_status option_set(const struct command *command, const char *name, const char *value,
                      struct settings *settings, rag_error *error)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option_text *option = &option_texts[i];
        if (strcmp(option->name, name) == 0 && option->kind != FLAG &&
            option_is_of(option, command))
            return set_option(command, option, value, settings, error);
    }
    return usage(command, error, "\"%s\" cannot be set here", name);
}

/* What getopt_long did not take. It says which letter, or option, in optopt, but for a long
 * name that it does not know. */
static rag_status refuse_option(const struct command *command, int found, const char *given,
                                rag_error *error)
{
    char letter[] = {'-', (char)optopt, '\0'};
    if (optopt > ' ' && optopt < 0x7f)
        given = letter;
    if (found == ':')
        return usage(command, error, "%s needs a value", given);
    if (optopt >= FIRST_LONG)
        return usage(command, error, "--%s takes no value",
                     option_texts[optopt - FIRST_LONG].name);
    return usage(command, error, "%s is not an option of rag %s", given, command->name);
}

rag_status options_parse(const struct command *command, int argc, char **argv,
                         struct settings *settings, rag_error *error)
{
    struct option table[OPTION_COUNT + 1] = {0};
    char letters[2 * OPTION_COUNT + 2] = ":";
    size_t used = 0, letter_count = 1;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (!option_is_of(&option_texts[i], command))
            continue;
        bool takes_value = option_texts[i].kind != FLAG;
        table[used++] =
            (struct option){option_texts[i].name, takes_value ? required_argument : no_argument,
                            NULL, FIRST_LONG + (int)i};
        if (option_texts[i].letter)
            letters[letter_count++] = option_texts[i].letter;
        if (option_texts[i].letter && takes_value)
            letters[letter_count++] = ':';
    }
    *settings = (struct settings){.max_tokens = RAG_AUTO,
                                  .overlap = RAG_AUTO,
                                  .role = RAG_RAW,
                                  .around = RAG_AUTO,
                                  .lines_before = RAG_AUTO,
                                  .lines_after = RAG_AUTO};
    opterr = 0;
    int found;
    while ((found = getopt_long(argc, argv, letters, table, NULL)) != -1) {
        if (found == ':' || found == '?')
            return refuse_option(command, found, argv[optind - 1], error);
        size_t i = 0;
        while (i < OPTION_COUNT && !(found == FIRST_LONG + (int)i ||
                                     (found < FIRST_LONG && option_texts[i].letter == found)))
            i++;
        rag_status status = set_option(command, &option_texts[i], optarg, settings, error);
        if (status)
            return status;
    }
    settings->arguments = argv + optind;
    settings->argument_count = (size_t)(argc - optind);
    if (settings->argument_count < command->min_arguments)
        return usage(command, error, "rag %s needs %s", command->name, command->arguments);
    if (settings->argument_count > command->max_arguments)
        return usage(command, error, "\"%s\" is one argument too many for rag %s",
                     settings->arguments[command->max_arguments], command->name);
    return RAG_OK;
}
