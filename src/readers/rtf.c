/* RTF 1.9: text with its paragraphs, headings (outline levels, and styles named "heading 1"),
 * lists and tables; pictures, fonts, fields' code and all destinations marked as optional stay
 * out. */
#include "base/memory.h"
#include "readers/charset.h"
#include "readers/reader.h"
#include "readers/writer.h"
#include "text/utf8.h"

#include <stdio.h>
#include <string.h>

enum {
    MAX_DEPTH = 10000, /* groups in groups */
    MAX_STYLES = 1000,
    MAX_WORD = 32,
    PENDING = 4096, /* bytes that wait to be decoded together */
};

enum destination { TEXT, SKIPPED, STYLES, NOTE, TITLE, AUTHOR, SUBJECT };

/* What a group's end takes back. */
struct group {
    enum destination destination;
    unsigned unicode_skip; /* characters after \u that stand for it */
    bool hidden;
    unsigned level, style, list; /* of its paragraphs */
};

struct rtf {
    struct writer *w;
    const char *bytes;
    size_t size, at;
    struct group *groups;
    size_t depth, capacity;
    const char *charset;
    char pending[PENDING]; /* bytes of `charset` */
    size_t pending_size;
    unsigned skip; /* characters still to be left out */
    uint32_t high; /* the first half of a surrogate pair */
    /* The paragraph in hand. */
    bool in_table, begun, row_open;
    /* Styles: which level their name or outline gives. */
    unsigned levels[MAX_STYLES];
    unsigned defined; /* the style whose definition this is */
    char name[64];
    size_t name_size;
    struct buf value; /* of metadata */
};

static struct group *top(struct rtf *r)
{
    return &r->groups[r->depth - 1];
}

/* ---- Text ------------------------------------------------------------------- */

static void begin_paragraph(struct rtf *r)
{
    if (r->begun)
        return;
    r->begun = true;
    struct writer *w = r->w;
    if (r->in_table) {
        if (!w->tables)
            writer_table_begin(w);
        if (!r->row_open)
            writer_row(w);
        writer_cell(w);
        r->row_open = true;
        return;
    }
    while (w->tables)
        writer_table_end(w);
    const struct group *group = top(r);
    unsigned level = group->level ? group->level : r->levels[group->style];
    if (level)
        writer_begin(w, BLOCK_HEADING, level);
    else if (group->list)
        writer_item(w, group->list, "-");
    else
        writer_begin(w, BLOCK_PARAGRAPH, 0);
}

static void append(struct rtf *r, const char *text, size_t size)
{
    struct group *group = top(r);
    switch (group->destination) {
    case TEXT:
    case NOTE:
        if (!group->hidden) {
            begin_paragraph(r);
            writer_text(r->w, text, size);
        }
        break;
    case STYLES:
        for (size_t i = 0; i < size && r->name_size + 1 < sizeof r->name; i++)
            r->name[r->name_size++] = text[i];
        break;
    case TITLE:
    case AUTHOR:
    case SUBJECT:
        /* More than the buffer holds is no title. */
        (void)!buf_append(&r->value, text, size);
        break;
    default:
        break;
    }
}

static void flush(struct rtf *r)
{
    struct buf text = BUF_INIT(8 * PENDING);
    if (r->pending_size && !charset_decode(r->charset, r->pending, r->pending_size, &text))
        writer_fail(r->w, RAG_MEMORY, "out of memory");
    if (text.size)
        append(r, text.data, text.size);
    r->pending_size = 0;
    buf_release(&text);
}

static void put_byte(struct rtf *r, char c)
{
    if (r->skip) {
        r->skip--;
        return;
    }
    if (r->pending_size == PENDING)
        flush(r);
    r->pending[r->pending_size++] = c;
}

static void put_code(struct rtf *r, uint32_t code)
{
    char text[4];
    flush(r);
    if (code >= 0xD800 && code < 0xDC00) {
        r->high = code;
        return;
    }
    if (code >= 0xDC00 && code < 0xE000) {
        code = r->high ? 0x10000 + ((r->high - 0xD800) << 10) + (code - 0xDC00) : 0;
        r->high = 0;
    }
    if (code && code < 0x110000)
        append(r, text, utf8_encode((int32_t)code, text));
}

/* ---- Control words ---------------------------------------------------------- */

struct word {
    char name[MAX_WORD];
    bool has_number;
    long number;
};

static void end_paragraph(struct rtf *r)
{
    flush(r);
    if (top(r)->destination != TEXT)
        return;
    if (r->in_table)
        writer_space(r->w);
    else if (r->begun)
        writer_end(r->w);
    if (!r->in_table)
        r->begun = false;
}

static void end_cell(struct rtf *r)
{
    flush(r);
    begin_paragraph(r); /* an empty cell is one too */
    r->begun = false;
}

static void read_charset(struct rtf *r, long page)
{
    char label[24];
    snprintf(label, sizeof label,
             page == 936 || page == 950 || page == 932 || page == 949 ? "cp%ld" : "windows-%ld",
             page);
    const char *charset = charset_of_label(label, strlen(label));
    if (!charset) {
        snprintf(label, sizeof label, "cp%ld", page);
        charset = charset_of_label(label, strlen(label));
    }
    if (charset)
        r->charset = charset;
}

