/* The hub's tokenizer.json, as Hugging Face's tokenizers writes it: one object with
 *
 *   model           Unigram: vocab [[piece, score], ...], unk_id
 *                   WordPiece: vocab {piece: id, ...}, unk_token, ...
 *   added_tokens    [{id, content, single_word, lstrip, rstrip, normalized, special}, ...]
 *   normalizer      Precompiled, Replace of runs of spaces, Strip, and Sequences of these;
 *                   or BertNormalizer
 *   pre_tokenizer   Metaspace, perhaps behind WhitespaceSplit; or BertPreTokenizer
 *   post_processor  TemplateProcessing or BertProcessing
 *
 * `truncation` and `padding` are how somebody used it last and are left alone; `decoder`
 * is not needed. What else a file asks for is refused: ids would be silently wrong. */
#include "text/model.h"

#include "base/base64.h"
#include "base/memory.h"

#include <jansson.h>
#include <string.h>

enum { MAX_FILE = 1 << 28, MAX_NESTING = 16 };

static const char *type_of(const json_t *object)
{
    const char *type = json_string_value(json_object_get(object, "type"));
    return type ? type : "(none)";
}

static rag_status read_flag(const json_t *object, const char *name, bool missing, bool *flag,
                            rag_error *error)
{
    const json_t *value = json_object_get(object, name);
    *flag = missing;
    if (!value || json_is_null(value))
        return RAG_OK;
    if (!json_is_boolean(value))
        return fail_with(error, RAG_MODEL, "\"%s\" is neither true nor false", name);
    *flag = json_is_true(value);
    return RAG_OK;
}

/* ---- Normalizer ---- */

static rag_status load_charsmap(const json_t *object, struct tokenizer *tokenizer,
                                rag_error *error)
{
    const json_t *value = json_object_get(object, "precompiled_charsmap");
    if (!json_is_string(value) || tokenizer->unigram.charsmap.unit_count)
        return fail_with(error, RAG_MODEL, "one normalizer's precompiled_charsmap is needed");
    struct buf bytes = BUF_INIT((size_t)CHARSMAP_MAX_SIZE);
    rag_error why;
    rag_status status =
        base64_decode(json_string_value(value), json_string_length(value), &bytes, &why);
    if (status)
        status = fail_with(error, status == RAG_INPUT ? RAG_MODEL : status,
                           "the precompiled_charsmap is not base64");
    else
        status = charsmap_parse((const unsigned char *)bytes.data, bytes.size,
                                &tokenizer->unigram.charsmap, error);
    buf_release(&bytes);
    return status;
}

static rag_status load_replace(const json_t *object, struct unigram *unigram, rag_error *error)
{
    const char *pattern =
        json_string_value(json_object_get(json_object_get(object, "pattern"), "Regex"));
    const char *content = json_string_value(json_object_get(object, "content"));
    if (!pattern || !content || strcmp(pattern, " {2,}") != 0)
        return fail_with(error, RAG_MODEL,
                         "a Replace normalizer other than that of runs of spaces");
    if (strcmp(content, " ") == 0)
        unigram->space_runs = SPACE_RUNS_TO_SPACE;
    else if (strcmp(content, "\xE2\x96\x81") == 0)
        unigram->space_runs = SPACE_RUNS_TO_METASPACE;
    else
        return fail_with(error, RAG_MODEL, "runs of spaces replaced by \"%s\"", content);
    return RAG_OK;
}

static rag_status load_bert_normalizer(const json_t *object, struct wordpiece *wordpiece,
                                       rag_error *error)
{
    rag_status status = read_flag(object, "clean_text", true, &wordpiece->clean_text, error);
    if (!status)
        status = read_flag(object, "handle_chinese_chars", true, &wordpiece->chinese, error);
    if (!status)
        status = read_flag(object, "lowercase", true, &wordpiece->lowercase, error);
    if (!status)
        status = read_flag(object, "strip_accents", wordpiece->lowercase,
                           &wordpiece->strip_accents, error);
    return status;
}

