#include "text/piece_trie.h"

#include "base/memory.h"
#include "text/utf8.h"

#include <math.h>
#include <string.h>

/* The trie while it grows: nodes in order of creation, found by parent and symbol in an
 * open-addressing hash table. Node 0 is the root. */
struct draft_entry {
    uint32_t parent, symbol, node; /* node 0: free */
};

struct draft {
    uint32_t *parents, *symbols; /* [count] */
    int32_t *ids;                /* [count] */
    size_t count, parent_capacity, symbol_capacity, id_capacity;
    struct draft_entry *table; /* a power of two, at most half full */
    size_t table_size;
};

static void draft_release(struct draft *draft)
{
    free(draft->parents);
    free(draft->symbols);
    free(draft->ids);
    free(draft->table);
}

static struct draft_entry *draft_entry(const struct draft *draft, uint32_t parent,
                                       uint32_t symbol)
{
    uint64_t key = (uint64_t)parent << 32 | symbol;
    size_t mask = draft->table_size - 1;
    size_t slot = (size_t)(key * UINT64_C(0x9E3779B97F4A7C15) >> 32) & mask;
    for (;; slot = (slot + 1) & mask) {
        struct draft_entry *entry = &draft->table[slot];
        if (!entry->node || (entry->parent == parent && entry->symbol == symbol))
            return entry;
    }
}

static bool draft_add(struct draft *draft, uint32_t parent, uint32_t symbol, uint32_t *node)
{
    size_t needed = draft->count + 1;
    if (needed >= TRIE_NONE ||
        !array_reserve(&draft->parents, &draft->parent_capacity, needed, sizeof(uint32_t)) ||
        !array_reserve(&draft->symbols, &draft->symbol_capacity, needed, sizeof(uint32_t)) ||
        !array_reserve(&draft->ids, &draft->id_capacity, needed, sizeof(int32_t)))
        return false;
    *node = (uint32_t)draft->count++;
    draft->parents[*node] = parent;
    draft->symbols[*node] = symbol;
    draft->ids[*node] = -1;
    return true;
}

static bool draft_grow(struct draft *draft)
{
    size_t size = draft->table_size ? draft->table_size * 4 : 4096;
    struct draft_entry *table = alloc_zeroed(size, sizeof *table);
    if (!table)
        return false;
    free(draft->table);
    draft->table = table;
    draft->table_size = size;
    for (uint32_t i = 1; i < draft->count; i++)
        *draft_entry(draft, draft->parents[i], draft->symbols[i]) =
            (struct draft_entry){draft->parents[i], draft->symbols[i], i};
    return true;
}

static bool draft_child(struct draft *draft, uint32_t parent, uint32_t symbol, uint32_t *child)
{
    if (draft->count * 2 >= draft->table_size && !draft_grow(draft))
        return false;
    struct draft_entry *entry = draft_entry(draft, parent, symbol);
    if (!entry->node) {
        if (!draft_add(draft, parent, symbol, &entry->node))
            return false;
        entry->parent = parent;
        entry->symbol = symbol;
    }
    *child = entry->node;
    return true;
}

static bool draft_insert(struct draft *draft, struct piece_trie *trie, const char *piece,
                         int32_t id)
{
    uint32_t node = 0;
    size_t size = strlen(piece), characters = 0;
    for (size_t at = 0; at < size; characters++) {
        size_t length;
        uint32_t code = (uint32_t)utf8_decode(piece + at, size - at, &length);
        if (!draft_child(draft, node, code_table_get(&trie->symbols, code), &node))
            return false;
        at += length;
    }
    if (characters)
        draft->ids[node] = id;
    if (characters > trie->longest)
        trie->longest = characters;
    return true;
}

struct code_count {
    uint32_t code, count;
};

static int by_count(const void *a, const void *b)
{
    const struct code_count *x = a, *y = b;
    if (x->count != y->count)
        return x->count < y->count ? 1 : -1;
    return x->code < y->code ? -1 : x->code > y->code;
}

static void count_codes(const char *text, size_t size, uint32_t *counts)
{
    for (size_t at = 0; at < size;) {
        size_t length;
        uint32_t code = (uint32_t)utf8_decode(text + at, size - at, &length);
        if (code && counts[code] < UINT32_MAX)
            counts[code]++;
        at += length;
    }
}

