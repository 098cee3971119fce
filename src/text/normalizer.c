/* The reference (tokenizers/src/normalizers/precompiled.rs and normalizer.rs of
 * github.com/huggingface/tokenizers) looks up, for each grapheme cluster of less than six
 * bytes, the shortest rule that the cluster begins with, and puts its replacement in the
 * place of the whole cluster; where there is none, and in longer clusters, it looks up
 * each character. What a new character stands for in the source follows from how many
 * there were before and after (`replace` there), with its oddities:
 *
 *   - more than before: the additional ones stand for the character before them;
 *   - fewer: the last one is followed by the removed ones, which it does not cover;
 *   - none: the removal counts for the character emitted last, whatever rule it came
 *     from; if that one was additional, it now stands for the removed one;
 *   - none at the very start: nothing counts, and all that follows is shifted. */
#include "text/normalizer.h"

#include "base/memory.h"
#include "text/grapheme.h"
#include "text/utf8.h"

#include <string.h>

/* Entries of unigram.entries: the symbol of a character that stays, or an index into
 * unigram.expansions. */
#define ENTRY_MAPPED   (UINT32_C(1) << 31)
#define ENTRY_JOINS    (UINT32_C(1) << 30) /* GRAPHEME_JOINS */
#define ENTRY_HOLDS    (UINT32_C(1) << 29) /* GRAPHEME_HOLDS, and CR */
#define ENTRY_BOUNDARY (UINT32_C(1) << 28) /* SYMBOL_BOUNDARY */
#define ENTRY_MASK     (ENTRY_BOUNDARY - 1)

/* All replacements of single characters together; nmt_nfkc has some ten thousand. */
enum { EXPANSIONS_MAX = 1 << 24 };

static inline uint32_t entry_symbol(uint32_t entry)
{
    return (entry & ENTRY_MASK) | (entry & ENTRY_BOUNDARY) << 3;
}

bool symbol_stream_reserve(struct symbol_stream *stream, size_t capacity)
{
    if (capacity <= stream->capacity)
        return true;
    size_t bytes;
    if (capacity >= UINT32_MAX || !size_mul(capacity + 1, sizeof *stream->best, &bytes))
        return false;
    uint32_t *symbols = realloc(stream->symbols, capacity * sizeof *symbols);
    if (symbols)
        stream->symbols = symbols;
    uint32_t *begin = realloc(stream->begin, capacity * sizeof *begin);
    if (begin)
        stream->begin = begin;
    uint32_t *end = realloc(stream->end, capacity * sizeof *end);
    if (end)
        stream->end = end;
    struct best_path *best = realloc(stream->best, bytes);
    if (best)
        stream->best = best;
    if (!symbols || !begin || !end || !best)
        return false;
    stream->capacity = capacity;
    return true;
}

void symbol_stream_release(struct symbol_stream *stream)
{
    free(stream->symbols);
    free(stream->begin);
    free(stream->end);
    free(stream->best);
    *stream = (struct symbol_stream){0};
}

