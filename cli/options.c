/* options.c - the options of all commands in one table: parsing, checks, help. */
#include "cli.h"

#include <errno.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum kind { FLAG, TEXT, COUNT, CHUNKER, MODE, ROLE, HEADS, PRECISION };

struct option_text {
    const char *name;
    char letter;
    enum kind kind;
    size_t offset; /* of the member of struct settings */
    size_t most;   /* COUNT: the greatest value */
    const char *value, *help;
};

#define MEMBER(name) offsetof(struct settings, name)
enum { MANY = 1 << 30 };

static const struct option_text options[] = {
    {"index", 'i', TEXT, MEMBER(index), 0, "FILE",
     "the index (default: RAG_INDEX, else .rag/index.rag)"},
    {"model", 'm', TEXT, MEMBER(model), 0, "M",
     "the model, a name or a folder (default: RAG_MODEL, else multilingual-e5-small)"},
    {"models", 0, TEXT, MEMBER(models), 0, "DIR", "the folder of models (default: RAG_MODELS)"},
    {"chunker", 0, CHUNKER, MEMBER(chunker), 0, "KIND",
     "structure (default): follows headings, paragraphs, code, tables; window: a fixed\n"
     "number of tokens, with overlap"},
    {"max-tokens", 0, COUNT, MEMBER(max_tokens), MANY, "N",
     "the most tokens of a chunk (default: what the model takes, at most 400)"},
    {"overlap", 0, COUNT, MEMBER(overlap), MANY, "N",
     "tokens that neighbouring chunks share (default: structure 0, window a quarter)"},
    {"tokenizer", 0, TEXT, MEMBER(tokenizer), 0, "M",
     "count by this model's tokenizer, or by a tokenizer file"},
    {"top-k", 'k', COUNT, MEMBER(k), 10000, "N", "how many hits (default: 10)"},
    {"mode", 0, MODE, MEMBER(mode), 0, "MODE",
     "hybrid (default), dense (by meaning) or lexical (by words)"},
    {"candidates", 0, COUNT, MEMBER(candidates), 10000, "N",
     "how many of the best are reranked (default: 20)"},
    {"rerank", 0, TEXT, MEMBER(rerank), 0, "M",
     "a model, none, or auto (default): an installed cross-encoder, else late\n"
     "interaction with the embedding model; in mode lexical: none"},
    {"llm", 0, TEXT, MEMBER(llm), 0, "P:M",
     "the language model that answers, PROVIDER:MODEL with the provider openai or\n"
     "gemini, or none: passages are quoted (default: RAG_LLM, else none)"},
    {"context", 0, COUNT, MEMBER(context), MANY, "N",
     "tokens of passages that the language model is given (default: 2048)"},
    {"no-stream", 0, FLAG, MEMBER(no_stream), 0, NULL, "print the answer when it is whole"},
    {"as", 0, ROLE, MEMBER(role), 0, "ROLE",
     "query, passage or raw (default): which of the model's prefixes to use"},
    {"heads", 0, HEADS, MEMBER(heads), 0, "LIST",
     "dense (default), sparse, multi, separated by commas"},
    {"precision", 0, PRECISION, MEMBER(precision), 0, "P", "f32 (default), bf16 or int8"},
    {"hub", 0, TEXT, MEMBER(hub), 0, "URL",
     "the hub (default: HF_ENDPOINT, else the public one)"},
    {"revision", 0, TEXT, MEMBER(revision), 0, "R", "branch, tag or commit (default: main)"},
    {"name", 0, TEXT, MEMBER(name), 0, "NAME", "install under this name, such as BAAI/bge-m3"},
    {"jsonl", 0, FLAG, MEMBER(jsonl), 0, NULL,
     "each line of the input is a JSON string, so that a text may hold any character"},
    {"json", 0, FLAG, MEMBER(json), 0, NULL, "print JSON, one object a line"},
    {"threads", 0, COUNT, MEMBER(threads), 1024, "N", "how many threads (default: all cores)"},
    {"quiet", 'q', FLAG, MEMBER(quiet), 0, NULL, "no progress, no warnings"},
};

enum { OPTION_COUNT = sizeof options / sizeof *options };

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

/* Whether a list of words contains one. */
static bool has_word(const char *list, const char *word)
{
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
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (errno || end == text || *end || *text == '-' || *text == '+' || value > most)
        return false;
    *count = (size_t)value;
    return true;
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
    case COUNT:
        good = parse_count(text, option->most, &count);
        if (good && member == (void *)&settings->threads)
            settings->threads = (unsigned)count;
        else if (good)
            *(size_t *)member = count;
        break;
    case CHUNKER:
        good = choose(chunkers, text, &value);
        settings->chunker = (rag_chunker)value;
        break;
    case MODE:
        good = choose(modes, text, &value);
        settings->mode = (rag_mode)value;
        break;
    case ROLE:
        good = choose(roles, text, &value);
        settings->role = (rag_role)value;
        break;
    case HEADS:
        good = parse_heads(text, &settings->heads);
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

rag_status options_parse(const struct command *command, int argc, char **argv,
                         struct settings *settings, rag_error *error)
{
    struct option table[OPTION_COUNT + 1] = {0};
    char letters[2 * OPTION_COUNT + 2] = ":";
    size_t used = 0, letter_count = 1;
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (!has_word(command->options, options[i].name))
            continue;
        bool takes_value = options[i].kind != FLAG;
        table[used++] =
            (struct option){options[i].name, takes_value ? required_argument : no_argument,
                            NULL, (int)(1000 + i)};
        if (options[i].letter)
            letters[letter_count++] = options[i].letter;
        if (options[i].letter && takes_value)
            letters[letter_count++] = ':';
    }
    *settings = (struct settings){.max_tokens = RAG_AUTO, .overlap = RAG_AUTO, .role = RAG_RAW};
    opterr = 0;
    int found;
    while ((found = getopt_long(argc, argv, letters, table, NULL)) != -1) {
        const char *given = argv[optind - 1];
        if (found == ':')
            return usage(command, error, "%s needs a value", given);
        if (found == '?')
            return usage(command, error, "%s is not an option of rag %s", given, command->name);
        size_t i = 0;
        while (i < OPTION_COUNT &&
               !(found == (int)(1000 + i) || (found < 1000 && options[i].letter == found)))
            i++;
        rag_status status = set_option(command, &options[i], optarg, settings, error);
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

/* Text with the lines behind its first indented. */
static void print_indented(const char *text, int indent)
{
    for (; *text; text++) {
        putchar(*text);
        if (*text == '\n')
            printf("%*s", indent, "");
    }
    putchar('\n');
}

static void print_options(const struct command *command)
{
    enum { COLUMN = 24 };
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option_text *option = &options[i];
        if (!has_word(command->options, option->name))
            continue;
        char left[64];
        snprintf(left, sizeof left, "  %c%c%s --%s %s", option->letter ? '-' : ' ',
                 option->letter ? option->letter : ' ', option->letter ? "," : " ",
                 option->name, option->value ? option->value : "");
        printf("%-*s  ", COLUMN, left);
        print_indented(option->help, COLUMN + 2);
    }
}

void options_print_help(const struct command *command, bool roff)
{
    if (roff)
        printf(".SH \"RAG %s\"\n.nf\n", command->name);
    printf("usage: rag %s %s%s[OPTION]...\n\n%s.\n\n", command->name, command->arguments,
           *command->arguments ? " " : "", command->summary);
    print_options(command);
    /* In roff a line must not begin with a dot or a quote, and \ is special. */
    printf("\n%s", command->help);
    if (roff)
        puts(".fi");
}