/* Numbers the characters of the vocabulary. */
static bool make_alphabet(struct piece_trie *trie, const struct vocabulary *vocabulary,
                          const char *extra)
{
    bool done = false;
    struct code_count *found = NULL;
    size_t capacity = 0, count = 0;
    uint32_t *counts = alloc_zeroed(0x110000, sizeof *counts);
    if (!counts || !code_table_init(&trie->symbols))
        goto out;
    /* The NULs between pieces count for nothing. */
    count_codes(vocabulary->text.data, vocabulary->text.size, counts);
    count_codes(extra, strlen(extra), counts);
    for (uint32_t code = 1; code < 0x110000; code++) {
        if (!counts[code])
            continue;
        if (!array_reserve(&found, &capacity, count + 1, sizeof *found))
            goto out;
        found[count++] = (struct code_count){code, counts[code]};
    }
    if (count)
        qsort(found, count, sizeof *found, by_count);
    trie->codes = alloc_zeroed(count + 1, sizeof *trie->codes);
    if (!trie->codes)
        goto out;
    trie->symbol_count = count;
    for (size_t i = 0; i < count; i++) {
        trie->codes[i + 1] = found[i].code;
        if (!code_table_set(&trie->symbols, found[i].code, (uint32_t)i + 1))
            goto out;
    }
    done = true;
out:
    free(counts);
    free(found);
    return done;
}

/* The children of each node of the draft, and the nodes by falling number of children:
 * what has many is placed while there is room, the rest fills the gaps. */
struct families {
    uint32_t *first;    /* [count + 1] into children */
    uint32_t *children; /* [count - 1] nodes of the draft, grouped by parent */
    uint32_t *order;    /* [count] */
};

static void families_release(struct families *families)
{
    free(families->first);
    free(families->children);
    free(families->order);
}

static bool families_make(const struct draft *draft, size_t symbol_count,
                          struct families *families)
{
    size_t count = draft->count;
    *families = (struct families){
        .first = alloc_zeroed(count + 2, sizeof(uint32_t)),
        .children = alloc_array(count, sizeof(uint32_t)),
        .order = alloc_array(count, sizeof(uint32_t)),
    };
    uint32_t *starts = alloc_zeroed(symbol_count + 2, sizeof *starts);
    bool done = families->first && families->children && families->order && starts;
    if (done) {
        uint32_t *first = families->first;
        for (size_t i = 1; i < count; i++)
            first[draft->parents[i] + 2]++;
        for (size_t i = 0; i < count; i++)
            starts[symbol_count - first[i + 2] + 1]++;
        for (size_t i = 2; i < count + 2; i++)
            first[i] += first[i - 1];
        for (size_t i = 1; i < count; i++)
            families->children[first[draft->parents[i] + 1]++] = (uint32_t)i;
        for (size_t i = 1; i < symbol_count + 2; i++)
            starts[i] += starts[i - 1];
        for (size_t i = 0; i < count; i++) {
            size_t children = first[i + 1] - first[i];
            families->order[starts[symbol_count - children]++] = (uint32_t)i;
        }
    }
    free(starts);
    return done;
}

/* The double array while it is filled. */
struct packing {
    struct piece_trie *trie;
    size_t capacity, limit;
    size_t lowest; /* no free slot lies before it */
    size_t search; /* where families of several children start to look */
    size_t end;    /* behind the last slot in use */
};

/* A search that looked at so many slots in vain is where the next one starts: the gaps it
 * leaves are for only children, which fit anywhere. Without this packing would take
 * quadratic time (4 s instead of 0.1 for XLM-RoBERTa's vocabulary). */
enum { PACKING_PATIENCE = 64 };

/* Makes slots up to and including `last`. */
static bool packing_reserve(struct packing *packing, size_t last)
{
    struct piece_trie *trie = packing->trie;
    if (last < packing->capacity)
        return true;
    size_t capacity = last + last / 2 + 4096;
    if (capacity > packing->limit)
        capacity = packing->limit;
    if (last >= capacity)
        return false;
    struct trie_node *nodes = realloc(trie->nodes, capacity * sizeof *nodes);
    if (!nodes)
        return false;
    trie->nodes = nodes;
    for (size_t i = packing->capacity; i < capacity; i++)
        nodes[i] = (struct trie_node){.check = TRIE_NONE, .score = -(double)INFINITY, .id = -1};
    packing->capacity = capacity;
    return true;
}

static bool packing_fits(const struct packing *packing, const struct draft *draft,
                         const uint32_t *children, size_t count, size_t base)
{
    for (size_t i = 0; i < count; i++)
        if (packing->trie->nodes[base + draft->symbols[children[i]]].check != TRIE_NONE)
            return false;
    return true;
}

