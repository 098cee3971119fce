/* code_table.h - a 32-bit value for each code point, in two levels.
 *
 * A page holds 256 values; code points that were never set share the pages of the
 * default, so that a table takes some hundred kB rather than 4 MB. */
#ifndef RAG_TEXT_CODE_TABLE_H
#define RAG_TEXT_CODE_TABLE_H

#include "base/error.h"
#include "text/reference_tables.h"

#include <stdbool.h>

/* Each page of code points has at most one page of values of its own; besides there are
 * the default's and one a call of code_table_mark. */
enum {
    CODE_TABLE_PAGES = 0x110000 / 256,
    CODE_TABLE_MAX_MARKS = 63,
    CODE_TABLE_MAX_PAGES = CODE_TABLE_PAGES + 1 + CODE_TABLE_MAX_MARKS,
};

struct code_table {
    uint16_t pages[CODE_TABLE_PAGES]; /* which page holds the code point */
    uint32_t *values;                 /* [page_count x 256] */
    size_t page_count, value_capacity;
    bool shared[CODE_TABLE_MAX_PAGES]; /* by several pages of code points: copied on write */
};

/* All code points get 0. False: out of memory. */
CHECKED bool code_table_init(struct code_table *table);
void code_table_release(struct code_table *table);
CHECKED bool code_table_set(struct code_table *table, uint32_t code, uint32_t value);
/* At most CODE_TABLE_MAX_MARKS times a table: sets bits in the values of all code points of the
 * ranges. */
CHECKED bool code_table_mark(struct code_table *table, const struct code_ranges *ranges,
                             uint32_t bits);

/* The pages and values of a table that comes from a file; values stay the caller's. Only
 * code_table_get may be used on it, when code_table_borrow has said true: each page is there.
 */
CHECKED bool code_table_borrow(struct code_table *table, const uint16_t *pages,
                               const uint32_t *values, size_t page_count);
/* Whether no value is above `most`. */
bool code_table_check(const struct code_table *table, uint32_t most);

/* code must be below 0x110000. */
static inline uint32_t code_table_get(const struct code_table *table, uint32_t code)
{
    return table->values[(size_t)table->pages[code >> 8] * 256 + (code & 255)];
}

#endif
