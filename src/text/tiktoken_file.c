/* A .tiktoken file: a line a token, its bytes in base64, a space, and its rank, which is its id
 * (github.com/openai/tiktoken, load.py). The file does not say how texts are parted before
 * they are merged: byte_pair.c does it as cl100k_base does. */
#include "text/model.h"

#include "base/base64.h"

#include <string.h>

enum { MAX_FILE = 1 << 28, MAX_DIGITS = 8 };

/* Reads "BASE64 RANK"; the bytes are appended to the pool. */
static rag_status read_line(const char *line, size_t size, struct byte_pair *pairs,
                            uint32_t *rank, rag_error *error)
{
    const char *space = memchr(line, ' ', size);
    size_t encoded = space ? (size_t)(space - line) : size;
    size_t digits = space ? size - encoded - 1 : 0;
    *rank = 0;
    if (!encoded || !digits || digits > MAX_DIGITS)
        return fail_with(error, RAG_MODEL, "it is not a token in base64, a space and a rank");
    for (size_t i = encoded + 1; i < size; i++) {
        if (line[i] < '0' || line[i] > '9')
            return fail_with(error, RAG_MODEL, "its rank is not a number");
        *rank = *rank * 10 + (uint32_t)(line[i] - '0');
    }
    rag_error why;
    rag_status status = base64_decode(line, encoded, &pairs->bytes, &why);
    if (status == RAG_INPUT)
        return fail_with(error, RAG_MODEL, "its token is not base64");
    return status ? fail_memory(error) : RAG_OK;
}

static rag_status read_lines(const struct buf *file, struct byte_pair *pairs, rag_error *error)
{
    size_t number = 0;
    for (size_t at = 0; at < file->size;) {
        const char *line = file->data + at, *end = memchr(line, '\n', file->size - at);
        size_t size = end ? (size_t)(end - line) : file->size - at;
        at += size + 1;
        number++;
        if (size && line[size - 1] == '\r')
            size--;
        if (!size)
            continue;
        size_t begin = pairs->bytes.size;
        uint32_t rank;
        rag_status status = read_line(line, size, pairs, &rank, error);
        if (!status)
            status = byte_pair_push(pairs, begin, rank, error);
        if (status)
            return fail_within(error, status, "line %zu", number);
    }
    return RAG_OK;
}

rag_status tiktoken_file_load(const char *path, struct tokenizer *tokenizer, rag_error *error)
{
    struct buf file = BUF_INIT(MAX_FILE);
    tokenizer->model = MODEL_BYTE_PAIR;
    tokenizer->byte_pair.bytes = BUF_INIT(MAX_FILE);
    rag_status status = tokenizer_read_file(path, &file, error);
    if (!status)
        status = read_lines(&file, &tokenizer->byte_pair, error);
    buf_release(&file);
    tokenizer->single = (struct template){.items = {TEMPLATE_TEXT_A}, .count = 1};
    tokenizer->pair =
        (struct template){.items = {TEMPLATE_TEXT_A, TEMPLATE_TEXT_B}, .count = 2};
    return status;
}
