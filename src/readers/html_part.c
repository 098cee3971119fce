#include "readers/html_part.h"
#include "readers/html_tree.h"

#include <string.h>
#include <strings.h>

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

bool part_is_navigation(const GumboNode *node)
{
    static const char *const roles[] = {"navigation", "banner",  "search",  "contentinfo",
                                        "menu",       "menubar", "toolbar", "dialog"};
    const char *role = tree_attribute(node, "role");
    GumboTag tag = tree_tag(node);
    if (tag == GUMBO_TAG_NAV || tag == GUMBO_TAG_FOOTER || tag == GUMBO_TAG_MENU)
        return true;
    if (tag == GUMBO_TAG_BODY || tag == GUMBO_TAG_MAIN || tag == GUMBO_TAG_ARTICLE)
        return false;
    return (role && in_list(roles, sizeof roles / sizeof *roles, role, strlen(role))) ||
           is_named_navigation(tree_attribute(node, "class")) ||
           is_named_navigation(tree_attribute(node, "id"));
}

bool part_is_never_content(const GumboNode *node)
{
    if (node->type == GUMBO_NODE_COMMENT || node->type == GUMBO_NODE_TEMPLATE)
        return true;
    switch (tree_tag(node)) {
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
    const char *style = tree_attribute(node, "style");
    return tree_attribute(node, "hidden") || tree_has(node, "aria-hidden", "true") ||
           (style && (strstr(style, "display:none") || strstr(style, "display: none")));
}

/* ---- The main part ---------------------------------------------------------- */

static bool has_text(const GumboNode *root)
{
    for (const GumboNode *node = root; node;) {
        if (part_is_never_content(node)) {
            node = tree_next_after(node, root);
            continue;
        }
        if (node->type == GUMBO_NODE_TEXT)
            return true;
        node = tree_next(node, root);
    }
    return false;
}

const GumboNode *part_main(const GumboNode *root)
{
    const GumboNode *marked = NULL, *body = root, *article = NULL;
    size_t articles = 0;
    for (const GumboNode *node = root; node; node = tree_next(node, root)) {
        GumboTag tag = tree_tag(node);
        if (tag == GUMBO_TAG_BODY && body == root)
            body = node;
        if (!marked && (tag == GUMBO_TAG_MAIN || tree_has(node, "role", "main")))
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