static rag_status load_normalizer(const json_t *object, struct tokenizer *tokenizer,
                                  int nesting, rag_error *error)
{
    struct unigram *unigram = &tokenizer->unigram;
    const char *type = type_of(object);
    if (nesting == MAX_NESTING)
        return fail_with(error, RAG_MODEL, "normalizers nested more than %d deep", nesting);
    if (strcmp(type, "Sequence") == 0) {
        const json_t *list = json_object_get(object, "normalizers");
        for (size_t i = 0; i < json_array_size(list); i++) {
            rag_status status =
                load_normalizer(json_array_get(list, i), tokenizer, nesting + 1, error);
            if (status)
                return status;
        }
        return RAG_OK;
    }
    if (tokenizer->model == MODEL_WORDPIECE && strcmp(type, "BertNormalizer") == 0)
        return load_bert_normalizer(object, &tokenizer->wordpiece, error);
    if (tokenizer->model == MODEL_UNIGRAM && strcmp(type, "Precompiled") == 0 &&
        unigram->space_runs == SPACE_RUNS_KEEP && !unigram->strip_left && !unigram->strip_right)
        return load_charsmap(object, tokenizer, error);
    if (tokenizer->model == MODEL_UNIGRAM && strcmp(type, "Replace") == 0)
        return load_replace(object, unigram, error);
    if (tokenizer->model == MODEL_UNIGRAM && strcmp(type, "Strip") == 0 &&
        unigram->space_runs == SPACE_RUNS_KEEP) {
        rag_status status = read_flag(object, "strip_left", false, &unigram->strip_left, error);
        return status ? status
                      : read_flag(object, "strip_right", false, &unigram->strip_right, error);
    }
    return fail_with(error, RAG_MODEL, "the normalizer %s is not supported in this place",
                     type);
}

/* ---- Pre-tokenizer ---- */

static rag_status load_metaspace(const json_t *object, struct unigram *unigram,
                                 rag_error *error)
{
    const char *sign = json_string_value(json_object_get(object, "replacement"));
    if (!sign || strcmp(sign, "\xE2\x96\x81") != 0)
        return fail_with(error, RAG_MODEL, "Metaspace with another sign than U+2581");
    bool prefix, split;
    rag_status status = read_flag(object, "add_prefix_space", true, &prefix, error);
    if (!status)
        status = read_flag(object, "split", true, &split, error);
    if (status)
        return status;
    if (!split)
        return fail_with(error, RAG_MODEL, "Metaspace without split is not supported");
    const char *scheme = json_string_value(json_object_get(object, "prepend_scheme"));
    if (!prefix || (scheme && strcmp(scheme, "never") == 0))
        unigram->prefix = METASPACE_NEVER;
    else if (!scheme || strcmp(scheme, "always") == 0)
        unigram->prefix = METASPACE_ALWAYS;
    else if (strcmp(scheme, "first") == 0)
        unigram->prefix = METASPACE_FIRST;
    else
        return fail_with(error, RAG_MODEL, "Metaspace's prepend_scheme \"%s\"", scheme);
    return RAG_OK;
}

static rag_status load_pre_tokenizer(const json_t *object, struct tokenizer *tokenizer,
                                     rag_error *error)
{
    const char *type = type_of(object);
    if (tokenizer->model == MODEL_WORDPIECE && strcmp(type, "BertPreTokenizer") == 0)
        return RAG_OK;
    if (tokenizer->model == MODEL_UNIGRAM && strcmp(type, "Metaspace") == 0)
        return load_metaspace(object, &tokenizer->unigram, error);
    const json_t *list = json_object_get(object, "pretokenizers");
    if (tokenizer->model == MODEL_UNIGRAM && strcmp(type, "Sequence") == 0 &&
        json_array_size(list) == 2 &&
        strcmp(type_of(json_array_get(list, 0)), "WhitespaceSplit") == 0 &&
        strcmp(type_of(json_array_get(list, 1)), "Metaspace") == 0) {
        tokenizer->unigram.split_at_white_space = true;
        return load_metaspace(json_array_get(list, 1), &tokenizer->unigram, error);
    }
    return fail_with(error, RAG_MODEL, "the pre_tokenizer %s is not supported", type);
}

