/* The content of a page: what is in its <main> (or role="main", or its only <article>), else in
 * its body; in either without scripts, navigation, what is hidden, and form controls. If
 * nothing is left, say because the page is a table of contents, marks of navigation are
 * disregarded.
 *
 * No function here is recursive: a page can be made as deep as it is long. */
#include "readers/html_content.h"

#include <string.h>
#include <strings.h>

enum {
    MAX_LISTS = 64,       /* nested ones that are counted */
    MAX_SPAN = 64,        /* columns of a cell */
    MIN_ALTERNATIVE = 20, /* bytes; shorter texts of images are about icons */
};

struct walk {
    struct writer *w;
    const GumboNode *root;
    const GumboNode *table; /* the data table that is open */
    const GumboNode *code;  /* the <pre> that is open */
    unsigned quotes, lists;
    unsigned counters[MAX_LISTS + 1]; /* of ordered lists; 0: unordered */
    bool keep_navigation;
};

/* ---- The tree --------------------------------------------------------------- */

static const GumboVector *children_of(const GumboNode *node)
{
    if (node->type == GUMBO_NODE_ELEMENT || node->type == GUMBO_NODE_TEMPLATE)
        return &node->v.element.children;
    return node->type == GUMBO_NODE_DOCUMENT ? &node->v.document.children : NULL;
}

static const GumboNode *child(const GumboNode *node, size_t i)
{
    const GumboVector *children = children_of(node);
    return children && i < children->length ? children->data[i] : NULL;
}

/* The next node in the order of the page that is not below this one; NULL: `root` is over. */
static const GumboNode *next_after(const GumboNode *node, const GumboNode *root)
{
    while (node != root) {
        const GumboNode *next = child(node->parent, node->index_within_parent + 1);
        if (next)
            return next;
        node = node->parent;
    }
    return NULL;
}

static const GumboNode *next_of(const GumboNode *node, const GumboNode *root)
{
    const GumboNode *below = child(node, 0);
    return below ? below : next_after(node, root);
}

static GumboTag tag_of(const GumboNode *node)
{
    return node->type == GUMBO_NODE_ELEMENT || node->type == GUMBO_NODE_TEMPLATE
               ? node->v.element.tag
               : GUMBO_TAG_UNKNOWN;
}

static const char *attribute(const GumboNode *node, const char *name)
{
    if (node->type != GUMBO_NODE_ELEMENT)
        return NULL;
    const GumboAttribute *found = gumbo_get_attribute(&node->v.element.attributes, name);
    return found ? found->value : NULL;
}

static bool has(const GumboNode *node, const char *name, const char *value)
{
    const char *found = attribute(node, name);
    return found && strcasecmp(found, value) == 0;
}

static const char *text_of(const GumboNode *node)
{
    switch (node->type) {
    case GUMBO_NODE_TEXT:
    case GUMBO_NODE_WHITESPACE:
    case GUMBO_NODE_CDATA:
        return node->v.text.text;
    default:
        return NULL;
    }
}

/* ---- What is no content ----------------------------------------------------- */

static bool in_list(const char *const *list, size_t count, const char *word, size_t size)
{
    for (size_t i = 0; i < count; i++)
        if (strlen(list[i]) == size && strncasecmp(list[i], word, size) == 0)
            return true;
    return false;
}

/* One of the words in a class or id is a name that generators of pages give to navigation. */
static bool is_named_navigation(const char *words)
{
    static const char *const names[] = {"breadcrumb",
                                        "breadcrumbs",
                                        "cookie-banner",
                                        "headerlink",
                                        "menu",
                                        "mw-editsection",
                                        "mw-jump-link",
                                        "nav",
                                        "navbar",
                                        "navfooter",
                                        "navheader",
                                        "navigation",
                                        "navpanel",
                                        "noprint",
                                        "pagination",
                                        "related",
                                        "sidebar",
                                        "site-footer",
                                        "site-header",
                                        "skip-link",
                                        "sphinxsidebar",
                                        "summary-navigation",
                                        "table-of-contents",
                                        "tablist",
                                        "toc",
                                        "top-nav",
                                        "sub-nav",
                                        "nav-path",
                                        "footer",
                                        "anchorlink"};
    for (; words && *words;) {
        size_t n = strcspn(words, " \t\r\n");
        if (in_list(names, sizeof names / sizeof *names, words, n))
            return true;
        words += n + (words[n] != 0);
    }
    return false;
}

