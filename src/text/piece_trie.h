/* piece_trie.h - the pieces of a vocabulary as a trie over characters.
 *
 * A double array (J. Aoe, 1989): the child of node n by symbol s is slot base[n] + s, if
 * its check is n. The alphabet is the vocabulary's characters, numbered from 1 by
 * descending frequency, so that a step costs one load per character (not per byte) and
 * bases stay dense; symbol 0 is every character that no piece has.
 *
 * Slot 0 is the root, with base 0: the slots 1..symbol_count are its children. */
#ifndef RAG_TEXT_PIECE_TRIE_H
#define RAG_TEXT_PIECE_TRIE_H

#include "text/code_table.h"
#include "text/vocabulary.h"

#define TRIE_NONE UINT32_MAX

struct trie_node {
    uint32_t base;
    uint32_t check;  /* the parent's slot, TRIE_NONE if the slot is free */
    double score;    /* of the piece that ends here, -infinity if none does */
    int32_t id;      /* of that piece, -1 */
    uint32_t filter; /* bit symbol % 32 is set for each child: a walk mostly ends without
                        touching the slot of a child that is not there, which would be a
                        miss of the cache (half the time of Viterbi's loop before) */
};

struct piece_trie {
    struct code_table symbols; /* symbol of a code point */
    uint32_t *codes;           /* [symbol_count + 1] code point of a symbol */
    size_t symbol_count;
    struct trie_node *nodes; /* [node_count] */
    size_t node_count;
    size_t longest; /* characters of the longest piece */
};

/* Takes the first `count` pieces. Characters of `extra` (UTF-8, NUL-terminated) get symbols
 * too, whether or not a piece has them. Where two ids have the same piece the later one is
 * taken, as the reference does. */
CHECKED rag_status piece_trie_build(const struct vocabulary *vocabulary, size_t count,
                                    const char *extra, struct piece_trie *trie,
                                    rag_error *error);
void piece_trie_release(struct piece_trie *trie);

/* Whether a trie that comes from a file can be walked without leaving it: every symbol is a
 * child of the root. The nodes are not looked at, which would take as long as everything else
 * that opens a packed tokenizer: piece_trie_step keeps within them, and who uses an id checks
 * it. */
bool piece_trie_check(const struct piece_trie *trie);

/* The child's slot, or TRIE_NONE. `node` must be a slot in use, symbol <= symbol_count. */
static inline uint32_t piece_trie_step(const struct piece_trie *trie, uint32_t node,
                                       uint32_t symbol)
{
    const struct trie_node *at = &trie->nodes[node];
    if (!(at->filter >> (symbol & 31) & 1))
        return TRIE_NONE;
    uint32_t child = at->base + symbol;
    return child < trie->node_count && trie->nodes[child].check == node ? child : TRIE_NONE;
}

/* The id of a piece, -1 if there is none. */
int32_t piece_trie_find(const struct piece_trie *trie, const char *piece, size_t size);

#endif
