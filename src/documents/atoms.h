/* atoms.h - the pieces that chunks of the structure chunker are put together from: whole
 * blocks where they fit, else the sentences or lines of a block. */
#ifndef RAG_DOCUMENTS_ATOMS_H
#define RAG_DOCUMENTS_ATOMS_H

#include "documents/chunks.h"

/* Atoms are in order; between two of the same block lies nothing, between blocks lie
 * blank lines. */
struct atom {
    size_t begin, end;
    size_t section;
    uint32_t tokens;        /* exact for a whole block, else its share of the block's tokens */
    uint32_t header_tokens; /* of the header's rows */
    const struct block *header; /* the table whose later rows it is, or NULL */
    enum block_kind kind;
};

struct atom_list {
    struct atom *atoms;
    size_t count, capacity;
};

void atom_list_release(struct atom_list *list);

/* Replaces `out` by the document's atoms. A block of up to `whole` tokens, less those of its
 * section's context, stays whole; the atoms of a longer one have at most `piece`, less those
 * and those of a table's header. chunks->contexts must be there. */
CHECKED rag_status atoms_read(const struct chunks *chunks, size_t whole, size_t piece,
                              struct atom_list *out, rag_error *error);

/* Running text, as opposed to code, tables and formulas. */
bool atom_is_prose(enum block_kind kind);

/* The best place to cut text[begin, ...) in front of one of its tokens number lo..hi
 * (lo <= hi < count): at a line's end rather than a sentence's, there rather than
 * at a comma or blank, and as late as possible. The place is where a character begins. */
size_t atoms_cut(const char *text, size_t size, size_t begin, const struct token_list *tokens,
                 size_t lo, size_t hi);

#endif