static bool is_navigation(const GumboNode *node)
{
    static const char *const roles[] = {"navigation", "banner",  "search",  "contentinfo",
                                        "menu",       "menubar", "toolbar", "dialog"};
    const char *role = attribute(node, "role");
    GumboTag tag = tag_of(node);
    if (tag == GUMBO_TAG_NAV || tag == GUMBO_TAG_FOOTER || tag == GUMBO_TAG_MENU)
        return true;
    if (tag == GUMBO_TAG_BODY || tag == GUMBO_TAG_MAIN || tag == GUMBO_TAG_ARTICLE)
        return false;
    return (role && in_list(roles, sizeof roles / sizeof *roles, role, strlen(role))) ||
           is_named_navigation(attribute(node, "class")) ||
           is_named_navigation(attribute(node, "id"));
}

static bool is_never_content(const GumboNode *node)
{
    if (node->type == GUMBO_NODE_COMMENT || node->type == GUMBO_NODE_TEMPLATE)
        return true;
    switch (tag_of(node)) {
    case GUMBO_TAG_SCRIPT:
    case GUMBO_TAG_STYLE:
    case GUMBO_TAG_HEAD:
    case GUMBO_TAG_NOSCRIPT:
    case GUMBO_TAG_IFRAME:
    case GUMBO_TAG_OBJECT:
    case GUMBO_TAG_SVG:
    case GUMBO_TAG_CANVAS:
    case GUMBO_TAG_AUDIO:
    case GUMBO_TAG_VIDEO:
    case GUMBO_TAG_BUTTON:
    case GUMBO_TAG_SELECT:
    case GUMBO_TAG_INPUT:
    case GUMBO_TAG_TEXTAREA:
        return true;
    default:
        break;
    }
    const char *style = attribute(node, "style");
    return attribute(node, "hidden") || has(node, "aria-hidden", "true") ||
           (style && (strstr(style, "display:none") || strstr(style, "display: none")));
}

static bool is_skipped(const struct walk *walk, const GumboNode *node)
{
    return is_never_content(node) ||
           (!walk->keep_navigation && node != walk->root && is_navigation(node));
}

/* ---- The main part ---------------------------------------------------------- */

static bool has_text(const GumboNode *root)
{
    for (const GumboNode *node = root; node;) {
        if (is_never_content(node)) {
            node = next_after(node, root);
            continue;
        }
        if (node->type == GUMBO_NODE_TEXT)
            return true;
        node = next_of(node, root);
    }
    return false;
}

static const GumboNode *main_part(const GumboNode *root)
{
    const GumboNode *marked = NULL, *body = root, *article = NULL;
    size_t articles = 0;
    for (const GumboNode *node = root; node; node = next_of(node, root)) {
        GumboTag tag = tag_of(node);
        if (tag == GUMBO_TAG_BODY && body == root)
            body = node;
        if (!marked && (tag == GUMBO_TAG_MAIN || has(node, "role", "main")))
            marked = node;
        if (tag == GUMBO_TAG_ARTICLE) {
            articles++;
            article = node;
        }
    }
    if (marked && has_text(marked))
        return marked;
    return articles == 1 && has_text(article) ? article : body;
}

/* ---- Formulas --------------------------------------------------------------- */

/* MathML mostly carries the TeX that it was made of. */
static void write_formula(struct walk *walk, const GumboNode *math)
{
    const GumboNode *source = NULL;
    for (const GumboNode *node = math; node && !source; node = next_of(node, math))
        if (has(node, "encoding", "application/x-tex"))
            source = node;
    const GumboNode *from = source ? source : math;
    if (source)
        writer_string(walk->w, "$");
    for (const GumboNode *node = from; node; node = next_of(node, from))
        if (text_of(node))
            writer_string(walk->w, text_of(node));
    if (source)
        writer_string(walk->w, "$");
}

/* ---- Tables ----------------------------------------------------------------- */

/* A table of data, not of layout: in some row two cells with text, and in none of them a table
 * or a chapter. */
static bool is_data_table(const GumboNode *table)
{
    size_t filled = 0, most = 0;
    bool counted = true;
    if (has(table, "role", "presentation") || has(table, "role", "none"))
        return false;
    for (const GumboNode *node = child(table, 0); node; node = next_of(node, table)) {
        switch (tag_of(node)) {
        case GUMBO_TAG_TABLE:
        case GUMBO_TAG_H1:
        case GUMBO_TAG_H2:
        case GUMBO_TAG_H3:
        case GUMBO_TAG_H4:
        case GUMBO_TAG_PRE:
            return false;
        case GUMBO_TAG_TR:
            filled = 0;
            break;
        case GUMBO_TAG_TD:
        case GUMBO_TAG_TH:
            counted = false;
            break;
        default:
            if (node->type == GUMBO_NODE_TEXT && !counted) {
                counted = true;
                if (++filled > most)
                    most = filled;
            }
        }
    }
    return most > 1;
}

