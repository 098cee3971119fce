/* A tokenizer in a packed file. What takes long to make is stored as it is used: the pieces,
 * the trie, what becomes of each character. The rest is settings, and tables that are made from
 * them again in a fraction of a millisecond.
 *
 *   settings            struct settings
 *   source              SHA-256 of the tokenizer's file
 *   added               [settings.added] struct stored_token
 *   added.text          their texts, one behind the other
 *   pieces.text         the pieces, a NUL behind each
 *   pieces.offsets      [settings.vocabulary] u32 into pieces.text
 *   pieces.scores       [settings.vocabulary] f64
 *   trie.nodes          struct trie_node (piece_trie.h)
 *   symbols.pages       [4352] u16, which page of values holds a code point / 256
 *   symbols.values      [pages][256] u32, the symbol of a code point
 *   entries.pages       the same for unigram.entries or wordpiece.entries
 *   entries.values
 *   expansions          u32, see normalizer.c and wordpiece.c
 *   charsmap.units      u32, of a unigram model, see charsmap.c
 *   charsmap.strings
 *
 * All of it is checked on opening but pieces.*, which are for display and for weights of
 * tokens: with them it would be 19 MB instead of 13 for XLM-RoBERTa. What indexes is bounded.
 *
 * A change of any of this, or of what it means, is a new number in TOKENIZER_PACKED. */
#include "text/model.h"

#include "base/memory.h"
#include "text/utf8.h"

#include <string.h>

struct stored_template {
    int32_t items[TEMPLATE_MAX_ITEMS];
    uint8_t types[TEMPLATE_MAX_ITEMS];
    uint32_t count;
};

struct settings {
    double unknown_score;
    uint32_t model, vocabulary, model_pieces;
    int32_t unknown;
    uint32_t symbols, longest, added;
    uint32_t space_runs, prefix, strip_left, strip_right, split_at_white_space;
    uint32_t clean_text, chinese, strip_accents, lowercase, max_characters, continuation;
    struct stored_template single, pair;
};

enum { TOKEN_LSTRIP = 1, TOKEN_RSTRIP = 2, TOKEN_NORMALIZED = 4, TOKEN_SPECIAL = 8 };

struct stored_token {
    int32_t id;
    uint32_t size; /* of its text */
    uint32_t flags;
};

/* ---- Writing ---- */

static struct stored_template store_template(const struct template *template)
{
    struct stored_template stored = {.count = (uint32_t) template->count};
    memcpy(stored.items, template->items, template->count * sizeof *stored.items);
    memcpy(stored.types, template->types, template->count);
    return stored;
}

static struct settings settings_of(const struct tokenizer *tokenizer)
{
    const struct unigram *unigram = &tokenizer->unigram;
    const struct wordpiece *wordpiece = &tokenizer->wordpiece;
    return (struct settings){
        .unknown_score = unigram->unknown_score,
        .model = tokenizer->model,
        .vocabulary = (uint32_t)tokenizer->vocabulary.count,
        .model_pieces = (uint32_t)tokenizer->model_pieces,
        .unknown = tokenizer->unknown,
        .symbols = (uint32_t)tokenizer->trie.symbol_count,
        .longest = (uint32_t)tokenizer->trie.longest,
        .added = (uint32_t)tokenizer->added.count,
        .space_runs = unigram->space_runs,
        .prefix = unigram->prefix,
        .strip_left = unigram->strip_left,
        .strip_right = unigram->strip_right,
        .split_at_white_space = unigram->split_at_white_space,
        .clean_text = wordpiece->clean_text,
        .chinese = wordpiece->chinese,
        .strip_accents = wordpiece->strip_accents,
        .lowercase = wordpiece->lowercase,
        .max_characters = (uint32_t)wordpiece->max_characters,
        .continuation = wordpiece->continuation,
        .single = store_template(&tokenizer->single),
        .pair = store_template(&tokenizer->pair),
    };
}

