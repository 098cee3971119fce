/* Source code: the file as it is. A line that defines a function, class or their like is a
 * heading, with the comment above it, whose name is the symbol; what follows is code up to the
 * next blank line at which nothing is open. Text behind a definition that has ended belongs to
 * what is around it, which a heading without a name says.
 *
 * The rules know comments, strings, braces and indentation, nothing of a language's grammar:
 *   - a definition is a line of modifiers, a word such as "class" or "def", and a name;
 *   - in C and Java also a name before "(" in a line that ends, or whose next lines lead to,
 * "{" where functions may stand: not inside one. Mistakes cost a heading, never text. */
#include "readers/code.h"
#include "readers/blocks.h"

#include <string.h>

enum {
    MAX_OPEN = 64,         /* definitions in definitions */
    MAX_NAME = 200,        /* bytes */
    MAX_COMMENT = 60,      /* lines of a comment that go with the definition */
    MAX_SIGNATURE = 12,    /* lines of a definition before its "{" */
    MAX_BLOCK_LINES = 400, /* a block without a place to end is ended there */
};

struct scope {
    size_t depth;   /* of braces, or columns of indentation, outside of it */
    bool container; /* functions may stand in it: a class */
};

struct code {
    struct blocks b;
    const struct language *language;
    struct scope open[MAX_OPEN];
    unsigned count;
    size_t depth; /* of braces before the line in hand */
    bool in_comment;
    char in_string; /* the quote of one that goes over lines */
    bool named;     /* the last heading has a name */
    size_t from;    /* where the code begins that is in no block yet */
    size_t lines;   /* of it */
    size_t comment; /* where the comment above the line begins; SIZE_MAX: there is none */
    size_t comment_lines;
};

/* ---- Lines ------------------------------------------------------------------ */

static bool begins(const struct code *c, size_t at, size_t end, const char *word, size_t n)
{
    return end - at >= n && memcmp(c->b.text + at, word, n) == 0;
}

static bool begins_line_comment(const struct code *c, size_t at, size_t end)
{
    for (const char *mark = c->language->line_comments; *mark;) {
        size_t n = strcspn(mark, " ");
        if (begins(c, at, end, mark, n))
            return true;
        mark += n + (mark[n] == ' ');
    }
    return false;
}

/* Follows a string from its opening quote; where it ends. One may go on in the next line. */
static size_t skip_string(struct code *c, size_t at, size_t end)
{
    char quote = c->b.text[at];
    const char three[3] = {quote, quote, quote};
    if (c->language->triple_quotes && begins(c, at, end, three, 3)) {
        const char *close =
            end - at > 3 ? memmem(c->b.text + at + 3, end - at - 3, three, 3) : NULL;
        if (close)
            return (size_t)(close - c->b.text) + 3;
        c->in_string = quote;
        return end;
    }
    for (size_t i = at + 1; i < end; i++) {
        if (c->b.text[i] == '\\')
            i++;
        else if (c->b.text[i] == quote)
            return i + 1;
    }
    if (quote == '`')
        c->in_string = quote;
    return quote == '\'' ? at + 1 : end; /* Rust's lifetimes, an apostrophe */
}

/* The end of what began in a line before: a comment or a string; `end` if it goes on. */
static size_t skip_inside(struct code *c, size_t at, size_t end)
{
    const char *text = c->b.text;
    if (c->in_comment) {
        const char *mark = c->language->block_comment;
        size_t half = strlen(mark) / 2;
        const char *close = end > at ? memmem(text + at, end - at, mark + half, half) : NULL;
        c->in_comment = !close;
        return close ? (size_t)(close - text) + half : end;
    }
    if (c->in_string) {
        const char marks[3] = {c->in_string, c->in_string, c->in_string};
        size_t n = c->in_string == '`' ? 1 : 3;
        const char *close = end > at ? memmem(text + at, end - at, marks, n) : NULL;
        if (close)
            c->in_string = 0;
        return close ? (size_t)(close - text) + n : end;
    }
    return at;
}

