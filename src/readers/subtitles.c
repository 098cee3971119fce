/* SubRip (.srt) and WebVTT (.vtt): what is said, each cue with the time at which it begins.
 * Cues that follow each other are put into a paragraph until a sentence ends after some of
 * them. */
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

/* "TIME --> TIME ...". */
static bool read_times(const char *text, size_t begin, size_t end, uint32_t *time)
{
    size_t at = skip_blanks(text, begin, end);
    uint32_t ignored;
    if (!read_time(text, &at, end, time))
        return false;
    at = skip_blanks(text, at, end);
    if (end - at < 3 || memcmp(text + at, "-->", 3) != 0)
        return false;
    at = skip_blanks(text, at + 3, end);
    return read_time(text, &at, end, &ignored);
}

/* ---- Text ------------------------------------------------------------------- */

/* A line without tags: <i>, <v Roger>, {\an8}. */
static void write_line(struct writer *w, const char *text, size_t begin, size_t end)
{
    for (size_t at = begin; at < end;) {
        char close = text[at] == '<'                                           ? '>'
                     : text[at] == '{' && at + 1 < end && text[at + 1] == '\\' ? '}'
                                                                               : 0;
        const char *stop = close ? memchr(text + at, close, end - at) : NULL;
        if (stop) {
            at = (size_t)(stop - text) + 1;
            continue;
        }
        size_t next = at + 1;
        while (next < end && text[next] != '<' && text[next] != '{')
            next++;
        writer_text(w, text + at, next - at);
        at = next;
    }
    writer_space(w);
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

static void write_cues(struct writer *w, const char *text, size_t size)
{
    unsigned cues = 0;
    bool in_cue = false, aside = false, after_blank = true;
    for (size_t at = 0; at < size && !w->status;) {
        size_t end = line_end(text, size, at);
        uint32_t time;
        if (is_blank(text, at, end)) {
            in_cue = aside = false;
            after_blank = true;
        } else if (!aside && read_times(text, at, end, &time)) {
            bool full = cues >= PARAGRAPH_MOST ||
                        (cues >= PARAGRAPH_CUES && ends_sentence(&w->document->text));
            if (full)
                writer_end(w);
            cues = full ? 1 : cues + 1;
            writer_place(w, PLACE_TIME, time, NULL);
            in_cue = true;
            after_blank = false;
        } else if (in_cue) {
            write_line(w, text, at, end);
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
    writer_init(&w, document, error);
    if (!charset_decode_unlabelled(input->bytes, input->size, &text) ||
        !buf_reserve(&text, 0)) {
        writer_fail(&w, RAG_MEMORY, "out of memory");
    } else {
        size_t mark = byte_order_mark(text.data, text.size);
        write_cues(&w, text.data + mark, text.size - mark);
    }
    buf_release(&text);
    return writer_finish(&w);
}

const struct reader subtitles_reader = {"srt vtt", false, read_subtitles};
