/* clock.h - monotonic time. */
#ifndef RAG_BASE_CLOCK_H
#define RAG_BASE_CLOCK_H

double clock_seconds(void); /* since some fixed moment */

#endif
