/* Byte-level byte-pair encoding (Sennrich, Haddow, Birch, ACL 2016, over bytes as in GPT-2):
 * a text is parted by a fixed rule, and in each part the two neighbours whose joined bytes have
 * the lowest rank are joined, the leftmost first, until no two are a token.
 *
 * The reference is tiktoken's cl100k_base, encode_ordinary: what is written like a special
 * token is text. The rule of its parts, the first alternative that matches at a place:
 *
 *   '(?i:[sdmt]|ll|ve|re)          |  [^\r\n\p{L}\p{N}]?+\p{L}++  |  \p{N}{1,3}+
 *   | ?[^\s\p{L}\p{N}]++[\r\n]*+   |  \s++$  |  \s*[\r\n]  |  \s+(?!\S)  |  \s            */
#include "text/model.h"

#include "base/checksum.h"
#include "base/memory.h"
#include "text/byte_pair_tables.h"
#include "text/utf8.h"

#include <string.h>

#define NO_RANK UINT32_MAX

enum {
    CLASS_LETTER = 1,
    CLASS_NUMBER = 2,
    CLASS_SPACE = 4, /* line ends too */
    MAX_NUMBERS = 3, /* characters of a number in one part */
    /* Up to so many bytes the lowest rank is looked for from left to right, which is quadratic;
     * beyond, in a heap. */
    SHORT_PART = 128,
};

/* ---- The ranks ---- */

static uint32_t token_begin(const struct byte_pair *pairs, uint32_t token)
{
    return token ? pairs->ends[token - 1] : 0;
}

/* The slot where the bytes stand, or the empty one where they would. */
static size_t find_slot(const struct byte_pair *pairs, const char *bytes, size_t size)
{
    size_t slot = checksum_bytes(bytes, size) & pairs->mask;
    for (; pairs->slots[slot]; slot = (slot + 1) & pairs->mask) {
        uint32_t token = pairs->slots[slot] - 1, begin = token_begin(pairs, token);
        if (pairs->ends[token] - begin == size &&
            memcmp(pairs->bytes.data + begin, bytes, size) == 0)
            break;
    }
    return slot;
}

static uint32_t rank_of(const struct byte_pair *pairs, const char *bytes, size_t size)
{
    if (size > pairs->longest)
        return NO_RANK;
    uint32_t token = pairs->slots[find_slot(pairs, bytes, size)];
    return token ? pairs->ranks[token - 1] : NO_RANK;
}

rag_status byte_pair_push(struct byte_pair *pairs, size_t begin, uint32_t rank,
                          rag_error *error)
{
    size_t size = pairs->bytes.size - begin;
    if (rank >= VOCABULARY_MAX_PIECES)
        return fail_with(error, RAG_MODEL, "a rank of %u; at most %d tokens are taken", rank,
                         VOCABULARY_MAX_PIECES);
    if (!size || size > BYTE_PAIR_MAX_TOKEN)
        return fail_with(error, RAG_MODEL, "a token of %zu bytes; it has 1 to %d", size,
                         BYTE_PAIR_MAX_TOKEN);
    if (pairs->count == VOCABULARY_MAX_PIECES)
        return fail_with(error, RAG_MODEL, "more than %d tokens", VOCABULARY_MAX_PIECES);
    size_t capacity = pairs->capacity;
    if (!array_reserve(&pairs->ends, &capacity, pairs->count + 1, sizeof *pairs->ends) ||
        !array_reserve(&pairs->ranks, &pairs->capacity, pairs->count + 1, sizeof *pairs->ranks))
        return fail_memory(error);
    pairs->ends[pairs->count] = (uint32_t)pairs->bytes.size;
    pairs->ranks[pairs->count++] = rank;
    if (size > pairs->longest)
        pairs->longest = size;
    return RAG_OK;
}

/* Each token is found by its bytes, and there once. */
static rag_status fill_slots(struct byte_pair *pairs, rag_error *error)
{
    size_t slots = 1024;
    while (slots < 2 * pairs->count)
        slots *= 2;
    pairs->slots = alloc_zeroed(slots, sizeof *pairs->slots);
    pairs->mask = slots - 1;
    if (!pairs->slots)
        return fail_memory(error);
    for (uint32_t token = 0; token < pairs->count; token++) {
        uint32_t begin = token_begin(pairs, token);
        size_t slot = find_slot(pairs, pairs->bytes.data + begin, pairs->ends[token] - begin);
        if (pairs->slots[slot])
            return fail_with(error, RAG_MODEL, "the tokens of ranks %u and %u are the same",
                             pairs->ranks[pairs->slots[slot] - 1], pairs->ranks[token]);
        pairs->slots[slot] = token + 1;
    }
    for (unsigned byte = 0; byte < 256; byte++) {
        char c = (char)byte;
        if (rank_of(pairs, &c, 1) == NO_RANK)
            return fail_with(error, RAG_MODEL,
                             "byte 0x%02X is no token: not a byte-level vocabulary", byte);
    }
    return RAG_OK;
}