/* ---- Post-processor ---- */

static rag_status template_add(struct template *template, int32_t item, json_int_t type,
                               rag_error *error)
{
    if (template->count == TEMPLATE_MAX_ITEMS || type < 0 || type > 255)
        return fail_with(error, RAG_MODEL, "a post_processor of too many items or types");
    template->items[template->count] = item;
    template->types[template->count++] = (uint8_t)type;
    return RAG_OK;
}

static rag_status template_add_special(struct template *template, const json_t *specials,
                                       const char *name, json_int_t type, rag_error *error)
{
    const json_t *ids = json_object_get(json_object_get(specials, name), "ids");
    if (!json_array_size(ids))
        return fail_with(error, RAG_MODEL, "the post_processor gives no ids for \"%s\"", name);
    for (size_t i = 0; i < json_array_size(ids); i++) {
        json_int_t id = json_integer_value(json_array_get(ids, i));
        if (!json_is_integer(json_array_get(ids, i)) || id < 0 || id >= VOCABULARY_MAX_PIECES)
            return fail_with(error, RAG_MODEL, "the post_processor's \"%s\" has no valid id",
                             name);
        rag_status status = template_add(template, (int32_t)id, type, error);
        if (status)
            return status;
    }
    return RAG_OK;
}

/* `texts`: how many of A and B must be in it, each once. */
static rag_status load_template(const json_t *list, const json_t *specials, unsigned texts,
                                struct template *template, rag_error *error)
{
    unsigned seen[2] = {0, 0};
    rag_status status = RAG_OK;
    for (size_t i = 0; !status && i < json_array_size(list); i++) {
        const json_t *special = json_object_get(json_array_get(list, i), "SpecialToken");
        const json_t *text = json_object_get(json_array_get(list, i), "Sequence");
        const json_t *item = special ? special : text;
        const char *name = json_string_value(json_object_get(item, "id"));
        json_int_t type = json_integer_value(json_object_get(item, "type_id"));
        if (!name)
            return fail_with(error, RAG_MODEL, "item %zu of the post_processor is damaged", i);
        if (special) {
            status = template_add_special(template, specials, name, type, error);
        } else {
            bool is_b = strcmp(name, "B") == 0;
            seen[is_b]++;
            status =
                template_add(template, is_b ? TEMPLATE_TEXT_B : TEMPLATE_TEXT_A, type, error);
        }
    }
    if (!status && (seen[0] != 1 || seen[1] != texts - 1))
        status = fail_with(error, RAG_MODEL, "the post_processor does not hold each text once");
    return status;
}

/* BertProcessing gives ["[SEP]", 102] and ["[CLS]", 101]. */
static rag_status load_bert_processing(const json_t *object, struct tokenizer *tokenizer,
                                       rag_error *error)
{
    const json_t *sep = json_array_get(json_object_get(object, "sep"), 1);
    const json_t *cls = json_array_get(json_object_get(object, "cls"), 1);
    json_int_t last = json_integer_value(sep), first = json_integer_value(cls);
    if (!json_is_integer(sep) || !json_is_integer(cls) || first < 0 || last < 0 ||
        first >= VOCABULARY_MAX_PIECES || last >= VOCABULARY_MAX_PIECES)
        return fail_with(error, RAG_MODEL, "BertProcessing without its ids");
    template_simple(tokenizer, (int32_t)first, (int32_t)last, false, 1);
    return RAG_OK;
}

