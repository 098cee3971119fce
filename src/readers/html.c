/* HTML: the tree is gumbo's (the parsing of the HTML standard); what of it is content is said
 * in html_content.c. */
#include "readers/html.h"
#include "documents/lines.h"
#include "readers/charset.h"
#include "readers/html_content.h"
#include "readers/reader.h"

#include <gumbo.h>
#include <string.h>
#include <strings.h>

enum {
    MAX_DEPTH = 4096,      /* elements in elements; gumbo's time grows with its square */
    CHARSET_WITHIN = 4096, /* bytes in which a page says its character set */
    ARENA_BLOCK = 1 << 20,
};

/* ---- Memory ----------------------------------------------------------------- */

/* gumbo's memory, given back as a whole: its own destructor is recursive, and a page can be
 * made deep. */
struct arena {
    struct arena_block {
        struct arena_block *next;
        size_t used, size;
        _Alignas(16) char data[];
    } * blocks;
};

static void *arena_take(void *user, size_t size)
{
    struct arena *arena = user;
    struct arena_block *block = arena->blocks;
    size = (size + 15) & ~(size_t)15;
    if (!block || block->size - block->used < size) {
        size_t room = size > ARENA_BLOCK ? size : ARENA_BLOCK;
        block = malloc(sizeof *block + room);
        if (!block)
            return NULL;
        *block = (struct arena_block){.next = arena->blocks, .size = room};
        arena->blocks = block;
    }
    void *taken = block->data + block->used;
    block->used += size;
    return taken;
}

static void arena_leave(void *user, void *memory)
{
    (void)user, (void)memory;
}

static void arena_release(struct arena *arena)
{
    while (arena->blocks) {
        struct arena_block *next = arena->blocks->next;
        free(arena->blocks);
        arena->blocks = next;
    }
}

/* ---- Character set ---------------------------------------------------------- */

/* "<meta charset=x>" or "<meta ... content='text/html; charset=x'>", or XML's encoding="x". */
static const char *declared_charset(const char *bytes, size_t size)
{
    static const char *const words[] = {"charset=", "encoding="};
    size_t within = size < CHARSET_WITHIN ? size : CHARSET_WITHIN;
    for (size_t i = 0; i + 9 < within; i++)
        for (size_t k = 0; k < sizeof words / sizeof *words; k++) {
            size_t n = strlen(words[k]);
            if (strncasecmp(bytes + i, words[k], n) != 0)
                continue;
            size_t begin = i + n;
            while (begin < within && (bytes[begin] == '"' || bytes[begin] == '\''))
                begin++;
            size_t end = begin;
            while (end < within && !strchr("\"' />;?\t\r\n", bytes[end]))
                end++;
            const char *charset = charset_of_label(bytes + begin, end - begin);
            /* A page in which this can be read is not in UTF-16. */
            if (charset)
                return strncmp(charset, "UTF-16", 6) == 0 ? "UTF-8" : charset;
        }
    return NULL;
}

static bool decode(const char *bytes, size_t size, const char *charset, struct buf *out)
{
    if (byte_order_mark(bytes, size) ||
        (size >= 2 && (memcmp(bytes, "\xFF\xFE", 2) == 0 || memcmp(bytes, "\xFE\xFF", 2) == 0)))
        charset = NULL;
    else if (!charset)
        charset = declared_charset(bytes, size);
    return charset ? charset_decode(charset, bytes, size, out)
                   : charset_decode_unlabelled(bytes, size, out);
}

/* ---- Depth ------------------------------------------------------------------ */

static bool is_void_or_open(const char *name, size_t size)
{
    /* Elements without an end, or whose end may be left out. */
    static const char *const names[] = {
        "area",  "base",   "br",    "col",   "embed", "hr",   "img",  "input", "link",   "meta",
        "param", "source", "track", "wbr",   "p",     "li",   "dt",   "dd",    "option", "tr",
        "td",    "th",     "thead", "tbody", "tfoot", "html", "head", "body",  "rt",     "rp"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (strlen(names[i]) == size && strncasecmp(name, names[i], size) == 0)
            return true;
    return false;
}

/* More tags are opened than closed: about how deep the tree will be. */
static bool is_too_deep(const char *text, size_t size)
{
    long depth = 0;
    for (const char *at = text, *end = text + size;
         (at = memchr(at, '<', (size_t)(end - at)));) {
        at++;
        bool closes = at < end && *at == '/';
        const char *name = at + closes;
        size_t n = 0;
        while (name + n < end && ((name[n] | 32) >= 'a') && ((name[n] | 32) <= 'z'))
            n++;
        if (n == 0 || is_void_or_open(name, n))
            continue;
        depth += closes ? (depth > 0 ? -1 : 0) : 1;
        if (depth > MAX_DEPTH)
            return true;
        /* "<a/>" of XHTML closes itself. */
        const char *stop = memchr(at, '>', (size_t)(end - at));
        if (stop && stop[-1] == '/' && !closes)
            depth--;
    }
    return false;
}

/* ---- The page --------------------------------------------------------------- */

void html_write(struct writer *w, const char *bytes, size_t size, const char *charset,
                struct buf *title)
{
    struct buf text = BUF_INIT(DOCUMENT_MAX_BYTES);
    struct arena arena = {0};
    if (!buf_reserve(&text, 0) || !decode(bytes, size, charset, &text)) {
        writer_fail(w, RAG_MEMORY, "out of memory");
    } else if (is_too_deep(text.data, text.size)) {
        writer_fail(w, RAG_INPUT, "HTML with elements more than %d deep", MAX_DEPTH);
    } else {
        GumboOptions options = kGumboDefaultOptions;
        options.allocator = arena_take;
        options.deallocator = arena_leave;
        options.userdata = &arena;
        options.max_errors = 0;
        GumboOutput *tree = gumbo_parse_with_options(&options, text.data, text.size);
        if (tree && tree->root)
            html_content(w, tree->root, title);
        else
            writer_fail(w, RAG_INPUT, "HTML that cannot be parsed");
    }
    arena_release(&arena);
    buf_release(&text);
}

static rag_status read_html(const struct input *input, struct document *document,
                            rag_error *error)
{
    struct writer w;
    writer_init(&w, document, error);
    html_write(&w, input->bytes, input->size, NULL, NULL);
    return writer_finish(&w);
}

const struct reader html_reader = {"html", false, read_html};