static rag_status pack_added(const struct added_tokens *added, struct packed_writer *writer,
                             rag_error *error)
{
    rag_status status = packed_begin(writer, "added", error);
    for (size_t i = 0; !status && i < added->count; i++) {
        const struct added_token *token = &added->items[i];
        struct stored_token stored = {.id = token->id, .size = token->size};
        stored.flags = (token->lstrip ? TOKEN_LSTRIP : 0) | (token->rstrip ? TOKEN_RSTRIP : 0) |
                       (token->normalized ? TOKEN_NORMALIZED : 0) |
                       (token->special ? TOKEN_SPECIAL : 0);
        status = packed_write(writer, &stored, sizeof stored, error);
    }
    if (!status)
        status = packed_end(writer, error);
    /* Their texts lie in order and without gaps (added_tokens_push). */
    return status ? status
                  : packed_put(writer, "added.text", added->text.data, added->text.size, error);
}

static rag_status pack_table(const struct code_table *table, const char *pages,
                             const char *values, struct packed_writer *writer, rag_error *error)
{
    rag_status status = packed_put(writer, pages, table->pages, sizeof table->pages, error);
    return status ? status
                  : packed_put(writer, values, table->values,
                               table->page_count * 256 * sizeof *table->values, error);
}

static rag_status pack_vocabulary(const struct vocabulary *vocabulary,
                                  struct packed_writer *writer, rag_error *error)
{
    size_t count = vocabulary->count;
    rag_status status =
        packed_put(writer, "pieces.text", vocabulary->text.data, vocabulary->text.size, error);
    if (!status)
        status = packed_put(writer, "pieces.offsets", vocabulary->offsets,
                            count * sizeof *vocabulary->offsets, error);
    return status ? status
                  : packed_put(writer, "pieces.scores", vocabulary->scores,
                               count * sizeof *vocabulary->scores, error);
}

static rag_status pack_characters(const struct tokenizer *tokenizer,
                                  struct packed_writer *writer, rag_error *error)
{
    const struct unigram *unigram = &tokenizer->unigram;
    const struct wordpiece *wordpiece = &tokenizer->wordpiece;
    const struct charsmap *charsmap = &unigram->charsmap;
    bool is_unigram = tokenizer->model == MODEL_UNIGRAM;
    rag_status status = pack_table(is_unigram ? &unigram->entries : &wordpiece->entries,
                                   "entries.pages", "entries.values", writer, error);
    if (!status)
        status = is_unigram ? packed_put(writer, "expansions", unigram->expansions,
                                         unigram->expansion_count * sizeof(uint32_t), error)
                            : packed_put(writer, "expansions", wordpiece->expansions,
                                         wordpiece->expansion_count * sizeof(uint32_t), error);
    if (!status)
        status = packed_put(writer, "charsmap.units", charsmap->units,
                            charsmap->unit_count * sizeof *charsmap->units, error);
    return status ? status
                  : packed_put(writer, "charsmap.strings", charsmap->strings,
                               charsmap->units ? charsmap->strings_size + 1 : 0, error);
}

bool tokenizer_is_packable(const struct tokenizer *tokenizer)
{
    return tokenizer->model != MODEL_BYTE_PAIR;
}

rag_status tokenizer_pack(const struct tokenizer *tokenizer, struct packed_writer *writer,
                          rag_error *error)
{
    const struct piece_trie *trie = &tokenizer->trie;
    struct settings settings = settings_of(tokenizer);
    struct hash source;
    rag_status status = tokenizer_file_hash(tokenizer, &source, error);
    if (!status)
        status = packed_put(writer, "settings", &settings, sizeof settings, error);
    if (!status)
        status = packed_put(writer, "source", source.bytes, HASH_SIZE, error);
    if (!status)
        status = pack_added(&tokenizer->added, writer, error);
    if (!status)
        status = pack_vocabulary(&tokenizer->vocabulary, writer, error);
    if (!status)
        status = packed_put(writer, "trie.nodes", trie->nodes,
                            trie->node_count * sizeof *trie->nodes, error);
    if (!status)
        status = pack_table(&trie->symbols, "symbols.pages", "symbols.values", writer, error);
    return status ? status : pack_characters(tokenizer, writer, error);
}