/* A token's bytes in printable characters, each byte one, as GPT-2's vocabulary writes them:
 * those that are letters or signs of Latin-1 stand for themselves, the others are moved to
 * U+0100 and on. */
static size_t write_byte(unsigned byte, char *to)
{
    int32_t code = (int32_t)byte;
    if (byte <= ' ')
        code = 0x100 + (int32_t)byte;
    else if (byte >= 0x7f && byte <= 0xa0)
        code = 0x121 + (int32_t)byte - 0x7f;
    else if (byte == 0xad)
        code = 0x143;
    return utf8_encode(code, to);
}

static rag_status name_pieces(struct tokenizer *tokenizer, rag_error *error)
{
    const struct byte_pair *pairs = &tokenizer->byte_pair;
    uint32_t highest = 0;
    for (size_t i = 0; i < pairs->count; i++)
        highest = pairs->ranks[i] > highest ? pairs->ranks[i] : highest;
    uint32_t *tokens = alloc_zeroed((size_t)highest + 1, sizeof *tokens);
    char *piece = alloc_array(pairs->longest, 2);
    rag_status status = tokens && piece ? RAG_OK : fail_memory(error);
    for (uint32_t i = 0; !status && i < pairs->count; i++) {
        uint32_t *token = &tokens[pairs->ranks[i]];
        if (*token)
            status =
                fail_with(error, RAG_MODEL, "two tokens have the rank %u", pairs->ranks[i]);
        *token = i + 1;
    }
    for (uint32_t rank = 0; !status && rank <= highest; rank++) {
        size_t size = 0;
        uint32_t token = tokens[rank];
        for (uint32_t i = token ? token_begin(pairs, token - 1) : 0;
             token && i < pairs->ends[token - 1]; i++)
            size += write_byte((unsigned char)pairs->bytes.data[i], piece + size);
        status = vocabulary_push(&tokenizer->vocabulary, token ? piece : NULL, size, 0, error);
    }
    free(tokens);
    free(piece);
    return status;
}

rag_status byte_pair_prepare(struct tokenizer *tokenizer, rag_error *error)
{
    struct byte_pair *pairs = &tokenizer->byte_pair;
    rag_status status = fill_slots(pairs, error);
    if (!status)
        status = name_pieces(tokenizer, error);
    if (!status && (!code_table_init(&pairs->classes) ||
                    !code_table_mark(&pairs->classes, &byte_pair_letters, CLASS_LETTER) ||
                    !code_table_mark(&pairs->classes, &byte_pair_numbers, CLASS_NUMBER) ||
                    !code_table_mark(&pairs->classes, &byte_pair_spaces, CLASS_SPACE)))
        status = fail_memory(error);
    tokenizer->model_pieces = tokenizer->vocabulary.count;
    return status;
}

void byte_pair_release(struct byte_pair *pairs)
{
    buf_release(&pairs->bytes);
    free(pairs->ends);
    free(pairs->ranks);
    free(pairs->slots);
    code_table_release(&pairs->classes);
}

/* ---- Parts of a text ---- */

struct reader {
    const struct code_table *classes;
    const char *text;
    size_t end;
};

struct character {
    uint32_t code, class;
    size_t next; /* where the one behind it begins */
};

/* False: the end. The text is valid UTF-8. */
static bool read_at(const struct reader *reader, size_t at, struct character *out)
{
    if (at >= reader->end)
        return false;
    size_t length;
    out->code = (uint32_t)utf8_decode(reader->text + at, reader->end - at, &length);
    out->class = code_table_get(reader->classes, out->code);
    out->next = at + length;
    return true;
}

/* Behind a run of characters that have the class, or (class 0) none at all. */
static size_t skip_class(const struct reader *reader, size_t at, uint32_t class, size_t most)
{
    struct character c;
    for (; most && read_at(reader, at, &c) && (class ? (c.class & class) != 0 : !c.class);
         most--)
        at = c.next;
    return at;
}

