/* older.h - index files in the formats that came before, as those versions made them. */
#ifndef RAG_TESTS_STORE_OLDER_H
#define RAG_TESTS_STORE_OLDER_H

#include "store/fixture.h"

enum { STORE_NEWEST = 4 };

/* Makes the fixture's file one of an older version and opens it. It has the documents /a, of
 * the lines "apple", "banana" and "cherry" with vectors from seed 1 on, and /b, of the line
 * "damson" with the vector of seed 9 and so many bytes "x" behind it that no chunk has; /gone
 * was the last one put in. May be called again. */
void make_older(struct fixture *f, unsigned version, size_t padding);

#endif
