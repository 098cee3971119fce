/* The patterns of .gitignore files.
 *
 * A line is a pattern; "#" begins a comment; trailing spaces are dropped unless escaped.
 * "!" in front re-includes; "/" at the end means folders only; a "/" anywhere else ties
 * the pattern to the file's own folder, without one it is compared with the last part of
 * the path. "*", "?" and "[...]" never match a slash; "**" followed by a slash (at the
 * start or after one) matches any number of folders, also none; a final slash and "**"
 * match all that is below. Characters are bytes, as they are for git.
 *
 * A pattern becomes a list of steps, and matching runs all alternatives side by side (the
 * set of steps that the path may have reached): the time is bounded by pattern size times
 * path size, where a matcher that goes back on failure takes exponential time on
 * patterns such as "a*a*a*a*b". */
#include "documents/gitignore.h"
#include "base/file.h"
#include "base/memory.h"

#include <string.h>

enum step_kind {
    STEP_BYTE,    /* one given byte */
    STEP_ANY,     /* "?" */
    STEP_SET,     /* "[...]" */
    STEP_STAR,    /* any bytes but slashes */
    STEP_FOLDERS, /* two stars and a slash: nothing, or bytes that end in a slash */
    STEP_REST,    /* any bytes */
};

struct step {
    enum step_kind kind;
    unsigned char byte;
    unsigned char members[32]; /* of STEP_SET: a bit a byte; slash is never one */
};

struct ignore_pattern {
    char *folder;
    struct step *steps;
    size_t step_count;
    bool negated, directory_only, whole_path;
};

/* ---- Parsing ---------------------------------------------------------------- */

static void pattern_release(struct ignore_pattern *p)
{
    free(p->folder);
    free(p->steps);
}

void gitignore_truncate(struct gitignore *list, size_t count)
{
    while (list->count > count)
        pattern_release(&list->patterns[--list->count]);
}

void gitignore_release(struct gitignore *list)
{
    gitignore_truncate(list, 0);
    free(list->patterns);
    *list = (struct gitignore){0};
}

static bool in_class(const char *name, size_t size, unsigned char c)
{
    bool lower = c >= 'a' && c <= 'z', upper = c >= 'A' && c <= 'Z';
    bool digit = c >= '0' && c <= '9', graph = c > 0x20 && c < 0x7F;
    const struct {
        const char *name;
        bool member;
    } classes[] = {
        {"alnum", lower || upper || digit},
        {"alpha", lower || upper},
        {"blank", c == ' ' || c == '\t'},
        {"cntrl", c < 0x20 || c == 0x7F},
        {"digit", digit},
        {"graph", graph},
        {"lower", lower},
        {"print", graph || c == ' '},
        {"punct", graph && !(lower || upper || digit)},
        {"space", c == ' ' || (c >= '\t' && c <= '\r')},
        {"upper", upper},
        {"xdigit", digit || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')},
    };
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strlen(classes[i].name) == size && memcmp(classes[i].name, name, size) == 0)
            return classes[i].member;
    return false;
}

static bool is_class(const char *name, size_t size)
{
    for (unsigned c = 0; c < 128; c++)
        if (in_class(name, size, (unsigned char)c))
            return true;
    return false;
}

static void set_add(struct step *step, unsigned c)
{
    step->members[c / 8] |= (unsigned char)(1u << c % 8);
}

static bool set_has(const struct step *step, unsigned char c)
{
    return step->members[c / 8] >> c % 8 & 1;
}

/* Reads one member of a set, perhaps escaped. False: the pattern ends too early. */
static bool set_byte(const char *p, size_t size, size_t *at, unsigned char *byte)
{
    if (*at < size && p[*at] == '\\')
        (*at)++;
    if (*at >= size)
        return false;
    *byte = (unsigned char)p[(*at)++];
    return true;
}

/* Reads "[...]" from after the bracket; *at comes behind the closing one. False: it is
 * malformed, and the pattern matches nothing. */
