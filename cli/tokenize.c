/* rag tokenize: texts to token ids and byte ranges. */
#include "cli.h"

enum { LINES = 256, BYTES = 1 << 24 };

static rag_status print_tokens(const rag_tokens *tokens, rag_error *error)
{
    json_t *ids = json_array(), *spans = json_array();
    for (size_t i = 0; i < tokens->count; i++) {
        json_array_append_new(ids, json_integer(tokens->ids[i]));
        json_array_append_new(spans, json_range(tokens->begin[i], tokens->end[i]));
    }
    return print_json(json_pack("{s:o, s:o}", "ids", ids, "spans", spans), error);
}

static rag_status run(const struct settings *settings, rag_error *error)
{
    rag_tokenizer *tokenizer;
    struct text_lines lines = {0};
    size_t number = 0;
    rag_status status =
        rag_tokenizer_open(settings->tokenizer ? settings->tokenizer : settings->model,
                           settings->models, &tokenizer, error);
    if (status)
        return status;
    while (!(status = text_lines_read(&lines, LINES, BYTES, settings->jsonl, &number, error)) &&
           lines.count) {
        for (size_t i = 0; !status && i < lines.count; i++) {
            rag_tokens tokens;
            status = rag_tokenize(tokenizer, (rag_text){lines.texts[i], lines.sizes[i]},
                                  &tokens, error);
            if (status)
                break;
            status = print_tokens(&tokens, error);
            rag_tokens_release(&tokens);
        }
        if (status)
            break;
    }
    text_lines_release(&lines);
    rag_tokenizer_close(tokenizer);
    return status;
}

const struct command tokenize_command = {
    .name = "tokenize",
    .arguments = "",
    .summary = "Tokenize standard input, a text a line",
    .options = "model models tokenizer jsonl",
    .help =
        "A line {\"ids\": [...], \"spans\": [[begin, end], ...]} comes out for each, special\n"
        "tokens included; spans are byte ranges of the text.\n\n"
        "examples:\n"
        "  echo \"Hello, world\" | rag tokenize\n"
        "  echo '\"two\\nlines\"' | rag tokenize --jsonl --model BAAI/bge-m3\n",
    .max_arguments = 0,
    .run = run,
};
