/* PDF, as pdftotext prints it with -htmlmeta: title and author in a head, then the text of the
 * pages, each ended by a form feed.
 *
 * A printed page is not a text: its lines are put together to paragraphs again, and what stands
 * at the top or bottom of many pages (a running title, the page's number) is left out, since it
 * would stand in the middle of sentences. Headings are those that count ("3.2 Title"; a number
 * and a title that the layout has parted are joined), for a PDF does not name them. */
#include "base/memory.h"
#include "documents/lines.h"
#include "documents/plain.h"
#include "readers/reader.h"
#include "readers/writer.h"
#include "text/utf8.h"

#include <string.h>

enum {
    EDGE_LINES = 3,     /* at the top and at the bottom of a page, that may be repeated */
    REPEATED_PAGES = 3, /* on so many pages at least, */
    REPEATED_SHARE = 4, /* and on one of so many */
    SHORT_LINE = 60,    /* percent of the page's width: a shorter line ends a paragraph */
    NUMBER_MAX = 12,    /* bytes of a heading's number that stands alone */
    TITLE_MAX = 100,    /* bytes of the title that belongs to it */
    LEADER_DOTS = 5,
    MAX_PAGES = 1 << 20,
    WIDTHS = 256, /* lines of a page that are measured */
};

struct line {
    size_t begin, end;
    bool left_out;
};

struct page {
    size_t first, last; /* lines, from `first` up to before `last` */
};

struct pages {
    struct buf text;
    struct line *lines;
    size_t line_count, line_capacity;
    struct page *pages;
    size_t count, capacity;
};

static void pages_release(struct pages *p)
{
    buf_release(&p->text);
    free(p->lines);
    free(p->pages);
}

/* ---- What pdftotext printed ------------------------------------------------- */

/* Appends text in which "<", ">", "&" and quotes are entities. */
static bool unescape(const char *from, size_t size, struct buf *out)
{
    static const struct {
        const char *entity;
        char character;
    } entities[] = {{"&lt;", '<'},   {"&gt;", '>'},    {"&amp;", '&'},
                    {"&quot;", '"'}, {"&apos;", '\''}, {"&#39;", '\''}};
    for (size_t at = 0; at < size;) {
        const char *next = memchr(from + at, '&', size - at);
        size_t stop = next ? (size_t)(next - from) : size;
        if (!buf_append(out, from + at, stop - at))
            return false;
        at = stop;
        if (at == size)
            break;
        size_t n = 1;
        char character = '&';
        for (size_t i = 0; i < sizeof entities / sizeof *entities; i++) {
            size_t length = strlen(entities[i].entity);
            if (size - at >= length && memcmp(from + at, entities[i].entity, length) == 0) {
                n = length;
                character = entities[i].character;
            }
        }
        if (!buf_append_char(out, character))
            return false;
        at += n;
    }
    return true;
}

static void add_metadata(struct writer *w, const char *key, const char *begin, const char *end)
{
    struct buf value = BUF_INIT(1 << 16);
    if (end > begin && unescape(begin, (size_t)(end - begin), &value))
        writer_metadata(w, key, value.data, value.size);
    buf_release(&value);
}

/* The value between two marks in the head; NULL: it is not there. */
static void read_value(struct writer *w, const char *head, size_t size, const char *before,
                       const char *after, const char *key)
{
    const char *begin = memmem(head, size, before, strlen(before));
    if (!begin)
        return;
    begin += strlen(before);
    const char *end = memmem(begin, (size_t)(head + size - begin), after, strlen(after));
    if (end)
        add_metadata(w, key, begin, end);
}

static bool take_output(struct writer *w, const struct input *input, struct pages *pages)
{
    static const char open[] = "<pre>", close[] = "</pre>";
    const char *text = memmem(input->bytes, input->size, open, sizeof open - 1);
    if (!text) {
        writer_fail(w, RAG_INPUT, "pdftotext gave no text");
        return false;
    }
    size_t head = (size_t)(text - input->bytes);
    read_value(w, input->bytes, head, "<title>", "</title>", "title");
    read_value(w, input->bytes, head, "<meta name=\"Author\" content=\"", "\"/>", "author");
    read_value(w, input->bytes, head, "<meta name=\"Subject\" content=\"", "\"/>", "subject");
    read_value(w, input->bytes, head, "<meta name=\"Keywords\" content=\"", "\"/>", "keywords");
    read_value(w, input->bytes, head, "<meta name=\"CreationDate\" content=\"", "\"/>", "date");
    text += sizeof open - 1;
    text += *text == '\n';
    size_t size = input->size - (size_t)(text - input->bytes);
    /* The last one: the text may hold the words as well, but escaped. */
    const char *end = memmem(text, size, close, sizeof close - 1);
    pages->text = BUF_INIT(DOCUMENT_MAX_BYTES);
    if (!buf_reserve(&pages->text, 0) ||
        !unescape(text, end ? (size_t)(end - text) : size, &pages->text)) {
        writer_fail(w, RAG_MEMORY, "out of memory");
        return false;
    }
    return true;
}