static bool parse_set(const char *p, size_t size, size_t *at, struct step *step)
{
    step->kind = STEP_SET;
    bool inverted = *at < size && (p[*at] == '!' || p[*at] == '^');
    *at += inverted;
    unsigned char previous = 0;
    for (bool first = true; first || (*at < size && p[*at] != ']'); first = false) {
        if (*at >= size)
            return false;
        if (*at + 1 < size && p[*at] == '[' && p[*at + 1] == ':') {
            size_t name = *at + 2;
            const char *close = memchr(p + name, ']', size - name);
            if (!close)
                return false;
            size_t n = (size_t)(close - p) - name;
            if (n >= 1 && p[name + n - 1] == ':') {
                if (!is_class(p + name, n - 1))
                    return false;
                for (unsigned c = 0; c < 128; c++)
                    if (in_class(p + name, n - 1, (unsigned char)c))
                        set_add(step, c);
                *at = name + n + 1;
                previous = 0;
                continue;
            }
        }
        unsigned char byte;
        if (p[*at] == '-' && previous && *at + 1 < size && p[*at + 1] != ']') {
            (*at)++;
            if (!set_byte(p, size, at, &byte))
                return false;
            for (unsigned c = previous; c <= byte; c++)
                set_add(step, c);
            previous = 0;
            continue;
        }
        if (!set_byte(p, size, at, &byte))
            return false;
        set_add(step, byte);
        previous = byte;
    }
    if (*at >= size)
        return false;
    (*at)++;
    for (size_t i = 0; inverted && i < sizeof step->members; i++)
        step->members[i] = (unsigned char)~step->members[i];
    step->members['/' / 8] &= (unsigned char)~(1u << '/' % 8);
    return true;
}

/* Two or more stars are more than one only as a whole part of the path. */
static void parse_stars(const char *p, size_t size, size_t *at, struct step *step)
{
    size_t from = *at;
    while (*at < size && p[*at] == '*')
        (*at)++;
    step->kind = STEP_STAR;
    if (*at - from < 2 || (from > 0 && p[from - 1] != '/'))
        return;
    if (*at == size) {
        step->kind = STEP_REST;
    } else if (p[*at] == '/') {
        step->kind = STEP_FOLDERS;
        (*at)++;
    }
}

/* False: the pattern is malformed and can match nothing. */
static bool parse_steps(const char *p, size_t size, struct ignore_pattern *out)
{
    for (size_t at = 0; at < size;) {
        struct step *step = &out->steps[out->step_count];
        *step = (struct step){.kind = STEP_BYTE, .byte = (unsigned char)p[at]};
        if (p[at] == '*') {
            parse_stars(p, size, &at, step);
        } else if (p[at] == '?') {
            step->kind = STEP_ANY;
            at++;
        } else if (p[at] == '[') {
            at++;
            if (!parse_set(p, size, &at, step))
                return false;
        } else {
            if (p[at] == '\\' && ++at == size)
                return false;
            step->byte = (unsigned char)p[at++];
        }
        out->step_count++;
    }
    return true;
}

static size_t without_trailing_spaces(const char *line, size_t size)
{
    size_t end = 0;
    for (size_t i = 0; i < size; i++) {
        if (line[i] == '\\' && i + 1 < size)
            i++;
        else if (line[i] == ' ')
            continue;
        end = i + 1;
    }
    return end;
}

static rag_status add_line(struct gitignore *list, const char *folder, const char *line,
                           size_t size, rag_error *error)
{
    size = without_trailing_spaces(line, size);
    if (size == 0 || line[0] == '#' || size > GITIGNORE_MAX_PATTERN || memchr(line, 0, size))
        return RAG_OK;
    struct ignore_pattern p = {.negated = line[0] == '!'};
    if (p.negated)
        line++, size--;
    if (size && line[size - 1] == '/')
        p.directory_only = true, size--;
    p.whole_path = size && memchr(line, '/', size);
    if (size && line[0] == '/')
        line++, size--;
    if (size == 0)
        return RAG_OK;
    p.folder = strdup(folder);
    p.steps = alloc_array(size, sizeof *p.steps);
    if (!p.folder || !p.steps ||
        !array_reserve(&list->patterns, &list->capacity, list->count + 1,
                       sizeof *list->patterns)) {
        pattern_release(&p);
        return fail_memory(error);
    }
    if (!parse_steps(line, size, &p)) {
        pattern_release(&p);
        return RAG_OK;
    }
    struct step *fitted = realloc(p.steps, p.step_count * sizeof *p.steps);
    if (fitted)
        p.steps = fitted;
    list->patterns[list->count++] = p;
    return RAG_OK;
}