static void enter_destination(struct rtf *r, const char *name)
{
    static const struct {
        const char *name;
        enum destination destination;
    } known[] = {
        {"fonttbl", SKIPPED},   {"colortbl", SKIPPED},  {"stylesheet", STYLES},
        {"pict", SKIPPED},      {"object", SKIPPED},    {"fldinst", SKIPPED},
        {"header", SKIPPED},    {"footer", SKIPPED},    {"headerl", SKIPPED},
        {"headerr", SKIPPED},   {"headerf", SKIPPED},   {"footerl", SKIPPED},
        {"footerr", SKIPPED},   {"footerf", SKIPPED},   {"listtable", SKIPPED},
        {"info", SKIPPED},      {"title", TITLE},       {"author", AUTHOR},
        {"subject", SUBJECT},   {"footnote", NOTE},     {"listtext", SKIPPED},
        {"pntext", SKIPPED},    {"generator", SKIPPED}, {"nonshppict", SKIPPED},
        {"bkmkstart", SKIPPED}, {"bkmkend", SKIPPED},   {"annotation", SKIPPED},
        {"xe", SKIPPED},        {"tc", SKIPPED},        {"listoverridetable", SKIPPED}};
    struct group *group = top(r);
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (strcmp(known[i].name, name) == 0) {
            enum destination destination = known[i].destination;
            /* What lies in something that is left out is left out, but \info's members, and
             * notes, which are marked as optional. */
            bool member = destination >= NOTE;
            if (destination == NOTE && group->destination != NOTE)
                writer_string(r->w, " (");
            if (group->destination != SKIPPED || member)
                group->destination = destination;
            if (member)
                buf_clear(&r->value);
        }
}

static void apply_paragraph(struct rtf *r, const struct word *word)
{
    const char *name = word->name;
    struct group *group = top(r);
    if (strcmp(name, "pard") == 0) {
        group->level = group->style = group->list = 0;
        if (!r->row_open || r->begun == false)
            r->in_table = false;
    } else if (strcmp(name, "s") == 0) {
        unsigned style =
            word->number >= 0 && word->number < MAX_STYLES ? (unsigned)word->number : 0;
        if (group->destination == STYLES)
            r->defined = style;
        else
            group->style = style;
    } else if (strcmp(name, "outlinelevel") == 0 && word->number >= 0 && word->number < 6) {
        if (group->destination == STYLES)
            r->levels[r->defined] = 1 + (unsigned)word->number;
        else
            group->level = 1 + (unsigned)word->number;
    } else if (strcmp(name, "ls") == 0) {
        group->list = group->list ? group->list : 1;
    } else if (strcmp(name, "ilvl") == 0 && word->number >= 0 && word->number < 10) {
        group->list = 1 + (unsigned)word->number;
    } else if (strcmp(name, "intbl") == 0) {
        r->in_table = true;
    } else if (strcmp(name, "trowd") == 0) {
        r->in_table = true;
    } else if (strcmp(name, "row") == 0) {
        flush(r);
        r->row_open = r->begun = r->in_table = false;
    } else if (strcmp(name, "cell") == 0) {
        r->in_table = true;
        end_cell(r);
    }
}

static void apply_character(struct rtf *r, const struct word *word)
{
    static const struct {
        const char *name;
        uint32_t code;
    } characters[] = {{"emdash", 0x2014},    {"endash", 0x2013}, {"bullet", 0x2022},
                      {"lquote", 0x2018},    {"rquote", 0x2019}, {"ldblquote", 0x201C},
                      {"rdblquote", 0x201D}, {"tab", ' '},       {"emspace", ' '},
                      {"enspace", ' '}};
    for (size_t i = 0; i < sizeof characters / sizeof *characters; i++)
        if (strcmp(characters[i].name, word->name) == 0)
            put_code(r, characters[i].code);
}

static void apply(struct rtf *r, const struct word *word)
{
    const char *name = word->name;
    if (strcmp(name, "u") == 0) {
        put_code(r, (uint32_t)(word->number < 0 ? word->number + 65536 : word->number));
        r->skip = top(r)->unicode_skip;
        return;
    }
    flush(r);
    r->skip = 0;
    if (strcmp(name, "uc") == 0)
        top(r)->unicode_skip =
            word->number >= 0 && word->number < 16 ? (unsigned)word->number : 1;
    else if (strcmp(name, "ansicpg") == 0)
        read_charset(r, word->number);
    else if (strcmp(name, "v") == 0)
        top(r)->hidden = !word->has_number || word->number;
    else if (strcmp(name, "par") == 0 || strcmp(name, "sect") == 0 || strcmp(name, "page") == 0)
        end_paragraph(r);
    else if (strcmp(name, "line") == 0 && top(r)->destination == TEXT)
        writer_break(r->w);
    else if (strcmp(name, "bin") == 0 && word->number > 0)
        r->at = (size_t)word->number < r->size - r->at ? r->at + (size_t)word->number : r->size;
    enter_destination(r, name);
    apply_paragraph(r, word);
    apply_character(r, word);
}

