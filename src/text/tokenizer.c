#include "text/tokenizer.h"

#include "base/file.h"
#include "base/memory.h"
#include "text/model.h"
#include "text/utf8.h"

#include <string.h>

void token_list_release(struct token_list *list)
{
    free(list->ids);
    free(list->begin);
    free(list->end);
    *list = (struct token_list){0};
}

void token_list_clear(struct token_list *list)
{
    list->count = 0;
}

static bool token_list_grow(struct token_list *list)
{
    size_t capacity = list->capacity < 32 ? 64 : list->capacity * 2;
    int32_t *ids = realloc(list->ids, capacity * sizeof *ids);
    if (ids)
        list->ids = ids;
    uint32_t *begin = realloc(list->begin, capacity * sizeof *begin);
    if (begin)
        list->begin = begin;
    uint32_t *end = realloc(list->end, capacity * sizeof *end);
    if (end)
        list->end = end;
    if (!ids || !begin || !end)
        return false;
    list->capacity = capacity;
    return true;
}

bool token_list_push(struct token_list *list, int32_t id, uint32_t begin, uint32_t end)
{
    if (list->count == list->capacity && !token_list_grow(list))
        return false;
    list->ids[list->count] = id;
    list->begin[list->count] = begin;
    list->end[list->count] = end;
    list->count++;
    return true;
}

/* ---- Opening ---- */

struct tokenizer *tokenizer_new(void)
{
    struct tokenizer *tokenizer = alloc_zeroed(1, sizeof *tokenizer);
    if (!tokenizer)
        return NULL;
    vocabulary_init(&tokenizer->vocabulary);
    added_tokens_init(&tokenizer->added);
    tokenizer->unknown = -1;
    return tokenizer;
}

void tokenizer_free(struct tokenizer *tokenizer)
{
    if (!tokenizer)
        return;
    if (tokenizer->packed)
        tokenizer_return_packed(tokenizer);
    vocabulary_release(&tokenizer->vocabulary);
    piece_trie_release(&tokenizer->trie);
    added_tokens_release(&tokenizer->added);
    unigram_release(&tokenizer->unigram);
    wordpiece_release(&tokenizer->wordpiece);
    byte_pair_release(&tokenizer->byte_pair);
    free(tokenizer->special);
    free(tokenizer->path);
    free(tokenizer);
}

/* Gives the added tokens their ids: that of the model's piece, or the next free one. */
static rag_status resolve_added(struct tokenizer *tokenizer, rag_error *error)
{
    struct vocabulary *vocabulary = &tokenizer->vocabulary;
    for (size_t i = 0; i < tokenizer->added.count; i++) {
        struct added_token *token = &tokenizer->added.items[i];
        const char *text = tokenizer->added.text.data + token->offset;
        token->id = piece_trie_find(&tokenizer->trie, text, token->size);
        for (size_t id = tokenizer->model_pieces; token->id < 0 && id < vocabulary->count; id++)
            if (strlen(vocabulary_piece(vocabulary, (int64_t)id)) == token->size &&
                memcmp(vocabulary_piece(vocabulary, (int64_t)id), text, token->size) == 0)
                token->id = (int32_t)id;
        if (token->id >= 0)
            continue;
        token->id = (int32_t)vocabulary->count;
        rag_status status = vocabulary_push(vocabulary, text, token->size, 0, error);
        if (status)
            return status;
    }
    return RAG_OK;
}

static rag_status note_special(struct tokenizer *tokenizer, const struct template *template,
                               rag_error *error)
{
    for (size_t i = 0; i < template->count; i++) {
        int32_t id = template->items[i];
        if (id >= 0 && (size_t)id >= tokenizer->vocabulary.count)
            return fail_with(error, RAG_MODEL,
                             "the post-processor uses id %d of a vocabulary of %zu", id,
                             tokenizer->vocabulary.count);
        if (id >= 0)
            tokenizer->special[id] = 1;
    }
    return RAG_OK;
}

