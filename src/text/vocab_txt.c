/* vocab.txt: a piece of BERT's WordPiece a line, its id the number of the line from 0.
 * How text is normalised is in tokenizer_config.json beside it, where that is there. */
#include "text/model.h"

#include "base/file.h"
#include "base/memory.h"

#include <jansson.h>
#include <string.h>

enum { MAX_FILE = 1 << 28, MAX_CONFIG = 1 << 24 };

static void read_flag(const json_t *config, const char *name, bool *flag)
{
    const json_t *value = json_object_get(config, name);
    if (json_is_boolean(value))
        *flag = json_is_true(value);
}

static rag_status load_config(const char *path, struct wordpiece *wordpiece, rag_error *error)
{
    struct buf file = BUF_INIT(MAX_CONFIG);
    rag_status status = RAG_OK;
    json_t *config = NULL;
    size_t folder = (size_t)(path_name(path) - path);
    size_t size = folder + sizeof "tokenizer_config.json";
    char *beside = alloc_array(size, 1);
    if (!beside)
        return fail_memory(error);
    memcpy(beside, path, folder);
    memcpy(beside + folder, "tokenizer_config.json", sizeof "tokenizer_config.json");
    if (!path_is_file(beside))
        goto out;
    status = tokenizer_read_file(beside, &file, error);
    if (status)
        goto out;
    json_error_t problem;
    config = json_loadb(file.data ? file.data : "", file.size, 0, &problem);
    if (!config) {
        status = fail_with(error, RAG_MODEL, "tokenizer_config.json beside it, line %d: %s",
                           problem.line, problem.text);
        goto out;
    }
    read_flag(config, "do_lower_case", &wordpiece->lowercase);
    read_flag(config, "tokenize_chinese_chars", &wordpiece->chinese);
    wordpiece->strip_accents = wordpiece->lowercase;
    read_flag(config, "strip_accents", &wordpiece->strip_accents);
out:
    json_decref(config);
    buf_release(&file);
    free(beside);
    return status;
}

static rag_status load_lines(const struct buf *file, struct vocabulary *vocabulary,
                             rag_error *error)
{
    const char *text = file->data;
    for (size_t at = 0; at < file->size;) {
        const char *end = memchr(text + at, '\n', file->size - at);
        size_t size = end ? (size_t)(end - (text + at)) : file->size - at;
        size_t next = at + size + 1;
        if (size && text[at + size - 1] == '\r')
            size--;
        rag_status status = vocabulary_push(vocabulary, text + at, size, 0, error);
        if (status)
            return status;
        at = next;
    }
    return RAG_OK;
}

static int32_t find_line(const struct vocabulary *vocabulary, const char *piece)
{
    for (size_t id = vocabulary->count; id-- > 0;)
        if (strcmp(vocabulary_piece(vocabulary, (int64_t)id), piece) == 0)
            return (int32_t)id;
    return -1;
}

rag_status vocab_txt_load(const char *path, struct tokenizer *tokenizer, rag_error *error)
{
    static const char *const specials[] = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"};
    struct wordpiece *wordpiece = &tokenizer->wordpiece;
    struct buf file = BUF_INIT(MAX_FILE);
    tokenizer->model = MODEL_WORDPIECE;
    wordpiece->clean_text = wordpiece->chinese = true;
    wordpiece->lowercase = wordpiece->strip_accents = true;
    wordpiece->max_characters = WORDPIECE_MAX_CHARACTERS;
    strcpy(wordpiece->prefix, "##");
    rag_status status = tokenizer_read_file(path, &file, error);
    if (!status)
        status = load_lines(&file, &tokenizer->vocabulary, error);
    if (!status)
        status = load_config(path, wordpiece, error);
    buf_release(&file);
    int32_t ids[sizeof specials / sizeof *specials];
    for (size_t i = 0; !status && i < sizeof specials / sizeof *specials; i++) {
        ids[i] = find_line(&tokenizer->vocabulary, specials[i]);
        if (ids[i] < 0 && i >= 1 && i <= 3)
            return fail_with(error, RAG_MODEL, "no line %s: not a vocabulary of BERT",
                             specials[i]);
        if (ids[i] >= 0)
            status = added_tokens_push(&tokenizer->added,
                                       (struct added_token){.id = -1, .special = true},
                                       specials[i], strlen(specials[i]), error);
    }
    if (status)
        return status;
    tokenizer->unknown = ids[1];
    template_simple(tokenizer, ids[2], ids[3], false, 1);
    return RAG_OK;
}