/* ---- Reading ---- */

static rag_status damaged(rag_error *error, const char *what)
{
    return fail_with(error, RAG_MODEL, "the packed tokenizer's %s are damaged", what);
}

/* A section as an array of however many items; NULL if it is missing or ends within one. Tables
 * are never written to once a tokenizer is open, so it does no harm that they are not const. */
static void *find(const struct packed *packed, const char *name, size_t item_size,
                  size_t *count)
{
    const void *data;
    size_t size;
    if (!packed_section(packed, name, &data, &size) || size % item_size)
        return NULL;
    *count = size / item_size;
    return (void *)(uintptr_t)data;
}

/* The same of exactly so many items. */
static void *find_exactly(const struct packed *packed, const char *name, size_t count,
                          size_t item_size)
{
    size_t found;
    void *data = find(packed, name, item_size, &found);
    return data && found == count ? data : NULL;
}

/* `texts`: how many of A and B must be in it, each once. */
static bool load_template(const struct stored_template *stored, size_t texts, size_t vocabulary,
                          struct template *template)
{
    size_t seen[2] = {0, 0};
    if (stored->count > TEMPLATE_MAX_ITEMS)
        return false;
    for (size_t i = 0; i < stored->count; i++) {
        int32_t item = stored->items[i];
        if (item < TEMPLATE_TEXT_B || (item >= 0 && (size_t)item >= vocabulary))
            return false;
        if (item < 0)
            seen[item == TEMPLATE_TEXT_B]++;
        template->items[i] = item;
        template->types[i] = stored->types[i];
    }
    template->count = stored->count;
    return seen[0] == 1 && seen[1] == texts - 1;
}

static rag_status load_settings(const struct packed *packed, struct tokenizer *tokenizer,
                                struct settings *settings, rag_error *error)
{
    const struct settings *stored = find_exactly(packed, "settings", 1, sizeof *stored);
    if (!stored)
        return damaged(error, "settings");
    *settings = *stored;
    if (settings->model > MODEL_WORDPIECE || settings->space_runs > SPACE_RUNS_TO_METASPACE ||
        settings->prefix > METASPACE_ALWAYS || settings->vocabulary > VOCABULARY_MAX_PIECES ||
        settings->model_pieces > settings->vocabulary || settings->unknown < 0 ||
        (uint32_t)settings->unknown >= settings->vocabulary ||
        settings->added > ADDED_TOKENS_MAX ||
        !load_template(&settings->single, 1, settings->vocabulary, &tokenizer->single) ||
        !load_template(&settings->pair, 2, settings->vocabulary, &tokenizer->pair))
        return damaged(error, "settings");
    tokenizer->model = settings->model;
    tokenizer->model_pieces = settings->model_pieces;
    tokenizer->unknown = settings->unknown;
    tokenizer->unigram.unknown_score = settings->unknown_score;
    tokenizer->unigram.space_runs = settings->space_runs;
    tokenizer->unigram.prefix = settings->prefix;
    tokenizer->unigram.strip_left = settings->strip_left != 0;
    tokenizer->unigram.strip_right = settings->strip_right != 0;
    tokenizer->unigram.split_at_white_space = settings->split_at_white_space != 0;
    tokenizer->wordpiece.clean_text = settings->clean_text != 0;
    tokenizer->wordpiece.chinese = settings->chinese != 0;
    tokenizer->wordpiece.strip_accents = settings->strip_accents != 0;
    tokenizer->wordpiece.lowercase = settings->lowercase != 0;
    tokenizer->wordpiece.max_characters = settings->max_characters;
    tokenizer->wordpiece.continuation = settings->continuation;
    return RAG_OK;
}

