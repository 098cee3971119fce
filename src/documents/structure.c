/* Chunks that follow a document's structure.
 *
 * The document is cut into atoms (atoms.h), and these are put together again:
 *   - A section that fits into a chunk with all its subsections is one.
 *   - In a section that does not, its own text and its subsections that fit are
 *     joined with their neighbours while the result is small (`joins`); what does not
 *     fit is treated by the same rules.
 *   - Own text that is too long is dealt out evenly: for n chunks each gets about an
 *     n-th, so that no crumb is left at the end.
 * A heading always goes with what follows it. The context of a chunk (context.h) takes its part
 * of the limit. Sizes are sums over atoms; since a text's tokens are not exactly the sum of its
 * parts', each chunk's text is tokenized at the end, and gives up its last atom where it is too
 * long after all. */
#include "documents/structure.h"
#include "base/memory.h"
#include "documents/atoms.h"
#include "documents/context.h"
#include "documents/lines.h"
#include "documents/sentences.h"
#include "text/utf8.h"

enum {
    SPARE = 2, /* tokens kept free for what the cuts add, from SPARE_FROM on */
    SPARE_FROM = 64,
};

struct packing {
    struct chunks *chunks;
    struct atom_list atoms;
    size_t *sums;  /* [atoms + 1]: tokens of all atoms before */
    size_t *first; /* [sections + 1]: a section's first atom; its subsections follow */
    size_t max, overlap;
    size_t budget; /* for atoms and context; the rest of max is for overlap and spare */
    struct token_list tokens;
};

static const char *text_of(const struct packing *p)
{
    return p->chunks->document->text.data;
}

static size_t tokens_between(const struct packing *p, size_t from, size_t to)
{
    return p->sums[to] - p->sums[from];
}

/* What the context leaves of a chunk in this section. */
static size_t room_in(const struct packing *p, size_t section)
{
    return context_leaves(p->max, p->chunks->contexts[section]);
}

static size_t budget_in(const struct packing *p, size_t section)
{
    return context_leaves(p->budget, p->chunks->contexts[section]);
}

/* What is left of a budget behind the table's header that a chunk from this atom on gets. */
static size_t behind_header(const struct packing *p, size_t atom, size_t budget)
{
    return context_leaves(budget, p->atoms.atoms[atom].header_tokens);
}

static bool only_headings(const struct packing *p, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++)
        if (p->atoms.atoms[i].kind != BLOCK_HEADING)
            return false;
    return true;
}

/* The smallest section around all text from..to; headings count where there is no other. */
static size_t section_of(const struct packing *p, size_t from, size_t to)
{
    bool headings = only_headings(p, from, to), any = false;
    size_t section = 0;
    for (size_t i = from; i < to; i++) {
        const struct atom *atom = &p->atoms.atoms[i];
        if (atom->kind == BLOCK_HEADING && !headings)
            continue;
        section =
            any ? sections_common(&p->chunks->sections, section, atom->section) : atom->section;
        any = true;
    }
    return section;
}

/* Encodes text[begin, end) into p->tokens. */
static rag_status measure(struct packing *p, size_t begin, size_t end, rag_error *error)
{
    token_list_clear(&p->tokens);
    return tokenizer_encode(p->chunks->tokenizer, (rag_text){text_of(p) + begin, end - begin},
                            &p->tokens, error);
}

/* The range of atoms without the white space around; the indentation of its first line
 * stays, for code and lists mean something by it. */
static void trim(const struct packing *p, size_t *begin, size_t *end)
{
    const char *text = text_of(p);
    size_t at = skip_blanks(text, *begin, *end);
    *end = trim_end(text, at, *end);
    while (at > *begin && (text[at - 1] == ' ' || text[at - 1] == '\t'))
        at--;
    *begin = at;
}

/* ---- One chunk -------------------------------------------------------------- */

/* The end of the longest good piece at the front of text[begin, end), whose tokens are in
 * p->tokens and too many; *count is its exact number of tokens. Up to the byte `titles`
 * there are headings: they get some of the text behind them, if that is possible. */
static rag_status find_piece(struct packing *p, size_t begin, size_t titles, size_t end,
                             size_t room, size_t *cut, size_t *count, rag_error *error)
{
    const struct buf *text = &p->chunks->document->text;
    size_t total = p->tokens.count, parts = (total + room - 1) / room;
    size_t share = (total + parts - 1) / parts;
    for (size_t hi = share < room ? share + 1 : share;; hi -= (hi + 7) / 8) {
        if (hi >= p->tokens.count)
            hi = p->tokens.count - 1;
        size_t lo = hi - hi / 4;
        while (lo < hi && begin + p->tokens.begin[lo] <= titles)
            lo++;
        *cut = atoms_cut(text->data, text->size, begin, &p->tokens, lo, hi);
        if (*cut <= begin) {
            /* Not even one token's worth: one character. */
            *cut = begin + 1;
            while (*cut < end && ((unsigned char)text->data[*cut] & 0xC0) == 0x80)
                (*cut)++;
        }
        size_t from = begin, to = *cut;
        bool last = hi == 0;
        trim(p, &from, &to);
        rag_status status = measure(p, from, to, error);
        if (status)
            return status;
        *count = p->tokens.count;
        if (*count <= room)
            return RAG_OK;
        if (last)
            return fail_with(error, RAG_USAGE,
                             "max_tokens of %zu is too small: one character at byte %zu has "
                             "%zu tokens, its context %zu",
                             p->max, begin, *count, p->max - room);
        status = measure(p, begin, end, error);
        if (status)
            return status;
    }
}