rag_status tokenizer_prepare_added(struct tokenizer *tokenizer, rag_error *error)
{
    rag_status status = added_tokens_prepare(&tokenizer->added, error);
    if (status)
        return status;
    tokenizer->special = alloc_zeroed(tokenizer->vocabulary.count, 1);
    if (!tokenizer->special)
        return fail_memory(error);
    for (size_t i = 0; i < tokenizer->added.count; i++)
        if (tokenizer->added.items[i].special)
            tokenizer->special[tokenizer->added.items[i].id] = 1;
    status = note_special(tokenizer, &tokenizer->single, error);
    return status ? status : note_special(tokenizer, &tokenizer->pair, error);
}

static rag_status prepare(struct tokenizer *tokenizer, rag_error *error)
{
    rag_status status = RAG_OK;
    tokenizer->model_pieces = tokenizer->vocabulary.count;
    switch (tokenizer->model) {
    case MODEL_UNIGRAM:
        status = unigram_prepare(tokenizer, error);
        break;
    case MODEL_WORDPIECE:
        status = wordpiece_prepare(tokenizer, error);
        break;
    case MODEL_BYTE_PAIR:
        status = byte_pair_prepare(tokenizer, error);
        break;
    }
    if (!status)
        status = resolve_added(tokenizer, error);
    return status ? status : tokenizer_prepare_added(tokenizer, error);
}

static bool ends_with(const char *text, const char *end)
{
    size_t a = strlen(text), b = strlen(end);
    return a >= b && strcmp(text + a - b, end) == 0;
}

rag_status tokenizer_find(const char *path, char **file, rag_error *error)
{
    static const char *const names[] = {"tokenizer.json", "sentencepiece.bpe.model",
                                        "vocab.txt"};
    if (!path_is_directory(path)) {
        *file = strdup(path);
        return *file ? RAG_OK : fail_memory(error);
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        *file = path_join(path, names[i]);
        if (!*file)
            return fail_memory(error);
        if (path_is_file(*file))
            return RAG_OK;
        free(*file);
    }
    *file = NULL;
    return fail_with(error, RAG_MODEL,
                     "%s: no tokenizer.json, sentencepiece.bpe.model or vocab.txt in it", path);
}

rag_status tokenizer_open(const char *path, struct tokenizer **out, rag_error *error)
{
    *out = NULL;
    struct tokenizer *tokenizer = tokenizer_new();
    if (!tokenizer)
        return fail_memory(error);
    rag_status status = tokenizer_find(path, &tokenizer->path, error);
    if (status)
        goto out;
    const char *file = tokenizer->path;
    if (ends_with(file, ".json"))
        status = tokenizer_json_load(file, tokenizer, error);
    else if (ends_with(file, ".model"))
        status = sentencepiece_model_load(file, tokenizer, error);
    else if (ends_with(file, ".txt"))
        status = vocab_txt_load(file, tokenizer, error);
    else if (ends_with(file, ".tiktoken"))
        status = tiktoken_file_load(file, tokenizer, error);
    else
        status =
            fail_with(error, RAG_MODEL,
                      "not a tokenizer: give a tokenizer.json, a *.model, a vocab.txt or a "
                      "*.tiktoken");
    if (!status)
        status = prepare(tokenizer, error);
    if (status)
        status = fail_within(error, status, "%s", file);
out:
    if (status)
        tokenizer_free(tokenizer);
    else
        *out = tokenizer;
    return status;
}

static void template_push(struct template *template, int32_t item, uint8_t type)
{
    template->items[template->count] = item;
    template->types[template->count++] = type;
}

void template_simple(struct tokenizer *tokenizer, int32_t first, int32_t last, bool twice,
                     uint8_t type_b)
{
    struct template *single = &tokenizer->single, *pair = &tokenizer->pair;
    single->count = pair->count = 0;
    template_push(single, first, 0);
    template_push(single, TEMPLATE_TEXT_A, 0);
    template_push(single, last, 0);
    template_push(pair, first, 0);
    template_push(pair, TEMPLATE_TEXT_A, 0);
    template_push(pair, last, 0);
    if (twice)
        template_push(pair, last, 0);
    template_push(pair, TEMPLATE_TEXT_B, type_b);
    template_push(pair, last, type_b);
}

