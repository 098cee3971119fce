/* How fast text becomes tokens and words, with one thread:
 *
 *   bench_tokenizer TOKENIZER TEXT [REPEATS]
 *
 * TOKENIZER is a file or a model's folder; TEXT is encoded line by line, as the peers in
 * tokenizer_peers.py do it. A line of JSON goes to stdout: seconds to open, tokens, and
 * the best of REPEATS (5) in MB/s for lines, the whole text, and words. */
#include "text/tokenizer.h"
#include "base/clock.h"
#include "base/file.h"
#include "text/words.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bench {
    struct tokenizer *tokenizer;
    struct token_list tokens;
    rag_text text;
    size_t count;
};

static rag_status encode_lines(struct bench *bench, rag_error *error)
{
    bench->count = 0;
    for (size_t at = 0; at < bench->text.size;) {
        const char *line = bench->text.data + at;
        const char *end = memchr(line, '\n', bench->text.size - at);
        size_t size = end ? (size_t)(end - line) : bench->text.size - at;
        token_list_clear(&bench->tokens);
        rag_status status =
            tokenizer_encode(bench->tokenizer, (rag_text){line, size}, &bench->tokens, error);
        if (status)
            return status;
        bench->count += bench->tokens.count;
        at += size + 1;
    }
    return RAG_OK;
}

static rag_status encode_whole(struct bench *bench, rag_error *error)
{
    token_list_clear(&bench->tokens);
    return tokenizer_encode(bench->tokenizer, bench->text, &bench->tokens, error);
}

static int count_word(const struct word *word, void *user)
{
    (void)word;
    ++*(size_t *)user;
    return 0;
}

static rag_status take_words(struct bench *bench, rag_error *error)
{
    size_t count = 0;
    return words_each(bench->text, count_word, &count) ? fail_memory(error) : RAG_OK;
}

static rag_status best_rate(struct bench *bench, rag_status (*run)(struct bench *, rag_error *),
                            unsigned repeats, double *rate, rag_error *error)
{
    *rate = 0;
    for (unsigned i = 0; i < repeats; i++) {
        double start = clock_seconds();
        rag_status status = run(bench, error);
        double now = (double)bench->text.size / 1e6 / (clock_seconds() - start);
        if (status)
            return status;
        if (now > *rate)
            *rate = now;
    }
    return RAG_OK;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: bench_tokenizer TOKENIZER TEXT [REPEATS]\n");
        return 2;
    }
    unsigned repeats = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 5;
    struct buf file = BUF_INIT(TOKENIZER_MAX_TEXT);
    struct bench bench = {0};
    rag_error error;
    double lines, whole, words, start = clock_seconds();
    rag_status status = tokenizer_open(argv[1], &bench.tokenizer, &error);
    double open = clock_seconds() - start;
    if (!status)
        status = file_read(argv[2], &file, &error);
    bench.text = (rag_text){file.data, file.size};
    if (!status)
        status = best_rate(&bench, encode_whole, repeats, &whole, &error);
    if (!status)
        status = best_rate(&bench, encode_lines, repeats, &lines, &error);
    if (!status)
        status = best_rate(&bench, take_words, repeats, &words, &error);
    if (!status)
        printf("{\"open_seconds\":%.4f,\"tokens\":%zu,\"lines\":%.1f,\"whole\":%.1f,"
               "\"words\":%.1f}\n",
               open, bench.count, lines, whole, words);
    else
        fprintf(stderr, "%s\n", error.message);
    token_list_release(&bench.tokens);
    tokenizer_free(bench.tokenizer);
    buf_release(&file);
    return rag_status_exit(status);
}
