#include "store/question.h"
#include "base/memory.h"
#include "text/utf8.h"
#include "text/word_table.h"
#include "text/words.h"

#include <string.h>

enum {
    MAX_TEXTS = 1 << 20,
    MAX_QUOTATION = 1024, /* bytes; what is longer is none */
    MIN_PREFIX = 2,       /* characters */
};

/* ---- Items ---- */

static bool has_item(const struct question *question, struct wanted item, const char *text)
{
    for (size_t i = 0; i < question->count; i++) {
        const struct wanted *other = &question->items[i];
        if (other->kind == item.kind && other->role == item.role && other->size == item.size &&
            memcmp(question->texts.data + other->begin, text, item.size) == 0)
            return true;
    }
    return false;
}

/* The last `size` bytes of `texts` become an item, unless there is one like it. */
static void add_item(struct question *question, enum wanted_kind kind, enum unit_role role,
                     size_t size)
{
    struct wanted item = {kind, role, question->texts.size - size, size};
    if (question->count == QUESTION_MAX_ITEMS ||
        has_item(question, item, question->texts.data + item.begin))
        question->texts.size -= size;
    else
        question->items[question->count++] = item;
}

/* A term as a string of FTS5's syntax. Terms have no quotation marks; should that change, they
 * are doubled here, and nothing in a question is ever syntax. */
static bool append_string(struct buf *out, const char *term, size_t size)
{
    bool fits = buf_append_char(out, '"');
    for (size_t i = 0; i < size && fits; i++)
        fits = (term[i] != '"' || buf_append_char(out, '"')) && buf_append_char(out, term[i]);
    return fits && buf_append_char(out, '"');
}

/* ---- Words ---- */

struct reading {
    struct question *question;
    size_t star; /* where a star follows in the stretch; 0: nowhere */
    bool begun;  /* the word before it was met */
};

/* Whether a word is one to ask for by its beginning. */
static bool is_beginning(const struct word *word)
{
    size_t length, characters = 0;
    int32_t first = utf8_decode(word->term, word->size, &length);
    for (size_t i = 0; i < word->size; i++)
        characters += ((unsigned char)word->term[i] & 0xc0) != 0x80;
    return !word->colocated && characters >= MIN_PREFIX && first >= 0 &&
           !(word_table_get((uint32_t)first) & WORD_UNSPACED);
}

static int add_word(const struct word *word, void *user)
{
    struct reading *reading = user;
    struct question *question = reading->question;
    size_t before = question->texts.size;
    bool last = reading->star && word->end == reading->star;
    if (last && reading->begun)
        return 0; /* a part of the word that is asked for by its beginning */
    if (question->count == QUESTION_MAX_ITEMS || before + 2 * word->size + 8 > MAX_TEXTS)
        return 1;
    bool begins = last && is_beginning(word);
    reading->begun |= begins;
    bool fits = begins ? append_string(&question->texts, word->term, word->size) &&
                             buf_append_text(&question->texts, " *")
                       : buf_append(&question->texts, word->term, word->size);
    if (!fits)
        return WORDS_NO_MEMORY;
    add_item(question, begins ? WANTED_LISTED : WANTED_WORD, UNIT_SCORED,
             question->texts.size - before);
    return 0;
}

static rag_status add_words(struct question *question, rag_text text, size_t star,
                            rag_error *error)
{
    struct reading reading = {.question = question, .star = star};
    return words_each(text, add_word, &reading) == WORDS_NO_MEMORY ? fail_memory(error)
                                                                   : RAG_OK;
}

/* ---- Phrases ---- */

/* The words of a phrase, a place each. In a script without spaces a pair stands for the
 * character whose place it shares: it is rarer, and says what comes next. */
struct phrase {
    struct buf terms;
    size_t begins[QUESTION_MAX_PHRASE + 1], count;
    size_t end; /* of the last place's word in the source */
};

static int add_place(const struct word *word, void *user)
{
    struct phrase *phrase = user;
    if (word->colocated && phrase->count && word->end <= phrase->end)
        return 0; /* a part */
    bool pair = word->colocated && phrase->count;
    if (!pair && phrase->count == QUESTION_MAX_PHRASE)
        return 1;
    size_t place = pair ? phrase->count - 1 : phrase->count;
    if (pair)
        phrase->terms.size = phrase->begins[place];
    phrase->begins[place] = phrase->terms.size;
    if (!buf_append(&phrase->terms, word->term, word->size))
        return WORDS_NO_MEMORY;
    phrase->begins[place + 1] = phrase->terms.size;
    phrase->count = place + 1;
    phrase->end = word->end;
    return 0;
}

static bool append_phrase(struct buf *out, const struct phrase *phrase)
{
    bool fits = true;
    for (size_t i = 0; i < phrase->count && fits; i++)
        fits = (!i || buf_append_text(out, " + ")) &&
               append_string(out, phrase->terms.data + phrase->begins[i],
                             phrase->begins[i + 1] - phrase->begins[i]);
    return fits;
}

