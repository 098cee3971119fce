/* sections.h - the tree that a document's headings make.
 *
 * A section reaches from its heading to the next one of the same or a higher rank. The
 * list is in the order of the text, so that a section's parts follow it directly; section
 * 0 is the whole document. */
#ifndef RAG_DOCUMENTS_SECTIONS_H
#define RAG_DOCUMENTS_SECTIONS_H

#include "documents/document.h"

struct section {
    size_t parent;      /* 0 for section 0 too */
    size_t end_section; /* behind the last section in this one */
    size_t heading;     /* the block that begins it; of section 0: the number of blocks */
    size_t first_block, end_block;
    unsigned level; /* of the heading; 0 for section 0 */
};

struct sections {
    const struct document *document;
    struct section *list;
    size_t count, capacity;
};

void sections_release(struct sections *sections);
CHECKED rag_status sections_read(const struct document *document, struct sections *out,
                                 rag_error *error);

/* The headings that what follows behind the document lies under. False: out of memory. */
CHECKED bool above_behind(const struct document *document, struct above *out);

/* The smallest section that holds both. */
size_t sections_common(const struct sections *sections, size_t a, size_t b);

/* "A > B > C", the titles down to a section, those above the document first; freed with free.
 * NULL: out of memory. */
#define SECTION_SEPARATOR " > "
CHECKED char *sections_path(const struct sections *sections, size_t section);

#endif
