/* The promises of src/store/prepared.h. */
#include "store/prepared.h"
#include "support/test.h"

#include <stdio.h>
#include <string.h>

struct state {
    sqlite3 *db;
    struct prepared prepared;
};

static int state_open(void **state)
{
    static struct state s;
    s = (struct state){0};
    assert_int_equal(sqlite3_open(":memory:", &s.db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(s.db, "CREATE TABLE t(a)", NULL, NULL, NULL), SQLITE_OK);
    *state = &s;
    return 0;
}

/* Closing fails if a statement is left. */
static int state_close(void **state)
{
    struct state *s = *state;
    prepared_release(&s->prepared);
    assert_int_equal(sqlite3_close(s->db), SQLITE_OK);
    return 0;
}

/* As db_prepare does. */
static sqlite3_stmt *prepare(struct state *s, const char *sql)
{
    sqlite3_stmt *statement = prepared_take(&s->prepared, sql);
    if (statement)
        return statement;
    assert_int_equal(sqlite3_prepare_v2(s->db, sql, -1, &statement, NULL), SQLITE_OK);
    prepared_note(&s->prepared, sql, statement);
    return statement;
}

static int64_t value(sqlite3_stmt *statement)
{
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    return sqlite3_column_int64(statement, 0);
}

static void what_was_put_back_is_taken_again_without_what_was_bound(void **state)
{
    struct state *s = *state;
    static const char sql[] = "SELECT ?1";
    sqlite3_stmt *first = prepare(s, sql);
    sqlite3_bind_int64(first, 1, 7);
    assert_int_equal(value(first), 7); /* and it stands on a row */
    prepared_give(&s->prepared, first);
    sqlite3_stmt *again = prepare(s, sql);
    assert_ptr_equal(again, first);
    assert_int_equal(sqlite3_step(again), SQLITE_ROW);
    assert_int_equal(sqlite3_column_type(again, 0), SQLITE_NULL);
    prepared_give(&s->prepared, again);
}

static void what_is_in_use_is_not_given_to_another(void **state)
{
    struct state *s = *state;
    static const char sql[] = "SELECT ?1";
    sqlite3_stmt *a = prepare(s, sql), *b = prepare(s, sql);
    assert_ptr_not_equal(a, b);
    sqlite3_bind_int64(a, 1, 1);
    sqlite3_bind_int64(b, 1, 2);
    assert_int_equal(value(a), 1);
    assert_int_equal(value(b), 2);
    prepared_give(&s->prepared, a);
    prepared_give(&s->prepared, b); /* one is kept */
    assert_ptr_equal(prepare(s, sql), a);
    assert_null(prepared_take(&s->prepared, sql));
    prepared_give(&s->prepared, a);
}

static void a_text_that_changes_in_its_place_is_another_statement(void **state)
{
    struct state *s = *state;
    char sql[32] = "SELECT 1";
    sqlite3_stmt *statement = prepare(s, sql);
    assert_int_equal(value(statement), 1);
    prepared_give(&s->prepared, statement);
    strcpy(sql, "SELECT 2");
    statement = prepare(s, sql);
    assert_int_equal(value(statement), 2);
    prepared_give(&s->prepared, statement);
}

static void more_than_there_is_room_for_are_served_and_the_last_kept(void **state)
{
    struct state *s = *state;
    enum { MANY = PREPARED_SLOTS + 20 };
    static char sqls[MANY][32];
    static sqlite3_stmt *statements[MANY];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < MANY; i++) {
            snprintf(sqls[i], sizeof sqls[i], "SELECT %d", i);
            statements[i] = prepare(s, sqls[i]); /* all at once */
            assert_int_equal(value(statements[i]), i);
        }
        for (int i = 0; i < MANY; i++)
            prepared_give(&s->prepared, statements[i]);
    }
    for (int i = 0; i < MANY; i++) { /* one after the other */
        sqlite3_stmt *statement = prepare(s, sqls[i]);
        assert_int_equal(value(statement), i);
        prepared_give(&s->prepared, statement);
    }
    for (int i = MANY - 1; i > MANY - PREPARED_SLOTS; i--) {
        sqlite3_stmt *kept = prepared_take(&s->prepared, sqls[i]);
        assert_non_null(kept);
        prepared_give(&s->prepared, kept);
    }
}

static void a_change_of_the_schema_is_seen(void **state)
{
    struct state *s = *state;
    static const char sql[] = "SELECT count(*) FROM t";
    sqlite3_stmt *statement = prepare(s, sql);
    assert_int_equal(value(statement), 0);
    prepared_give(&s->prepared, statement);
    assert_int_equal(sqlite3_exec(s->db,
                                  "DROP TABLE t; CREATE TABLE u(b); INSERT INTO u VALUES(1); "
                                  "CREATE VIEW t AS SELECT b AS a FROM u",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    statement = prepare(s, sql);
    assert_int_equal(value(statement), 1);
    prepared_give(&s->prepared, statement);
}

static void a_pragma_is_prepared_each_time(void **state)
{
    struct state *s = *state;
    static const char sql[] = "PRAGMA user_version";
    sqlite3_stmt *statement = prepare(s, sql);
    assert_int_equal(value(statement), 0);
    prepared_give(&s->prepared, statement);
    assert_null(prepared_take(&s->prepared, sql));
}

#define PREPARED_TEST(name) cmocka_unit_test_setup_teardown(name, state_open, state_close)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PREPARED_TEST(what_was_put_back_is_taken_again_without_what_was_bound),
        PREPARED_TEST(what_is_in_use_is_not_given_to_another),
        PREPARED_TEST(a_text_that_changes_in_its_place_is_another_statement),
        PREPARED_TEST(more_than_there_is_room_for_are_served_and_the_last_kept),
        PREPARED_TEST(a_change_of_the_schema_is_seen),
        PREPARED_TEST(a_pragma_is_prepared_each_time),
    };
    return cmocka_run_group_tests_name("prepared", tests, NULL, NULL);
}