/* ---- Pages and lines -------------------------------------------------------- */

static bool push_page(struct pages *p, size_t first)
{
    if (!array_reserve(&p->pages, &p->capacity, p->count + 1, sizeof *p->pages))
        return false;
    p->pages[p->count++] = (struct page){first, p->line_count};
    return true;
}

/* Without form feeds, which end pages, in the lines. */
static bool split(struct pages *p)
{
    const char *text = p->text.data;
    size_t size = p->text.size, first = 0;
    for (size_t at = 0; at < size && p->count < MAX_PAGES;) {
        if (text[at] == '\f') {
            if (!push_page(p, first))
                return false;
            first = p->line_count;
            at++;
            continue;
        }
        size_t end = at;
        while (end < size && text[end] != '\n' && text[end] != '\f')
            end++;
        if (!array_reserve(&p->lines, &p->line_capacity, p->line_count + 1, sizeof *p->lines))
            return false;
        p->lines[p->line_count++] = (struct line){at, trim_end(text, at, end), false};
        at = end + (end < size && text[end] == '\n');
    }
    return first == p->line_count || push_page(p, first);
}

static bool line_is_blank(const struct pages *p, size_t line)
{
    return is_blank(p->text.data, p->lines[line].begin, p->lines[line].end);
}

/* The number of the i-th line with text from the top (or the bottom) of a page; false: there
 * are not so many. */
static bool edge_line(const struct pages *p, const struct page *page, size_t i, bool bottom,
                      size_t *found)
{
    for (size_t k = page->first; k < page->last; k++) {
        size_t line = bottom ? page->last - 1 - (k - page->first) : k;
        if (line_is_blank(p, line))
            continue;
        if (i-- == 0) {
            *found = line;
            return true;
        }
    }
    return false;
}

/* The same for lines that differ in numbers alone. */
static uint64_t hash_of_line(const struct pages *p, size_t line)
{
    uint64_t hash = 1469598103934665603u; /* FNV-1a */
    bool digit = false;
    for (size_t i = p->lines[line].begin; i < p->lines[line].end; i++) {
        unsigned char c = (unsigned char)p->text.data[i];
        bool is_digit = c >= '0' && c <= '9';
        if (c == ' ' || (is_digit && digit))
            continue;
        digit = is_digit;
        hash = (hash ^ (is_digit ? '0' : c)) * 1099511628211u;
    }
    return hash;
}

/* "12", "- 12 -", "xii", "12 / 233". */
static bool is_page_number(const struct pages *p, size_t line)
{
    const char *text = p->text.data;
    size_t size = p->lines[line].end - p->lines[line].begin;
    if (size > NUMBER_MAX)
        return false;
    bool roman = true, number = true;
    for (size_t i = p->lines[line].begin; i < p->lines[line].end; i++) {
        roman &= text[i] && strchr("ivxlc", text[i]) != NULL;
        number &= text[i] && strchr("0123456789 -/[]", text[i]) != NULL;
    }
    return roman || number;
}

struct edge {
    uint64_t hash;
    size_t page, line;
};

static int by_hash(const void *a, const void *b)
{
    const struct edge *x = a, *y = b;
    if (x->hash != y->hash)
        return x->hash < y->hash ? -1 : 1;
    return x->page < y->page ? -1 : x->page > y->page;
}

