#include "text/code_table.h"

#include "base/memory.h"

#include <string.h>

static bool add_page(struct code_table *table, const uint32_t values[256], uint16_t *page)
{
    if (table->page_count == CODE_TABLE_MAX_PAGES ||
        !array_reserve(&table->values, &table->value_capacity, (table->page_count + 1) * 256,
                       sizeof *table->values))
        return false;
    memcpy(table->values + table->page_count * 256, values, 256 * sizeof *values);
    *page = (uint16_t)table->page_count++;
    return true;
}

bool code_table_init(struct code_table *table)
{
    static const uint32_t zeros[256];
    uint16_t page;
    *table = (struct code_table){.shared = {true}};
    return add_page(table, zeros, &page);
}

void code_table_release(struct code_table *table)
{
    free(table->values);
    *table = (struct code_table){0};
}

bool code_table_set(struct code_table *table, uint32_t code, uint32_t value)
{
    uint16_t *page = &table->pages[code >> 8];
    if (code_table_get(table, code) == value)
        return true;
    if (table->shared[*page]) {
        uint32_t copy[256];
        memcpy(copy, table->values + (size_t)*page * 256, sizeof copy);
        if (!add_page(table, copy, page))
            return false;
    }
    table->values[(size_t)*page * 256 + (code & 255)] = value;
    return true;
}

bool code_table_mark(struct code_table *table, const struct code_ranges *ranges, uint32_t bits)
{
    uint16_t uniform = 0; /* shared by the whole pages of these ranges */
    for (size_t i = 0; i < ranges->count; i++) {
        uint32_t code = ranges->items[i].first, last = ranges->items[i].last;
        while (code <= last) {
            if (!(code & 255) && last - code >= 255 && table->pages[code >> 8] == 0) {
                if (!uniform) {
                    uint32_t page[256];
                    for (size_t j = 0; j < 256; j++)
                        page[j] = bits;
                    if (!add_page(table, page, &uniform))
                        return false;
                    table->shared[uniform] = true;
                }
                table->pages[code >> 8] = uniform;
                code += 256;
                continue;
            }
            if (!code_table_set(table, code, code_table_get(table, code) | bits))
                return false;
            code++;
        }
    }
    return true;
}

bool code_table_borrow(struct code_table *table, const uint16_t *pages, const uint32_t *values,
                       size_t page_count)
{
    *table =
        (struct code_table){.values = (uint32_t *)(uintptr_t)values, .page_count = page_count};
    memcpy(table->pages, pages, sizeof table->pages);
    for (size_t i = 0; i < CODE_TABLE_PAGES; i++)
        if (pages[i] >= page_count)
            return false;
    return true;
}

bool code_table_check(const struct code_table *table, uint32_t most)
{
    bool good = true;
    for (size_t i = 0; i < table->page_count * 256; i++)
        good &= table->values[i] <= most;
    return good;
}
