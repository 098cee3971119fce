#include "text/vocabulary.h"

#include "base/memory.h"
#include "text/utf8.h"

#include <string.h>

void vocabulary_init(struct vocabulary *vocabulary)
{
    *vocabulary = (struct vocabulary){.text = BUF_INIT(VOCABULARY_MAX_TEXT)};
}

void vocabulary_release(struct vocabulary *vocabulary)
{
    buf_release(&vocabulary->text);
    free(vocabulary->offsets);
    free(vocabulary->scores);
    vocabulary_init(vocabulary);
}

rag_status vocabulary_push(struct vocabulary *vocabulary, const char *piece, size_t size,
                           double score, rag_error *error)
{
    size_t id = vocabulary->count;
    if (id == VOCABULARY_MAX_PIECES)
        return fail_with(error, RAG_MODEL, "more than %d pieces", VOCABULARY_MAX_PIECES);
    if (piece && size > VOCABULARY_MAX_PIECE)
        return fail_with(error, RAG_MODEL, "piece %zu has more than %d bytes", id,
                         VOCABULARY_MAX_PIECE);
    if (piece && (memchr(piece, 0, size) || utf8_valid_prefix(piece, size) != size))
        return fail_with(error, RAG_MODEL, "piece %zu is not UTF-8 text", id);
    if (!array_reserve(&vocabulary->offsets, &vocabulary->offset_capacity, id + 1,
                       sizeof *vocabulary->offsets) ||
        !array_reserve(&vocabulary->scores, &vocabulary->score_capacity, id + 1,
                       sizeof *vocabulary->scores))
        return fail_memory(error);
    vocabulary->offsets[id] = piece ? (uint32_t)vocabulary->text.size : VOCABULARY_HOLE;
    vocabulary->scores[id] = score;
    if (piece && (!buf_append(&vocabulary->text, piece, size) ||
                  !buf_append_char(&vocabulary->text, '\0')))
        return fail_memory(error);
    vocabulary->count++;
    return RAG_OK;
}