rag_status gitignore_add(struct gitignore *list, const char *folder, const char *bytes,
                         size_t size, rag_error *error)
{
    size_t at = size >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    while (at < size) {
        const char *newline = memchr(bytes + at, '\n', size - at);
        size_t end = newline ? (size_t)(newline - bytes) : size;
        size_t line_size = end - at;
        if (newline && line_size && bytes[end - 1] == '\r')
            line_size--;
        rag_status status = add_line(list, folder, bytes + at, line_size, error);
        if (status)
            return status;
        at = end + 1;
    }
    return RAG_OK;
}

rag_status gitignore_load(struct gitignore *list, const char *folder, const char *path,
                          rag_error *error)
{
    if (!path_is_file(path))
        return RAG_OK;
    struct buf bytes = BUF_INIT(GITIGNORE_MAX_FILE);
    rag_status status = file_read(path, &bytes, error);
    if (!status && bytes.size)
        status = gitignore_add(list, folder, bytes.data, bytes.size, error);
    buf_release(&bytes);
    return status;
}

/* ---- Matching --------------------------------------------------------------- */

/* What a step can be in: not reached, reached, or (STEP_FOLDERS) inside a folder's name,
 * from where only a slash leads on. */
enum { REACHED = 1, INSIDE = 2 };

static void reach(const struct ignore_pattern *p, unsigned char *states, size_t i)
{
    for (;; i++) {
        states[i] |= REACHED;
        if (i == p->step_count ||
            (p->steps[i].kind != STEP_STAR && p->steps[i].kind != STEP_FOLDERS &&
             p->steps[i].kind != STEP_REST))
            return;
    }
}

static void advance(const struct ignore_pattern *p, size_t i, unsigned state, unsigned char c,
                    unsigned char *next)
{
    const struct step *step = &p->steps[i];
    switch (step->kind) {
    case STEP_BYTE:
        if (c == step->byte)
            reach(p, next, i + 1);
        break;
    case STEP_ANY:
        if (c != '/')
            reach(p, next, i + 1);
        break;
    case STEP_SET:
        if (set_has(step, c))
            reach(p, next, i + 1);
        break;
    case STEP_STAR:
        if (c != '/')
            reach(p, next, i);
        break;
    case STEP_FOLDERS:
        next[i] |= INSIDE;
        if (c == '/' && state)
            reach(p, next, i + 1);
        break;
    case STEP_REST:
        reach(p, next, i);
        break;
    }
}

/* `now` and `next` have step_count + 1 places. */
static bool pattern_matches(const struct ignore_pattern *p, const char *text,
                            unsigned char *now, unsigned char *next)
{
    memset(now, 0, p->step_count + 1);
    reach(p, now, 0);
    for (; *text; text++) {
        memset(next, 0, p->step_count + 1);
        bool alive = false;
        for (size_t i = 0; i < p->step_count; i++) {
            if (!now[i])
                continue;
            alive = true;
            advance(p, i, now[i], (unsigned char)*text, next);
        }
        if (!alive)
            return false;
        unsigned char *swapped = now;
        now = next;
        next = swapped;
    }
    return now[p->step_count] & REACHED;
}

/* The part of the path below the pattern's folder, NULL if it is not there. */
static const char *below(const char *path, const char *folder)
{
    size_t n = strlen(folder);
    return strncmp(path, folder, n) == 0 && path[n] == '/' ? path + n + 1 : NULL;
}

rag_status gitignore_excludes(const struct gitignore *list, const char *path, bool is_directory,
                              bool *excluded, rag_error *error)
{
    *excluded = false;
    unsigned char *states = alloc_array(2, GITIGNORE_MAX_PATTERN + 1);
    if (!states)
        return fail_memory(error);
    for (size_t i = list->count; i-- > 0;) {
        const struct ignore_pattern *p = &list->patterns[i];
        const char *relative = below(path, p->folder);
        if (!relative || (p->directory_only && !is_directory))
            continue;
        if (!p->whole_path)
            relative = path_name(relative);
        if (pattern_matches(p, relative, states, states + GITIGNORE_MAX_PATTERN + 1)) {
            *excluded = !p->negated;
            break;
        }
    }
    free(states);
    return RAG_OK;
}