static rag_status load_added(const struct packed *packed, const struct settings *settings,
                             struct added_tokens *added, rag_error *error)
{
    const struct stored_token *token =
        find_exactly(packed, "added", settings->added, sizeof *token);
    size_t left = 0;
    const char *text = find(packed, "added.text", 1, &left);
    rag_status status = token && text ? RAG_OK : damaged(error, "added tokens");
    for (size_t i = 0; !status && i < settings->added; i++, token++) {
        if (token->size > left || utf8_valid_prefix(text, token->size) != token->size ||
            token->id < 0 || (uint32_t)token->id >= settings->vocabulary)
            return damaged(error, "added tokens");
        struct added_token pushed = {
            .id = token->id,
            .lstrip = token->flags & TOKEN_LSTRIP,
            .rstrip = token->flags & TOKEN_RSTRIP,
            .normalized = token->flags & TOKEN_NORMALIZED,
            .special = token->flags & TOKEN_SPECIAL,
        };
        status = added_tokens_push(added, pushed, text, token->size, error);
        text += token->size;
        left -= token->size;
    }
    return status;
}

static rag_status load_vocabulary(const struct packed *packed, size_t count,
                                  struct vocabulary *vocabulary, rag_error *error)
{
    struct buf *text = &vocabulary->text;
    text->data = find(packed, "pieces.text", 1, &text->size);
    vocabulary->offsets =
        find_exactly(packed, "pieces.offsets", count, sizeof *vocabulary->offsets);
    vocabulary->scores =
        find_exactly(packed, "pieces.scores", count, sizeof *vocabulary->scores);
    vocabulary->count = count;
    /* vocabulary_piece keeps within the text: with a NUL at its end, so does who reads on. */
    if (!text->data || !vocabulary->offsets || !vocabulary->scores ||
        (text->size && text->data[text->size - 1]))
        return damaged(error, "pieces");
    return RAG_OK;
}

static bool load_table(const struct packed *packed, const char *pages, const char *values,
                       struct code_table *table)
{
    size_t count = 0;
    const uint16_t *page = find_exactly(packed, pages, CODE_TABLE_PAGES, sizeof *page);
    const uint32_t *value = find(packed, values, 256 * sizeof *value, &count);
    return page && value && code_table_borrow(table, page, value, count);
}

static rag_status load_trie(const struct packed *packed, const struct settings *settings,
                            struct piece_trie *trie, rag_error *error)
{
    trie->symbol_count = settings->symbols;
    trie->longest = settings->longest;
    trie->nodes = find(packed, "trie.nodes", sizeof *trie->nodes, &trie->node_count);
    if (!trie->nodes ||
        !load_table(packed, "symbols.pages", "symbols.values", &trie->symbols) ||
        !piece_trie_check(trie))
        return damaged(error, "pieces");
    return RAG_OK;
}

static rag_status load_unigram(const struct packed *packed, struct tokenizer *tokenizer,
                               rag_error *error)
{
    struct unigram *unigram = &tokenizer->unigram;
    struct charsmap *charsmap = &unigram->charsmap;
    unigram->expansions =
        find(packed, "expansions", sizeof *unigram->expansions, &unigram->expansion_count);
    charsmap->units =
        find(packed, "charsmap.units", sizeof *charsmap->units, &charsmap->unit_count);
    charsmap->strings = find(packed, "charsmap.strings", 1, &charsmap->strings_size);
    if (!unigram->expansions || !charsmap->units || !charsmap->strings ||
        !load_table(packed, "entries.pages", "entries.values", &unigram->entries))
        return damaged(error, "characters");
    /* The NUL at the end counts as none of them. */
    if (charsmap->unit_count &&
        (!charsmap->strings_size || charsmap->strings[--charsmap->strings_size]))
        return damaged(error, "characters");
    return unigram_restore(tokenizer, error);
}