/* Bytes of the character at a place of valid UTF-8. */
static size_t character_size(const char *at)
{
    unsigned char lead = (unsigned char)*at;
    return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

/* utf8_decode for text that is known to be valid. */
static inline uint32_t decode_valid(const char *at, size_t *length)
{
    const unsigned char *b = (const unsigned char *)at;
    if (b[0] < 0x80) {
        *length = 1;
        return b[0];
    }
    if (b[0] >= 0xE0 && b[0] < 0xF0) {
        *length = 3;
        return (b[0] & 0x0Fu) << 12 | (b[1] & 0x3Fu) << 6 | (b[2] & 0x3Fu);
    }
    if (b[0] < 0xE0) {
        *length = 2;
        return (b[0] & 0x1Fu) << 6 | (b[1] & 0x3Fu);
    }
    *length = 4;
    return (b[0] & 0x07u) << 18 | (b[1] & 0x3Fu) << 12 | (b[2] & 0x3Fu) << 6 | (b[3] & 0x3Fu);
}

void normalizer_start(struct normalizer *normalizer, const struct tokenizer *tokenizer,
                      const char *text, size_t begin, size_t end)
{
    *normalizer = (struct normalizer){
        .tokenizer = tokenizer,
        .text = text,
        .position = begin,
        .end = end,
        .cursor = begin,
        .before_begin = begin,
        .stripping = tokenizer->unigram.strip_left,
    };
}

/* Appends a symbol that stands for begin..end; the stream must have room. */
static inline void emit(struct normalizer *n, struct symbol_stream *stream, uint32_t symbol,
                        size_t begin, size_t end)
{
    const struct unigram *unigram = &n->tokenizer->unigram;
    size_t i = stream->count;
    if (n->stripping) {
        if (unigram->traits[symbol & SYMBOL_MASK] & TRAIT_SPACE)
            return;
        n->stripping = false;
    }
    if (symbol == unigram->space) {
        if (n->last_is_space && unigram->space_runs != SPACE_RUNS_KEEP) {
            /* One space for the run, and it stands for the run's last. */
            i--;
            if (unigram->space_runs == SPACE_RUNS_TO_METASPACE)
                symbol = unigram->metaspace | SYMBOL_RUN;
        }
        n->last_is_space = true;
    } else {
        n->last_is_space = false;
    }
    stream->symbols[i] = symbol;
    stream->begin[i] = (uint32_t)begin;
    stream->end[i] = (uint32_t)end;
    stream->count = i + 1;
}

static void advance_cursor(struct normalizer *n, size_t characters)
{
    for (; characters; characters--) {
        n->before_begin = n->cursor;
        n->cursor += character_size(n->text + n->cursor);
    }
}

/* `count` symbols in the place of `old` source characters. The stream must have room. */
static void replace(struct normalizer *n, struct symbol_stream *stream, const uint32_t *symbols,
                    size_t count, size_t old)
{
    if (count == 0) {
        if (!n->any)
            return;
        if (n->last_inserted && stream->count && !n->stripping) {
            stream->begin[stream->count - 1] = (uint32_t)n->cursor;
            stream->end[stream->count - 1] =
                (uint32_t)(n->cursor + character_size(n->text + n->cursor));
            n->last_inserted = false;
        }
        advance_cursor(n, old);
        return;
    }
    n->any = true;
    for (size_t i = 0; i < count; i++) {
        if (i < old)
            advance_cursor(n, 1);
        emit(n, stream, symbols[i], n->before_begin, n->cursor);
    }
    n->last_inserted = count > old;
    if (old > count)
        advance_cursor(n, old - count);
}

static bool reserve_more(struct symbol_stream *stream, size_t more)
{
    size_t needed;
    if (!size_add(stream->count, more, &needed))
        return false;
    return needed <= stream->capacity || symbol_stream_reserve(stream, needed + needed / 2);
}

/* The replacement of a whole cluster. */
static bool replace_cluster(struct normalizer *n, struct symbol_stream *stream,
                            const char *replacement, size_t size, size_t old)
{
    uint32_t small[64], *symbols = small;
    if (size > 64) {
        symbols = alloc_array(size, sizeof *symbols);
        if (!symbols)
            return false;
    }
    size_t count = 0;
    for (size_t at = 0, length; at < size; at += length) {
        uint32_t code = decode_valid(replacement + at, &length);
        symbols[count++] =
            n->tokenizer->unigram.flagged[code_table_get(&n->tokenizer->trie.symbols, code)];
    }
    bool done = reserve_more(stream, count);
    if (done)
        replace(n, stream, symbols, count, old);
    if (symbols != small)
        free(symbols);
    return done;
}

static bool normalize_character(struct normalizer *n, struct symbol_stream *stream,
                                uint32_t entry)
{
    const struct unigram *unigram = &n->tokenizer->unigram;
    if (!(entry & ENTRY_MAPPED)) {
        if (!reserve_more(stream, 1))
            return false;
        uint32_t symbol = entry_symbol(entry);
        replace(n, stream, &symbol, 1, 1);
        return true;
    }
    const uint32_t *expansion = unigram->expansions + (entry & ENTRY_MASK);
    if (!reserve_more(stream, expansion[0]))
        return false;
    replace(n, stream, expansion + 1, expansion[0], 1);
    return true;
}

/* A cluster of several characters, or one that might be. */
static bool normalize_cluster(struct normalizer *n, struct symbol_stream *stream)
{
    const struct unigram *unigram = &n->tokenizer->unigram;
    const char *at = n->text + n->position;
    size_t size = grapheme_next(&unigram->classes, at, n->end - n->position);
    n->position += size;
    if (size < 6) {
        size_t replaced, old = 0;
        const char *replacement = charsmap_find(&unigram->charsmap, at, size, &replaced);
        if (replacement) {
            for (size_t i = 0; i < size; i += character_size(at + i))
                old++;
            return replace_cluster(n, stream, replacement, replaced, old);
        }
    }
    for (size_t i = 0, length; i < size; i += length)
        if (!normalize_character(
                n, stream, code_table_get(&unigram->entries, decode_valid(at + i, &length))))
            return false;
    return true;
}

/* Characters that become one character and are clusters of their own, which is nearly all
 * text: as many as there are, until there is no room. */
static void take_plain(struct normalizer *n, struct symbol_stream *stream)
{
    const struct unigram *unigram = &n->tokenizer->unigram;
    const struct code_table *entries = &unigram->entries;
    size_t at = n->position, length, next_length, room = stream->capacity,
           count = stream->count;
    uint32_t entry, next;
    bool last_is_space = n->last_is_space;
    if (at == n->end || n->stripping || n->cursor != at)
        return;
    entry = code_table_get(entries, decode_valid(n->text + at, &length));
    for (; count < room; entry = next, length = next_length) {
        size_t ahead = at + length;
        next = next_length = 0;
        if (ahead < n->end)
            next = code_table_get(entries, decode_valid(n->text + ahead, &next_length));
        uint32_t symbol = entry_symbol(entry);
        if ((entry & ENTRY_HOLDS) | (next & ENTRY_JOINS))
            break;
        if (entry & ENTRY_MAPPED) {
            const uint32_t *expansion = unigram->expansions + (entry & ENTRY_MASK);
            if (expansion[0] != 1)
                break;
            symbol = expansion[1];
        }
        bool is_space = symbol == unigram->space;
        if (is_space && last_is_space)
            break;
        stream->symbols[count] = symbol;
        stream->begin[count] = (uint32_t)at;
        stream->end[count++] = (uint32_t)ahead;
        last_is_space = is_space;
        n->before_begin = at;
        at = ahead;
        if (at == n->end)
            break;
    }
    if (at != n->position) {
        n->any = true;
        n->last_inserted = false;
    }
    n->last_is_space = last_is_space;
    n->position = n->cursor = at;
    stream->count = count;
}

bool normalizer_fill(struct normalizer *n, struct symbol_stream *stream, size_t count)
{
    const struct code_table *entries = &n->tokenizer->unigram.entries;
    while (n->position < n->end && stream->count < count) {
        take_plain(n, stream);
        if (n->position == n->end || stream->count >= count)
            break;
        size_t length, next_length;
        uint32_t next = 0;
        uint32_t entry = code_table_get(entries, decode_valid(n->text + n->position, &length));
        size_t ahead = n->position + length;
        if (ahead < n->end)
            next = code_table_get(entries, decode_valid(n->text + ahead, &next_length));
        if ((entry & ENTRY_HOLDS) | (next & ENTRY_JOINS)) {
            if (!normalize_cluster(n, stream))
                return false;
            continue;
        }
        if (!normalize_character(n, stream, entry))
            return false;
        n->position = ahead;
    }
    return true;
}

/* ---- The tables ---- */

static bool add_expansion(struct unigram *unigram, const struct piece_trie *trie,
                          const char *text, size_t size, uint32_t *index)
{
    if (!array_reserve(&unigram->expansions, &unigram->expansion_capacity,
                       unigram->expansion_count + size + 1, sizeof *unigram->expansions) ||
        unigram->expansion_count > EXPANSIONS_MAX)
        return false;
    *index = (uint32_t)unigram->expansion_count;
    uint32_t *expansion = unigram->expansions + *index;
    expansion[0] = 0;
    for (size_t at = 0, length; at < size; at += length) {
        uint32_t symbol = code_table_get(&trie->symbols, decode_valid(text + at, &length));
        expansion[++expansion[0]] = unigram->flagged[symbol];
    }
    unigram->expansion_count += expansion[0] + 1;
    return true;
}

/* Notes what the rules make of each character by itself. Only the code points whose
 * first bytes some rule has need looking at. */
static bool note_rules(struct unigram *unigram, const struct piece_trie *trie)
{
    char bytes[4];
    for (int32_t code = 1; code < 0x110000; code++) {
        size_t size = code >= 0xD800 && code < 0xE000 ? 0 : utf8_encode(code, bytes);
        size_t skip = code < 0x80 ? 1 : code < 0x800 ? 64 : code < 0x10000 ? 4096 : 262144;
        if (size > 1 && code % (int32_t)skip == 0 &&
            !charsmap_has_prefix(&unigram->charsmap, bytes, 1)) {
            code += (int32_t)skip - 1;
            continue;
        }
        if (size > 2 && code % 64 == 0 &&
            !charsmap_has_prefix(&unigram->charsmap, bytes, size - 1)) {
            code += 63;
            continue;
        }
        size_t replaced;
        const char *replacement =
            size ? charsmap_find(&unigram->charsmap, bytes, size, &replaced) : NULL;
        uint32_t index;
        if (replacement &&
            (!add_expansion(unigram, trie, replacement, replaced, &index) ||
             !code_table_set(&unigram->entries, (uint32_t)code, ENTRY_MAPPED | index)))
            return false;
    }
    return true;
}

static bool note_classes(struct unigram *unigram)
{
    static const struct code_range hangul[] = {
        {0x1100, 0x11FF}, {0xA960, 0xA97C}, {0xD7B0, 0xD7FB}, {0x16D63, 0x16D6A}};
    static const struct code_ranges hangul_ranges = {hangul, 4};
    const struct code_ranges *all[] = {&reference_extend, &reference_spacing,
                                       &reference_prepend, &hangul_ranges};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        for (size_t j = 0; j < all[i]->count; j++)
            for (uint32_t code = all[i]->items[j].first; code <= all[i]->items[j].last;
                 code++) {
                uint32_t class = code_table_get(&unigram->classes, code);
                uint32_t bits = (class & GRAPHEME_JOINS ? ENTRY_JOINS : 0) |
                                (class & GRAPHEME_HOLDS ? ENTRY_HOLDS : 0);
                uint32_t entry = code_table_get(&unigram->entries, code);
                if (!code_table_set(&unigram->entries, code, entry | bits))
                    return false;
            }
    return code_table_set(&unigram->entries, '\r',
                          code_table_get(&unigram->entries, '\r') | ENTRY_HOLDS);
}

rag_status normalizer_flags(struct tokenizer *tokenizer, rag_error *error)
{
    struct unigram *unigram = &tokenizer->unigram;
    const struct piece_trie *trie = &tokenizer->trie;
    if (trie->symbol_count > ENTRY_MASK)
        return fail_with(error, RAG_MODEL, "too many different characters");
    unigram->space = code_table_get(&trie->symbols, ' ') | SYMBOL_BOUNDARY;
    unigram->metaspace = code_table_get(&trie->symbols, 0x2581) | SYMBOL_BOUNDARY;
    unigram->traits = alloc_zeroed(trie->symbol_count + 1, 1);
    unigram->flagged = alloc_array(trie->symbol_count + 1, sizeof *unigram->flagged);
    if (!unigram->traits || !unigram->flagged)
        return fail_memory(error);
    for (size_t i = 0; i < reference_space.count; i++)
        for (uint32_t code = reference_space.items[i].first;
             code <= reference_space.items[i].last; code++)
            unigram->traits[code_table_get(&trie->symbols, code)] = TRAIT_SPACE;
    for (size_t i = 0; i <= trie->symbol_count; i++) {
        bool boundary = i == (unigram->space & SYMBOL_MASK) ||
                        i == (unigram->metaspace & SYMBOL_MASK) ||
                        (unigram->split_at_white_space && unigram->traits[i] & TRAIT_SPACE);
        unigram->flagged[i] = (uint32_t)i | (boundary ? SYMBOL_BOUNDARY : 0);
    }
    return grapheme_classes(&unigram->classes) ? RAG_OK : fail_memory(error);
}

rag_status normalizer_entries(struct tokenizer *tokenizer, rag_error *error)
{
    struct unigram *unigram = &tokenizer->unigram;
    const struct piece_trie *trie = &tokenizer->trie;
    if (!code_table_init(&unigram->entries))
        return fail_memory(error);
    for (size_t i = 1; i <= trie->symbol_count; i++)
        if (!code_table_set(&unigram->entries, trie->codes[i],
                            (uint32_t)i | (unigram->flagged[i] & SYMBOL_BOUNDARY) >> 3))
            return fail_memory(error);
    if (!note_rules(unigram, trie) || !note_classes(unigram))
        return fail_memory(error);
    return RAG_OK;
}

/* The symbols that become part of the stream: nothing above them but SYMBOL_BOUNDARY. */
static bool check_expansion(const struct unigram *unigram, size_t index, size_t symbol_count)
{
    size_t left = unigram->expansion_count - index;
    const uint32_t *expansion = unigram->expansions + index;
    if (index >= unigram->expansion_count || expansion[0] > CHARSMAP_MAX_REPLACEMENT ||
        expansion[0] >= left)
        return false;
    for (uint32_t i = 1; i <= expansion[0]; i++)
        if ((expansion[i] & ~SYMBOL_BOUNDARY) > symbol_count)
            return false;
    return true;
}

bool normalizer_check(const struct tokenizer *tokenizer)
{
    const struct unigram *unigram = &tokenizer->unigram;
    const struct code_table *entries = &unigram->entries;
    size_t symbol_count = tokenizer->trie.symbol_count;
    for (size_t i = 0; i < entries->page_count * 256; i++) {
        uint32_t entry = entries->values[i];
        if (entry & ENTRY_MAPPED ? !check_expansion(unigram, entry & ENTRY_MASK, symbol_count)
                                 : (entry & ENTRY_MASK) > symbol_count)
            return false;
    }
    return true;
}