/* Goes through a line; braces count, and *last becomes the last character that is code. */
static void scan_line(struct code *c, size_t at, size_t end, char *last)
{
    const char *text = c->b.text, *comment = c->language->block_comment;
    size_t half = comment ? strlen(comment) / 2 : 0;
    *last = 0;
    at = skip_inside(c, at, end);
    while (at < end) {
        if (comment && begins(c, at, end, comment, half)) {
            c->in_comment = true;
            at = skip_inside(c, at + half, end);
            continue;
        }
        if (begins_line_comment(c, at, end))
            return;
        char ch = text[at];
        if (strchr(c->language->quotes, ch) && ch) {
            at = skip_string(c, at, end);
            *last = ch;
            continue;
        }
        if (ch == '{')
            c->depth++;
        else if (ch == '}')
            c->depth -= c->depth > 0;
        if (!is_blank_byte(ch))
            *last = ch;
        at++;
    }
}

/* ---- Names ------------------------------------------------------------------ */

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           c == '_' || (unsigned char)c >= 0x80 || c == '$';
}

static size_t word_end(const struct code *c, size_t at, size_t end)
{
    while (at < end && is_name_byte(c->b.text[at]))
        at++;
    return at;
}

/* A name with its qualifiers: "Class::method", "Type.name", "~Class". */
static size_t name_end(const struct code *c, size_t at, size_t end)
{
    size_t i = at;
    while (i < end && (is_name_byte(c->b.text[i]) || strchr(":.~?!", c->b.text[i])) &&
           i - at < MAX_NAME)
        i++;
    while (i > at && strchr(":.", c->b.text[i - 1]))
        i--;
    return i;
}

/* "func (r *Reader) Read(": Go's receiver; where the name begins. */
static size_t skip_receiver(const struct code *c, size_t at, size_t end)
{
    if (at < end && c->b.text[at] == '(') {
        const char *close = memchr(c->b.text + at, ')', end - at);
        if (close)
            at = skip_blanks(c->b.text, (size_t)(close - c->b.text) + 1, end);
    }
    /* "impl<T> Trait for Type" */
    if (at < end && c->b.text[at] == '<') {
        const char *close = memchr(c->b.text + at, '>', end - at);
        if (close)
            at = skip_blanks(c->b.text, (size_t)(close - c->b.text) + 1, end);
    }
    return at;
}

static bool is_container(const char *word, size_t size)
{
    static const char words[] =
        "class struct union enum namespace interface record object trait "
        "extension protocol impl mod module package actor mixin type";
    return language_lists(words, word, size);
}

struct definition {
    size_t name, name_end;
    bool container;
};

/* "struct point p = {": what C says of a variable or of what a function gives. */
static bool is_only_a_type(const struct code *c, size_t name_stop, size_t end, const char *word,
                           size_t size)
{
    if (!language_lists("struct union enum", word, size))
        return false;
    size_t next = skip_blanks(c->b.text, name_stop, end);
    return next < end && !strchr("{:<(", c->b.text[next]) &&
           strncmp(c->b.text + next, "final", 5);
}

/* Modifiers, a word that defines, and a name. */
static bool find_defined(const struct code *c, size_t at, size_t end, struct definition *found)
{
    const char *text = c->b.text;
    for (unsigned words = 0; words < 8; words++) {
        at = skip_blanks(text, at, end);
        size_t stop = word_end(c, at, end);
        if (stop < end && (text[stop] == '!' || text[stop] == '*'))
            stop++;
        if (stop == at)
            return false;
        if (language_lists(c->language->definitions, text + at, stop - at)) {
            found->container = is_container(text + at, stop - at);
            found->name = skip_receiver(c, skip_blanks(text, stop, end), end);
            found->name_end = name_end(c, found->name, end);
            /* "enum class X" */
            if (language_lists("class struct", text + found->name,
                               found->name_end - found->name)) {
                found->name = skip_blanks(text, found->name_end, end);
                found->name_end = name_end(c, found->name, end);
            }
            return found->name_end > found->name &&
                   !(c->language->braces &&
                     is_only_a_type(c, found->name_end, end, text + at, stop - at));
        }
        size_t paren =
            stop < end && text[stop] == '(' && begins(c, at, end, "pub(", 4)
                ? 1 + (size_t)((const char *)memchr(text + stop, ')', end - stop) - text)
                : stop;
        if (paren > end)
            return false;
        if (paren == stop && !language_lists(c->language->modifiers, text + at, stop - at))
            return false;
        at = paren;
    }
    return false;
}

/* Words before "(" that are no functions. */
static bool is_statement(const char *word, size_t size)
{
    static const char words[] =
        "if for while switch return else do case catch sizeof throw new "
        "delete until elif function await yield assert using lock foreach "
        "when synchronized try defer guard with match";
    return language_lists(words, word, size);
}