static bool is_line_end(uint32_t code)
{
    return code == '\n' || code == '\r';
}

/* '(?i:[sdmt]|ll|ve|re), behind the apostrophe; U+017F is a small s. 0: no match. */
static size_t contraction_end(const struct reader *reader, size_t at)
{
    struct character first, second;
    if (!read_at(reader, at, &first))
        return 0;
    uint32_t a = first.code | 0x20;
    if (first.code == 0x17f || a == 's' || a == 'd' || a == 'm' || a == 't')
        return first.next;
    if (!read_at(reader, first.next, &second))
        return 0;
    uint32_t b = second.code | 0x20;
    bool match = (a == 'l' && b == 'l') || ((a == 'v' || a == 'r') && b == 'e');
    return match ? second.next : 0;
}

/* The four alternatives for white space; `run` is where the run of it ends. */
static size_t space_end(const struct reader *reader, size_t at, size_t run)
{
    struct character c;
    size_t last = at, behind_line_end = 0;
    if (run == reader->end)
        return run;
    for (size_t i = at; i < run && read_at(reader, i, &c); i = c.next) {
        last = i;
        if (is_line_end(c.code))
            behind_line_end = c.next;
    }
    if (behind_line_end)
        return behind_line_end;
    return last > at ? last : run;
}

/* Where the part that begins at `at` ends. */
static size_t part_end(const struct reader *reader, size_t at)
{
    struct character first, second;
    size_t end;
    if (!read_at(reader, at, &first))
        return at;
    if (first.code == '\'' && (end = contraction_end(reader, first.next)))
        return end;
    if (first.class & CLASS_LETTER)
        return skip_class(reader, first.next, CLASS_LETTER, SIZE_MAX);
    if (first.class & CLASS_NUMBER)
        return skip_class(reader, at, CLASS_NUMBER, MAX_NUMBERS);
    bool more = read_at(reader, first.next, &second);
    if (more && second.class & CLASS_LETTER && !is_line_end(first.code))
        return skip_class(reader, second.next, CLASS_LETTER, SIZE_MAX);
    if (!first.class || (first.code == ' ' && more && !second.class)) {
        end = skip_class(reader, first.next, 0, SIZE_MAX);
        while (end < reader->end && is_line_end((unsigned char)reader->text[end]))
            end++;
        return end;
    }
    return space_end(reader, at, skip_class(reader, at, CLASS_SPACE, SIZE_MAX));
}

/* ---- Joining ---- */

static bool push(struct token_list *out, uint32_t id, size_t begin, size_t end)
{
    return token_list_push(out, (int32_t)id, (uint32_t)begin, (uint32_t)end);
}

/* A short part: begins[i] is where symbol i begins, ranks[i] the rank of it joined with the
 * next. */
static bool join_short(const struct byte_pair *pairs, const char *text, size_t begin,
                       size_t end, struct token_list *out)
{
    size_t count = end - begin;
    uint32_t ranks[SHORT_PART + 1];
    uint16_t begins[SHORT_PART + 1];
    const char *part = text + begin;
    for (size_t i = 0; i <= count; i++)
        begins[i] = (uint16_t)i;
    for (size_t i = 0; i < count; i++)
        ranks[i] = i + 2 <= count ? rank_of(pairs, part + i, 2) : NO_RANK;
    for (;;) {
        size_t best = 0;
        for (size_t i = 1; i < count; i++)
            best = ranks[i] < ranks[best] ? i : best;
        if (ranks[best] == NO_RANK)
            break;
        memmove(begins + best + 1, begins + best + 2, (count - best - 1) * sizeof *begins);
        memmove(ranks + best + 1, ranks + best + 2, (count - best - 2) * sizeof *ranks);
        count--;
        for (size_t i = best ? best - 1 : 0; i <= best; i++)
            ranks[i] = i + 2 <= count ? rank_of(pairs, part + begins[i],
                                                (size_t)(begins[i + 2] - begins[i]))
                                      : NO_RANK;
    }
    for (size_t i = 0; i < count; i++)
        if (!push(out, rank_of(pairs, part + begins[i], (size_t)(begins[i + 1] - begins[i])),
                  begin + begins[i], begin + begins[i + 1]))
            return false;
    return true;
}