rag_status tokenizer_read_file(const char *path, struct buf *out, rag_error *error)
{
    rag_error inner = {0};
    rag_status status = file_read(path, out, &inner);
    if (!status)
        return RAG_OK;
    /* The caller puts the path before the message, as file_read has done too. */
    const char *message = inner.message;
    size_t size = strlen(path);
    if (strncmp(message, path, size) == 0 && strncmp(message + size, ": ", 2) == 0)
        message += size + 2;
    return fail_with(error, status == RAG_INPUT ? RAG_MODEL : status, "%s", message);
}

/* ---- What it is ---- */

const char *tokenizer_kind(const struct tokenizer *tokenizer)
{
    static const char *const names[] = {"unigram", "wordpiece", "byte-pair"};
    return names[tokenizer->model];
}

const char *tokenizer_path(const struct tokenizer *tokenizer)
{
    return tokenizer->path;
}

size_t tokenizer_vocabulary(const struct tokenizer *tokenizer)
{
    return tokenizer->vocabulary.count;
}

const char *tokenizer_piece(const struct tokenizer *tokenizer, int32_t id)
{
    return vocabulary_piece(&tokenizer->vocabulary, id);
}

float tokenizer_information(const struct tokenizer *tokenizer, int32_t id)
{
    if (tokenizer->model != MODEL_UNIGRAM || id < 0 ||
        (size_t)id >= tokenizer->vocabulary.count || tokenizer->special[id])
        return 0;
    return (float)-tokenizer->vocabulary.scores[id];
}

bool tokenizer_is_special(const struct tokenizer *tokenizer, int32_t id)
{
    return id >= 0 && (size_t)id < tokenizer->vocabulary.count && tokenizer->special[id];
}

size_t tokenizer_specials_before(const struct tokenizer *tokenizer)
{
    size_t count = 0;
    while (count < tokenizer->single.count && tokenizer->single.items[count] >= 0)
        count++;
    return count;
}

size_t tokenizer_specials_after(const struct tokenizer *tokenizer)
{
    return tokenizer->single.count - tokenizer_specials_before(tokenizer) - 1;
}

size_t tokenizer_specials_pair(const struct tokenizer *tokenizer)
{
    return tokenizer->pair.count - 2;
}

/* ---- Encoding ---- */

rag_status tokenizer_check(rag_text text, rag_error *error)
{
    if (text.size > TOKENIZER_MAX_TEXT)
        return fail_with(error, RAG_INPUT,
                         "a text of %zu bytes is longer than the limit of %d: split it",
                         text.size, TOKENIZER_MAX_TEXT);
    size_t valid = utf8_valid_prefix(text.data, text.size);
    if (valid != text.size)
        return fail_with(error, RAG_INPUT,
                         "byte %zu of the text (0x%02X) is not UTF-8: convert the text first",
                         valid, (unsigned char)text.data[valid]);
    return RAG_OK;
}

static rag_status encode_part(const struct tokenizer *tokenizer, const char *text, size_t begin,
                              size_t end, struct token_list *out, rag_error *error)
{
    if (begin == end)
        return RAG_OK;
    switch (tokenizer->model) {
    case MODEL_UNIGRAM:
        return unigram_encode(tokenizer, text, begin, end, out, error);
    case MODEL_WORDPIECE:
        return wordpiece_encode(tokenizer, text, begin, end, out, error);
    case MODEL_BYTE_PAIR:
        return byte_pair_encode(tokenizer, text, begin, end, out, error);
    }
    return fail_with(error, RAG_INTERNAL, "a tokenizer of no kind");
}

rag_status tokenizer_encode(const struct tokenizer *tokenizer, rag_text text,
                            struct token_list *out, rag_error *error)
{
    rag_status status = tokenizer_check(text, error);
    if (status)
        return status;
    struct added_match match;
    size_t done = 0;
    while (added_tokens_next(&tokenizer->added, text.data, text.size, done, &match)) {
        if (match.begin > done)
            status = encode_part(tokenizer, text.data, done, match.begin, out, error);
        if (status)
            return status;
        if (!token_list_push(out, match.token->id, (uint32_t)match.begin, (uint32_t)match.end))
            return fail_memory(error);
        done = match.end;
    }
    return encode_part(tokenizer, text.data, done, text.size, out, error);
}

