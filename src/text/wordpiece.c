/* BERT's WordPiece: text is cleaned, Han characters are set apart, accents stripped and
 * letters lowered; words are parted by white space and punctuation; a word is cut
 * greedily into the longest pieces from the left, and is unknown as a whole where that
 * fails. The reference is tokenizers/src/normalizers/bert.rs, pre_tokenizers/bert.rs and
 * models/wordpiece of github.com/huggingface/tokenizers.
 *
 * All that happens to a character depends on itself alone, so it is tabulated; but for
 * one thing, see reorder(). */
#include "text/model.h"

#include "base/memory.h"
#include "text/utf8.h"

#include <string.h>
#include <utf8proc.h>

/* Entries of wordpiece.entries: a symbol with the flags below, or an index into
 * wordpiece.expansions, whose symbols have the flags. */
#define ENTRY_MAPPED    (UINT32_C(1) << 31)
#define ENTRY_NOTHING   (UINT32_C(1) << 30) /* vanishes */
#define ENTRY_SPACE     (UINT32_C(1) << 29) /* parts words */
#define ENTRY_ALONE     (UINT32_C(1) << 28) /* is a word of its own */
#define ENTRY_COMBINING (UINT32_C(1) << 27) /* stays, and has a combining class */
#define ENTRY_MASK      (ENTRY_COMBINING - 1)

enum { MAX_EXPANSION = 12 }; /* symbols that one character becomes */

/* The word in hand: the first characters, and how many it has. */
struct word_run {
    const struct tokenizer *tokenizer;
    struct token_list *out;
    uint32_t *symbols, *begin, *end; /* [max_characters] */
    size_t count;
    uint32_t last_end;
};

/* The longest piece at `from`; its id, or -1. */
static int32_t longest_piece(const struct word_run *run, size_t from, size_t *to)
{
    const struct piece_trie *trie = &run->tokenizer->trie;
    uint32_t node = from ? run->tokenizer->wordpiece.continuation : 0;
    int32_t id = -1;
    for (size_t i = from; node != TRIE_NONE && i < run->count; i++) {
        node = piece_trie_step(trie, node, run->symbols[i]);
        if (node != TRIE_NONE &&
            (uint32_t)trie->nodes[node].id < run->tokenizer->vocabulary.count) {
            id = trie->nodes[node].id;
            *to = i + 1;
        }
    }
    return id;
}

static bool finish_word(struct word_run *run)
{
    size_t before = run->out->count, count = run->count;
    if (!count)
        return true;
    bool known = count <= run->tokenizer->wordpiece.max_characters;
    for (size_t from = 0, to = 0; known && from < count; from = to) {
        int32_t id = longest_piece(run, from, &to);
        known = id >= 0;
        if (known && !token_list_push(run->out, id, run->begin[from], run->end[to - 1]))
            return false;
    }
    if (!known) {
        run->out->count = before;
        if (!token_list_push(run->out, run->tokenizer->unknown, run->begin[0], run->last_end))
            return false;
    }
    run->count = 0;
    return true;
}

static bool add_symbol(struct word_run *run, uint32_t symbol, size_t begin, size_t end)
{
    if (symbol & (ENTRY_SPACE | ENTRY_ALONE)) {
        if (!finish_word(run))
            return false;
        if (symbol & ENTRY_SPACE)
            return true;
    }
    if (run->count < run->tokenizer->wordpiece.max_characters) {
        run->symbols[run->count] = symbol & ENTRY_MASK;
        run->begin[run->count] = (uint32_t)begin;
        run->end[run->count] = (uint32_t)end;
    }
    run->count++;
    run->last_end = (uint32_t)end;
    return symbol & ENTRY_ALONE ? finish_word(run) : true;
}

static bool add_entry(struct word_run *run, uint32_t entry, size_t begin, size_t end)
{
    if (entry & ENTRY_NOTHING)
        return true;
    if (!(entry & ENTRY_MAPPED))
        return add_symbol(run, entry, begin, end);
    const uint32_t *expansion = run->tokenizer->wordpiece.expansions + (entry & ENTRY_MASK);
    for (uint32_t i = 1; i <= expansion[0]; i++)
        if (!add_symbol(run, expansion[i], begin, end))
            return false;
    return true;
}

/* ---- Combining characters that are not stripped ---- */