/* A pair of neighbours that are a token when joined. */
struct join {
    uint32_t rank, left,
        end; /* bytes of the part; out of date if either is no symbol's any more */
};

struct heap {
    struct join *items;
    size_t count, capacity;
};

static bool earlier(const struct join *a, const struct join *b)
{
    return a->rank < b->rank || (a->rank == b->rank && a->left < b->left);
}

static bool heap_push(struct heap *heap, struct join join)
{
    if (!array_reserve(&heap->items, &heap->capacity, heap->count + 1, sizeof *heap->items))
        return false;
    size_t i = heap->count++;
    for (; i && earlier(&join, &heap->items[(i - 1) / 2]); i = (i - 1) / 2)
        heap->items[i] = heap->items[(i - 1) / 2];
    heap->items[i] = join;
    return true;
}

static struct join heap_pop(struct heap *heap)
{
    struct join top = heap->items[0], last = heap->items[--heap->count];
    size_t i = 0;
    for (size_t child; (child = 2 * i + 1) < heap->count; i = child) {
        if (child + 1 < heap->count && earlier(&heap->items[child + 1], &heap->items[child]))
            child++;
        if (!earlier(&heap->items[child], &last))
            break;
        heap->items[i] = heap->items[child];
    }
    heap->items[i] = last;
    return top;
}

/* The symbols of a long part, by the byte that they begin with: where each ends, and where the
 * one before begins. */
struct symbols {
    const struct byte_pair *pairs;
    const char *part;
    size_t size;
    uint32_t *ends, *before; /* [size]; ends is 0 where no symbol begins */
    struct heap heap;
};

/* The pair of the symbol at `left` and the next one, if it is a token. */
static bool offer(struct symbols *symbols, uint32_t left)
{
    uint32_t right = symbols->ends[left];
    if (right == symbols->size)
        return true;
    uint32_t end = symbols->ends[right];
    uint32_t rank = rank_of(symbols->pairs, symbols->part + left, end - left);
    return rank == NO_RANK || heap_push(&symbols->heap, (struct join){rank, left, end});
}

static bool join_all(struct symbols *symbols)
{
    for (uint32_t i = 0; i < symbols->size; i++) {
        symbols->ends[i] = i + 1;
        symbols->before[i] = i ? i - 1 : 0;
    }
    for (uint32_t i = 0; i < symbols->size; i++)
        if (!offer(symbols, i))
            return false;
    while (symbols->heap.count) {
        struct join join = heap_pop(&symbols->heap);
        uint32_t right = symbols->ends[join.left];
        if (!right || right == symbols->size || symbols->ends[right] != join.end)
            continue;
        symbols->ends[join.left] = join.end;
        symbols->ends[right] = 0;
        if (join.end < symbols->size)
            symbols->before[join.end] = join.left;
        if (!offer(symbols, join.left) ||
            (join.left && !offer(symbols, symbols->before[join.left])))
            return false;
    }
    return true;
}

static bool join_long(const struct byte_pair *pairs, const char *text, size_t begin, size_t end,
                      struct token_list *out)
{
    struct symbols symbols = {
        .pairs = pairs, .part = text + begin, .size = end - begin, .ends = NULL};
    symbols.ends = alloc_array(symbols.size, sizeof *symbols.ends);
    symbols.before = alloc_array(symbols.size, sizeof *symbols.before);
    bool done = symbols.ends && symbols.before && join_all(&symbols);
    for (size_t i = 0; done && i < symbols.size; i = symbols.ends[i])
        done = push(out, rank_of(pairs, symbols.part + i, symbols.ends[i] - i), begin + i,
                    begin + symbols.ends[i]);
    free(symbols.ends);
    free(symbols.before);
    free(symbols.heap.items);
    return done;
}

rag_status byte_pair_encode(const struct tokenizer *tokenizer, const char *text, size_t begin,
                            size_t end, struct token_list *out, rag_error *error)
{
    const struct byte_pair *pairs = &tokenizer->byte_pair;
    const struct reader reader = {&pairs->classes, text, end};
    for (size_t at = begin, next; at < end; at = next) {
        next = part_end(&reader, at);
        uint32_t whole = rank_of(pairs, text + at, next - at);
        bool fits = whole != NO_RANK          ? push(out, whole, at, next)
                    : next - at <= SHORT_PART ? join_short(pairs, text, at, next, out)
                                              : join_long(pairs, text, at, next, out);
        if (!fits)
            return fail_memory(error);
    }
    return RAG_OK;
}
