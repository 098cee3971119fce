/* Dates become the moments that ISO 8601 and the calendar say. */
#define _XOPEN_SOURCE 700
#define _DEFAULT_SOURCE
#include "support/test.h"

#include "base/date.h"

#include <time.h>

static const int64_t second = 1000000000, now = 1700000000123456789;

static int64_t moment(const char *text, int end)
{
    int64_t out;
    rag_error error;
    assert_ok(date_parse(text, now, end, &out, &error), &error);
    return out;
}

static void every_day_is_where_the_c_library_has_it(void **state)
{
    (void)state;
    for (int year = 1678; year <= 2261; year++)
        for (int day = 0; day < 366; day += 1 + year % 7) {
            struct tm tm = {.tm_year = year - 1900, .tm_mday = 1 + day};
            time_t expected = timegm(&tm);
            char text[64];
            snprintf(text, sizeof text, "%04d-%02d-%02d", tm.tm_year + 1900, tm.tm_mon + 1,
                     tm.tm_mday);
            if (tm.tm_year + 1900 <= 2261)
                assert_true(moment(text, 0) == (int64_t)expected * second);
        }
}

static void times_and_offsets_are_counted(void **state)
{
    (void)state;
    int64_t day = moment("2024-02-29", 0);
    assert_true(day == 1709164800 * second);
    assert_true(moment("2024-02-29T12:30", 0) == day + (12 * 60 + 30) * 60 * second);
    assert_true(moment("2024-02-29 00:00:07.25Z", 0) == day + 7250000000);
    assert_true(moment("2024-02-29T00:00:00,000000001", 0) == day + 1);
    assert_true(moment("2024-02-29T02:00+02:00", 0) == day);
    assert_true(moment("2024-02-28T19:00:00-0500", 0) == day);
    assert_true(moment("2024-02-28T19:00:00-05", 0) == day);
}

static void the_end_is_the_last_moment_of_what_is_named(void **state)
{
    (void)state;
    int64_t day = moment("2024-02-29", 0);
    assert_true(moment("2024-02-29", 1) == day + 86400 * second - 1);
    assert_true(moment("2024-02-29T00:00", 1) == day + 60 * second - 1);
    assert_true(moment("2024-02-29T00:00:00", 1) == day + second - 1);
    assert_true(moment("2024-02-29T00:00:00.5", 1) == day + 6 * second / 10 - 1);
}

static void a_time_ago_is_counted_from_now(void **state)
{
    (void)state;
    assert_true(moment("12h", 0) == now - 12 * 3600 * second);
    assert_true(moment("7d", 1) == now - 7 * 86400 * second);
    assert_true(moment("2w", 0) == now - 14 * 86400 * second);
    assert_true(moment("0d", 0) == now);
}

static void what_is_no_date_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"",
                                      "yesterday",
                                      "2024",
                                      "2024-13-01",
                                      "2024-00-01",
                                      "2023-02-29",
                                      "2100-02-29",
                                      "2024-04-31",
                                      "2024-1-1",
                                      "1677-01-01",
                                      "2262-01-01",
                                      "2024-01-01x",
                                      "2024-01-01T",
                                      "2024-01-01T24:00",
                                      "d",
                                      "7",
                                      "7days",
                                      "-7d",
                                      "2024-01-01T00:60",
                                      "99999999999d",
                                      "3000000w",
                                      "2024-01-01T00:00.",
                                      "2024-01-01T00:00:61",
                                      "2024-01-01T00:00+24:00",
                                      "2024-01-01T00:00:00.",
                                      "2024-01-01T00:00+2",
                                      "2024-01-01T00:00+02:60"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        int64_t out;
        rag_error error;
        assert_status(RAG_USAGE, date_parse(bad[i], now, 0, &out, &error), &error);
        assert_says(&error, "is no date");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_day_is_where_the_c_library_has_it),
        cmocka_unit_test(times_and_offsets_are_counted),
        cmocka_unit_test(the_end_is_the_last_moment_of_what_is_named),
        cmocka_unit_test(a_time_ago_is_counted_from_now),
        cmocka_unit_test(what_is_no_date_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