/* Leaves out the lines at the edges of pages that stand on many pages. */
static bool leave_out_repeated(struct pages *p)
{
    size_t most = p->count / REPEATED_SHARE, count = 0;
    most = most < REPEATED_PAGES ? REPEATED_PAGES : most;
    struct edge *edges = alloc_array(p->count, 2 * EDGE_LINES * sizeof *edges);
    if (!edges)
        return false;
    for (size_t page = 0; page < p->count; page++)
        for (size_t i = 0; i < 2 * EDGE_LINES; i++) {
            size_t line;
            if (edge_line(p, &p->pages[page], i / 2, i % 2, &line))
                edges[count++] = (struct edge){hash_of_line(p, line), page, line};
        }
    qsort(edges, count, sizeof *edges, by_hash);
    for (size_t i = 0, end; i < count; i = end) {
        size_t pages = 1;
        for (end = i + 1; end < count && edges[end].hash == edges[i].hash; end++)
            pages += edges[end].page != edges[end - 1].page;
        for (size_t k = i; k < end && pages >= most; k++)
            p->lines[edges[k].line].left_out = true;
    }
    free(edges);
    /* A page's number may be alone in its form: "iv". */
    for (size_t page = 0; page < p->count && p->count >= REPEATED_PAGES; page++)
        for (int bottom = 0; bottom < 2; bottom++) {
            size_t line, i = 0;
            while (i < EDGE_LINES && edge_line(p, &p->pages[page], i, bottom, &line) &&
                   p->lines[line].left_out)
                i++;
            if (i < EDGE_LINES && edge_line(p, &p->pages[page], i, bottom, &line) &&
                is_page_number(p, line))
                p->lines[line].left_out = true;
        }
    return true;
}

/* ---- Paragraphs ------------------------------------------------------------- */

static size_t width_of(const struct pages *p, size_t line)
{
    size_t width = 0;
    for (size_t i = p->lines[line].begin; i < p->lines[line].end;) {
        size_t n;
        int32_t code = utf8_decode(p->text.data + i, p->lines[line].end - i, &n);
        width += code >= 0x1100 ? 2 : 1;
        i += n;
    }
    return width;
}

