#include "documents/atoms.h"
#include "base/memory.h"
#include "documents/context.h"
#include "documents/lines.h"
#include "documents/sentences.h"
#include "text/utf8.h"

enum {
    /* A block of more bytes is measured and cut in stretches, so that memory for its
     * tokens stays bounded. */
    STRETCH = 1 << 18,
    /* Cut out of its text a piece may have a token more in front ("▁"): this many of
     * `piece` are kept free for it where there is room. */
    SPARE = 2,
    HEADER_SHARE = 3, /* a table's header is repeated if it takes no more than so much */
};

struct cutter {
    const struct chunks *chunks;
    size_t whole, piece;       /* of a block in a section without context */
    size_t room;               /* `piece` for the block in hand */
    const struct block *table; /* the block in hand, if it is a table with a header */
    uint32_t header_tokens;
    struct token_list tokens; /* of the stretch in hand */
    struct atom_list *out;
};

void atom_list_release(struct atom_list *list)
{
    free(list->atoms);
    *list = (struct atom_list){0};
}

bool atom_is_prose(enum block_kind kind)
{
    return kind == BLOCK_HEADING || kind == BLOCK_PARAGRAPH || kind == BLOCK_LIST_ITEM ||
           kind == BLOCK_QUOTE;
}

static rag_status push(struct cutter *c, struct atom atom, rag_error *error)
{
    struct atom_list *out = c->out;
    if (c->table && atom.begin >= c->table->header_end) {
        atom.header = c->table;
        atom.header_tokens = c->header_tokens;
    }
    if (!array_reserve(&out->atoms, &out->capacity, out->count + 1, sizeof *out->atoms))
        return fail_memory(error);
    out->atoms[out->count++] = atom;
    return RAG_OK;
}

/* Encodes text[begin, end) into c->tokens. */
static rag_status encode(struct cutter *c, size_t begin, size_t end, rag_error *error)
{
    token_list_clear(&c->tokens);
    rag_text text = {c->chunks->document->text.data + begin, end - begin};
    return tokenizer_encode(c->chunks->tokenizer, text, &c->tokens, error);
}

/* ---- Where to cut ----------------------------------------------------------- */

/* How good a place is to cut at: 3 a line's end, 2 a sentence's, 1 a comma or blank. */
static unsigned cut_rank(const char *text, size_t at)
{
    static const char *const sentence[] = {"。", "！", "？", "．"};
    static const char *const clause[] = {"，", "；", "、", "：", "）", "”", "　"};
    char before = text[at - 1];
    if (before == '\n')
        return 3;
    if (is_blank_byte(before))
        return at >= 2 && strchr(".!?", text[at - 2]) ? 2 : 1;
    if (at < 3)
        return 0;
    for (size_t i = 0; i < sizeof sentence / sizeof *sentence; i++)
        if (memcmp(text + at - 3, sentence[i], 3) == 0)
            return 2;
    for (size_t i = 0; i < sizeof clause / sizeof *clause; i++)
        if (memcmp(text + at - 3, clause[i], 3) == 0)
            return 1;
    return before == ',' || before == ';' ? 1 : 0;
}

/* Where the token's text begins: some tokens' ranges begin with the blank before it. */
static size_t token_place(const char *text, size_t size, size_t begin,
                          const struct token_list *tokens, size_t i)
{
    size_t at = utf8_floor(text, size, begin + tokens->begin[i]);
    return skip_blanks(text, at, begin + tokens->end[i]);
}

size_t atoms_cut(const char *text, size_t size, size_t begin, const struct token_list *tokens,
                 size_t lo, size_t hi)
{
    size_t best = token_place(text, size, begin, tokens, hi);
    unsigned best_rank = best > begin ? cut_rank(text, best) : 0;
    for (size_t i = hi; i-- > lo && best_rank < 3;) {
        size_t at = token_place(text, size, begin, tokens, i);
        unsigned rank = at > begin ? cut_rank(text, at) : 0;
        if (rank > best_rank) {
            best = at;
            best_rank = rank;
        }
    }
    return best;
}

/* ---- Long blocks ------------------------------------------------------------ */

/* Cuts a sentence or line, whose tokens are number first..last-1 of the stretch at
 * `base`, into about equal parts. */