static rag_status load_post_processor(const json_t *object, struct tokenizer *tokenizer,
                                      rag_error *error)
{
    const char *type = type_of(object);
    if (strcmp(type, "BertProcessing") == 0)
        return load_bert_processing(object, tokenizer, error);
    if (strcmp(type, "TemplateProcessing") != 0)
        return fail_with(error, RAG_MODEL, "the post_processor %s is not supported", type);
    const json_t *specials = json_object_get(object, "special_tokens");
    rag_status status = load_template(json_object_get(object, "single"), specials, 1,
                                      &tokenizer->single, error);
    if (!status)
        status = load_template(json_object_get(object, "pair"), specials, 2, &tokenizer->pair,
                               error);
    return status;
}

/* ---- Model ---- */

static rag_status load_unigram(const json_t *model, struct tokenizer *tokenizer,
                               rag_error *error)
{
    const json_t *vocabulary = json_object_get(model, "vocab");
    const json_t *unknown = json_object_get(model, "unk_id");
    size_t count = json_array_size(vocabulary);
    if (json_is_true(json_object_get(model, "byte_fallback")))
        return fail_with(error, RAG_MODEL, "byte_fallback is not supported");
    for (size_t i = 0; i < count; i++) {
        const json_t *pair = json_array_get(vocabulary, i);
        const json_t *piece = json_array_get(pair, 0), *score = json_array_get(pair, 1);
        if (!json_is_string(piece) || !json_is_number(score))
            return fail_with(error, RAG_MODEL, "piece %zu of the vocabulary is damaged", i);
        rag_status status =
            vocabulary_push(&tokenizer->vocabulary, json_string_value(piece),
                            json_string_length(piece), json_number_value(score), error);
        if (status)
            return status;
    }
    json_int_t id = json_integer_value(unknown);
    if (!json_is_integer(unknown) || id < 0 || (size_t)id >= count)
        return fail_with(error, RAG_MODEL, "no unk_id within the vocabulary of %zu", count);
    tokenizer->unknown = (int32_t)id;
    return RAG_OK;
}

/* The pieces of {piece: id, ...} by id. */
static rag_status push_by_id(json_t *pieces, struct vocabulary *vocabulary, rag_error *error)
{
    size_t count = json_object_size(pieces), end = 0;
    const char *piece;
    json_t *value;
    json_object_foreach(pieces, piece, value)
    {
        json_int_t id = json_integer_value(value);
        /* Some ids may be left out, but not most. */
        if (!json_is_integer(value) || id < 0 || (size_t)id > 2 * count + 65536)
            return fail_with(error, RAG_MODEL, "the piece \"%.64s\" has no valid id", piece);
        if ((size_t)id >= end)
            end = (size_t)id + 1;
    }
    const char **by_id = alloc_zeroed(end, sizeof *by_id);
    if (!by_id)
        return fail_memory(error);
    json_object_foreach(pieces, piece, value) by_id[json_integer_value(value)] = piece;
    rag_status status = RAG_OK;
    for (size_t i = 0; !status && i < end; i++)
        status =
            vocabulary_push(vocabulary, by_id[i], by_id[i] ? strlen(by_id[i]) : 0, 0, error);
    free(by_id);
    return status;
}

static rag_status load_wordpiece(const json_t *model, struct tokenizer *tokenizer,
                                 rag_error *error)
{
    struct wordpiece *wordpiece = &tokenizer->wordpiece;
    json_t *pieces = json_object_get(model, "vocab");
    const char *unknown = json_string_value(json_object_get(model, "unk_token"));
    const char *prefix = json_string_value(json_object_get(model, "continuing_subword_prefix"));
    const json_t *most = json_object_get(model, "max_input_chars_per_word");
    if (!prefix)
        prefix = "##";
    if (strlen(prefix) >= sizeof wordpiece->prefix)
        return fail_with(error, RAG_MODEL, "the continuing_subword_prefix is too long");
    strcpy(wordpiece->prefix, prefix);
    wordpiece->max_characters = WORDPIECE_MAX_CHARACTERS;
    if (json_is_integer(most)) {
        json_int_t value = json_integer_value(most);
        if (value < 1 || value > WORDPIECE_LIMIT_CHARACTERS)
            return fail_with(error, RAG_MODEL, "max_input_chars_per_word is not within 1..%d",
                             WORDPIECE_LIMIT_CHARACTERS);
        wordpiece->max_characters = (size_t)value;
    }
    if (!json_is_object(pieces))
        return fail_with(error, RAG_MODEL, "no vocabulary in it");
    rag_status status = push_by_id(pieces, &tokenizer->vocabulary, error);
    if (status)
        return status;
    const json_t *id = json_object_get(pieces, unknown ? unknown : "[UNK]");
    if (!id)
        return fail_with(error, RAG_MODEL, "its unknown token is not in the vocabulary");
    tokenizer->unknown = (int32_t)json_integer_value(id);
    return RAG_OK;
}

