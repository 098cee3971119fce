/* SubRip (.srt) and WebVTT (.vtt): what is said, each cue with the time at which it begins.
 * Cues that follow each other are put into a paragraph until a sentence ends after some of
 * them. Captions that roll up show a line in several cues: it is taken once. */
#include "documents/lines.h"
#include "readers/charset.h"
#include "readers/reader.h"
#include "readers/writer.h"

#include <string.h>

enum {
    PARAGRAPH_CUES = 8,  /* after so many the next end of a sentence ends the paragraph, */
    PARAGRAPH_MOST = 24, /* after so many any cue does */
};

/* ---- Times ------------------------------------------------------------------ */

/* Reads a number of at most `most` digits; false: there is none. */
static bool read_digits(const char *text, size_t *at, size_t end, size_t most, uint32_t *number)
{
    size_t begin = *at;
    *number = 0;
    while (*at < end && *at - begin < most && text[*at] >= '0' && text[*at] <= '9')
        *number = *number * 10 + (uint32_t)(text[(*at)++] - '0');
    return *at > begin;
}

/* "01:02:03,456", "02:03.456": milliseconds. */
static bool read_time(const char *text, size_t *at, size_t end, uint32_t *time)
{
    uint32_t parts[3] = {0}, count = 0, fraction = 0;
    do {
        if (count == 3 || !read_digits(text, at, end, 3, &parts[count]))
            return false;
        count++;
    } while (*at < end && text[*at] == ':' && ++*at);
    if (*at < end && (text[*at] == ',' || text[*at] == '.')) {
        ++*at;
        if (!read_digits(text, at, end, 3, &fraction))
            return false;
    }
    if (count < 2)
        return false;
    uint32_t seconds =
        count == 3 ? parts[0] * 3600 + parts[1] * 60 + parts[2] : parts[0] * 60 + parts[1];
    *time = seconds * 1000 + fraction;
    return true;
}

/* "TIME --> TIME ...": from and to. */
static bool read_times(const char *text, size_t begin, size_t end, uint32_t times[2])
{
    size_t at = skip_blanks(text, begin, end);
    if (!read_time(text, &at, end, &times[0]))
        return false;
    at = skip_blanks(text, at, end);
    if (end - at < 3 || memcmp(text + at, "-->", 3) != 0)
        return false;
    at = skip_blanks(text, at + 3, end);
    return read_time(text, &at, end, &times[1]);
}

/* ---- Text ------------------------------------------------------------------- */

struct cues {
    struct writer *w;
    bool entities;         /* WebVTT writes "<" as "&lt;" */
    struct buf line, last; /* this one and the one before, without markup */
    unsigned count;        /* of the paragraph in hand */
    uint32_t times[2];     /* of the cue in hand */
    bool rolls;            /* it begins when the one before ends, and has no line yet */
};