/* A control word or symbol behind a backslash. */
static void read_control(struct rtf *r)
{
    char c = r->at < r->size ? r->bytes[r->at] : 0;
    struct word word = {0};
    size_t n = 0;
    while (r->at < r->size && (r->bytes[r->at] | 32) >= 'a' && (r->bytes[r->at] | 32) <= 'z') {
        if (n + 1 < MAX_WORD)
            word.name[n++] = r->bytes[r->at];
        r->at++;
    }
    if (n == 0) {
        r->at += r->at < r->size;
        if (c == '\'' && r->size - r->at >= 2) {
            char digits[3] = {r->bytes[r->at], r->bytes[r->at + 1], 0};
            r->at += 2;
            put_byte(r, (char)strtol(digits, NULL, 16));
        } else if (c == '*') {
            flush(r);
            top(r)->destination = SKIPPED;
        } else if (c == '\\' || c == '{' || c == '}') {
            put_byte(r, c);
        } else if (c == '~') {
            put_code(r, ' ');
        } else if (c == '_') {
            put_byte(r, '-');
        } else if (c == '\n' || c == '\r') {
            end_paragraph(r);
        }
        return;
    }
    bool negative = r->at < r->size && r->bytes[r->at] == '-';
    size_t digits = r->at + negative;
    while (digits < r->size && r->bytes[digits] >= '0' && r->bytes[digits] <= '9') {
        word.has_number = true;
        if (word.number < 100000000)
            word.number = word.number * 10 + (r->bytes[digits] - '0');
        digits++;
    }
    if (word.has_number)
        r->at = digits;
    word.number = negative && word.has_number ? -word.number : word.number;
    r->at += r->at < r->size && r->bytes[r->at] == ' ';
    apply(r, &word);
}

/* ---- Groups ----------------------------------------------------------------- */

static bool open_group(struct rtf *r)
{
    flush(r);
    if (r->depth >= MAX_DEPTH) {
        writer_fail(r->w, RAG_INPUT, "RTF with groups more than %d deep", MAX_DEPTH);
        return false;
    }
    struct group group = r->depth ? *top(r) : (struct group){.unicode_skip = 1};
    if (!array_reserve(&r->groups, &r->capacity, r->depth + 1, sizeof *r->groups)) {
        writer_fail(r->w, RAG_MEMORY, "out of memory");
        return false;
    }
    r->groups[r->depth++] = group;
    r->skip = 0;
    if (group.destination == STYLES) {
        r->name_size = 0;
        r->defined = 0;
    }
    return true;
}

/* "heading 2" in the sheet of styles. */
static void name_style(struct rtf *r)
{
    r->name[r->name_size] = 0;
    const char *name = r->name;
    if (strncasecmp(name, "heading ", 8) == 0 && name[8] >= '1' && name[8] <= '6')
        r->levels[r->defined] = (unsigned)(name[8] - '0');
    else if (strncasecmp(name, "title;", 6) == 0)
        r->levels[r->defined] = 1;
}

static void close_group(struct rtf *r)
{
    static const char *const keys[] = {
        [TITLE] = "title", [AUTHOR] = "author", [SUBJECT] = "subject"};
    flush(r);
    enum destination destination = top(r)->destination;
    if (destination == STYLES)
        name_style(r);
    if (destination == NOTE && r->depth > 1 && r->groups[r->depth - 2].destination != NOTE)
        writer_string(r->w, ")");
    if (destination >= TITLE && r->value.size) {
        writer_metadata(r->w, keys[destination], r->value.data, r->value.size);
        buf_clear(&r->value);
    }
    r->depth--;
    r->skip = 0;
}

static void read_all(struct rtf *r)
{
    while (r->at < r->size && !r->w->status) {
        char c = r->bytes[r->at++];
        if (c == '{') {
            if (!open_group(r))
                return;
        } else if (r->depth == 0) {
            return; /* behind the end */
        } else if (c == '}') {
            close_group(r);
        } else if (c == '\\') {
            read_control(r);
        } else if (c != '\r' && c != '\n') {
            put_byte(r, c);
        }
    }
    if (r->depth)
        flush(r);
}

static rag_status read_rtf(const struct input *input, struct document *document,
                           rag_error *error)
{
    struct writer w;
    writer_init(&w, document, error);
    struct rtf *r = calloc(1, sizeof *r);
    if (r) {
        *r = (struct rtf){.w = &w,
                          .bytes = input->bytes,
                          .size = input->size,
                          .charset = "CP1252",
                          .value = BUF_INIT(1 << 16)};
        read_all(r);
        free(r->groups);
        buf_release(&r->value);
        free(r);
    } else {
        writer_fail(&w, RAG_MEMORY, "out of memory");
    }
    return writer_finish(&w);
}

const struct reader rtf_reader = {"rtf", false, read_rtf};
