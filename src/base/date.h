/* date.h - dates as people write them. */
#ifndef RAG_BASE_DATE_H
#define RAG_BASE_DATE_H

#include "base/error.h"

/* Nanoseconds since 1970 of a date or a time, ISO 8601:
 *
 *   2024-05-01, 2024-05-01T12:30, 2024-05-01T12:30:15.5Z, 2024-05-01 12:30:15+02:00
 *
 * in UTC unless an offset says otherwise, or of a time before `now`: 12h, 7d, 2w. `end`: of a
 * date without a time its last moment rather than its first; likewise of minutes and seconds.
 * RAG_USAGE: it is none of these, or not within the years 1678 to 2261. */
CHECKED rag_status date_parse(const char *text, int64_t now, int end, int64_t *out,
                              rag_error *error);

/* Now, in nanoseconds since 1970. */
int64_t date_now(void);

#endif