static rag_status load_wordpiece(const struct packed *packed, struct tokenizer *tokenizer,
                                 rag_error *error)
{
    struct wordpiece *wordpiece = &tokenizer->wordpiece;
    wordpiece->expansions =
        find(packed, "expansions", sizeof *wordpiece->expansions, &wordpiece->expansion_count);
    if (!wordpiece->expansions ||
        !load_table(packed, "entries.pages", "entries.values", &wordpiece->entries))
        return damaged(error, "characters");
    return wordpiece_restore(tokenizer, error);
}

static rag_status verify(const struct packed *packed, rag_error *error)
{
    static const char *const names[] = {"settings",         "source",        "added",
                                        "added.text",       "trie.nodes",    "symbols.pages",
                                        "symbols.values",   "expansions",    "charsmap.units",
                                        "charsmap.strings", "entries.pages", "entries.values"};
    rag_status status = RAG_OK;
    for (size_t i = 0; !status && i < sizeof names / sizeof *names; i++)
        status = packed_verify_section(packed, names[i], error);
    return status;
}

static rag_status load(const struct packed *packed, struct tokenizer *tokenizer,
                       rag_error *error)
{
    struct settings settings;
    const struct hash *source = find_exactly(packed, "source", 1, sizeof *source);
    if (!source)
        return damaged(error, "source");
    tokenizer->file_hash = *source;
    rag_status status = verify(packed, error);
    if (!status)
        status = load_settings(packed, tokenizer, &settings, error);
    if (!status)
        status = load_added(packed, &settings, &tokenizer->added, error);
    if (!status)
        status = load_vocabulary(packed, settings.vocabulary, &tokenizer->vocabulary, error);
    if (!status)
        status = load_trie(packed, &settings, &tokenizer->trie, error);
    if (!status)
        status = tokenizer->model == MODEL_UNIGRAM ? load_unigram(packed, tokenizer, error)
                                                   : load_wordpiece(packed, tokenizer, error);
    return status ? status : tokenizer_prepare_added(tokenizer, error);
}

static void forget_borrowed(struct tokenizer *tokenizer)
{
    vocabulary_init(&tokenizer->vocabulary);
    tokenizer->trie = (struct piece_trie){0};
    tokenizer->unigram.charsmap = (struct charsmap){0};
    tokenizer->unigram.entries = (struct code_table){0};
    tokenizer->unigram.expansions = NULL;
    tokenizer->wordpiece.entries = (struct code_table){0};
    tokenizer->wordpiece.expansions = NULL;
}

rag_status tokenizer_unpack(struct packed *packed, const char *path, struct tokenizer **out,
                            rag_error *error)
{
    *out = NULL;
    struct tokenizer *tokenizer = tokenizer_new();
    if (!tokenizer)
        return fail_memory(error);
    rag_status status = (tokenizer->path = strdup(path)) ? RAG_OK : fail_memory(error);
    if (!status)
        status = load(packed, tokenizer, error);
    if (status) {
        forget_borrowed(tokenizer);
        tokenizer_free(tokenizer);
        return status;
    }
    tokenizer->packed = packed;
    *out = tokenizer;
    return RAG_OK;
}

void tokenizer_return_packed(struct tokenizer *tokenizer)
{
    forget_borrowed(tokenizer);
    packed_close(tokenizer->packed);
    tokenizer->packed = NULL;
}

bool tokenizer_is_packed(const struct tokenizer *tokenizer)
{
    return tokenizer->packed != NULL;
}

rag_status tokenizer_file_hash(const struct tokenizer *tokenizer, struct hash *hash,
                               rag_error *error)
{
    if (tokenizer->packed) {
        *hash = tokenizer->file_hash;
        return RAG_OK;
    }
    rag_status status = hash_file(tokenizer->path, hash, error);
    return status ? fail_within(error, RAG_MODEL, "the model's tokenizer") : RAG_OK;
}