/* A base under which all these children find free slots. */
static bool packing_find(struct packing *packing, const struct draft *draft,
                         const uint32_t *children, size_t count, uint32_t *base)
{
    const struct piece_trie *trie = packing->trie;
    size_t lowest_symbol = SIZE_MAX;
    for (size_t i = 0; i < count; i++)
        if (draft->symbols[children[i]] < lowest_symbol)
            lowest_symbol = draft->symbols[children[i]];
    size_t looked_at = 0;
    size_t *from = count == 1 ? &packing->lowest : &packing->search;
    for (size_t at = *from;; at++) {
        if (!packing_reserve(packing, at + trie->symbol_count))
            return false;
        if (++looked_at % PACKING_PATIENCE == 0)
            *from = at;
        if (trie->nodes[at].check != TRIE_NONE)
            continue;
        if (packing_fits(packing, draft, children, count, at - lowest_symbol)) {
            *base = (uint32_t)(at - lowest_symbol);
            if (count == 1)
                packing->lowest = at + 1;
            return true;
        }
    }
}

/* Gives each node of the draft its slot, and its children their base. */
static bool pack(struct piece_trie *trie, const struct draft *draft,
                 const struct families *families, const struct vocabulary *vocabulary)
{
    bool done = false;
    size_t root_end = trie->symbol_count + 1;
    struct packing packing = {
        .trie = trie,
        .limit = 16 * draft->count + 16 * root_end + 65536,
        .lowest = root_end,
        .search = root_end,
        .end = root_end,
    };
    uint32_t *slots = alloc_zeroed(draft->count, sizeof *slots);
    uint32_t *bases = alloc_zeroed(draft->count, sizeof *bases);
    if (!slots || !bases || packing.limit >= TRIE_NONE || !packing_reserve(&packing, root_end))
        goto out;
    for (size_t i = 0; i < draft->count; i++) {
        uint32_t parent = families->order[i];
        const uint32_t *children = families->children + families->first[parent];
        size_t count = families->first[parent + 1] - families->first[parent];
        if (count && parent && !packing_find(&packing, draft, children, count, &bases[parent]))
            goto out;
        for (size_t j = 0; j < count; j++) {
            uint32_t slot = bases[parent] + draft->symbols[children[j]];
            slots[children[j]] = slot;
            trie->nodes[slot].check = 0; /* in use; whose child it is comes below */
            if (slot >= packing.end)
                packing.end = slot + 1;
        }
    }
    trie->node_count = packing.end + trie->symbol_count;
    if (!packing_reserve(&packing, trie->node_count))
        goto out;
    for (size_t i = 0; i < draft->count; i++) {
        struct trie_node *node = &trie->nodes[slots[i]];
        node->base = bases[i];
        if (i) {
            node->check = slots[draft->parents[i]];
            trie->nodes[node->check].filter |= UINT32_C(1) << (draft->symbols[i] & 31);
        }
        if (draft->ids[i] >= 0) {
            node->score = vocabulary->scores[draft->ids[i]];
            node->id = draft->ids[i];
        }
    }
    done = true;
out:
    free(slots);
    free(bases);
    return done;
}

rag_status piece_trie_build(const struct vocabulary *vocabulary, size_t count,
                            const char *extra, struct piece_trie *trie, rag_error *error)
{
    bool done = false;
    struct draft draft = {0};
    struct families families = {0};
    uint32_t root;
    *trie = (struct piece_trie){0};
    if (!make_alphabet(trie, vocabulary, extra) || !draft_add(&draft, 0, 0, &root))
        goto out;
    for (size_t i = 0; i < count; i++) {
        const char *piece = vocabulary_piece(vocabulary, (int64_t)i);
        if (piece && !draft_insert(&draft, trie, piece, (int32_t)i))
            goto out;
    }
    done = families_make(&draft, trie->symbol_count, &families) &&
           pack(trie, &draft, &families, vocabulary);
out:
    families_release(&families);
    draft_release(&draft);
    if (done)
        return RAG_OK;
    piece_trie_release(trie);
    return fail_memory(error);
}

bool piece_trie_check(const struct piece_trie *trie)
{
    return trie->node_count > trie->symbol_count && trie->longest <= VOCABULARY_MAX_PIECE &&
           code_table_check(&trie->symbols, (uint32_t)trie->symbol_count);
}

void piece_trie_release(struct piece_trie *trie)
{
    code_table_release(&trie->symbols);
    free(trie->codes);
    free(trie->nodes);
    *trie = (struct piece_trie){0};
}

int32_t piece_trie_find(const struct piece_trie *trie, const char *piece, size_t size)
{
    uint32_t node = 0;
    for (size_t at = 0; at < size;) {
        size_t length;
        int32_t code = utf8_decode(piece + at, size - at, &length);
        if (code < 0)
            return -1;
        node = piece_trie_step(trie, node, code_table_get(&trie->symbols, (uint32_t)code));
        if (node == TRIE_NONE)
            return -1;
        at += length;
    }
    return trie->nodes[node].id;
}