static bool in_ranges(const struct code_ranges *ranges, uint32_t code)
{
    size_t low = 0, high = ranges->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (code > ranges->items[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    return low < ranges->count && code >= ranges->items[low].first;
}

static unsigned combining_class(uint32_t code)
{
    size_t low = 0, high = reference_combining_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (code > reference_combining[middle].last)
            low = middle + 1;
        else
            high = middle;
    }
    return low < reference_combining_count && code >= reference_combining[low].first
               ? reference_combining[low].combining_class
               : 0;
}

/* The canonical decomposition as the reference knows it. */
static size_t decompose(uint32_t code, uint32_t parts[4])
{
    parts[0] = code;
    if (!in_ranges(&reference_decomposed, code) && (code < 0xAC00 || code > 0xD7A3))
        return 1;
    utf8proc_int32_t found[4];
    int boundary = 0;
    utf8proc_ssize_t count = utf8proc_decompose_char((utf8proc_int32_t)code, found, 4,
                                                     UTF8PROC_DECOMPOSE, &boundary);
    if (count < 1 || count > 4)
        return 1;
    for (utf8proc_ssize_t i = 0; i < count; i++)
        parts[i] = (uint32_t)found[i];
    return (size_t)count;
}

struct combining {
    uint32_t code, begin, end;
    unsigned class; /* of what it is decomposed to; 0: removed before that */
};

/* Reads the character at *at, if it goes on a run of combining characters. */
static bool next_combining(const struct wordpiece *wordpiece, const char *text, size_t *at,
                           size_t end, struct combining *next)
{
    size_t length;
    uint32_t parts[4];
    if (*at == end)
        return false;
    next->code = (uint32_t)utf8_decode(text + *at, end - *at, &length);
    next->begin = (uint32_t)*at;
    next->end = (uint32_t)(*at + length);
    next->class = 0;
    bool removed = wordpiece->clean_text && (next->code == 0 || next->code == 0xFFFD ||
                                             in_ranges(&reference_removed, next->code));
    if (!removed) {
        decompose(next->code, parts);
        next->class = combining_class(parts[0]);
        if (!next->class)
            return false;
    }
    *at += length;
    return true;
}

/* Decomposition sorts neighbours by combining class but leaves the places in the source
 * where they were; that shows in those few that are not stripped as accents. */
static bool reorder(struct word_run *run, const char *text, size_t at, size_t end)
{
    const struct wordpiece *wordpiece = &run->tokenizer->wordpiece;
    struct combining next, *items = NULL;
    size_t count = 0, capacity = 0, place = 0;
    bool done = false;
    while (next_combining(wordpiece, text, &at, end, &next)) {
        if (!next.class)
            continue;
        if (!array_reserve(&items, &capacity, count + 1, sizeof *items))
            goto out;
        items[count++] = next;
    }
    /* A pass for each class: a long run takes linear time. */
    for (unsigned class = 1; class < 255; class ++)
        for (size_t i = 0; i < count; i++) {
            if (items[i].class != class)
                continue;
            uint32_t entry = code_table_get(&wordpiece->entries, items[i].code);
            if (!add_entry(run, entry, items[place].begin, items[place].end))
                goto out;
            place++;
        }
    done = true;
out:
    free(items);
    return done;
}

/* The run of combining characters that begins at *at, which is moved to its end. */
static bool add_combining(struct word_run *run, const char *text, size_t *at, size_t end)
{
    const struct wordpiece *wordpiece = &run->tokenizer->wordpiece;
    size_t begin = *at;
    bool stays = false;
    struct combining next;
    while (wordpiece->strip_accents && next_combining(wordpiece, text, at, end, &next))
        if (code_table_get(&wordpiece->entries, next.code) & ENTRY_COMBINING)
            stays = true;
    if (*at == begin) { /* an accent of class 0, or nothing is decomposed */
        size_t length;
        (void)utf8_decode(text + begin, end - begin, &length);
        *at = begin + length;
    }
    return stays ? reorder(run, text, begin, *at) : true;
}

rag_status wordpiece_encode(const struct tokenizer *tokenizer, const char *text, size_t begin,
                            size_t end, struct token_list *out, rag_error *error)
{
    const struct wordpiece *wordpiece = &tokenizer->wordpiece;
    struct word_run run = {.tokenizer = tokenizer, .out = out};
    size_t most = wordpiece->max_characters;
    uint32_t small[3 * 128], *memory = small;
    bool done = false;
    if (most > 128 && !(memory = alloc_array(3 * most, sizeof *memory)))
        return fail_memory(error);
    run.symbols = memory;
    run.begin = memory + most;
    run.end = memory + 2 * most;
    for (size_t at = begin; at < end;) {
        size_t length = 1;
        unsigned char byte = (unsigned char)text[at];
        uint32_t code =
            byte < 0x80 ? byte : (uint32_t)utf8_decode(text + at, end - at, &length);
        uint32_t entry = code_table_get(&wordpiece->entries, code);
        if (entry & (ENTRY_NOTHING | ENTRY_COMBINING)) {
            if (!add_combining(&run, text, &at, end))
                goto out;
            continue;
        }
        if (!add_entry(&run, entry, at, at + length))
            goto out;
        at += length;
    }
    done = finish_word(&run);
out:
    if (memory != small)
        free(memory);
    return done ? RAG_OK : fail_memory(error);
}

/* ---- The tables ---- */

enum {
    PROPERTY_REMOVED = 1,
    PROPERTY_TO_SPACE = 2,
    PROPERTY_CHINESE = 4,
    PROPERTY_NONSPACING = 8,
    PROPERTY_DECOMPOSED = 16,
    PROPERTY_SPACE = 32,
    PROPERTY_PUNCTUATION = 64,
    PROPERTY_LOWERED = 128,
    PROPERTY_COMBINING = 256,
};

static bool make_properties(struct code_table *properties)
{
    static const struct code_range syllables = {0xAC00, 0xD7A3};
    static const struct code_range none[] = {{0, 0}, {0xFFFD, 0xFFFD}};
    if (!code_table_init(properties) ||
        !code_table_mark(properties, &(struct code_ranges){none, 2}, PROPERTY_REMOVED) ||
        !code_table_mark(properties, &reference_removed, PROPERTY_REMOVED) ||
        !code_table_mark(properties, &reference_to_space, PROPERTY_TO_SPACE) ||
        !code_table_mark(properties, &reference_chinese, PROPERTY_CHINESE) ||
        !code_table_mark(properties, &reference_nonspacing, PROPERTY_NONSPACING) ||
        !code_table_mark(properties, &reference_decomposed, PROPERTY_DECOMPOSED) ||
        !code_table_mark(properties, &(struct code_ranges){&syllables, 1},
                         PROPERTY_DECOMPOSED) ||
        !code_table_mark(properties, &reference_space, PROPERTY_SPACE) ||
        !code_table_mark(properties, &reference_punctuation, PROPERTY_PUNCTUATION))
        return false;
    for (size_t i = 0; i < reference_combining_count; i++)
        for (uint32_t code = reference_combining[i].first; code <= reference_combining[i].last;
             code++)
            if (!code_table_set(properties, code,
                                code_table_get(properties, code) | PROPERTY_COMBINING))
                return false;
    for (size_t i = 0; i < reference_lower_count; i++)
        for (uint32_t code = reference_lower[i].first; code <= reference_lower[i].last;
             code += reference_lower[i].step)
            if (!code_table_set(properties, code,
                                code_table_get(properties, code) | PROPERTY_LOWERED))
                return false;
    return true;
}

static uint32_t lower_case(uint32_t code)
{
    for (size_t i = 0; i < reference_lower_count; i++) {
        const struct lower_range *range = &reference_lower[i];
        if (code >= range->first && code <= range->last &&
            (code - range->first) % range->step == 0)
            return (uint32_t)((int32_t)code + range->delta);
    }
    return code;
}

/* Appends the symbol of a character that is in the normalised text. */
static size_t put_symbol(const struct tokenizer *tokenizer, const struct code_table *properties,
                         uint32_t code, uint32_t *symbols)
{
    uint32_t property = code_table_get(properties, code);
    uint32_t flags = property & PROPERTY_SPACE         ? ENTRY_SPACE
                     : property & PROPERTY_PUNCTUATION ? ENTRY_ALONE
                                                       : 0;
    symbols[0] = code_table_get(&tokenizer->trie.symbols, code) | flags;
    return 1;
}

/* What becomes of a character, as symbols. */
static size_t normalized(const struct tokenizer *tokenizer, const struct code_table *properties,
                         uint32_t code, uint32_t symbols[MAX_EXPANSION])
{
    const struct wordpiece *wordpiece = &tokenizer->wordpiece;
    uint32_t property = code_table_get(properties, code);
    size_t count = 0;
    if (wordpiece->clean_text && property & PROPERTY_REMOVED)
        return 0;
    if (wordpiece->clean_text && property & PROPERTY_TO_SPACE)
        code = ' ';
    bool apart = wordpiece->chinese && property & PROPERTY_CHINESE;
    uint32_t parts[4] = {code};
    size_t part_count =
        wordpiece->strip_accents && property & PROPERTY_DECOMPOSED ? decompose(code, parts) : 1;
    if (apart)
        symbols[count++] = ENTRY_SPACE;
    for (size_t i = 0; i < part_count; i++) {
        uint32_t part = parts[i], about = code_table_get(properties, part);
        if (wordpiece->strip_accents && about & PROPERTY_NONSPACING)
            continue;
        if (wordpiece->lowercase && about & PROPERTY_LOWERED) {
            count += put_symbol(tokenizer, properties, lower_case(part), symbols + count);
            if (part == 0x130)
                count += put_symbol(tokenizer, properties, 0x307, symbols + count);
        } else {
            count += put_symbol(tokenizer, properties, part, symbols + count);
        }
    }
    if (apart)
        symbols[count++] = ENTRY_SPACE;
    return count;
}

static bool make_entry(struct tokenizer *tokenizer, const struct code_table *properties,
                       uint32_t code)
{
    struct wordpiece *wordpiece = &tokenizer->wordpiece;
    uint32_t symbols[MAX_EXPANSION], entry;
    size_t count = normalized(tokenizer, properties, code, symbols);
    if (count == 0) {
        entry = ENTRY_NOTHING;
    } else if (count == 1) {
        entry = symbols[0];
    } else if (count == 3 && symbols[0] == ENTRY_SPACE && symbols[2] == ENTRY_SPACE &&
               !(symbols[1] & ENTRY_SPACE)) {
        entry = symbols[1] | ENTRY_ALONE;
    } else {
        if (!array_reserve(&wordpiece->expansions, &wordpiece->expansion_capacity,
                           wordpiece->expansion_count + count + 1, sizeof(uint32_t)))
            return false;
        entry = ENTRY_MAPPED | (uint32_t)wordpiece->expansion_count;
        wordpiece->expansions[wordpiece->expansion_count++] = (uint32_t)count;
        memcpy(wordpiece->expansions + wordpiece->expansion_count, symbols,
               count * sizeof *symbols);
        wordpiece->expansion_count += count;
    }
    if (count && wordpiece->strip_accents &&
        code_table_get(properties, code) & PROPERTY_COMBINING)
        entry |= ENTRY_COMBINING;
    return code_table_set(&wordpiece->entries, code, entry);
}

static bool make_entries(struct tokenizer *tokenizer)
{
    struct code_table properties;
    bool done = code_table_init(&tokenizer->wordpiece.entries) && make_properties(&properties);
    for (uint32_t page = 0; done && page < CODE_TABLE_PAGES; page++) {
        if (!properties.pages[page] && !tokenizer->trie.symbols.pages[page])
            continue;
        for (uint32_t code = page * 256; done && code < page * 256 + 256; code++)
            done = make_entry(tokenizer, &properties, code);
    }
    code_table_release(&properties);
    return done;
}

/* The node behind the prefix of pieces that continue a word. */
static uint32_t find_continuation(const struct tokenizer *tokenizer)
{
    const struct piece_trie *trie = &tokenizer->trie;
    const char *prefix = tokenizer->wordpiece.prefix;
    size_t size = strlen(prefix);
    uint32_t node = 0;
    for (size_t at = 0, length; at < size && node != TRIE_NONE; at += length) {
        int32_t code = utf8_decode(prefix + at, size - at, &length);
        if (code < 0)
            return TRIE_NONE;
        node = piece_trie_step(trie, node, code_table_get(&trie->symbols, (uint32_t)code));
    }
    return node;
}

rag_status wordpiece_prepare(struct tokenizer *tokenizer, rag_error *error)
{
    rag_status status = piece_trie_build(&tokenizer->vocabulary, tokenizer->model_pieces, "",
                                         &tokenizer->trie, error);
    if (status)
        return status;
    if (tokenizer->trie.symbol_count > ENTRY_MASK || !make_entries(tokenizer))
        return fail_memory(error);
    tokenizer->wordpiece.continuation = find_continuation(tokenizer);
    return RAG_OK;
}

static bool check_expansion(const struct wordpiece *wordpiece, size_t index,
                            size_t symbol_count)
{
    size_t left = wordpiece->expansion_count - index;
    const uint32_t *expansion = wordpiece->expansions + index;
    if (index >= wordpiece->expansion_count || expansion[0] > MAX_EXPANSION ||
        expansion[0] >= left)
        return false;
    for (uint32_t i = 1; i <= expansion[0]; i++)
        if ((expansion[i] & ENTRY_MASK) > symbol_count)
            return false;
    return true;
}

rag_status wordpiece_restore(const struct tokenizer *tokenizer, rag_error *error)
{
    const struct wordpiece *wordpiece = &tokenizer->wordpiece;
    const struct code_table *entries = &wordpiece->entries;
    size_t symbol_count = tokenizer->trie.symbol_count;
    bool good = wordpiece->max_characters >= 1 &&
                wordpiece->max_characters <= WORDPIECE_LIMIT_CHARACTERS &&
                (wordpiece->continuation == TRIE_NONE ||
                 wordpiece->continuation < tokenizer->trie.node_count);
    for (size_t i = 0; good && i < entries->page_count * 256; i++) {
        uint32_t entry = entries->values[i];
        if (!(entry & ENTRY_NOTHING))
            good = entry & ENTRY_MAPPED
                       ? check_expansion(wordpiece, entry & ENTRY_MASK, symbol_count)
                       : (entry & ENTRY_MASK) <= symbol_count;
    }
    return good ? RAG_OK : fail_with(error, RAG_MODEL, "its table of characters is damaged");
}

void wordpiece_release(struct wordpiece *wordpiece)
{
    code_table_release(&wordpiece->entries);
    free(wordpiece->expansions);
    *wordpiece = (struct wordpiece){0};
}