/* Adds text[begin, end), in which text[begin, titles) are headings, in as many chunks as
 * it takes. */
static rag_status add_cut(struct packing *p, size_t begin, size_t titles, size_t end,
                          size_t section, rag_error *error)
{
    size_t room = room_in(p, section);
    for (;;) {
        trim(p, &begin, &end);
        if (begin == end)
            return RAG_OK;
        rag_status status = measure(p, begin, end, error);
        if (status)
            return status;
        if (p->tokens.count <= room)
            return chunks_add(p->chunks, begin, end, p->tokens.count, section, NULL, error);
        size_t cut, count;
        status = find_piece(p, begin, titles, end, room, &cut, &count, error);
        if (status)
            return status;
        size_t from = begin, to = cut;
        trim(p, &from, &to);
        if (from < to)
            status = chunks_add(p->chunks, from, to, count, section, NULL, error);
        if (status)
            return status;
        begin = cut;
    }
}

/* Moves *begin back over whole sentences of the chunk before, which ended before the atom
 * `from`, as far as they and the limit allow. p->tokens are those of text[*begin, end)
 * then. */
static rag_status add_overlap(struct packing *p, size_t from, size_t *begin, size_t end,
                              size_t room, rag_error *error)
{
    const char *text = text_of(p);
    const struct atom *atoms = p->atoms.atoms;
    size_t before = p->chunks->begin, atom = from;
    while (atom > 0 && atoms[atom - 1].begin >= before && atom_is_prose(atoms[atom - 1].kind) &&
           atoms[atom - 1].kind != BLOCK_HEADING)
        atom--;
    size_t at = atoms[atom].begin, stop = atoms[from].begin;
    /* The whole chunk before again would be no overlap but a copy. */
    while (at <= before && at < stop)
        at = sentence_end(text, at, stop);
    for (; at < stop; at = sentence_end(text, at, stop)) {
        size_t start = at, to = stop;
        trim(p, &start, &to);
        if (start >= to)
            break;
        rag_status status = measure(p, start, to, error);
        if (status)
            return status;
        if (p->tokens.count > p->overlap)
            continue;
        status = measure(p, start, end, error);
        if (status)
            return status;
        if (p->tokens.count > room)
            continue;
        *begin = start;
        return RAG_OK;
    }
    return measure(p, *begin, end, error);
}

/* Adds the atoms from..*to as a chunk; *to comes down where they are too many.
 * `continues`: the chunk before holds text of the same section. */
static rag_status add_atoms(struct packing *p, size_t from, size_t *to, bool continues,
                            rag_error *error)
{
    size_t begin, end, section, room;
    for (;; (*to)--) {
        begin = p->atoms.atoms[from].begin;
        end = p->atoms.atoms[*to - 1].end;
        trim(p, &begin, &end);
        if (begin == end)
            return RAG_OK;
        rag_status status = measure(p, begin, end, error);
        if (status)
            return status;
        section = section_of(p, from, *to);
        room = behind_header(p, from, room_in(p, section));
        if (p->tokens.count <= room)
            break;
        if (only_headings(p, from, *to - 1))
            return add_cut(p, begin, p->atoms.atoms[*to - 1].begin, end, section, error);
    }
    const struct block *header = p->atoms.atoms[from].header;
    rag_status status = RAG_OK;
    if (continues && p->overlap && !header)
        status = add_overlap(p, from, &begin, end, room, error);
    return status ? status
                  : chunks_add(p->chunks, begin, end, p->tokens.count, section, header, error);
}

/* ---- A run of atoms --------------------------------------------------------- */

/* "... as follows:" stays with what follows. */
static bool leads_in(const struct packing *p, size_t i)
{
    static const char wide_colon[] = "：";
    const struct atom *atom = &p->atoms.atoms[i];
    if (atom->kind != BLOCK_PARAGRAPH)
        return false;
    size_t end = trim_end(text_of(p), atom->begin, atom->end);
    const char *last = text_of(p) + end;
    return (end > atom->begin && last[-1] == ':') ||
           (end - atom->begin >= 3 && memcmp(last - 3, wide_colon, 3) == 0);
}

