#include "store/prepared.h"

#include <string.h>

/* A pragma may do its work when it is prepared (sqlite.org/pragma.html). */
static bool is_pragma(const char *sql)
{
    return strncmp(sql, "PRAGMA", strlen("PRAGMA")) == 0;
}

/* Texts that are put together on the spot may differ at the same place. */
static bool lies_ready(const struct prepared_slot *slot, const char *sql)
{
    return slot->statement && !slot->taken && slot->sql == sql &&
           strcmp(sqlite3_sql(slot->statement), sql) == 0;
}

static struct prepared_slot *find_ready(struct prepared *prepared, const char *sql)
{
    for (size_t i = 0; i < PREPARED_SLOTS; i++)
        if (lies_ready(&prepared->slots[i], sql))
            return &prepared->slots[i];
    return NULL;
}

sqlite3_stmt *prepared_take(struct prepared *prepared, const char *sql)
{
    struct prepared_slot *slot = find_ready(prepared, sql);
    if (!slot)
        return NULL;
    slot->taken = true;
    return slot->statement;
}

/* An empty slot, or else the one that was used the longest ago; NULL: all are taken. */
static struct prepared_slot *choose_slot(struct prepared *prepared)
{
    struct prepared_slot *best = NULL;
    for (size_t i = 0; i < PREPARED_SLOTS; i++) {
        struct prepared_slot *slot = &prepared->slots[i];
        if (!slot->statement)
            return slot;
        if (!slot->taken && (!best || slot->used < best->used))
            best = slot;
    }
    return best;
}

void prepared_note(struct prepared *prepared, const char *sql, sqlite3_stmt *statement)
{
    struct prepared_slot *slot = is_pragma(sql) ? NULL : choose_slot(prepared);
    if (!slot)
        return;
    sqlite3_finalize(slot->statement);
    *slot = (struct prepared_slot){.sql = sql, .statement = statement, .taken = true};
}

static struct prepared_slot *find_slot(struct prepared *prepared, const sqlite3_stmt *statement)
{
    for (size_t i = 0; i < PREPARED_SLOTS; i++)
        if (prepared->slots[i].statement == statement)
            return &prepared->slots[i];
    return NULL;
}

void prepared_give(struct prepared *prepared, sqlite3_stmt *statement)
{
    struct prepared_slot *slot = find_slot(prepared, statement);
    if (slot && !find_ready(prepared, slot->sql)) {
        sqlite3_reset(statement);
        sqlite3_clear_bindings(statement);
        slot->taken = false;
        slot->used = ++prepared->uses;
        return;
    }
    if (slot) /* one of several that were in use at once is enough */
        *slot = (struct prepared_slot){0};
    sqlite3_finalize(statement);
}

void prepared_release(struct prepared *prepared)
{
    for (size_t i = 0; i < PREPARED_SLOTS; i++)
        sqlite3_finalize(prepared->slots[i].statement);
    *prepared = (struct prepared){0};
}