/* A name before the first "(" of a line that leads to "{": C's and Java's functions. */
static bool find_called(const struct code *c, size_t at, size_t end, struct definition *found)
{
    const char *text = c->b.text, *paren = end > at ? memchr(text + at, '(', end - at) : NULL;
    if (!paren)
        return false;
    size_t stop = trim_end(text, at, (size_t)(paren - text)), name = stop;
    while (name > at && (is_name_byte(text[name - 1]) || strchr(":~.", text[name - 1])))
        name--;
    if (name == stop || stop - name > MAX_NAME || (text[name] >= '0' && text[name] <= '9') ||
        is_statement(text + name, stop - name))
        return false;
    /* Before it only a type: no assignment, no call, no statement. */
    for (size_t i = at; i < name; i++)
        if (!is_name_byte(text[i]) && !is_blank_byte(text[i]) &&
            !strchr("*&<>:,[]@~.?", text[i]))
            return false;
    size_t first = word_end(c, skip_blanks(text, at, end), end);
    at = skip_blanks(text, at, end);
    if (is_statement(text + at, first - at) || text[at] == '#')
        return false;
    *found = (struct definition){.name = name, .name_end = stop};
    return true;
}

/* "name <- function(" of R, "const name = (x) => {" of JavaScript. */
static bool find_assigned(const struct code *c, size_t at, size_t end, struct definition *found)
{
    const char *text = c->b.text;
    size_t stop;
    for (unsigned words = 0; words < 4; words++) {
        stop = word_end(c, at, end);
        if (stop == at || !language_lists(c->language->modifiers, text + at, stop - at))
            break;
        at = skip_blanks(text, stop, end);
    }
    stop = name_end(c, at, end);
    size_t next = skip_blanks(text, stop, end);
    bool arrow = begins(c, next, end, "<-", 2);
    if (stop == at || !(arrow || begins(c, next, end, "=", 1)))
        return false;
    next = skip_blanks(text, next + (arrow ? 2 : 1), end);
    *found = (struct definition){.name = at, .name_end = stop};
    return begins(c, next, end, "function", 8) ||
           (next < end && (text[next] == '(' || is_name_byte(text[next])) &&
            memmem(text + next, end - next, "=> {", 4));
}

/* Whether the signature that begins at `at` leads to "{" before ";": it is a definition and no
 * declaration. The line of the brace is where the heading ends. */
static bool leads_to_brace(const struct code *c, size_t at, size_t *last)
{
    for (unsigned lines = 0; at < c->b.size && lines < MAX_SIGNATURE; lines++) {
        size_t end = line_end(c->b.text, c->b.size, at);
        if (lines && is_blank(c->b.text, at, end))
            return false;
        const char *brace = memchr(c->b.text + at, '{', end - at);
        const char *stop = memchr(c->b.text + at, ';', end - at);
        *last = end;
        if (brace && (!stop || brace < stop))
            return true;
        if (stop)
            return false;
        at = end < c->b.size ? end + 1 : c->b.size;
    }
    return false;
}

static bool find_definition(const struct code *c, size_t at, size_t *end,
                            struct definition *found)
{
    const struct language *l = c->language;
    size_t begin = skip_blanks(c->b.text, at, *end), last;
    bool inside = c->count && !c->open[c->count - 1].container;
    if (c->in_comment || c->in_string || begin == *end)
        return false;
    bool defined = find_defined(c, begin, *end, found);
    if (!l->braces)
        return defined;
    if (!defined)
        defined =
            (l->calls && !inside && find_called(c, begin, *end, found)) ||
            (strchr(l->quotes, '`') || !*l->definitions ? find_assigned(c, begin, *end, found)
                                                        : false);
    if (!defined)
        return false;
    if (leads_to_brace(c, at, &last)) {
        *end = last;
        return true;
    }
    /* "type Celsius float64" of Go, "fn area(&self);" of Rust: declarations elsewhere. */
    return !l->calls;
}

/* ---- Blocks ----------------------------------------------------------------- */

static void end_code(struct code *c, size_t end)
{
    blocks_push(&c->b, BLOCK_CODE, 0, c->from, end);
    c->from = end;
    c->lines = 0;
}

/* The first line behind the end of a definition is a heading without a name. */
static void push_unnamed(struct code *c, size_t at)
{
    size_t end = line_end(c->b.text, c->b.size, at);
    end_code(c, at);
    blocks_push_heading(&c->b, c->count + 1, at, end, at, at, TITLE_PLAIN);
    c->from = end < c->b.size ? end + 1 : c->b.size;
    c->named = false;
}

