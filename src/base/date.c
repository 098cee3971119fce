#define _XOPEN_SOURCE 700
#include "base/date.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

enum { SECOND = 1000000000, HOUR = 3600, DAY = 24 * HOUR };

/* Of the last day that has all its nanoseconds in 64 bits, and of the first. */
enum { FIRST_YEAR = 1678, LAST_YEAR = 2261, MAX_RELATIVE = 1000000 };

int64_t date_now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_REALTIME, &time);
    return (int64_t)time.tv_sec * SECOND + time.tv_nsec;
}

/* Takes exactly `digits` digits. */
static bool take_number(const char **text, int digits, int *out)
{
    *out = 0;
    for (int i = 0; i < digits; i++, ++*text) {
        if (**text < '0' || **text > '9')
            return false;
        *out = *out * 10 + (**text - '0');
    }
    return true;
}

static bool take(const char **text, char c)
{
    bool there = **text == c;
    *text += there;
    return there;
}

/* ---- A calendar's date ---- */

static int days_of_month(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return days[month - 1] + (month == 2 && leap);
}

/* Days since 1970-01-01: years begin in March, so that the day that a leap year has more is
 * their last. */
static int64_t days_of(int year, int month, int day)
{
    int64_t y = year - (month <= 2);
    int64_t day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    return 365 * y + y / 4 - y / 100 + y / 400 + day_of_year - 719468;
}

static bool take_date(const char **text, int64_t *days)
{
    int year, month, day;
    if (!take_number(text, 4, &year) || !take(text, '-') || !take_number(text, 2, &month) ||
        !take(text, '-') || !take_number(text, 2, &day) || year < FIRST_YEAR ||
        year > LAST_YEAR || month < 1 || month > 12 || day < 1 ||
        day > days_of_month(year, month))
        return false;
    *days = days_of(year, month, day);
    return true;
}

/* Behind a "." or ",": *unit becomes that of the last digit. */
static bool take_fraction(const char **text, int64_t *nanoseconds, int64_t *unit)
{
    if (**text < '0' || **text > '9')
        return false;
    for (; **text >= '0' && **text <= '9'; ++*text)
        if (*unit > 1) {
            *unit /= 10;
            *nanoseconds += (**text - '0') * *unit;
        }
    return true;
}

static bool take_time(const char **text, int64_t *nanoseconds, int64_t *unit)
{
    int hour, minute, second = 0;
    if (!take_number(text, 2, &hour) || !take(text, ':') || !take_number(text, 2, &minute) ||
        hour > 23 || minute > 59)
        return false;
    *unit = (int64_t)60 * SECOND;
    if (take(text, ':')) {
        if (!take_number(text, 2, &second) || second > 59)
            return false;
        *unit = SECOND;
    }
    *nanoseconds = ((int64_t)hour * HOUR + minute * 60 + second) * SECOND;
    if (*unit == SECOND && (take(text, '.') || take(text, ',')))
        return take_fraction(text, nanoseconds, unit);
    return true;
}

static bool take_offset(const char **text, int64_t *nanoseconds)
{
    int hours, minutes = 0, sign = **text == '-' ? -1 : 1;
    if (take(text, 'Z') || !**text)
        return true;
    if ((!take(text, '+') && !take(text, '-')) || !take_number(text, 2, &hours))
        return false;
    if ((take(text, ':') || **text) && !take_number(text, 2, &minutes))
        return false;
    *nanoseconds -= sign * ((int64_t)hours * HOUR + minutes * 60) * SECOND;
    return hours < 24 && minutes < 60;
}

static bool parse_absolute(const char *text, int end, int64_t *out)
{
    int64_t days, within = 0, unit = (int64_t)DAY * SECOND;
    if (!take_date(&text, &days))
        return false;
    if (*text && ((!take(&text, 'T') && !take(&text, ' ')) ||
                  !take_time(&text, &within, &unit) || !take_offset(&text, &within)))
        return false;
    *out = days * DAY * SECOND + within + (end ? unit - 1 : 0);
    return !*text;
}

/* ---- A time ago ---- */

static bool parse_relative(const char *text, int64_t now, int64_t *out)
{
    int64_t count = 0;
    const char *digits = text;
    for (; *text >= '0' && *text <= '9' && count <= MAX_RELATIVE; text++)
        count = count * 10 + (*text - '0');
    int64_t seconds = *text == 'h' ? HOUR : *text == 'd' ? DAY : *text == 'w' ? 7 * DAY : 0;
    if (text == digits || count > MAX_RELATIVE || !seconds || text[1])
        return false;
    int64_t ago;
    return !__builtin_mul_overflow(count * seconds, (int64_t)SECOND, &ago) &&
           !__builtin_sub_overflow(now, ago, out);
}

rag_status date_parse(const char *text, int64_t now, int end, int64_t *out, rag_error *error)
{
    if (parse_relative(text, now, out) || parse_absolute(text, end, out))
        return RAG_OK;
    return fail_with(error, RAG_USAGE,
                     "\"%.100s\" is no date: write 2024-05-01, 2024-05-01T12:30Z, or a time "
                     "ago such as 12h, 7d or 2w",
                     text);
}