/* ---- Added tokens ---- */

static rag_status load_added(const json_t *list, struct tokenizer *tokenizer, rag_error *error)
{
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *object = json_array_get(list, i);
        const json_t *content = json_object_get(object, "content");
        struct added_token token = {.id = -1};
        bool single_word;
        if (!json_is_string(content))
            return fail_with(error, RAG_MODEL, "added token %zu is damaged", i);
        rag_status status = read_flag(object, "single_word", false, &single_word, error);
        if (!status)
            status = read_flag(object, "lstrip", false, &token.lstrip, error);
        if (!status)
            status = read_flag(object, "rstrip", false, &token.rstrip, error);
        if (!status)
            status = read_flag(object, "normalized", true, &token.normalized, error);
        if (!status)
            status = read_flag(object, "special", false, &token.special, error);
        const char *text = json_string_value(content);
        if (!status && single_word)
            status = fail_with(error, RAG_MODEL,
                               "the added token \"%.64s\" is for single "
                               "words: that is not supported",
                               text);
        if (!status && token.normalized && tokenizer->model == MODEL_WORDPIECE)
            status = fail_with(error, RAG_MODEL,
                               "the added token \"%.64s\" is looked for in "
                               "normalized text: that is not supported for WordPiece",
                               text);
        if (!status && json_string_length(content))
            status = added_tokens_push(&tokenizer->added, token, text,
                                       json_string_length(content), error);
        if (status)
            return status;
    }
    return RAG_OK;
}

static rag_status load_root(const json_t *root, struct tokenizer *tokenizer, rag_error *error)
{
    const json_t *model = json_object_get(root, "model");
    const json_t *normalizer = json_object_get(root, "normalizer");
    const char *type = type_of(model);
    rag_status status;
    if (strcmp(type, "Unigram") == 0) {
        tokenizer->model = MODEL_UNIGRAM;
        status = load_unigram(model, tokenizer, error);
    } else if (strcmp(type, "WordPiece") == 0) {
        tokenizer->model = MODEL_WORDPIECE;
        status = load_wordpiece(model, tokenizer, error);
    } else {
        return fail_with(error, RAG_MODEL,
                         "a tokenizer of the kind %s: only Unigram and WordPiece are supported",
                         type);
    }
    if (!status && normalizer && !json_is_null(normalizer))
        status = load_normalizer(normalizer, tokenizer, 0, error);
    if (!status)
        status = load_pre_tokenizer(json_object_get(root, "pre_tokenizer"), tokenizer, error);
    if (!status)
        status = load_post_processor(json_object_get(root, "post_processor"), tokenizer, error);
    if (!status)
        status = load_added(json_object_get(root, "added_tokens"), tokenizer, error);
    return status;
}

rag_status tokenizer_json_load(const char *path, struct tokenizer *tokenizer, rag_error *error)
{
    struct buf file = BUF_INIT(MAX_FILE);
    json_error_t problem;
    rag_status status = tokenizer_read_file(path, &file, error);
    if (status)
        goto out;
    json_t *root = json_loadb(file.data ? file.data : "", file.size, 0, &problem);
    if (!root) {
        status = fail_with(error, RAG_MODEL, "line %d, byte %d: %s", problem.line,
                           problem.position, problem.text);
        goto out;
    }
    status = load_root(root, tokenizer, error);
    json_decref(root);
out:
    buf_release(&file);
    return status;
}