/* How many of the atoms from..to the next chunk takes, as the atom behind them. */
static size_t share_end(const struct packing *p, size_t from, size_t to)
{
    size_t rest = tokens_between(p, from, to);
    size_t budget = behind_header(p, from, budget_in(p, p->atoms.atoms[from].section));
    if (rest <= budget)
        return to;
    size_t parts = (rest + budget - 1) / budget, target = (rest + parts - 1) / parts;
    size_t sum = 0, end = from;
    for (bool headings = true; end < to; end++) {
        size_t more = p->atoms.atoms[end].tokens;
        if (!headings && (sum + more > budget || sum >= target ||
                          (sum + more > target && sum + more - target > target - sum)))
            break;
        headings = headings && p->atoms.atoms[end].kind == BLOCK_HEADING;
        sum += more;
    }
    if (end < to && leads_in(p, end - 1) && !only_headings(p, from, end - 1))
        end--;
    return end;
}

static rag_status pack(struct packing *p, size_t from, size_t to, rag_error *error)
{
    rag_status status = RAG_OK;
    for (bool continues = false; from < to && !status; continues = true) {
        size_t end = share_end(p, from, to);
        status = add_atoms(p, from, &end, continues, error);
        from = end;
    }
    return status;
}

/* ---- Sections --------------------------------------------------------------- */

/* Whether a neighbour of `more` tokens joins the `have` before it: a chunk of half the
 * size is good as it is, and takes only what would be a crumb. */
static bool joins(size_t budget, size_t have, size_t more)
{
    return have + more <= budget && (have < budget / 2 || more < budget / 8);
}

static rag_status pack_section(struct packing *p, size_t section, size_t from,
                               rag_error *error);

/* Adds a part of a section, its own text (child 0) or a subsection, with the atoms lo..hi.
 * Those of *pending..lo wait for company; afterwards those of *pending..hi do. */
static rag_status add_part(struct packing *p, size_t *pending, size_t lo, size_t hi, size_t own,
                           size_t child, rag_error *error)
{
    size_t section = child ? child : own;
    size_t have = tokens_between(p, *pending, lo), more = tokens_between(p, lo, hi);
    size_t budget = budget_in(p, section);
    /* Titles without text, or nothing at all. */
    bool titles = have <= budget / 2 && only_headings(p, *pending, lo);
    rag_status status = RAG_OK;
    if (!titles && !joins(budget, have, more)) {
        status = pack(p, *pending, lo, error);
        *pending = lo;
    }
    if (status || more <= budget)
        return status;
    status = child ? pack_section(p, child, *pending, error) : pack(p, *pending, hi, error);
    *pending = hi;
    return status;
}

/* Packs a section that is too long for one chunk. The atoms from `from` on up to its
 * first are titles above it. Calls itself at most as deep as headings have levels. */
static rag_status pack_section(struct packing *p, size_t section, size_t from, rag_error *error)
{
    const struct section *list = p->chunks->sections.list;
    size_t end = list[section].end_section, pending = from;
    rag_status status =
        add_part(p, &pending, p->first[section], p->first[section + 1], section, 0, error);
    for (size_t child = section + 1; child < end && !status; child = list[child].end_section)
        status = add_part(p, &pending, p->first[child], p->first[list[child].end_section],
                          section, child, error);
    return status ? status : pack(p, pending, p->first[end], error);
}

/* Sums of tokens, and where the sections begin. */
static rag_status index_atoms(struct packing *p, rag_error *error)
{
    size_t sections = p->chunks->sections.count, atoms = p->atoms.count;
    p->sums = alloc_array(atoms + 1, sizeof *p->sums);
    p->first = alloc_array(sections + 1, sizeof *p->first);
    if (!p->sums || !p->first)
        return fail_memory(error);
    p->sums[0] = 0;
    for (size_t i = 0; i < atoms; i++)
        p->sums[i + 1] = p->sums[i] + p->atoms.atoms[i].tokens;
    size_t section = 0;
    for (size_t i = 0; i < atoms; i++)
        while (section <= p->atoms.atoms[i].section)
            p->first[section++] = i;
    while (section <= sections)
        p->first[section++] = atoms;
    return RAG_OK;
}

rag_status structure_chunks(struct chunks *chunks, rag_error *error)
{
    const struct chunker_options *options = chunks->options;
    struct packing p = {.chunks = chunks, .max = options->max_tokens};
    /* More than half a chunk of overlap would cut the text into crumbs. */
    p.overlap = options->overlap < p.max / 2 ? options->overlap : p.max / 2;
    p.budget = p.max - p.overlap;
    if (p.budget >= SPARE_FROM)
        p.budget -= SPARE;
    rag_status status = section_contexts(chunks, &chunks->contexts, error);
    if (!status)
        status = atoms_read(chunks, p.max, p.budget, &p.atoms, error);
    if (!status)
        status = index_atoms(&p, error);
    if (!status) {
        if (p.sums[p.atoms.count] <= budget_in(&p, 0))
            status = pack(&p, 0, p.atoms.count, error);
        else
            status = pack_section(&p, 0, 0, error);
    }
    token_list_release(&p.tokens);
    atom_list_release(&p.atoms);
    free(p.sums);
    free(p.first);
    return status;
}
