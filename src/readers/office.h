/* office.h - what the parts of OOXML files (DOCX, PPTX, XLSX) have in common: ECMA-376 part 2.
 */
#ifndef RAG_READERS_OFFICE_H
#define RAG_READERS_OFFICE_H

#include "readers/package.h"
#include "readers/reader.h"
#include "readers/writer.h"

/* The relationships of a part: an id, the end of the type's address, and the target. */
struct relation {
    char *id, *type, *target;
};

struct relations {
    const struct package *package;
    char *part; /* whose they are; "" for the package's own */
    struct relation *list;
    size_t count, capacity;
};

/* Reads them; a part without any has none. */
CHECKED rag_status relations_read(struct relations *relations, const struct package *package,
                                  const char *part, rag_error *error);
void relations_release(struct relations *relations);

/* The part with this id, or (id NULL) the first whose type ends so; NULL: none. */
const struct package_entry *relations_find(const struct relations *relations, const char *id,
                                           const char *type);

/* Opens an OOXML file: its XML parts, and the main one. */
CHECKED rag_status office_open(struct package *package, const struct input *input,
                               const struct package_entry **main, rag_error *error);

/* Title, author and so on of docProps/core.xml. What is wrong with it does not matter. */
void office_metadata(struct writer *w, const struct package *package);

/* The same of elements of Dublin Core in any XML: EPUB's and ODF's too. */
void office_dublin_core(struct writer *w, rag_text xml);

#endif