static rag_status cut_unit(struct cutter *c, struct atom unit, size_t base, size_t first,
                           size_t last, rag_error *error)
{
    const struct buf *text = &c->chunks->document->text;
    size_t most = c->room > 8 * SPARE ? c->room - SPARE : c->room;
    size_t begin = unit.begin;
    rag_status status = RAG_OK;
    while (last - first > most && !status) {
        size_t parts = (last - first + most - 1) / most;
        size_t share = (last - first + parts - 1) / parts, hi = first + share;
        size_t lo = hi - share / 4;
        /* A little more than its share is welcome where the cut is better there. */
        hi += share / 8 < most - share ? share / 8 : most - share;
        if (hi >= last)
            hi = last - 1;
        size_t cut = atoms_cut(text->data, text->size, base, &c->tokens, lo, hi);
        if (cut <= begin || cut >= unit.end)
            break;
        size_t next = first;
        while (next < last && base + c->tokens.begin[next] < cut)
            next++;
        struct atom part = unit;
        part.begin = begin;
        part.end = cut;
        part.tokens = (uint32_t)(next - first);
        status = push(c, part, error);
        begin = cut;
        first = next;
    }
    unit.begin = begin;
    unit.tokens = (uint32_t)(last - first);
    return status ? status : push(c, unit, error);
}

/* Cuts text[unit.begin, unit.end), at most a stretch, at its sentences or lines. */
static rag_status cut_stretch(struct cutter *c, struct atom stretch, rag_error *error)
{
    const struct buf *text = &c->chunks->document->text;
    size_t base = stretch.begin, token = 0;
    rag_status status = encode(c, base, stretch.end, error);
    bool prose = atom_is_prose(stretch.kind);
    for (size_t at = base; at < stretch.end && !status;) {
        struct atom unit = stretch;
        unit.begin = at;
        if (prose)
            unit.end = sentence_end(text->data, at, stretch.end);
        else
            unit.end = line_end(text->data, stretch.end, at) + 1;
        if (unit.end > stretch.end)
            unit.end = stretch.end;
        size_t first = token;
        while (token < c->tokens.count && base + c->tokens.begin[token] < unit.end)
            token++;
        status = cut_unit(c, unit, base, first, token, error);
        at = unit.end;
    }
    return status;
}

static rag_status cut_block(struct cutter *c, struct atom block, rag_error *error)
{
    const struct buf *text = &c->chunks->document->text;
    rag_status status = RAG_OK;
    for (size_t at = block.begin; at < block.end && !status;) {
        struct atom stretch = block;
        stretch.begin = at;
        if (block.end - at > STRETCH) {
            size_t end = utf8_floor(text->data, text->size, at + STRETCH), line = end;
            while (line > at && text->data[line - 1] != '\n')
                line--;
            stretch.end = line > at ? line : end;
        }
        status = cut_stretch(c, stretch, error);
        at = stretch.end;
    }
    return status;
}

/* What a table's later rows get in front, if it leaves room enough for them. */
static rag_status read_header(struct cutter *c, const struct block *block, size_t context,
                              rag_error *error)
{
    c->table = NULL;
    c->room = context_leaves(c->piece, context);
    if (block->kind != BLOCK_TABLE || !block->header_end || block->header_end >= block->end)
        return RAG_OK;
    rag_status status = encode(c, block->begin, block->header_end, error);
    if (status || c->tokens.count > c->room / HEADER_SHARE)
        return status;
    c->table = block;
    c->header_tokens = (uint32_t)c->tokens.count;
    c->room -= c->tokens.count;
    return RAG_OK;
}

static rag_status read_block(struct cutter *c, const struct block *block, size_t section,
                             rag_error *error)
{
    struct atom atom = {
        .begin = block->begin, .end = block->end, .section = section, .kind = block->kind};
    size_t context = c->chunks->contexts[section];
    rag_status status = read_header(c, block, context, error);
    if (status)
        return status;
    if (block->end - block->begin > STRETCH)
        return cut_block(c, atom, error);
    status = encode(c, block->begin, block->end, error);
    if (status)
        return status;
    if (c->tokens.count > context_leaves(c->whole, context))
        return cut_stretch(c, atom, error);
    atom.tokens = (uint32_t)c->tokens.count;
    return push(c, atom, error);
}

rag_status atoms_read(const struct chunks *chunks, size_t whole, size_t piece,
                      struct atom_list *out, rag_error *error)
{
    out->count = 0;
    struct cutter cutter = {.chunks = chunks, .whole = whole, .piece = piece, .out = out};
    const struct document *document = chunks->document;
    const struct sections *sections = &chunks->sections;
    rag_status status = RAG_OK;
    size_t section = 0;
    for (size_t i = 0; i < document->block_count && !status; i++) {
        if (section + 1 < sections->count && sections->list[section + 1].heading == i)
            section++;
        status = read_block(&cutter, &document->blocks[i], section, error);
    }
    token_list_release(&cutter.tokens);
    return status;
}