static void write_cell(struct walk *walk, const GumboNode *cell)
{
    const char *span = attribute(cell, "colspan");
    long columns = span ? strtol(span, NULL, 10) : 1;
    for (long i = 1; i < columns && i < MAX_SPAN; i++)
        writer_cell(walk->w);
    writer_cell(walk->w);
}

/* ---- Elements --------------------------------------------------------------- */

static void begin_paragraph(struct walk *walk)
{
    writer_begin(walk->w, walk->quotes ? BLOCK_QUOTE : BLOCK_PARAGRAPH, 0);
}

static void begin_list(struct walk *walk, const GumboNode *list)
{
    const char *start = attribute(list, "start");
    long first = start ? strtol(start, NULL, 10) : 1;
    if (walk->lists < MAX_LISTS)
        walk->lists++;
    walk->counters[walk->lists] = tag_of(list) != GUMBO_TAG_OL   ? 0
                                  : first > 0 && first < 1000000 ? (unsigned)first
                                                                 : 1;
}

static void begin_item(struct walk *walk)
{
    char mark[16] = "-";
    unsigned *counter = &walk->counters[walk->lists];
    if (walk->lists && *counter)
        snprintf(mark, sizeof mark, "%u.", (*counter)++);
    writer_item(walk->w, walk->lists ? walk->lists : 1, mark);
}

static void write_image(struct walk *walk, const GumboNode *image)
{
    const char *text = attribute(image, "alt"), *kind = attribute(image, "class");
    bool formula = kind && (strstr(kind, "math") || strstr(kind, "tex"));
    if (text && (formula || strlen(text) >= MIN_ALTERNATIVE))
        writer_string(walk->w, text);
}

static void enter(struct walk *walk, const GumboNode *node)
{
    struct writer *w = walk->w;
    switch (tag_of(node)) {
    case GUMBO_TAG_H1:
    case GUMBO_TAG_H2:
    case GUMBO_TAG_H3:
    case GUMBO_TAG_H4:
    case GUMBO_TAG_H5:
    case GUMBO_TAG_H6:
        writer_begin(w, BLOCK_HEADING, 1 + (unsigned)(tag_of(node) - GUMBO_TAG_H1));
        break;
    case GUMBO_TAG_BR:
        writer_break(w);
        break;
    case GUMBO_TAG_IMG:
        write_image(walk, node);
        break;
    case GUMBO_TAG_PRE:
        if (!walk->code && !walk->table) {
            writer_begin(w, BLOCK_CODE, 0);
            walk->code = node;
        }
        break;
    case GUMBO_TAG_BLOCKQUOTE:
        walk->quotes++;
        begin_paragraph(walk);
        break;
    case GUMBO_TAG_UL:
    case GUMBO_TAG_OL:
        begin_list(walk, node);
        break;
    case GUMBO_TAG_LI:
        begin_item(walk);
        break;
    case GUMBO_TAG_TABLE:
        if (!walk->table && is_data_table(node)) {
            walk->table = node;
            writer_table_begin(w);
        } else {
            begin_paragraph(walk);
        }
        break;
    case GUMBO_TAG_TR:
        if (walk->table)
            writer_row(w);
        else
            begin_paragraph(walk);
        break;
    case GUMBO_TAG_TD:
    case GUMBO_TAG_TH:
        if (walk->table)
            write_cell(walk, node);
        else
            begin_paragraph(walk);
        break;
    case GUMBO_TAG_P:
    case GUMBO_TAG_DIV:
    case GUMBO_TAG_SECTION:
    case GUMBO_TAG_ARTICLE:
    case GUMBO_TAG_HEADER:
    case GUMBO_TAG_ASIDE:
    case GUMBO_TAG_MAIN:
    case GUMBO_TAG_ADDRESS:
    case GUMBO_TAG_CAPTION:
    case GUMBO_TAG_CENTER:
    case GUMBO_TAG_DD:
    case GUMBO_TAG_DL:
    case GUMBO_TAG_DT:
    case GUMBO_TAG_DETAILS:
    case GUMBO_TAG_SUMMARY:
    case GUMBO_TAG_FIELDSET:
    case GUMBO_TAG_FIGCAPTION:
    case GUMBO_TAG_FIGURE:
    case GUMBO_TAG_FORM:
    case GUMBO_TAG_HR:
        if (!walk->code)
            begin_paragraph(walk);
        break;
    default:
        break;
    }
}

