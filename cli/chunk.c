/* rag chunk: documents cut into chunks, for looking at and for other programs. */
#include "cli.h"

struct printer {
    rag_status status;
    rag_error error;
};

static int print_chunk(const rag_chunk *chunk, void *user)
{
    struct printer *printer = user;
    printer->status = print_json(
        json_pack("{s:o, s:I, s:o, s:o, s:o, s:o, s:I, s:o, s:o}", "document",
                  json_string_of(chunk->document), "number", (json_int_t)chunk->number,
                  "heading", json_string_of(chunk->heading), "lines",
                  json_range(chunk->line, chunk->last_line), "bytes",
                  json_range(chunk->begin, chunk->end), "place", json_string_of(chunk->place),
                  "tokens", (json_int_t)chunk->tokens, "header", json_text(chunk->header),
                  "text", json_text(chunk->text)),
        &printer->error);
    return printer->status != RAG_OK;
}

static rag_status run(const struct settings *settings, rag_error *error)
{
    struct progress progress;
    rag_tokenizer *tokenizer;
    progress_start(&progress, settings);
    rag_status status =
        rag_tokenizer_open(settings->tokenizer ? settings->tokenizer : settings->model,
                           settings->models, &tokenizer, error);
    if (status)
        return status;
    rag_chunk_options options = RAG_CHUNK_OPTIONS_INIT;
    options.chunker = settings->chunker;
    options.max_tokens = settings->max_tokens;
    options.overlap = settings->overlap;
    options.context = settings->chunk_context;
    options.ocr = settings->ocr;
    options.notebook_outputs = settings->notebook_outputs;
    options.on_event = progress_event;
    options.user = &progress;
    struct printer printer = {RAG_OK, {RAG_OK, ""}};
    status =
        rag_chunk_paths(tokenizer, (const char *const *)settings->arguments,
                        settings->argument_count, &options, print_chunk, &printer, NULL, error);
    progress_finish(&progress);
    rag_tokenizer_close(tokenizer);
    if (!printer.status)
        return status;
    *error = printer.error;
    return printer.status;
}

const struct command chunk_command = {
    .name = "chunk",
    .arguments = "PATH...",
    .summary = "Print the chunks of files and folders, one JSON object a line",
    .options = "chunker max-tokens overlap chunk-context tokenizer model models ocr "
               "notebook-outputs quiet",
    .help = "Each object is {\"document\", \"number\", \"heading\", \"lines\": [first, last],\n"
            "\"bytes\": [begin, end], \"tokens\", \"header\", \"text\"}; bytes are those of "
            "the file "
            "where it is UTF-8. What is embedded is the heading path, the header (the first "
            "rows of "
            "a table, before a chunk of its later rows) and the text: together at most "
            "--max-tokens.\n\n"
            "examples:\n"
            "  rag chunk README.md\n"
            "  rag chunk --chunker window --max-tokens 256 --overlap 64 docs | jq .tokens\n"
            "  rag chunk --chunker window --tokenizer cl100k_base.tiktoken docs\n",
    .min_arguments = 1,
    .max_arguments = (size_t)-1,
    .run = run,
};