static void push_definition(struct code *c, size_t at, size_t end, const struct definition *d)
{
    bool with_comment = c->comment != SIZE_MAX && c->comment_lines <= MAX_COMMENT;
    size_t begin = with_comment && c->comment >= c->from ? c->comment : at;
    end_code(c, begin);
    blocks_push_heading(&c->b, c->count + 1, begin, end, d->name, d->name_end, TITLE_PLAIN);
    c->from = end < c->b.size ? end + 1 : c->b.size;
    c->named = true;
}

static bool is_comment_line(const struct code *c, size_t at, size_t end)
{
    const char *mark = c->language->block_comment;
    at = skip_blanks(c->b.text, at, end);
    return c->in_comment || begins_line_comment(c, at, end) ||
           (mark && begins(c, at, end, mark, strlen(mark) / 2)) ||
           (at < end && c->b.text[at] == '@'); /* a decorator */
}

static void note_comment(struct code *c, size_t at, size_t end)
{
    if (!is_comment_line(c, at, end)) {
        c->comment = SIZE_MAX;
        return;
    }
    if (c->comment == SIZE_MAX) {
        c->comment = at;
        c->comment_lines = 0;
    }
    c->comment_lines++;
}

/* Ends the definitions that ended before a line of this depth; true: there were some. */
static bool close_scopes(struct code *c, size_t depth)
{
    bool closed = false;
    for (; c->count && depth <= c->open[c->count - 1].depth; c->count--)
        closed = true;
    return closed;
}

/* A line that only ends something, "}" or "end", belongs to what it ends. */
static bool only_ends(const struct code *c, size_t at, size_t end)
{
    at = skip_blanks(c->b.text, at, end);
    size_t stop = word_end(c, at, end);
    return strchr("})]", c->b.text[at]) ||
           (stop - at == 3 && memcmp(c->b.text + at, "end", 3) == 0);
}

/* One line; gives the beginning of the next. */
static size_t read_line(struct code *c, size_t at)
{
    size_t end = line_end(c->b.text, c->b.size, at);
    if (is_blank(c->b.text, at, end)) {
        bool outside = !c->in_comment && !c->in_string;
        if (outside && (c->lines >= MAX_BLOCK_LINES || c->depth == 0 || !c->language->braces) &&
            c->count == 0)
            end_code(c, at);
        c->comment = c->in_comment ? c->comment : SIZE_MAX;
        return end < c->b.size ? end + 1 : c->b.size;
    }
    bool comment = is_comment_line(c, at, end);
    size_t depth = c->language->braces ? c->depth : blocks_indent(&c->b, at);
    bool counts = !comment && !c->in_string && (c->language->braces || c->b.text[at] != '#');
    bool ended = counts && !only_ends(c, at, end) && close_scopes(c, depth);
    struct definition definition;
    size_t last = end;
    if (counts && find_definition(c, at, &last, &definition)) {
        push_definition(c, at, last, &definition);
        if (c->count < MAX_OPEN)
            c->open[c->count++] = (struct scope){depth, definition.container};
        end = last;
    } else if (ended && c->named) {
        push_unnamed(c, at);
    }
    note_comment(c, at, end);
    /* Each line of what was taken. */
    for (size_t line = at; line < end || line == at;) {
        size_t stop = line_end(c->b.text, c->b.size, line);
        char ignored;
        scan_line(c, line, stop, &ignored);
        c->lines++;
        if (stop >= end)
            break;
        line = stop + 1;
    }
    return end < c->b.size ? end + 1 : c->b.size;
}

static rag_status read_code(const struct input *input, struct document *document,
                            rag_error *error)
{
    struct code c = {.b = blocks_of(input, document),
                     .language = language_of(input->format),
                     .comment = SIZE_MAX};
    if (!c.language)
        return fail_with(error, RAG_INTERNAL, "no rules for this language");
    c.from = byte_order_mark(c.b.text, c.b.size);
    for (size_t at = c.from; at < c.b.size && !c.b.failed;)
        at = read_line(&c, at);
    end_code(&c, c.b.size);
    return blocks_finish(&c.b, error);
}

const struct reader code_reader = {
    "c cpp csharp dart go haskell java javascript julia kotlin lua perl php python r ruby rust "
    "scala shell sql swift typescript",
    true, read_code};
