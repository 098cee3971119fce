/* tokenize.c - the public face of the tokenizers. */
#include "base/file.h"
#include "base/memory.h"
#include "model/folder.h"
#include "pipeline/pipeline.h"
#include "pipeline/tokenizer_cache.h"

rag_status rag_tokenizer_open(const char *name, const char *models, rag_tokenizer **out,
                              rag_error *error)
{
    *out = NULL;
    rag_tokenizer *opened = alloc_zeroed(1, sizeof *opened);
    if (!opened)
        return fail_memory(error);
    rag_status status;
    if (name && path_is_file(name)) {
        status = tokenizer_open_cached(name, &opened->tokenizer, error);
    } else {
        char *folder = NULL;
        status = model_find(name, models, &folder, error);
        if (!status)
            status = tokenizer_open_cached(folder, &opened->tokenizer, error);
        free(folder);
    }
    if (status)
        free(opened);
    else
        *out = opened;
    return status;
}

void rag_tokenizer_close(rag_tokenizer *tokenizer)
{
    if (!tokenizer)
        return;
    tokenizer_free(tokenizer->tokenizer);
    free(tokenizer);
}

/* The list's arrays become the caller's, or go on failure. */
static rag_status hand_over(rag_status status, struct token_list *list, rag_tokens *tokens)
{
    if (status)
        token_list_release(list);
    *tokens = (rag_tokens){list->ids, list->begin, list->end, list->count};
    return status;
}

rag_status rag_tokenize(const rag_tokenizer *tokenizer, rag_text text, rag_tokens *tokens,
                        rag_error *error)
{
    struct token_list list = {0};
    rag_status status = tokenizer_encode_single(tokenizer->tokenizer, text, &list, error);
    return hand_over(status, &list, tokens);
}

rag_status rag_tokenize_pair(const rag_tokenizer *tokenizer, rag_text a, rag_text b,
                             size_t max_tokens, rag_tokens *tokens, rag_error *error)
{
    struct token_list list = {0};
    rag_status status =
        tokenizer_encode_pair(tokenizer->tokenizer, a, b, max_tokens, &list, NULL, error);
    return hand_over(status, &list, tokens);
}

void rag_tokens_release(rag_tokens *tokens)
{
    free(tokens->ids);
    free(tokens->begin);
    free(tokens->end);
    *tokens = (rag_tokens){0};
}
