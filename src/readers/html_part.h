/* html_part.h - which part of a page is its content. */
#ifndef RAG_READERS_HTML_PART_H
#define RAG_READERS_HTML_PART_H

#include <gumbo.h>
#include <stdbool.h>

/* Scripts, styles, form controls, what is hidden. */
bool part_is_never_content(const GumboNode *node);

/* Menus, headers and footers of sites, links to sections: by their element, role, or the names
 * that generators of pages give them. */
bool part_is_navigation(const GumboNode *node);

/* The <main> (or role="main"), else the only <article>, else the body. */
const GumboNode *part_main(const GumboNode *root);

#endif
