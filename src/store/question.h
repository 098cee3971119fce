/* question.h - what a question asks the lexical leg for.
 *
 * Every word of it, each once; and besides:
 * - "..." (also with typographic quotes, or in corner brackets) is a phrase: chunks with these
 *   words in a row get its weight too. A quotation mark behind a letter or digit opens none
 * (5"), nor does one that is not closed.
 * - A word with a star behind it (attent*) asks for all that begin so, in its place. In a
 * script without spaces the star says nothing: there every part is found anyway.
 * - With `operators`, +"..." must be in a chunk, and -"..." must not. A sign before a bare
 *   word is none, for questions have them: "the option -v", "-5 degrees".
 *
 * There is no syntax to be got wrong: what is none of these is text. */
#ifndef RAG_STORE_QUESTION_H
#define RAG_STORE_QUESTION_H

#include "base/buf.h"
#include "store/ranking.h"

enum {
    QUESTION_MAX_ITEMS = 512, /* what comes behind these is ignored */
    QUESTION_MAX_PHRASE = 32, /* words; a longer quotation is no phrase */
};

struct wanted {
    enum wanted_kind {
        WANTED_WORD,  /* `text` is the word */
        WANTED_LISTED /* an expression for FTS5: a phrase, or the beginning of words */
    } kind;
    enum unit_role role;
    size_t begin, size; /* in the question's `texts` */
};

struct question {
    struct wanted items[QUESTION_MAX_ITEMS];
    size_t count;
    struct buf texts;
};

CHECKED rag_status question_read(rag_text text, bool operators, struct question **out,
                                 rag_error *error);
void question_free(struct question *question);

static inline rag_text wanted_text(const struct question *question, const struct wanted *wanted)
{
    return (rag_text){question->texts.data + wanted->begin, wanted->size};
}

#endif
