/* The content of a page: what is in its <main> (or role="main", or its only <article>), else in
 * its body; in either without scripts, navigation, what is hidden, and form controls. If
 * nothing is left, say because the page is a table of contents, marks of navigation are
 * disregarded.
 *
 * No function here is recursive: a page can be made as deep as it is long. */
#include "readers/html_content.h"
#include "readers/html_part.h"
#include "readers/html_tree.h"

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

static bool is_skipped(const struct walk *walk, const GumboNode *node)
{
    return part_is_never_content(node) ||
           (!walk->keep_navigation && node != walk->root && part_is_navigation(node));
}

/* ---- Formulas --------------------------------------------------------------- */

/* MathML mostly carries the TeX that it was made of. */
static void write_formula(struct walk *walk, const GumboNode *math)
{
    const GumboNode *source = NULL;
    for (const GumboNode *node = math; node && !source; node = tree_next(node, math))
        if (tree_has(node, "encoding", "application/x-tex"))
            source = node;
    const GumboNode *from = source ? source : math;
    if (source)
        writer_string(walk->w, "$");
    for (const GumboNode *node = from; node; node = tree_next(node, from))
        if (tree_text(node))
            writer_string(walk->w, tree_text(node));
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
    if (tree_has(table, "role", "presentation") || tree_has(table, "role", "none"))
        return false;
    for (const GumboNode *node = tree_child(table, 0); node; node = tree_next(node, table)) {
        switch (tree_tag(node)) {
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
    const char *span = tree_attribute(cell, "colspan");
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
    const char *start = tree_attribute(list, "start");
    long first = start ? strtol(start, NULL, 10) : 1;
    if (walk->lists < MAX_LISTS)
        walk->lists++;
    walk->counters[walk->lists] = tree_tag(list) != GUMBO_TAG_OL ? 0
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
    const char *text = tree_attribute(image, "alt"), *kind = tree_attribute(image, "class");
    bool formula = kind && (strstr(kind, "math") || strstr(kind, "tex"));
    if (text && (formula || strlen(text) >= MIN_ALTERNATIVE))
        writer_string(walk->w, text);
}

static void enter(struct walk *walk, const GumboNode *node)
{
    struct writer *w = walk->w;
    switch (tree_tag(node)) {
    case GUMBO_TAG_H1:
    case GUMBO_TAG_H2:
    case GUMBO_TAG_H3:
    case GUMBO_TAG_H4:
    case GUMBO_TAG_H5:
    case GUMBO_TAG_H6:
        writer_begin(w, BLOCK_HEADING, 1 + (unsigned)(tree_tag(node) - GUMBO_TAG_H1));
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
    switch (tree_tag(node)) {
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
        bool skipped = is_skipped(walk, node), math = tree_tag(node) == GUMBO_TAG_MATH;
        if (math && !skipped)
            write_formula(walk, node);
        const GumboNode *below = skipped || math ? NULL : tree_child(node, 0);
        if (tree_text(node))
            writer_string(walk->w, tree_text(node));
        else if (!skipped && !math)
            enter(walk, node);
        if (below) {
            node = below;
            continue;
        }
        /* Up, until there is a next one. */
        if (!skipped && !math && !tree_text(node))
            leave(walk, node);
        while (node != walk->root && !tree_child(node->parent, node->index_within_parent + 1)) {
            node = node->parent;
            leave(walk, node);
        }
        node =
            node == walk->root ? NULL : tree_child(node->parent, node->index_within_parent + 1);
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
    const char *name = tree_attribute(meta, "name"), *content = tree_attribute(meta, "content");
    if (!name)
        name = tree_attribute(meta, "property");
    for (size_t i = 0; name && content && i < sizeof known / sizeof *known; i++)
        if (strcasecmp(known[i].name, name) == 0)
            writer_metadata(w, known[i].key, content, strlen(content));
}

static void read_head(struct writer *w, const GumboNode *root, struct buf *title)
{
    bool titled = false;
    for (const GumboNode *node = root; node; node = tree_next(node, root)) {
        GumboTag tag = tree_tag(node);
        const GumboNode *text = tag == GUMBO_TAG_TITLE && !titled ? tree_child(node, 0) : NULL;
        if (text && tree_text(text)) {
            titled = true;
            writer_metadata(w, "title", tree_text(text), strlen(tree_text(text)));
            if (title && !buf_append_text(title, tree_text(text)))
                writer_fail(w, RAG_MEMORY, "out of memory");
        } else if (tag == GUMBO_TAG_META) {
            write_metadata(w, node);
        } else if (tag == GUMBO_TAG_HTML && tree_attribute(node, "lang")) {
            writer_metadata(w, "language", tree_attribute(node, "lang"),
                            strlen(tree_attribute(node, "lang")));
        }
    }
}

void html_content(struct writer *w, const GumboNode *root, struct buf *title)
{
    read_head(w, root, title);
    size_t before = w->document->block_count;
    struct walk walk = {.w = w, .root = part_main(root)};
    write_nodes(&walk);
    writer_end(w);
    if (w->document->block_count == before && !w->status) {
        walk = (struct walk){.w = w, .root = part_main(root), .keep_navigation = true};
        write_nodes(&walk);
        writer_end(w);
    }
}
