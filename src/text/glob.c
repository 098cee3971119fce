/* All states of the pattern are followed at once, so that no pattern takes long. */
#include "text/glob.h"
#include "base/memory.h"
#include "text/utf8.h"

#include <string.h>

enum kind { CHARACTER, ANY, SET, OTHERS, STAR, REST, FOLDERS };

struct glob_range {
    int32_t first, last;
};

struct glob_step {
    enum kind kind;
    int32_t character;
    size_t first_range, range_count; /* SET, OTHERS */
};

/* The character at the front, and its bytes; of a byte that is none, a number that no
 * character has. */
static int32_t character_at(const char *text, size_t size, size_t *bytes)
{
    int32_t code = utf8_decode(text, size, bytes);
    return code >= 0 ? code : -1 - (unsigned char)*text;
}

/* ---- Parsing ---- */

struct parser {
    const char *pattern;
    size_t size, at;
    struct glob *glob;
};

static bool next_is(const struct parser *p, const char *text)
{
    size_t size = strlen(text);
    return p->size - p->at >= size && memcmp(p->pattern + p->at, text, size) == 0;
}

/* The next character, with a backslash before it left out; false: there is none. */
static bool take_character(struct parser *p, int32_t *code)
{
    p->at += next_is(p, "\\");
    if (p->at >= p->size)
        return false;
    size_t bytes;
    *code = character_at(p->pattern + p->at, p->size - p->at, &bytes);
    p->at += bytes;
    return true;
}

/* Behind "[". A "]" that stands first is one of the characters. */
static bool take_set(struct parser *p, struct glob_step *step)
{
    step->kind = next_is(p, "!") || next_is(p, "^") ? OTHERS : SET;
    p->at += step->kind == OTHERS;
    step->first_range = p->glob->range_count;
    do {
        struct glob_range range;
        if (!take_character(p, &range.first))
            return false;
        range.last = range.first;
        if (next_is(p, "-") && p->at + 1 < p->size && p->pattern[p->at + 1] != ']') {
            p->at++;
            if (!take_character(p, &range.last))
                return false;
        }
        p->glob->ranges[p->glob->range_count++] = range;
        step->range_count++;
    } while (p->at < p->size && !next_is(p, "]"));
    p->at++;
    return p->at <= p->size;
}

static bool take_step(struct parser *p, struct glob_step *step)
{
    bool folder_start = p->at == 0 || p->pattern[p->at - 1] == '/';
    *step = (struct glob_step){.kind = CHARACTER};
    if (folder_start && next_is(p, "**/")) {
        step->kind = FOLDERS;
        p->at += 3;
    } else if (next_is(p, "**")) {
        step->kind = REST;
        p->at += 2;
    } else if (next_is(p, "*") || next_is(p, "?")) {
        step->kind = p->pattern[p->at++] == '*' ? STAR : ANY;
    } else if (next_is(p, "[")) {
        p->at++;
        return take_set(p, step);
    } else {
        return take_character(p, &step->character);
    }
    return true;
}

void glob_release(struct glob *glob)
{
    free(glob->steps);
    free(glob->ranges);
    free(glob->states);
    *glob = (struct glob){0};
}

rag_status glob_parse(const char *pattern, struct glob *out, rag_error *error)
{
    size_t size = strnlen(pattern, GLOB_MAX + 1);
    *out = (struct glob){.pattern = pattern, .anywhere = *pattern != '/'};
    if (!size || size > GLOB_MAX)
        return fail_with(error, RAG_USAGE, "a pattern for paths has 1 to %d bytes", GLOB_MAX);
    struct parser parser = {.pattern = pattern, .size = size, .glob = out};
    out->steps = alloc_array(size + 1, sizeof *out->steps);
    out->ranges = alloc_array(size, sizeof *out->ranges);
    out->states = alloc_array(2, size + 2);
    if (!out->steps || !out->ranges || !out->states) {
        glob_release(out);
        return fail_memory(error);
    }
    while (parser.at < size) {
        if (!take_step(&parser, &out->steps[out->count++])) {
            glob_release(out);
            return fail_with(error, RAG_USAGE,
                             "the pattern \"%s\" has a \"[\" without \"]\", or a \"\\\" at its "
                             "end",
                             pattern);
        }
    }
    if (pattern[size - 1] == '/')
        out->steps[out->count++] = (struct glob_step){.kind = REST};
    return RAG_OK;
}

/* ---- Matching ---- */

/* What a step can be in: not reached, reached, or (FOLDERS) inside a folder's name, from where
 * only a slash leads on. */
enum { REACHED = 1, INSIDE = 2 };

static bool can_be_empty(const struct glob_step *step)
{
    return step->kind == STAR || step->kind == REST || step->kind == FOLDERS;
}

static void reach(const struct glob *glob, unsigned char *states, size_t i)
{
    states[i] |= REACHED;
    while (i < glob->count && can_be_empty(&glob->steps[i]))
        states[++i] |= REACHED;
}

static bool in_set(const struct glob *glob, const struct glob_step *step, int32_t c)
{
    const struct glob_range *ranges = glob->ranges + step->first_range;
    for (size_t i = 0; i < step->range_count; i++)
        if (c >= ranges[i].first && c <= ranges[i].last)
            return true;
    return false;
}

static void advance(const struct glob *glob, size_t i, int32_t c, unsigned char *next)
{
    const struct glob_step *step = &glob->steps[i];
    bool leads_on = false;
    switch (step->kind) {
    case CHARACTER:
        leads_on = c == step->character;
        break;
    case ANY:
        leads_on = c != '/';
        break;
    case SET:
    case OTHERS:
        leads_on = c != '/' && in_set(glob, step, c) == (step->kind == SET);
        break;
    case STAR:
    case REST:
        if (c != '/' || step->kind == REST)
            reach(glob, next, i);
        break;
    case FOLDERS:
        next[i] |= INSIDE;
        leads_on = c == '/';
        break;
    }
    if (leads_on)
        reach(glob, next, i + 1);
}

bool glob_matches(const struct glob *glob, const char *path, size_t size)
{
    unsigned char *now = glob->states, *next = glob->states + glob->count + 1;
    memset(now, 0, glob->count + 1);
    reach(glob, now, 0);
    for (size_t at = 0, bytes; at < size; at += bytes) {
        int32_t c = character_at(path + at, size - at, &bytes);
        memset(next, 0, glob->count + 1);
        for (size_t i = 0; i < glob->count; i++)
            if (now[i])
                advance(glob, i, c, next);
        if (glob->anywhere && c == '/')
            reach(glob, next, 0);
        unsigned char *swapped = now;
        now = next;
        next = swapped;
    }
    return now[glob->count] & REACHED;
}
