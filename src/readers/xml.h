/* xml.h - XML of office files, read by expat in one pass.
 *
 * No document type is accepted, so there are no entities to blow up; nesting is bounded. Names
 * come without their prefix: these formats use each local name in one sense where it matters.
 */
#ifndef RAG_READERS_XML_H
#define RAG_READERS_XML_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>

enum { XML_MAX_DEPTH = 10000 };

struct xml_handler {
    /* attributes: names and values in turn, NULL at the end. */
    void (*start)(void *user, const char *name, const char **attributes);
    void (*end)(void *user, const char *name);
    void (*text)(void *user, const char *text, size_t size); /* may be NULL */
    /* Asked now and then: true ends the parsing without an error. May be NULL. */
    bool (*stop)(void *user);
};

/* RAG_INPUT: it is not well-formed, with its line. */
CHECKED rag_status xml_parse(rag_text xml, const struct xml_handler *handler, void *user,
                             rag_error *error);

/* The value of the attribute with this local name; NULL: there is none. */
const char *xml_attribute(const char **attributes, const char *name);

/* The same as a number from 0 on, `otherwise` if there is none. */
unsigned long xml_number(const char **attributes, const char *name, unsigned long otherwise);

/* Whether a name is this one. */
bool xml_is(const char *name, const char *other);

#endif
