#include "readers/html_tree.h"

#include <string.h>
#include <strings.h>

static const GumboVector *children_of(const GumboNode *node)
{
    if (node->type == GUMBO_NODE_ELEMENT || node->type == GUMBO_NODE_TEMPLATE)
        return &node->v.element.children;
    return node->type == GUMBO_NODE_DOCUMENT ? &node->v.document.children : NULL;
}

const GumboNode *tree_child(const GumboNode *node, size_t i)
{
    const GumboVector *children = children_of(node);
    return children && i < children->length ? children->data[i] : NULL;
}

/* The next node in the order of the page that is not below this one; NULL: `root` is over. */
const GumboNode *tree_next_after(const GumboNode *node, const GumboNode *root)
{
    while (node != root) {
        const GumboNode *next = tree_child(node->parent, node->index_within_parent + 1);
        if (next)
            return next;
        node = node->parent;
    }
    return NULL;
}

const GumboNode *tree_next(const GumboNode *node, const GumboNode *root)
{
    const GumboNode *below = tree_child(node, 0);
    return below ? below : tree_next_after(node, root);
}

GumboTag tree_tag(const GumboNode *node)
{
    return node->type == GUMBO_NODE_ELEMENT || node->type == GUMBO_NODE_TEMPLATE
               ? node->v.element.tag
               : GUMBO_TAG_UNKNOWN;
}

const char *tree_attribute(const GumboNode *node, const char *name)
{
    if (node->type != GUMBO_NODE_ELEMENT)
        return NULL;
    const GumboAttribute *found = gumbo_get_attribute(&node->v.element.attributes, name);
    return found ? found->value : NULL;
}

bool tree_has(const GumboNode *node, const char *name, const char *value)
{
    const char *found = tree_attribute(node, name);
    return found && strcasecmp(found, value) == 0;
}

const char *tree_text(const GumboNode *node)
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