/* A quotation: of one word it is a unit of its own only where it is a gate. */
static rag_status add_phrase(struct question *question, rag_text text, enum unit_role role,
                             rag_error *error)
{
    struct phrase phrase = {.terms = BUF_INIT(MAX_TEXTS)};
    rag_status status = RAG_OK;
    size_t before = question->texts.size;
    int stopped = words_each(text, add_place, &phrase);
    bool wanted = !stopped && phrase.count > (role == UNIT_SCORED ? 1 : 0) &&
                  before + 2 * phrase.terms.size + 8 * phrase.count <= MAX_TEXTS;
    if (stopped == WORDS_NO_MEMORY || (wanted && !append_phrase(&question->texts, &phrase)))
        status = fail_memory(error);
    else if (wanted)
        add_item(question, WANTED_LISTED, role, question->texts.size - before);
    buf_release(&phrase.terms);
    return status;
}

/* ---- Stretches ---- */

static const struct {
    const char *open, *close;
} quotes[] = {
    {"\"", "\""},
    {"\xe2\x80\x9c", "\xe2\x80\x9d"}, /* 201C, 201D */
    {"\xe3\x80\x8c", "\xe3\x80\x8d"}, /* 300C, 300D */
    {"\xe3\x80\x8e", "\xe3\x80\x8f"}, /* 300E, 300F */
    {"\xef\xbc\x82", "\xef\xbc\x82"}, /* FF02: full width */
};
enum { QUOTES = sizeof quotes / sizeof *quotes };

static bool stands_at(rag_text text, size_t at, const char *what)
{
    size_t size = strlen(what);
    return text.size - at >= size && memcmp(text.data + at, what, size) == 0;
}

static bool is_word_byte(char c)
{
    return word_table_ascii(c) & (WORD_LETTER | WORD_DIGIT);
}

struct quotation {
    size_t begin, end, next; /* the words, and where the text goes on */
    size_t unclosed[QUOTES]; /* up to here this kind is not closed: it is looked at once */
};

/* Whether a quotation begins at `at`. */
static bool find_quotation(rag_text text, size_t at, struct quotation *out)
{
    for (size_t i = 0; i < QUOTES; i++) {
        if (at < out->unclosed[i] || !stands_at(text, at, quotes[i].open) ||
            (text.data[at] == '"' && at && is_word_byte(text.data[at - 1])))
            continue;
        out->begin = at + strlen(quotes[i].open);
        for (out->end = out->begin;
             out->end < text.size && out->end - out->begin < MAX_QUOTATION; out->end++) {
            if (!stands_at(text, out->end, quotes[i].close))
                continue;
            out->next = out->end + strlen(quotes[i].close);
            return true;
        }
        out->unclosed[i] = out->end;
    }
    return false;
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The star of "attent*", and not that of "2*3", "*.c", "**bold**" or "f*.c". */
static bool is_star(rag_text text, size_t at)
{
    if (text.data[at] != '*' || !at)
        return false;
    char before = text.data[at - 1];
    return (is_word_byte(before) || (unsigned char)before >= 0x80) &&
           (at + 1 == text.size || is_space(text.data[at + 1]) ||
            (unsigned char)text.data[at + 1] >= 0x80);
}

/* The role that a sign before the quotation at `at` gives it. */
static enum unit_role role_at(rag_text text, size_t at, bool operators)
{
    if (!operators || !at || (at > 1 && !is_space(text.data[at - 2])))
        return UNIT_SCORED;
    return text.data[at - 1] == '+'   ? UNIT_REQUIRED
           : text.data[at - 1] == '-' ? UNIT_EXCLUDED
                                      : UNIT_SCORED;
}

static rag_text part_of(rag_text text, size_t begin, size_t end)
{
    return (rag_text){text.data + begin, end - begin};
}

static rag_status read_stretches(struct question *question, rag_text text, bool operators,
                                 rag_error *error)
{
    struct quotation found = {0};
    size_t from = 0;
    for (size_t at = 0; at < text.size && question->count < QUESTION_MAX_ITEMS;) {
        rag_status status = RAG_OK;
        if (is_star(text, at)) {
            status = add_words(question, part_of(text, from, at), at - from, error);
            from = ++at;
        } else if (find_quotation(text, at, &found)) {
            enum unit_role role = role_at(text, at, operators);
            status = add_words(question, part_of(text, from, at), 0, error);
            if (!status && role != UNIT_EXCLUDED)
                status = add_words(question, part_of(text, found.begin, found.end), 0, error);
            if (!status)
                status =
                    add_phrase(question, part_of(text, found.begin, found.end), role, error);
            from = at = found.next;
        } else {
            at++;
        }
        if (status)
            return status;
    }
    return from < text.size ? add_words(question, part_of(text, from, text.size), 0, error)
                            : RAG_OK;
}

rag_status question_read(rag_text text, bool operators, struct question **out, rag_error *error)
{
    struct question *question = calloc(1, sizeof *question);
    *out = question;
    if (!question || !word_table_ready())
        return fail_memory(error);
    question->texts = BUF_INIT(MAX_TEXTS);
    return read_stretches(question, text, operators, error);
}

void question_free(struct question *question)
{
    if (question)
        buf_release(&question->texts);
    free(question);
}