rag_status tokenizer_encode_single(const struct tokenizer *tokenizer, rag_text text,
                                   struct token_list *out, rag_error *error)
{
    const struct template *single = &tokenizer->single;
    for (size_t i = 0; i < single->count; i++) {
        if (single->items[i] >= 0) {
            if (!token_list_push(out, single->items[i], 0, 0))
                return fail_memory(error);
            continue;
        }
        rag_status status = tokenizer_encode(tokenizer, text, out, error);
        if (status)
            return status;
    }
    return RAG_OK;
}

bool tokenizer_wrap(const struct tokenizer *tokenizer, const int32_t *ids, size_t count,
                    struct token_list *out)
{
    const struct template *single = &tokenizer->single;
    for (size_t i = 0; i < single->count; i++) {
        if (single->items[i] >= 0) {
            if (!token_list_push(out, single->items[i], 0, 0))
                return false;
            continue;
        }
        for (size_t j = 0; j < count; j++)
            if (!token_list_push(out, ids[j], 0, 0))
                return false;
    }
    return true;
}

/* The reference's longest-first rule (tokenizers/src/utils/truncation.rs): the longer side
 * is cut until it is as long as the shorter, then both are cut to half. */
static void cut_longest_first(size_t *a, size_t *b, size_t room)
{
    if (*a + *b <= room)
        return;
    bool swapped = *a > *b;
    size_t shorter = swapped ? *b : *a, longer;
    if (shorter > room)
        longer = shorter;
    else
        longer = room - shorter > shorter ? room - shorter : shorter;
    if (shorter + longer > room) {
        shorter = room / 2;
        longer = shorter + room % 2;
    }
    size_t cut_a = swapped ? longer : shorter, cut_b = swapped ? shorter : longer;
    *a = *a < cut_a ? *a : cut_a;
    *b = *b < cut_b ? *b : cut_b;
}

static bool push_all(struct token_list *out, const struct token_list *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (!token_list_push(out, from->ids[i], from->begin[i], from->end[i]))
            return false;
    return true;
}

static bool push_template(const struct template *template, const struct token_list lists[2],
                          const size_t counts[2], struct token_list *out)
{
    for (size_t i = 0; i < template->count; i++) {
        int32_t item = template->items[i];
        int side = item == TEMPLATE_TEXT_B;
        if (item >= 0 ? !token_list_push(out, item, 0, 0)
                      : !push_all(out, &lists[side], counts[side]))
            return false;
    }
    return true;
}

static uint8_t *make_types(const struct template *template, const size_t counts[2],
                           size_t before, size_t total)
{
    uint8_t *types = alloc_zeroed(total, 1);
    size_t at = before;
    for (size_t i = 0; types && i < template->count; i++) {
        int32_t item = template->items[i];
        size_t count = item >= 0 ? 1 : counts[item == TEMPLATE_TEXT_B];
        memset(types + at, template->types[i], count);
        at += count;
    }
    return types;
}

rag_status tokenizer_encode_pair(const struct tokenizer *tokenizer, rag_text a, rag_text b,
                                 size_t max_tokens, struct token_list *out, uint8_t **types,
                                 rag_error *error)
{
    const struct template *pair = &tokenizer->pair;
    struct token_list lists[2] = {{0}, {0}};
    size_t specials = tokenizer_specials_pair(tokenizer), before = out->count;
    rag_status status = RAG_OK;
    if (types)
        *types = NULL;
    if (max_tokens && max_tokens < specials)
        return fail_with(error, RAG_USAGE, "a pair takes %zu special tokens: %zu are too few",
                         specials, max_tokens);
    status = tokenizer_encode(tokenizer, a, &lists[0], error);
    if (!status)
        status = tokenizer_encode(tokenizer, b, &lists[1], error);
    if (status)
        goto out;
    size_t counts[2] = {lists[0].count, lists[1].count};
    if (max_tokens)
        cut_longest_first(&counts[0], &counts[1], max_tokens - specials);
    if (!push_template(pair, lists, counts, out)) {
        status = fail_memory(error);
        goto out;
    }
    if (types && !(*types = make_types(pair, counts, before, out->count)))
        status = fail_memory(error);
out:
    token_list_release(&lists[0]);
    token_list_release(&lists[1]);
    return status;
}