static int by_size(const void *a, const void *b)
{
    const size_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* The width of a full line: few lines are wider, those of code and tables. */
static size_t text_width(const struct pages *p, const struct page *page)
{
    size_t widths[WIDTHS], count = 0;
    for (size_t i = page->first; i < page->last && count < WIDTHS; i++)
        if (!p->lines[i].left_out && !line_is_blank(p, i))
            widths[count++] = width_of(p, i);
    if (count == 0)
        return 0;
    qsort(widths, count, sizeof *widths, by_size);
    return widths[count - 1 - count / 5];
}

static int32_t first_character(const struct pages *p, size_t line)
{
    size_t n, size = p->lines[line].end - p->lines[line].begin;
    return size ? utf8_decode(p->text.data + p->lines[line].begin, size, &n) : -1;
}

static int32_t last_character(const struct pages *p, size_t line)
{
    size_t n, end = p->lines[line].end, begin = end;
    while (begin > p->lines[line].begin &&
           ((unsigned char)p->text.data[begin - 1] & 0xC0) == 0x80)
        begin--;
    begin -= begin > p->lines[line].begin;
    return end > begin ? utf8_decode(p->text.data + begin, end - begin, &n) : -1;
}

/* Chinese and Japanese are written without blanks between words. */
static bool is_unspaced(int32_t code)
{
    return (code >= 0x2E80 && code <= 0x9FFF) || (code >= 0xF900 && code <= 0xFAFF) ||
           (code >= 0xFF00 && code <= 0xFF60) || (code >= 0x20000 && code <= 0x3FFFF);
}

static bool is_bullet(int32_t code)
{
    static const int32_t bullets[] = {0x2022, 0x25CF, 0x25AA, 0x25E6, 0x2023, 0x25A0, 0x2013,
                                      0x2014, 0xB7,   0x2043, '*',    0x25CB, 0x25B6};
    for (size_t i = 0; i < sizeof bullets / sizeof *bullets; i++)
        if (bullets[i] == code)
            return true;
    return false;
}

/* "1.2", "A.3": a section's number that stands alone. */
static bool is_section_number(const struct pages *p, size_t line)
{
    const char *text = p->text.data;
    size_t begin = p->lines[line].begin, end = p->lines[line].end, dots = 0;
    if (end - begin > NUMBER_MAX)
        return false;
    for (size_t i = begin; i < end; i++) {
        bool digit = text[i] >= '0' && text[i] <= '9';
        if (text[i] == '.')
            dots++;
        else if (!digit && !(i == begin && text[i] >= 'A' && text[i] <= 'Z'))
            return false;
    }
    return dots > 0 && text[begin] != '.';
}

/* What stands between two lines. */
enum joint { JOINT_NONE, JOINT_SPACE, JOINT_LINE, JOINT_BLOCK };

static bool is_short(const struct pages *p, size_t line, size_t width)
{
    return width_of(p, line) * 100 < width * SHORT_LINE;
}

/* "1.2 Title" in a line of its own. */
static bool is_counted_heading(const struct pages *p, size_t line, size_t width)
{
    return is_short(p, line, width) &&
           plain_counted_level(p->text.data + p->lines[line].begin,
                               p->lines[line].end - p->lines[line].begin) > 0;
}

/* Between a line and the next one that counts; `width` is the page's. */
static enum joint joint_of(const struct pages *p, size_t line, size_t next, size_t width)
{
    bool gap = next != line + 1;
    /* A number and the title that the layout has put into a column of its own. */
    if (is_section_number(p, line) && p->lines[next].end - p->lines[next].begin <= TITLE_MAX)
        return JOINT_SPACE;
    if (gap || is_counted_heading(p, line, width) || is_counted_heading(p, next, width))
        return JOINT_BLOCK;
    if (is_short(p, line, width) || is_bullet(first_character(p, next)))
        return JOINT_LINE;
    return is_unspaced(last_character(p, line)) && is_unspaced(first_character(p, next))
               ? JOINT_NONE
               : JOINT_SPACE;
}

/* The next line of the page that counts; page->last: there is none. */
static size_t next_line(const struct pages *p, const struct page *page, size_t line)
{
    while (line < page->last && (p->lines[line].left_out || line_is_blank(p, line)))
        line++;
    return line;
}

/* The bytes of a row of dots at `at` that leads to a page's number: "......" or ". . . ."; else
 * 0. */
static size_t leader_length(const char *text, size_t at, size_t end)
{
    size_t dots = 0, i = at;
    for (; i < end && (text[i] == '.' || text[i] == ' '); i++)
        dots += text[i] == '.';
    return dots >= LEADER_DOTS ? i - at : 0;
}

/* A line of a table of contents loses its dots and what they lead to; the ellipsis keeps it
 * from being taken for a heading. */
static void write_line(struct writer *w, const struct pages *p, size_t line)
{
    const char *text = p->text.data;
    size_t end = p->lines[line].end, begin = p->lines[line].begin;
    for (size_t at = begin; at < end; at++) {
        size_t n = text[at] == '.' ? leader_length(text, at, end) : 0;
        if (n == 0)
            continue;
        writer_text(w, text + begin, trim_end(text, begin, at) - begin);
        writer_string(w, " …");
        at += n;
        while (at < end && ((text[at] >= '0' && text[at] <= '9') || text[at] == ' '))
            at++;
        begin = at--;
        writer_space(w);
    }
    writer_text(w, text + begin, end - begin);
}

static void write_page(struct writer *w, const struct pages *p, const struct page *page)
{
    size_t width = text_width(p, page);
    writer_begin(w, BLOCK_PARAGRAPH, 0);
    for (size_t line = next_line(p, page, page->first); line < page->last;) {
        size_t next = next_line(p, page, line + 1);
        write_line(w, p, line);
        if (next == page->last)
            break;
        switch (joint_of(p, line, next, width)) {
        case JOINT_NONE:
            break;
        case JOINT_SPACE:
            writer_space(w);
            break;
        case JOINT_LINE:
            writer_break(w);
            break;
        case JOINT_BLOCK:
            writer_begin(w, BLOCK_PARAGRAPH, 0);
        }
        line = next;
    }
    writer_end(w);
}

static void write_pages(struct writer *w, struct pages *p)
{
    if (!split(p) || !leave_out_repeated(p)) {
        writer_fail(w, RAG_MEMORY, "out of memory");
        return;
    }
    for (size_t i = 0; i < p->count && !w->status; i++) {
        writer_place(w, PLACE_PAGE, (uint32_t)i + 1, NULL);
        write_page(w, p, &p->pages[i]);
    }
    if (!w->status && w->document->block_count == 0)
        writer_fail(w, RAG_INPUT,
                    "a PDF without a text layer (scanned?), %zu pages; --ocr eng, or other "
                    "languages, has its text recognised",
                    p->count);
}

static rag_status read_pdf(const struct input *input, struct document *document,
                           rag_error *error)
{
    struct writer w;
    struct pages pages = {0};
    writer_init(&w, document, error);
    if (take_output(&w, input, &pages))
        write_pages(&w, &pages);
    pages_release(&pages);
    rag_status status = writer_finish(&w);
    /* The blocks again, now with headings. */
    document->block_count = 0;
    return status ? status : plain_read(document, error);
}

const struct reader pdf_reader = {"pdf", false, read_pdf};
