/* cmark's tree of an outline: the blocks at the top level, and lists taken apart into
 * their items. A list in an item gives items of a deeper level, and code or HTML in an
 * item is a block of its own, so that it can be kept whole; what stands before and after
 * them in the item are blocks of the item. */
#include "base/memory.h"
#include "documents/cmark_memory.h"
#include "documents/markdown.h"

static rag_status add_node(struct node_list *out, enum block_kind kind, unsigned level,
                           size_t first, size_t last)
{
    if (last < first)
        return RAG_OK;
    if (!array_reserve(&out->nodes, &out->capacity, out->count + 1, sizeof *out->nodes))
        return RAG_MEMORY;
    out->nodes[out->count++] =
        (struct node){.kind = kind, .level = level, .first = first, .last = last};
    return RAG_OK;
}

/* cmark counts lines from 1; 0 stands for a position that it does not know. */
static size_t first_line(cmark_node *node)
{
    int line = cmark_node_get_start_line(node);
    return line > 0 ? (size_t)line - 1 : 0;
}

static size_t last_line(cmark_node *node)
{
    int line = cmark_node_get_end_line(node);
    size_t first = first_line(node);
    return line > 0 && (size_t)line - 1 > first ? (size_t)line - 1 : first;
}

static enum block_kind kind_of(cmark_node *node)
{
    switch ((unsigned)cmark_node_get_type(node)) {
    case CMARK_NODE_HEADING:
        return BLOCK_HEADING;
    case CMARK_NODE_PARAGRAPH:
        return BLOCK_PARAGRAPH;
    case CMARK_NODE_CODE_BLOCK:
        return BLOCK_CODE;
    case CMARK_NODE_HTML_BLOCK:
        return BLOCK_HTML;
    case CMARK_NODE_BLOCK_QUOTE:
        return BLOCK_QUOTE;
    default:
        return BLOCK_OTHER;
    }
}

static bool is_list(cmark_node *node)
{
    return cmark_node_get_type(node) == CMARK_NODE_LIST;
}

/* The recursion is bounded: the outline has no deeper lists than its limits allow. */
static rag_status add_list(struct node_list *out, cmark_node *list, unsigned level)
{
    rag_status status = RAG_OK;
    for (cmark_node *item = cmark_node_first_child(list); item && !status;
         item = cmark_node_next(item)) {
        size_t at = first_line(item);
        for (cmark_node *child = cmark_node_first_child(item); child && !status;
             child = cmark_node_next(child)) {
            enum block_kind kind = kind_of(child);
            size_t first = first_line(child);
            if (!is_list(child) && kind != BLOCK_CODE && kind != BLOCK_HTML)
                continue;
            if (first > at)
                status = add_node(out, BLOCK_LIST_ITEM, level, at, first - 1);
            if (!status)
                status = is_list(child) ? add_list(out, child, level + 1)
                                        : add_node(out, kind, 0, first, last_line(child));
            at = last_line(child) + 1;
        }
        if (!status)
            status = add_node(out, BLOCK_LIST_ITEM, level, at, last_line(item));
    }
    return status;
}

static rag_status add_top(struct node_list *out, cmark_node *node)
{
    size_t before = out->count;
    rag_status status;
    if (is_list(node)) {
        status = add_list(out, node, 1);
    } else {
        enum block_kind kind = kind_of(node);
        unsigned level =
            kind == BLOCK_HEADING ? (unsigned)cmark_node_get_heading_level(node) : 0;
        status = add_node(out, kind, level, first_line(node), last_line(node));
    }
    if (out->count > before)
        out->nodes[before].top = true;
    return status;
}

static rag_status parse(const struct buf *text, struct node_list *out)
{
    cmark_parser *parser =
        cmark_parser_new_with_mem(CMARK_OPT_DEFAULT, cmark_memory_functions());
    cmark_parser_feed(parser, text->data, text->size);
    cmark_node *document = cmark_parser_finish(parser);
    rag_status status = RAG_OK;
    for (cmark_node *node = cmark_node_first_child(document); node && !status;
         node = cmark_node_next(node))
        status = add_top(out, node);
    return status;
}

rag_status tree_read(const struct outline *outline, struct node_list *out, rag_error *error)
{
    out->count = 0;
    if (outline->outline.size == 0)
        return RAG_OK;
    struct cmark_memory memory;
    volatile rag_status status = RAG_MEMORY;
    if (setjmp(*cmark_memory_begin(&memory)) == 0)
        status = parse(&outline->outline, out);
    cmark_memory_end(&memory);
    return status ? fail_memory(error) : RAG_OK;
}
