/* pieces.h - a document's text, which lies in pieces: rows of "texts", each of which begins at
 * a byte of the whole (docs/format.md).
 *
 * A piece ends where the next one begins, but may run on beyond that, as far as the next one
 * does: each chunk lies whole in the piece in which it begins, and is found and cut out with
 * one look. So nobody has more of a text in memory than one piece, unless he asks for all of
 * it. */
#ifndef RAG_STORE_PIECES_H
#define RAG_STORE_PIECES_H

#include "store/sqlite.h"

/* A document's pieces, one of them in hand; within a transaction. */
struct pieces {
    struct store *store;
    int64_t document;
    sqlite3_stmt *statement; /* stands on the piece in hand */
    bool any;                /* there is one */
    int64_t begin, next;     /* where it and the next one begin; of the last one its end */
    bool last;
    rag_text text; /* all of its bytes; valid until the next call */
};
CHECKED rag_status pieces_open(struct store *store, int64_t document, struct pieces *out,
                               rag_error *error);
void pieces_close(struct pieces *pieces);

/* Takes the piece in hand in which a byte lies, or behind whose end it is: the one that begins
 * last of those that begin before it. `any` false: there is none. */
CHECKED rag_status pieces_seek(struct pieces *pieces, int64_t byte, rag_error *error);

/* The part of a chunk, within the piece in which it begins. *good false: it does not lie in it.
 */
CHECKED rag_status pieces_part(struct pieces *pieces, int64_t begin, int64_t end,
                               rag_text *part, bool *good, rag_error *error);

/* Whether a range lies on characters of the text: it may lie in several pieces. */
CHECKED rag_status pieces_on_characters(struct pieces *pieces, int64_t begin, int64_t end,
                                        bool *good, rag_error *error);

/* The bytes of a document's text. 0, too, if it has none. */
CHECKED rag_status pieces_size(struct store *store, int64_t document, int64_t *size,
                               rag_error *error);

/* All of a text, NUL-terminated, to be freed. RAG_INPUT: it has more than STORE_MAX_TEXT bytes;
 * RAG_INDEX: it is damaged. */
CHECKED rag_status pieces_copy_all(struct store *store, int64_t document, char **text,
                                   size_t *size, rag_error *error);

/* A range of a text, which is read from the file as far as it goes and no further,
 * NUL-terminated, to be freed. *text NULL: it does not lie within the text. */
CHECKED rag_status pieces_copy(struct store *store, int64_t document, int64_t begin,
                               int64_t end, char **text, size_t *size, rag_error *error);

/* A stretch of a text on its way in. */
struct text_stretch {
    rag_text text;
    size_t begin;  /* its first byte in the whole */
    size_t before; /* bytes at its beginning that the piece before it has, too */
    size_t beyond; /* bytes at its end that belong to the next stretch */
};

/* Puts a stretch in as pieces, cut where chunks begin. */
CHECKED rag_status pieces_insert(struct store *store, int64_t document,
                                 const struct text_stretch *stretch,
                                 const struct store_chunk *chunks, size_t count,
                                 rag_error *error);

#endif
