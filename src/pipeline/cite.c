#include "pipeline/cite.h"
#include "base/memory.h"

#include <string.h>

enum { HELD_MAX = 64, ANSWER_MAX = 16 << 20 };

static const char wide_open[] = "\xe3\x80\x90", wide_close[] = "\xe3\x80\x91"; /* 【 】 */

size_t marker_size(size_t number)
{
    size_t size = sizeof "[]";
    while (number /= 10)
        size++;
    return size;
}

static int by_position(const void *a, const void *b)
{
    size_t x = ((const struct marker *)a)->position, y = ((const struct marker *)b)->position;
    return (x > y) - (x < y);
}

const struct marker *marker_find(const struct marker *markers, size_t count, size_t position)
{
    struct marker key = {.position = position};
    return count ? bsearch(&key, markers, count, sizeof key, by_position) : NULL;
}

void citer_init(struct citer *citer, size_t passages, rag_text_fn on_text, void *user)
{
    *citer = (struct citer){.passages = passages,
                            .on_text = on_text,
                            .user = user,
                            .text = BUF_INIT((size_t)ANSWER_MAX),
                            .held = BUF_INIT((size_t)HELD_MAX)};
}

void citer_release(struct citer *citer)
{
    buf_release(&citer->text);
    buf_release(&citer->held);
    free(citer->markers);
    citer->markers = NULL;
}

static bool emit(struct citer *citer, const char *text, size_t size)
{
    if (!size)
        return true;
    if (!buf_append(&citer->text, text, size)) {
        citer->out_of_memory = true;
        return false;
    }
    if (citer->on_text && citer->on_text((rag_text){text, size}, citer->user)) {
        citer->stopped = true;
        return false;
    }
    return true;
}

static bool emit_marker(struct citer *citer, size_t number)
{
    if (number < 1 || number > citer->passages) {
        citer->dropped++;
        return true;
    }
    if (!array_reserve(&citer->markers, &citer->marker_capacity, citer->marker_count + 1,
                       sizeof *citer->markers)) {
        citer->out_of_memory = true;
        return false;
    }
    citer->markers[citer->marker_count++] = (struct marker){number, citer->text.size};
    struct buf marker = BUF_INIT(32);
    bool good = buf_printf(&marker, "[%zu]", number);
    citer->out_of_memory |= !good;
    good = good && emit(citer, marker.data, marker.size);
    buf_release(&marker);
    return good;
}

static size_t bracket_size(const char *text, size_t size, char narrow, const char *wide)
{
    if (size && text[0] == narrow)
        return 1;
    return size >= 3 && memcmp(text, wide, 3) == 0 ? 3 : 0;
}

/* Separators between numbers: , ; space 、 ， ； */
static size_t separator_size(const char *text, size_t size)
{
    static const char *const wide[] = {"\xe3\x80\x81", "\xef\xbc\x8c", "\xef\xbc\x9b"};
    if (size && (text[0] == ',' || text[0] == ';' || text[0] == ' '))
        return 1;
    for (size_t i = 0; i < 3; i++)
        if (size >= 3 && memcmp(text, wide[i], 3) == 0)
            return 3;
    return 0;
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Reads held text as a marker. Returns 1 if it is one, 0 if it may become one, -1 if not. */
static int scan_marker(const char *text, size_t size, size_t *numbers, size_t *count)
{
    enum { MOST_DIGITS = 6 };
    size_t at = bracket_size(text, size, '[', wide_open);
    *count = 0;
    for (bool after_number = false; at < size;) {
        size_t step = bracket_size(text + at, size - at, ']', wide_close);
        if (step)
            return after_number && at + step == size ? 1 : -1;
        if (is_digit(text[at])) {
            size_t value = 0, digits = 0;
            for (; at < size && is_digit(text[at]); at++, digits++)
                value = value * 10 + (size_t)(text[at] - '0');
            if (digits > MOST_DIGITS || (after_number && *count == 0))
                return -1;
            numbers[(*count)++] = value;
            after_number = true;
            continue;
        }
        step = separator_size(text + at, size - at);
        if (!step || !after_number)
            return -1;
        at += step;
    }
    return 0;
}

static bool release_held(struct citer *citer)
{
    bool good = emit(citer, citer->held.data, citer->held.size);
    buf_clear(&citer->held);
    return good;
}

/* One character of the answer. */
static bool feed_character(struct citer *citer, const char *text, size_t size)
{
    size_t numbers[HELD_MAX], count;
    bool opens = bracket_size(text, size, '[', wide_open) == size;
    if (citer->held.size) {
        if (opens || citer->held.size + size > HELD_MAX) {
            if (!release_held(citer))
                return false;
        } else {
            if (!buf_append(&citer->held, text, size)) {
                citer->out_of_memory = true;
                return false;
            }
            int marker = scan_marker(citer->held.data, citer->held.size, numbers, &count);
            if (marker == 0)
                return true;
            if (marker < 0)
                return release_held(citer);
            buf_clear(&citer->held);
            for (size_t i = 0; i < count; i++)
                if (!emit_marker(citer, numbers[i]))
                    return false;
            return true;
        }
    }
    if (opens && !citer->in_code) {
        if (buf_append(&citer->held, text, size))
            return true;
        citer->out_of_memory = true;
        return false;
    }
    return emit(citer, text, size);
}

/* The bytes of the character at text[at], as far as they are there. */
static size_t character_size(const char *text, size_t size, size_t at)
{
    size_t end = at + 1;
    while (end < size && ((unsigned char)text[end] & 0xc0) == 0x80)
        end++;
    return end - at;
}

bool citer_feed(struct citer *citer, rag_text piece)
{
    for (size_t at = 0; at < piece.size;) {
        /* What cannot begin a marker goes out in one piece. */
        size_t plain = at;
        while (plain < piece.size && !citer->held.size && piece.data[plain] != '`' &&
               (citer->in_code || (piece.data[plain] != '[' && piece.data[plain] != '\xe3')))
            plain++;
        if (plain > at) {
            if (!emit(citer, piece.data + at, plain - at))
                return false;
            at = plain;
            continue;
        }
        /* A run of backquotes opens or closes code; runs of any length toggle alike, also
         * those that the stream cuts in two. */
        if (piece.data[at] == '`') {
            size_t run = at;
            while (run < piece.size && piece.data[run] == '`')
                run++;
            bool goes_on = !citer->held.size && citer->text.size &&
                           citer->text.data[citer->text.size - 1] == '`';
            bool good = (!citer->held.size || release_held(citer)) &&
                        emit(citer, piece.data + at, run - at);
            if (!good)
                return false;
            citer->in_code ^= !goes_on;
            at = run;
            continue;
        }
        size_t size = character_size(piece.data, piece.size, at);
        if (!feed_character(citer, piece.data + at, size))
            return false;
        at += size;
    }
    return true;
}

bool citer_finish(struct citer *citer)
{
    return !citer->held.size || release_held(citer);
}
