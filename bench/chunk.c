/* How fast Markdown becomes blocks and chunks, with one thread:
 *
 *   bench_chunk TOKENIZER FILE [REPEATS]
 *
 * TOKENIZER is a file or a model's folder; FILE is read as Markdown. A line of JSON goes to
 * stdout: the bytes, the blocks, and for each chunker its chunks, with the best of REPEATS (5)
 * in MB/s: of reading into blocks, of cutting into chunks with exact counts of tokens, and of
 * the tokenizer alone on the same text. */
#include "base/clock.h"
#include "base/file.h"
#include "documents/chunker.h"

#include <stdio.h>
#include <stdlib.h>

struct bench {
    struct tokenizer *tokenizer;
    struct buf file;
    struct document document;
    struct chunk_list chunks;
    struct token_list tokens;
    struct chunker_options options;
};

static rag_status read_blocks(struct bench *bench, rag_error *error)
{
    document_release(&bench->document);
    return document_parse("bench.md", bench->file.data, bench->file.size, NULL,
                          &bench->document, error);
}

static rag_status cut(struct bench *bench, rag_error *error)
{
    return chunk_document(&bench->document, bench->tokenizer, &bench->options, &bench->chunks,
                          error);
}

static rag_status encode(struct bench *bench, rag_error *error)
{
    token_list_clear(&bench->tokens);
    return tokenizer_encode(bench->tokenizer, (rag_text){bench->file.data, bench->file.size},
                            &bench->tokens, error);
}

/* The best of `repeats` in MB/s. */
static rag_status time_best(struct bench *bench, rag_status (*run)(struct bench *, rag_error *),
                            long repeats, double *best, rag_error *error)
{
    *best = 0;
    for (long i = 0; i < repeats; i++) {
        double start = clock_seconds();
        rag_status status = run(bench, error);
        double rate = (double)bench->file.size / 1e6 / (clock_seconds() - start);
        if (status)
            return status;
        *best = rate > *best ? rate : *best;
    }
    return RAG_OK;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: bench_chunk TOKENIZER FILE [REPEATS]\n");
        return 2;
    }
    struct bench bench = {.file = BUF_INIT((size_t)DOCUMENT_MAX_BYTES)};
    rag_error error;
    long repeats = argc > 3 ? strtol(argv[3], NULL, 10) : 5;
    double blocks = 0, structure = 0, window = 0, tokens = 0;
    size_t structure_chunks = 0;
    rag_status status = tokenizer_open(argv[1], &bench.tokenizer, &error);
    if (!status)
        status = file_read(argv[2], &bench.file, &error);
    if (!status)
        status = time_best(&bench, read_blocks, repeats, &blocks, &error);
    bench.options =
        (struct chunker_options){RAG_CHUNKER_STRUCTURE, 400, 0, RAG_CONTEXT_HEADING};
    if (!status)
        status = time_best(&bench, cut, repeats, &structure, &error);
    structure_chunks = bench.chunks.count;
    bench.options = (struct chunker_options){RAG_CHUNKER_WINDOW, 1024, 256, RAG_CONTEXT_NONE};
    if (!status)
        status = time_best(&bench, cut, repeats, &window, &error);
    if (!status)
        status = time_best(&bench, encode, repeats, &tokens, &error);
    if (!status)
        printf("{\"bytes\":%zu,\"blocks\":%zu,\"read_mb_s\":%.1f,\"structure_chunks\":%zu,"
               "\"structure_mb_s\":%.1f,\"window_chunks\":%zu,\"window_mb_s\":%.1f,"
               "\"tokenizer_mb_s\":%.1f}\n",
               bench.file.size, bench.document.block_count, blocks, structure_chunks, structure,
               bench.chunks.count, window, tokens);
    else
        fprintf(stderr, "%s\n", error.message);
    chunk_list_release(&bench.chunks);
    token_list_release(&bench.tokens);
    document_release(&bench.document);
    buf_release(&bench.file);
    tokenizer_free(bench.tokenizer);
    return status;
}