static void leave(struct walk *walk, const GumboNode *node)
{
    struct writer *w = walk->w;
    switch (tag_of(node)) {
    case GUMBO_TAG_BLOCKQUOTE:
        writer_end(w);
        walk->quotes -= walk->quotes > 0;
        break;
    case GUMBO_TAG_UL:
    case GUMBO_TAG_OL:
        writer_end(w);
        walk->lists -= walk->lists > 0;
        break;
    case GUMBO_TAG_PRE:
        if (walk->code == node) {
            writer_end(w);
            walk->code = NULL;
        }
        break;
    case GUMBO_TAG_TABLE:
        if (walk->table == node) {
            writer_table_end(w);
            walk->table = NULL;
        } else {
            writer_end(w);
        }
        break;
    case GUMBO_TAG_P:
    case GUMBO_TAG_DIV:
    case GUMBO_TAG_SECTION:
    case GUMBO_TAG_ARTICLE:
    case GUMBO_TAG_LI:
    case GUMBO_TAG_DD:
    case GUMBO_TAG_DT:
    case GUMBO_TAG_H1:
    case GUMBO_TAG_H2:
    case GUMBO_TAG_H3:
    case GUMBO_TAG_H4:
    case GUMBO_TAG_H5:
    case GUMBO_TAG_H6:
        if (!walk->code)
            writer_end(w);
        break;
    default:
        break;
    }
}

/* Enters and leaves all nodes below the root that are content. */
static void write_nodes(struct walk *walk)
{
    const GumboNode *node = walk->root;
    while (node && !walk->w->status) {
        bool skipped = is_skipped(walk, node), math = tag_of(node) == GUMBO_TAG_MATH;
        if (math && !skipped)
            write_formula(walk, node);
        const GumboNode *below = skipped || math ? NULL : child(node, 0);
        if (text_of(node))
            writer_string(walk->w, text_of(node));
        else if (!skipped && !math)
            enter(walk, node);
        if (below) {
            node = below;
            continue;
        }
        /* Up, until there is a next one. */
        if (!skipped && !math && !text_of(node))
            leave(walk, node);
        while (node != walk->root && !child(node->parent, node->index_within_parent + 1)) {
            node = node->parent;
            leave(walk, node);
        }
        node = node == walk->root ? NULL : child(node->parent, node->index_within_parent + 1);
    }
}

/* ---- Title and metadata ----------------------------------------------------- */

static void write_metadata(struct writer *w, const GumboNode *meta)
{
    static const struct {
        const char *name, *key;
    } known[] = {{"author", "author"},           {"dc.creator", "author"},
                 {"description", "description"}, {"keywords", "keywords"},
                 {"subject", "subject"},         {"date", "date"},
                 {"dcterms.date", "date"},       {"article:published_time", "date"},
                 {"og:title", "title"},          {"creationdate", "date"}};
    const char *name = attribute(meta, "name"), *content = attribute(meta, "content");
    if (!name)
        name = attribute(meta, "property");
    for (size_t i = 0; name && content && i < sizeof known / sizeof *known; i++)
        if (strcasecmp(known[i].name, name) == 0)
            writer_metadata(w, known[i].key, content, strlen(content));
}

static void read_head(struct writer *w, const GumboNode *root, struct buf *title)
{
    bool titled = false;
    for (const GumboNode *node = root; node; node = next_of(node, root)) {
        GumboTag tag = tag_of(node);
        const GumboNode *text = tag == GUMBO_TAG_TITLE && !titled ? child(node, 0) : NULL;
        if (text && text_of(text)) {
            titled = true;
            writer_metadata(w, "title", text_of(text), strlen(text_of(text)));
            if (title && !buf_append_text(title, text_of(text)))
                writer_fail(w, RAG_MEMORY, "out of memory");
        } else if (tag == GUMBO_TAG_META) {
            write_metadata(w, node);
        } else if (tag == GUMBO_TAG_HTML && attribute(node, "lang")) {
            writer_metadata(w, "language", attribute(node, "lang"),
                            strlen(attribute(node, "lang")));
        }
    }
}

void html_content(struct writer *w, const GumboNode *root, struct buf *title)
{
    read_head(w, root, title);
    size_t before = w->document->block_count;
    struct walk walk = {.w = w, .root = main_part(root)};
    write_nodes(&walk);
    writer_end(w);
    if (w->document->block_count == before && !w->status) {
        walk = (struct walk){.w = w, .root = main_part(root), .keep_navigation = true};
        write_nodes(&walk);
        writer_end(w);
    }
}
