/* html_tree.h - going through gumbo's tree, of any depth, without recursion. */
#ifndef RAG_READERS_HTML_TREE_H
#define RAG_READERS_HTML_TREE_H

#include <gumbo.h>
#include <stdbool.h>
#include <stddef.h>

/* The i-th child; NULL: there are not so many. */
const GumboNode *tree_child(const GumboNode *node, size_t i);

/* The next node in the order of the page that is not below this one, and the next one at all;
 * NULL: `root` is over. */
const GumboNode *tree_next_after(const GumboNode *node, const GumboNode *root);
const GumboNode *tree_next(const GumboNode *node, const GumboNode *root);

/* GUMBO_TAG_UNKNOWN for what is no element. */
GumboTag tree_tag(const GumboNode *node);

/* The value of an attribute, NULL if there is none, and whether it is this one. */
const char *tree_attribute(const GumboNode *node, const char *name);
bool tree_has(const GumboNode *node, const char *name, const char *value);

/* The text of a text node, NULL for others. */
const char *tree_text(const GumboNode *node);

#endif