/* Appends the character that "&name;" stands for, and returns the length of that; 0: none. */
static size_t append_entity(const char *text, size_t at, size_t end, struct buf *out)
{
    static const struct {
        const char *name, *text;
    } known[] = {{"&lt;", "<"}, {"&gt;", ">"}, {"&amp;", "&"},   {"&nbsp;", " "},
                 {"&lrm;", ""}, {"&rlm;", ""}, {"&quot;", "\""}, {"&#39;", "'"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        size_t n = strlen(known[i].name);
        if (end - at >= n && memcmp(text + at, known[i].name, n) == 0)
            return buf_append_text(out, known[i].text) ? n : 0;
    }
    return 0;
}

/* The line without tags: <i>, <v Roger>, {\an8}; false: out of memory. */
static bool strip(struct cues *c, const char *text, size_t begin, size_t end)
{
    buf_clear(&c->line);
    for (size_t at = skip_blanks(text, begin, end); at < end;) {
        char close = text[at] == '<'                                           ? '>'
                     : text[at] == '{' && at + 1 < end && text[at + 1] == '\\' ? '}'
                                                                               : 0;
        const char *stop = close ? memchr(text + at, close, end - at) : NULL;
        size_t entity =
            c->entities && text[at] == '&' ? append_entity(text, at, end, &c->line) : 0;
        if (stop)
            at = (size_t)(stop - text) + 1;
        else if (entity)
            at += entity;
        else if (!buf_append_char(&c->line, text[at++]))
            return false;
    }
    c->line.size = trim_end(c->line.data, 0, c->line.size);
    return true;
}

static void write_line(struct cues *c, const char *text, size_t begin, size_t end)
{
    if (!strip(c, text, begin, end)) {
        writer_fail(c->w, RAG_MEMORY, "out of memory");
        return;
    }
    bool again = c->rolls && c->line.size && c->line.size == c->last.size &&
                 memcmp(c->line.data, c->last.data, c->line.size) == 0;
    c->rolls = c->rolls && !c->line.size;
    if (again || !c->line.size)
        return;
    writer_text(c->w, c->line.data, c->line.size);
    writer_space(c->w);
    struct buf kept = c->last;
    c->last = c->line;
    c->line = kept;
}

static bool ends_sentence(const struct buf *text)
{
    size_t size = text->size;
    if (size && strchr(".?!", text->data[size - 1]))
        return true;
    return size >= 3 && (memcmp(text->data + size - 3, "。", 3) == 0 ||
                         memcmp(text->data + size - 3, "？", 3) == 0 ||
                         memcmp(text->data + size - 3, "！", 3) == 0);
}

/* Whether the block of lines at `at` is a note or a style of WebVTT. */
static bool is_aside(const char *text, size_t at, size_t end)
{
    static const char *const words[] = {"NOTE", "STYLE", "REGION", "WEBVTT"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        size_t n = strlen(words[i]);
        if (end - at >= n && memcmp(text + at, words[i], n) == 0 &&
            (end - at == n || is_blank_byte(text[at + n])))
            return true;
    }
    return false;
}

static void begin_cue(struct cues *c, const uint32_t times[2])
{
    bool full = c->count >= PARAGRAPH_MOST ||
                (c->count >= PARAGRAPH_CUES && ends_sentence(&c->w->document->text));
    if (full)
        writer_end(c->w);
    c->count = full ? 1 : c->count + 1;
    c->rolls = times[0] == c->times[1];
    memcpy(c->times, times, sizeof c->times);
    writer_place(c->w, PLACE_TIME, times[0], NULL);
}

static void write_cues(struct cues *c, const char *text, size_t size)
{
    bool in_cue = false, aside = false, after_blank = true;
    for (size_t at = 0; at < size && !c->w->status;) {
        size_t end = line_end(text, size, at);
        uint32_t times[2];
        if (is_blank(text, at, end)) {
            in_cue = aside = false;
            after_blank = true;
        } else if (!aside && read_times(text, at, end, times)) {
            begin_cue(c, times);
            in_cue = true;
            after_blank = false;
        } else if (in_cue) {
            write_line(c, text, at, end);
        } else if (after_blank) {
            aside = is_aside(text, at, end); /* else a cue's number or name */
            after_blank = false;
        }
        at = end + 1;
    }
}

static rag_status read_subtitles(const struct input *input, struct document *document,
                                 rag_error *error)
{
    struct writer w;
    struct buf text = BUF_INIT(DOCUMENT_MAX_BYTES);
    struct cues cues = {.w = &w,
                        .entities = strcmp(input->format, "vtt") == 0,
                        .line = BUF_INIT(DOCUMENT_MAX_BYTES),
                        .last = BUF_INIT(DOCUMENT_MAX_BYTES)};
    writer_init(&w, document, error);
    if (!charset_decode_unlabelled(input->bytes, input->size, &text) ||
        !buf_reserve(&text, 0) || !buf_reserve(&cues.line, 0) || !buf_reserve(&cues.last, 0)) {
        writer_fail(&w, RAG_MEMORY, "out of memory");
    } else {
        size_t mark = byte_order_mark(text.data, text.size);
        write_cues(&cues, text.data + mark, text.size - mark);
    }
    buf_release(&cues.line);
    buf_release(&cues.last);
    buf_release(&text);
    return writer_finish(&w);
}

const struct reader subtitles_reader = {"srt vtt", false, read_subtitles};
